"""How a file came to be, by what its driver told it; and the artefact of that."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geotoolz.core import Operator, ReadError
from geotoolz.core._config import from_config
from geotoolz.core._load import sandbox_find
from geotoolz.repro._artifact import Artifact
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._freeze import freeze
from geotoolz.repro._sources import Source, files_of, is_local

_LEVELS = 4  # folders above a file in which the run's items are looked for


@dataclass(frozen=True)
class Trace:
    """How a file came to be.

    Attributes
    ----------
    path : Path
        The file.
    told_by : str
        ``"tags"`` of the file, or ``"item"``: the STAC item of the run.
    config_hash : str or None
        Of the pipeline; None where it could not be saved.
    config : dict or None
        The pipeline's configuration without the step that wrote.
    software : dict of str to str
        Versions.
    inputs : tuple of (str, int, str)
        Name, bytes and SHA-256 of the files that were read; -1 and empty where nobody told.
    source : str
        What was opened; empty where nobody told.
    read : dict
        How it was read.
    unsaid : tuple of str
        Parts of how it was read that text cannot say.
    """

    path: Path
    told_by: str
    config_hash: str | None
    config: dict[str, Any] | None
    software: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[tuple[str, int, str], ...] = ()
    source: str = ""
    read: Mapping[str, Any] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()

    def pipeline(self, *, trusted: bool = False) -> Operator:
        """Return the pipeline; unless it is trusted, of registered operators that touch no files alone.

        Raises
        ------
        ArtifactError
            If the file does not hold it.
        UntrustedOperatorError
            If it needs more trust.
        """
        if self.config is None:
            raise ArtifactError(
                f"{self.path} does not tell its pipeline",
                expected="a pipeline of operators that can be saved",
                fix="freeze the pipeline itself: repro.freeze(pipeline, inputs)",
            )
        return from_config(self.config) if trusted else from_config(self.config, find=sandbox_find)

    def freeze(
        self,
        deps_lock: str | os.PathLike[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        inputs: str | os.PathLike[str] | None = None,
        trusted: bool = False,
        **options: Any,
    ) -> Artifact:
        """Freeze the computation that made the file; the file's own pixels are the expected output.

        Parameters
        ----------
        deps_lock, metadata
            As for `geotoolz.repro.freeze`.
        inputs : path, optional
            Where the source lies now, if not where it lay.
        trusted : bool
            Whether the pipeline may name any operator.
        **options
            Further ones of `geotoolz.repro.freeze`.

        Returns
        -------
        Artifact

        Raises
        ------
        ArtifactError
            If the file does not tell enough.
        ReadError
            If the source is gone, or a file of it has changed since.
        """
        op = self.pipeline(trusted=trusted)
        uri = os.fspath(inputs) if inputs is not None else self.source
        if not uri or self.unsaid:
            lacks = f"how it was read ({', '.join(self.unsaid)})" if self.unsaid else "what it was read from"
            raise ArtifactError(
                f"{self.path} does not tell {lacks}",
                expected="a file that a driver wrote from a path",
                fix="inputs=… (--input) says where the source lies"
                if not self.unsaid
                else "freeze the pipeline itself: repro.freeze(pipeline, inputs)",
            )
        source = Source(uri, read=dict(self.read))
        self._require_unchanged(source)
        return freeze(op, source, deps_lock, metadata, outputs=self.path, **options)

    def _require_unchanged(self, source: Source) -> None:
        """Compare the files that were read with what lies there now."""
        if not is_local(source.uri):
            return
        now = {(Path(one.path).name, one.sha256) for one in files_of(source)}
        changed = [name for name, _, sha256 in self.inputs if sha256 and (name, sha256) not in now]
        if changed:
            raise ReadError(
                f"{', '.join(changed)} of {source.uri} is no longer what {self.path.name} was made from",
                expected="the input as it was",
                fix="name a copy that is unchanged: inputs=… (--input)",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return {
            "path": str(self.path),
            "told_by": self.told_by,
            "config_hash": self.config_hash,
            "pipeline": self.config,
            "source": self.source,
            "read": dict(self.read),
            "inputs": [list(one) for one in self.inputs],
            "software": dict(self.software),
        }


def trace(path: str | os.PathLike[str]) -> Trace:
    """Tell how a file came to be.

    Cloud-optimised GeoTIFF keeps it in its tags, whichever driver wrote it: a pipeline that ends in
    `WriteCOG`, `geotoolz.io.stream`, a catalog run. The STAC item of a run is understood, too, and is looked
    for where a file says nothing itself.

    Parameters
    ----------
    path : path
        A raster, or a STAC item.

    Returns
    -------
    Trace

    Raises
    ------
    ReadError
        If there is no such file.
    ArtifactError
        If nothing tells how it came to be.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.indices import NDVI
    >>> from geotoolz.io import stream
    >>> from geotoolz.repro import trace
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, tmp)
    ...     (path,) = stream(NDVI(), scene, f"{tmp}/ndvi.tif").paths
    ...     found = trace(path)
    ...     print(found.config_hash == NDVI().config_hash(), [name for name, *_ in found.inputs])
    True ['B04.tif', 'B08.tif']
    """
    file = Path(path)
    if not file.is_file():
        raise ReadError(f"{file} does not exist", expected="a raster or a STAC item")
    if file.suffix in (".json", ".geojson"):
        return _of_item(file, file)
    told = _tag(file)
    if told is not None:
        return _of_tag(file, told)
    for item in _items_near(file):
        return _of_item(item, file)
    raise ArtifactError(
        f"{file} does not tell how it came to be",
        expected="a GeoTIFF written by a pipeline that ends in WriteCOG, by a stream or by a run",
        fix="write_tile keeps pixels only: put WriteCOG at the pipeline's end",
    )


def _tag(file: Path) -> str | None:
    import rasterio
    from rasterio.errors import RasterioError

    from geotoolz.io._tags import PROVENANCE_TAG

    try:
        with rasterio.open(file) as raster:
            told: str | None = raster.tags().get(PROVENANCE_TAG)
    except RasterioError as error:
        raise ReadError(f"{file} is no raster: {error}", expected="a raster or a STAC item") from error
    return told


def _of_tag(file: Path, text: str) -> Trace:
    try:
        told = json.loads(text)
        inputs = tuple((str(name), int(size), str(sha256)) for name, size, sha256 in told["inputs"])
        return Trace(
            file,
            "tags",
            told.get("config_hash"),
            told.get("pipeline"),
            dict(told["software"]),
            inputs,
            str(told.get("source", "")),
            dict(told.get("read", {})),
            tuple(told.get("read_unsaid", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{file}: its provenance cannot be read: {error}") from error


def _of_item(item: Path, file: Path) -> Trace:
    """Read what a run's STAC item says of its files."""
    from geotoolz.batch._fingerprint import local_path

    try:
        held = json.loads(item.read_bytes())
        told = held["properties"]
        links = {link["rel"]: link["href"] for link in held["links"]}
        expression = told.get("processing:expression", {})
        config = expression.get("expression") if expression.get("format") == "geotoolz" else None
        assets = [one["href"] for one in held["assets"].values() if "data" in one.get("roles", ())]
        source = str(links.get("derived_from", ""))
        inputs = tuple(
            (str(n), int(size), str(sha)) for n, size, sha in told.get("geotoolz:input_hashes", ())
        )
        made = file if file != item else item.parent / assets[0]
        read = dict(told.get("geotoolz:read", {}))
        config_hash, software = str(told["geotoolz:config_hash"]), dict(told["processing:software"])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ArtifactError(
            f"{item} does not tell how its files came to be", expected="the STAC item of a geotoolz run"
        ) from error
    return Trace(made, "item", config_hash, config, software, inputs, local_path(source) or source, read)


def _items_near(file: Path) -> Iterator[Path]:
    """Yield the items of a run that name a file."""
    for folder in list(file.absolute().parents)[:_LEVELS]:
        for item in sorted((folder / "items").glob("*.json")):
            try:
                assets = json.loads(item.read_bytes())["assets"].values()
                named = {(item.parent / one["href"]).resolve() for one in assets}
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # some other JSON
            if file.resolve() in named:
                yield item
