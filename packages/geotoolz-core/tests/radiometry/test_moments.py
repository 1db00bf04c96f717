"""Mean and covariance: by hand, against exact fractions, in any order."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geotoolz.core import (
    ParameterError,
    QuantityError,
    TileError,
    TileSpec,
    freeze,
    require_physical,
    run_detailed,
)
from geotoolz.radiometry import BandMoments, MeanStd, Moments, Standardize, standardize

One = Callable[..., xr.Dataset]
Array = np.ndarray[Any, Any]


def tile_of(bands: dict[str, Array], **attrs: Any) -> xr.Dataset:
    """Return a tile of some arrays, one row of pixels each unless they have more dims."""
    arrays = {n: np.atleast_2d(v) for n, v in bands.items()}
    shape = next(iter(arrays.values())).shape
    coords = {"y": np.arange(shape[-2]) * -10.0, "x": np.arange(shape[-1]) * 10.0}
    return xr.Dataset({n: (("y", "x"), v, dict(attrs)) for n, v in arrays.items()}, coords)


def exact(values: Array) -> tuple[list[Fraction], list[list[Fraction]]]:
    """Return mean and covariance of bands × pixels as fractions."""
    rows = [[Fraction(float(v)) for v in row] for row in values]
    n = len(rows[0])
    mean = [sum(row, Fraction(0)) / n for row in rows]
    covariance = [
        [sum(((x - a) * (y - b) for x, y in zip(p, q, strict=True)), Fraction(0)) / (n - 1)
         for q, b in zip(rows, mean, strict=True)]
        for p, a in zip(rows, mean, strict=True)
    ]  # fmt: skip
    return mean, covariance


def assert_within_bound(found: BandMoments, values: Array) -> None:
    """Check the bound that the docstring states, with one last rounding."""
    n = values.shape[1]
    mean, covariance = exact(values)
    spread = [math.sqrt(float(covariance[i][i]) * (n - 1) / n) for i in range(len(mean))]
    h = found.rounding
    for i in range(len(mean)):
        assert abs(found.mean[i] - float(mean[i])) <= h[i] * (1 + 1e-9) + 4e-16 * abs(float(mean[i]))
        for j in range(len(mean)):
            allowed = n / (n - 1) * (h[i] * spread[j] + spread[i] * h[j] + h[i] * h[j])
            off = abs(found.covariance[i, j] - float(covariance[i][j]))
            assert off <= allowed * (1 + 1e-6) + 4e-16 * abs(float(covariance[i][j])) + 1e-300


def test_by_hand() -> None:
    # x = 1 2 3 4, y = 2 4 6 9: means 2.5 and 5.25, Σdx² = 5, Σdy² = 26.75, Σdxdy = 11.5
    found = Moments()(tile_of({"u": np.array([1, 2, 3, 4], "u1"), "v": np.array([2, 4, 6, 9], "u2")}))
    assert found.bands == ("u", "v")
    assert found.n == 4
    assert found.mean.tolist() == [2.5, 5.25]
    assert found.covariance.tolist() == [[5 / 3, 11.5 / 3], [11.5 / 3, 26.75 / 3]]
    assert found.rounding.tolist() == [0.0, 0.0]
    assert found.mean.dtype == found.covariance.dtype == np.float64
    assert not found.mean.flags.writeable
    assert MeanStd()(tile_of({"u": np.array([1, 2, 3, 4], "u1")}))["u"] == (2.5, math.sqrt(1.25))


def test_pixels_without_data_in_any_band_are_left_out() -> None:
    x = np.array([1, 2, 3, 4, 50, 60, 70, 7], "f4")
    y = np.array([2, 4, 6, 9, np.nan, np.inf, -np.inf, -1], "f4")
    tile = tile_of({"u": x, "v": y})
    tile.u.attrs["_FillValue"] = 7.0
    found = Moments()(tile)
    assert found.n == 4
    np.testing.assert_allclose(found.covariance, np.cov(x[:4], y[:4]), rtol=1e-6)
    alone = MeanStd()(tile)
    np.testing.assert_allclose(alone["v"], (np.mean([2, 4, 6, 9, -1]), np.std([2, 4, 6, 9, -1])), rtol=1e-7)
    np.testing.assert_allclose(alone["u"][0], np.mean(x[:7]), rtol=1e-7)


def test_one_pixel_and_none() -> None:
    one = Moments()(tile_of({"u": np.array([3.5], "f4"), "v": np.array([7], "u2")}))
    assert (one.n, one.mean.tolist()) == (1, [3.5, 7.0])
    assert np.isnan(one.covariance).all()
    for values in (np.full(5, np.nan, "f4"), np.zeros((0, 3), "f4"), np.zeros((3, 0), "f4")):
        none = Moments()(tile_of({"u": values, "v": values}))
        assert none.n == 0
        assert np.isnan(none.mean).all() and np.isnan(none.covariance).all()
        assert np.isnan(MeanStd()(tile_of({"u": values}))["u"]).all()
    assert MeanStd()(tile_of({"u": np.array([3.5], "f4")}))["u"] == (3.5, 0.0)


def test_constant_bands() -> None:
    found = Moments()(tile_of({"u": np.full(1000, 0.1), "v": np.arange(1000.0), "w": np.full(1000, -1e300)}))
    assert found.mean.tolist() == [0.1, 499.5, -1e300]
    assert found.covariance[0].tolist() == [0.0, 0.0, 0.0]
    assert found.rounding[0] == 0.0
    assert MeanStd()(tile_of({"u": np.full(1000, 0.1)}))["u"] == (0.1, 0.0)


def test_a_large_offset_costs_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((3, 5000)) * 0.1
    noise[1] += noise[0]
    far = 1e6 + noise
    found = Moments()(tile_of(dict(zip("uvw", far, strict=True))))
    np.testing.assert_allclose(found.covariance, np.cov(far), rtol=1e-6, atol=1e-8)
    assert_within_bound(found, far)
    mean, std = MeanStd()(tile_of({"u": far[0]}))["u"]
    np.testing.assert_allclose((mean, std), (far[0].mean(), far[0].std()), rtol=1e-8)


def test_whole_numbers_of_16_bits_are_exact() -> None:
    values = np.random.default_rng(1).integers(0, 65535, (4, 777)).astype("u2")
    found = Moments()(tile_of(dict(zip("stuv", values, strict=True))))
    mean, covariance = exact(values)
    assert found.mean.tolist() == [float(m) for m in mean]
    assert found.covariance.tolist() == [[float(c) for c in row] for row in covariance]


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8"]).flatmap(
        lambda d: hnp.arrays(
            d,
            st.tuples(st.integers(1, 3), st.integers(2, 12)),
            elements=hnp.from_dtype(
                np.dtype(d), allow_nan=False, allow_infinity=False, min_value=-(2.0**50), max_value=2.0**50
            )
            if d[0] == "f"
            else st.integers(np.iinfo(d).min, np.iinfo(d).max),
        )
    )
)
@example(np.array([[1e15, -1e15, 1e-15]]))
@example(np.array([[5e-324, 0.0, 1.0], [1.0, 1.0, 1.0]]))
def test_within_the_stated_bound(values: Array) -> None:
    tile = tile_of({f"b{i}": row for i, row in enumerate(values)})
    found = Moments()(tile)
    assert_within_bound(found, values)
    np.testing.assert_array_equal(found.covariance, found.covariance.T)
    span = values.max(axis=1).astype("f8") - values.min(axis=1).astype("f8")
    assert (found.rounding <= span * 2.0**-22 + 1e-300).all()
    mean, covariance = exact(values)
    n = values.shape[1]
    for i, (centre, std) in enumerate(MeanStd()(tile).values()):
        slack = span[i] * 2.0**-30 + 1e-150  # the reference's own variance underflows
        assert abs(centre - float(mean[i])) <= slack + 4e-16 * abs(float(mean[i]))
        assert abs(std - math.sqrt(float(covariance[i][i]) * (n - 1) / n)) <= slack * 1.01 + 4e-16 * std


@pytest.mark.parametrize("op", [Moments(), MeanStd()])
def test_any_order_any_window_any_threads(op: Any) -> None:
    rng = np.random.default_rng(2)
    bands = {n: (rng.standard_normal((61, 67)) * 10.0**k).astype("f4") for k, n in enumerate("stuv")}
    bands["s"][3:9, 4:8] = np.nan
    tile = tile_of(bands)
    whole = repr(op(tile))
    for window in ((1, 67), (61, 1), (7, 11), (23, 64), (100, 100)):
        for threads in (1, 2, 3):
            assert (
                repr(run_detailed(op, tile, outputs=(), window=window, threads=threads).statistics[""])
                == whole
            )


def test_many_more_pixels_than_fit_an_integer() -> None:
    values = np.random.default_rng(3).random((2, 512)).astype("f4")
    tile = tile_of({"u": values[0], "v": values[1]})
    for op in (Moments(), MeanStd()):
        spec = TileSpec.of(tile)
        ranges = op.finish(op.update(op.init(spec), *(tile[n].values for n in "uv")))
        state = op.update(op.init(spec, ranges), *(tile[n].values for n in "uv"))
        small = op.finish(state)
        for _ in range(36):
            state = op.merge(state, copy.deepcopy(state))
        large: Any = op.finish(state)
        if isinstance(large, BandMoments):
            assert large.n == 512 * 2**36
            np.testing.assert_array_equal(large.mean, small.mean)
            np.testing.assert_allclose(large.covariance, np.cov(values, ddof=0), rtol=1e-5)
        else:
            assert large == small


def test_dates_are_pixels_and_wavelengths_are_bands() -> None:
    rng = np.random.default_rng(4)
    stack = rng.random((3, 5, 6)).astype("f4")
    coords = {"y": np.arange(5) * -10.0, "x": np.arange(6) * 10.0}
    dated = xr.Dataset({n: (("time", "y", "x"), stack * k) for n, k in (("u", 1), ("v", 2))}, coords)
    found = Moments()(dated)
    assert found.n == 90
    np.testing.assert_allclose(found.covariance[0, 1], 2 * stack.var(ddof=1), rtol=1e-5)
    cube = xr.Dataset({"radiance": (("wavelength", "y", "x"), stack)}, coords)
    planes = Moments()(cube)
    assert planes.bands == ("radiance[0]", "radiance[1]", "radiance[2]")
    assert planes.n == 30
    np.testing.assert_allclose(planes.covariance, np.cov(stack.reshape(3, -1)), rtol=1e-5, atol=1e-7)
    series = xr.Dataset(
        {"radiance": (("time", "wavelength", "y", "x"), np.stack([stack, stack + 1]))}, coords
    )
    assert Moments()(series).n == 60
    np.testing.assert_allclose(Moments()(series).mean, stack.mean(axis=(1, 2)) + 0.5, rtol=1e-6)
    mixed = dated.assign(w=(("y", "x"), stack[0]))
    with pytest.raises(TileError, match="with and without time"):
        Moments()(mixed)


def test_moments_are_a_value() -> None:
    found = Moments()(tile_of({"u": np.arange(5.0), "v": np.arange(5.0) ** 2}))
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert hash(again) == hash(found)
    assert dict(found).keys() == {"n", "mean", "covariance"}
    assert found != Moments()(tile_of({"u": np.arange(5.0), "v": np.arange(5.0) ** 3}))
    with pytest.raises(KeyError):
        found["median"]


def test_standard_scores_by_hand(one: One) -> None:
    tile = one(np.array([[0, 2, 4, 4, 4, 5, 5, 7, 9]], "u2"), 0)  # mean 5, std 2
    frozen = freeze(Standardize(), tile)
    assert frozen.moments == {"red": (5.0, 2.0)}
    out = standardize(tile).red
    expected = np.array([[np.nan, -1.5, -0.5, -0.5, -0.5, 0, 0, 1, 2]], "f4")
    np.testing.assert_array_equal(out.values, expected)
    assert out.dtype == np.float32
    assert (out.attrs["units"], out.attrs["quantity"], out.attrs["stretch"]) == (
        "1",
        "stretched",
        "Standardize",
    )
    np.testing.assert_array_equal(frozen(tile).red.values, expected)
    with pytest.raises(QuantityError, match="stretched"):
        require_physical(TileSpec.of(frozen(tile)), ("red",), "NDVI")


def test_no_spread_and_infinities(one: One) -> None:
    assert standardize(one(np.full((2, 2), 5, "u2"))).red.isnull().all()
    out = standardize(one(np.array([[1.0, 3.0, np.inf, -np.inf]], "f4"))).red.values[0]
    assert out.tolist() == [-1.0, 1.0, np.inf, -np.inf]


def test_wrong_moments(one: One) -> None:
    with pytest.raises(ParameterError, match="standard deviation"):
        Standardize(moments={"red": (0.0, -1.0)})
    tile = one(np.array([[1, 3]], "u2"), platform="sentinel-2a")
    with pytest.raises(ParameterError, match="for one band"):
        Standardize(moments={"red": (1.0, 3.0), "B04": (0.0, 1.0)})(tile)
