"""Defects seen in other chip libraries and in the source texts: none of them is ours."""

from __future__ import annotations

import numpy as np
import pytest
from gtz_chip_ops import Labels, Same, same_bits, scene, stitched, tile
from scipy.spatial.distance import pdist

from geotoolz.core import TileError
from geotoolz.patch import (
    ApplyToChips,
    Boxcar,
    CatalogPatches,
    Gaussian,
    GridSampler,
    Hann,
    HardVote,
    JitteredSampler,
    PatchGrid,
    PoissonDiskSampler,
    RandomSampler,
    SoftVote,
    Stitcher,
    Tukey,
)


@pytest.mark.parametrize(
    "window", [Boxcar(), Hann(), Tukey(), Tukey(1.0), Gaussian(), Gaussian(0.02)], ids=repr
)
@pytest.mark.parametrize("size", [1, 2, 7, 256])
def test_np_hanning_zeroes_the_outermost_ring(window, size):
    """``np.hanning`` is 0 at both ends; the scene's border then has weight 0."""
    assert (window.weights(size) > 0).all()


def test_windows_leave_the_border_of_the_scene_whole():
    values = scene((50, 60), "float32")
    found = stitched(values, GridSampler(16, 8), Stitcher(Hann())).values
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        same_bits(found[edge], values[edge])


def test_drop_loses_a_third_of_a_scene_and_calls_it_class_0():
    """1000 × 777 in chips of 256: 24 % are in no chip, and a class map says 0 there."""
    labels = scene((1000, 777), "uint8") % 3
    found = stitched(labels, GridSampler(256), Stitcher(aggregation=HardVote(3, fill=255)))
    same_bits(found, labels)
    with pytest.raises(ValueError, match="leaves the edge of the scene out"):
        stitched(labels, GridSampler(256, boundary="drop"), Stitcher(aggregation=HardVote(3)))
    assert PatchGrid(tile(labels), GridSampler(256, boundary="drop")).uncovered > 0.2


def test_one_nan_zeroes_a_whole_patch():
    values = scene((40, 40), "float32")
    values[20, 20] = np.nan
    found = stitched(values, GridSampler(16, 12), Stitcher(Hann()), nodata=np.nan)
    same_bits(found, values)


def test_poisson_discs_truncated_to_integers_lie_too_near():
    empty = tile(np.zeros((200, 200), "u1"))
    for seed in range(5):
        grid = PatchGrid(empty, PoissonDiskSampler(8, 9.7, seed=seed))
        found = np.array([(p.chip.extent.y0, p.chip.extent.x0) for p in grid])
        assert pdist(found).min() >= 9.7


@pytest.mark.parametrize(
    "sampler", [RandomSampler(8, 10), JitteredSampler(8, jitter=0.5), PoissonDiskSampler(8, 9.0)]
)
def test_the_same_anchors_in_every_epoch(sampler):
    empty = tile(np.zeros((64, 64), "u1"))
    first, second = ({tuple(p.chip.extent) for p in PatchGrid(empty, sampler, epoch=e)} for e in (0, 1))
    assert first != second


def test_n_workers_yield_n_copies():
    grid = PatchGrid(tile(np.zeros((64, 64), "u1")), GridSampler(8))
    seen = [
        p.index for w in range(3) for b in grid.batches(5, seed=1, worker=w, workers=3) for p in b.patches
    ]
    assert sorted(seen) == list(range(64))


def test_an_unseeded_shuffle():
    grid = PatchGrid(tile(np.zeros((64, 64), "u1")), GridSampler(8))
    assert grid.order(seed=3) == grid.order(seed=3) != grid.order()


def test_minus_one_as_the_fill_of_a_uint8_raster():
    with pytest.raises(
        TileError, match=r"fill=-1 does not fit 'a', which is uint8; expected a number from 0 to 255"
    ):
        stitched(np.zeros((8, 8), "u1"), GridSampler(4), Stitcher(aggregation=HardVote(3, fill=-1)))


def test_a_tie_goes_to_the_lowest_class():
    """Not to the lowest class: to the one that was seen farther from a chip's edge."""
    found = stitched(
        np.zeros((8, 13), "u1"), GridSampler(8, (8, 5)), Stitcher(aggregation=HardVote(3)), Labels()
    )
    assert found.values[4, 5] == 2 and found.values[4, 7] == 0


