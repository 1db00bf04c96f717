"""Chips that agree give what they agree on: bit for bit, for every type, size, overlap and window."""

from __future__ import annotations

import numpy as np
import pytest
from gtz_chip_ops import Labels, Place, Same, same_bits, scene, stitched, tile
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import WHOLE, Footprint, Map, Plan, TileError, run
from geotoolz.core.testing import data_path
from geotoolz.patch import (
    ApplyToChips,
    Boxcar,
    Gaussian,
    GridSampler,
    Hann,
    HardVote,
    InverseVariance,
    Max,
    Mean,
    Median,
    Min,
    SoftVote,
    Stitcher,
    Sum,
    Tukey,
    run_chips,
)

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
WINDOWS = (Boxcar(), Hann(), Tukey(0.3), Gaussian())


# ---- identity ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_identity_keeps_every_bit_of_every_type(dtype):
    values = scene((61, 83), dtype)
    for window in WINDOWS:
        same_bits(stitched(values, GridSampler(24, 17), Stitcher(window)), values)


def test_identity_of_true_and_false():
    values = scene((61, 83), "bool")
    same_bits(stitched(values, GridSampler(24, 17)), values)


@pytest.mark.parametrize("size", [31, 32, 33, 62, 63, 64])
@pytest.mark.parametrize("boundary", ["reflect", "fill", "shift"])
def test_identity_for_chips_a_pixel_more_or_less(size, boundary):
    values = scene((64, 97), "float32")
    for stride in (size, size - 1, max(size // 2, 1)):
        same_bits(stitched(values, GridSampler(size, stride, boundary), Stitcher(Hann())), values)


@pytest.mark.parametrize(("shape", "size", "stride"), [((1000, 777), 256, 192), ((3935, 1599), 512, 384)])
def test_identity_on_scenes_that_no_chip_divides(shape, size, stride):
    values = scene(shape, "float32")
    same_bits(stitched(values, GridSampler(size, stride), Stitcher(Hann())), values)


def test_a_scene_smaller_than_a_chip_is_reflected():
    values = scene((9, 1), "float32")
    same_bits(stitched(values, GridSampler(64), Stitcher(Hann())), values)


@settings(max_examples=25)
@given(st.data())
def test_identity_for_any_grid_of_chips(data):
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    size = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    stride = tuple(data.draw(st.integers(1, n)) for n in size)
    window = data.draw(st.sampled_from(WINDOWS))
    how = data.draw(st.sampled_from([Mean(), Min(), Max(), Median()]))
    stitcher = Stitcher(window if how.weighted else Boxcar(), how)
    values = scene(shape, data.draw(st.sampled_from(["float32", "uint8", "int64"])))
    same_bits(stitched(values, GridSampler(size, stride), stitcher), values)


def test_signed_zero_and_infinity_survive():
    values = np.array([[-0.0, 0.0, np.inf, -np.inf, 5e-324]] * 7)
    same_bits(stitched(values, GridSampler((4, 3), (2, 1)), Stitcher(Hann())), values)


# ---- what chips that differ give -------------------------------------------------------------------------


def brute(shape, size, stride, window, value):
    """Return the weighted mean of chips in float64, with plain numpy."""
    total, weight = np.zeros(shape), np.zeros(shape)
    w = window.weights(size[0])[:, None] * window.weights(size[1])[None, :]
    for y in range(0, shape[0], stride[0]):
        for x in range(0, shape[1], stride[1]):
            h, v = min(size[0], shape[0] - y), min(size[1], shape[1] - x)
            total[y : y + h, x : x + v] += (w * value(y, x))[:h, :v]
            weight[y : y + h, x : x + v] += w[:h, :v]
            if x + size[1] >= shape[1]:
                break
        if y + size[0] >= shape[0]:
            break
    return total / weight


@pytest.mark.parametrize("window", WINDOWS, ids=repr)
def test_overlap_add_is_the_weighted_mean(window):
    shape, size, stride = (50, 70), (16, 20), (11, 7)
    found = stitched(np.zeros(shape), GridSampler(size, stride), Stitcher(window), Place())
    wanted = brute(shape, size, stride, window, lambda y, x: np.arange(size[1])[None, :] + np.zeros(size))
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-12)


def test_integers_are_rounded_once():
    shape, size, stride = (20, 70), (20, 20), (20, 7)
    found = stitched(np.zeros(shape, "u1"), GridSampler(size, stride), Stitcher(Hann()), Place())
    wanted = brute(shape, size, stride, Hann(), lambda y, x: np.arange(size[1])[None, :] + np.zeros(size))
    assert np.abs(found - wanted).max() <= 0.5 + 1e-5


def places(how, dtype="float64", shape=(4, 12), size=(4, 6), stride=(4, 2)):
    return stitched(
        np.zeros(shape, dtype), GridSampler(size, stride), Stitcher(aggregation=how), Place()
    ).values[0]


def test_sum_min_max_and_median_by_hand():
    # chips of 6 columns begin at 0, 2, 4, 6: column 5 is place 5, 3 and 1 of three chips
    assert places(Sum())[5] == 9 and places(Sum(), "uint8").dtype == np.uint64
    assert places(Min())[5] == 1 and places(Max())[5] == 5 and places(Median())[5] == 3
    assert places(Median())[3] == 2  # places 3 and 1: the mean of both
    assert places(Sum())[0] == 0 and places(Sum())[11] == 5


def test_soft_vote_keeps_the_sum_of_probabilities():
    rng = np.random.default_rng(1)
    raw = rng.random((3, 40, 52))
    chances = raw / raw.sum(axis=0)
    chances[1, 7, 9] = np.nan  # one class is missing: the pixel has no vote
    ds = tile(chances, np.nan, dims=("class", "y", "x")).assign_coords({"class": [0, 1, 2]})
    found = ApplyToChips(GridSampler(16, 9), Same(), Stitcher(Hann(), SoftVote()))(ds).a
    total = found.sum("class", skipna=False).values
    assert np.isnan(found.values[:, 7, 9]).all()
    total[7, 9] = 1
    np.testing.assert_allclose(total, 1, rtol=1e-12)


class WithVariance(Map):
    """The pixel's place as a value, and a variance that grows with it."""

    def plan(self, tile):
        spec = tile.variables["a"]
        return Plan(("a",), {"a": spec, "a_variance": spec}, footprint=WHOLE)

    @staticmethod
    def kernel(a):
        place = np.broadcast_to(np.arange(a.shape[-1], dtype=a.dtype), a.shape).copy()
        return place, place + 1


def test_inverse_variance_by_hand():
    ds = tile(np.zeros((4, 12)))
    op = ApplyToChips(GridSampler((4, 6), (4, 2)), WithVariance(), Stitcher(aggregation=InverseVariance()))
    found = op(ds).isel(y=0)
    weights = np.array([1 / 6, 1 / 4, 1 / 2])  # places 5, 3, 1 with variances 6, 4, 2
    np.testing.assert_allclose(found.a[5], (weights * [5, 3, 1]).sum() / weights.sum(), rtol=1e-14)
    np.testing.assert_allclose(found.a_variance[5], 1 / weights.sum(), rtol=1e-14)


# ---- votes ---------------------------------------------------------------------------------------------


def test_hard_vote_counts_and_breaks_ties_by_the_distance_to_the_edge():
    # chips of 8 columns at 0 and 5: columns 5, 6, 7 lie in both, 2 says the first and 0 the second
    vote = Stitcher(aggregation=HardVote(3, fill=255))
    found = stitched(np.zeros((8, 13), "u1"), GridSampler(8, (8, 5)), vote, Labels())
    row = found.values[4]
    assert row.tolist() == [0] * 4 + [2] * 2 + [0] * 3 + [2] * 4  # column 6 is nearer to the second's middle
    assert found.attrs["_FillValue"] == 255


def test_hard_vote_equals_numpy_counts():
    rng = np.random.default_rng(2)
    shape, size, stride, classes = (40, 50), (16, 16), (5, 5), 7

    labels = {}

    def value(ds):
        labels[(int(ds.a[0, 0]))] = rng.integers(0, classes, size)
        return ds.assign(a=ds.a.copy(data=labels[int(ds.a[0, 0])].astype("int32")))

    from geotoolz.core import from_function

    numbers = np.arange(shape[0] * shape[1], dtype="int32").reshape(shape)
    sampler = GridSampler(size, stride, "shift")
    op = ApplyToChips(sampler, from_function(value), Stitcher(aggregation=HardVote(classes)))
    found = run_chips(op, tile(numbers)).tile.a.values
    counts = np.zeros((*shape, classes), int)
    rows, cols = sampler.lines(shape)
    for y in rows.starts:
        for x in cols.starts:
            chip = labels[int(numbers[y, x])]
            for c in range(classes):
                counts[y : y + 16, x : x + 16, c] += chip == c
    chosen = np.take_along_axis(counts, found[..., None], -1)[..., 0]
    assert (chosen == counts.max(-1)).all()


# ---- no-data -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [Mean(), Min(), Max(), Median(), Sum()], ids=repr)
def test_one_missing_pixel_stays_one_missing_pixel(how):
    values = scene((40, 40), "float32")
    values[17, 23] = np.nan
    window = Hann() if how.weighted else Boxcar()
    found = stitched(values, GridSampler(16, 6), Stitcher(window, how), nodata=np.nan).values
    assert np.argwhere(np.isnan(found)).tolist() == [[17, 23]]
    if how.agrees:
        same_bits(found, values)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32"])
def test_no_data_of_numbers(dtype):
    values = scene((30, 34), dtype)
    values[values == 7] = 8
    values[3:9, 5:12] = 7
    same_bits(stitched(values, GridSampler(12, 7), Stitcher(Hann()), nodata=7), values)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_a_gap_elsewhere_changes_no_bit(dtype):
    """Chips without gaps take a faster way; both compute the same."""
    values = np.zeros((24, 60), dtype)
    whole = stitched(values, GridSampler(16, 11), Stitcher(Hann()), PlaceOrGap(), nodata=-9)
    values[0, 0] = 1
    gap = stitched(values, GridSampler(16, 11), Stitcher(Hann()), PlaceOrGap(), nodata=-9)
    assert gap[0, 0] == -9 and whole[0, 0] == 0
    same_bits(gap.values.ravel()[1:], whole.values.ravel()[1:])


class PlaceOrGap(Map):
    """What a pixel's place in the chip is; no data where the tile says 1."""

    def plan(self, tile):
        return Plan(("a",), {"a": tile.variables["a"]}, footprint=WHOLE)

    @staticmethod
    def kernel(a):
        place = np.arange(a.shape[-2])[:, None] * 7 + np.arange(a.shape[-1]) * 0.7
        return np.where(a == 1, -9, place).astype(a.dtype)


class MissingInSome(Map):
    """The value 3, and NaN in the left column of every chip."""

    def plan(self, tile):
        return Plan(("a",), {"a": tile.variables["a"]}, footprint=WHOLE)

    @staticmethod
    def kernel(a):
        out = np.full_like(a, 3)
        out[..., 0] = np.nan
        return out


def test_nan_from_a_chip_operator_is_filled_by_other_chips():
    found = stitched(np.zeros((8, 20), "f4"), GridSampler(8, 4), Stitcher(Hann()), MissingInSome())
    assert np.isnan(found.values[:, 0]).all() and (found.values[:, 1:] == 3).all()


# ---- edges, halos, time --------------------------------------------------------------------------------


def test_chips_that_agree_leave_no_seam():
    """The steps at chip edges are no larger than elsewhere."""
    y, x = np.mgrid[0:120, 0:150]
    values = np.sin(x / 9) + np.cos(y / 7)
    found = stitched(values, GridSampler(32, 24), Stitcher(Hann(), halo=0), Smoothed()).values
    step = np.abs(np.diff(found, axis=1))
    at_edges = np.isin(np.arange(149), [*range(23, 149, 24), *range(31, 149, 24)])
    assert step[:, at_edges].mean() / step[:, ~at_edges].mean() < 1.2


class Smoothed(Map):
    """A moving mean along x that knows its chip only."""

    def plan(self, tile):
        return Plan(("a",), {"a": tile.variables["a"]}, footprint=Footprint("all", "all"))

    @staticmethod
    def kernel(a):
        padded = np.pad(a, ((0, 0), (2, 2)), mode="edge")
        return sum(padded[:, k : k + a.shape[1]] for k in range(5)) / 5


def test_a_halo_is_thrown_away_except_at_the_border():
    found = stitched(
        np.zeros((4, 24)), GridSampler((4, 12), (4, 8), "shift"), Stitcher(halo=2), Place()
    ).values[0]
    # chips at 0, 8, 12: cores 0…9, 10…17, 14…23
    assert found[:10].tolist() == list(range(10)) and found[10:14].tolist() == [2, 3, 4, 5]
    assert found[18:].tolist() == list(range(6, 12))


def test_stacks_keep_their_dates():
    values = scene((3, 30, 40), "float32")
    ds = tile(values).assign_coords(time=np.array(["2024-01-01", "2024-02-01", "2024-03-01"], "M8[ns]"))
    found = ApplyToChips(GridSampler(16, 9), Same(), Stitcher(Hann()))(ds)
    same_bits(found.a, values)
    assert found.equals(ds)


@pytest.mark.parametrize("window", [(7, 11), (30, 3), (1, 40)])
def test_a_blend_is_the_same_for_any_cut(window):
    ds = tile(scene((37, 45), "float32"))
    op = ApplyToChips(GridSampler(16, 9), Place(), Stitcher(Hann()))
    assert run(op, ds, window=window).identical(op(ds))
    assert run(op, ds, threads=3).identical(op(ds))


def test_a_real_scene_stays_what_it_is():
    from geotoolz.io import open_tile

    path = data_path("cogs_for_tile_server/cog.tif")
    ds = open_tile(path, raw=True)
    op = ApplyToChips(GridSampler(512, 384), Same(), Stitcher(Hann(), Mean()))  # its attributes say nothing
    found = op(ds)
    for name in ds.data_vars:
        same_bits(found[name], ds[name])


def test_labels_that_are_no_class_are_refused():
    with pytest.raises(TileError, match=r"labels 2; expected labels from 0 to 1"):
        stitched(np.zeros((8, 13), "u1"), GridSampler(8, 5), Stitcher(aggregation=HardVote(2)), Labels())


LAYOUTS = {
    "as it is": lambda a: a,
    "columns first": np.asfortranarray,
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "rows backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "every second": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
    "part of a record": lambda a: np.rec.fromarrays([a, a], names="one,two")["two"],
    "swapped bytes": lambda a: a.astype(a.dtype.newbyteorder()).astype(a.dtype),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("how", [Mean(), Max(), Median(), HardVote(200)], ids=repr)
def test_chips_may_lie_in_memory_as_they_like(layout, how):
    class Laid(Same):
        @staticmethod
        def kernel(*arrays):
            return tuple(LAYOUTS[layout](a) for a in arrays)

    values = scene((41, 37), "uint8") % 200
    same_bits(stitched(values, GridSampler(16, 9), Stitcher(aggregation=how), Laid()), values)
    row = np.broadcast_to(values[0], (41, 37))
    same_bits(stitched(row, GridSampler(16, 9), Stitcher(aggregation=how)), row)
