"""Stacks: scenes of several tiles, zones and dates on one grid."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from geotoolz.catalog import GeoCatalog, StackReader, open_stack, solar_day, stack_grid
from geotoolz.catalog._stack_grid import _beginning, _edges, touching
from geotoolz.core import (
    CatalogError,
    Extent,
    MissingCRSError,
    MissingVariableError,
    OutsideError,
    ParameterError,
    QuantityError,
    TileError,
    geobox_of,
)
from geotoolz.core.testing import data_path, write_landsat, write_scene
from geotoolz.io import open_tile

SIZE = 96
BANDS = ["red", "nir", "scl"]


def corner(zone: int, east: float, size: int = SIZE) -> tuple[float, float]:
    """The upper left corner of a scene whose middle is so many metres east of the border of two zones."""
    x, y = Transformer.from_crs(4326, 32600 + zone, always_xy=True).transform(18.0, 46.0)
    return (round((x + east) / 20) * 20 - size * 5, round(y / 20) * 20 + size * 5)


def grid(size: int = SIZE, zone: int = 33) -> GeoBox:
    left, top = corner(zone, 0.0, size)
    return GeoBox((size, size), Affine(10, 0, left, 0, -10, top), f"EPSG:{32600 + zone}")


@pytest.fixture(scope="module")
def two_zones(tmp_path_factory: pytest.TempPathFactory) -> GeoCatalog:
    """Two days with a scene in zone 33 and one in zone 34 each, which overlap in the middle."""
    folder = tmp_path_factory.mktemp("zones")
    for day, baseline, platform in ((3, "05.09", "sentinel-2a"), (8, "02.14", "sentinel-2b")):
        for zone, east in ((33, -240.0), (34, 240.0)):
            scene: dict[str, Any] = {
                "shape": (SIZE, SIZE), "bands": tuple(BANDS), "crs": f"EPSG:{32600 + zone}",
                "cloud_cover": 0.2,
                "origin": corner(zone, east), "datetime": f"2023-08-{day:02d}T09:50:{zone}Z",
                "world": "EPSG:32633", "baseline": baseline, "platform": platform,
                "tile_id": f"S2_{zone}_{day:02d}", "seed": 3,
            }  # fmt: skip
            write_scene(scene, folder)
    return GeoCatalog.from_folder(folder)


def rasters(write_raster: Any, folder: Path, *scenes: dict[str, Any]) -> GeoCatalog:
    """Rasters of one value each, as a catalog."""
    import rasterio

    rows = []
    for number, scene in enumerate(scenes):
        values = scene.pop("values", 3000)
        when = scene.pop("when", "2023-08-03T10:00:00Z")
        path = write_raster(folder / f"{number}.tif", **{"nodata": 0, **scene})
        with rasterio.open(path, "r+") as dst:
            dst.write(np.broadcast_to(np.asarray(values, "uint16"), dst.shape), 1)
            bounds, crs, (height, width) = dst.bounds, dst.crs.to_string(), dst.shape
        rows.append(
            {"id": f"r{number}", "source": str(path), "datetime": when, "crs": crs, "left": bounds.left,
             "bottom": bounds.bottom, "right": bounds.right, "top": bounds.top, "res_x": 10.0, "res_y": 10.0,
             "height": height, "width": width}
        )  # fmt: skip
    return GeoCatalog.from_rows(rows)


# ---- dates -------------------------------------------------------------------------------------------------


@given(
    st.floats(-180, 180),
    st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)),
)
def test_solar_day_is_that_of_odc_stac(longitude: float, when: datetime) -> None:
    model = pytest.importorskip("odc.stac.model")
    assert solar_day(when, longitude) == model._convert_to_solar_time(when, longitude).date()


def test_solar_day_by_hand() -> None:
    evening = datetime(2023, 8, 20, 22, 10, tzinfo=UTC)
    assert solar_day(evening, 175.0).isoformat() == "2023-08-21"  # New Zealand: 11 hours on
    assert solar_day(evening, 16.0).isoformat() == "2023-08-20"
    assert solar_day(datetime(2023, 8, 20, 3, 0, tzinfo=UTC), -122.0).isoformat() == "2023-08-19"


def test_dates_by_day_time_and_scene(two_zones: GeoCatalog) -> None:
    by_day = open_stack(two_zones, grid(), ["red"])
    assert [[s.name for s in date] for date in by_day.dates] == [
        ["S2_33_03", "S2_34_03"],
        ["S2_33_08", "S2_34_08"],
    ]
    assert (
        by_day.times.tolist() == np.array(["2023-08-03T09:50:33", "2023-08-08T09:50:33"], "M8[ns]").tolist()
    )
    assert len(open_stack(two_zones, grid(), ["red"], groupby="time").dates) == 4
    assert len(open_stack(two_zones, grid(), ["red"], groupby=None).dates) == 4
    with pytest.raises(ParameterError, match="did you mean 'solar_day'"):
        open_stack(two_zones, grid(), ["red"], groupby="solarday")  # type: ignore[arg-type]


def test_equal_times_are_one_date(tmp_path: Path, write_raster: Any) -> None:
    catalog = rasters(write_raster, tmp_path, {}, {"left": 500480})
    box = GeoBox((64, 96), Affine(10, 0, 500000, 0, -10, 5100000), "EPSG:32633")
    assert catalog.stack(box, groupby="time").sizes["time"] == 1
    assert catalog.stack(box, groupby=None).tile_ids.values.tolist() == ["r0", "r1"]


def test_a_scene_without_a_time_is_refused(tmp_path: Path, write_raster: Any) -> None:
    catalog = rasters(write_raster, tmp_path, {"when": None})
    box = GeoBox((8, 8), Affine(10, 0, 500000, 0, -10, 5100000), "EPSG:32633")
    with pytest.raises(CatalogError, match="'r0' has no time"):
        catalog.stack(box)


# ---- pixels ------------------------------------------------------------------------------------------------


def test_copied_pixels_are_those_of_open_tile(two_zones: GeoCatalog) -> None:
    one = two_zones.filter(id="S2_33_03")
    stack = one.stack(grid(), BANDS, lazy=False)
    tile = open_tile(one.source_of(next(one.iter_rows())), BANDS, geobox=grid())
    for name in BANDS:
        np.testing.assert_array_equal(stack[name][0], tile[name])
        assert stack[name].dtype == tile[name].dtype
    assert geobox_of(stack) == grid()


def test_other_zone_is_as_open_tile_within_the_lattice(two_zones: GeoCatalog) -> None:
    """Positions are off by 1/256 pixel at most: bilinear values by that part of the local contrast."""
    one = two_zones.filter(id="S2_34_03")
    stack = one.stack(grid(), BANDS, lazy=False).isel(time=0)
    tile = open_tile(one.source_of(next(one.iter_rows())), BANDS, geobox=grid())
    for name in ("red", "nir"):
        np.testing.assert_array_equal(np.isnan(stack[name]), np.isnan(tile[name]))
        contrast = float(tile[name].max() - tile[name].min())
        assert float(np.abs(stack[name] - tile[name]).max()) <= 2 * contrast / 256
    assert float((stack.scl != tile.scl).mean()) < 0.01


def test_coarser_grid_averages_like_open_tile(two_zones: GeoCatalog) -> None:
    box = grid().zoom_out(4)
    for name in ("S2_33_03", "S2_34_03"):
        one = two_zones.filter(id=name)
        stack = one.stack(box, ["nir"], lazy=False).isel(time=0)
        tile = open_tile(one.source_of(next(one.iter_rows())), ["nir"], geobox=box)
        np.testing.assert_array_equal(np.isnan(stack.nir), np.isnan(tile.nir))
        np.testing.assert_allclose(stack.nir, tile.nir, atol=2e-3)


def test_windows_chunks_and_threads_change_no_bit(two_zones: GeoCatalog) -> None:
    reader = open_stack(two_zones, grid(), BANDS)
    whole = reader.read()
    xr.testing.assert_identical(reader.load(threads=2), whole)
    xr.testing.assert_identical(two_zones.stack(grid(), BANDS, chunks=(37, 50)).compute(), whole)
    for size in ((17, 96), (96, 5), (40, 31)):
        found = {name: np.full(whole[name].shape, 77, whole[name].dtype) for name in BANDS}
        for piece in reader.windows(size):
            box = geobox_of(piece)
            col = round((box.affine.c - grid().affine.c) / 10)
            row = round((grid().affine.f - box.affine.f) / 10)
            extent = Extent(row, row + piece.sizes["y"], col, col + piece.sizes["x"])
            for name in BANDS:
                extent.of(found[name])[...] = piece[name].values
        for name in BANDS:
            np.testing.assert_array_equal(found[name], whole[name])


def test_no_seam_where_tiles_and_zones_meet(tmp_path: Path, write_raster: Any) -> None:
    """One value in all scenes is one value everywhere: no gap, no dark line of averages with no-data."""
    left, top = corner(34, 100.0)
    catalog = rasters(
        write_raster, tmp_path,
        {"left": grid().affine.c, "top": grid().affine.f, "shape": (SIZE, 40)},
        {"left": grid().affine.c + 400 + 3.7, "top": grid().affine.f + 4.2, "shape": (SIZE + 2, 30)},
        {"left": left, "top": top + 100, "shape": (SIZE + 20, SIZE), "crs": "EPSG:32634"},
    )  # fmt: skip
    stack = catalog.stack(grid(), lazy=False)
    assert stack.sizes["time"] == 1
    values = stack.band_1.values[0]
    assert set(np.unique(values)) <= {0, 3000}
    inner = values[4:-4, :90]
    assert (inner == 3000).all()
    coarse = catalog.stack(grid().zoom_out(3), lazy=False).band_1.values[0]
    assert set(np.unique(coarse)) <= {0, 3000}


def test_first_valid_pixel_wins(tmp_path: Path, write_raster: Any) -> None:
    holes = np.full((64, 48), 1000)
    holes[:, :10] = 0
    later = {"values": 2000, "when": "2023-08-03T10:00:05Z", "left": 499900}
    catalog = rasters(write_raster, tmp_path, later, {"values": holes})
    box = GeoBox((64, 60), Affine(10, 0, 499940, 0, -10, 5100000), "EPSG:32633")
    values = catalog.stack(box, lazy=False).band_1.values[0]
    expected = np.full((64, 60), 1000)
    expected[:, :16] = 2000  # the earlier scene begins at column 6 with ten columns of no-data
    expected[:, 54:] = 0
    np.testing.assert_array_equal(values, expected)


def test_only_what_is_missing_is_read(
    tmp_path: Path, write_raster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second scene of a date is asked for the rows that the first lacks, the third for nothing."""
    from geotoolz.catalog import _stack_pixels

    holes = np.full((64, 48), 1000)
    holes[20:23, 5:9] = 0
    catalog = rasters(
        write_raster, tmp_path, {"values": holes},
        {"when": "2023-08-03T10:00:05Z"}, {"when": "2023-08-03T10:00:09Z"},
    )  # fmt: skip
    asked: list[Extent] = []
    read = _stack_pixels._read
    monkeypatch.setattr(
        _stack_pixels, "_read", lambda r, name, part: asked.append(part) or read(r, name, part)
    )
    box = GeoBox((64, 48), Affine(10, 0, 500000, 0, -10, 5100000), "EPSG:32633")
    values = open_stack(catalog, box).read().band_1.values[0]
    assert asked == [Extent(0, 64, 0, 48), Extent(20, 23, 5, 9)]
    np.testing.assert_array_equal(values, np.where(holes == 0, 3000, 1000))


