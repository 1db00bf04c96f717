"""Item and collection beside the products: valid without a network, true to the files."""

from __future__ import annotations

import hashlib
import json
import re
import socket

import numpy as np
import pytest
import rasterio
from rasterio.merge import merge

from geotoolz.batch import BatchReport, CatalogPipeline, verify, write_collection
from geotoolz.batch._assets import EXTENSIONS
from geotoolz.catalog import GeoCatalog, build_mosaic
from geotoolz.core import BatchError, Sequential
from geotoolz.core._grid import tile_from_arrays
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG, open_tile, write_tile
from geotoolz.radiometry import BandMath

pystac = pytest.importorskip("pystac", reason="pystac is not installed")
BANDS = ("ndvi", "scl", "red")
PIPELINE = Sequential(
    [BandMath("(nir - red) / (nir + red)", "ndvi"), WriteCOG("{item_id}_{band}.tif", bands=BANDS)]
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    made = []
    for number in range(2):
        spec = {"shape": (64, 96), "bands": ("red", "nir", "scl"), "datetime": f"2023-06-{number + 10}"}
        made.append(write_scene(spec, folder))
    return made


@pytest.fixture(scope="module")
def out(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "ndvi-june"
    report = CatalogPipeline(scenes, PIPELINE, folder, progress="none").run()
    assert report.counts == {"done": 2}, [row.message for row in report.failed]
    return folder


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("there is no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def items_of(out):
    return [json.loads(path.read_text()) for path in sorted((out / "items").glob("*.json"))]


def test_item_and_collection_are_valid_stac(out, offline):
    """Against the schemas that pystac brings along; those of extensions it would fetch."""
    from pystac.validation import validate_dict

    pytest.importorskip("jsonschema", reason="pystac validates with jsonschema")
    collection = pystac.Collection.from_file(str(out / "collection.json"))
    assert validate_dict(json.loads((out / "collection.json").read_text()), extensions=[])
    items = list(collection.get_items())
    assert [item.id for item in items] == [item["id"] for item in items_of(out)]
    for item, text in zip(items, items_of(out), strict=True):
        assert validate_dict(text, extensions=[])
        assert item.get_collection().id == collection.id == "ndvi-june"
        assert item.get_parent().id == collection.id
    broken = items_of(out)[0]
    del broken["properties"]["datetime"]
    with pytest.raises(pystac.errors.STACValidationError):
        validate_dict(broken, extensions=[])


def test_extensions_are_declared_where_they_are_used(out):
    for held in (*items_of(out), json.loads((out / "collection.json").read_text())):
        text = json.dumps(
            {key: held.get(key) for key in ("properties", "assets", "item_assets", "summaries")}
        )
        used = {prefix for prefix in EXTENSIONS if f'"{prefix}:' in text}
        declared = {prefix for prefix, uri in EXTENSIONS.items() if uri in held["stac_extensions"]}
        if held["type"] == "Collection":
            used -= {"processing"}  # its schema wants a provider
        assert declared == used and {"proj", "raster", "eo", "classification"} <= declared
        assert len(held["stac_extensions"]) == len(declared)


def test_pystac_reads_the_extensions(out):
    from pystac.extensions.file import FileExtension
    from pystac.extensions.projection import ProjectionExtension

    item = pystac.Item.from_file(str(next(iter(sorted((out / "items").glob("*.json"))))))
    with rasterio.open(out / f"{item.id}_ndvi.tif") as raster:
        projection = ProjectionExtension.ext(item)
        assert projection.code == raster.crs.to_string()
        assert projection.shape == list(raster.shape)
        assert projection.transform == list(raster.transform)[:6]
    size = (out / f"{item.id}_ndvi.tif").stat().st_size
    assert FileExtension.ext(item.assets["ndvi"]).size == size


def test_every_file_is_an_asset_with_its_checksum(out):
    listed = set()
    for item in items_of(out):
        for asset in item["assets"].values():
            path = (out / "items" / asset["href"]).resolve()
            assert path.is_file()
            if "file:checksum" in asset:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                assert asset["file:checksum"] == "1220" + digest
                assert asset["file:size"] == path.stat().st_size
                listed.add(path.name)
    written = {path.name for path in out.iterdir() if path.is_file()}
    assert listed == written - {"collection.json", "report.json", "report.html"}
    assert {name.split("L2A_")[1] for name in listed} == {
        "ndvi.tif", "ndvi.qml", "red.tif", "red.qml", "scl.tif", "scl.tif.aux.xml",
    }  # fmt: skip
    assert verify(out) == {}


def test_roles_tell_data_from_what_stands_beside_it(out):
    (first, _) = items_of(out)
    roles = {key: asset["roles"] for key, asset in first["assets"].items()}
    assert {key for key, held in roles.items() if "data" in held} == set(BANDS)
    assert roles["ndvi-style"] == ["metadata", "style"] and roles["scl-names"] == ["metadata"]
    assert "thumbnail" in roles["thumbnail"]
    picture = (out / "items" / first["assets"]["thumbnail"]["href"]).read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_bands_say_what_the_pixels_are(out):
    (first, _) = items_of(out)
    (ndvi,) = first["assets"]["ndvi"]["bands"]
    assert (ndvi["name"], ndvi["data_type"], ndvi["nodata"], ndvi["unit"]) == ("ndvi", "float32", "nan", "1")
    (red,) = first["assets"]["red"]["bands"]
    assert (red["eo:common_name"], red["eo:center_wavelength"]) == ("red", 0.665)
    assert first["assets"]["red"]["raster:spatial_resolution"] == 10.0
    (scl,) = first["assets"]["scl"]["bands"]
    classes = {one["value"]: one for one in scl["classification:classes"]}
    with rasterio.open(out / f"{first['id']}_scl.tif") as raster:
        table = raster.colormap(1)
    assert len(classes) == 12
    for value, one in classes.items():
        assert re.fullmatch(r"[0-9A-Za-z_-]+", one["name"])
        assert one["color_hint"] == bytes(table[value][:3]).hex().upper()


def test_processing_says_how_it_came_to_be(out):
    from geotoolz.core import load

    properties = items_of(out)[0]["properties"]
    held = properties["processing:expression"]
    assert held["format"] == "geotoolz"
    again = load(json.dumps(held["expression"]))
    assert again.config_hash() == properties["geotoolz:config_hash"]
    assert properties["processing:lineage"].startswith("geotoolz: BandMath from S2A_")
    assert all(isinstance(text, str) for text in properties["processing:software"].values())


def test_the_collection_spans_its_items(out):
    collection = json.loads((out / "collection.json").read_text())
    boxes = np.array([item["bbox"] for item in items_of(out)])
    (bbox,) = collection["extent"]["spatial"]["bbox"]
    assert bbox == [*boxes.min(0)[:2], *boxes.max(0)[2:]]
    times = [item["properties"]["datetime"] for item in items_of(out)]
    assert collection["extent"]["temporal"]["interval"] == [[min(times), max(times)]]
    assert collection["summaries"]["proj:code"] == ["EPSG:32633"]
    definition = collection["item_assets"]["ndvi"]
    assert definition["bands"] == items_of(out)[0]["assets"]["ndvi"]["bands"]
    assert not {"href", "file:size", "file:checksum"} & definition.keys()
    links = [link for link in collection["links"] if link["rel"] == "item"]
    assert all((out / link["href"]).is_file() for link in links) and len(links) == 2


def test_a_catalog_and_the_reader_take_the_products(out):
    assert len(GeoCatalog.from_stac(out / "collection.json")) == 2
    assert len(GeoCatalog.from_folder(out)) == 2
    item = sorted((out / "items").glob("*.json"))[0]
    tile = open_tile(item)
    assert set(tile.data_vars) == set(BANDS)
    np.testing.assert_array_equal(tile.ndvi, open_tile(out / f"{item.stem}_ndvi.tif").ndvi)


def test_what_was_said_of_a_collection_is_kept(scenes, tmp_path):
    folder = tmp_path / "out"
    CatalogPipeline(scenes[:1], PIPELINE, folder, progress="none", quicklook=False).run()
    made = write_collection(folder, title="NDVI", description="Of June.", license="CC-BY-4.0")
    assert (made.items, made.left_out) == (1, ())
    CatalogPipeline(scenes, PIPELINE, folder, progress="none", quicklook=False).run()
    held = json.loads(made.path.read_text())
    assert (held["title"], held["description"], held["license"]) == ("NDVI", "Of June.", "CC-BY-4.0")
    assert sum(link["rel"] == "item" for link in held["links"]) == 2
    assert not any("thumbnail" in item["assets"] for item in items_of(folder))


def test_items_without_a_time_are_left_out_and_said(tmp_path, caplog):
    tile = tile_from_arrays({"a": np.zeros((8, 8), "f4")}, _box(), attrs={"tile_id": "when"})
    write_tile(tile, tmp_path / "when.tif")
    report = CatalogPipeline(
        [tmp_path / "when.tif"], BandMath("a + 1", "b"), tmp_path / "out", progress="none"
    ).run()
    assert report.counts == {"done": 1}
    (item,) = items_of(tmp_path / "out")
    assert item["properties"]["geotoolz:datetime_unknown"] is True
    made = write_collection(tmp_path / "out")
    assert (made.items, made.left_out) == (0, ("when",))
    assert "no time" in caplog.text


def test_a_folder_without_items_is_told(tmp_path):
    with pytest.raises(BatchError, match="no STAC item"):
        write_collection(tmp_path)
    BatchReport(tmp_path, "inline", (), 0.0).save()  # no reason to fail a run
    assert not (tmp_path / "collection.json").exists()


def test_a_mosaic_of_a_catalog_has_the_newest_on_top(out):
    catalog = GeoCatalog.from_stac(out / "collection.json")
    made = build_mosaic(catalog, out.parent / "all.vrt", bands="ndvi")
    items = sorted(items_of(out), key=lambda item: item["properties"]["datetime"])
    wanted, _ = merge([out / f"{item['id']}_ndvi.tif" for item in items], method="last")
    with rasterio.open(made.path) as raster:
        np.testing.assert_array_equal(raster.read(), wanted)
    assert made.files == 2


def test_the_command_line_makes_both(out, capfd):
    from geotoolz._cli import main

    def call(*args):
        return main([str(arg) for arg in args]), capfd.readouterr().out

    code, told = call("catalog", "stac", out, "--title", "June", "--json")
    assert code == 0 and json.loads(told)["items"] == 2
    assert json.loads((out / "collection.json").read_text())["title"] == "June"
    target = out.parent / "cli.vrt"
    code, told = call("catalog", "mosaic", out / "collection.json", target, "--bands", "scl")
    assert code == 0 and "scl, 64 × 96 pixels, 2 files" in told
    with rasterio.open(target) as raster:
        assert raster.colormap(1)[6][:3] == (0, 0, 255)


def _box():
    from affine import Affine
    from odc.geo.geobox import GeoBox

    return GeoBox((8, 8), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
