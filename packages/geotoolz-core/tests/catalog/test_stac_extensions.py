"""The fields of STAC extensions that items hold, checked without a network.

`pystac` brings the schemas of STAC itself, and neither it nor its packages ``pystac-ext-*`` bring those of
extensions. What the texts of extensions say of the fields that geotoolz writes stands here, in jsonschema:
type and range of every field, and that there is no other field with the prefix of an extension.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geotoolz.batch import CatalogPipeline
from geotoolz.batch._assets import EXTENSIONS
from geotoolz.core import Sequential
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG
from geotoolz.radiometry import BandMath, Encode

jsonschema = pytest.importorskip("jsonschema")

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
COMMON_NAMES = (
    "pan coastal blue green green05 yellow red rededge rededge071 rededge075 rededge078 nir nir08 nir09 "
    "cirrus swir16 swir22 lwir lwir11 lwir12"
)
CLASS = {
    "type": "object",
    "required": ["value", "name"],
    "properties": {
        "value": {"type": "integer"},
        "name": {"type": "string", "pattern": "^[0-9A-Za-z_-]+$"},
        "title": TEXT,
        "description": TEXT,
        "color_hint": {"type": "string", "pattern": "^[0-9A-Fa-f]{6}$"},
        "nodata": {"type": "boolean"},
    },
}
FIELDS: dict[str, dict[str, Any]] = {
    # Projection 2.0
    "proj:code": {"type": ["string", "null"], "pattern": "^[A-Z]+:[0-9A-Za-z]+$"},
    "proj:wkt2": {"type": ["string", "null"]},
    "proj:shape": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
    "proj:transform": {"type": "array", "items": NUMBER, "minItems": 6, "maxItems": 6},
    # File 2.1: a multihash in hexadecimal digits; 12 20 says SHA-256
    "file:size": {"type": "integer", "minimum": 0},
    "file:checksum": {"type": "string", "pattern": "^1220[0-9a-f]{64}$"},
    # Processing 1.2
    "processing:expression": {
        "type": "object",
        "required": ["format", "expression"],
        "properties": {"format": TEXT},
    },
    "processing:lineage": TEXT,
    "processing:level": TEXT,
    "processing:software": {"type": "object", "additionalProperties": TEXT},
    # Raster 2.0: fields of bands and assets
    "raster:scale": NUMBER,
    "raster:offset": NUMBER,
    "raster:spatial_resolution": {"type": "number", "exclusiveMinimum": 0},
    # Classification 2.0
    "classification:classes": {"type": "array", "minItems": 1, "uniqueItems": True, "items": CLASS},
    # EO 2.0
    "eo:common_name": {"type": "string", "enum": COMMON_NAMES.split()},
    "eo:center_wavelength": {"type": "number", "exclusiveMinimum": 0, "maximum": 20},
    # View 1.0
    "view:sun_azimuth": {"type": "number", "minimum": 0, "maximum": 360},
    "view:sun_elevation": {"type": "number", "minimum": -90, "maximum": 90},
}
PREFIXES = "|".join(EXTENSIONS)
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "properties": FIELDS,
    "patternProperties": {f"^(?!({PREFIXES}):)": True},
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that writes a measurement, packed integers, classes, and bands of the sensor."""
    folder = tmp_path_factory.mktemp("extensions")
    bands = ("red", "nir", "scl")
    scene = write_scene({"shape": (64, 64), "bands": bands, "datetime": "2023-06-10"}, folder / "in")
    steps = [
        BandMath("(nir - red) / (nir + red)", "ndvi"),
        Encode("reflectance_uint16", ("nir",)),
        WriteCOG("{item_id}_{band}.tif", bands=("ndvi", "red", "nir", "scl")),
    ]
    report = CatalogPipeline([scene], Sequential(steps), folder / "out", progress="none").run()
    assert report.counts == {"done": 1}, [row.message for row in report.failed]
    return folder / "out"


def held(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every place where an extension may have fields."""
    assets = [*document.get("assets", {}).values(), *document.get("item_assets", {}).values()]
    return [
        document.get("properties", {}),
        *assets,
        *(band for asset in assets for band in asset.get("bands", ())),
    ]


def test_fields_of_extensions_are_what_their_texts_say(out: Path) -> None:
    check = jsonschema.Draft7Validator(SCHEMA)
    seen: set[str] = set()
    for path in (*(out / "items").glob("*.json"), out / "collection.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        for place in held(document):
            problems = [f"{path.name}: {error.message}" for error in check.iter_errors(place)]
            assert not problems
            seen |= {name for name in place if name.partition(":")[0] in EXTENSIONS}
    # everything that can be checked is written somewhere here, but for grids without an EPSG code
    assert seen == set(FIELDS) - {"proj:wkt2"}


@pytest.mark.parametrize(
    "place, wrong",
    [
        ({"proj:shape": [1.5, 2]}, "is not of type 'integer'"),
        ({"proj:epsg": 32633}, "proj:epsg"),
        ({"file:checksum": "12"}, "does not match"),
        ({"raster:bands": []}, "raster:bands"),
        ({"eo:common_name": "infrared"}, "is not one of"),
        ({"classification:classes": [{"value": 1}]}, "'name' is a required property"),
        ({"processing:software": {"geotoolz": 1}}, "is not of type 'string'"),
    ],
)
def test_the_check_sees_what_is_wrong(place: dict[str, Any], wrong: str) -> None:
    messages = [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(place)]
    assert len(messages) == 1 and wrong in messages[0]
