"""Exact sums: any order, any cut, the same bits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.metrics._exact import ExactSum, root, rounded
from geotoolz.metrics._kernels import squares

FINITE = st.floats(allow_nan=False, allow_infinity=False)
LISTS = st.lists(FINITE, max_size=40)


def total(values: Any) -> ExactSum:
    made = ExactSum()
    made.add(np.array(values, np.float64))
    return made


@given(LISTS)
def test_sums_are_exact(values: list[float]) -> None:
    assert total(values).exact == sum(map(Fraction, values), Fraction(0))


@given(LISTS, LISTS, LISTS)
def test_sums_merge_in_any_order(a: list[float], b: list[float], c: list[float]) -> None:
    whole = total(a + b + c)
    for parts in ((a, b, c), (c, a, b), (b, c, a)):
        merged = total(parts[0])
        for part in parts[1:]:
            merged.merge(total(part))
        assert (merged.places == whole.places).all()
        assert merged.over(7) == whole.over(7)


@given(st.integers(0, 2**32), st.integers(0, 5000))
def test_long_sums(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n) * 10.0 ** rng.integers(-30, 30, n)
    assert total(values).over(1) == math.fsum(values) or n == 0


def test_many_large_numbers_do_not_overflow_a_place() -> None:
    values = np.full(100_000, -np.finfo(float).max)
    assert total(values).exact == Fraction(-np.finfo(float).max) * 100_000
    assert total(values).over(1) == -math.inf
    assert total(values).over(100_000) == -np.finfo(float).max


def test_infinities_are_remembered() -> None:
    assert total([1.0, np.inf]).over(2) == math.inf
    assert math.isnan(total([-np.inf, np.inf]).over(2))
    one = total([-np.inf])
    one.merge(total([3.0]))
    assert one.over(2) == -math.inf and math.isnan(total([]).over(0))


@given(st.lists(st.floats(-1e140, 1e140), max_size=20))
def test_squares_are_exact(values: list[float]) -> None:
    array = np.array([0.0 if abs(v) < 1e-140 else v for v in values])
    high, low = np.empty_like(array), np.empty_like(array)
    squares(array, high, low)
    found = total(high).exact + total(low).exact
    assert found == sum((Fraction(v) ** 2 for v in array.tolist()), Fraction(0))


@given(st.fractions(0, max_denominator=10**9), st.integers(-400, 400))
def test_roots(value: Fraction, exponent: int) -> None:
    scaled = value * Fraction(2) ** exponent
    assert root(scaled) == pytest.approx(math.sqrt(value) * 2.0 ** (exponent / 2), rel=1e-15)
    assert root(Fraction(9, 4) * Fraction(4) ** exponent) == math.ldexp(1.5, exponent)
    assert rounded(Fraction(10) ** 400) == math.inf and rounded(-(Fraction(10) ** 400)) == -math.inf
