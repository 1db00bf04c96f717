"""What a training run is told: one file, checked before anything is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from geotoolz.core import ConfigError, ReadError, nearest
from geotoolz.core._yaml import parse

_PER_CLASS = ("cross_entropy", "focal", "dice")
_OF_VALUES = ("mean_absolute", "mean_squared")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Part):
    """Which pixels.

    Attributes
    ----------
    scenes : list of str
        Scenes, folders of scenes, catalogs, ``.zarr`` tiles. Empty where the scenes are handed to `train`.
    bands : list of str
        Inputs of the network, in its order: names or roles.
    pipeline : str, optional
        YAML of what makes them of a scene.
    labels : str, optional
        Polygons, or a raster on the scenes' grid. Without it the tiles hold `label`.
    label_column : str, optional
        Column with the class.
    label : str
        Variable with the codes, from 0; its no-data is no label.
    classes : dict of str to int
        Name and code of every class; codes from 0 without a gap. What has another code is no label.
    chip : int
        Rows and columns of a patch.
    stride : int, optional
        From one chip to the next; by default the chip. Of chips that overlap the test or validation ones,
        none is trained on.
    """

    scenes: tuple[str, ...] = ()
    bands: tuple[str, ...] = Field(min_length=1)
    pipeline: str | None = None
    labels: str | None = None
    label_column: str | None = None
    label: str = "label"
    classes: dict[str, int] = Field(default_factory=dict)
    chip: int = Field(default=64, ge=4)
    stride: int | None = Field(default=None, ge=1)

    @field_validator("classes")
    @classmethod
    def _without_gap(cls, classes: dict[str, int]) -> dict[str, int]:
        if classes and sorted(classes.values()) != list(range(len(classes))):
            raise ValueError(f"the codes are {sorted(classes.values())}; expected 0, 1, … without a gap")
        if len(classes) == 1:
            raise ValueError("there is one class; expected two at least")
        return dict(sorted(classes.items(), key=lambda pair: pair[1]))


class ModelConfig(_Part):
    """Which network: what a checkpoint calls ``model_framework`` and ``model``.

    Attributes
    ----------
    framework : str
        ``geotoolz``; ``smp`` for the architectures and encoders of segmentation-models-pytorch; or one of
        `register_framework`.
    architecture : str, optional
        By default ``unet``, for super-resolution ``finer``.
    parameters : dict
        Of the architecture; ``in_channels``, ``classes`` and ``zoom`` are filled in.
    """

    framework: str = "geotoolz"
    architecture: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class LossConfig(_Part):
    """What is minimised: a weighted sum, ``{cross_entropy: 1, dice: 1}``.

    Attributes
    ----------
    parts : dict of str to float
        Of ``cross_entropy``, ``focal``, ``dice``; for super-resolution of ``mean_absolute``,
        ``mean_squared``. By default ``cross_entropy``, or ``mean_absolute``, alone.
    class_weights : "balanced", list of float, or None
        ``"balanced"``: inverse to the classes' pixels in the training chips, 1 on average over pixels.
    gamma : float
        Of the focal loss.
    """

    parts: dict[str, float] = Field(default_factory=dict)
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None
    gamma: float = Field(default=2.0, ge=1)

    @field_validator("parts")
    @classmethod
    def _known(cls, parts: dict[str, float]) -> dict[str, float]:
        known = (*_PER_CLASS, *_OF_VALUES)
        for name, factor in parts.items():
            if name not in known:
                raise ValueError(
                    f"there is no loss {name!r}{nearest(name, known)}; expected {', '.join(known)}"
                )
            if factor <= 0:
                raise ValueError(f"{name} has the factor {factor}; expected more than 0")
        return parts


class SplitConfig(_Part):
    """Which chips are trained on, watched, and kept for the end.

    Attributes
    ----------
    method : {"blocks", "kmeans", "random"}
        ``"blocks"`` and ``"kmeans"`` keep neighbours on one side. ``"random"`` does not: its scores are
        too good.
    folds : int
        One fold is the test, one the validation, the others are trained on.
    block_size_m : float, optional
        Side of a block in metres; by default two chips.
    seed : int
        Another seed, other chips.
    """

    method: Literal["blocks", "kmeans", "random"] = "blocks"
    folds: int = Field(default=5, ge=3)
    block_size_m: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)


class FitConfig(_Part):
    """How it is trained.

    Attributes
    ----------
    epochs : int
        At most so many times through the chips.
    batch_size : int
        Chips per step.
    learning_rate : float
        Of AdamW (Loshchilov, Hutter 2019); falls to 0 along half a cosine.
    weight_decay : float
        Of AdamW.
    patience : int, optional
        Epochs without a better validation score before it stops; None never stops early.
    flips : bool
        Turn and mirror chips at random: eight ways, drawn per (seed, epoch, chip).
    seed : int
        Of weights, order and turns.
    device : str
        ``"auto"`` takes a GPU where there is one; ``"cpu"``, ``"cuda"``.
    threads : int, optional
        Of torch on a CPU; sums depend on it, so a resumed run keeps what it began with.
    """

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    patience: int | None = Field(default=5, ge=1)
    flips: bool = True
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    threads: int | None = Field(default=None, ge=1)


class TrainConfig(_Part):
    """A training run.

    Attributes
    ----------
    task : {"segmentation", "super_resolution"}
        Classes of pixels; or the chips themselves, from chips whose pixels are averaged `zoom` × `zoom`.
    data, model, loss, split, fit
        See `DataConfig`, `ModelConfig`, `LossConfig`, `SplitConfig`, `FitConfig`.
    zoom : int
        Of super-resolution: output pixels per input pixel along an axis.

    Examples
    --------
    >>> from geotoolz.learn import TrainConfig
    >>> config = TrainConfig.load({"data": {"bands": ["red", "nir"], "classes": {"other": 0, "water": 1}}})
    >>> config.fit.batch_size, config.loss.parts
    (16, {'cross_entropy': 1.0})
    """

    task: Literal["segmentation", "super_resolution"] = "segmentation"
    data: DataConfig
    model: ModelConfig = Field(default_factory=ModelConfig)
    loss: LossConfig = Field(default_factory=LossConfig)
    split: SplitConfig = Field(default_factory=SplitConfig)
    fit: FitConfig = Field(default_factory=FitConfig)
    zoom: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        segmentation = self.task == "segmentation"
        allowed = _PER_CLASS if segmentation else _OF_VALUES
        wrong = [name for name in self.loss.parts if name not in allowed]
        if wrong:
            raise ValueError(
                f"loss.parts: {wrong[0]} is none of task={self.task}; expected {', '.join(allowed)}"
            )
        if segmentation != bool(self.data.classes):
            found = "no data.classes" if segmentation else "data.classes"
            raise ValueError(f"{found} with task={self.task}")
        if segmentation == (self.zoom > 1):
            raise ValueError(f"zoom={self.zoom} with task={self.task}")
        weights = self.loss.class_weights
        if isinstance(weights, tuple) and len(weights) != len(self.data.classes):
            raise ValueError(f"{len(weights)} class_weights for {len(self.data.classes)} classes")
        if self.data.chip % self.zoom:
            raise ValueError(f"data.chip={self.data.chip} is no multiple of zoom={self.zoom}")
        if not self.loss.parts:
            parts = {"cross_entropy" if segmentation else "mean_absolute": 1.0}
            object.__setattr__(self, "loss", self.loss.model_copy(update={"parts": parts}))
        return self

    @classmethod
    def load(cls, source: TrainConfig | Mapping[str, Any] | str | Path) -> TrainConfig:
        """Return a configuration from a mapping or a YAML file; paths in a file are relative to it.

        Raises
        ------
        ReadError
            If the file cannot be read.
        ConfigError
            Naming every key that is wrong, what was found and what is expected.
        """
        if isinstance(source, cls):
            return source
        name, folder = "", None
        values: Any = source
        if isinstance(source, str | Path):
            name, folder = str(source), Path(source).resolve().parent
            try:
                values = parse(Path(source).read_text(encoding="utf-8")).value
            except (OSError, UnicodeDecodeError) as error:
                raise ReadError(f"{source} cannot be read: {error}", expected="a YAML file") from error
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"{name or 'the configuration'} holds {type(values).__name__}", expected="a mapping"
            )
        try:
            made = cls.model_validate(dict(values))
        except ValidationError as error:
            raise _told(error, name) from error
        return made if folder is None else made._anchored(folder)

    def _anchored(self, folder: Path) -> TrainConfig:
        def place(path: str | None) -> str | None:
            return None if path is None else path if "://" in path else str(folder / path)

        data = self.data.model_copy(
            update={
                "scenes": tuple(str(place(one)) for one in self.data.scenes),
                "pipeline": place(self.data.pipeline),
                "labels": place(self.data.labels),
            }
        )
        return self.model_copy(update={"data": data})

    def digest(self) -> str:
        """Return a hash of what a run is; where it computes is no part of it."""
        held = self.model_dump(mode="json")
        for name in ("device", "threads"):
            held["fit"].pop(name)
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def _told(error: ValidationError, name: str) -> ConfigError:
    clauses = []
    for one in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in one["loc"])
        text = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            text = f"there is no such key{nearest(str(one['loc'][-1]), _keys(TrainConfig))}"
        clauses.append(f"{place}: {text}" if place else text)
    shown = "; ".join(clauses)
    return ConfigError(f"{name}: {shown}" if name else shown, fix="the guide 'Training' lists all keys")


def _keys(model: type[BaseModel]) -> list[str]:
    """Return all names of a configuration, of its parts too."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        found.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _keys(field.annotation)
    return found