def test_a_quarter_of_the_pixels_changes_under_identity():
    """Accumulating weights and values apart: 74 % of the pixels keep their bits."""
    values = scene((300, 300), "float32")
    w = np.outer(np.hanning(66)[1:-1], np.hanning(66)[1:-1]).astype("f4")
    total, weight = np.zeros_like(values), np.zeros_like(values)
    for y in [*range(0, 236, 48), 236]:
        for x in [*range(0, 236, 48), 236]:
            total[y : y + 64, x : x + 64] += values[y : y + 64, x : x + 64] * w
            weight[y : y + 64, x : x + 64] += w
    assert (total / weight == values).mean() < 0.9
    same_bits(stitched(values, GridSampler(64, 48), Stitcher(Hann())), values)


def test_a_seam_at_every_chip():
    """Where the chips agree there is no seam to be seen: the largest step is that of the scene."""
    y, x = np.mgrid[0:100, 0:120]
    values = (np.sin(x / 11) * np.cos(y / 13)).astype("f4")
    found = stitched(values, GridSampler(32, 24), Stitcher(Hann()))
    assert np.abs(np.diff(found.values, axis=1)).max() == np.abs(np.diff(values, axis=1)).max()


def test_the_first_input_decides_names_and_types():
    """Output grid, types, names and their number are what the chip operator returns."""
    from geotoolz.core import from_function

    ds = tile(scene((30, 30), "uint16"))
    step = from_function(lambda t: t[[]].assign(half=(t.a / 2).astype("f4"), big=(t.a > 9)))
    found = ApplyToChips(GridSampler(16, 12), step, Stitcher(Hann()))(ds)
    assert {n: str(v.dtype) for n, v in found.items()} == {"half": "float32", "big": "bool"}
    np.testing.assert_array_equal(found.half, (ds.a / 2).astype("f4"))
    assert ApplyToChips(GridSampler(16), Same())(ds).a.dtype == np.uint16


@pytest.mark.parametrize("shape", [(1000, 777), (97, 64), (65, 130)])
def test_what_no_whole_chip_fits_is_left_out(shape):
    """xbatcher and patchify cut off what does not fill a chip: the last rows and columns are missing."""
    values = scene(shape, "uint8")
    fit = [(n - 64) // 48 * 48 + 64 for n in shape]
    assert fit[0] * fit[1] < values.size
    same_bits(stitched(values, GridSampler(64, 48), Stitcher(Hann())), values)


def test_the_border_of_the_scene_is_lost():
    """geopatcher divides by weights that are 0 there; MONAI and blended_tiling round them away."""
    values = scene((70, 90), "float32")
    for window in (Hann(), Gaussian(0.05), Tukey(0.9)):
        found = stitched(values, GridSampler(32, 20), Stitcher(window)).values
        ring = np.ones(values.shape, bool)
        ring[1:-1, 1:-1] = False
        same_bits(found[ring], values[ring])


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_of_a_catalog_yield_copies(workers):
    scenes = [tile(np.zeros((40, 40 + n), "u1")) for n in range(3)]
    patches = CatalogPatches(scenes, GridSampler(8))
    seen = [
        p.index
        for w in range(workers)
        for b in patches.batches(5, seed=1, worker=w, workers=workers)
        for p in b.patches
    ]
    assert sorted(seen) == list(range(len(patches)))


def test_the_same_places_in_every_scene():
    scenes = [tile(np.zeros((64, 64), "u1")) for _ in range(3)]
    grids = CatalogPatches(scenes, RandomSampler(8, 10)).grids
    assert len({tuple(p.chip.extent for p in grid) for grid in grids}) == 3


def test_one_nan_takes_its_whole_chip_along_in_a_vote_of_probabilities():
    chances = np.full((3, 40, 40), 1 / 3, "f4")
    chances[:, 20, 20] = np.nan
    found = stitched(
        chances, GridSampler(16, 12), Stitcher(Hann(), SoftVote()), nodata=np.nan, dims=("class", "y", "x")
    )
    assert np.isnan(found).sum() == 3
