from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import ParameterError, ReadError, UntrustedOperatorError, from_function
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG, WriteZarr, open_zarr, stream, write_tile
from geotoolz.radiometry import Encode
from geotoolz.repro import ArtifactError, Tier, load, trace

PIPELINE = gz.Sequential([MaskClouds(), NDVI()])


def double(ds):
    return ds.assign(double=ds.red * 2)


@pytest.fixture
def scene(tmp_path):
    return write_scene(
        {"shape": (60, 50), "bands": ("red", "nir", "scl", "green"), "raw": True}, tmp_path / "scenes"
    )


def _by(driver, scene, folder):
    """Write the NDVI of a scene with a driver, and return the file."""
    if driver == "call":
        gz.Sequential([*PIPELINE.operators, WriteCOG(f"{folder}/{{band}}.tif", ("ndvi",))])(
            gz.open_tile(str(scene))
        )
    elif driver == "stream":
        stream(PIPELINE, str(scene), f"{folder}/ndvi.tif")
    elif driver == "command line":
        from geotoolz._cli._app import main

        assert main(["run", "ndvi", str(scene), str(folder)]) == 0
    else:
        report = gz.CatalogPipeline(
            [str(scene)], PIPELINE, folder, engine=driver, n_workers=1, progress="none"
        ).run()
        assert report.counts == {"done": 1}
    (path,) = folder.rglob("*.tif")
    return path


@pytest.mark.parametrize("driver", ["call", "stream", "inline", "process", "command line"])
def test_every_driver_tells_and_can_be_frozen(scene, tmp_path, driver):
    path = _by(driver, scene, tmp_path / "out")
    found = trace(path)
    assert found.told_by == "tags" and found.source.startswith(str(scene))
    assert found.config_hash == PIPELINE.config_hash() and found.pipeline() == PIPELINE
    wanted = {
        (n, hashlib.sha256((scene / n).read_bytes()).hexdigest()) for n in ("B04.tif", "B08.tif", "SCL.tif")
    }
    assert {(name, sha256) for name, _, sha256 in found.inputs} == wanted
    assert found.software["geotoolz-core"] and found.software["numpy"]
    artifact = load(found.freeze().save(tmp_path / "a.gtar"))
    assert artifact.pipeline_hash == found.config_hash and list(artifact.outputs) == ["ndvi"]
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_the_item_of_a_run(scene, tmp_path):
    path = _by("inline", scene, tmp_path / "out")
    (item,) = (tmp_path / "out" / "items").glob("*.json")
    told = json.loads(item.read_text())["properties"]
    assert {name for name, *_ in told["geotoolz:input_hashes"]} == {"B04.tif", "B08.tif", "SCL.tif"}
    found = trace(item)
    assert found.told_by == "item" and found.path.samefile(path) and found.source == str(scene)
    assert found.config_hash == PIPELINE.config_hash()
    assert found.freeze().rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    # a file without tags is found by the item that names it
    tile = gz.open_tile(path)
    write_tile(tile, path)
    assert trace(path).told_by == "item" and trace(path).config_hash == PIPELINE.config_hash()


def test_how_it_was_read_is_told(scene, tmp_path):
    (path,) = stream(PIPELINE, str(scene), f"{tmp_path}/ndvi.tif", resolution=20).paths
    found = trace(path)
    assert found.read == {"resolution": 20}
    assert found.freeze().rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    gz.CatalogPipeline(
        [str(scene)], PIPELINE, tmp_path / "out", read={"resolution": 20}, progress="none"
    ).run()
    (item,) = (tmp_path / "out" / "items").glob("*.json")
    assert trace(item).read == {"resolution": 20} and trace(item).freeze().rerun(tmp_path / "v").ok


def test_packed_and_logical_outputs_are_compared_as_they_were_made(scene, tmp_path):
    packed = gz.Sequential([MaskClouds(), Encode("reflectance_uint16", bands=("red",))])
    for name, op, dtype in (("flagged", gz.preset("cloud-mask"), "|b1"), ("red", packed, "<u2")):
        (path,) = stream(op, str(scene), f"{tmp_path}/{name}.tif", outputs=name).paths
        artifact = trace(path).freeze()
        assert artifact.outputs[name].dtype == dtype
        assert artifact.rerun(tmp_path / name).tier is Tier.BIT_EXACT, name


def test_an_input_that_has_changed_since_is_not_frozen(scene, tmp_path):
    (path,) = stream(PIPELINE, str(scene), f"{tmp_path}/ndvi.tif").paths
    kept = (scene / "B08.tif").read_bytes()
    (scene / "B08.tif").write_bytes((scene / "B04.tif").read_bytes())
    with pytest.raises(ReadError, match=r"B08\.tif .* no longer"):
        trace(path).freeze()
    (scene / "B08.tif").write_bytes(kept)
    moved = scene.rename(tmp_path / scene.name)
    with pytest.raises(ReadError, match="does not exist"):
        trace(path).freeze()
    assert trace(path).freeze(inputs=moved).rerun(tmp_path / "w").ok


def test_what_does_not_tell(scene, tmp_path):
    (path,) = write_tile(gz.open_tile(scene, ["red"]), tmp_path / "red.tif")
    with pytest.raises(ArtifactError, match="does not tell how"):
        trace(path)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ArtifactError, match="STAC item of a geotoolz run"):
        trace(tmp_path / "x.json")
    (tmp_path / "x.tif").write_text("no raster")
    with pytest.raises(ReadError, match="no raster"):
        trace(tmp_path / "x.tif")
    with pytest.raises(ReadError, match="does not exist"):
        trace(tmp_path / "none.tif")


