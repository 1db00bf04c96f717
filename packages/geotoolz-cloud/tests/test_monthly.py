"""Monthly composites: against the operators run on whole stacks, and by hand."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from geotoolz.catalog import GeoCatalog, stack_grid
from geotoolz.cloud import ApplyMask, BufferMask, MaskClouds, MaskFromFlags
from geotoolz.core import (
    MissingVariableError,
    OutsideError,
    ParameterError,
    Sequential,
    TileError,
    geobox_of,
)
from geotoolz.core.testing import contract_tile, data_path, write_scene
from geotoolz.io import WriteCOG, open_tile, open_zarr
from geotoolz.temporal import (
    Composite,
    CountDates,
    EmptyPeriodWarning,
    RequireObservations,
    monthly_composite,
)

SIZE = 80
# pytest.warns hands it on as its own, past the exception for odc
SHAPELY = pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning")
DAYS = ("2023-07-04", "2023-07-14", "2023-07-24", "2023-08-03", "2023-08-13")


def corner(zone: int, east: float) -> tuple[float, float]:
    x, y = Transformer.from_crs(4326, 32600 + zone, always_xy=True).transform(18.0, 46.0)
    return (round((x + east) / 20) * 20 - SIZE * 5, round(y / 20) * 20 + SIZE * 5)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> GeoCatalog:
    """Five dates in two months, zone 33 and 34 in turn on the later ones."""
    folder = tmp_path_factory.mktemp("months")
    for number, day in enumerate(DAYS):
        for zone, east in ((33, -150.0), (34, 150.0)):
            write_scene(
                {"shape": (SIZE, SIZE), "bands": ("red", "nir", "scl"), "crs": f"EPSG:{32600 + zone}",
                 "origin": corner(zone, east), "datetime": f"{day}T09:50:{zone}Z", "cloud_cover": 0.3,
                 "world": "EPSG:32633", "tile_id": f"S2_{zone}_{number}", "seed": 5},
                folder,
            )  # fmt: skip
    return GeoCatalog.from_folder(folder)


@pytest.fixture(scope="module")
def box() -> GeoBox:
    left, top = corner(33, 0.0)
    return GeoBox((SIZE, SIZE), Affine(10, 0, left, 0, -10, top), "EPSG:32633")


def whole(catalog: GeoCatalog, box: GeoBox, month: str, method: str = "median") -> Any:
    """The same image, from the stack in memory."""
    stack = catalog.query(time=month).stack(box, ["red", "nir", "scl"], lazy=False)
    return stack, Composite(method, ("red", "nir"), count="observations")(MaskClouds()(stack))


@pytest.mark.parametrize("method", ["median", "mean", "geomedian", "medoid", "max_ndvi"])
def test_is_the_composite_of_the_masked_stack(catalog: GeoCatalog, box: GeoBox, method: str) -> None:
    images = monthly_composite(catalog, box, reducer=method, bands=["red", "nir"], threads=2)
    assert isinstance(images, xr.Dataset)
    assert [str(t)[:7] for t in images.time.values] == ["2023-07", "2023-08"]
    assert geobox_of(images) == box
    for number, month in enumerate(("2023-07", "2023-08")):
        stack, expected = whole(catalog, box, month, method)
        for name in ("red", "nir", "observations"):
            np.testing.assert_array_equal(images[name][number], expected[name])
            assert images[name].dtype == expected[name].dtype
        seen = (stack.red.notnull()).sum("time").values
        clear = MaskClouds()(stack).red.notnull().sum("time").values
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(images.clear_share[number], (clear / seen).astype("f4"))
    assert images.observations.dtype == np.uint16
    assert 0 < float(images.clear_share.mean()) < 1


def test_windows_and_threads_change_no_bit(
    catalog: GeoCatalog, box: GeoBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a mask that looks around a pixel."""
    from geotoolz.temporal import _monthly_run

    mask = Sequential(
        [MaskFromFlags(("cloud", "shadow"), name="bad"), BufferMask(30.0, mask="bad"), ApplyMask("bad")]
    )
    expected = monthly_composite(catalog, box, bands=["red", "nir"], mask=mask, threads=1)
    monkeypatch.setattr(_monthly_run, "_LARGEST", 32)
    monkeypatch.setattr(_monthly_run, "_SMALLEST", 16)
    monkeypatch.setattr(_monthly_run, "_BYTES", 6000)
    for threads in (1, 3):
        found = monthly_composite(catalog, box, bands=["red", "nir"], mask=mask, threads=threads)
        xr.testing.assert_identical(found, expected)


