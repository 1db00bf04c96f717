from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import (
    ArrayParam,
    FrozenArray,
    Map,
    ParameterError,
    Plan,
    ReadError,
    Ref,
    VarSpec,
    as_array,
    pixel_hash,
)
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.repro import (
    ArtifactError,
    Kind,
    Source,
    Tier,
    Tolerance,
    Weight,
    environment,
    freeze,
    load,
    verify,
)

PIPELINE = gz.Sequential([MaskClouds(), NDVI()])


class Weighted(Map):
    """Red times the numbers of a file, or of an array."""

    weights: ArrayParam | Ref = None
    name: str = "weighted"

    kernel = staticmethod(lambda red, weights: red * np.float32(as_array(weights).sum()))

    def plan(self, tile):
        return Plan((tile.find("red"),), {self.name: VarSpec()}, args=(self.weights,))


@pytest.fixture
def scene(tmp_path):
    return write_scene({"shape": (80, 70), "bands": ("red", "nir", "scl"), "raw": True}, tmp_path / "scenes")


def test_everything_is_in_it(scene, tmp_path):
    lock = tmp_path / "uv.lock"
    lock.write_bytes(b"version = 1\r\n# verbatim\n")
    told = {"author": "A. Nother", "date": "2024-09-15", "doi": "10.1/x"}
    path = freeze(PIPELINE, {"scene": scene}, lock, told).save(tmp_path / "a.gtar")
    artifact = load(path)
    assert artifact.pipeline_hash == PIPELINE.config_hash()
    assert hashlib.sha256(artifact.config_canonical.encode()).hexdigest() == artifact.pipeline_hash
    assert gz.load(artifact.config_yaml) == PIPELINE == artifact.pipeline()
    assert artifact.deps_lock == "version = 1\r\n# verbatim\n" and artifact.manifest.lock == "uv.lock"
    assert artifact.metadata == told
    held = artifact.inputs["scene"]
    assert (
        held.embedded
        and held.uri == str(scene)
        and {"B04.tif", "B08.tif", "SCL.tif"} <= {f.path for f in held.files}
    )
    for file in held.files:
        assert file.sha256 == hashlib.sha256((scene / file.path).read_bytes()).hexdigest()
        assert file.size == (scene / file.path).stat().st_size
    tile = gz.open_tile(scene)
    assert held.pixels == {name: pixel_hash(tile, name) for name in ("red", "nir", "scl")}
    made = PIPELINE(tile)
    assert artifact.outputs["ndvi"].sha256 == pixel_hash(made, "ndvi")
    assert artifact.outputs["ndvi"].valid == int(np.isfinite(made.ndvi).sum())
    around = artifact.environment
    assert around["packages"]["numpy"] == np.__version__ and around["libraries"]["gdal"]
    assert {"proj (pyproj)", "proj (rasterio)", "geos (rasterio)", "blas (numpy)"} <= set(around["libraries"])
    assert around["cpu"]["features"]


def test_descriptions_for_other_tools(scene):
    artifact = freeze(PIPELINE, scene, metadata={"author": "A", "date": "2024-09-15"})
    crate = json.loads(artifact.text("ro-crate-metadata.json"))
    entities = {one["@id"]: one for one in crate["@graph"]}
    root = entities["./"]
    assert (
        entities["ro-crate-metadata.json"]["about"] == {"@id": "./"} and root["datePublished"] == "2024-09-15"
    )
    assert {one["@id"] for one in root["hasPart"]} <= set(entities) and root["author"]["@id"] in entities
    assert entities["config.yaml"]["sha256"] == hashlib.sha256(artifact.config_yaml.encode()).hexdigest()
    assert {one["@id"] for one in entities["#run"]["object"]} <= set(entities)
    told = json.loads(artifact.text("processing.json"))["properties"]
    assert told["geotoolz:config_hash"] == artifact.pipeline_hash
    assert told["processing:expression"]["expression"] == PIPELINE.config()


def test_two_freezes_are_byte_equal(scene, tmp_path):
    """In another process, with other times of modification, another order, another number of threads."""
    told = {"b": 1, "a": {"y": 2, "x": None}}
    first = freeze(PIPELINE, scene, metadata=told).save(tmp_path / "a.gtar")
    for file in scene.iterdir():
        os.utime(file, (1, 1))
    code = (
        "import sys, geotoolz as gz; from geotoolz.repro import freeze; import shapely\n"
        "from geotoolz.cloud import MaskClouds; from geotoolz.indices import NDVI\n"
        "op = gz.Sequential([MaskClouds(), NDVI()])\n"
        "told = {'a': {'x': None, 'y': 2}, 'b': 1}\n"
        "freeze(op, sys.argv[1], metadata=told, threads=2).save(sys.argv[2])"
    )
    second = tmp_path / "b.gtar"
    subprocess.run([sys.executable, "-c", code, str(scene), str(second)], check=True, timeout=120)
    assert first.read_bytes() == second.read_bytes()
    again = load(first).save(tmp_path / "c.gtar")
    assert again.read_bytes() == first.read_bytes()


