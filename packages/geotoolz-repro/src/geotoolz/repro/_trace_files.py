"""What files and items tell of how they came to be."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from geotoolz.catalog._made_of import parts_of
from geotoolz.core import ReadError
from geotoolz.core._provenance import inputs_told
from geotoolz.io._gdal_session import gdal_env
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._several import described, title
from geotoolz.repro._trace import Trace

_LEVELS = 4  # folders above a file in which the run's items are looked for


def trace(path: str | os.PathLike[str]) -> Trace:
    """Tell how a file came to be.

    Cloud-optimised GeoTIFF keeps it in its tags and Zarr in its attributes, whichever driver wrote it: a
    pipeline that ends in `WriteCOG` or `WriteZarr`, `geotoolz.io.stream`, a catalog run. The STAC item of a
    run is understood, too, and is looked for where a file says nothing itself. A mosaic names its parts.

    Parameters
    ----------
    path : path
        A raster, a Zarr folder, or a STAC item.

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
    store = file / "zarr.json"
    if not file.is_file() and not store.is_file():
        raise ReadError(f"{file} does not exist", expected="a raster, a Zarr folder or a STAC item")
    if file.suffix in (".json", ".geojson"):
        return _of_item(file, file)
    told = _attribute(store) if store.is_file() else _tag(file)
    if told is not None:
        return _of_tag(file, told, "attributes" if store.is_file() else "tags")
    for item in _items_near(file):
        return _of_item(item, file)
    parts = tuple(sorted(parts_of(file))) if file.is_file() else ()
    if parts:
        inputs = tuple((name, size, sha256) for name, size, sha256 in inputs_told(map(str, parts)))
        return Trace(file, "mosaic", None, None, inputs=inputs, parts=parts)
    raise ArtifactError(
        f"{file} does not tell how it came to be",
        expected="a GeoTIFF or Zarr folder written by a pipeline that ends in WriteCOG or WriteZarr, by a "
        "stream or by a run",
        fix="write_tile keeps pixels only: put WriteCOG at the pipeline's end",
    )


def _tag(file: Path) -> str | None:
    import rasterio
    from rasterio.errors import RasterioError

    from geotoolz.io._tags import PROVENANCE_TAG

    try:
        with gdal_env(), rasterio.open(file) as raster:
            told: str | None = raster.tags().get(PROVENANCE_TAG)
    except RasterioError as error:
        raise ReadError(f"{file} is no raster: {error}", expected="a raster or a STAC item") from error
    return told


def _attribute(store: Path) -> str | None:
    from geotoolz.io._tags import PROVENANCE_TAG

    try:
        told = json.loads(store.read_text("utf-8")).get("attributes", {}).get(PROVENANCE_TAG)
    except (OSError, ValueError, AttributeError) as error:
        raise ReadError(f"{store} cannot be read: {error}", expected="a complete Zarr folder") from error
    return told if isinstance(told, str) else None


def _of_tag(file: Path, text: str, told_by: str = "tags") -> Trace:
    try:
        told = json.loads(text)
        inputs = tuple((str(name), int(size), str(sha256)) for name, size, sha256 in told["inputs"])
        several = described(told["several"]) if "several" in told else None
        return Trace(
            file,
            told_by,
            told.get("config_hash"),
            told.get("pipeline"),
            dict(told["software"]),
            inputs,
            title(several) if several else str(told.get("source", "")),
            dict(told.get("read", {})),
            tuple(told.get("read_unsaid", ())),
            several,
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
    if not source and made.is_file() and made.suffix in (".tif", ".tiff"):
        tags = _tag(made)  # several scenes have no address; the file names them
        if tags is not None:
            return _of_tag(made, tags)
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