def test_a_second_step_in_memory_does_not_claim_the_first_ones_source(scene, tmp_path):
    tile = gz.Sequential([MaskClouds()])(gz.open_tile(scene))
    gz.Sequential([NDVI(), WriteCOG(f"{tmp_path}/ndvi.tif", ("ndvi",))])(tile)
    found = trace(tmp_path / "ndvi.tif")
    assert found.source == "" and found.inputs == ()
    with pytest.raises(ArtifactError, match="what it was read from"):
        found.freeze()


def test_no_signature_is_kept(scene, tmp_path):
    from geotoolz.core._provenance import made_by, provenance

    with made_by(NDVI(), source="https://x/a.tif?sig=SECRET", files=["https://x/a.tif?sig=SECRET"]):
        assert "SECRET" not in provenance() and "https://x/a.tif" in provenance()
    assert provenance() == ""


def test_no_code_by_way_of_reading(scene, tmp_path):
    """A stranger's file may name what signs addresses: it is not imported."""
    from geotoolz.repro._trace_files import _of_tag

    text = {"inputs": [], "software": {}, "pipeline": NDVI().config(), "source": str(scene)}
    found = _of_tag(tmp_path / "x.tif", json.dumps({**text, "read": {"sign": "os:getcwd"}}))
    with pytest.raises(ParameterError, match="read has sign"):
        found.freeze()


def test_strange_pipelines_are_not_imported(scene, tmp_path):
    from geotoolz.core._provenance import made_by

    op = from_function(double)
    with made_by(op, source=str(scene)):
        write_tile(gz.open_tile(scene, ["red"]), tmp_path / "red.tif")
    found = trace(tmp_path / "red.tif")
    with pytest.raises((UntrustedOperatorError, ArtifactError)):
        found.pipeline()


def test_tags_that_are_broken(scene, tmp_path):
    import rasterio

    from geotoolz.io._tags import PROVENANCE_TAG

    (path,) = write_tile(gz.open_tile(scene, ["red"]), tmp_path / "red.tif")
    for text in ("{", "[]", '{"inputs": [1], "software": {}}', '{"inputs": [], "software": 3}'):
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
            raster.update_tags(**{PROVENANCE_TAG: text})
        with pytest.raises(ArtifactError, match="cannot be read"):
            trace(path)


@pytest.mark.parametrize("driver", ["call", "stream", "inline"])
def test_zarr_tells_and_can_be_frozen(scene, tmp_path, driver):
    """The attributes of the group tell it; the tile that is read back does not hold them."""
    path = tmp_path / "out" / "ndvi.zarr"
    op = gz.Sequential([*PIPELINE.operators, WriteZarr(str(path), ("ndvi", "red"))])
    if driver == "call":
        op(gz.open_tile(str(scene)))
    elif driver == "stream":
        stream(op, str(scene))
    else:
        report = gz.CatalogPipeline([str(scene)], op, tmp_path / "out", progress="none").run()
        assert report.counts == {"done": 1}
    found = trace(path)
    assert found.told_by == "attributes" and found.source.startswith(str(scene))
    assert {name for name, *_ in found.inputs} == {"B04.tif", "B08.tif", "SCL.tif"}
    assert found.config_hash == PIPELINE.config_hash()
    assert not [key for key in (*open_zarr(path).attrs, *gz.open_tile(path).attrs) if "PROVENANCE" in key]
    artifact = load(found.freeze().save(tmp_path / "a.gtar"))
    assert set(artifact.outputs) == {"ndvi", "red"}
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_a_band_that_passed_through_is_frozen_too(scene, tmp_path):
    gz.Sequential([*PIPELINE.operators, WriteCOG(f"{tmp_path}/{{band}}.tif", ("ndvi", "scl"))])(
        gz.open_tile(scene)
    )
    artifact = trace(tmp_path / "scl.tif").freeze()
    assert list(artifact.outputs) == ["scl"] and list(artifact.inputs["scene"].pixels) == ["scl"]
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_a_zarr_folder_that_is_broken(tmp_path):
    store = tmp_path / "x.zarr"
    store.mkdir()
    (store / "zarr.json").write_text("{")
    with pytest.raises(ReadError, match="cannot be read"):
        trace(store)
    (store / "zarr.json").write_text('{"attributes": {"GEOTOOLZ_PROVENANCE": "{"}}')
    with pytest.raises(ArtifactError, match="cannot be read"):
        trace(store)
    (store / "zarr.json").write_text("{}")
    with pytest.raises(ArtifactError, match="does not tell how"):
        trace(store)


@pytest.mark.parametrize("name", ["mosaic.vrt", "mosaic.tif"])
def test_a_mosaic_names_its_parts(tmp_path, name):
    from geotoolz.catalog import build_mosaic

    files = []
    for x in (0, 500):
        folder = tmp_path / "scenes" / str(x)
        scene = write_scene(
            {"shape": (60, 50), "bands": ("red", "nir"), "origin": (500_000.0 + x, 5_100_000.0)}, folder
        )
        (path,) = stream(NDVI(), str(scene), f"{tmp_path}/parts/{x}.tif", outputs="ndvi").paths
        files.append(path)
    build_mosaic(files, tmp_path / name)
    found = trace(tmp_path / name)
    assert found.told_by == "mosaic" and sorted(map(str, found.parts)) == sorted(files)
    assert {sha256 for _, _, sha256 in found.inputs} == {
        hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in files
    }
    with pytest.raises(ArtifactError, match="a mosaic of 2 files"):
        found.freeze()
    for number, part in enumerate(found.parts):
        assert trace(part).freeze().rerun(tmp_path / f"w{number}").tier is Tier.BIT_EXACT
