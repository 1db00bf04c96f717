"""Normalised differences, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    Branch,
    MissingVariableError,
    ParameterError,
    QuantityError,
    Sequential,
    TileError,
    TileSpec,
    check,
    compile,
    dump,
    load,
    tile_from_arrays,
)
from geotoolz.indices import (
    NDVI,
    NDWI,
    AppendIndex,
    Index,
    NormalizedDifference,
    append_index,
    compute_ndvi,
    compute_ndwi,
)
from geotoolz.radiometry import BoxMean, DNToReflectance, MinMax, PercentileClip, SelectBands, ToFloat32

S2 = {"quantity": "dn", "scale_factor": 1e-4, "add_offset": -0.1}


def tile(nodata: Any = None, attrs: Any = None, platform: str = "sentinel-2a", **bands: Any) -> xr.Dataset:
    arrays = {n: np.atleast_2d(v) for n, v in bands.items()}
    box = GeoBox(next(iter(arrays.values())).shape[-2:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    return tile_from_arrays(
        arrays, box, attrs={"platform": platform, "processing_level": "L2A"},
        var_attrs=dict.fromkeys(arrays, attrs or {}), nodata=dict.fromkeys(arrays, nodata),
    )  # fmt: skip


def u2(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, "u2")


def test_the_offset_matters() -> None:
    raw = tile(0, S2, red=u2(1400), nir=u2(4000))
    right = Sequential([DNToReflectance(), NDVI()])(raw).ndvi.item()
    assert right == pytest.approx(0.765, abs=5e-4)
    assert right == pytest.approx((0.3 - 0.04) / (0.3 + 0.04), rel=1e-6)
    for op in (NDVI(), NDWI("red"), NormalizedDifference("nir", "red")):
        with pytest.raises(QuantityError, match=r"digital numbers with an offset of -0\.1.*DNToReflectance"):
            op(raw)
        (finding,) = check(Sequential([op]), raw)
        assert (finding.level, finding.path) == ("error", "operators[0]")
    # where the metadata says that no offset applies, the ratio of digital numbers is the ratio
    harmonised = tile(
        0, {"quantity": "dn", "scale_factor": 1e-4, "add_offset": 0.0}, red=u2(1400), nir=u2(4000)
    )
    assert NDVI()(harmonised).ndvi.item() == pytest.approx(0.481, abs=5e-4)
    assert [f.level for f in check(NDVI(), harmonised)] == ["warning", "warning"]
    assert "thresholds and sums are not" in check(NDVI(), harmonised)[0].message


def test_integers_never_wrap() -> None:
    ds = tile(None, red=u2(65535, 40000, 1), nir=u2(1, 40000, 65535))
    np.testing.assert_allclose(NDVI()(ds).ndvi.values[0], [-65534 / 65536, 0, 65534 / 65536], rtol=1e-6)
    for dtype in ("u1", "i1"):
        small = tile(None, red=np.array([120], dtype), nir=np.array([100], dtype))
        assert NDVI()(small).ndvi.item() == pytest.approx(-20 / 220, rel=1e-6)


def test_zero_by_zero_and_no_data_are_nan() -> None:
    ds = tile(0, red=u2(0, 0, 5, 3), nir=u2(0, 5, 0, 5))
    np.testing.assert_array_equal(np.isnan(NDVI()(ds).ndvi.values), [[True, True, True, False]])
    ds = tile(None, red=u2(0, 0, 5), nir=u2(0, 5, 0))
    np.testing.assert_array_equal(NDVI()(ds).ndvi.values, np.array([[np.nan, 1, -1]], "f4"))
    ds = tile(np.nan, red=np.array([np.nan, 0.5, -0.1], "f4"), nir=np.array([0.5, np.nan, 0.1], "f4"))
    assert NDVI()(ds).ndvi.isnull().all()
    ds = tile(-9999.0, red=np.array([-9999.0], "f4"), nir=np.array([0.5], "f4"))
    assert NDVI()(ds).ndvi.isnull().all()


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), min_size=1, max_size=8))
def test_against_float64(pairs: list[tuple[int, int]]) -> None:
    red, nir = (np.array(v, "u2") for v in zip(*pairs, strict=True))
    got = NDVI()(tile(0, red=red, nir=nir)).ndvi.values[0]
    r, n = red.astype("f8"), nir.astype("f8")
    with np.errstate(all="ignore"):
        want = np.where((red == 0) | (nir == 0), np.nan, (n - r) / (n + r))
    np.testing.assert_allclose(got, want, rtol=3e-7, atol=3e-8)
    assert got.dtype == np.float32


def test_what_is_written() -> None:
    ds = tile(0, {"quantity": "surface_reflectance", "long_name": "Band"}, red=u2(1), nir=u2(2))
    ndvi = compute_ndvi(ds).ndvi
    assert np.isnan(ndvi.attrs["_FillValue"])  # not the bands' 0
    assert {k: ndvi.attrs[k] for k in ("units", "quantity", "long_name", "data_source")} == {
        "units": "1",
        "quantity": "index",
        "long_name": "(nir − red) / (nir + red)",
        "data_source": "sentinel-2a L2A",
    }
    assert ndvi.attrs["standard_name"] == "normalized_difference_vegetation_index"
    assert list(compute_ndvi(ds, name="greenness").data_vars) == ["red", "nir", "greenness"]
    xr.testing.assert_identical(compute_ndvi(ds).drop_vars("ndvi"), ds)


def test_roles() -> None:
    landsat = tile(None, None, "landsat-8", red=u2(1), nir08=u2(3))
    assert NDVI()(landsat).ndvi.item() == 0.5
    assert NDVI()(landsat).ndvi.attrs["long_name"] == "(nir08 − red) / (nir08 + red)"
    sensor = tile(None, B04=u2(1), B08=u2(3), B03=u2(3))
    assert NDVI()(sensor).ndvi.item() == 0.5
    assert compute_ndwi(sensor).ndwi.item() == 0.0
    with pytest.raises(MissingVariableError, match=r"NDVI reads 'nir', and the tile has red, green"):
        NDVI()(tile(None, red=u2(1), green=u2(1)))
    with pytest.raises(MissingVariableError, match="did you mean 'nir'"):
        NDVI(nir="nri")(tile(None, red=u2(1), nir=u2(1)))


@pytest.mark.parametrize(
    "stretch", [MinMax(), PercentileClip(2, 98), MinMax(limits={"red": (0, 1)})], ids=repr
)
def test_an_index_on_stretched_values_is_refused_by_check(stretch: Any) -> None:
    ds = tile(None, red=u2(1, 2), nir=u2(3, 5))
    op = Sequential([stretch, Branch({"index": NDVI()})])
    errors = [f for f in check(op, ds) if f.level == "error"]
    assert [f.path for f in errors] == ["operators[1].branches[index]"]
    assert f"stretched for display ({type(stretch).__name__}" in errors[0].message
    assert "put NDVI before the stretch" in errors[0].message
    with pytest.raises(QuantityError):
        op(ds)
    assert "ndvi" in Sequential([NDVI(), SelectBands(["ndvi"]), MinMax()])(ds)


def test_bands_of_different_dims() -> None:
    ds = tile(None, red=u2(1), nir=u2(3))
    ds["nir"] = ds.nir.expand_dims(time=2)
    with pytest.raises(ParameterError, match="equal dims"):
        NDVI()(ds)


def test_only_its_bands_are_read() -> None:
    ds = tile(None, blue=u2(1), red=u2(1), nir=u2(3), green=u2(1))
    op = Sequential([ToFloat32(), NDVI(), NDWI()])
    assert compile(op, TileSpec.of(ds), outputs=("ndvi",)).inputs == ("red", "nir")
    assert compile(op, TileSpec.of(ds), outputs=("ndvi", "ndwi")).inputs == ("red", "nir", "green")
    assert compile(op, TileSpec.of(ds)).created == ("ndvi", "ndwi")


def test_append_index() -> None:
    ds = tile(None, red=u2(1), nir=u2(3))
    out = append_index(ds, NDVI(), "greenness")
    assert list(out.data_vars) == ["red", "nir", "greenness"]
    xr.testing.assert_equal(out.greenness.rename("ndvi"), NDVI()(ds).ndvi)
    assert list(AppendIndex(NDVI())(ds).data_vars) == ["red", "nir", "ndvi"]
    op = AppendIndex(NormalizedDifference("nir", "red"), name="x1")
    assert load(dump(op)) == op


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (AppendIndex(NDVI(), name="red"), "has a variable 'red' already"),
        (AppendIndex(BoxMean(1), name="a"), "expected exactly one new variable"),
        (AppendIndex(SelectBands(["red"]), name="a"), "writes nothing and drops nir"),
        (AppendIndex(Sequential([NDVI(), NDWI("red")]), name="a"), "writes ndvi, ndwi"),
        (AppendIndex(NDVI(), name="x"), "x"),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_append_index_refuses(op: AppendIndex, text: str) -> None:
    with pytest.raises(TileError, match=text):
        op(tile(None, red=u2(1), nir=u2(3)))


def test_append_index_of_what_is_there() -> None:
    ds = NDVI()(tile(None, red=u2(1), nir=u2(3)))
    with pytest.raises(TileError, match=r"already|exactly one new"):
        AppendIndex(NDVI())(ds)
    with pytest.raises(ParameterError, match="name=''"):
        AppendIndex(NDVI(), name="")
    with pytest.raises(ParameterError, match="index"):
        AppendIndex("NDVI")  # type: ignore[arg-type]


@pytest.mark.parametrize(("instrument", "expected"), [("mss", (60 - 20) / 80), ("tm", (70 - 60) / 130)])
def test_ndvi_of_landsat_5_reads_the_bands_of_its_instrument(instrument: str, expected: float) -> None:
    # MSS: B2 red, B3 0.7–0.8 µm; TM: B3 red, B4 near infrared
    values = {"B1": 30, "B2": 20, "B3": 60, "B4": 70}
    box = GeoBox((2, 2), Affine(60, 0, 5e5, 0, -60, 5e6), "EPSG:32633")
    tile = tile_from_arrays(
        {band: np.full((2, 2), value / 100, "f4") for band, value in values.items()},
        box,
        attrs={"platform": "landsat-5", "instrument": instrument},
    )
    assert NDVI()(tile).ndvi.values[0, 0] == pytest.approx(expected, rel=1e-6)
    assert Index("NDVI")(tile).ndvi.values[0, 0] == pytest.approx(expected, rel=1e-6)
