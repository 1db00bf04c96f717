"""Percentiles: NumPy's, to the bit, in any number of parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geotoolz.core import ParameterError, QuantityError, TileSpec, freeze
from geotoolz.radiometry import Extremes, MinMax, PercentileClip, Percentiles
from geotoolz.radiometry._extremes import extremes

One = Callable[..., xr.Dataset]
Q = (0.0, 0.1, 2.0, 25.0, 50.0, 63.7, 98.0, 100.0)


def expected(values: Any, q: Any = Q) -> tuple[float, ...]:
    flat = np.asarray(values).astype("f8").ravel()
    flat = flat[~np.isnan(flat)]
    return tuple(np.percentile(flat, q)) if flat.size else (np.nan,) * len(q)


def parts(reduce: Percentiles, blocks: list[np.ndarray[Any, Any]], spec: TileSpec, workers: int = 2) -> Any:
    result = None
    for _ in range(reduce.n_passes(spec)):
        states = [reduce.init(spec, result) for _ in range(workers)]
        for i, block in enumerate(blocks):
            states[i % workers] = reduce.update(states[i % workers], block)
        total = states[0]
        for other in states[1:]:
            total = reduce.merge(total, other)
        result = reduce.finish(total)
    return result


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_every_dtype(one: One, dtype: str) -> None:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        values = (rng.standard_normal((40, 41)) * 10.0 ** rng.integers(-9, 9, (40, 41))).astype(dtype)
    else:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, (40, 41), dtype, endpoint=True)
    assert Percentiles(q=Q)(one(values))["red"] == expected(values)
    assert Percentiles(q=Q)(one(values.reshape(-1, 5)))["red"] == expected(values)


@settings(max_examples=150)
@given(
    st.sampled_from(["u1", "u2", "i2", "f4", "f8"]).flatmap(
        lambda d: hnp.arrays(
            d,
            st.tuples(st.integers(1, 5), st.integers(1, 5)),
            elements=hnp.from_dtype(np.dtype(d), allow_nan=True, allow_infinity=False)
            if d[0] == "f"
            else st.integers(np.iinfo(d).min, np.iinfo(d).max),
        )
    ),
    st.lists(st.floats(0, 100), min_size=1, max_size=3),
    st.integers(1, 3),
)
@example(np.array([[-0.0, 0.0, np.nan]], "f4"), [50.0], 1)
@example(np.full((3, 3), 7, "u2"), [2.0, 98.0], 2)
@example(np.array([[-32768, 32767]], "i2"), [50.0], 1)
def test_against_numpy(values: np.ndarray[Any, Any], q: list[float], workers: int) -> None:
    ds = xr.Dataset(
        {"red": (("y", "x"), values)}, coords={"y": range(values.shape[0]), "x": range(values.shape[1])}
    )
    with np.errstate(all="ignore"):
        want = expected(values, q)
        if not np.isfinite(want).all() and not np.isnan(values.astype("f8")).all():
            return  # NumPy's own difference overflowed
        got = parts(Percentiles(("red",), tuple(q)), list(values[:, None, :]), TileSpec.of(ds), workers)[
            "red"
        ]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("nodata", [0, 7, 65535])
def test_no_data_does_not_count(one: One, nodata: int) -> None:
    values = np.array([[0, 0, 7, 7, 65535, 3, 4, 5]], "u2")
    got = Percentiles(q=Q)(one(values, nodata))["red"]
    assert got == expected(values[values != nodata])


def test_no_data_of_floats(one: One) -> None:
    values = np.array([[-9999.0, np.nan, 1.0, 2.0, 4.0]], "f4")
    assert Percentiles(q=(50.0,))(one(values, -9999.0))["red"] == (2.0,)
    assert Percentiles(q=(50.0,))(one(values, np.nan))["red"] == (1.5,)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_nan_of_any_pattern(one: One, dtype: str) -> None:
    rng = np.random.default_rng(0)
    width = 8 * np.dtype(dtype).itemsize
    values = rng.standard_normal((9, 11)).astype(dtype)
    bits = values.view(f"u{width // 8}").ravel()
    top = (0x7F8 << 20) if width == 32 else (0x7FF << 52)
    for place, pattern in enumerate(
        (top + 1, top + (1 << 16), (1 << width) - 1, (1 << (width - 1)) + top + 1)
    ):
        bits[place * 7] = pattern
    assert np.isnan(values).sum() == 4
    values.ravel()[50] = np.inf
    values.ravel()[51] = -np.inf
    q = (0.0, 1.5, 50.0, 98.0, 100.0)
    got = Percentiles(q=q)(one(values))["red"]
    with np.errstate(invalid="ignore"):  # NumPy interpolates between infinities
        assert got[1:4] == expected(values, q)[1:4]
    assert (got[0], got[4]) == (-np.inf, np.inf)
    assert (got.n, got.rank_error()) == (95, 0.0)


def test_zeros_of_both_signs(one: One) -> None:
    values = np.array([[-0.0, 0.0, 0.0, -0.0]], "f4")
    for order in (values, values[:, ::-1]):
        assert repr(Extremes()(one(order))["red"]) == "(0.0, 0.0)"
        assert repr(Percentiles(q=(0.0, 100.0))(one(order))["red"]) == "(-0.0, 0.0)"


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_nothing_valid(one: One, dtype: str) -> None:
    assert np.isnan(Percentiles(q=Q)(one(np.zeros((3, 3), dtype), 0))["red"]).all()
    assert np.isnan(Extremes()(one(np.zeros((3, 3), dtype), 0))["red"]).all()
    assert np.isnan(Percentiles(q=Q)(one(np.zeros((0, 3), dtype)))["red"]).all()


def test_infinities_are_values(one: One) -> None:
    values = np.array([[-np.inf, 1.0, 2.0, 3.0, np.inf]], "f4")
    got = Percentiles(q=(0.0, 25.0, 50.0, 100.0))(one(values))["red"]
    assert got == (-np.inf, 1.0, 2.0, np.inf)
    assert Extremes()(one(values))["red"] == (-np.inf, np.inf)
    many = np.array([[np.inf, np.inf, np.inf, 1.0]], "f4")
    assert Percentiles(q=(90.0,))(one(many))["red"] == (np.inf,)


def test_plateaus(one: One) -> None:
    values = np.repeat(np.array([1, 1, 1, 1, 5], "u1"), 20).reshape(10, 10)
    assert Percentiles(q=(0.0, 50.0, 79.0, 100.0))(one(values))["red"] == expected(values, (0, 50, 79, 100))
    assert freeze(PercentileClip(2, 98), one(np.full((4, 4), 3, "u2"))).limits == {"red": (3.0, 3.0)}


def test_bands_of_different_width_together(one: One) -> None:
    rng = np.random.default_rng(1)
    ds = one(rng.integers(0, 255, (6, 6)).astype("u1"))
    ds["nir"] = (("y", "x"), rng.random((6, 6)))
    ds["blue"] = (("y", "x"), rng.random((6, 6)).astype("f4"))
    ds["void"] = (("y", "x"), np.full((6, 6), np.nan))
    got = Percentiles(q=Q)(ds)
    for name in ("red", "nir", "blue"):
        assert got[name] == expected(ds[name].values)
    assert np.isnan(got["void"]).all()


@pytest.mark.parametrize("q", [(), (-1.0,), (101.0,), (float("nan"),)])
def test_wrong_percentiles(q: tuple[float, ...]) -> None:
    with pytest.raises(ParameterError):
        Percentiles(q=q)


def test_clip_and_stretch_by_hand(one: One) -> None:
    ds = one(np.array([[0, 10, 20, 30, 40, 50]], "u2"), 0)
    clipped = PercentileClip(limits={"red": (15.0, 42.5)})(ds).red
    np.testing.assert_array_equal(clipped, np.array([[np.nan, 15, 20, 30, 40, 42.5]], "f4"))
    assert clipped.dtype == np.float32
    assert clipped.attrs["quantity"] == "stretched"
    np.testing.assert_allclose(
        MinMax(limits={"red": (10.0, 30.0)})(ds).red.values, [[np.nan, 0, 0.5, 1, 1.5, 2]]
    )
    np.testing.assert_allclose(
        MinMax(limits={"red": (10.0, 30.0)}, clip=True)(ds).red.values, [[np.nan, 0, 0.5, 1, 1, 1]]
    )
    np.testing.assert_array_equal(MinMax()(ds).red.values[0], np.array([np.nan, 0, 0.25, 0.5, 0.75, 1], "f4"))


def test_no_spread_is_no_data(one: One) -> None:
    assert MinMax()(one(np.full((2, 2), 5, "u2"))).red.isnull().all()
    assert PercentileClip()(one(np.full((2, 2), 5, "u2"))).red.values.tolist() == [[5, 5], [5, 5]]


def test_limits_follow_roles(one: One) -> None:
    ds = one(np.array([[1, 3]], "u2"), band="nir08", platform="landsat-8")
    out = MinMax(limits={"nir": (1.0, 3.0)})(ds)
    assert out.nir08.values.tolist() == [[0.0, 1.0]]


def test_two_limits_for_one_band(one: One) -> None:
    ds = one(np.array([[1, 3]], "u2"), platform="sentinel-2a")
    with pytest.raises(ParameterError, match="for one band"):
        MinMax(limits={"red": (1.0, 3.0), "B04": (0.0, 1.0)})(ds)


def test_stretching_the_stretched_is_allowed_and_reflectance_is_not_made_of_it(one: One) -> None:
    from geotoolz.radiometry import DNToReflectance

    ds = MinMax()(
        one(np.array([[1, 3]], "u2"), attrs={"quantity": "dn", "scale_factor": 1e-4, "add_offset": -0.1})
    )
    assert "scale_factor" not in ds.red.attrs
    assert PercentileClip()(ds).red.attrs["quantity"] == "stretched"
    with pytest.raises(QuantityError, match="leave DNToReflectance out"):
        DNToReflectance()(ds)


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_extremes_of_every_dtype(dtype: str) -> None:
    rng = np.random.default_rng(0)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        values = (rng.standard_normal((40, 41)) * 10.0 ** rng.integers(-9, 9, (40, 41))).astype(dtype)
        values[3, 4:9] = [np.nan, np.inf, -np.inf, -0.0, 0.0]
    elif kind.kind == "b":
        values = rng.random((40, 41)) < 0.5
    else:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, (40, 41), dtype, endpoint=True)
        values[0, :2] = info.min, info.max
    assert extremes(values, math.nan) == (float(np.nanmin(values)), float(np.nanmax(values)))
    finite = values[np.isfinite(values)]
    assert extremes(values, math.nan, finite=True) == (float(finite.min()), float(finite.max()))
    low = float(finite.min())
    if kind.itemsize < 8:
        assert extremes(finite, low) == (float(finite[finite != low].min()), float(finite.max()))
    assert extremes(values[:0], math.nan) == (math.inf, -math.inf)
    negative = np.array([-5, -3], "f8").astype(dtype) if kind.kind in "fi" else finite[:2]
    assert extremes(negative, math.nan) == (float(negative.min()), float(negative.max()))