def test_without_a_no_data_value_a_scene_must_cover_the_grid(tmp_path: Path, write_raster: Any) -> None:
    catalog = rasters(write_raster, tmp_path, {"nodata": None})
    inside = GeoBox((20, 20), Affine(10, 0, 500100, 0, -10, 5099900), "EPSG:32633")
    assert (catalog.stack(inside, lazy=False).band_1 == 3000).all()
    across = GeoBox((20, 20), Affine(10, 0, 499900, 0, -10, 5099900), "EPSG:32633")
    x, y = Transformer.from_crs(32633, 32634, always_xy=True).transform(500240, 5099680)
    other_zone = GeoBox((400, 400), Affine(10, 0, x - 2000, 0, -10, y + 2000), "EPSG:32634")
    for box in (across, other_zone):
        with pytest.raises(OutsideError, match="no no-data value"):
            catalog.stack(box, lazy=False)


def test_baselines_may_be_mixed(two_zones: GeoCatalog) -> None:
    """The ground is the same on both days, the digital numbers differ by 1000."""
    stack = two_zones.stack(grid(), ["nir", "scl"], lazy=False)
    assert stack.processing_baseline.values.tolist() == ["05.09", "02.14"]
    clear = stack.scl.isin([4, 5, 6]).all("time")
    first, second = (float(stack.nir.isel(time=n).where(clear).median()) for n in (0, 1))
    assert abs(first - second) < 0.02
    assert "offset_source" not in stack.nir.attrs
    with pytest.raises(QuantityError, match=r"add_offset .* in 'S2_33_03' .* in 'S2_33_08'"):
        two_zones.stack(grid(), ["nir"], raw=True)
    raw = two_zones.query(time="2023-08-03").stack(grid(), ["nir"], raw=True, lazy=False)
    assert raw.nir.dtype == np.uint16
    assert raw.nir.attrs["add_offset"] == -0.1


