"""Checks of the tile's description: decided before the first pixel, raised, warned or tagged."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.core import (
    ParameterError,
    QCError,
    QCWarning,
    Sequential,
    Switch,
    TileSpec,
    check,
    compile,
    run,
    tile_from_arrays,
)
from geotoolz.core.testing import contract_tile, data_path, write_scene
from geotoolz.qc import (
    TAG,
    AssertCRSEquals,
    AssertGridAligned,
    AssertResolutionWithin,
    AssertSchema,
    AssertValidFraction,
    assert_crs_equals,
    assert_grid_aligned,
    assert_resolution_within,
)
from geotoolz.radiometry import SelectBands

UTM = "EPSG:32633"


def tile(transform: Affine | None = None, crs: Any = UTM, shape: tuple[int, int] = (4, 6)) -> xr.Dataset:
    box = GeoBox(shape, transform or Affine(10, 0, 5e5, 0, -10, 5e6), crs)
    return tile_from_arrays({"red": np.ones(shape, "f4")}, box, attrs={"tile_id": "T33"})


# ---- CRS ---------------------------------------------------------------------------------------------------


def test_one_crs_in_many_spellings() -> None:
    from pyproj import CRS

    ds = tile()
    spellings = (UTM, "epsg:32633", 32633, CRS(UTM).to_wkt("WKT1_GDAL"), CRS(UTM).to_wkt("WKT2_2019"))
    for crs in spellings:
        xr.testing.assert_identical(AssertCRSEquals(crs)(ds), ds)  # type: ignore[arg-type]
    gdal = tile(crs=CRS(UTM).to_wkt("WKT1_GDAL"))
    assert_crs_equals(gdal, UTM)
    sinusoidal = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"
    assert_crs_equals(tile(crs=sinusoidal), sinusoidal)


def test_wrong_crs_and_none_are_told() -> None:
    with pytest.raises(
        QCError, match=r"AssertCRSEquals: EPSG:32633 \(tile T33\); expected EPSG:32630"
    ) as info:
        AssertCRSEquals("EPSG:32630")(tile())
    assert str(pickle.loads(pickle.dumps(info.value))) == str(info.value)
    with pytest.raises(QCError, match="no CRS"):
        AssertCRSEquals(UTM)(tile(crs=None))


@pytest.mark.parametrize("crs", ["EPSG:1", "nonsense", "", True, 3.5, None])
def test_what_names_no_crs_is_refused(crs: Any) -> None:
    with pytest.raises(ParameterError, match="crs"):
        AssertCRSEquals(crs)


# ---- pixel size --------------------------------------------------------------------------------------------


def test_resolution_by_hand() -> None:
    ds = tile(Affine(10, 0, 5e5, 0, -20, 5e6))
    assert_resolution_within(ds, (10, 20))
    with pytest.raises(QCError, match=r"pixels of 10 × 20 m .*expected pixels of 9.5 … 10.5 m"):
        AssertResolutionWithin((9.5, 10.5))(ds)
    feet = tile(crs="EPSG:2263")  # New York Long Island, US survey feet
    AssertResolutionWithin((3.048, 3.0481))(feet)
    AssertResolutionWithin((10.0, 10.0), unit="crs")(feet)
    with pytest.raises(QCError, match=r"that is 3\.048"):
        AssertResolutionWithin((9.0, 11.0))(feet)


def test_degrees_are_not_metres() -> None:
    # a second of arc at 60° N: 30.98 m along the meridian, half of that along the parallel
    ds = tile(Affine(1 / 3600, 0, 10, 0, -1 / 3600, 60), "EPSG:4326", (2, 2))
    AssertResolutionWithin((15.4, 31.1))(ds)
    with pytest.raises(QCError, match=r"0\.000277778 × 0\.000277778 °, that is 15\.5\d* × 30\.9\d* m"):
        AssertResolutionWithin((9.5, 10.5))(ds)
    AssertResolutionWithin((0.0002, 0.0003), unit="crs")(ds)


def test_resolution_without_crs() -> None:
    ds = tile(crs=None)
    AssertResolutionWithin((10, 10), unit="crs")(ds)
    with pytest.raises(QCError, match="unit of its pixels is not known"):
        AssertResolutionWithin((10, 10))(ds)


@pytest.mark.parametrize(
    "limits", [(0, 1), (-1, 1), (2, 1), (1, float("inf")), (float("nan"), 1), (1,), "10"]
)
def test_limits_that_are_none_are_refused(limits: Any) -> None:
    with pytest.raises(ParameterError):
        AssertResolutionWithin(limits)


# ---- lattice -----------------------------------------------------------------------------------------------


def test_alignment_by_hand() -> None:
    ds = tile(Affine(30, 0, 300015, 0, -30, 4500015))
    assert_grid_aligned(ds, (15, 15))
    with pytest.raises(QCError, match=r"edges lie 15 of 30 beside the lattice along x, .* along y"):
        AssertGridAligned()(ds)
    AssertGridAligned(resolution=15)(ds)  # edges of a coarser grid lie on a finer lattice
    with pytest.raises(QCError, match="pixels of 30 are no multiple of 20 along x"):
        AssertGridAligned(resolution=20)(ds)
    with pytest.raises(QCError, match=r"EPSG:32633.* in EPSG:32618"):
        AssertGridAligned((15, 15), crs="EPSG:32618")(ds)


def test_a_drift_over_many_pixels_is_seen() -> None:
    nearly = Affine(10.0005, 0, 5e5, 0, -10, 5e6)
    AssertGridAligned(resolution=10)(tile(nearly, shape=(4, 6)))
    with pytest.raises(QCError, match="no multiple of 10 along x"):
        AssertGridAligned(resolution=10)(tile(nearly, shape=(4, 60)))


def test_a_shift_below_the_tolerance_is_none() -> None:
    ds = tile(Affine(10, 0, 5e5 + 0.004, 0, -10, 5e6))
    AssertGridAligned()(ds)
    with pytest.raises(QCError, match=r"0\.004 of 10"):
        AssertGridAligned(tolerance=0.0001)(ds)


@given(
    step=st.sampled_from([0.5, 10.0, 30.0, 60.0, 120.0]),
    first=st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)),
    anchor=st.tuples(st.integers(-20, 20), st.integers(-20, 20)),
    shift=st.sampled_from([0.0, 0.25, 0.5]),
)
def test_lattices_are_found_wherever_they_lie(
    step: float, first: tuple[int, int], anchor: tuple[int, int], shift: float
) -> None:
    x, y = (a + (n + shift) * step for a, n in zip(anchor, first, strict=True))
    ds = tile(Affine(step, 0, x, 0, -step, y))
    op = AssertGridAligned(tuple(map(float, anchor)), on_fail="tag")  # type: ignore[arg-type]
    assert (TAG in op(ds).attrs) == (shift != 0)


@pytest.mark.parametrize(
    "wrong",
    [{"resolution": 0.0}, {"anchor": (float("nan"), 0.0)}, {"tolerance": 0.5}, {"crs": "EPSG:1"},
     {"tolerance": -1.0}],
)  # fmt: skip
def test_lattices_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        AssertGridAligned(**wrong)


# ---- schema ------------------------------------------------------------------------------------------------


def test_units_are_compared() -> None:
    ds = contract_tile((4, 4))
    AssertSchema(units={"B04": "1"})(ds)
    with pytest.raises(QCError, match="foreign has units 'm' instead of '1'; blu is missing"):
        AssertSchema(units={"foreign": "1", "blu": "1"})(ds)


# ---- when, and what then -----------------------------------------------------------------------------------

FAILING = (
    AssertCRSEquals("EPSG:4326"),
    AssertResolutionWithin((20, 30)),
    AssertGridAligned((5, 5)),
    AssertSchema(["swir16"]),
)


@pytest.mark.parametrize("op", FAILING, ids=lambda op: type(op).__name__)
def test_raise_warn_and_tag(op: Any) -> None:
    ds = tile()
    name = type(op).__name__
    with pytest.raises(QCError, match=f"{name}: .*expected"):
        op(ds)
    with pytest.warns(QCWarning, match=name) as said:
        out = op.replace(on_fail="warn")(ds)
    assert len(said) == 1
    xr.testing.assert_identical(out, ds)
    out = op.replace(on_fail="tag")(ds)
    assert [entry.partition(":")[0] for entry in out.attrs[TAG]] == [name]
    xr.testing.assert_identical(out.drop_attrs(), ds.drop_attrs())
    assert TAG not in ds.attrs
    with pytest.raises(ParameterError):
        op.replace(on_fail="ignore")


@pytest.mark.parametrize("op", FAILING, ids=lambda op: type(op).__name__)
def test_check_finds_it_without_a_pixel(op: Any) -> None:
    spec = TileSpec.of(tile())
    pipeline = Sequential([SelectBands("red"), op])
    (finding,) = check(pipeline, spec)
    assert (finding.level, finding.path) == ("error", "operators[1]")
    (finding,) = check(pipeline.replace(operators=(op.replace(on_fail="warn"),)), spec)
    assert finding.level == "warning"
    with pytest.raises(QCError, match=r"operators\[1\]"):
        compile(pipeline, spec)


def test_a_bad_tile_costs_no_pixel() -> None:
    ds = tile().chunk()
    import dask

    def refuse(*args: Any, **kwargs: Any) -> Any:
        pytest.fail("a pixel was computed")

    with dask.config.set(scheduler=refuse), pytest.raises(QCError):
        Sequential([AssertValidFraction(0.1), AssertCRSEquals("EPSG:4326")])(ds)


def test_tags_add_up_and_reach_every_driver(tmp_path: Any) -> None:
    pytest.importorskip("rasterio")
    ds = tile(shape=(40, 60))
    tags = Sequential([op.replace(on_fail="tag") for op in FAILING] * 2)
    whole = tags(ds)
    assert [entry.partition(":")[0] for entry in whole.attrs[TAG]] == [type(op).__name__ for op in FAILING]
    cut = run(tags, ds, window=(7, 9), threads=2)
    lazy = tags(ds.chunk(y=7))
    assert cut.attrs == lazy.attrs == whole.attrs  # type: ignore[union-attr]
    source = gz.io.write_tile(ds, tmp_path / "{band}.tif")[0]
    gz.io.stream(tags, source, tmp_path / "out.tif", window=(16, 16), threads=1)
    names = [entry.partition(":")[0] for entry in gz.open_tile(tmp_path / "out.tif").attrs[TAG]]
    assert names == [type(op).__name__ for op in FAILING]


def test_tags_and_failures_of_a_batch(tmp_path: Any) -> None:
    pytest.importorskip("geopandas")
    good = write_scene({"shape": (40, 40), "bands": ("red", "nir")}, tmp_path / "in")
    options = {"shape": (40, 40), "bands": ("red",), "datetime": "2024-07-01T10:00:00Z"}
    bad = write_scene(options, tmp_path / "in")
    catalog = gz.GeoCatalog.from_folder(tmp_path / "in")

    def report(policy: Any) -> Any:
        op = Sequential([AssertSchema(["nir"], on_fail=policy), SelectBands("red")])
        pipeline = gz.CatalogPipeline(
            catalog, op, out=tmp_path / policy, engine="inline", max_failures=1, progress="none"
        )
        return pipeline.run()

    (failed,) = report("raise").failed
    assert (failed.tile_id, failed.kind, failed.error) == (bad.name, "qc", "QCError")
    assert not report("tag").failed
    tags = {path.name: gz.open_tile(path).attrs.get(TAG) for path in (tmp_path / "tag").rglob("*.tif")}
    assert len(tags) == 2
    for name, tag in tags.items():
        expected = ["AssertSchema: nir is missing; expected the variables of the schema"]
        assert tag == (None if name.startswith(good.name) else expected)


def test_a_tag_is_written_once_and_only_where_something_failed() -> None:
    ds = tile().assign_attrs(platform="a")
    tagging = AssertCRSEquals("EPSG:4326", on_fail="tag")
    again = Sequential([tagging, Sequential([tagging])])(ds)
    assert len(again.attrs[TAG]) == 1  # the same once more says nothing new
    assert TAG not in AssertCRSEquals(UTM, on_fail="tag")(ds).attrs


def test_only_the_chosen_case_of_a_switch_is_asserted() -> None:
    op = Switch("platform", {"a": AssertCRSEquals("EPSG:4326"), "b": AssertCRSEquals(UTM)})
    assert TAG not in op(tile().assign_attrs(platform="b")).attrs
    with pytest.raises(QCError):
        op(tile().assign_attrs(platform="a"))
    compile(op, TileSpec.of(tile()), explore=True)


def test_a_tile_without_a_regular_grid_fails_instead_of_crashing() -> None:
    ds = tile().assign_coords(x=[0.0, 1, 5, 6, 7, 8])
    for op in (AssertCRSEquals(UTM), AssertResolutionWithin((1, 2)), AssertGridAligned()):
        with pytest.raises(QCError, match="not regularly spaced"):
            op(ds)


def test_after_a_new_grid_the_new_grid_is_asserted() -> None:
    from geotoolz.grid import Reproject

    pipeline = Sequential(
        [AssertCRSEquals(UTM), Reproject("EPSG:3857", resolution=20), AssertCRSEquals("EPSG:3857"),
         AssertResolutionWithin((20, 20))]
    )  # fmt: skip
    assert pipeline(tile()).odc.crs.epsg == 3857


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_real_scenes() -> None:
    croatia = gz.io.describe(data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A"))
    ops = (
        AssertCRSEquals(UTM),
        AssertResolutionWithin((119, 121)),
        AssertSchema(["B02", "B03", "B04", "B08"]),
    )
    for op in ops:
        compile(op, croatia)
    with pytest.raises(QCError, match="beside the lattice"):  # 10980 m · k is no multiple of 120 m here
        compile(AssertGridAligned(), croatia)
