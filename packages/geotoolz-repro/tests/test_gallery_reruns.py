"""The watcher that freezes and runs again what pages of the gallery run: it sees all, and differences."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WATCHER = Path(__file__).parent / "helpers" / "gtz_gallery.py"
HEAD = "# %% [markdown]\n# # T1 · A page\n#\n# What it is *about*.\n\n# %%\n"
IMPORTS = """
import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.indices import NDVI
"""


@pytest.fixture
def gallery(monkeypatch):
    if not (ROOT / "scripts" / "gallery.py").is_file():
        pytest.skip("the gallery is part of the workspace, and this package is installed alone")
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("GEOTOOLZ_GALLERY_WATCH", str(WATCHER))
    monkeypatch.setenv("PYTHONPATH", str(WATCHER.parent))
    return importlib.import_module("scripts.gallery")


def _watched(gallery, folder, text):
    page = folder / "t1-page.py"
    page.write_text(HEAD + IMPORTS + text, encoding="utf-8")
    outcome = gallery.run(page, folder / "run")
    assert gallery.problems(outcome) == []
    return outcome.watched


def test_every_way_of_running_is_seen(gallery, tmp_path):
    text = """
import tempfile
tile = simulate_scene((150, 140), bands=("red", "nir", "green", "scl"))
ndvi = NDVI()(tile)
masked = gz.core.run(gz.Sequential([MaskClouds(), NDVI()]), tile, threads=2)
lazy = gz.core.run(gz.indices.NDWI(), tile.chunk({"y": 50}))
work = tempfile.mkdtemp()
scene = write_scene({"shape": (90, 80), "bands": ("red", "nir", "scl")}, work)
result = gz.io.stream(gz.indices.SAVI(), scene, f"{work}/savi.tif")
job = gz.CatalogPipeline([str(scene)], gz.indices.EVI2(), f"{work}/out", n_workers=2, progress="none")
counts = job.run().counts
looked = gz.Sequential([NDVI(), gz.core.Tap(id)])(simulate_scene((4, 4)))
"""
    pytest.importorskip("dask", reason="a lazy tile is a dask tile")
    told = _watched(gallery, tmp_path, text)
    found = {one["pipeline"]: one for one in told["reruns"]}
    assert set(found) == {"NDVI", "MaskClouds → NDVI", "NDWI", "SAVI", "EVI2"}
    assert [one for one in found if not found[one]["simulated"]] == ["NDVI", "MaskClouds → NDVI"]
    assert all(one["tiers"] == {"1": "bit-exact", "2": "bit-exact"} for one in found.values())
    (why,) = told["left"].values()
    assert "holds a Python function" in why


def test_a_pipeline_whose_result_hangs_on_the_cut_is_found(gallery, tmp_path):
    told = _watched(gallery, tmp_path, "from gtz_cut import Cut\ncut = Cut()(simulate_scene((150, 140)))\n")
    (one,) = told["reruns"]
    assert set(one["tiers"].values()) == {"differs"} and "output-pixels cut" in one["findings"][0]
