"""Every temporal operator beside something independent."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import Reference, ReferenceSuite, data_path
from geotoolz.temporal import (
    BurnSeverity,
    Composite,
    CountDates,
    Difference,
    LinearGapFill,
    MannKendall,
    RequireObservations,
    ResampleTime,
    TheilSenTrend,
)

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")


def spectra(dates: int = 24, size: int = 30) -> xr.Dataset:
    """Reflectance with noise, undetected clouds, and no-data."""
    rng = np.random.default_rng(dates)
    shape = (dates, size, size)
    cloud = (rng.random(shape) < 0.15) * rng.random(shape) * 0.5
    gone = rng.random(shape) < 0.25
    arrays: dict[str, Any] = {}
    for name in BANDS:
        values = 0.05 + 0.3 * rng.random(shape[1:]) + rng.normal(0, 0.02, shape) + cloud
        arrays[name] = (("time", "y", "x"), np.where(gone, np.nan, values).astype("f4"))
    box = GeoBox(shape[1:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    about = {name: {"quantity": "surface_reflectance"} for name in BANDS}
    steps = np.cumsum(rng.integers(1, 20, dates)) * np.timedelta64(1, "D")
    return tile_from_arrays(arrays, box, var_attrs=about).assign_coords(
        time=np.datetime64("2024-01-01", "ns") + steps
    )


def ndvi_series() -> xr.Dataset:
    """68 dates of Slovenia with clouds as no-data."""
    folder = data_path("s2_timeseries_eolearn_slovenia")
    ndvi = np.load(folder / "NDVI.npy")[..., 0]
    ndvi[np.load(folder / "CLM.npy")[..., 0] == 1] = np.nan
    box = GeoBox(ndvi.shape[1:], Affine(10, 0, 465180, 0, -10, 5080250), "EPSG:32633")
    times = np.array(json.loads((folder / "timestamps.json").read_text()), "datetime64[ns]")
    tile = tile_from_arrays(
        {"ndvi": (("time", "y", "x"), ndvi)}, box, var_attrs={"ndvi": {"quantity": "index"}}
    )
    return tile.assign_coords(time=times)


def stacked(tile: xr.Dataset) -> Any:
    """The bands in float64, (time, band, y, x)."""
    return np.stack([tile[name].values.astype("f8") for name in BANDS], axis=1)


def apart(found: Any, expected: Any) -> float:
    """Largest absolute difference; infinite where one of the two is no-data."""
    found, expected = np.asarray(found, "f8"), np.asarray(expected, "f8")
    if (np.isnan(found) != np.isnan(expected)).any():
        return float("inf")
    return float(np.nanmax(np.abs(found - expected)))


def quiet(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a NumPy reduction that warns of columns without data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


def _fill_against_xarray() -> float:
    "On NDVI of Slovenia; the difference is that of the last bit of float32."
    tile = ndvi_series().isel(y=slice(0, 40), x=slice(0, 40))
    expected = tile.ndvi.astype("f8").interpolate_na("time", use_coordinate=True)
    return apart(LinearGapFill()(tile).ndvi, expected.astype("f4"))


def _fill_against_numpy() -> float:
    "numpy.interp on the days since the first date, max_gap by hand."
    tile = spectra(17, 12)
    days = (tile.time.values - tile.time.values[0]) / np.timedelta64(1, "D")
    expected = tile.red.values.copy()
    for y, x in np.ndindex(12, 12):
        series = tile.red.values[:, y, x].astype("f8")
        valid = np.flatnonzero(~np.isnan(series))
        for i in np.flatnonzero(np.isnan(series)):
            before, after = valid[valid < i], valid[valid > i]
            if len(before) and len(after) and days[after[0]] - days[before[-1]] <= 30:
                expected[i, y, x] = np.interp(days[i], days[valid], series[valid])
    return apart(LinearGapFill(("red",), max_gap=30.0)(tile).red, expected)


def _median_against_numpy() -> float:
    tile = spectra()
    return apart(
        Composite()(tile).red, quiet(np.nanmedian, tile.red.values.astype("f8"), axis=0).astype("f4")
    )


def _median_against_bottleneck() -> float:
    bottleneck = pytest.importorskip("bottleneck")
    tile = ndvi_series()
    return apart(Composite()(tile).ndvi, bottleneck.nanmedian(tile.ndvi.values, axis=0))


def _mean_against_numpy() -> float:
    tile = spectra()
    return apart(Composite("mean")(tile).red, quiet(np.nanmean, tile.red.values.astype("f8"), axis=0))


def _converged(points: Any) -> Any:
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 3:
        return points.mean(axis=0) if len(points) else np.full(points.shape[1], np.nan)
    centre = points.mean(axis=0)
    for _ in range(100_000):
        away = np.linalg.norm(points - centre, axis=1)
        if not away.all():
            break
        new = (points / away[:, None]).sum(axis=0) / (1 / away).sum()
        moved, centre = np.abs(new - centre).max(), new
        if moved < 1e-15:
            break
    return min([centre, *points], key=lambda p: np.linalg.norm(points - p, axis=1).sum())


def _geomedian_against_weiszfeld(dates: int = 24) -> float:
    tile = spectra(dates, 10)
    bands, out = stacked(tile), Composite("geomedian")(tile)
    found = np.stack([out[name].values for name in BANDS], axis=-1)
    expected = np.array([[_converged(bands[:, :, y, x]) for x in range(10)] for y in range(10)])
    return apart(found, expected)


def _geomedian_against_geomad() -> float:
    geomad = pytest.importorskip("geomad")
    tile = spectra(40, 20)
    cube = np.ascontiguousarray(stacked(tile).transpose(2, 3, 1, 0), np.float32)
    expected = geomad.nangeomedian_pcm(cube, num_threads=1, eps=1e-7)
    out = Composite("geomedian")(tile)
    return apart(np.stack([out[name].values for name in BANDS], axis=-1), expected)


def _medoid_against_numpy() -> float:
    tile = spectra()
    bands = stacked(tile)
    away = np.sqrt(((bands[:, None] - bands[None]) ** 2).sum(axis=2))
    sums = np.where(np.isnan(bands[:, 0]), np.inf, np.nansum(away, axis=1))
    expected = np.where(np.isinf(sums).all(axis=0), -1, sums.argmin(axis=0))
    return float((Composite("medoid", date="chosen")(tile).chosen.values != expected).sum())


def _max_ndvi_against_numpy() -> float:
    tile = spectra()
    red, nir = tile.red.values.astype("f8"), tile.nir.values.astype("f8")
    ndvi = (nir - red) / (nir + red)
    ndvi = np.where((nir + red > 0) & (np.abs(ndvi) <= 1), ndvi, -np.inf)
    index = ndvi.argmax(axis=0)
    expected = np.take_along_axis(tile.swir16.values, index[None], 0)[0]
    return apart(Composite("max_ndvi")(tile).swir16, np.where(np.isinf(ndvi.max(axis=0)), np.nan, expected))


def _best_pixel_against_numpy() -> float:
    tile = spectra()
    score = -tile.blue.values.astype("f8")
    days = (tile.time.values - np.datetime64("2024-03-01", "ns")) / np.timedelta64(1, "D")
    score += np.exp(-0.5 * (days / 25) ** 2)[:, None, None]
    index = np.where(np.isnan(score), -np.inf, score).argmax(axis=0)
    index[np.isnan(score).all(axis=0)] = -1
    op = Composite(
        "best_pixel",
        quality="blue",
        prefer="lowest",
        target_date="2024-03-01",
        date_width=25.0,
        date="chosen",
    )
    return float((op(tile).chosen.values != index).sum())


def _monthly_against_pandas(rule: str = "MS", every: str = "monthly") -> float:
    import pandas

    tile = ndvi_series().isel(y=slice(0, 20), x=slice(0, 20))
    table = pandas.DataFrame(tile.ndvi.values.reshape(68, -1).astype("f8"), tile.time.values)
    origin = {"origin": "epoch"} if rule[0].isdigit() else {}
    expected = table.resample(rule, closed="left", label="left", **origin).mean()
    out = ResampleTime(every, "mean")(tile)
    if not np.array_equal(out.time.values, expected.index.values.astype("datetime64[ns]")):
        return float("inf")
    return apart(out.ndvi.values.reshape(len(expected), -1), expected.to_numpy())


def _weekly_against_pandas() -> float:
    return _monthly_against_pandas("W-MON", "weekly")


def _days_against_pandas() -> float:
    return _monthly_against_pandas("10D", "10D")


def _difference_against_numpy() -> float:
    tile = spectra()
    red = tile.red.values.astype("f8")
    expected = ((red[9] - red[2]) / np.abs(red[2])).astype("f4")
    return apart(Difference(2, 9, relative=True)(tile).red, expected)


def _years(tile: xr.Dataset) -> Any:
    return (tile.time.values - tile.time.values[0]) / np.timedelta64(1, "D") / 365.242198781


def _trend_against_scipy() -> float:
    "Slope, intercept and both bounds, on NDVI of Slovenia with clouds as gaps."
    from scipy import stats

    tile = ndvi_series().isel(y=slice(0, 12), x=slice(0, 12))
    years, ndvi = _years(tile), tile.ndvi.values.astype("f8")
    expected = np.full((4, 12, 12), np.nan)
    for y, x in np.ndindex(12, 12):
        valid = ~np.isnan(ndvi[:, y, x])
        if valid.sum() >= 3:
            expected[:, y, x] = stats.theilslopes(ndvi[valid, y, x], years[valid], 0.9)
    found = TheilSenTrend(confidence=0.9)(tile)
    ends = ("slope", "intercept", "slope_low", "slope_high")
    return max(apart(found[f"ndvi_{end}"], expected[i]) for i, end in enumerate(ends))


def _ties(dates: int = 30) -> xr.Dataset:
    """Series of few different values: many ties."""
    tile = spectra(dates, 12)
    return tile.assign(red=tile.red.round(1))


def _tau_against_scipy() -> float:
    from scipy import stats

    tile = _ties()
    red, expected = tile.red.values.astype("f8"), np.full((12, 12), np.nan)
    for y, x in np.ndindex(12, 12):
        valid = ~np.isnan(red[:, y, x])
        if valid.sum() >= 5:
            expected[y, x] = stats.kendalltau(np.arange(30)[valid], red[valid, y, x]).statistic
    return apart(MannKendall(("red",))(tile).red_tau, expected)


def _p_against_pymannkendall() -> float:
    peer = pytest.importorskip("pymannkendall")
    tile = _ties()
    expected = np.full((2, 12, 12), np.nan)
    for y, x in np.ndindex(12, 12):
        one = tile.red.values[:, y, x].astype("f8")
        if (~np.isnan(one)).sum() >= 5:
            result = peer.original_test(one)
            expected[:, y, x] = result.p, result.s
    found = MannKendall(("red",))(tile)
    return max(apart(found.red_p, expected[0]), apart(found.red_s, expected[1]))


def _seasons_against_pymannkendall() -> float:
    "Six years of months, with gaps and ties."
    peer = pytest.importorskip("pymannkendall")
    tile = _ties(72)
    months = np.datetime64("2018-01", "M") + np.arange(72)
    tile = tile.assign_coords(time=months.astype("datetime64[ns]"))
    expected = np.full((2, 12, 12), np.nan)
    for y, x in np.ndindex(12, 12):
        result = peer.seasonal_test(tile.red.values[:, y, x].astype("f8"), period=12)
        expected[:, y, x] = result.p, result.s
    found = MannKendall(("red",), season="month")(tile)
    return max(apart(found.red_p, expected[0]), apart(found.red_s, expected[1]))


def _burn_against_numpy(metric: str = "dnbr") -> float:
    tile = spectra()
    nir, swir = tile.nir.values.astype("f8"), tile.swir22.values.astype("f8")
    nbr = (nir - swir) / (nir + swir)
    by = {"dnbr": 1.0, "rdnbr": np.sqrt(abs(nbr[3])), "rbr": nbr[3] + 1.001}[metric]
    expected = ((nbr[3] - nbr[8]) / by).astype("f4")
    breaks = (-0.25, -0.1, 0.1, 0.27, 0.44, 0.66)
    found = BurnSeverity(3, 8, metric, breaks)(tile)
    classes = np.where(np.isnan(expected), 0, np.digitize(expected, np.array(breaks, "f4")) + 1)
    if not np.array_equal(found.severity.values, classes):
        return float("inf")
    return apart(found[metric], expected)


UNSORTED = "test_gap_fill.py::test_unsorted_and_missing_times_are_refused"
EMPTY = "test_composite.py::test_an_empty_stack_and_a_missing_dimension_are_refused"
UNFIT = "test_composite.py::test_bands_that_do_not_fit_are_refused"
TWICE = "test_resample_time.py::test_unsorted_and_duplicate_times_are_refused"
SERIES = "test_trend.py::test_stacks_that_do_not_fit"
BURN = "test_burn.py::test_wrong_stacks_are_refused"
COUNTED = "test_monthly.py::test_counting_dates_needs_a_stack_and_its_band"
WRONG = "test_difference.py::test_a_missing_stack_and_wrong_values_are_refused"


def _counts_against_numpy() -> float:
    tile = spectra()
    found = CountDates("nir", "dates")(tile)["dates"].values
    return float(np.abs(found.astype(int) - np.isfinite(tile["nir"].values).sum(0)).max())


def _required_against_numpy() -> float:
    """Of counts before and after a mask: what stays, and the share that was clear."""
    tile = spectra()
    seen = CountDates("red", "seen_dates")(tile)
    seen["red"] = seen["red"].where(np.random.default_rng(3).random(seen["red"].shape) > 0.6)
    clear = Composite("median", ("red",), count="observations")(CountDates("red", "clear_dates")(seen))
    found = RequireObservations(("red",), least=8)(clear)
    here, there = np.isfinite(seen["red"].values).sum(0), np.isfinite(tile["red"].values).sum(0)
    kept = np.where(here >= 8, clear["red"].values, np.nan)
    assert np.isnan(kept).any() and np.isfinite(kept).any()
    np.testing.assert_array_equal(found["red"].values, kept)
    return float(np.nanmax(np.abs(found["clear_share"].values - here / there)))


class TestTemporal(ReferenceSuite):
    module = "geotoolz.temporal"
    references = (
        Reference(LinearGapFill, "xarray.DataArray.interpolate_na (Slovenia)", _fill_against_xarray,
                  6e-8, bad_input=UNSORTED),
        Reference(LinearGapFill, "numpy.interp in float64, with max_gap", _fill_against_numpy, 6e-8,
                  bad_input=UNSORTED),
        Reference(Composite, "median: numpy.nanmedian in float64", _median_against_numpy, 0, bad_input=EMPTY),
        Reference(Composite, "median: bottleneck.nanmedian (Slovenia)", _median_against_bottleneck,
                  6e-8, bad_input=EMPTY),
        Reference(Composite, "mean: numpy.nanmean in float64", _mean_against_numpy, 6e-8, bad_input=EMPTY),
        Reference(Composite, "geomedian: Weiszfeld in float64 until nothing moves (24 dates)",
                  _geomedian_against_weiszfeld, 1e-6, bad_input=UNFIT),
        Reference(Composite, "geomedian: the same with 5 dates, where geomad 1.0 is 0.1 off",
                  lambda: _geomedian_against_weiszfeld(5), 1e-6, bad_input=UNFIT),
        Reference(Composite, "geomedian: geomad.nangeomedian_pcm, eps 1e-7 (40 dates)",
                  _geomedian_against_geomad, 2e-6, bad_input=UNFIT),
        Reference(Composite, "medoid: numpy in float64 (Roberts et al. 2017)", _medoid_against_numpy, 0,
                  "pixels that differ", bad_input=UNFIT),
        Reference(Composite, "max_ndvi: numpy argmax in float64", _max_ndvi_against_numpy, 0,
                  bad_input=UNFIT),
        Reference(Composite, "best_pixel: the documented score in numpy", _best_pixel_against_numpy, 0,
                  "pixels that differ", bad_input=UNFIT),
        Reference(CountDates, "numpy.isfinite and sum", _counts_against_numpy, 0, "dates", bad_input=COUNTED),
        Reference(RequireObservations, "numpy.where on counts, share in float64", _required_against_numpy,
                  6e-8, bad_input=COUNTED),
        Reference(ResampleTime, "pandas resample('MS').mean() (Slovenia)", _monthly_against_pandas,
                  6e-8, bad_input=TWICE),
        Reference(ResampleTime, "pandas resample('W-MON').mean()", _weekly_against_pandas, 6e-8,
                  bad_input=TWICE),
        Reference(ResampleTime, "pandas resample('10D', origin='epoch').mean()", _days_against_pandas, 6e-8,
                  bad_input=TWICE),
        Reference(Difference, "numpy in float64, relative", _difference_against_numpy, 0, bad_input=WRONG),
        Reference(TheilSenTrend, "scipy.stats.theilslopes, with bounds (Slovenia)", _trend_against_scipy,
                  2e-6, bad_input=SERIES),
        Reference(MannKendall, "tau: scipy.stats.kendalltau, with ties", _tau_against_scipy, 6e-8,
                  bad_input=SERIES),
        Reference(MannKendall, "S and p: pymannkendall.original_test, with ties and gaps",
                  _p_against_pymannkendall, 6e-8, bad_input=SERIES),
        Reference(MannKendall, "season: pymannkendall.seasonal_test, six years of months",
                  _seasons_against_pymannkendall, 6e-8, bad_input=SERIES),
        Reference(BurnSeverity, "dNBR and numpy.digitize in numpy", _burn_against_numpy, 0, bad_input=BURN),
        Reference(BurnSeverity, "RdNBR as published, in numpy", lambda: _burn_against_numpy("rdnbr"), 0,
                  bad_input=BURN),
        Reference(BurnSeverity, "RBR as published, in numpy", lambda: _burn_against_numpy("rbr"), 0,
                  bad_input=BURN),
    )  # fmt: skip
