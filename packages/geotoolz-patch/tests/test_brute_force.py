"""Means with gaps and votes with missing labels, against plain loops over all chips of every pixel."""

from __future__ import annotations

import numpy as np
import pytest
from gtz_chip_ops import tile
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import WHOLE, Map, Plan, VarSpec, run
from geotoolz.patch import (
    ApplyToChips,
    Boxcar,
    Gaussian,
    GridSampler,
    Hann,
    HardVote,
    Stitcher,
    Tukey,
    run_chips,
)


def value(i, j, gaps):
    """Return what a chip says at its row i and column j; NaN at every `gaps`-th place."""
    found = np.sin(i * 1.7 + 1) * 10 + j * 0.37
    return np.where((i * 5 + j * 3) % gaps == 0, np.nan, found)


class Gappy(Map):
    """Values by the place in the chip, with gaps."""

    gaps: int = 3
    dtype: str = "float64"

    def plan(self, tile):
        return Plan(("a",), {"a": VarSpec(dtype=self.dtype)}, args=(self.gaps, self.dtype), footprint=WHOLE)

    @staticmethod
    def kernel(a, gaps, dtype):
        return value(*np.indices(a.shape), gaps).astype(dtype)


class Voters(Map):
    """Labels by the place in the chip; 255 at every `gaps`-th place."""

    gaps: int = 3
    classes: int = 3

    def plan(self, tile):
        spec = VarSpec(dtype="uint8", nodata=255)
        return Plan(("a",), {"a": spec}, args=(self.gaps, self.classes), footprint=WHOLE)

    @staticmethod
    def kernel(a, gaps, classes):
        i, j = np.indices(a.shape)
        return np.where((i * 5 + j * 3) % gaps == 0, 255, (i // 2 + j // 3) % classes).astype("u1")


def chips_of(shape, size, stride):
    rows, cols = GridSampler(size, stride).lines(shape)
    return [(y, x) for y in rows.starts for x in cols.starts]


grids = st.tuples(
    st.tuples(st.integers(1, 22), st.integers(1, 22)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.data(),
)


@settings(max_examples=40)
@given(
    grid=grids, gaps=st.integers(1, 7), window=st.sampled_from([Boxcar(), Hann(), Tukey(0.4), Gaussian(0.1)])
)
def test_gaps_leave_the_weighted_mean_of_the_others(grid, gaps, window):
    shape, size, data = grid
    stride = tuple(data.draw(st.integers(1, n)) for n in size)
    total, weight = np.zeros(shape), np.zeros(shape)
    w = window.weights(size[0])[:, None] * window.weights(size[1])[None, :]
    for y, x in chips_of(shape, size, stride):
        h, v = min(size[0], shape[0] - y), min(size[1], shape[1] - x)
        said = value(*np.indices(size), gaps)[:h, :v]
        valid = ~np.isnan(said)
        total[y : y + h, x : x + v] += np.where(valid, said * w[:h, :v], 0)
        weight[y : y + h, x : x + v] += np.where(valid, w[:h, :v], 0)
    with np.errstate(invalid="ignore"):
        wanted = np.where(weight > 0, total / weight, np.nan)
    for dtype, tolerance in (("float64", 1e-9), ("float32", 2e-5)):
        op = ApplyToChips(GridSampler(size, stride), Gappy(gaps, dtype), Stitcher(window))
        found = op(tile(np.zeros(shape, "f4")))
        np.testing.assert_allclose(found.a, wanted, rtol=tolerance, atol=tolerance)
        cut = run(op, tile(np.zeros(shape, "f4")), window=(5, 7))
        assert cut.a.values.tobytes() == found.a.values.tobytes()


@settings(max_examples=40)
@given(grid=grids, gaps=st.integers(1, 9), classes=st.integers(1, 4))
def test_votes_are_counted_and_ties_go_to_who_sees_it_deeper_inside(grid, gaps, classes):
    shape, size, data = grid
    stride = tuple(data.draw(st.integers(1, n)) for n in size)
    keys = np.zeros((classes, *shape), np.int64)
    edge = [np.minimum(2 * (np.arange(n) + 1), 2 * (n - np.arange(n)) - 1) for n in size]
    for y, x in chips_of(shape, size, stride):
        h, v = min(size[0], shape[0] - y), min(size[1], shape[1] - x)
        said = Voters.kernel(np.zeros(size), gaps, classes)[:h, :v]
        deep = np.multiply.outer(edge[0], edge[1])[:h, :v]
        for label in range(classes):
            key = keys[label, y : y + h, x : x + v]
            more = ((key >> 20) + 1 << 20) | np.maximum(key & 0xFFFFF, deep)
            key[...] = np.where(said == label, more, key)
    wanted = np.where(keys.max(axis=0) > 0, keys.argmax(axis=0), 255)
    op = ApplyToChips(
        GridSampler(size, stride), Voters(gaps, classes), Stitcher(aggregation=HardVote(classes, fill=255))
    )
    ds = tile(np.zeros(shape, "f4"))
    np.testing.assert_array_equal(op(ds).a, wanted)
    np.testing.assert_array_equal(run(op, ds, window=(4, 9)).a, wanted)


@pytest.mark.parametrize("op", [Gappy(4), Gappy(4, "float32"), Voters(5)], ids=repr)
def test_rows_on_their_way_out_are_those_in_memory(op, tmp_path):
    """A stream holds some rows and writes over them; its ring begins anew in the middle of finished rows."""
    from geotoolz.io import open_zarr

    how = Stitcher(aggregation=HardVote(3, fill=255)) if isinstance(op, Voters) else Stitcher(Hann())
    apply = ApplyToChips(GridSampler((14, 11), (5, 4)), op, how)
    ds = tile(np.zeros((83, 40), "f4"))
    (path,) = run_chips(apply, ds, tmp_path / "out.zarr").paths
    np.testing.assert_array_equal(open_zarr(path).a.values, run_chips(apply, ds).tile.a.values)
