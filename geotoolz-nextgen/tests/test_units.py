"""Units of work: JSON in, JSON out; overwritten, never doubled; known to plan, status and a later run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geotoolz.batch import CatalogPipeline, TileState
from geotoolz.catalog import GeoCatalog
from geotoolz.core import BatchError, ParameterError, Sequential
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG
from geotoolz.nextgen import UnitError, require_done, run_unit, units
from geotoolz.qc import AssertValueRange

SCENE = {"shape": (48, 40), "bands": ("red", "nir"), "raw": True}
PIPELINE = Sequential([NDVI(), WriteCOG("{item_id}.tif")])


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for day in (10, 11, 12, 13):
        write_scene({**SCENE, "datetime": f"2023-06-{day}T10:00:00Z"}, folder)
    return folder


@pytest.fixture
def scenes(archive, tmp_path):
    return Path(shutil.copytree(archive, tmp_path / "scenes"))


def job(scenes, out, op=PIPELINE, **options):
    return CatalogPipeline(GeoCatalog.build(scenes), op, out, progress="none", **options)


def through_json(value):
    return json.loads(json.dumps(value, allow_nan=False))


def digests(out):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("*.tif"))}


def damage(scenes, number=1):
    scene = sorted(path for path in scenes.iterdir() if path.is_dir())[number]
    band = next(scene.glob("*B08*"))
    band.write_bytes(band.read_bytes()[:1000])
    return scene.name


def test_units_are_json_and_give_the_bytes_of_a_run(scenes, tmp_path):
    todo = through_json(units(job(scenes, tmp_path / "units")))
    results = [through_json(run_unit(unit)) for unit in todo]
    job(scenes, tmp_path / "run").run()
    assert digests(tmp_path / "units") == digests(tmp_path / "run") and len(todo) == 4
    for unit, result in zip(todo, results, strict=True):
        assert (result["status"], result["id"], result["key"]) == ("done", unit["id"], unit["key"])
        assert result["config_hash"] == PIPELINE.config_hash() and result["failure"] is None
        (file,) = (one for one in result["outputs"] if one["path"].endswith(".tif"))
        written = tmp_path / "units" / file["path"]
        assert file["sha256"] == hashlib.sha256(written.read_bytes()).hexdigest()
        assert file["size"] == written.stat().st_size


def test_a_later_plan_and_run_know_what_units_did(scenes, tmp_path):
    out = tmp_path / "out"
    broken = damage(scenes)
    for unit in units(job(scenes, out)):
        run_unit(unit)
    plan = job(scenes, out).plan()
    assert plan.counts == {"fresh": 3, "quarantined": 1}
    (tile,) = (tile for tile in plan.tiles if tile.state is TileState.QUARANTINED)
    assert tile.tile_id == broken
    assert units(job(scenes, out)) == []
    assert job(scenes, out, max_failures=1).run().counts == {"fresh": 3, "quarantined": 1}


def test_a_second_run_of_a_unit_finds_it_done_and_again_overwrites(scenes, tmp_path):
    (unit, *_) = units(job(scenes, tmp_path / "out"))
    first, second, third = run_unit(unit), run_unit(unit), run_unit({**unit, "again": True})
    assert [one["status"] for one in (first, second, third)] == ["done", "fresh", "done"]
    assert first["outputs"] == second["outputs"] == third["outputs"]
    assert len(list((tmp_path / "out").glob("*.tif"))) == len(list((tmp_path / "out/items").iterdir())) == 1


def test_what_is_half_there_is_made_again(scenes, tmp_path):
    out = tmp_path / "out"
    (unit, *_) = units(job(scenes, out))
    run_unit(unit)
    whole = digests(out)
    (path,) = out.glob("*.tif")
    path.write_bytes(b"half")
    assert run_unit(unit)["status"] == "done"
    assert digests(out) == whole
    path.unlink()
    assert run_unit(unit)["status"] == "done"
    assert digests(out) == whole


def test_a_bad_tile_is_data_and_no_attempt_helps(scenes, tmp_path):
    broken = damage(scenes)
    results = {one["id"]: one for one in map(run_unit, units(job(scenes, tmp_path / "out")))}
    assert [name for name, one in results.items() if one["status"] == "failed"] == [broken]
    failure = results[broken]["failure"]
    assert (failure["kind"], failure["error"], failure["retry"]) == ("bad-data", "ReadError", False)
    assert "Traceback" in Path(failure["log"]).read_text() and results[broken]["outputs"] == []
    with pytest.raises(UnitError, match=broken) as caught:
        require_done(results[broken])
    assert caught.value.retry is False
    assert require_done(next(one for one in results.values() if not one["failure"]))["status"] == "done"


def test_a_quality_check_that_says_no(scenes, tmp_path):
    strict = Sequential([NDVI(), AssertValueRange(0.99, 1.0, ("ndvi",)), WriteCOG("{item_id}.tif")])
    (unit, *_) = units(job(scenes, tmp_path / "out", strict))
    failure = run_unit(unit)["failure"]
    assert (failure["kind"], failure["retry"]) == ("qc", False)
    assert not list((tmp_path / "out").glob("*.tif"))


def test_shards_hold_every_tile_once_and_a_bad_one_fails_its_own_only(scenes, tmp_path):
    broken = damage(scenes)
    shards = through_json(units(job(scenes, tmp_path / "out"), shards=3))
    assert sorted(tile["id"] for shard in shards for tile in shard["tiles"]) == sorted(
        path.name for path in scenes.iterdir() if path.is_dir()
    )
    assert all(set(shard) >= {"pipeline", "out", "config_hash"} for shard in shards)
    results = [run_unit(shard) for shard in shards]
    assert [one["id"] for one in results if one["status"] == "failed"] == [
        shard["id"] for shard in shards if broken in [tile["id"] for tile in shard["tiles"]]
    ]
    counted = [tile["status"] for one in results for tile in one["tiles"]]
    assert sorted(counted) == ["done", "done", "done", "failed"]
    (failed,) = (one for one in results if one["failure"])
    assert broken in failed["failure"]["message"] and failed["counts"]["failed"] == 1
    again = [run_unit(shard) for shard in shards]
    assert sorted(tile["status"] for one in again for tile in one["tiles"]) == ["failed", *["fresh"] * 3]


def test_only_a_day(scenes, tmp_path):
    (unit,) = units(job(scenes, tmp_path / "out"), day="2023-06-12")
    assert "20230612" in unit["id"]
    assert units(job(scenes, tmp_path / "out"), day="2024-01-01") == []
    undated = CatalogPipeline([str(next(scenes.iterdir()))], PIPELINE, tmp_path / "out", progress="none")
    with pytest.raises(ParameterError, match="does not know when"):
        units(undated, day="2023-06-12")


def test_named_tiles_come_also_when_they_are_fresh(scenes, tmp_path):
    (unit, *_) = units(job(scenes, tmp_path / "out"))
    run_unit(unit)
    assert [one["id"] for one in units(job(scenes, tmp_path / "out"), tiles=[unit["id"]])] == [unit["id"]]
    assert len(units(job(scenes, tmp_path / "out"), every=True)) == 4
    assert len(units(job(scenes, tmp_path / "out"))) == 3


def test_a_unit_of_a_few_words(scenes, tmp_path):
    scene = sorted(path for path in scenes.iterdir() if path.is_dir())[0]
    pipeline = tmp_path / "ndvi.yaml"
    pipeline.write_text("_target_: geotoolz.indices.NDVI\n")
    for number, text in enumerate((str(pipeline), pipeline.read_text() + "name: ndvi\n")):
        out = tmp_path / f"out{number}"
        result = run_unit({"pipeline": text, "source": str(scene), "out": str(out)})
        assert result["status"] == "done" and result["id"] == scene.name
        assert (out / f"{scene.name}_ndvi.tif").exists()
        again = run_unit({"pipeline": text, "source": str(scene), "out": str(out), "key": result["key"]})
        assert again["status"] == "fresh"
    pipeline.write_text("_target_: geotoolz.indices.NDVI\nname: other\n")
    with pytest.raises(ParameterError, match="as they were when the unit was made"):
        run_unit({"pipeline": str(pipeline), "source": str(scene), "out": str(out), "key": result["key"]})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pipelin": "ndvi"}, "did you mean 'pipeline'"),
        ({"source": None}, "without source"),
        ({"unit": "scene"}, "'tile' or 'shard'"),
        ({"unit": "shard", "tiles": []}, "without tiles"),
    ],
)
def test_what_is_no_unit(change, told):
    with pytest.raises(ParameterError, match=told):
        run_unit({"pipeline": "ndvi", "source": "a", "out": "b", **change})
    with pytest.raises(ParameterError, match="JSON object"):
        run_unit([])


def test_what_json_cannot_say_is_refused(scenes, tmp_path):
    with pytest.raises(ParameterError, match="by its name"):
        units(job(scenes, tmp_path / "out", read={"sign": lambda url: url}, engine="inline"))
    with pytest.raises(ParameterError, match="positive"):
        units(job(scenes, tmp_path / "out"), shards=0)


def test_units_side_by_side_and_not_beside_a_run(scenes, tmp_path):
    from geotoolz.batch._layout import Layout
    from geotoolz.batch._lease import Lease

    out = tmp_path / "out"
    todo = units(job(scenes, out))
    with ThreadPoolExecutor(4) as pool:
        assert [one["status"] for one in pool.map(run_unit, todo)] == ["done"] * 4
    lines = (out / ".geotoolz/journal-units.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(unit["id"] for unit in todo)
    with Lease(Layout(out), None):
        result = run_unit({**todo[0], "again": True})
    assert result["status"] == "failed" and result["failure"]["retry"] is True
    with Lease(Layout(out), None, shared=True), pytest.raises(BatchError, match="working"):
        job(scenes, out, retry_failed=True, stale_on="code", read={"resolution": 20.0}).run()


def test_the_engine_process_survives_its_worker(scenes, tmp_path):
    (unit, *_) = units(job(scenes, tmp_path / "out"), timeout=120.0)
    assert unit["engine"] == "process"
    assert run_unit(unit)["status"] == "done"


def test_units_on_an_object_store(scenes):
    out = f"memory://{scenes.parent.name.lower().replace('_', '-')}/products"
    todo = through_json(units(job(scenes, out)))
    assert [run_unit(unit)["status"] for unit in todo] == ["done"] * 4
    assert [run_unit(unit)["status"] for unit in todo] == ["fresh"] * 4
    assert job(scenes, out).plan().counts == {"fresh": 4}


def test_a_composite_cell_of_a_tiling_is_a_unit(scenes, tmp_path):
    from geotoolz.catalog.tiling import UTMGrid
    from geotoolz.temporal import Composite

    GeoCatalog.build(scenes).save(tmp_path / "scenes.parquet")
    cells = GeoCatalog.open(tmp_path / "scenes.parquet").by_cell(UTMGrid(1000, 10), bands=("red", "nir"))
    op = Sequential([Composite("median"), NDVI(), WriteCOG("{tile_id}_{band}.tif", bands=("ndvi",))])

    def composites(out):
        return CatalogPipeline(cells, op, out, progress="none")

    todo = through_json(units(composites(tmp_path / "units")))
    assert [run_unit(unit)["status"] for unit in todo] == ["done"] * len(list(cells)) and todo
    composites(tmp_path / "run").run()
    assert digests(tmp_path / "units") == digests(tmp_path / "run") != {}
    assert [run_unit(unit)["status"] for unit in todo] == ["fresh"] * len(todo)


# ---- command line


def command(*words, text=None):
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        [str(Path(sys.executable).parent / "geotoolz"), "nextgen", *words],
        input=text, capture_output=True, text=True, timeout=120, check=False, env=environment,
    )  # fmt: skip


def test_the_command_line(scenes, tmp_path):
    broken = damage(scenes)
    (tmp_path / "job.yaml").write_text("source: scenes\npipeline: ndvi.yaml\nout: out\nengine: inline\n")
    (tmp_path / "ndvi.yaml").write_text("_target_: geotoolz.indices.NDVI\n")
    listed = command("units", str(tmp_path / "job.yaml"))
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert len(lines) == 4
    (tmp_path / "units.jsonl").write_text(listed.stdout)
    where = next(number for number, line in enumerate(lines, 1) if json.loads(line)["id"] != broken)
    done = command("run-unit", str(tmp_path / "units.jsonl"), "--line", str(where))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    bad = next(line for line in lines if json.loads(line)["id"] == broken)
    failed = command("run-unit", text=bad)
    assert failed.returncode == 3 and json.loads(failed.stdout)["failure"]["kind"] == "bad-data"
    left = command("units", str(tmp_path / "ndvi.yaml"), str(scenes), str(tmp_path / "out"))
    assert len(left.stdout.splitlines()) == 2, left.stderr


@pytest.mark.parametrize(
    ("words", "text", "told"),
    [
        (("run-unit",), "{}", "without pipeline, source, out"),
        (("run-unit",), "no", "no JSON"),
        (("run-unit",), '{"a": 1}\n{"a": 2}\n', "several units"),
        (("run-unit", "--line", "3"), '{"a": 1}\n', "there are 1"),
        (("run-unit", "absent.jsonl"), None, "cannot be read"),
        (("units", "a", "b"), None, "2 arguments"),
    ],
)
def test_mistakes_are_told_without_a_traceback(words, text, told):
    done = command(*words, text=text)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
