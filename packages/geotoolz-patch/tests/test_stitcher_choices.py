"""Windows beside votes, labels that nobody named, the edge of the scene, functions that return the chip."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from gtz_chip_ops import Same, same_bits, scene, tile

from geotoolz.core import WHOLE, Map, ParameterError, Plan, Sequential, TileError, VarSpec, from_function
from geotoolz.core.testing import simulate_scene
from geotoolz.patch import (
    ApplyToChips,
    GridSampler,
    Hann,
    HardVote,
    Mean,
    PatchGrid,
    Stitcher,
    memory_bytes,
    run_chips,
)
from geotoolz.radiometry import BoxMean


class Scores(Map):
    """What a network gives: a score that depends on the place in the chip, and the label that follows."""

    def plan(self, tile):
        label = VarSpec(dtype="uint8", nodata=255)
        return Plan(("a",), {"score": VarSpec(), "label": label}, footprint=WHOLE)

    @staticmethod
    def kernel(a):
        score = np.broadcast_to(np.linspace(0, 2, a.shape[-1], dtype="f4"), a.shape).copy()
        return score, np.rint(score).astype("u1")


class Bare(Map):
    """Labels that say nothing of themselves."""

    def plan(self, tile):
        return Plan(("a",), {"kind": VarSpec(dtype="uint8", nodata=255)}, footprint=WHOLE)

    @staticmethod
    def kernel(a):
        return np.broadcast_to(np.arange(a.shape[-1]) % 3, a.shape).astype("u1")


def test_a_window_for_the_scores_and_votes_for_the_labels():
    ds = tile(np.zeros((20, 50), "f4"))
    sampler = GridSampler(20, (20, 10))
    both = ApplyToChips(sampler, Scores(), Stitcher(Hann(), per_variable={"label": HardVote(3)}))
    found = both(ds)
    voted = ApplyToChips(sampler, Scores(), Stitcher(aggregation=HardVote(3), per_variable={"score": Mean()}))
    blended = ApplyToChips(sampler, Scores(), Stitcher(Hann(), Mean(), {"label": HardVote(3)}))
    same_bits(found.label, voted(ds).label)
    same_bits(found.score, blended(ds).score)
    assert (found.score != voted(ds).score).any()
    assert run_chips(both, ds).tile.identical(found[["score", "label"]])


def test_a_window_that_weighs_nothing_is_refused():
    ds = tile(np.zeros((20, 50), "f4"))
    with pytest.raises(ParameterError, match=r"Hann\(\) has no effect on HardVote"):
        ApplyToChips(GridSampler(20, 10), Bare(), Stitcher(Hann(), per_variable={"kind": HardVote(3)}))(ds)
    with pytest.raises(ParameterError, match=r"Hann\(\) has no effect on HardVote"):
        Stitcher(Hann(), HardVote(3))


@pytest.mark.parametrize("stitcher", [Stitcher(), Stitcher(Hann())], ids=repr)
def test_labels_that_say_nothing_are_not_averaged(stitcher):
    ds = tile(np.zeros((20, 50), "f4"))
    op = ApplyToChips(GridSampler(20, (20, 11)), Bare(), stitcher)
    for call in (lambda: op(ds), lambda: run_chips(op, ds)):
        with pytest.raises(TileError, match=r"'kind' is uint8 and says neither.*HardVote\(n_classes=…\)"):
            call()
    function = from_function(lambda chip: Bare()(chip))
    with pytest.raises(TileError, match="'kind' is uint8"):
        run_chips(op.replace(chip_op=function), ds)
    named = op.replace(stitcher=Stitcher(aggregation=Mean()))
    assert named(ds).kind.dtype == np.uint8
    alone = op.replace(sampler=GridSampler(20), stitcher=Stitcher())  # nothing is averaged
    assert set(np.unique(alone(ds).kind)) == {0, 1, 2}


def test_measurements_in_whole_numbers_are_averaged():
    for attrs in ({"units": "1"}, {"quantity": "dn"}, {"scale_factor": 1e-4}):
        values = scene((20, 50), "uint16")
        ds = tile(values).assign(a=tile(values).a.drop_attrs().assign_attrs(attrs))
        same_bits(ApplyToChips(GridSampler(16, 9), Same(), Stitcher(Hann()))(ds).a, values)


# ---- the edge of the scene ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "stride"), [(32, 30), (40, 33), (16, 16), (64, 64)])
def test_reflect_reflects_the_scene_and_not_the_chips_part(size, stride):
    """A chip with four rows of the scene shows the rows above mirrored, not these four again and again."""
    values = scene((34, 37), "float32")
    grid = PatchGrid(tile(values), GridSampler(size, stride))
    padded = np.pad(values, ((0, 100), (0, 100)), mode="reflect")
    for patch in grid:
        same_bits(patch.tile.a, patch.chip.extent.of(padded))


@pytest.mark.parametrize("window", [None, (7, 50), (50, 6), (3, 3)])
def test_windows_see_the_same_reflection(window):
    """The chip's mean depends on what is reflected; any cut reads as much of the scene as that takes."""
    from geotoolz.core import run

    class Centred(Same):
        @staticmethod
        def kernel(*arrays):
            return tuple(a - a.mean(dtype="f8").astype(a.dtype) for a in arrays)

    ds = tile(scene((34, 37), "float32"))
    op = ApplyToChips(GridSampler(32, 30), Centred(), Stitcher(Hann()))
    wanted = run_chips(op, ds).tile
    assert run(op, ds, window=window).identical(wanted)


