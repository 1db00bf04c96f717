"""Scenes whose STAC item names more than is read, and files that lie elsewhere: only what is read counts."""

from __future__ import annotations

import json
import shutil

import pytest

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import open_scene, stream
from geotoolz.repro import Kind, Tier, freeze, load, trace
from geotoolz.repro import _sources as sources

PIPELINE = gz.Sequential([MaskClouds(), NDVI()])
FAR = "https://far.invalid/S2A/AOT.tif"


@pytest.fixture
def item(tmp_path, monkeypatch):
    """Return the item of a scene that names bands of another place; asking for them fails the test."""

    def refused(uri):
        pytest.fail(f"{uri} was fetched")

    monkeypatch.setattr(sources, "fetch_digest", refused)
    options = {"shape": (60, 50), "bands": ("red", "nir", "scl", "green"), "raw": True}
    folder = write_scene(options, tmp_path / "scenes")
    (path,) = folder.glob("*.json")
    held = json.loads(path.read_text())
    held["assets"]["aot"] = {"href": FAR, "type": "image/tiff", "roles": ["data"]}
    held["assets"]["rededge1"] = {"href": FAR.replace("AOT", "B05"), "type": "image/tiff"}
    path.write_text(json.dumps(held))
    return path


@pytest.mark.parametrize("driver", ["stream", "run"])
def test_what_is_not_read_is_neither_hashed_nor_fetched(item, tmp_path, driver):
    if driver == "stream":
        (path,) = stream(PIPELINE, str(item), f"{tmp_path}/out/ndvi.tif").paths
    else:
        gz.CatalogPipeline([str(item)], PIPELINE, tmp_path / "out", progress="none").run()
        (path,) = (tmp_path / "out").glob("*.tif")
    traced = trace(path).freeze(embed_below=0)
    names = {one.path for one in traced.inputs["scene"].files}
    assert names == {item.name, "B04.tif", "B08.tif", "SCL.tif", "B03.tif"}
    planned = freeze(PIPELINE, item, embed_below=0)
    assert {one.path for one in planned.inputs["scene"].files} == names
    artifact = load(traced.save(tmp_path / "a.gtar"))
    assert artifact.verify().ok and artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    moved = item.parent.rename(tmp_path / "moved")
    assert artifact.rerun(tmp_path / "v", inputs=moved).tier is Tier.BIT_EXACT
    assert artifact.rerun(tmp_path / "v", inputs=moved / item.name).tier is Tier.BIT_EXACT
    (moved / "B08.tif").write_bytes((moved / "B04.tif").read_bytes())
    (found, *_) = artifact.rerun(tmp_path / "u", inputs=moved / item.name).of(Kind.INPUT_CHANGED)
    assert "B08.tif has other content" in found.found and FAR not in found.found


def test_an_item_is_run_again_from_the_archive_alone(item, tmp_path):
    artifact = load(freeze(PIPELINE, item).save(tmp_path / "a.gtar"))
    assert artifact.inputs["scene"].embedded
    item.parent.rename(tmp_path / "gone")
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_an_item_in_no_file(item, tmp_path):
    held = json.loads(item.read_text())
    for asset in held["assets"].values():
        if "://" not in asset["href"]:
            asset["href"] = str(item.parent / asset["href"])
    artifact = freeze(PIPELINE, held)
    wanted = open_scene(item).files_of(["red", "nir", "scl"])
    assert {one.path for one in artifact.inputs["scene"].files} == set(wanted)
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_a_changed_file_that_is_not_read_is_a_note(item, tmp_path):
    artifact = load(freeze(PIPELINE, item.parent, embed_below=0).save(tmp_path / "a.gtar"))
    (item.parent / "B03.tif").write_bytes((item.parent / "B04.tif").read_bytes())
    assert not artifact.verify().ok
    report = artifact.rerun(tmp_path / "w")
    (found,) = report.of(Kind.INPUT_CHANGED)
    assert report.tier is Tier.BIT_EXACT and not report.differences and "does not read" in found.found
    (item.parent / "B08.tif").write_bytes((item.parent / "B04.tif").read_bytes())
    assert artifact.rerun(tmp_path / "v").tier is Tier.DIFFERS


def test_a_relative_input_is_looked_up_beside_the_artefact(item, tmp_path, monkeypatch):
    shared, mine = tmp_path / "shared", tmp_path / "mine"
    for folder in (shared, mine):
        shutil.copytree(item.parent, folder / "scene")
    monkeypatch.chdir(shared)
    path = freeze(PIPELINE, "scene", embed_below=0).save(shared / "a.gtar")
    monkeypatch.chdir(mine)
    for band in ("B04.tif", "B08.tif"):
        (mine / "scene" / band).write_bytes(b"another")
    assert load(path).verify().ok and load(path).rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    (found,) = load(path).verify(inputs="scene").differences  # what is said now is said from here
    assert str(mine / "scene") in found.found and found.kind is Kind.INPUT_CHANGED
    shutil.rmtree(shared / "scene")
    (found,) = load(path).verify().differences
    assert str(mine / "scene") in found.found
    shutil.rmtree(mine / "scene")
    (found,) = load(path).verify().differences
    assert found.kind is Kind.INPUT_MISSING and str(mine / "scene") in found.found
