"""What the STAC extensions raster 2.0, eo 2.0 and processing 1.2 ask for, as schemas of our own wording.

Their published schemas are in no source distribution that the package index has; the others lie in the folder
``schemas``. Facts from the specifications: https://github.com/stac-extensions/{raster,eo,processing}.
"""

from __future__ import annotations

from typing import Any

from geotoolz.batch._assets import EXTENSIONS

NUMBER, POSITIVE = {"type": "number"}, {"type": "number", "exclusiveMinimum": 0}
PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
COMMON_NAMES = [
    *("pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075"),
    *("rededge078", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"),
]
FIELDS: dict[str, dict[str, Any]] = {
    "raster": {
        "sampling": {"enum": ["area", "point"]},
        "bits_per_sample": {"type": "integer", "minimum": 1},
        "spatial_resolution": POSITIVE,
        "scale": NUMBER,
        "offset": NUMBER,
        "histogram": {
            "type": "object",
            "required": ["count", "min", "max", "buckets"],
            "properties": {
                "count": {"type": "integer", "minimum": 1},
                "min": NUMBER,
                "max": NUMBER,
                "buckets": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            },
        },
    },
    "eo": {
        "cloud_cover": PERCENT,
        "snow_cover": PERCENT,
        "common_name": {"enum": COMMON_NAMES},
        "center_wavelength": POSITIVE,
        "full_width_half_max": POSITIVE,
        "solar_illumination": {"type": "number", "minimum": 0},
    },
    "processing": {
        "expression": {
            "type": "object",
            "required": ["format", "expression"],
            "properties": {"format": {"type": "string"}},
        },
        "lineage": {"type": "string"},
        "level": {"type": "string"},
        "facility": {"type": "string"},
        "version": {"type": "string"},
        "datetime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "software": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def _held(prefix: str) -> dict[str, Any]:
    """Return the schema of an object that may hold fields of an extension: known ones, of the right kind."""
    known = {f"{prefix}:{name}": rule for name, rule in FIELDS[prefix].items()}
    return {
        "properties": known,
        "propertyNames": {"anyOf": [{"enum": list(known)}, {"not": {"pattern": f"^{prefix}:"}}]},
    }


def _with_bands(prefix: str) -> dict[str, Any]:
    bands = {"properties": {"bands": {"type": "array", "items": _held(prefix)}}}
    return {"type": "object", "allOf": [_held(prefix), bands]}


def schema(prefix: str) -> dict[str, Any]:
    """Return the schema of one extension, for items and collections."""
    uri = EXTENSIONS[prefix]
    many = {"type": "object", "additionalProperties": _with_bands(prefix)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"{uri}#",
        "type": "object",
        "required": ["type", "stac_extensions"],
        "properties": {
            "stac_extensions": {"type": "array", "contains": {"const": uri}},
            "properties": _with_bands(prefix),
            "assets": many,
            "item_assets": many,
            "providers": {"type": "array", "items": _held(prefix)},
        },
    }
