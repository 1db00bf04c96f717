"""Jobs on the command line: plan, preview, run, check, replay, gc; budgets, slices, lists of tiles."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("geopandas", reason="folders of scenes are read as catalogs")

from geotoolz._cli import main
from geotoolz.core.testing import write_scene
from geotoolz.radiometry import BoxMean

PIPELINE = """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.radiometry.BoxMean
  radius: ${radius:1}
  bands: [red]
- _target_: geotoolz.io.WriteCOG
  path: "{item_id}.tif"
  bands: [red]
"""
JOB = """\
source: scenes
pipeline: smooth.yaml
out: out
engine: inline
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jobs") / "scenes"
    for number in range(3):
        scene = {"shape": (32, 32), "bands": ("red", "nir"), "datetime": f"2023-06-1{number}"}
        write_scene({**scene, "seed": number}, folder)
    return folder


@pytest.fixture
def work(tmp_path: Path, scenes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(scenes, tmp_path / "scenes")
    (tmp_path / "smooth.yaml").write_text(PIPELINE)
    (tmp_path / "job.yaml").write_text(JOB)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*args: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "crashed" not in err, err
        return code, out, err

    return run


def loaded(call: Any, *args: object) -> Any:
    code, out, err = call(*args, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_job_from_its_check_to_the_last_tile(work: Path, call: Any) -> None:
    code, out, _ = call("check", "job.yaml")
    assert code == 0 and out == "job.yaml on 3 scenes: no errors, no warnings\n"
    found = loaded(call, "plan", "job.yaml", "--preview", "2", "--price-cpu-hour", "0.04")
    assert found["counts"] == {"new": 3} and found["preview"]["measured"] == 2 and found["preview"]["cost"]
    assert loaded(call, "run", "job.yaml", "--dry-run")["dry_run"] and not (work / "out").exists()
    assert call("run", "job.yaml", "-q", "--max-bytes", "1kB")[0] == 4
    assert loaded(call, "status", "out")["last_run"]["stopped"] == "budget (bytes=1000)"
    code, out, _ = call("run", "job.yaml", "-q", "--override", "budget.hours=1")
    assert code == 0 and "2 done" in out and "1 fresh" in out
    tile = sorted(path.name for path in (work / "scenes").iterdir())[0]
    assert call("replay", "job.yaml", tile)[0] == 0
    code, out, _ = call("plan", "job.yaml", "--set", "radius=3", "--summary")
    assert code == 0 and out == (
        "3 stale: the pipeline changed at operators[0].radius 1 → 3\n"
        "stale tiles: their files are replaced, and those that the pipeline writes no more are deleted\n"
        "out: 3 stale; 3 to do\n"
    )
    shutil.rmtree(work / "scenes" / tile)
    assert loaded(call, "gc", "job.yaml")["orphans"] == [tile]


def test_a_preview_in_words(work: Path, call: Any) -> None:
    code, out, _ = call(
        "plan", "smooth.yaml", "scenes", "out", "--summary", "--preview", "2", "--price-gb", "1"
    )
    assert code == 0 and "measured  2 scenes of 3 to do" in out and "90 % intervals" in out
    assert all(f"\n{name} " in out for name in ("memory", "time", "work", "output", "cost"))


def test_slices_and_lists_of_tiles_go_together(work: Path, call: Any) -> None:
    names = sorted(path.name for path in (work / "scenes").iterdir())
    (work / "ids.txt").write_text("\n".join(names[1:]))
    given = ("plan", "smooth.yaml", "scenes", "out")
    assert loaded(call, *given, "--tiles", "ids.txt")["todo"] == names[1:]
    assert loaded(call, *given, "--tiles", "ids.txt", "--slice", "2023-06-10/2023-06-11")["todo"] == [
        names[1]
    ]
    assert loaded(call, *given, "--slice", "where=cloud_cover >= 0 or id != 'x'", "--limit", 1)["todo"]
    assert loaded(call, *given, "--slice", "-170,-80,170,80", "--tile", names[2])["todo"] == [names[2]]
    assert call("run", *given[1:], "-q", "--engine", "inline")[0] == 0
    assert loaded(call, *given, "--slice", "2023-06-10")["counts"] == {"fresh": 1}, "no orphans"


WRONG = [
    (("plan", "job.yaml", "--slice", "1999"), "no tile of 3 lies in the slice"),
    (("plan", "job.yaml", "--slice", "tme=1999"), "did you mean 'time'"),
    (("plan", "job.yaml", "--slice", "2023", "--slice", "time=2022"), "time is given twice"),
    (("plan", "job.yaml", "--slice", "nowhere at all"), "KEY=VALUE"),
    (("plan", "job.yaml", "--tiles", "absent.txt"), "absent.txt cannot be read"),
    (("plan", "job.yaml", "--override", "read.resolution"), "KEY=VALUE"),
    (("plan", "job.yaml", "--override", "reed.resolution=3"), "did you mean 'read'"),
    (("plan", "smooth.yaml", "scenes", "out", "--override", "read.resolution=3"), "a job's file"),
    (("plan", "smooth.yaml", "scenes"), "SOURCE without OUT"),
    (("run", "ndvi"), "PIPELINE SOURCE OUT"),
    (("run", "smooth.yaml"), "this is a pipeline, not a job"),
    (("run", "job.yaml", "--max-cost", "3"), "--price-cpu-hour"),
    (("run", "job.yaml", "--max-hours", "0"), "budget.hours is 0.0"),
    (("run", "job.yaml", "--max-bytes", "lots"), "lots"),
    (("replay", "job.yaml", "x", "y"), "JOB TILE"),
]


@pytest.mark.parametrize(("args", "told"), WRONG, ids=[told for _, told in WRONG])
def test_nonsense_is_refused(work: Path, call: Any, args: tuple[str, ...], told: str) -> None:
    code, _, err = call(*args)
    assert code == 2 and told in err, err
    assert not (work / "out").exists()


def test_what_makes_a_job_impossible_is_told_before_its_first_tile(
    work: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(work)
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage._replace(free=1000))
    code, out, _ = call("check", "job.yaml")
    assert code == 2 and "GB are free at" in out and "before compression" in out
    code, _, err = call("run", "job.yaml", "-q")
    assert code == 2 and "the job cannot be done" in err and not (work / "out").exists()
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage._replace(free=3 * 32 * 32 * 4 - 1))
    code, out, _ = call("check", "job.yaml")
    assert code == 0 and out.startswith("warning: ") and "plan --preview" in out
    monkeypatch.undo()
    monkeypatch.chdir(work)
    (work / "out").write_text("a file")
    assert call("check", "job.yaml")[0] == 2


def test_the_schema_of_jobs(call: Any) -> None:
    code, out, _ = call("pipeline", "schema", "--job")
    assert code == 0 and set(json.loads(out)["required"]) == {"pipeline", "out"}


def test_a_lost_journal_is_rebuilt(work: Path, call: Any) -> None:
    assert call("run", "job.yaml", "-q")[0] == 0
    (work / "out/.geotoolz/journal.jsonl").unlink()
    assert len(loaded(call, "verify", "out", "--rebuild")["rebuilt"]) == 3
    assert "0 tiles written into the journal" in call("verify", "out", "--rebuild")[1]
    assert loaded(call, "run", "job.yaml")["counts"] == {"fresh": 3}


def test_scenes_behind_a_closed_door_are_told_before_an_engine_starts(
    work: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Forbidden(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forbidden)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    folder = next(iter(sorted((work / "scenes").iterdir())))
    item = json.loads((folder / f"{folder.name}.json").read_text())
    for name, asset in item["assets"].items():
        asset["href"] = f"http://127.0.0.1:{server.server_port}/{name}.tif"
    (work / "item.json").write_text(json.dumps(item))
    try:
        code, out, err = call("run", "smooth.yaml", "item.json", "out", "-q", "--engine", "process")
    finally:
        server.shutdown()
        server.server_close()
    assert code == 2 and "403" in err and not (work / "out").exists(), (code, out, err)


def test_a_tile_that_fails_stops_in_the_debugger(
    work: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = sorted((work / "scenes").iterdir())[0]
    next(path for path in scene.glob("*.tif") if path.stem in ("B04", "red")).write_bytes(b"nothing")
    stopped = []
    monkeypatch.setattr("pdb.post_mortem", lambda: stopped.append(sys.exc_info()[0].__name__))
    code, _, err = call("replay", "job.yaml", scene.name, "--pdb")
    assert code == 2 and stopped == ["ReadError"] and "warning: " in err, err
    assert call("replay", "job.yaml", scene.name)[0] == 2 and len(stopped) == 1


# ---- what a newcomer stumbled on


def test_replay_looks_at_what_stands_in_the_folder(work: Path, call: Any) -> None:
    assert call("run", "job.yaml", "-q")[0] == 0
    name = sorted(path.name for path in (work / "scenes").iterdir())[0]
    made = next((work / "out").glob(f"{name}*.tif"))
    tile = made.stem
    code, out, _ = call("replay", "job.yaml", tile)
    assert code == 0 and "the same bytes stand in the folder" in out
    whole = made.read_bytes()
    made.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    code, out, _ = call("replay", "job.yaml", tile)
    assert code == 3 and "damaged in the folder" in out
    made.unlink()
    code, out, _ = call("replay", "job.yaml", tile)
    assert code == 3 and "missing in the folder" in out
    made.write_bytes(whole)
    code, out, _ = call("replay", "job.yaml", tile, "--set", "radius=2")
    assert code == 3 and "other bytes stand in the folder" in out
    shutil.rmtree(work / "out")
    code, out, _ = call("replay", "job.yaml", tile)
    assert code == 0 and "not written yet" in out
    code, _, err = call("replay", "job.yaml")
    assert code == 2 and "no TILE" in err


def test_reports_of_shards_stand_beside_each_other(work: Path, call: Any) -> None:
    broken = next((work / "scenes").rglob("B04.tif"))
    broken.write_bytes(broken.read_bytes()[:-300])
    codes = [
        call("run", "job.yaml", "-q", "--shard", f"{part}/2", "--max-failures", "9")[0] for part in (1, 2)
    ]
    assert sorted(codes) == [0, 3]
    found = loaded(call, "report", "out")
    assert found["counts"] == {"done": 2, "failed": 1} and found["exit_code"] == 3 and "shard" not in found
    assert len({tile["id"] for tile in found["tiles"]}) == 3
    _, out, _ = call("report", "out")
    assert "report-1-of-2.html" in out and "report-2-of-2.html" in out
    assert {path.name for path in (work / "out").glob("report*.json")} == {
        "report-1-of-2.json",
        "report-2-of-2.json",
    }
    call("run", "job.yaml", "-q", "--only-failed", "--retry-failed", "--max-failures", "9")
    assert "report: out/report.html\n" in call("report", "out")[1]
    assert loaded(call, "report", "out")["counts"] == {"fresh": 2, "failed": 1}
    (work / "out/report-of-mine.json").write_text("{}")
    assert loaded(call, "report", "out")["counts"] == {"fresh": 2, "failed": 1}
    call(
        "run",
        "job.yaml",
        "-q",
        "--shard",
        "1/2",
        "--retry-failed",
        "--override",
        "stale_on=[code]",
        "--set",
        "radius=2",
    )
    told = call("report", "out")[1]
    assert "report-1-of-2.html, out/report-2-of-2.html" in told, "not the page of the whole run before it"


def test_a_share_of_failures_says_of_what(work: Path, call: Any) -> None:
    broken = next((work / "scenes").rglob("B04.tif"))
    broken.write_bytes(broken.read_bytes()[:-300])
    code, out, _ = call("run", "job.yaml", "-q", "--max-failures", "20%")
    assert code == 4 and "1 of the 3 tiles of this run failed, more than max_failures=20% allows" in out


def test_a_misspelt_place_is_refused(work: Path, call: Any) -> None:
    code, _, err = call("plan", "job.yaml", "--set", "raduis=3")
    assert code == 2 and "raduis" in err and "did you mean 'radius'" in err
    code, _, err = call("plan", "job.yaml", "--override", "out=")
    assert code == 2 and "--override out=" in err
    code, _, err = call("plan", "nojob.yaml")
    assert code == 2 and "there is no file nojob.yaml" in err
    code, _, err = call("plan", "job.yaml", "--shard", "3/2")
    assert code == 2 and "shard 3/2" in err and "part i of n" in err


def test_what_a_changed_pipeline_does_to_earlier_files_is_told(work: Path, call: Any) -> None:
    assert call("run", "job.yaml", "-q")[0] == 0
    assert "deleted" not in call("plan", "job.yaml")[1]
    assert (
        "those that the pipeline writes no more are deleted"
        in call("plan", "job.yaml", "--set", "radius=2")[1]
    )
    assert loaded(call, "status", "out")["other_pipelines"] == 0
    assert call("run", "job.yaml", "-q", "--set", "radius=2", "--limit", "1")[0] == 0
    assert loaded(call, "status", "out")["other_pipelines"] == 2
    assert "2 done tiles are by another pipeline" in call("status", "out")[1]


def test_why_an_input_is_another_one(work: Path, call: Any) -> None:
    assert call("run", "job.yaml", "-q")[0] == 0
    scene = sorted((work / "scenes").iterdir())[0]
    band = next(scene.rglob("B04.tif"))
    os.utime(band, (1, 1))
    assert "as many bytes, another time or checksum" in call("plan", "job.yaml")[1]
    band.unlink()
    assert f"{band.name} is" in call("plan", "job.yaml")[1]


def test_units_leave_no_run_behind(work: Path, call: Any) -> None:
    from geotoolz.batch import CatalogPipeline, Journal

    job = CatalogPipeline(
        sorted((work / "scenes").iterdir()), BoxMean(1, bands=("red",)), "out", progress="none"
    )
    job.layout.make()
    with Journal(job.layout.journal(None)) as journal:
        journal.append("done", id="a", key="k", cfg="c", run="", out=[])
    code, out, _ = call("status", "out")
    assert code == 0 and "made one by one" in out and "cut off" not in out
    code, _, err = call("report", "out")
    assert code != 0 and "no report in" in err and "geotoolz status" in err


def test_a_job_says_what_it_is(work: Path) -> None:
    from geotoolz.batch import CatalogPipeline

    job = CatalogPipeline(
        sorted((work / "scenes").iterdir()), BoxMean(1, bands=("red",)), "out", engine="inline"
    )
    assert repr(job).startswith("CatalogPipeline(3 scenes → ") and repr(job).endswith("engine inline)")
    assert job.config_hash.removeprefix("sha256:")[:12] in repr(job)


def test_a_sample_is_told_as_such(work: Path, call: Any) -> None:
    code, out, _ = call("check", "smooth.yaml", "scenes", "--sample", "2")
    assert code == 0 and out == "smooth.yaml on 2 of 3 scenes: no errors, no warnings\n"
    found = loaded(call, "check", "smooth.yaml", "scenes", "--sample", "2")
    assert found["scenes"] == 2 and found["of"] == 3
    (work / "smooth.yaml").write_text(PIPELINE.replace("[red]", "[swir16]"))
    code, out, _ = call("check", "smooth.yaml", "scenes", "--sample", "1")
    assert code == 2 and "errors on 1 of 1" in out


def test_places_of_a_pipeline_are_shown(work: Path, call: Any) -> None:
    code, out, _ = call("pipeline", "show", "smooth.yaml")
    assert code == 0 and "# --set fills ${radius}\n" in out