# ---- functions that return the chip ------------------------------------------------------------------------


def test_a_function_that_returns_the_chip_itself():
    ds = simulate_scene((50, 60), bands=("red", "nir"))
    op = ApplyToChips(GridSampler(32, 20), from_function(lambda chip: chip), Stitcher(Hann()))
    xr.testing.assert_equal(op(ds), ds)
    some = from_function(
        lambda chip: chip if chip.red.mean() > ds.red.mean() else chip.assign(red=chip.red + 1)
    )
    found = run_chips(op.replace(chip_op=some, sampler=GridSampler(32)), ds).tile
    assert set(np.unique((found.red - ds.red).round(3))) == {0, 1}


def test_a_variable_that_only_some_chips_change_is_told():
    """It was taken from the scene before, and the change was lost."""
    ds = simulate_scene((50, 60), bands=("red", "nir"))
    seen = []

    def step(chip):
        seen.append(1)
        made = chip.assign(sum=chip.red + chip.nir)
        return made if len(seen) < 3 else made.assign(red=chip.red + 1)

    op = ApplyToChips(GridSampler(32), from_function(step))
    with pytest.raises(TileError, match=r"changes red in some chips.*ds\.assign\(red=ds\.red\.copy\(\)\)"):
        run_chips(op, ds)


# ---- what cannot be run ------------------------------------------------------------------------------------


def test_run_chips_says_what_it_takes():
    ds = simulate_scene((50, 60), bands=("red",))
    chips = ApplyToChips(GridSampler(32), BoxMean(1))
    for call in (run_chips, memory_bytes):
        with pytest.raises(ParameterError, match=r"got Sequential; expected ApplyToChips.*operators\[0\]"):
            call(Sequential([chips, BoxMean(1)]), ds)
        with pytest.raises(
            ParameterError, match=r"got BoxMean; expected ApplyToChips.*ApplyToChips\(GridSampler"
        ):
            call(BoxMean(1), ds)
        with pytest.raises(ParameterError, match="got function"):
            call(lambda chip: chip, ds)


def test_advice_names_what_there_is(tmp_path):
    from geotoolz.patch import (
        BalancedSampler,
        JitteredSampler,
        PoissonDiskSampler,
        RandomSampler,
        StratifiedSampler,
    )

    ds = simulate_scene((50, 60), bands=("red", "nir"))
    for sampler in (
        RandomSampler(64, 1),
        PoissonDiskSampler(64, 70.0),
        StratifiedSampler(64, "red", 2, (0.1,)),
    ):
        with pytest.raises(ParameterError, match="chips of 64") as found:
            PatchGrid(ds, sampler)
        assert "boundary" not in str(found.value)  # it has none
    with pytest.raises(ParameterError, match='boundary="reflect"'):
        PatchGrid(ds, JitteredSampler(64))
    with pytest.raises(TileError, match="StratifiedSampler"):
        PatchGrid(ds, BalancedSampler(16, "red", 2))  # has no edges
    with pytest.raises(TileError, match=r"edges=\(…\) makes strata"):
        PatchGrid(ds, StratifiedSampler(16, "red", 2))
    op = ApplyToChips(GridSampler(20, 10), Scores(), Stitcher(per_variable={"label": HardVote(3)}))
    two = tile(np.zeros((20, 50), "f4"))
    with pytest.raises(TileError, match=r"out_\{band\}\.tif is one file per variable; WriteCOG"):
        run_chips(op, two, tmp_path / "out.tif")
    assert len(run_chips(op, two, tmp_path / "out_{band}.tif").paths) == 2
