"""EndToEnd: every stage a batch, resumed, with the bits of the pipeline in one go, whatever runs it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio

import geotoolz as gz
from geotoolz.batch import ExitCode
from geotoolz.catalog import GeoCatalog
from geotoolz.core import ConfigError, ParameterError, ReadError, geobox_of, tile_from_arrays
from geotoolz.core.testing import write_scene
from geotoolz.io import write_tile
from geotoolz.presets import EndToEnd

PREPROCESS = """\
_target_: geotoolz.core.Sequential
operators:
- {_target_: geotoolz.indices.NDVI}
- {_target_: geotoolz.cloud.MaskFromFlags, flags: [cloud], name: cloudy}
- {_target_: geotoolz.cloud.CombineMasks, masks: [cloudy], how: "not", name: valid_data_mask}
- {_target_: geotoolz.radiometry.Encode, packing: reflectance_uint16, bands: [red, nir]}
- {_target_: geotoolz.radiometry.Encode, packing: ndvi_uint16, bands: [ndvi]}
"""
CHAIN = """\
catalog: scenes
out: out
preprocess: {pipeline: preprocess.yaml, variables: [red, nir, ndvi, valid_data_mask]}
segment:
  pipeline:
    _target_: geotoolz.radiometry.BandMath
    formula: min(max((ndvi - 13000) / 2000, 0), 1)
    name: probabilities
