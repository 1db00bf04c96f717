"""Fewer tests for the same codes, against all numbers there are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.cloud._fewer_codes import fewer


def matched(patterns):
    numbers = np.arange(256)
    found = np.zeros(256, bool)
    for mask, value in patterns:
        found |= (numbers & mask) == value
    return found


PATTERN = st.tuples(
    st.sampled_from([255, 0b11, 0b1100, 0b110, 1, 0]) | st.integers(0, 255), st.integers(0, 255)
)


@given(st.lists(PATTERN, max_size=12))
def test_the_same_numbers_match_and_there_are_no_more_tests(patterns):
    found = fewer(patterns)
    assert np.array_equal(matched(found), matched(patterns))
    assert len(found) <= len(set(patterns))


@given(st.sets(st.integers(0, 15)))
def test_classes(classes):
    assert np.array_equal(matched(fewer((255, c) for c in classes)), np.isin(np.arange(256), list(classes)))


def test_confidences_are_one_test_of_bits():
    levels = [(3 << shift, level << shift) for shift in (8, 10, 14) for level in (2, 3)]
    assert fewer(levels) == ((2 << 8, 2 << 8), (2 << 10, 2 << 10), (2 << 14, 2 << 14))


def test_no_code_at_all_and_all_of_them():
    assert fewer([]) == ()
    assert fewer([(1, 0), (1, 1)]) == ((0, 0),)
