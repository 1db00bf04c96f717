"""How many rows every chip gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.core import ParameterError
from geotoolz.learn._quota import class_targets, shared_out


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 400), st.integers(0, 99))
def test_shares_are_exact_and_as_even_as_can_be(available, total, seed):
    have = np.array(available)
    given_ = shared_out(have, total, seed)
    assert given_.sum() == min(total, have.sum())
    assert (given_ <= have).all()
    open_ = given_ < have  # who could give more gives as much as any other, but for one
    if open_.any():
        assert given_.max() - given_[open_].min() <= 1


def test_the_seed_draws_who_gives_one_more():
    have = np.full(10, 9)
    drawn = {tuple(shared_out(have, 13, seed).tolist()) for seed in range(20)}
    assert len(drawn) > 5 and all(sum(one) == 13 for one in drawn)
    assert shared_out(have, 13, 4).tolist() == shared_out(have, 13, 4).tolist()


def test_classes_share_as_told():
    counts = {1: 500, 2: 20, 5: 800}
    assert class_targets(counts, 100, "equal") in (
        {1: 34, 2: 33, 5: 33},
        {1: 33, 2: 34, 5: 33},
        {1: 33, 2: 33, 5: 34},
    )
    assert class_targets(counts, 10, {1: 1, 2: 3}) in ({1: 2, 2: 8}, {1: 3, 2: 7})
    for balance, text in (("even", "balance='even'"), ({1: -1.0}, "positive"), ({9: 1.0}, "class 9")):
        with pytest.raises(ParameterError, match=text):
            class_targets(counts, 10, balance)
