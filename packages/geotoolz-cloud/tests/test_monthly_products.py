"""Composites as products: folders that open as what they are, windows as tasks, grids by default."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from odc.geo.geobox import GeoBox

from geotoolz.catalog import GeoCatalog, build_mosaic, stack_grid
from geotoolz.cloud import MaskClouds
from geotoolz.core import CatalogError, MissingVariableError, ParameterError, ReadError, geobox_of
from geotoolz.core.testing import write_scene
from geotoolz.io import open_tile
from geotoolz.temporal import EmptyPeriodWarning, monthly_composite

pystac = pytest.importorskip("pystac")
SIZE = 80
DAYS = ("2023-07-04", "2023-07-14", "2023-08-03", "2023-08-13")
ORIGIN = (600_000, 5_000_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for day in DAYS:
        write_scene(
            {"shape": (SIZE, SIZE), "bands": ("red", "nir", "scl"), "origin": ORIGIN, "seed": 5,
             "datetime": f"{day}T09:50:31Z", "cloud_cover": 0.3},
            folder,
        )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> GeoCatalog:
    return GeoCatalog.from_folder(folder)


@pytest.fixture(scope="module")
def box(catalog: GeoCatalog) -> GeoBox:
    grid = stack_grid(catalog, catalog.bounds, 10.0)
    return grid[5:75, 5:75]


def area(catalog: GeoCatalog) -> tuple[float, float, float, float]:
    west, south, east, north = catalog.bounds
    third = (east - west) / 3, (north - south) / 3
    return (west + third[0], south + third[1], east - third[0], north - third[1])


# ---- a folder of composites --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def out(catalog: GeoCatalog, box: GeoBox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "months"
    paths = monthly_composite(catalog, box, bands=["red", "nir"], min_obs=2, out=folder)
    assert [Path(path).name.partition("_")[0] for path in paths] == ["2023-07"] * 4 + ["2023-08"] * 4
    return folder


def test_the_folder_is_a_catalog_of_months(out: Path, catalog: GeoCatalog, box: GeoBox) -> None:
    found = GeoCatalog.from_folder(out)
    assert found.frame["id"].tolist() == ["2023-07_median", "2023-08_median"]
    assert found.summary()["undated"] == 0 and len(found.query(time="2023-08")) == 1
    images = monthly_composite(catalog, box, bands=["red", "nir"], min_obs=2)
    assert isinstance(images, xr.Dataset)
    for number, row in enumerate(found.iter_rows()):
        tile = open_tile(found.source_of(row))
        assert set(tile) == {"red", "nir", "observations", "clear_share"} and geobox_of(tile) == box
        assert tile.attrs["period"] == row.id[:7]
        for name in tile:
            np.testing.assert_array_equal(tile[name], images[name][number])
    stack = found.stack(box, ["red", "observations"], lazy=False)
    np.testing.assert_array_equal(stack.red, images.red)


def test_a_mosaic_beside_the_months_is_none(out: Path) -> None:
    build_mosaic(GeoCatalog.from_folder(out), out / "red.vrt", bands="red")
    assert len(GeoCatalog.from_folder(out)) == 2


def test_items_and_collection_are_valid_and_say_how(out: Path) -> None:
    from pystac.validation import validate_dict

    pytest.importorskip("jsonschema")
    collection = json.loads((out / "collection.json").read_text(encoding="utf-8"))
    assert validate_dict(collection, extensions=[]) and collection["id"] == "months"
    items = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "items").glob("*.json"))]
    for item in items:
        assert validate_dict(item, extensions=[])
        properties = item["properties"]
        assert properties["start_datetime"] <= properties["datetime"] <= properties["end_datetime"]
        assert (properties["geotoolz:min_obs"], properties["geotoolz:dates"]) == (2, 2)
        assert properties["processing:lineage"] == "geotoolz: MaskClouds → Composite"
        assert properties["proj:code"] == "EPSG:32633"
        for asset in item["assets"].values():
            assert (out / "items" / asset["href"]).stat().st_size == asset["file:size"]
    assert {"red", "nir", "observations", "clear_share", "red-style"} <= items[0]["assets"].keys()
    assert len({item["properties"]["geotoolz:task_key"] for item in items}) == 2


def test_odc_stac_loads_the_months(out: Path, catalog: GeoCatalog, box: GeoBox) -> None:
    odc = pytest.importorskip("odc.stac")
    items = list(pystac.Collection.from_file(str(out / "collection.json")).get_items())
    cube = odc.load(items, bands=["red", "observations"], geobox=box)
    for number, row in enumerate(GeoCatalog.from_folder(out).iter_rows()):
        tile = open_tile(GeoCatalog.from_folder(out).source_of(row))
        np.testing.assert_array_equal(cube.red[number], tile.red)
        np.testing.assert_array_equal(cube.observations[number], tile.observations)


def test_a_path_and_a_store_have_no_items(catalog: GeoCatalog, box: GeoBox, tmp_path: Path) -> None:
    """Files go where they were asked for, and nothing else does."""
    month = catalog.query(time="2023-07")
    monthly_composite(month, box, bands=["red"], out=tmp_path / "a" / "{band}.tif")
    monthly_composite(month, box, bands=["red"], out=tmp_path / "b" / "july.zarr")
    assert not list(tmp_path.rglob("*.json")) or all("july.zarr" in str(p) for p in tmp_path.rglob("*.json"))
    assert {path.suffix for path in (tmp_path / "a").iterdir()} <= {".tif", ".qml", ".xml"}
    (row,) = GeoCatalog.from_folder(tmp_path / "b").iter_rows()
    assert row.datetime is not None


def test_a_mask_without_a_configuration_is_told_by_no_hash(
    catalog: GeoCatalog, box: GeoBox, tmp_path: Path
) -> None:
    class Mine(MaskClouds):
        """A mask that nobody can import."""

    month = catalog.query(time="2023-07")
    monthly_composite(month, box, mask=Mine(), bands=["red"], out=tmp_path / "m")
    (item,) = (json.loads(path.read_text("utf-8")) for path in (tmp_path / "m" / "items").glob("*.json"))
    assert item["properties"]["geotoolz:config_hash"] == ""
    assert "processing:expression" not in item["properties"]


# ---- windows as tasks --------------------------------------------------------------------------------------


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    from geotoolz.temporal import _monthly_run

    monkeypatch.setattr(_monthly_run, "_LARGEST", 32)
    monkeypatch.setattr(_monthly_run, "_SMALLEST", 16)


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("engine", ["inline", "process"])
def test_engines_make_the_bits_of_threads(
    catalog: GeoCatalog, box: GeoBox, tmp_path: Path, engine: str
) -> None:
    if engine == "inline":  # processes take seconds to start: once is enough
        expected = monthly_composite(catalog, box, bands=["red", "nir"], threads=1)
        found = monthly_composite(catalog, box, bands=["red", "nir"], engine=engine)
        xr.testing.assert_identical(found, expected)
    ours = monthly_composite(catalog, box, bands=["red"], out=tmp_path / "threads")
    theirs = monthly_composite(catalog, box, bands=["red"], out=tmp_path / engine, engine=engine, n_workers=2)
    assert [Path(path).name for path in theirs] == [Path(path).name for path in ours]
    for one, other in zip(ours, theirs, strict=True):
        assert Path(one).read_bytes() == Path(other).read_bytes()


# pytest.warns hands it on as its own, past the exception for odc
@pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning")
@pytest.mark.usefixtures("small_windows")
def test_months_without_a_date_need_no_worker(catalog: GeoCatalog, box: GeoBox) -> None:
    rows = catalog.frame.copy()
    late = rows["datetime"].dt.month == 8
    rows.loc[late, ["datetime", "start_datetime", "end_datetime"]] += np.timedelta64(31, "D")
    gap = GeoCatalog(rows, catalog.base)
    with pytest.warns(EmptyPeriodWarning, match="2023-08"):
        expected = monthly_composite(gap, box, bands=["red"])
    with pytest.warns(EmptyPeriodWarning, match="2023-08"):
        found = monthly_composite(gap, box, bands=["red"], engine="inline")
    xr.testing.assert_identical(found, expected)


def test_an_engine_that_fails_leaves_nothing(folder: Path, box: GeoBox, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    catalog = GeoCatalog.from_folder(broken)
    path = sorted(broken.glob("*/B04.tif"))[0]
    path.write_bytes(path.read_bytes()[:-2500])
    with pytest.raises(ReadError, match=r"window 2023-07 .*B04\.tif"):
        monthly_composite(catalog, box, bands=["red"], out=tmp_path / "out", engine="inline")
    assert not [p for p in tmp_path.glob("out/**/*") if p.is_file() and p.name.startswith("2023-07")]


def test_what_cannot_travel_is_told(catalog: GeoCatalog, box: GeoBox) -> None:
    class Mine(MaskClouds):
        """A mask that nobody can import."""

    with pytest.raises(ParameterError, match="cannot travel to the workers of engine='process'"):
        monthly_composite(catalog, box, mask=Mine(), bands=["red"], engine="process", n_workers=1)


def test_a_task_keeps_nothing_compiled_when_it_travels(catalog: GeoCatalog, box: GeoBox) -> None:
    from geotoolz.catalog import open_stack
    from geotoolz.core import Extent
    from geotoolz.temporal import Composite
    from geotoolz.temporal._monthly_engine import ComposeWindow
    from geotoolz.temporal._monthly_plan import composite_of, periods_of, recipe_of

    recipe = recipe_of(catalog, box, ["red"], MaskClouds(), composite_of(Composite("median")), 1)
    reader = open_stack(catalog, box, recipe.reads)
    work = ComposeWindow(recipe, reader, periods_of(reader.times, "month"))
    number, extent, found = work((1, Extent(0, 8, 0, 8)))
    again = pickle.loads(pickle.dumps(work))
    assert not again._works and (number, extent) == (1, Extent(0, 8, 0, 8))
    for name, pixels in again((1, extent))[2].items():
        np.testing.assert_array_equal(pixels, found[name])


# ---- what needs not be said --------------------------------------------------------------------------------


def test_without_a_resolution_the_finest_band_counts(tmp_path: Path) -> None:
    for day in DAYS[:2]:
        write_scene(
            {"shape": (60, 60), "bands": ("red", "swir16", "scl"), "native": True, "origin": ORIGIN,
             "datetime": f"{day}T09:50:31Z", "cloud_cover": 0.1},
            tmp_path,
        )  # fmt: skip
    catalog = GeoCatalog.from_folder(tmp_path)
    for bands, pixel in ((["red", "swir16"], 10.0), (["swir16"], 20.0)):
        images = monthly_composite(catalog, area(catalog), bands=bands)
        assert isinstance(images, xr.Dataset)
        wanted = stack_grid(catalog, area(catalog), pixel)
        assert geobox_of(images) == wanted == stack_grid(catalog, area(catalog), bands=bands)
    assert stack_grid(catalog, area(catalog)) == stack_grid(catalog, area(catalog), 10.0)


def test_only_the_files_of_the_named_bands_need_be_there(folder: Path, box: GeoBox, tmp_path: Path) -> None:
    import shutil

    some = tmp_path / "some"
    shutil.copytree(folder, some)
    whole = GeoCatalog.from_folder(folder)
    for path in some.glob("*/B08.tif"):
        path.unlink()
    with_mask = monthly_composite(GeoCatalog.from_folder(some), box, bands=["red"])
    xr.testing.assert_identical(with_mask, monthly_composite(whole, box, bands=["red"]))
    for path in some.glob("*/SCL.tif"):
        path.unlink()
    without = monthly_composite(GeoCatalog.from_folder(some), box, bands=["red"], mask=None)
    xr.testing.assert_identical(without, monthly_composite(whole, box, bands=["red"], mask=None))
    stack = GeoCatalog.from_folder(some).stack(box, ["red"], lazy=False)
    np.testing.assert_array_equal(stack.red, whole.stack(box, ["red"], lazy=False).red)
    with pytest.raises(MissingVariableError, match="no quality layer"):
        monthly_composite(GeoCatalog.from_folder(some), box, bands=["red"])


def test_an_area_elsewhere_is_guessed(catalog: GeoCatalog) -> None:
    west, south, east, north = area(catalog)
    with pytest.raises(CatalogError, match="longitude comes first"):
        monthly_composite(catalog, (south, west, north, east), 10.0)
    with pytest.raises(CatalogError, match="sign of the latitude"):
        stack_grid(catalog, (west, -north, east, -south), 10.0)


# ---- the command line --------------------------------------------------------------------------------------


def test_the_command_takes_an_engine_and_no_resolution(
    catalog: GeoCatalog, folder: Path, tmp_path: Path, capfd: Any
) -> None:
    from geotoolz._cli import main

    box = ",".join(f"{value:.6f}" for value in area(catalog))
    args = ["temporal", "monthly-composite", str(folder), str(tmp_path / "o"), "--aoi", box, "--bands", "red"]
    assert main([*args, "--engine", "inline"]) == 0
    paths = capfd.readouterr().out.split()
    assert len(paths) == 6 and (tmp_path / "o" / "collection.json").is_file()
    assert abs(geobox_of(open_tile(paths[0])).affine.a) == 10.0
    assert main([*args, "--workers", "2"]) == 2
    assert "--workers 2 without an engine" in capfd.readouterr().err


# ---- scenes that are twice there, or show nothing ----------------------------------------------------------


def test_two_products_of_one_day_count_once(tmp_path: Path) -> None:
    scene = {"shape": (40, 40), "bands": ("red", "scl"), "origin": ORIGIN, "cloud_cover": 0, "seed": 5}
    for name in ("a", "b"):
        write_scene({**scene, "datetime": "2023-07-04T09:50:31Z", "tile_id": name}, tmp_path)
    catalog = GeoCatalog.from_folder(tmp_path)
    images = monthly_composite(catalog, catalog.bounds, bands=["red"], mask=None)
    assert isinstance(images, xr.Dataset)
    assert int(images.observations.max()) == 1
    apart = monthly_composite(catalog, catalog.bounds, bands=["red"], mask=None, groupby=None)
    assert isinstance(apart, xr.Dataset)
    assert int(apart.observations.max()) == 2


def test_a_pixel_that_was_never_clear(catalog: GeoCatalog, box: GeoBox) -> None:
    """No data, no observation, and a share of 0 where something was seen but clouds."""
    images = monthly_composite(catalog.query(time="2023-07"), box, bands=["red"])
    assert isinstance(images, xr.Dataset)
    stack = catalog.query(time="2023-07").stack(box, ["red", "scl"], lazy=False)
    cloudy = stack.scl.isin([3, 8, 9, 10]).all("time").values & stack.red.notnull().all("time").values
    assert 0 < cloudy.sum() < cloudy.size
    assert np.isnan(images.red[0].values[cloudy]).all()
    assert (images.observations[0].values[cloudy] == 0).all()
    assert (images.clear_share[0].values[cloudy] == 0).all()
