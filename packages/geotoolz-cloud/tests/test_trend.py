"""Trends of series, by hand and against pairs that are written out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import ParameterError, QuantityError, TileError, tile_from_arrays
from geotoolz.temporal import MannKendall, TheilSenTrend

YEAR = 365.242198781


def series(
    values: Any, days: Any = None, *, quantity: str = "index", start: str = "2020-01-01"
) -> xr.Dataset:
    """A stack of one pixel per column of `values` (dates, pixels), float64."""
    cube = np.asarray(values, np.float64)
    cube = cube.reshape(len(cube), 1, -1)
    box = GeoBox(cube.shape[1:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    tile = tile_from_arrays(
        {"ndvi": (("time", "y", "x"), cube)}, box, var_attrs={"ndvi": {"quantity": quantity, "units": "1"}}
    )
    steps = np.arange(len(cube)) * YEAR if days is None else np.asarray(days, float)
    return tile.assign_coords(time=np.datetime64(start, "ns") + (steps * 86400e9).astype("timedelta64[ns]"))


def slope(values: Any, days: Any = None, **about: Any) -> xr.Dataset:
    return TheilSenTrend(**about)(series(values, days))


def test_slope_by_hand() -> None:
    # slopes of the pairs: 1, 2, 3, 3, 4, 5 -> (3 + 3) / 2 = 3; 0 - 3 · 1.5 + 2.5 ...
    found = slope([0.0, 1.0, 4.0, 9.0])
    assert found.ndvi_slope.item() == pytest.approx(3.0)
    assert found.ndvi_intercept.item() == pytest.approx(2.5 - 3 * 1.5)
    assert found.ndvi_slope.attrs["units"] == "year-1"
    assert "at 2020-01-01T00:00:00Z" in found.ndvi_intercept.attrs["long_name"]
    assert "ndvi" not in found and "time" not in found.dims
    assert found.attrs["start_datetime"] == "2020-01-01T00:00:00Z"


def test_a_wild_date_and_gaps_move_nothing() -> None:
    line = 0.2 + 0.01 * np.arange(9.0)
    wild = line.copy()
    wild[4], wild[6], wild[7] = 55.0, np.nan, np.inf
    found = slope(np.stack([line, wild], axis=1))
    assert found.ndvi_slope.values[0].tolist() == pytest.approx([0.01, 0.01])
    assert found.ndvi_intercept.values[0, 0] == pytest.approx(0.2)


def test_times_are_real() -> None:
    days = [0.0, 3.0, 400.0, 401.0, 1000.0]
    values = 0.5 + 0.02 * np.array(days) / YEAR
    assert slope(values, days).ndvi_slope.item() == pytest.approx(0.02)
    later = TheilSenTrend(since="2019-01-01")(series(values, days))
    assert later.ndvi_intercept.item() == pytest.approx(0.5 - 0.02 * 365 / YEAR)
    assert later.ndvi_slope.item() == slope(values, days).ndvi_slope.item()


def test_too_few_observations_are_no_data() -> None:
    gaps = [0.1, np.nan, 0.3, np.nan]
    assert slope(gaps, min_obs=2).ndvi_slope.item() == pytest.approx(0.1)
    assert np.isnan(slope(gaps).ndvi_slope.item())
    assert np.isnan(MannKendall(min_obs=3)(series(gaps)).ndvi_p.item())


def test_bounds_hold_the_slope() -> None:
    rng = np.random.default_rng(4)
    values = 0.3 * np.arange(20)[:, None] + rng.normal(0, 1, (20, 50))
    found = slope(values, confidence=0.95)
    low, high = found.ndvi_slope_low.values, found.ndvi_slope_high.values
    assert (low <= found.ndvi_slope.values).all() and (found.ndvi_slope.values <= high).all()
    inside = ((low <= 0.3) & (high >= 0.3)).mean()
    assert 0.85 < inside <= 1.0
    narrow = slope(values, confidence=0.5)
    assert ((narrow.ndvi_slope_high - narrow.ndvi_slope_low) < (high - low)).mean() > 0.95
    assert found.ndvi_slope_low.attrs["long_name"].startswith("lower 95 % confidence bound")


def test_mann_kendall_by_hand() -> None:
    # n = 5, rising: S = 10, Var = 5 · 4 · 15 / 18 = 16.67, z = 9 / 4.082 = 2.2045, p = 0.02749
    rising, equal, one_tie = np.arange(5.0), np.ones(5), np.array([1.0, 1.0, 2.0, 3.0, 4.0])
    found = MannKendall()(series(np.stack([rising, rising[::-1], equal, one_tie], axis=1)))
    assert found.ndvi_s.values[0].tolist() == [10, -10, 0, 9]
    assert found.ndvi_tau.values[0, :2].tolist() == [1, -1]
    assert np.isnan(found.ndvi_tau.values[0, 2])
    assert found.ndvi_tau.values[0, 3] == pytest.approx(9 / math.sqrt(10 * 9))
    assert found.ndvi_p.values[0, :3] == pytest.approx([0.027486, 0.027486, 1.0], abs=1e-6)
    z = 8 / math.sqrt((5 * 4 * 15 - 2 * 1 * 9) / 18)
    assert found.ndvi_p.values[0, 3] == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-6)


def test_seasons_are_compared_with_themselves() -> None:
    # four years of quarters: within a year up and down, from year to year one step down
    cycle, years = np.array([0.0, 5.0, 9.0, 3.0]), np.arange(4.0)
    values = (cycle[None, :] - years[:, None]).reshape(-1)
    days = (years[:, None] * 365 + np.array([20, 110, 200, 290])).reshape(-1)
    found = MannKendall(season="quarter")(series(values, days))
    assert found.ndvi_s.item() == -4 * 6
    assert found.ndvi_tau.item() == pytest.approx(-1)
    variance = 4 * (4 * 3 * 13) / 18
    assert found.ndvi_p.item() == pytest.approx(math.erfc(23 / math.sqrt(variance) / math.sqrt(2)), rel=1e-5)
    assert MannKendall()(series(values, days)).ndvi_p.item() > 0.1
    month = MannKendall(season="month")(series(values, days))
    assert month.ndvi_s.item() == -24  # January, April, July, October


NUMBERS = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3, width=32), st.just(math.nan)),
    min_size=3,
    max_size=12,
)


@given(NUMBERS, st.data())
@settings(max_examples=60)
def test_against_all_pairs(values: list[float], data: st.DataObject) -> None:
    gaps = data.draw(st.lists(st.integers(1, 400), min_size=len(values), max_size=len(values)))
    days = np.cumsum(gaps).astype(float)
    tile = series(values, days)
    valid = [(day / YEAR, value) for day, value in zip(days, values, strict=True) if value == value]
    found, test = TheilSenTrend(min_obs=2)(tile), MannKendall(min_obs=3)(tile)
    pairs = list(itertools.combinations(valid, 2))
    if pairs:
        expected = np.median([(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs])
        assert found.ndvi_slope.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    else:
        assert np.isnan(found.ndvi_slope.item())
    if len(valid) >= 3:
        assert test.ndvi_s.item() == sum((b[1] > a[1]) - (b[1] < a[1]) for a, b in pairs)
        assert 0 < test.ndvi_p.item() <= 1


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=15), st.floats(-5, 5), st.floats(0.1, 9))
@settings(max_examples=40)
def test_a_line_more_is_a_slope_more(values: list[float], more: float, factor: float) -> None:
    years = np.arange(len(values), dtype=float)
    plain = slope(values, years * YEAR)
    tilted = slope(np.array(values) + more * years, years * YEAR)
    scaled = slope(np.array(values) * factor, years * YEAR)
    assert tilted.ndvi_slope.item() == pytest.approx(plain.ndvi_slope.item() + more, rel=1e-6, abs=1e-6)
    assert scaled.ndvi_slope.item() == pytest.approx(plain.ndvi_slope.item() * factor, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("op", [TheilSenTrend(), MannKendall(min_obs=3)])
def test_stacks_that_do_not_fit(op: Any) -> None:
    good = series(np.arange(6.0))
    for tile, text in (
        (good.isel(time=slice(2)), "got a stack of 2 dates; expected min_obs=3 at least"),
        (good.isel(time=[0, 2, 1, 3]), "go back after position 1"),
        (good.isel(time=[0, 1, 1, 3]), "same time at positions 1"),
        (good.isel(time=0, drop=True), "time"),
        (good.drop_vars("time"), "time"),
    ):
        with pytest.raises(TileError, match=text):
            op(tile)
    with pytest.raises(TileError, match="holds flags"):
        op.replace(bands=("ndvi",))(series(np.arange(6.0), quantity="flags"))


@pytest.mark.parametrize("op", [TheilSenTrend(), MannKendall()])
def test_values_that_mean_nothing_are_refused(op: Any) -> None:
    tile = series(np.arange(6.0), quantity="dn")
    tile.ndvi.attrs.update(scale_factor=1e-4, add_offset=-0.1)
    with pytest.raises(QuantityError, match="digital numbers with an offset"):
        op(tile)
    with pytest.raises(QuantityError, match="stretched"):
        op(series(np.arange(6.0), quantity="stretched"))


def test_parameters() -> None:
    for make, text in (
        (lambda: TheilSenTrend(min_obs=1), "min_obs=1"),
        (lambda: TheilSenTrend(confidence=95.0), "confidence=95.0"),
        (lambda: TheilSenTrend(since="soon"), "since='soon'"),
        (lambda: MannKendall(min_obs=2), "min_obs=2"),
    ):
        with pytest.raises(ParameterError, match=text):
            make()