postprocess: {threshold: 0.5, min_pixels: 5, valid: valid_data_mask}
export: {polygons: {statistics: {probabilities: [mean], red: [mean]}}}
evaluate: {labels: "labels/{tile_id}.tif"}
"""
STAGES = ("preprocess", "segment", "postprocess", "polygons", "evaluate")
RASTERS = ("probabilities_percent", "binarized_segmentation")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    for day in (10, 11, 12):
        scene = {"shape": (64, 48), "bands": ("red", "nir", "scl"), "cloud_cover": 0.2, "raw": True}
        write_scene({**scene, "datetime": f"2023-06-{day}", "tile_id": f"S2_{day}"}, folder / "scenes")
    for name, tile in tiles(folder).items():
        label = (gz.indices.NDVI()(tile).ndvi.values > 0.45).astype(np.uint8)
        labels = tile_from_arrays({"label": label}, geobox_of(tile), attrs={"tile_id": name})
        write_tile(labels, folder / "labels" / f"{name}.tif")
    (folder / "preprocess.yaml").write_text(PREPROCESS)
    (folder / "chain.yaml").write_text(CHAIN)
    return folder


@pytest.fixture(scope="module")
def ran(made):
    chain = EndToEnd(made / "chain.yaml")
    before = chain.plan()
    return chain, before, chain.run(progress="none")


@pytest.fixture
def copied(made, tmp_path):
    for name in ("scenes", "labels"):
        shutil.copytree(made / name, tmp_path / name)
    for name in ("preprocess.yaml", "chain.yaml"):
        shutil.copy(made / name, tmp_path / name)
    return tmp_path


def tiles(folder):
    catalog = GeoCatalog.build(folder / "scenes")
    return {row.id: gz.open_tile(catalog.source_of(row)) for row in catalog.iter_rows()}


def digests(out):
    """Return the SHA-256 of everything that is delivered."""
    kept = (path for path in sorted(out.rglob("*")) if path.suffix in (".tif", ".parquet", ".qml"))
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in kept
        if ".geotoolz" not in path.parts
    }


def objects_of(out, name):
    return gz.open_tile(out / "postprocess" / f"{name}_binarized_segmentation.tif", raw=True)


def test_all_stages_of_all_tiles(ran):
    chain, before, report = ran
    assert chain.check() == ()
    assert before == {"preprocess": {"new": 3}, **{name: {"waiting": 3} for name in STAGES[1:]}}
    assert report.counts == {name: {"done": 3} for name in STAGES}
    assert report.exit_code is ExitCode.DONE and report.failed == {}
    assert chain.plan() == {name: {"fresh": 3} for name in STAGES}
    assert json.loads((chain.out / "postprocess/collection.json").read_text())["type"] == "Collection"
    assert "evaluate" in str(report) and json.loads(json.dumps(report.to_dict()))["exit_code"] == 0


def test_stage_by_stage_gives_the_bits_of_one_go(ran, made):
    chain, _, _ = ran
    for name, tile in tiles(made).items():
        whole = chain.pipeline()(tile)
        for band in RASTERS:
            file = gz.open_tile(chain.out / "postprocess" / f"{name}_{band}.tif", raw=True)
            assert np.array_equal(file[band].values, whole[band].values), (name, band)
            assert file[band].attrs["long_name"] == whole[band].attrs["long_name"]


def test_the_second_run_does_nothing(ran):
    chain, _, first = ran
    before = digests(chain.out)
    again = chain.run(progress="none")
    assert again.counts == {name: {"fresh": 3} for name in STAGES}
    assert digests(chain.out) == before
    assert again.evaluation == first.evaluation and again.objects == first.objects


def test_the_scores_are_those_of_the_pixels(ran, made):
    chain, _, report = ran
    found = np.zeros((2, 2), int)
    for name in tiles(made):
        said = objects_of(chain.out, name).binarized_segmentation.values
        percent = gz.open_tile(chain.out / "postprocess" / f"{name}_probabilities_percent.tif", raw=True)
        label = gz.open_tile(made / "labels" / f"{name}.tif", raw=True).label.values
        known = percent.probabilities_percent.values != 255
        for true in (0, 1):
            for predicted in (0, 1):
                found[true, predicted] += int((known & (label == true) & (said == predicted)).sum())
    assert np.array_equal(report.evaluation.pixels.to_array(), found) and found.min(axis=None) >= 0
    assert report.evaluation.iou == pytest.approx(found[1, 1] / (found.sum() - found[0, 0]))
    assert json.loads((chain.out / "evaluation.json").read_text())["pixels"]["matrix"] == found.tolist()
    assert [iou for _, iou in report.evaluation.tiles] == sorted(iou for _, iou in report.evaluation.tiles)


def test_the_polygons_are_the_objects(ran, made):
    chain, _, report = ran
    merged = geopandas.read_parquet(chain.out / "objects.parquet")
    pixels = sum(int(objects_of(chain.out, name).binarized_segmentation.sum()) for name in tiles(made))
    assert len(merged) == report.objects > 0 and int(merged["pixels"].sum()) == pixels
    assert {"probabilities_mean", "red_mean"} <= set(merged.columns)
    assert set(merged["tile_id"]) <= set(tiles(made)) and merged.crs.to_epsg() == 32633


@pytest.mark.ray
def test_ray_gives_the_same_bytes(copied, ray_session):
    """In the same folder: a file says which files it was made of."""
    chain = EndToEnd(copied / "chain.yaml")
    inline = chain.run(progress="none")
    before = digests(chain.out)
    shutil.rmtree(chain.out)
    report = chain.run(engine="ray", n_workers=2, progress="none")
    assert report.counts == {name: {"done": 3} for name in STAGES}
    assert digests(chain.out) == before and len(before) == 46
    assert report.evaluation == inline.evaluation and report.objects == inline.objects


def test_another_threshold_makes_only_what_follows_again(copied):
    EndToEnd(copied / "chain.yaml").run(progress="none")
    (copied / "chain.yaml").write_text(CHAIN.replace("threshold: 0.5", "threshold: 0.7"))
    chain = EndToEnd(copied / "chain.yaml")
    plan = chain.plan()
    assert [plan[name] for name in STAGES[:3]] == [{"fresh": 3}, {"fresh": 3}, {"stale": 3}]
    assert [plan[name] for name in STAGES[3:]] == [{"waiting": 3}, {"waiting": 3}]
    counts = chain.run(progress="none").counts
    assert [counts[name] for name in STAGES] == [{"fresh": 3}, {"fresh": 3}, *[{"done": 3}] * 3]


def test_a_broken_scene_is_missing_and_stops_nothing(copied):
    band = next((copied / "scenes/S2_11").glob("*B08*"))
    whole = band.read_bytes()
    band.write_bytes(whole[:1000])
    chain = EndToEnd(copied / "chain.yaml")
    report = chain.run(progress="none", max_failures=1)
    assert report.counts["preprocess"] == {"done": 2, "failed": 1}
    assert all(report.counts[name] == {"done": 2} for name in STAGES[1:])
    assert report.exit_code is ExitCode.FAILED_TILES and report.failed["S2_11"][0] == "preprocess"
    band.write_bytes(whole)
    again = chain.run(progress="none", max_failures=1)
    assert all(counts == {"fresh": 2, "done": 1} for counts in again.counts.values())
    assert len(again.evaluation.tiles) == 3


def test_until_a_stage(copied):
    report = EndToEnd(copied / "chain.yaml").run(progress="none", until="segment")
    assert list(report.counts) == ["preprocess", "segment"]
    with pytest.raises(ParameterError, match="no stage 'train'"):
        EndToEnd(copied / "chain.yaml").run(until="train")


def test_labels_that_are_polygons_and_pixels_without_one(copied):
    text = CHAIN.replace("export: {", "export: {merged: null, ")
    frames = []
    for name in tiles(copied):
        label = gz.open_tile(copied / "labels" / f"{name}.tif", raw=True)
        frames.append(gz.vector.vectorize(label, "label").query("value == 1"))
        frames[-1].to_parquet(copied / "labels" / f"{name}.parquet")
    whole = EndToEnd(copied / "chain.yaml").run(progress="none").evaluation
    wanted = 'labels: "labels/{tile_id}.parquet", column: value'
    (copied / "chain.yaml").write_text(text.replace('labels: "labels/{tile_id}.tif"', wanted))
    objects_only = EndToEnd(copied / "chain.yaml").run(progress="none").evaluation
    assert objects_only.pixels.matrix[0] == (0, 0) and objects_only.pixels.matrix[1] == whole.pixels.matrix[1]
    (copied / "chain.yaml").write_text(
        text.replace('labels: "labels/{tile_id}.tif"', wanted + ", background: true")
    )
    assert (
        EndToEnd(copied / "chain.yaml").run(progress="none").evaluation.pixels.matrix == whole.pixels.matrix
    )


# ---- models


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")
    from geotoolz.learn import CheckpointConfig, Normalisation, UNet, save_checkpoint

    folder = tmp_path_factory.mktemp("models")
    for seed, (name, inputs) in enumerate({"both": ["red", "nir"], "index": ["ndvi"]}.items()):
        torch.manual_seed(seed)
        model = {"architecture": "unet", "in_channels": len(inputs), "classes": 1, "width": 4, "depth": 1}
        scaling = Normalisation([5000.0] * len(inputs), [5000.0] * len(inputs))
        config = CheckpointConfig("geotoolz", model, inputs, 32, classes=["field"], normalisation=scaling)
        save_checkpoint(UNet(len(inputs), 1, 4, 1), config, folder / f"{name}.pt")
    return folder


def with_models(folder, models, more=""):
    text = CHAIN.partition("segment:")[0] + f"segment: {{models: {models}, options: {{device: cpu}}{more}}}\n"
    (folder / "chain.yaml").write_text(text + "export: {polygons: null}\n")
    return EndToEnd(folder / "chain.yaml")


def test_an_ensemble_of_checkpoints(copied, checkpoints):
    digest = hashlib.sha256((checkpoints / "index.pt").read_bytes()).hexdigest()
    pinned = f"{{uri: {checkpoints}/index.pt, sha256: {digest}}}"
    more = ", keep_members: true, weights: {both: 1, index: 3}"
    chain = with_models(copied, f"{{both: {checkpoints}/both.pt, index: {pinned}}}", more)
    report = chain.run(progress="none")
    assert report.counts == {name: {"done": 3} for name in STAGES[:3]}, report.failed
    for name, tile in tiles(copied).items():
        whole = chain.pipeline()(tile)
        for band in RASTERS:
            file = gz.open_tile(chain.out / "postprocess" / f"{name}_{band}.tif", raw=True)
            assert np.array_equal(file[band].values, whole[band].values)
        with rasterio.open(chain.out / "segment" / f"{name}_probabilities-model-index.tif") as member:
            assert np.array_equal(member.read(1), whole["probabilities-model-index"].values)


def test_another_model_makes_its_stage_again(copied, checkpoints):
    shutil.copy(checkpoints / "both.pt", copied / "model.pt")
    chain = with_models(copied, "{one: model.pt}")
    chain.run(progress="none")
    assert chain.plan()["segment"] == {"fresh": 3}
    shutil.copy(checkpoints / "index.pt", copied / "model.pt")
    assert EndToEnd(copied / "chain.yaml").plan()["segment"] == {"stale": 3}


def test_a_file_that_is_not_the_one_that_was_pinned(copied, checkpoints):
    with pytest.raises(ReadError, match=r"segment: .*sha256"):
        with_models(copied, f"{{one: {{uri: {checkpoints}/both.pt, sha256: '{'0' * 64}'}}}}")


def test_without_torch_the_module_imports_and_the_stage_says_so(copied):
    (copied / "model.pt").write_bytes(b"weights")
    text = CHAIN.partition("segment:")[0] + "segment: {models: {one: model.pt}}\n"
    (copied / "chain.yaml").write_text(text)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from geotoolz.presets import EndToEnd\n"
        "try:\n    EndToEnd(sys.argv[1])\n"
        "except ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", code, str(copied / "chain.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("MissingDependencyError segment: "), done.stdout + done.stderr
    assert "torch" in done.stdout


# ---- configuration and command line


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("min_pixels: 5", "min_pixel: 5", "postprocess.min_pixel: is no key"),
        ("catalog: scenes\n", "", "catalog: field required"),
        ("segment:\n", "segment:\n  models: {a: b.pt}\n", "expected models or a pipeline"),
        ("threshold: 0.5", "threshold: 2.0", "threshold=2.0"),
        ("out: out", "out: s3://bucket/out", "no local folder"),
        ("pipeline: preprocess.yaml", "pipeline: absent.yaml", "preprocess: .*absent.yaml"),
    ],
)
def test_mistakes_in_the_file(copied, old, new, told):
    assert old in CHAIN
    (copied / "chain.yaml").write_text(CHAIN.replace(old, new))
    with pytest.raises((ConfigError, ParameterError, ReadError), match=told):
        EndToEnd(copied / "chain.yaml")


def test_a_step_that_writes_is_refused(copied):
    step = "- {_target_: geotoolz.io.WriteCOG, path: a.tif}\n"
    (copied / "preprocess.yaml").write_text(PREPROCESS + step)
    with pytest.raises(ConfigError, match="the chain writes"):
        EndToEnd(copied / "chain.yaml")


def test_the_command_line(copied):
    program = [
        str(Path(sys.executable).parent / "geotoolz"),
        "nextgen",
        "end-to-end",
        str(copied / "chain.yaml"),
    ]

    def run(*words):
        return subprocess.run(
            [*program, *words], capture_output=True, text=True, timeout=200, check=False, env={**os.environ}
        )

    planned = run("--plan")
    assert planned.returncode == 0 and "3 new" in planned.stdout and "3 waiting" in planned.stdout
    done = run("--json", "--quiet", "--until", "preprocess")
    assert done.returncode == 0, done.stderr
    stages = json.loads(done.stdout)["stages"]
    assert {name: stage["counts"] for name, stage in stages.items()} == {"preprocess": {"done": 3}}
    absent = subprocess.run(
        [*program[:-1], "no.yaml"], capture_output=True, text=True, timeout=120, check=False
    )
    assert absent.returncode == 2 and "no.yaml cannot be read" in absent.stderr
