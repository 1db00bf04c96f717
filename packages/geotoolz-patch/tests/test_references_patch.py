"""What chips are compared with."""

from __future__ import annotations

import numpy as np
from gtz_chip_ops import AXES

from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile
from geotoolz.patch import ApplyToChips, Gaussian, GridSampler, Hann, Stitcher
from geotoolz.radiometry import BoxMean


def _halo_crop() -> float:
    """Return how many pixels of a moving mean by chips differ from that of the whole scene."""
    tile = contract_tile((150, 170))
    whole = BoxMean(4)(tile)
    found = ApplyToChips(GridSampler(48, 32), BoxMean(4))(tile)
    return float(sum((found[n].values.tobytes() != whole[n].values.tobytes()) for n in whole.data_vars))


def _overlap_add() -> float:
    """Return the largest deviation from overlap-add in float64, chips cut and summed with plain NumPy."""
    tile = contract_tile((150, 170), gaps=False)[["red"]]
    size, stride, worst = 48, 32, 0.0
    for window in (Hann(), Gaussian(0.2)):
        op = ApplyToChips(GridSampler(size, stride, "shift"), BoxMean(3), Stitcher(window, halo=0))
        w = np.outer(window.weights(size), window.weights(size))
        total, weight = np.zeros((150, 170)), np.zeros((150, 170))
        for y in (0, 32, 64, 96, 102):
            for x in (0, 32, 64, 96, 122):
                place = (slice(y, y + size), slice(x, x + size))
                chip = BoxMean(3)(tile.isel(y=place[0], x=place[1])).red.values
                total[place] += chip * w
                weight[place] += w
        worst = max(worst, float(np.abs(op(tile).red.values - total / weight).max()))
    return worst


class TestPatch(ReferenceSuite):
    module = "geotoolz.patch"
    exempt = AXES
    references = (
        Reference(
            ApplyToChips,
            "the operator on the whole scene: bounded footprint, halo crop",
            _halo_crop,
            0.0,
            "variables that differ",
            "test_exact.py::test_bad_chips_are_refused_before_a_pixel",
        ),
        Reference(
            ApplyToChips,
            "overlap-add with Hann and Gaussian windows in NumPy, float64",
            _overlap_add,
            1e-7,
            "1",
            "test_exact.py::test_pipelines_that_no_chip_can_run_are_refused",
        ),
    )
