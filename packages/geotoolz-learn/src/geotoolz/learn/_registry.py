"""A folder of models with a manifest, and pipelines that choose among them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geotoolz.core import Operator, ParameterError, Ref, Switch, WriteError, nearest
from geotoolz.core._operator import check_parameter_names
from geotoolz.learn._area_estimates import plain
from geotoolz.learn._classifier import PixelwiseClassifier
from geotoolz.learn._model import FittedPixelModel, Format
from geotoolz.learn._persist import OtherVersions, load_model
from geotoolz.learn._pixelwise import Pixelwise
from geotoolz.learn._registry_manifest import (
    ModelEntry,
    check_name,
    plain_metrics,
    read_manifest,
    write_manifest,
)

__all__ = ["ModelEntry", "ModelRegistry"]


class ModelRegistry:
    """Models in a folder, with a manifest that says what they are.

    ``manifest.json`` holds, for every model, its file and SHA-256, features, dates and metrics. Files are
    called after their content: a model that is replaced leaves the old file where it is, and pipelines that
    pin it keep working. One process writes at a time; any number may read.

    Parameters
    ----------
    folder : str or Path
        The folder; made with the first model.

    Raises
    ------
    ReadError
        If there is a manifest that cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from geotoolz.learn import ModelRegistry, TrainingRows, fit_rows
    >>> rows = TrainingRows(X=[[0.1], [0.4]], features=("nir",), y=["soil", "wood"])
    >>> models = ModelRegistry(tempfile.mkdtemp())
    >>> entry = models.add("north", fit_rows(DecisionTreeClassifier(), rows))
    >>> list(models), entry.features, models.load("north").classes
    (['north'], ('nir',), ('soil', 'wood'))
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._entries = read_manifest(self.folder)

    # ---- looking -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> ModelEntry:
        """Return what is known of a model.

        Raises
        ------
        ParameterError
            If there is none of that name; names those there are.
        """
        if name not in self._entries:
            raise ParameterError(
                f"there is no model {name!r}{nearest(str(name), self._entries)}",
                expected=f"one of {', '.join(self)}" if self._entries else "a model: the registry is empty",
            )
        return self._entries[name]

    def __repr__(self) -> str:
        return f"ModelRegistry({str(self.folder)!r}: {', '.join(self) or 'no models'})"

    def ref(self, name: str) -> Ref:
        """Return the reference that stands for a model in a configuration: path and SHA-256."""
        entry = self[name]
        return Ref(str(self.folder / entry.file), entry.sha256)

    def load(
        self,
        name: str,
        *,
        trusted: tuple[str, ...] = (),
        trust: bool = False,
        other_versions: OtherVersions = "raise",
    ) -> FittedPixelModel:
        """Load a model; its content must be what the manifest says. See `load_model`."""
        return load_model(self.ref(name), trusted=trusted, trust=trust, other_versions=other_versions)

    def verify(self) -> None:
        """Read every file and compare its content with the manifest.

        Raises
        ------
        ReadError
            For the first file that is missing or has other content.
        """
        for name in self:
            self.ref(name).verify()

    # ---- changing ------------------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        model: FittedPixelModel,
        *,
        metrics: Mapping[str, Any] | None = None,
        replace: bool = False,
        format: Format = "skops",
    ) -> ModelEntry:
        """Write a model into the folder and into the manifest.

        Parameters
        ----------
        name : str
            Letters, digits, dots, dashes and underscores.
        model : FittedPixelModel
            The model.
        metrics : mapping, optional
            Plain JSON values, beside those that the model carries.
        replace : bool
            Whether a model of that name may be there already.
        format : {"skops", "joblib"}
            As for `FittedPixelModel.save`.

        Raises
        ------
        ParameterError
            If the name cannot be a file's, or is taken.
        WriteError
            If the folder cannot be written to.
        """
        check_name(name)
        self._entries = read_manifest(self.folder)  # another process may have added some
        if name in self._entries and not replace:
            raise ParameterError(f"there is a model {name!r} already", fix="another name, or replace=True")
        numbers = plain_metrics({**model.metrics, **(metrics or {})}, name)
        draft = self.folder / f".{name}.{os.getpid()}.gtz"
        sha256 = model.save(draft, format).sha256
        file = f"{name}-{sha256[:16]}.gtz"
        try:
            draft.replace(self.folder / file)
        except OSError as error:
            raise WriteError(f"{self.folder / file} cannot be written: {error.strerror}") from error
        entry = ModelEntry(
            name, file, sha256, model.kind, model.features, tuple(plain(list(model.classes))), model.dates,
            model.n_rows, model.pipeline_hash, numbers,
        )  # fmt: skip
        self._keep({**self._entries, name: entry})
        return entry

    def remove(self, name: str) -> None:
        """Take a model out of the manifest and delete its file.

        Raises
        ------
        ParameterError
            If there is none of that name.
        WriteError
            If the folder cannot be written to.
        """
        self._entries = read_manifest(self.folder)
        entry = self[name]
        self._keep({key: value for key, value in self._entries.items() if key != name})
        try:
            (self.folder / entry.file).unlink(missing_ok=True)
        except OSError as error:
            raise WriteError(f"{entry.file} cannot be deleted: {error.strerror}") from error

    def _keep(self, entries: Mapping[str, ModelEntry]) -> None:
        write_manifest(self.folder, entries)
        self._entries = dict(entries)

    # ---- choosing ------------------------------------------------------------------------------------------

    def switch(
        self,
        key: str,
        operator: type[Pixelwise] = PixelwiseClassifier,
        *,
        cases: Mapping[str, str] | None = None,
        default: str | Operator | None = None,
        **parameters: Any,
    ) -> Switch:
        """Return a step that asks another model for every kind of tile.

        A model is loaded when the first tile needs it, and a few are held at a time: the one that was not
        used for longest goes first. A tile without a model is an error that names the known ones, before
        any pixel.

        Parameters
        ----------
        key : str
            Attribute of the tile: ``"ecoregion"``, ``"tile_id"``, ``"season"``.
        operator : type of Pixelwise
            What is done with a model: `PixelwiseClassifier`, `PixelwiseRegressor`, …
        cases : mapping of str to str, optional
            Value of the attribute → name of the model; by default every model stands for its own name.
        default : str or Operator, optional
            The model, or the step, for any other value.
        **parameters
            Parameters of the operator, the same for all models.

        Returns
        -------
        Switch
            With the models by path and SHA-256: it can be saved as YAML.

        Raises
        ------
        ParameterError
            If there is no such model, no model at all, or the operator has no such parameter.
        """
        _check_operator(operator, parameters)
        chosen = {name: name for name in self} if cases is None else dict(cases)
        if not chosen:
            raise ParameterError(f"{self!r} has nothing to choose from", expected="one model at least")

        def step(name: str) -> Operator:
            return operator(self.ref(name), **parameters)

        other = step(default) if isinstance(default, str) else default
        return Switch(key, {value: step(name) for value, name in chosen.items()}, default=other)


def _check_operator(operator: Any, parameters: Mapping[str, Any]) -> None:
    if not (isinstance(operator, type) and issubclass(operator, Pixelwise)):
        raise ParameterError(f"operator={operator!r}", expected="PixelwiseClassifier, PixelwiseRegressor, …")
    check_parameter_names(operator, {**parameters, "model": None})