def test_a_rerun_from_nothing_but_the_archive(scene, tmp_path):
    path = freeze(PIPELINE, scene).save(tmp_path / "a.gtar")
    expected = PIPELINE(gz.open_tile(scene))
    scene.rename(tmp_path / "gone")
    report = load(path).rerun(tmp_path / "work")
    assert report.tier is Tier.BIT_EXACT and report.ok and not report.differences
    (made,) = report.paths
    np.testing.assert_array_equal(gz.open_tile(made).ndvi.values, expected.ndvi.values)
    assert load(path).rerun(tmp_path / "two", threads=2).tier is Tier.BIT_EXACT
    checked = load(path).verify()
    assert checked.tier is Tier.INTACT
    assert [(one.kind, one.weight) for one in checked.of(Kind.INPUT_MISSING)] == [
        (Kind.INPUT_MISSING, Weight.NOTE)
    ]


def test_inputs_that_are_not_embedded(scene, tmp_path):
    path = freeze(PIPELINE, scene, embed_below=0).save(tmp_path / "a.gtar")
    artifact = load(path)
    assert not artifact.inputs["scene"].embedded and artifact.verify().ok
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    scene.rename(tmp_path / "moved")
    told = artifact.verify()
    assert [(one.kind, one.subject) for one in told.differences] == [(Kind.INPUT_MISSING, "scene")]
    stopped = artifact.rerun(tmp_path / "w")
    assert {one.kind for one in stopped.differences} == {
        Kind.INPUT_MISSING,
        Kind.NOT_RUN,
    } and not stopped.paths
    assert artifact.rerun(tmp_path / "w", inputs=tmp_path / "moved").tier is Tier.BIT_EXACT
    with pytest.raises(ParameterError, match="scenes"):
        artifact.rerun(tmp_path / "w", inputs={"scenes": tmp_path / "moved"})


def test_a_changed_input_is_named_and_so_are_its_pixels(scene, tmp_path):
    import rasterio

    path = freeze(NDVI(), scene, embed_below="1MB").save(tmp_path / "a.gtar")
    with rasterio.open(scene / "B08.tif", "r+") as raster:
        pixels = raster.read(1)
        pixels[10:12, 20] += 500
        raster.write(pixels, 1)
    artifact = load(path)
    told = artifact.verify()
    assert told.ok and "B08.tif has other content" in told.of(Kind.INPUT_CHANGED)[0].found
    assert artifact.rerun(tmp_path / "own").tier is Tier.BIT_EXACT
    report = artifact.rerun(tmp_path / "w", inputs=scene)
    assert report.tier is Tier.DIFFERS
    assert {one.kind for one in report.differences} == {Kind.INPUT_CHANGED, Kind.OUTPUT_PIXELS}
    assert any("the pixels of nir" in one.found for one in report.of(Kind.INPUT_CHANGED))
    pixels = report.of(Kind.OUTPUT_PIXELS)[0].facts
    assert pixels["pixels"] == 2 and pixels["extent"] == [10, 12, 20, 21] and pixels["largest"] > 0


def test_tolerances_are_the_second_tier(scene, tmp_path):
    before = gz.Sequential([NDVI()])(gz.open_tile(scene))
    near = before.copy(deep=True)
    near.ndvi.values[3, 4] += np.float32(1e-4)
    stated = freeze(NDVI(), scene, outputs=near[["ndvi"]], tolerance=Tolerance(atol=2e-4))
    report = stated.rerun(tmp_path / "a")
    assert report.tier is Tier.WITHIN_TOLERANCE and report.ok
    assert (
        report.differences[0].facts["extent"] == [3, 4, 4, 5] and report.differences[0].facts["pixels"] == 1
    )
    assert stated.rerun(tmp_path / "b", tolerance=Tolerance(atol=1e-6)).tier is Tier.DIFFERS
    assert (
        stated.rerun(tmp_path / "b", tolerance={"ndvi": Tolerance(share=0.01)}).tier is Tier.WITHIN_TOLERANCE
    )
    strict = freeze(NDVI(), scene, outputs=near[["ndvi"]])
    assert strict.rerun(tmp_path / "c").tier is Tier.DIFFERS