def test_antimeridian(tmp_path: Path, write_raster: Any) -> None:
    """Zone 60 west of 180° and zone 1 east of it: one grid, no gap."""

    def place(epsg: int, longitude: float) -> tuple[float, float]:
        x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, -17.0)
        return round(x / 10) * 10.0, round(y / 10) * 10.0

    west, east = place(32760, 180.0), place(32701, 180.0)
    catalog = rasters(
        write_raster, tmp_path,
        {"left": west[0] - 400, "top": west[1] + 400, "shape": (80, 60), "crs": "EPSG:32760"},
        {"left": east[0] - 100, "top": east[1] + 400, "shape": (80, 60), "crs": "EPSG:32701"},
    )  # fmt: skip
    box = GeoBox((40, 60), Affine(10, 0, east[0] - 300, 0, -10, east[1] + 200), "EPSG:32701")
    assert (catalog.stack(box, lazy=False).band_1.values == 3000).all()
    made = stack_grid(catalog, (179.999, -17.001, -179.999, -17.0), 10.0, "EPSG:32701")
    assert made.shape[1] < 40
    over = GeoBox((4, 40), Affine(1e-4, 0, 179.998, 0, -1e-4, -17.0), "EPSG:4326")
    with pytest.raises(TileError, match=r"projected CRS \(the UTM zone\)"):
        catalog.stack(over)


