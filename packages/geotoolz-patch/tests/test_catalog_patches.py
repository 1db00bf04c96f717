"""Chips over a catalog: numbered through, in batches, as files, in a picture."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import xarray as xr

from geotoolz.augment import GaussianNoise
from geotoolz.core import ParameterError, ReadError, TileError
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.patch import (
    CatalogPatches,
    GridSampler,
    Hann,
    Mean,
    PatchGrid,
    RandomSampler,
    Stitcher,
    draw_chips,
    stitch_chips,
    write_chips,
)


@pytest.fixture(scope="module")
def scenes():
    sizes = ((60, 80), (64, 64), (50, 33))
    return [simulate_scene(size, bands=("red", "nir"), seed=n) for n, size in enumerate(sizes)]


@pytest.fixture
def patches(scenes):
    return CatalogPatches(scenes, GridSampler(32, 24))


def test_chips_are_numbered_through(patches):
    assert [patch.index for patch in patches] == list(range(len(patches)))
    assert [patch.scene for patch in patches] == [n for n, grid in enumerate(patches.grids) for _ in grid]
    assert len({patch.index for patch in patches[3:] + patches[:3]}) == len(patches)
    for patch in patches:
        there = patch.grid[patch.index - patches.first(patch.scene)]
        assert there.chip == patch.chip and there.tile.equals(patch.tile)


def test_augmentations_do_not_repeat_from_scene_to_scene(scenes):
    """The same scene twice: chip 0 of the second is another draw than chip 0 of the first."""
    patches = CatalogPatches([scenes[0], scenes[0]], GridSampler(32))
    half = len(patches) // 2
    assert patches[0].tile.equals(patches[half].tile)
    noisy = [GaussianNoise(0.1).draw(p.tile, epoch=patches.epoch, chip=p.index) for p in patches]
    assert not noisy[0].red.equals(noisy[half].red)
    assert len({tile.red.values.tobytes() for tile in noisy}) == len(patches)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_batches_of_all_workers_are_the_plan(patches, workers):
    seen = [
        patch.index
        for worker in range(workers)
        for batch in patches.batches(4, seed=3, worker=worker, workers=workers)
        for patch in batch.patches
    ]
    assert sorted(seen) == list(range(len(patches))) != seen


def test_batches_are_the_chips_whatever_the_buffer(patches):
    for buffer in (1, 5, 1000):
        found = list(patches.batches(4, seed=1, buffer=buffer))
        assert [p.index for batch in found for p in batch.patches] == patches.order(seed=1)
        assert any(len({p.scene for p in batch.patches}) > 1 for batch in found)
        for batch in found:
            assert batch.stacked().shape == (len(batch), 2, 32, 32)
            for patch, ds in zip(batch.patches, batch, strict=True):
                xr.testing.assert_identical(ds, patch.tile)
    assert patches.memory_bytes(3) == 3 * 2 * 32 * 32 * 4


def test_a_batch_reads_scene_by_scene(scenes):
    seen = []

    class Seen:
        def __init__(self, number, ds):
            from geotoolz.patch import DatasetSource

            self.number, self.held = number, DatasetSource(ds)
            self.spec = self.held.spec

        def arrays(self, names=None, rows=slice(None), cols=slice(None)):
            seen.append((self.number, rows.start, cols.start))
            return self.held.arrays(names, rows, cols)

    patches = CatalogPatches([Seen(n, ds) for n, ds in enumerate(scenes)], GridSampler(32, 24))
    list(patches.batches(4, seed=1))
    assert seen == sorted(seen) and len(seen) == len(patches)


def test_other_epochs_have_other_places_and_another_order(scenes):
    patches = CatalogPatches(scenes, RandomSampler(16, 6), bands="red")
    second = patches.with_epoch(1)
    assert second.epoch == 1 and second.grids[0].source is patches.grids[0].source
    assert [p.chip for p in second] != [p.chip for p in patches]
    assert [p.chip for p in second.with_epoch(0)] == [p.chip for p in patches]
    assert second.order(seed=1) != patches.order(seed=1)
    assert second.grids[1].bands == ("red",)


def test_scenes_that_do_not_go_into_one_batch_are_named(scenes):
    patches = CatalogPatches([scenes[0], scenes[1].astype("float64")], GridSampler(32))
    with pytest.raises(TileError, match=r"scene 1 has red \(float64, 32 × 32\).*scene 0 has red \(float32"):
        patches.batch([0, len(patches) - 1])
    dates = CatalogPatches(
        [contract_tile((32, 32), times=n)[["red"]] for n in (2, 3)], GridSampler(32), bands="red"
    )
    with pytest.raises(TileError, match=r"scene 1 has red \(float32, 3 × 32 × 32\)"):
        dates.batch([0, 1])
    assert len(dates.batch([1])) == 1
    with pytest.raises(ParameterError, match="worker=3 of 2"):
        patches.order(worker=3, workers=2)


def test_every_scene_is_a_folder_that_can_be_stitched(scenes, tmp_path):
    patches = CatalogPatches(scenes, GridSampler(32, 24))
    paths = write_chips(patches, tmp_path / "c")
    assert [p.rsplit("/", 2)[1:] for p in paths] == [
        [f"{p.scene:05d}", f"{p.index:07d}.tif"] for p in patches
    ]
    index = json.loads((tmp_path / "c" / "scenes.json").read_text())
    assert [s["first"] for s in index["scenes"]] == [patches.first(n) for n in range(3)]
    assert sum(s["chips"] for s in index["scenes"]) == len(patches)
    for scene, ds in zip(index["scenes"], scenes, strict=True):
        found = stitch_chips(tmp_path / "c" / scene["folder"], stitcher=Stitcher(Hann(), Mean())).tile
        for name in ("red", "nir"):
            np.testing.assert_array_equal(found[name], ds[name])
    with pytest.raises(ReadError, match="chips of several scenes; expected the folder of one scene"):
        stitch_chips(tmp_path / "c")


def test_a_chip_of_several_types_is_refused_in_words_of_chips(tmp_path):
    """Not with advice on {band}: nobody chose these paths."""
    with pytest.raises(TileError, match=r"a chip would hold .*scl \(uint8.*bands=…") as found:
        write_chips(PatchGrid(contract_tile((32, 32)), GridSampler(16)), tmp_path / "c")
    assert "{band}" not in str(found.value) and not (tmp_path / "c").exists()


def test_scenes_stand_side_by_side_in_the_picture(patches, scenes):
    from PIL import Image

    sheet = np.asarray(Image.open(io.BytesIO(draw_chips(patches, size=164))).convert("RGB"))
    assert sheet.shape == (2 * 64 + 4, 2 * 80 + 4, 3)
    first = np.asarray(Image.open(io.BytesIO(draw_chips(patches.grids[0], size=80))).convert("RGB"))
    np.testing.assert_array_equal(sheet[:60, :80], first)
    third = np.asarray(Image.open(io.BytesIO(draw_chips(patches.grids[2], size=80))).convert("RGB"))
    np.testing.assert_array_equal(sheet[68:118, :33], third)
    assert (sheet[68:, 84:] == 255).all()
    with pytest.raises(ParameterError, match="size=30 for 3 scenes; expected 36 or more"):
        draw_chips(patches, size=30)
