"""Operators on backscatter beside independent computations."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from geotoolz.core import geobox_of, tile_from_arrays
from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile, data_path, tiles
from geotoolz.sar import (
    DBToLinear,
    EquivalentNumberOfLooks,
    Frost,
    GammaMAP,
    LeeSpeckle,
    LinearToDB,
    MultiLook,
)


def radar_tile(shape=(37, 53), *, units="1", **options):
    """Return a contract tile whose red and nir bands are backscatter."""
    tile = contract_tile(shape, **options).rename(red="vv", nir="vh")
    tile = tile.drop_vars(["blue", "green", "nir08", "swir16", "swir22"])
    for name in ("vv", "vh"):
        tile[name].attrs |= {"quantity": "backscatter", "units": units}
        if units == "dB":
            tile[name].values[...] = 20 * tile[name].values - 25
    tile.attrs |= {"platform": "sentinel-1a", "instrument": "c-sar", "processing_level": "RTC"}
    return tile


def decibel_tile(shape=(37, 53), **options):
    """Return the same in decibels."""
    return radar_tile(shape, units="dB", **options)


def speckled(looks=4.4, shape=(90, 110)):
    """Return gamma distributed speckle on plain ground with a bright field and a line, and a gap."""
    rng = np.random.default_rng(7)
    ground = np.full(shape, 0.05)
    ground[20:60, 30:70] = 0.4
    ground[70, :] = 2.0
    power = (ground * rng.gamma(looks, 1 / looks, shape)).astype(np.float32)
    power[5:9, 5:20] = np.nan
    tile = radar_tile(shape)[["vv"]]
    tile.vv.values[...] = power
    return tile


def squares(values, window):
    """Return the neighbourhoods of every pixel in float64, NaN outside."""
    r = window // 2
    padded = np.pad(values.astype(np.float64), r, constant_values=np.nan)
    return np.lib.stride_tricks.sliding_window_view(padded, (window, window)).reshape(*values.shape, -1)


def local_moments(values, window):
    around = squares(values, window)
    return np.nanmean(around, axis=-1), np.nanvar(around, axis=-1)


def largest(found, expected):
    """Return the largest difference; where one has no data the other has none."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    return float(np.nanmax(np.abs(found.astype(np.float64) - expected)))


def lee_by_formula(values, window, looks):
    m, v = local_moments(values, window)
    w = np.maximum(0, (v - m**2 / looks) / (1 + 1 / looks)) / v
    return m + w * (values - m)


def gamma_by_formula(values, window, looks):
    m, v = local_moments(values, window)
    ci, cu, x = np.sqrt(v) / m, np.sqrt(1 / looks), values.astype(np.float64)
    with np.errstate(all="ignore"):
        alpha = (1 + cu**2) / (ci**2 - cu**2)
        b = alpha - looks - 1
        between = (b * m + np.sqrt((b * m) ** 2 + 4 * alpha * looks * m * x)) / (2 * alpha)
    found = np.where(ci <= cu, m, np.where(ci >= np.sqrt(2) * cu, x, between))
    return np.where(np.isnan(values), np.nan, found)


def frost_by_formula(values, window, damping):
    around, r = squares(values, window), window // 2
    m, v = local_moments(values, window)
    y, x = np.mgrid[-r : r + 1, -r : r + 1]
    weights = np.exp(-damping * (v / m**2)[..., None] * np.hypot(y, x).ravel())
    weights = np.where(np.isnan(around), np.nan, weights)
    found = np.nansum(weights * around, axis=-1) / np.nansum(weights, axis=-1)
    return np.where(np.isnan(values), np.nan, found)


def _to_db():
    tile = radar_tile()
    return largest(LinearToDB()(tile).vv.values, 10 * np.log10(tile.vv.values.astype(np.float64)))


def _to_linear():
    tile = decibel_tile()
    return largest(DBToLinear()(tile).vv.values, 10 ** (tile.vv.values.astype(np.float64) / 10))


def _lee():
    tile = speckled()
    return largest(LeeSpeckle(7, looks=4.4)(tile).vv.values, lee_by_formula(tile.vv.values, 7, 4.4))


def _lee_scipy():
    values = speckled().vv.values[10:].astype(np.float64)  # scipy knows no gaps
    tile = radar_tile(values.shape)[["vv"]]
    tile.vv.values[...] = values
    m, squared = uniform_filter(values, 7), uniform_filter(values**2, 7)
    v = squared - m**2
    expected = m + np.maximum(0, (v - m**2 / 4.4) / (1 + 1 / 4.4)) / v * (values - m)
    inner = np.s_[3:-3, 3:-3]  # nor edges that are cut off
    return largest(LeeSpeckle(7, looks=4.4)(tile).vv.values[inner], expected[inner])


def _gamma():
    tile = speckled()
    return largest(GammaMAP(5, looks=3.0)(tile).vv.values, gamma_by_formula(tile.vv.values, 5, 3.0))


def _frost():
    tile = speckled()
    return largest(Frost(5, damping=1.5)(tile).vv.values, frost_by_formula(tile.vv.values, 5, 1.5))