# ---- what it says ------------------------------------------------------------------------------------------


def test_facts_of_dates_are_coordinates(two_zones: GeoCatalog) -> None:
    stack = two_zones.stack(grid(), ["red"])
    assert stack.tile_ids.values.tolist() == ["S2_33_03 S2_34_03", "S2_33_08 S2_34_08"]
    assert stack.platform.values.tolist() == ["sentinel-2a", "sentinel-2b"]
    angles = [t.sun_elevation for t in two_zones.query(time="2023-08-03").iter_rows()]
    assert stack.sun_elevation.values[0] == pytest.approx(sum(angles) / 2)
    assert stack.attrs["platform"] == "sentinel-2a"  # of one family: names of bands are known
    assert "processing_baseline" not in stack.attrs
    assert stack.attrs["end_datetime"] == "2023-08-08T09:50:33Z"


def test_mean_of_azimuths_around_north() -> None:
    from geotoolz.catalog._stack_facts import _mean_angle

    assert _mean_angle([359.0, 1.0]) % 360 == pytest.approx(0.0, abs=1e-9)
    assert _mean_angle([150.0, 152.0]) == pytest.approx(151.0)


def test_lazy_reads_nothing(two_zones: GeoCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []
    fill = StackReader.fill

    def noted(self: StackReader, name: str, number: int, extent: Extent, out: Any) -> None:
        asked.append((name, number))
        fill(self, name, number, extent, out)

    monkeypatch.setattr(StackReader, "fill", noted)
    stack = two_zones.stack(grid(), BANDS, chunks=64)
    assert not asked
    assert stack.red.chunks == ((1, 1), (64, 32), (64, 32))
    stack.red.isel(time=1, x=slice(0, 10), y=slice(0, 10)).compute()
    assert asked == [("red", 1)]


def test_lazy_stacks_of_other_offsets_are_not_one(two_zones: GeoCatalog) -> None:
    plain, moved = (two_zones.stack(grid(), ["red"], offset=offset) for offset in (0, -500))
    assert float((plain - moved).red.compute().median()) == pytest.approx(0.05, abs=1e-6)


def test_a_reader_travels(two_zones: GeoCatalog) -> None:
    reader = open_stack(two_zones, grid(), ["red"]).at([1])
    assert [s.name for s in reader.dates[0]] == ["S2_33_08", "S2_34_08"]
    again = pickle.loads(pickle.dumps(reader))
    xr.testing.assert_identical(again.read(), reader.read())
    assert len(reader.inputs) == 2
    with pytest.raises(MissingVariableError, match="did you mean 'red'"):
        reader.read(["reed"])


# ---- bad input ---------------------------------------------------------------------------------------------


def test_grids_that_cannot_be(two_zones: GeoCatalog) -> None:
    box = grid()
    with pytest.raises(MissingCRSError, match="no CRS"):
        two_zones.stack(GeoBox(box.shape, box.affine, None))
    with pytest.raises(TileError, match="rotated"):
        two_zones.stack(GeoBox(box.shape, Affine(10, 1, 0, 1, -10, 0), box.crs))
    with pytest.raises(OutsideError, match="lies outside all 4 scenes"):
        two_zones.stack(GeoBox(box.shape, Affine(10, 0, 400000, 0, -10, 5000000), box.crs))
    with pytest.raises(OutsideError, match="lies outside"):  # the other hemisphere
        two_zones.stack(GeoBox(box.shape, box.affine, "EPSG:32733"))
    with pytest.raises(CatalogError, match="the catalog is empty"):
        two_zones.filter(platform="sentinel-2c").stack(box)
    with pytest.raises(ParameterError, match="chunks"):
        two_zones.stack(box, lazy=False, chunks=64)
    with pytest.raises(ParameterError, match="chunks=0"):
        two_zones.stack(box, chunks=0)


def test_every_scene_must_have_the_bands(two_zones: GeoCatalog, tmp_path: Path) -> None:
    with pytest.raises(MissingVariableError, match=r"scene 'S2_33_03'.*no band 'swir16'"):
        two_zones.stack(grid(), ["swir16"])
    write_scene(
        {"shape": (SIZE, SIZE), "bands": ("red",), "crs": "EPSG:32633", "origin": corner(33, 0.0),
         "datetime": "2023-08-03T09:50:31Z", "tile_id": "few"},
        tmp_path,
    )  # fmt: skip
    few = GeoCatalog.from_items([*two_zones.to_items(), *GeoCatalog.from_folder(tmp_path).to_items()])
    with pytest.raises(MissingVariableError, match="the same variables in every scene"):
        few.stack(grid())


def test_grid_of_all_scenes(tmp_path: Path, two_zones: GeoCatalog) -> None:
    """Nothing is lost or added on the way through degrees."""
    scene = write_scene({"shape": (100, 80), "bands": ("red",)}, tmp_path / "in")
    catalog = GeoCatalog.from_folder(tmp_path / "in")
    own = geobox_of(open_tile(scene))
    assert stack_grid(catalog, resolution=10.0) == own == stack_grid(catalog)
    assert stack_grid(catalog, catalog.bounds, 10.0).shape != own.shape  # a frame of nothing around it
    elsewhere, there = (
        stack_grid(catalog, resolution=10.0, crs="EPSG:3857").boundingbox,
        own.footprint("EPSG:3857").boundingbox,
    )
    assert (
        elsewhere.left <= there.left < elsewhere.left + 10 and elsewhere.top - 10 < there.top <= elsewhere.top
    )
    for crs in ("EPSG:32633", "EPSG:32634"):  # the scenes of both zones lie in it
        grid = stack_grid(two_zones, resolution=10.0, crs=crs)
        boxes = [row for row in two_zones.iter_rows() if row.crs == crs]
        assert boxes
        for row in boxes:
            assert grid.boundingbox.left <= row.left and row.right <= grid.boundingbox.right
            assert grid.boundingbox.bottom <= row.bottom and row.top <= grid.boundingbox.top
        assert len(touching(two_zones, grid)) == len(two_zones)
    bare = catalog.assign(left=np.nan)  # an item that tells its footprint and no grid
    assert stack_grid(bare, resolution=10.0) == stack_grid(catalog, catalog.bounds, 10.0)
    with pytest.raises(CatalogError):
        stack_grid(catalog.filter("cloud_cover > 1000"), resolution=10.0)


def test_pixels_of_landsat_are_copied(tmp_path: Path) -> None:
    """Its corners lie half a pixel beside the multiples of 30 m."""
    write_landsat({"shape": (90, 120), "origin": (378_285.0, 275_715.0), "seed": 5}, tmp_path)
    catalog = GeoCatalog.build(tmp_path)
    scene = open_tile(catalog.source_of(next(catalog.iter_rows())), ["red"])
    own = geobox_of(scene)
    assert own.affine.a == 30.0 and own.affine.c % 30 == 15 == own.affine.f % 30
    assert stack_grid(catalog) == own == stack_grid(catalog, resolution=30.0)
    stack = catalog.stack(own, ["red"]).isel(time=0)
    np.testing.assert_array_equal(stack.red.values, scene.red.values)
    west, south, east, north = catalog.bounds
    area = ((2 * west + east) / 3, (2 * south + north) / 3, (west + 2 * east) / 3, (south + 2 * north) / 3)
    part = stack_grid(catalog, area)
    window = catalog.stack(part, ["red"]).isel(time=0).red
    np.testing.assert_array_equal(window.values, scene.red.sel(y=window.y, x=window.x).values)
    for size, beyond in ((60.0, 15.0), (15.0, 0.0), (10.0, 5.0), (100.0, 0.0), (45.0, 0.0)):
        left, _, _, top = stack_grid(catalog, area, size).boundingbox.bbox
        assert left % size == beyond == top % size, size


@given(
    st.integers(0, 10**6), st.integers(0, 10**7), st.sampled_from([0.5, 10, 30, 120, 444.78515625, 1 / 3600])
)
def test_the_grid_of_a_scene_is_its_own(column: int, row: int, size: float) -> None:
    """Wherever its corner lies, and whatever the size of its pixels."""
    left, top = column * size + 0.37 * size, row * size - 0.12 * size
    lowest, highest = _edges(left, left + 100 * size, size, _beginning(left, size))
    assert highest - lowest == 100
    assert lowest * size + _beginning(left, size) == pytest.approx(left, abs=1e-5 * size)
    lowest, highest = _edges(top - 50 * size, top, size, _beginning(top, size))
    assert highest - lowest == 50


def test_grid_of_an_area(two_zones: GeoCatalog) -> None:
    area = (17.996, 45.998, 18.004, 46.002)
    box = stack_grid(two_zones, area, 20.0)
    assert box.crs.epsg == 32633  # of two equal counts the first by name
    assert all(v % 20 == 0 for v in box.boundingbox.bbox)
    assert stack_grid(two_zones.filter("epsg = 32634"), area, 20.0).crs.epsg == 32634
    with pytest.raises(CatalogError, match="no scene of"):
        stack_grid(two_zones, (5.0, 46.0, 6.0, 47.0), 20.0)
    with pytest.raises(ParameterError, match="resolution=0"):
        stack_grid(two_zones, area, 0)


# ---- peers and real scenes ---------------------------------------------------------------------------------


def test_equal_to_odc_stac_where_nothing_is_interpolated(two_zones: GeoCatalog) -> None:
    odc_stac = pytest.importorskip("odc.stac")
    catalog = two_zones.filter("epsg = 32633")
    items = list(catalog.to_item_collection())
    box = grid()
    half = Affine(5, 0, box.affine.c, 0, -5, box.affine.f)
    for target in (box, GeoBox(box.shape, half, box.crs)):
        theirs = odc_stac.load(items, bands=BANDS, geobox=target, groupby="solar_day", resampling="nearest")
        ours = catalog.stack(target, BANDS, lazy=False)
        np.testing.assert_array_equal(ours.time.values, theirs.time.values)
        np.testing.assert_array_equal(ours.scl.fillna(0), theirs.scl)
        if target is box:
            for date, offset in ((0, -0.1), (1, 0.0)):  # theirs are digital numbers
                number = theirs.red.values[date].astype("f8")
                value = np.where(number == 0, np.nan, number * 1e-4 + offset).astype("f4")
                np.testing.assert_allclose(ours.red.values[date], value, rtol=0, atol=1e-7)


def test_near_odc_stac_across_zones(two_zones: GeoCatalog) -> None:
    """GDAL's positions are off by up to 1/8 pixel, ours by 1/256: interpolated values differ by that."""
    odc_stac = pytest.importorskip("odc.stac")
    catalog = two_zones.query(time="2023-08-08")
    items = list(catalog.to_item_collection())
    theirs = odc_stac.load(
        items, bands=BANDS, geobox=grid(), groupby="solar_day", resampling={"*": "bilinear", "scl": "nearest"}
    )
    ours = catalog.stack(grid(), BANDS, lazy=False)
    assert ours.sizes == theirs.sizes
    assert float((ours.scl.values != theirs.scl.values).mean()) < 0.03
    both = (theirs.nir.values > 0) & np.isfinite(ours.nir.values)
    assert both.mean() > 0.9
    difference = np.abs(ours.nir.values - theirs.nir.values * 1e-4)[both]
    assert np.median(difference) < 2e-3


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_croatia() -> None:
    catalog = GeoCatalog.build(data_path("s2_l2a_33TWL_croatia"))
    box = stack_grid(catalog, (15.2, 45.3, 15.9, 45.8), 120.0)
    stack = catalog.stack(box, BANDS, lazy=False)
    days = [str(day)[:10] for day in stack.time.values]
    assert days == ["2023-08-10", "2023-08-15", "2023-08-18", "2023-08-20"]
    rows = sorted(catalog.iter_rows(), key=lambda row: row.datetime)
    for number, row in enumerate(rows):
        tile = open_tile(catalog.source_of(row), BANDS, geobox=box)
        for name in BANDS:
            np.testing.assert_array_equal(stack[name][number], tile[name])
    assert np.diff(stack.time.values).min() > np.timedelta64(timedelta(days=1))
