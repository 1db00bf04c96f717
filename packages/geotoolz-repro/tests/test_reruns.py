"""Reruns of real pipelines: the same bits again, with one thread and with several."""

from __future__ import annotations

import numpy as np
import pytest

import geotoolz as gz
from geotoolz.cloud import ApplyMask, BufferMask, MaskClouds, MaskFromFlags
from geotoolz.core import Map, Plan, VarSpec, run
from geotoolz.core.testing import data_path, write_scene
from geotoolz.grid import Reproject
from geotoolz.indices import EVI, NDVI, NDWI
from geotoolz.radiometry import PercentileClip
from geotoolz.repro import Tier, freeze, load

PRESETS = ("cloud-mask", "mask", "nbr", "ndmi", "ndvi", "ndwi", "true-color", "water")
BUFFERED = ApplyMask(gz.Sequential([MaskFromFlags(("cloud",)), BufferMask(60)]), ("red", "nir"))
PIPELINES = {
    "indices": gz.Sequential([MaskClouds(), NDVI(), EVI(), NDWI()]),
    "buffered": gz.Sequential([BUFFERED, NDVI()]),
    "frozen on the tile": gz.Sequential([MaskClouds(), NDVI(), PercentileClip(2, 98, bands=("ndvi",))]),
    "another grid": gz.Sequential([NDVI(), Reproject("EPSG:4326")]),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    options = {"shape": (300, 270), "bands": ("blue", "green", "red", "nir", "swir16", "swir22", "scl")}
    return write_scene({**options, "raw": True, "cloud_cover": 0.3}, tmp_path_factory.mktemp("scene"))


def _again(op, scene, folder, threads=(1, 3)):
    path = freeze(op, scene, embed_below="20MB").save(folder / "a.gtar")
    artifact = load(path)
    assert artifact.verify().tier is Tier.INTACT and artifact.outputs
    for n in threads:
        report = artifact.rerun(folder / f"w{n}", threads=n)
        assert report.tier is Tier.BIT_EXACT, str(report)
    return artifact


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_pipelines(scene, tmp_path, name):
    _again(PIPELINES[name], scene, tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_presets(scene, tmp_path, name):
    _again(gz.preset(name), scene, tmp_path, threads=(2,))


def test_windows_give_the_frozen_bits(scene, tmp_path):
    """The expected pixels hold for every way of cutting the work, not for the rerun's own alone."""
    from geotoolz.core import pixel_hash

    op = PIPELINES["buffered"]
    artifact = freeze(op, scene)
    made = run(op, gz.open_tile(scene), window=(37, 41), threads=3)
    assert pixel_hash(made, "ndvi") == artifact.outputs["ndvi"].sha256


class Rounded(Map):
    """Tells how many rows its kernel got: what BLAS does to last bits, so that it can be seen."""

    tags = frozenset({"approximate"})
    kernel = staticmethod(lambda red: np.full(red.shape, red.shape[0], np.float32))

    def plan(self, tile):
        return Plan((tile.find("red"),), {"rows": VarSpec()})


def test_a_step_that_depends_on_the_cut_is_run_as_it_was(tmp_path):
    scene = write_scene({"shape": (600, 500), "bands": ("red", "nir")}, tmp_path / "large")
    artifact = freeze(Rounded(), scene, embed_below="20MB")
    for threads in (1, 4):
        assert artifact.rerun(tmp_path / f"w{threads}", threads=threads).tier is Tier.BIT_EXACT
    cut = run(Rounded(), gz.open_tile(scene), threads=4)
    assert int(cut.rows.max()) < artifact.outputs["rows"].max


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_real_scene(tmp_path):
    folder = data_path("s2_l2a_33TWL_croatia")
    scene = sorted(path for path in folder.iterdir() if path.is_dir())[0]
    artifact = _again(gz.Sequential([MaskClouds(), NDVI()]), scene, tmp_path, threads=(2,))
    assert artifact.inputs["scene"].pixels