def test_too_few_observations_are_no_data(catalog: GeoCatalog, box: GeoBox) -> None:
    every = monthly_composite(catalog, box, bands=["red"])
    some = monthly_composite(catalog, box, bands=["red"], min_obs=3)
    assert isinstance(every, xr.Dataset) and isinstance(some, xr.Dataset)
    np.testing.assert_array_equal(some.red, every.red.where(every.observations >= 3))
    assert int((every.observations < 3).sum()) > 0
    np.testing.assert_array_equal(some.observations, every.observations)


def test_observations_by_hand(catalog: GeoCatalog, box: GeoBox) -> None:
    stack = catalog.query(time="2023-07").stack(box, ["red", "scl"], lazy=False)
    clear = ~stack.scl.isin([3, 8, 9, 10]) & stack.red.notnull()
    images = monthly_composite(catalog.query(time="2023-07"), box, bands="red")
    assert isinstance(images, xr.Dataset)
    np.testing.assert_array_equal(images.observations[0], clear.sum("time"))
    np.testing.assert_array_equal(images.red[0], stack.red.where(clear).median("time"))


def test_only_what_is_needed_is_opened(
    catalog: GeoCatalog, box: GeoBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geotoolz import catalog as module

    opened: list[Any] = []
    real = module.open_stack
    monkeypatch.setattr(
        module, "open_stack", lambda c, g, bands, **k: opened.append(bands) or real(c, g, bands, **k)
    )
    monthly_composite(catalog, box, bands=["red"])
    monthly_composite(catalog, box, bands=["red"], mask=None)
    monthly_composite(catalog, box, bands={"r": "B04"}, mask=None)
    assert opened == [("red", "scl"), ("red",), {"r": "B04"}]


# ---- months without anything -------------------------------------------------------------------------------


@SHAPELY
def test_a_month_without_a_clear_observation(catalog: GeoCatalog, box: GeoBox) -> None:
    mask = MaskClouds(flags=("vegetation", "bare", "water", "cloud", "shadow", "cirrus", "unclassified",
                             "dark", "saturated", "nodata", "snow"))  # fmt: skip
    with pytest.warns(EmptyPeriodWarning, match=r"2023-08: no clear observation on 2 date\(s\)"):
        images = monthly_composite(catalog.query(time="2023-08"), box, bands=["red"], mask=mask)
    assert isinstance(images, xr.Dataset)
    assert bool(images.red.isnull().all())
    assert int(images.observations.max()) == 0
    assert float(images.clear_share.max()) == 0.0


@SHAPELY
def test_a_month_between_without_a_scene(catalog: GeoCatalog, box: GeoBox, tmp_path: Path) -> None:
    later = {"2023-08-03": "2023-09-03", "2023-08-13": "2023-09-13"}
    rows = []
    for item in catalog.to_items():
        when = item["properties"]["datetime"]
        item["properties"]["datetime"] = later.get(when[:10], when[:10]) + when[10:]
        rows.append(item)
    moved = GeoCatalog.from_items(rows)
    with pytest.warns(EmptyPeriodWarning, match=r"2023-08: no clear observation on 0 date\(s\)"):
        images = monthly_composite(moved, box, bands=["red"])
    assert isinstance(images, xr.Dataset)
    assert images.sizes["time"] == 3
    assert bool(images.red[1].isnull().all()) and not bool(images.red[2].isnull().all())
    with pytest.warns(EmptyPeriodWarning):
        paths = monthly_composite(moved, box, bands=["red"], out=tmp_path)
    assert len(paths) == 9
    assert bool(open_tile(tmp_path / "2023-08_median_red.tif").red.isnull().all())


# ---- writing -----------------------------------------------------------------------------------------------


def test_written_files_hold_the_same(catalog: GeoCatalog, box: GeoBox, tmp_path: Path) -> None:
    images = monthly_composite(catalog, box, bands=["red", "nir"])
    assert isinstance(images, xr.Dataset)
    paths = monthly_composite(catalog, box, bands=["red", "nir"], out=tmp_path / "cog")
    names = ("red", "nir", "observations", "clear_share")
    assert [Path(p).name for p in paths] == [
        f"{m}_median_{n}.tif" for m in ("2023-07", "2023-08") for n in names
    ]
    zarrs = monthly_composite(catalog, box, bands=["red", "nir"], out=tmp_path / "{tile_id}.zarr")
    assert [Path(p).name for p in zarrs] == ["2023-07_median.zarr", "2023-08_median.zarr"]
    for number, month in enumerate(("2023-07", "2023-08")):
        stored = open_zarr(zarrs[number])
        assert stored.attrs["tile_id"] == f"{month}_median"
        assert stored.attrs["start_datetime"].startswith(month)
        for name in names:
            np.testing.assert_array_equal(stored[name], images[name][number])
            file = open_tile(tmp_path / "cog" / f"{month}_median_{name}.tif")
            np.testing.assert_array_equal(file[name], images[name][number])
            assert file[name].dtype == images[name].dtype


def test_a_sink_of_ones_own(catalog: GeoCatalog, box: GeoBox, tmp_path: Path) -> None:
    sink = WriteCOG(str(tmp_path / "{year}-{month}.tif"), bands=("red", "nir"), compress="deflate")
    paths = monthly_composite(catalog, box, bands=["red", "nir"], out=sink)
    assert [Path(p).name for p in paths] == ["2023-07.tif", "2023-08.tif"]
    assert list(open_tile(paths[0])) == ["red", "nir"]


# ---- parameters and bad input ------------------------------------------------------------------------------


def test_other_periods_and_composites(catalog: GeoCatalog, box: GeoBox) -> None:
    by_day = monthly_composite(catalog.query(time="2023-07"), box, bands=["red"], period="10D", mask=None)
    assert isinstance(by_day, xr.Dataset)
    assert np.unique(np.diff(by_day.time.values)).tolist() == [10 * 86400 * 10**9]
    best = Composite("best_pixel", target_date="2023-07-14")
    image = monthly_composite(catalog.query(time="2023-07"), box, reducer=best, bands=["red"])
    stack, _ = whole(catalog, box, "2023-07")
    expected = best.replace(bands=("red",))(MaskClouds()(stack))
    assert isinstance(image, xr.Dataset)
    np.testing.assert_array_equal(image.red[0], expected.red)


def test_area_and_resolution_make_the_grid(catalog: GeoCatalog) -> None:
    area = (17.999, 45.999, 18.001, 46.001)
    images = monthly_composite(catalog, area, 20.0, bands=["red"])
    assert isinstance(images, xr.Dataset)
    assert geobox_of(images) == stack_grid(catalog, area, 20.0)


def test_bad_input(catalog: GeoCatalog, box: GeoBox, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="did you mean 'median'"):
        monthly_composite(catalog, box, reducer="mediann")
    with pytest.raises(ParameterError, match="best_pixel"):
        monthly_composite(catalog, box, reducer="best_pixel")
    with pytest.raises(ParameterError, match="min_obs=0"):
        monthly_composite(catalog, box, min_obs=0)
    with pytest.raises(ParameterError, match="every='fortnight'"):
        monthly_composite(catalog, box, period="fortnight")
    with pytest.raises(ParameterError, match="threads=0"):
        monthly_composite(catalog, box, threads=0)
    with pytest.raises(ParameterError, match="no resolution is given, and none of 10 scenes"):
        monthly_composite(catalog, (17.9, 45.9, 18.1, 46.1), crs="EPSG:3035")
    with pytest.raises(ParameterError, match="n_workers=2 without an engine"):
        monthly_composite(catalog, box, n_workers=2)
    with pytest.raises(ParameterError, match="threads=2 with an engine"):
        monthly_composite(catalog, box, threads=2, engine="inline")
    with pytest.raises(ParameterError, match="both be written"):
        monthly_composite(catalog, box, bands=["red"], out=tmp_path / "{band}.tif")
    assert not any(tmp_path.iterdir())
    with pytest.raises(MissingVariableError, match="swir16"):
        monthly_composite(catalog, box, bands=["swir16"])
    far = GeoBox(box.shape, Affine(10, 0, 300000, 0, -10, 5000000), box.crs)
    with pytest.raises(OutsideError, match="lies outside all 10 scenes"):
        monthly_composite(catalog, far)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_croatia_in_august() -> None:
    catalog = GeoCatalog.build(data_path("s2_l2a_33TWL_croatia"))
    images = monthly_composite(catalog, (15.2, 45.3, 15.9, 45.8), 120.0, bands=["red", "nir"])
    assert isinstance(images, xr.Dataset)
    assert int(images.observations.max()) == 4
    grid = stack_grid(catalog, (15.2, 45.3, 15.9, 45.8), 120.0)
    stack = catalog.stack(grid, ["red", "nir", "scl"], lazy=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN slices
        clear = stack[["red", "nir"]].where(~stack.scl.isin([3, 8, 9, 10]))
        expected = np.nanmedian(clear.red.values, axis=0)
    np.testing.assert_allclose(images.red[0], expected, rtol=0, atol=1e-7)


def test_counting_dates_needs_a_stack_and_its_band():
    with pytest.raises(TileError, match="time"):
        CountDates("red")(contract_tile((8, 8)))
    with pytest.raises(MissingVariableError, match="swir16"):
        CountDates("swir16")(contract_tile((8, 8), times=2).drop_vars("swir16", errors="ignore"))
    with pytest.raises(TileError, match="clear_dates"):
        RequireObservations(("red",))(contract_tile((8, 8)))
