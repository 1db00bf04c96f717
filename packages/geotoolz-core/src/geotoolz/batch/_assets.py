"""The assets of a finished tile's STAC item: its files, what their bands hold, what stands beside them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._commit import OutputFile, multihash

if TYPE_CHECKING:
    from geotoolz.core import VarSpec

__all__ = ["EXTENSIONS", "asset_extensions", "assets_of", "thumbnail"]

#: prefix of fields to the extension that defines them
EXTENSIONS: Mapping[str, str] = {
    "proj": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "file": "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "processing": "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "classification": "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "eo": "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "view": "https://stac-extensions.github.io/view/v1.0.0/schema.json",
}
_MEDIA = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".tiff": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".json": "application/json",
    ".xml": "application/xml",
    ".qml": "application/xml",
    ".png": "image/png",
}
#: what stands beside a raster: end of its name, what it is called, what for
_BESIDE = (
    (".tif.aux.xml", "names", ["metadata"], "Names and colours of the classes (GDAL)"),
    (".tiff.aux.xml", "names", ["metadata"], "Names and colours of the classes (GDAL)"),
    (".qml", "style", ["metadata", "style"], "Style for QGIS"),
)
#: names that the extension eo knows
_COMMON_NAMES = frozenset(
    {"pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075",
     "rededge078", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"}
)  # fmt: skip
_DATA_TYPES = {"bool": "uint8", "complex64": "cfloat32", "complex128": "cfloat64"}


def assets_of(
    files: Sequence[OutputFile],
    bands: Mapping[str, Sequence[str]],
    variables: Mapping[str, VarSpec],
    pixel: float | None,
) -> dict[str, Any]:
    """Return the assets of files.

    A file of one variable is called after it; one of several, and one of which nothing is known, after what
    tells its name from the others'. ``.aux.xml`` and ``.qml`` are called after their raster.

    Parameters
    ----------
    files : sequence of OutputFile
    bands : mapping
        Path to the variables that lie in it, band by band; paths may be missing.
    variables : mapping of str to VarSpec
        What the variables hold.
    pixel : float, optional
        Size of a pixel in metres.

    Returns
    -------
    dict
    """
    rasters = [file for file in files if _beside(file.path) is None]
    keys = _keys([file.path for file in rasters], bands)
    assets: dict[str, Any] = {}
    for file in rasters:
        assets[keys[file.path]] = _file(file) | _held(bands.get(file.path, ()), variables, pixel)
    by_stem = {os.path.splitext(path)[0]: key for path, key in keys.items()}  # noqa: PTH122 - "/" in text
    for file in files:
        beside = _beside(file.path)
        if beside is not None:
            end, what, roles, title = beside
            owner = by_stem.get(file.path[: -len(end)], "data")
            assets[f"{owner}-{what}"] = {**_file(file), "roles": roles, "title": title}
    return assets


def thumbnail(href: str) -> dict[str, Any]:
    """Return the asset of a tile's small picture; without a checksum: a tile does not depend on it."""
    return {"href": href, "type": "image/png", "roles": ["thumbnail", "overview"], "title": "Quicklook"}


def asset_extensions(assets: Mapping[str, Any]) -> Iterator[str]:
    """Yield the prefixes of extensions that assets and their bands use."""
    for asset in assets.values():
        for held in (asset, *asset.get("bands", ())):
            yield from (name.partition(":")[0] for name in held if ":" in name)


def _beside(path: str) -> tuple[str, str, list[str], str] | None:
    return next((one for one in _BESIDE if path.lower().endswith(one[0])), None)


def _file(file: OutputFile) -> dict[str, Any]:
    suffix = os.path.splitext(file.path)[1].lower()  # noqa: PTH122 - the path is a string with "/"
    return {
        "href": f"../{file.path}",
        "type": _MEDIA.get(suffix, "application/octet-stream"),
        "roles": ["data"] if suffix in (".tif", ".tiff") else ["metadata"],
        "file:size": file.size,
        "file:checksum": multihash(file.sha256),
    }


def _keys(paths: Sequence[str], bands: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return path → key; every key occurs once."""
    common = _common_start(paths)
    keys: dict[str, str] = {}
    for path in paths:
        held = bands.get(path, ())
        stem = os.path.splitext(path)[0]  # noqa: PTH122 - the path is a string with "/"
        name = held[0] if len(held) == 1 else stem[len(common) :].strip("_-./") if common else ""
        name = name or "data"
        while name in keys.values():
            name += "_"
        keys[path] = name
    return keys


def _common_start(names: Sequence[str]) -> str:
    """Return the letters that all names begin with (of one name: none)."""
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)
    end = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:end]


def _held(names: Sequence[str], variables: Mapping[str, VarSpec], pixel: float | None) -> dict[str, Any]:
    """Return ``bands`` of a file, and its title."""
    known = [name for name in names if name in variables]
    if not known or len(known) != len(names):
        return {}
    held: dict[str, Any] = {"bands": [_band(name, variables[name]) for name in names]}
    if len(names) == 1:
        held["title"] = str(variables[names[0]].attrs.get("long_name") or names[0])
    if pixel is not None:
        held["raster:spatial_resolution"] = pixel
    return held


def _band(name: str, spec: VarSpec) -> dict[str, Any]:
    """Return a band as STAC 1.1 has it: type, no-data, unit, scale and offset, classes."""
    from geotoolz.io._classes import classification

    attrs = spec.attrs
    band: dict[str, Any] = {"name": name, "data_type": _DATA_TYPES.get(spec.dtype.name, spec.dtype.name)}
    if attrs.get("long_name"):
        band["description"] = str(attrs["long_name"])
    if spec.nodata is not None:
        band["nodata"] = _number(spec.nodata)
    if attrs.get("units"):
        band["unit"] = str(attrs["units"])
    if "scale_factor" in attrs or "add_offset" in attrs:
        band["raster:scale"] = float(attrs.get("scale_factor", 1.0))
        band["raster:offset"] = float(attrs.get("add_offset", 0.0))
    if name in _COMMON_NAMES:
        band["eo:common_name"] = name
    if isinstance(attrs.get("wavelength_nm"), int | float):
        band["eo:center_wavelength"] = round(float(attrs["wavelength_nm"]) / 1000, 6)
    classes = classification(name, attrs, spec.dtype)
    if classes:
        band["classification:classes"] = classes
    return band


def _number(value: float) -> float | int | str:
    """Return a number as JSON has it: STAC writes NaN and the infinities as words."""
    if math.isfinite(value):
        return value.item() if hasattr(value, "item") else value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