def test_without_frozen_pixels_blocks_tell_where(scene, tmp_path):
    near = NDVI()(gz.open_tile(scene))[["ndvi"]].copy(deep=True)
    near.ndvi.values[3, 4] += np.float32(1e-4)
    artifact = freeze(NDVI(), scene, outputs=near, tolerance=Tolerance(atol=1), embed_below=0)
    (found,) = artifact.rerun(tmp_path / "a").of(Kind.OUTPUT_PIXELS)
    assert found.weight is Weight.DIFFERENCE and found.facts == {
        "blocks": 1,
        "of": 1,
        "extent": [0, 80, 0, 70],
    }
    assert artifact.rerun(tmp_path / "b", reference=near).tier is Tier.WITHIN_TOLERANCE


def test_a_changed_pipeline_is_named(scene, tmp_path, monkeypatch):
    path = freeze(NDVI(), scene).save(tmp_path / "a.gtar")
    monkeypatch.setattr(NDVI, "version", NDVI.version + 1)
    (found,) = load(path).verify().of(Kind.PIPELINE_CHANGED)
    assert "_version_: 1 → 2" in found.found
    report = load(path).rerun(tmp_path / "w")
    assert report.tier is Tier.DIFFERS and {one.kind for one in report.differences} == {Kind.PIPELINE_CHANGED}


def test_another_environment_is_a_note(scene, tmp_path, monkeypatch):
    """An artefact from another processor, with other packages, that computes the same is bit-exact."""
    import geotoolz.repro._verify as module

    path = freeze(NDVI(), scene, container="sha256:one").save(tmp_path / "a.gtar")
    now = environment("sha256:two")
    now["packages"]["numpy"] = "1.0"
    now["libraries"]["gdal"] = "2.0"
    now["cpu"] = {"features": [*now["cpu"]["features"][1:], "SVE9"], "target": "other"}
    monkeypatch.setattr(module, "environment", lambda: now)
    report = load(path).verify()
    assert report.tier is Tier.INTACT
    notes = {(one.kind, one.subject) for one in report.findings if one.weight is Weight.NOTE}
    assert {
        (Kind.PACKAGE, "numpy"),
        (Kind.LIBRARY, "gdal"),
        (Kind.CPU, "SVE9"),
        (Kind.CPU, "target"),
    } <= notes
    assert (Kind.PLATFORM, "container") in notes
    assert load(path).rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_references_by_hash_and_embedded(scene, tmp_path):
    file = tmp_path / "weights.npy"
    file.write_bytes(FrozenArray([0.5, 0.25]).to_bytes())
    op = Weighted(Ref.of(file))
    by_hash = freeze(op, scene)
    assert by_hash.manifest.references[0].member is None and by_hash.verify().ok
    held = freeze(op, scene, embed_references=True)
    path = held.save(tmp_path / "held.gtar")
    file.write_bytes(FrozenArray([9.0]).to_bytes())
    assert [one.kind for one in by_hash.verify().of(Kind.REFERENCE_CHANGED)] == [Kind.REFERENCE_CHANGED]
    file.unlink()
    assert by_hash.verify().of(Kind.REFERENCE_MISSING)
    assert load(path, trusted=True).rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    inside = freeze(Weighted(FrozenArray([0.5, 0.25])), scene)
    assert inside.manifest.references[0].member and inside.pipeline_hash == held.pipeline_hash
    assert inside.rerun(tmp_path / "v").tier is Tier.BIT_EXACT
    with pytest.raises(ArtifactError, match="embedded"):
        inside.pipeline()
    assert inside.pipeline(tmp_path / "refs").config_hash() == inside.pipeline_hash


def test_what_is_not_registered_needs_trust(scene, tmp_path):
    path = freeze(Weighted(FrozenArray([1.0])), scene).save(tmp_path / "a.gtar")
    report = load(path).rerun(tmp_path / "w")
    assert {one.kind for one in report.differences} == {Kind.PIPELINE_REFUSED, Kind.NOT_RUN}
    assert "trusted=True" in report.of(Kind.PIPELINE_REFUSED)[0].found and not report.paths
    told = load(path).verify()
    assert not told.ok and told.of(Kind.PIPELINE_REFUSED)[0].weight is Weight.DIFFERENCE
    assert load(path, trusted=True).rerun(tmp_path / "w").ok


def test_the_step_that_writes_stays_out_of_untrusted_runs(scene, tmp_path):
    from geotoolz.io import WriteCOG

    op = gz.Sequential([NDVI(), WriteCOG(f"{tmp_path}/elsewhere/{{item_id}}_{{band}}.tif", bands=("ndvi",))])
    path = freeze(op, scene).save(tmp_path / "a.gtar")
    for trusted in (False, True):
        report = load(path, trusted=trusted).rerun(tmp_path / f"w{trusted}")
        assert report.tier is Tier.BIT_EXACT and not (tmp_path / "elsewhere").exists()
    assert load(path).verify().ok


