"""Assertions: exact counts, pixels untouched, decided before anything is published."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    PREPROCESSED,
    ParameterError,
    QCError,
    QCWarning,
    Sequential,
    Sink,
    freeze,
    run,
    run_detailed,
    tile_from_arrays,
)
from geotoolz.qc import AssertSchema, AssertValidFraction, AssertValueRange, assert_valid_fraction
from geotoolz.radiometry import BoxMean, MinMax


def tile(nodata: Any = None, **bands: Any) -> xr.Dataset:
    arrays = {n: np.atleast_2d(v) for n, v in bands.items()}
    box = GeoBox(next(iter(arrays.values())).shape[-2:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    attrs = {"platform": "sentinel-2a", "tile_id": "T33"}
    return tile_from_arrays(arrays, box, attrs=attrs, nodata=dict.fromkeys(arrays, nodata))


QUARTER = np.array([[0, 0, 0, 7]], "u2")


@pytest.mark.parametrize(("share", "passes"), [(0.0, True), (0.25, True), (0.2500001, False), (1.0, False)])
def test_valid_fraction_counts_exactly(share: float, passes: bool) -> None:
    ds = tile(0, red=QUARTER)
    if passes:
        xr.testing.assert_identical(AssertValidFraction(share)(ds), ds)
    else:
        with pytest.raises(QCError, match=r"red has 25\.0% valid pixels \(tile T33\); expected at least"):
            AssertValidFraction(share)(ds)


def test_nan_and_no_data_both_count_as_missing() -> None:
    ds = tile(-1.0, red=np.array([[np.nan, -1, 0, np.inf]], "f4"))
    assert run_detailed(AssertValidFraction(0.0), ds).statistics == {"": {"red": 0.5}}


def test_every_band_must_reach_it_and_the_chosen_ones_only() -> None:
    ds = tile(0, red=QUARTER, nir=QUARTER + np.uint16(1))
    with pytest.raises(QCError, match="red has"):
        AssertValidFraction(0.5)(ds)
    assert_valid_fraction(ds, 0.5, bands=("nir",))
    assert_valid_fraction(ds, 0.5, bands=("B08",))


def test_nothing_valid_and_nothing_at_all() -> None:
    for ds in (tile(0, red=np.zeros((3, 3), "u2")), tile(0, red=np.zeros((0, 3), "u2"))):
        with pytest.raises(QCError, match=r"0\.0%"):
            AssertValidFraction(0.01)(ds)
        AssertValidFraction(0.0)(ds)
        AssertValueRange(0, 1)(ds)  # there is no value outside


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_are_shares(share: float) -> None:
    with pytest.raises(ParameterError):
        AssertValidFraction(share)
    with pytest.raises(ParameterError):
        AssertValueRange(0, 1, max_outside=share)


def test_warning_instead_of_error() -> None:
    ds = tile(0, red=QUARTER)
    for op in (
        AssertValidFraction(0.9, on_fail="warn"),
        AssertValueRange(0, 1, on_fail="warn"),
        AssertSchema(["nir"], on_fail="warn"),
    ):
        with pytest.warns(QCWarning, match=type(op).__name__):
            out = op(ds)
        xr.testing.assert_identical(out, ds)


def test_value_range_counts_valid_pixels_only_and_ends_are_inside() -> None:
    ds = tile(0, red=np.array([[0, 1, 5, 10]], "u2"))
    xr.testing.assert_identical(AssertValueRange(1, 10)(ds), ds)
    with pytest.raises(QCError, match=r"red lies in 1 … 10, 1 of 3 pixels outside .*expected 1 … 9"):
        AssertValueRange(1, 9)(ds)
    AssertValueRange(1, 9, max_outside=0.34)(ds)
    with pytest.raises(QCError, match=r"but for 33\.00%"):
        AssertValueRange(1, 9, max_outside=0.33)(ds)
    with pytest.raises(QCError, match="inf"):
        AssertValueRange(0, 1)(tile(None, red=np.array([[0.5, np.inf]], "f4")))
    AssertValueRange(0, 1)(tile(None, red=np.array([[0.5, np.nan]], "f4")))
    with pytest.raises(ParameterError, match="min_val ≤ max_val"):
        AssertValueRange(2, 1)


def test_schema() -> None:
    ds = tile(0, red=QUARTER, nir=QUARTER)
    xr.testing.assert_identical(AssertSchema(["B04", "nir"], {"red": "uint16"})(ds), ds)
    with pytest.raises(QCError) as info:
        AssertSchema(["nirr", "blue"], {"red": "float32", "scl": "uint8"})(ds)
    for part in (
        "nirr is missing (did you mean 'nir'?)",
        "blue is missing",
        "red is uint16 instead of float32",
        "scl is",
    ):
        assert part in str(info.value)
    with pytest.raises(QCError) as info:
        AssertSchema(schema="preprocessed")(ds)
    for name in set(PREPROCESSED.variables) - {"red", "nir"}:
        assert f"{name} is missing" in str(info.value)
    for wrong in ({}, {"dtypes": {"red": "float99"}}, {"schema": "raw"}):
        with pytest.raises(ParameterError):
            AssertSchema(**wrong)  # type: ignore[arg-type]


class _Publishes(Sink):
    """Must not be reached."""

    def write(self, tile: xr.Dataset, *, created: tuple[str, ...]) -> tuple[str, ...]:
        pytest.fail("something bad was published")


def test_the_decision_falls_before_the_sink() -> None:
    op = Sequential([AssertValidFraction(0.9), BoxMean(1), _Publishes()])
    for kwargs in ({}, {"window": (1, 2), "threads": 2}):
        with pytest.raises(QCError):
            run(op, tile(0, red=QUARTER), **kwargs)  # type: ignore[arg-type]


def test_windows_threads_and_chunks_count_the_same() -> None:
    values = np.random.default_rng(0).integers(0, 3, (40, 41)).astype("u2")
    ds = tile(0, red=values)
    share = float((values != 0).mean())
    op = Sequential([AssertValidFraction(share), AssertValueRange(1, 2)])
    for window in ((1, 1), (7, 9), (50, 50)):
        result = run_detailed(op, ds, window=window, threads=2)
        assert result.statistics["operators[0]"] == {"red": share}
        assert result.statistics["operators[1]"]["red"].valid == (values != 0).sum()
    xr.testing.assert_identical(op(ds.chunk(y=7, x=11)).compute(), ds)
    lazy = Sequential([AssertValidFraction(share + 1e-9)])(ds.chunk(y=7))
    with pytest.raises(QCError):
        lazy.compute()


def test_an_assertion_sees_its_place_in_the_pipeline() -> None:
    ds = tile(None, red=np.array([[1.0, 5.0]], "f4"))
    Sequential([MinMax(), AssertValueRange(0, 1)])(ds)
    frozen = freeze(Sequential([AssertValueRange(1, 5), MinMax(), AssertValueRange(0, 1)]), ds)
    frozen(ds)
    with pytest.raises(QCError):
        Sequential([AssertValueRange(0, 1), MinMax()])(ds)


def test_several_fail_in_order() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(QCError, match="AssertValueRange"):
            Sequential([AssertValueRange(0, 1), AssertValidFraction(1.0)])(tile(0, red=QUARTER))
