"""Outputs of a run: valid by the extensions' own schemas, served by a real STAC API, opened again."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from geotoolz.batch import CatalogPipeline
from geotoolz.batch._assets import EXTENSIONS
from geotoolz.catalog import GeoCatalog, acquire, search
from geotoolz.core import Sequential
from geotoolz.core.testing import data_path, write_scene
from geotoolz.io import WriteCOG, open_tile
from geotoolz.radiometry import BandMath

sys.path.insert(0, str(Path(__file__).parent.parent / "catalog"))
sys.path.insert(0, str(Path(__file__).parent))
from _file_server import serving_files
from _stac_rules import FIELDS, schema
from _stac_servers import rustac_serving

pystac = pytest.importorskip("pystac", reason="pystac is not installed")
pytest.importorskip("pystac_client", reason="pystac-client is not installed")
SCHEMAS = Path(__file__).parent / "schemas"
HELD = ("proj", "file", "classification", "view", *FIELDS)
NDVI = BandMath("(nir - red) / (nir + red)", "ndvi")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Measurements, classes and sensor bands of two dates."""
    folder = tmp_path_factory.mktemp("served")
    scenes = [
        write_scene(
            {"shape": (64, 96), "bands": ("red", "nir", "scl"), "datetime": f"2023-06-{day}"}, folder / "in"
        )
        for day in (10, 11)
    ]
    steps = Sequential([NDVI, WriteCOG("{item_id}_{band}.tif", bands=("ndvi", "scl", "red"))])
    report = CatalogPipeline(scenes, steps, folder / "ndvi", progress="none").run()
    assert report.counts == {"done": 2}, [row.message for row in report.failed]
    return folder / "ndvi"


@pytest.fixture(scope="module")
def validate():
    """pystac's own validation, with the schemas that lie beside this file instead of a network."""
    pytest.importorskip("jsonschema", reason="pystac validates with jsonschema")
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    validator = JsonSchemaSTACValidator()
    for path in SCHEMAS.glob("*.json"):
        held = json.loads(path.read_text())
        validator.schema_cache[held["$id"].removesuffix("#")] = held
    for prefix in FIELDS:
        validator.schema_cache[EXTENSIONS[prefix]] = schema(prefix)
    geometry = "https://geojson.org/schema/Geometry.json"
    assert geometry in validator.schema_cache  # pystac brings it

    def check(document: dict) -> None:
        kind = pystac.STACObjectType(document["type"])
        validator.validate_core(document, kind, "1.1.0")
        for prefix in HELD:
            if EXTENSIONS[prefix] in document["stac_extensions"]:
                validator.validate_extension(document, kind, "1.1.0", EXTENSIONS[prefix])

    return check


def documents(out):
    paths = [*sorted((out / "items").glob("*.json")), out / "collection.json"]
    return [json.loads(path.read_text()) for path in paths]


def test_items_and_collection_keep_the_schemas(out, validate):
    for document in documents(out):
        validate(document)
    used = {
        prefix for prefix in HELD if any(EXTENSIONS[prefix] in d["stac_extensions"] for d in documents(out))
    }
    assert used == set(HELD)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda item: item["properties"].update({"proj:shape": [1, 2, 3]}),
        lambda item: item["properties"].update({"proj:code": 32633}),
        lambda item: item["properties"].update({"view:sun_elevation": 120}),
        lambda item: item["assets"]["ndvi"].update({"file:size": "many"}),
        lambda item: item["assets"]["scl"].update({"classification:classes": [{"name": "water"}]}),
        lambda item: item["properties"].pop("datetime"),
        lambda item: item["assets"]["red"]["bands"][0].update({"eo:common_name": "rouge"}),
        lambda item: item["assets"]["ndvi"].update({"raster:sampling": "pixel"}),
        lambda item: item["assets"]["red"].update({"raster:bands": []}),
        lambda item: item["properties"].update({"processing:software": {"geotoolz": 1}}),
        lambda item: item["properties"].update({"processing:expression": "NDVI"}),
    ],
)
def test_the_schemas_see_what_is_wrong(out, validate, spoil):
    item = copy.deepcopy(documents(out)[0])
    spoil(item)
    with pytest.raises(pystac.errors.STACValidationError):
        validate(item)


def test_a_real_api_serves_them_and_they_open_to_the_same_pixels(out, tmp_path):
    """rustac takes the items; geotoolz and odc-stac find and read them through it."""
    odc_stac = pytest.importorskip("odc.stac", reason="odc-stac is not installed")
    items = GeoCatalog.from_stac(out / "collection.json").to_items()
    for item in items:  # STAC 1.1 writes NaN as a word, which rustac 0.9 does not read; NaN is no data anyway
        for asset in item["assets"].values():
            for band in asset.get("bands", ()):
                if band.get("nodata") == "nan":
                    del band["nodata"]
    (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with rustac_serving(tmp_path / "items.json") as url:
        found = search(url, "ndvi", time="2023-06-11")
        assert len(found) == 1 and set(found.frame["collection"]) == {"ndvi"}
        from pystac_client import Client

        (item,) = Client.open(url).search(collections=["ndvi"], datetime="2023-06-11").items()
    loaded = odc_stac.load([item])
    assert set(loaded.data_vars) == {"ndvi", "scl", "red"}
    (row,) = found.iter_rows()
    opened = open_tile(found.source_of(row))
    for name in loaded.data_vars:
        written = open_tile(out / f"{item.id}_{name}.tif")[name].values
        np.testing.assert_array_equal(loaded[name][0].values, written)
        np.testing.assert_array_equal(opened[name].values, written)
    properties = item.properties
    assert properties["processing:expression"]["format"] == "geotoolz"
    assert item.assets["ndvi"].extra_fields["file:checksum"].startswith("1220")


def test_through_an_api_and_a_file_server_into_a_run_and_out_again(tmp_path):
    """Real scenes: searched, brought here, run with both servers gone; the same bytes as from the folder."""
    folder = data_path("s2_l2a_33TWL_croatia")
    local, remote = [], []
    with serving_files(folder) as files:
        for path in sorted(folder.glob("*/*_stac_item.json"))[:2]:
            item = json.loads(path.read_text())
            kept = {key: asset for key, asset in item["assets"].items() if key in ("red", "nir", "scl")}
            for made, start in (
                (local, f"file://{path.parent}"),
                (remote, f"{files.url}/{path.parent.name}"),
            ):
                assets = {key: {**asset, "href": f"{start}/{asset['href']}"} for key, asset in kept.items()}
                made.append({**item, "assets": assets})
        (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": remote}))
        with rustac_serving(tmp_path / "items.json") as url:
            found = search(url, "sentinel-2-l2a", aoi="33TWL", time="2023-08", cache=tmp_path / "cache")
        here = acquire(found, tmp_path / "cache").catalog
    steps = Sequential([NDVI, WriteCOG("{item_id}_{band}.tif", bands=("ndvi", "scl"))])
    hashes = []
    for name, catalog in (("here", here), ("folder", GeoCatalog.from_items(local))):
        report = CatalogPipeline(catalog, steps, tmp_path / name, progress="none", quicklook=False).run()
        assert report.counts == {"done": 2}, [row.message for row in report.failed]
        hashes.append(
            {
                path.name: open_tile(path).to_array().values.tobytes()
                for path in (tmp_path / name).glob("*.tif")
            }
        )
    assert hashes[0] == hashes[1] and len(hashes[0]) == 4
    again = CatalogPipeline(here, steps, tmp_path / "here", progress="none", quicklook=False).run()
    assert again.counts == {"fresh": 2}