def test_a_graph_of_two_inputs(scene, tmp_path):
    from geotoolz.core import Graph, Input, Merge

    other = write_scene(
        {"shape": (80, 70), "bands": ("red", "nir"), "datetime": "2023-07-01"}, tmp_path / "other"
    )
    old, new = Input("old"), Input("new")
    graph = Graph({"old": old, "new": new}, outputs={"both": Merge(prefix=True)(NDVI()(old), NDVI()(new))})
    with pytest.raises(ParameterError, match="those of the pipeline: new, old"):
        freeze(graph, {"before": scene, "after": other})
    path = freeze(graph, {"old": scene, "new": other}).save(tmp_path / "a.gtar")
    artifact = load(path)
    assert len(artifact.outputs) >= 2 and artifact.verify().ok
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    swapped = artifact.rerun(tmp_path / "v", inputs={"old": other, "new": scene})
    assert {one.subject for one in swapped.of(Kind.INPUT_CHANGED)} == {"old", "new"}


def test_reading_options_are_frozen(scene, tmp_path):
    area = Source(str(scene), read={"resolution": 20})
    artifact = load(freeze(NDVI(), area).save(tmp_path / "a.gtar"))
    assert artifact.outputs["ndvi"].shape == [40, 35] and artifact.inputs["scene"].read == {"resolution": 20}
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_the_spelling_of_the_use_case(scene, tmp_path):
    remote = {"scene_uri": "s3://imeo/emit/EMIT_L2A.nc", "scene_sha256": "ab" * 32}
    artifact = freeze(NDVI(), remote, outputs=())
    assert artifact.inputs["scene"].sha256 == "ab" * 32 and artifact.inputs["scene"].size == -1
    told = artifact.verify(offline=True)
    assert told.ok and told.of(Kind.INPUT_UNCHECKED)
    file = scene / "B04.tif"
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    op = gz.Sequential([gz.radiometry.SelectBands(("red",))])
    assert freeze(op, {"scene_uri": str(file), "scene_sha256": right}).inputs["scene"].sha256 == right
    with pytest.raises(ReadError, match="as inputs says"):
        freeze(op, {"scene_uri": str(file), "scene_sha256": "cd" * 32})


@pytest.mark.parametrize(
    ("inputs", "error"),
    [(3, "a path, or names"), ({}, "empty"), ({"a": 1}, "'a' is a int"), ({"a": "x", "b": "y"}, "2 inputs")],
)
def test_inputs_that_are_none(inputs, error):
    with pytest.raises(ParameterError, match=error):
        freeze(NDVI(), inputs)


def test_what_cannot_be_frozen(scene, tmp_path):
    with pytest.raises(ReadError, match="lock"):
        freeze(NDVI(), scene, tmp_path / "no.lock")
    with pytest.raises(ReadError):
        freeze(NDVI(), tmp_path / "nothing")
    with pytest.raises(ArtifactError, match="metadata"):
        freeze(NDVI(), scene, metadata={"a": object()})
    with pytest.raises(ParameterError, match="outputs holds a int"):
        freeze(NDVI(), scene, outputs=3)
    artifact = freeze(NDVI(), scene)
    (scene / "B04.tif").write_bytes(b"other")
    with pytest.raises(ReadError, match="changed since it was frozen"):
        artifact.save(tmp_path / "a.gtar")
    assert not list(tmp_path.glob("*.gtar")) and not list(tmp_path.glob(".*"))


def test_the_paper_quotes_the_id(scene, tmp_path):
    path = freeze(NDVI(), scene).save(tmp_path / "a.gtar")
    own = load(path).id
    assert verify(path, id=own).ok and verify(path, id=f"sha256:{own}").ok
    assert verify(path, id=own[:8]).ok
    for wrong in ("0" * 64, own[:7], own[:8] + ("0" if own[8] != "0" else "1"), own + "0", ""):
        assert [one.kind for one in verify(path, id=wrong).differences] == [Kind.IDENTITY]


def test_reports_are_json(scene, tmp_path):
    report = freeze(NDVI(), scene).verify()
    told = json.loads(json.dumps(report.to_dict()))
    assert told["tier"] == "intact" and told["ok"] and str(report).startswith("intact: ")


def test_stacks_and_masks_are_outputs_too(scene, tmp_path):
    from geotoolz.cloud import MaskFromFlags

    made = freeze(MaskFromFlags(("cloud",)), scene)
    (name,) = made.outputs
    assert made.outputs[name].dtype == "|b1" and made.rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    assert isinstance(gz.open_tile(made.rerun(tmp_path / "w").paths[0]), xr.Dataset)