def _multilook():
    tile = speckled(shape=(90, 110))
    box = geobox_of(tile)
    shift = [
        round(o / s) % n for o, s, n in ((box.affine.f, box.affine.e, 3), (box.affine.c, box.affine.a, 4))
    ]
    rows = (np.arange(90) + shift[0]) // 3
    cols = (np.arange(110) + shift[1]) // 4
    out = MultiLook(3, 4)(tile).vv.values
    values = tile.vv.values.astype(np.float64)
    expected = np.full(out.shape, np.nan)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            block = values[np.ix_(rows == i, cols == j)]
            if np.isfinite(block).any():
                expected[i, j] = np.nanmean(block)
    return largest(out, expected)


def _looks():
    tile = speckled()
    values = tile.vv.values.astype(np.float64)
    return abs(EquivalentNumberOfLooks()(tile)["vv"] - np.nanmean(values) ** 2 / np.nanvar(values))


def _looks_of_the_ocean():
    """Return how far the ocean crop's numbers are from those in the data's description (4.5, 2.8)."""
    import rasterio

    tiles = []
    for path in sorted(data_path("s1_rtc_california_open").glob("*T137-292324*_VV.tif")):
        pair = []
        for each in (path, path.with_name(path.name.replace("_VV", "_VH"))):
            with rasterio.open(each) as file:
                pair.append(file.read(1))
                transform, crs, shape = file.transform, file.crs.to_string(), file.shape
        tiles.append((pair, transform, crs, shape))
    from odc.geo.geobox import GeoBox

    found = []
    for (vv, vh), transform, crs, shape in tiles:
        attrs = {name: {"quantity": "backscatter", "units": "1"} for name in ("vv", "vh")}
        tile = tile_from_arrays({"vv": vv, "vh": vh}, GeoBox(shape, transform, crs), var_attrs=attrs)
        found.append([EquivalentNumberOfLooks()(tile)[name] for name in ("vv", "vh")])
    return float(np.abs(np.median(found, axis=0) - [4.5, 2.8]).max())


@settings(max_examples=60, deadline=None)
@given(
    tiles(("vv",), dtypes="float32", quantity="backscatter", foreign=False, max_side=12),
    st.sampled_from([3, 5, 7]),
    st.floats(0.5, 40),
)
def test_filters_against_brute_force(tile, window, looks):
    values = np.where(tile.vv.values < 0, np.nan, tile.vv.values)
    low = np.nanmin(values, initial=np.inf)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        lee, frost = lee_by_formula(values, window, looks), frost_by_formula(values, window, 1.0)
        gamma = gamma_by_formula(values, window, looks)
    top = np.nanmax(values, initial=0)
    plain = np.nan_to_num(top - low) <= 1e-6 * top  # 0/0 in the formulas
    for op, expected in ((LeeSpeckle(window, looks), lee), (Frost(window, 1.0), frost)):
        found = op(tile).vv.values
        assert np.array_equal(np.isnan(found), np.isnan(values))
        if not plain:
            good = np.isfinite(expected)
            # variances far below the mean's square are differences of nearly equal sums
            np.testing.assert_allclose(found[good], expected[good], rtol=1e-5, atol=1e-6 * top)
    found = GammaMAP(window, looks)(tile).vv.values
    near = np.isclose(found, gamma, rtol=1e-4, atol=1e-6 * top) | ~np.isfinite(gamma)
    assert plain or near.mean() > 0.95  # on a limit between two cases either may be taken


class TestSar(ReferenceSuite):
    module = "geotoolz.sar"
    references = (
        Reference(LinearToDB, "10 · log10 in NumPy, float64", _to_db, 1e-6, "dB",
                  bad_input="test_sar.py::test_a_second_conversion_is_refused"),
        Reference(DBToLinear, "10 ** (dB / 10) in NumPy, float64", _to_linear, 1e-7, "1",
                  bad_input="test_sar.py::test_a_second_conversion_is_refused"),
        Reference(LeeSpeckle, "Lee (1980) in NumPy, float64, neighbourhoods written out", _lee, 2e-7, "1",
                  bad_input="test_sar.py::test_bad_parameters_are_refused"),
        Reference(LeeSpeckle, "scipy.ndimage.uniform_filter in float64", _lee_scipy, 2e-7, "1",
                  bad_input="test_sar.py::test_decibels_are_refused_where_power_is_read"),
        Reference(GammaMAP, "Lopes et al. (1990) in NumPy, float64", _gamma, 2e-7, "1",
                  bad_input="test_sar.py::test_bad_parameters_are_refused"),
        Reference(Frost, "Frost et al. (1982) in NumPy, float64", _frost, 2e-7, "1",
                  bad_input="test_sar.py::test_bad_parameters_are_refused"),
        Reference(MultiLook, "numpy.nanmean of each block in float64", _multilook, 1e-7, "1",
                  bad_input="test_sar.py::test_decibels_are_refused_where_power_is_read"),
        Reference(EquivalentNumberOfLooks, "mean² / variance in NumPy, float64", _looks, 1e-6, "looks",
                  bad_input="test_sar.py::test_decibels_are_refused_where_power_is_read"),
        Reference(EquivalentNumberOfLooks, "ocean of s1_rtc_california_open as described: 4.5 VV, 2.8 VH",
                  _looks_of_the_ocean, 0.05, "looks",
                  bad_input="test_sar.py::test_bad_input_of_the_number_of_looks"),
    )  # fmt: skip
