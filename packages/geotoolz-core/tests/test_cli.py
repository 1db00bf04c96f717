"""The command line, as a user meets it.

What matters for processes (streams, exit codes, signals, imports) runs the installed script; the rest
calls its `main` in this process, because every process spends seconds on importing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from geotoolz.core import load, save

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
PIPELINE = """\
_target_: geotoolz.core.Sequential
operators:
  - _target_: geotoolz.radiometry.BoxMean
    radius: ${radius:1}
    bands: [red]
  - _target_: geotoolz.io.WriteCOG
    path: "{item_id}_{band}.tif"
"""
needs_indices = pytest.mark.skipif(
    find_spec("geotoolz.cloud") is None or find_spec("geotoolz.indices") is None,
    reason="the presets' operators come with geotoolz-cloud and geotoolz-indices",
)


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def cli(*args, cwd=None):
    """Run the installed script."""
    given = [str(arg) for arg in args]
    done = subprocess.run([SCRIPT, *given], cwd=cwd, capture_output=True, text=True, timeout=180, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def call(capfd, monkeypatch):
    """Call the script's main in this process."""

    def run(*args, cwd=None):
        from geotoolz._cli import main

        if cwd is not None:
            monkeypatch.chdir(cwd)
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        done = Done(code, *capfd.readouterr())
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def ok(call):
    """As `call`, and the exit code is 0."""

    def run(*args, cwd=None):
        done = call(*args, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A folder of three scenes in two zones; nobody changes it."""
    from geotoolz.core.testing import simulate_series, write_scene

    folder = tmp_path_factory.mktemp("cli") / "scenes"
    zones = ("EPSG:32632", "EPSG:32633")
    for scene in simulate_series(3, shape=(96, 80), zones=zones, bands=("red", "nir", "scl"), seed=3):
        write_scene(scene, folder)
    return folder


@pytest.fixture
def work(tmp_path, scenes):
    """A working folder with a copy of the scenes and a pipeline."""
    shutil.copytree(scenes, tmp_path / "scenes")
    (tmp_path / "smooth.yaml").write_text(PIPELINE)
    return tmp_path


def names(scenes):
    return sorted(path.name for path in scenes.iterdir())


# ---- help ----


def test_help_loads_nothing_heavy_and_lists_the_installed_groups():
    code = (
        "import sys; from geotoolz._cli import main; code = main(['--help']); "
        "heavy = {'numpy', 'xarray', 'pandas', 'rasterio', 'numba', 'ray', 'pydantic', 'yaml', 'odc'}; "
        "own = ('core', 'io', 'catalog', 'batch', 'cloud', 'indices', 'qc', 'nextgen'); "
        "packages = {f'geotoolz.{name}' for name in own}; "
        "print('loaded', sorted((heavy | packages) & set(sys.modules)), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "loaded [] 0", done.stdout + done.stderr
    for verb in (
        "demo",
        "info",
        "run",
        "plan",
        "stream",
        "check",
        "status",
        "report",
        "catalog",
        "pipeline",
        "operators",
    ):
        assert f"  {verb} " in done.stdout
    for package in ("cloud", "indices", "qc", "nextgen"):
        assert (f"  {package} " in done.stdout) == (find_spec(f"geotoolz.{package}") is not None)


def test_version_and_misspelt_command(ok, call):
    from geotoolz import __version__

    assert ok("--version").stdout == f"geotoolz {__version__}\n"
    done = call("plna")
    assert done.returncode == 2 and "'plan'" in done.stderr and not done.stdout


@pytest.mark.parametrize("args", [(), ("catalog",), ("pipeline",)], ids=str)
def test_without_arguments_there_is_help(call, args):
    done = call(*args)
    assert done.returncode == 2 and "Usage:" in done.stdout + done.stderr


# ---- looking ----


def test_info_of_a_scene_a_raster_and_a_folder(work, ok):
    one = names(work / "scenes")[0]
    told = json.loads(ok("info", f"scenes/{one}", "--json", cwd=work).stdout)
    assert told["tile_id"] == one and told["attrs"]["platform"] == "sentinel-2a"
    assert told["grid"]["crs"] == "EPSG:32632" and (told["grid"]["rows"], told["grid"]["columns"]) == (96, 80)
    assert set(told["variables"]) == {"red", "nir", "scl"}
    assert "surface_reflectance" in ok("info", f"scenes/{one}/B04.tif", cwd=work).stdout
    text = ok("info", "scenes", cwd=work).stdout
    assert "scenes" in text and "sentinel-2a (2), sentinel-2b (1)" in text and "32632 (2), 32633 (1)" in text


def test_catalog_build_show_query(work, ok):
    done = ok("catalog", "build", "scenes", cwd=work)
    assert done.stdout == "scenes.parquet: 3 scenes\n" and not done.stderr
    assert json.loads(ok("catalog", "show", "scenes.parquet", "--json", cwd=work).stdout)["rows"] == 3
    asked = ("catalog", "query", "scenes.parquet", "--time", "2023-03", "--where", "platform = sentinel-2b")
    found = json.loads(ok(*asked, "--json", cwd=work).stdout)
    assert [row["platform"] for row in found] == ["sentinel-2b"]
    done = ok(*asked, "--out", "few.parquet", cwd=work)
    assert "1 of 3 scenes" in done.stderr and "few.parquet: 1 scene" in done.stdout
    west = json.loads(ok("catalog", "query", "few.parquet", "--bbox", "1,2,3,4", "--json", cwd=work).stdout)
    assert west == []


def test_pipeline_show_hash_schema(work, ok):
    text = ok("pipeline", "show", "smooth.yaml", "--set", "radius=2", cwd=work).stdout
    assert "BoxMean(radius=2" in text and "radius: 2" in text
    (work / "shown.yaml").write_text(text)
    same = ok("pipeline", "hash", "shown.yaml", cwd=work).stdout
    assert same == ok("pipeline", "hash", "smooth.yaml", "--set", "radius=2", cwd=work).stdout
    assert same != ok("pipeline", "hash", "smooth.yaml", cwd=work).stdout
    schema = json.loads(ok("pipeline", "schema").stdout)
    assert "geotoolz.radiometry.BoxMean" in schema["$defs"]
    named = set(json.loads(ok("pipeline", "show", "--json").stdout))
    assert named >= {"cloud-mask", "mask", "nbr", "ndmi", "ndvi", "ndwi", "true-color", "water"}


def test_operators(ok):
    assert "geotoolz.radiometry.BoxMean" in json.loads(ok("operators", "--json").stdout)
    text = ok("operators", "boxmean").stdout
    assert text.startswith("geotoolz.radiometry.BoxMean(radius=3, bands=None)") and "Parameters" in text


# ---- running ----


def test_check_plan_run_status_report(work, ok):
    assert "no errors, no warnings" in ok("check", "smooth.yaml", "scenes", cwd=work).stdout
    planned = json.loads(ok("plan", "smooth.yaml", "scenes", "out", "--json", cwd=work).stdout)
    assert planned["counts"] == {"new": 3} and planned["todo"] and not (work / "out").exists()
    done = cli("run", "smooth.yaml", "scenes", "out", "--engine", "inline", cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out: 3 done in ") and done.stdout.endswith("report: out/report.html\n")
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events[0] == "start" and events[-1] == "end"
    for name in names(work / "scenes"):
        assert (work / "out" / f"{name}_red.tif").exists()
    again = ok("run", "smooth.yaml", "scenes", "out", cwd=work)
    assert again.stdout.startswith("out: nothing to do: 3 fresh") and not again.stderr
    other = ok("plan", "smooth.yaml", "scenes", "out", "--set", "radius=2", cwd=work).stdout
    assert "the pipeline changed" in other and other.endswith("out: 3 stale; 3 to do\n")
    status = json.loads(ok("status", "out", "--json", cwd=work).stdout)
    assert status["tiles"] == {"done": 3} and status["last_run"]["exit_code"] == 0 and not status["running"]
    report = json.loads(ok("report", "out", "--json", cwd=work).stdout)
    assert report["counts"] == {"done": 3}
    assert "_red.tif" in ok("report", "out", cwd=work).stdout


def test_stream_tells_memory_and_writes_one_file(work, ok, call):
    scene = f"scenes/{names(work / 'scenes')[0]}"
    told = ok("stream", "smooth.yaml", scene, "--dry-run", "--window", "64,64", cwd=work).stdout
    assert told.startswith("stream red -> red") and "memory" in told
    done = cli("stream", "smooth.yaml", scene, "--out", "red.tif", "--threads", "2", cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("red.tif: ") and "announced" in done.stdout and "memory" in done.stderr
    options = ("--out", "r.zarr", "--json", "-q")
    stored = json.loads(ok("stream", "smooth.yaml", scene, *options, cwd=work).stdout)
    assert stored["paths"] == ["r.zarr"] and (work / "r.zarr" / "zarr.json").exists()
    for args, text in [
        (("--max-memory", "1MB"), "max_memory of"),
        (("--window", "0,5"), "ROWS,COLS"),
        (("--out", "a.png"), "ends in .tif"),
    ]:
        refused = call("stream", "smooth.yaml", str(work / scene), "--out", str(work / "x.tif"), *args)
        assert refused.returncode == 2 and text in refused.stderr, refused.stderr


def test_processes_areas_resolutions_and_shards(work, ok):
    ok("catalog", "build", "scenes", cwd=work)
    west, south, east, north = json.loads(ok("catalog", "show", "scenes.parquet", "--json", cwd=work).stdout)[
        "bbox"
    ]
    aoi = f"{(west + east) / 2},{(south + north) / 2},{east},{north}"
    options = ("--aoi", aoi, "--res", "20", "--engine", "process", "--workers", "2", "-q")
    done = ok("run", "smooth.yaml", "scenes.parquet", "out", *options, cwd=work)
    assert "3 done" in done.stdout and "(process)" in done.stdout and not done.stderr
    told = json.loads(ok("info", str(next((work / "out").glob("*.tif"))), "--json").stdout)
    assert told["grid"]["resolution"] == [20.0, 20.0] and told["grid"]["rows"] <= 26
    asked = ("plan", "smooth.yaml", "scenes", "o", "--json", "--shard")
    parts = [json.loads(ok(*asked, f"{i}/2", cwd=work).stdout) for i in (1, 2)]
    assert sorted(name for part in parts for name in part["todo"]) == names(work / "scenes")


def test_an_area_from_a_file(work, ok):
    import geopandas
    from shapely.geometry import box

    ok("catalog", "build", "scenes", cwd=work)
    west, south, east, north = json.loads(ok("catalog", "show", "scenes.parquet", "--json", cwd=work).stdout)[
        "bbox"
    ]
    farm = box(west, south, (west + east) / 2, (south + north) / 2)
    geopandas.GeoSeries([farm], crs="EPSG:4326").to_crs("EPSG:3857").to_file(work / "farm.gpkg")
    done = ok("run", "smooth.yaml", "scenes", "out", "--aoi", "farm.gpkg", "--limit", "1", "-q", cwd=work)
    assert "1 done" in done.stdout and not done.stderr
    assert (
        len(json.loads(ok("catalog", "query", "scenes", "--aoi", "farm.gpkg", "--json", cwd=work).stdout))
        == 3
    )


def test_a_broken_scene_is_reported_and_decides_the_exit_code(work, call):
    bad = names(work / "scenes")[1]
    path = work / "scenes" / bad / "B04.tif"
    path.write_bytes(path.read_bytes()[:-2000])
    run = ("run", "smooth.yaml", "scenes", "--engine", "inline", "-q")
    done = cli(*run[:3], "a", *run[3:], "--max-failures", "1", cwd=work)
    assert (
        done.returncode == 3
        and f"failed  {bad}  ReadError" in done.stdout
        and "2 done, 1 failed" in done.stdout
    )
    assert "truncated" in done.stderr  # noticed when the folder was read
    again = call(*run[:3], "a", *run[3:], cwd=work)
    assert again.returncode == 3 and f"quarantined  {bad}" in again.stdout and "nothing to do" in again.stdout
    assert call(*run[:3], "b", *run[3:], cwd=work).returncode == 4  # one of three is more than 2 %
    first = call(*run[:3], "c", *run[3:], "--on-error", "raise", cwd=work)
    assert first.returncode == 4 and "the first failure ends the run" in first.stdout


def test_ctrl_c_drains_and_the_next_run_goes_on(work, ok):
    originals = names(work / "scenes")
    rows = [{"id": f"{name}-{i}", "source": str(work / "scenes" / name / f"{name}.json")} for i in range(200)
            for name in originals]  # fmt: skip
    from geotoolz.catalog import GeoCatalog

    shapes = {row.id: row.geometry for row in GeoCatalog.build(work / "scenes").iter_rows()}
    for row in rows:
        row["geometry"] = shapes[row["id"].rpartition("-")[0]]
    GeoCatalog.from_rows(rows).save(work / "many.parquet")
    command = [SCRIPT, "run", "smooth.yaml", "many.parquet", "out", "--engine", "inline"]
    with subprocess.Popen(
        command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        line = running.stderr.readline()
        assert json.loads(line)["event"] == "start", line
        while not list((work / "out").glob("*.tif")) and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, out + err
    assert "interrupted, run again to go on" in out and "Traceback" not in err
    planned = json.loads(ok("plan", "smooth.yaml", "many.parquet", "out", "--json", cwd=work).stdout)
    assert planned["counts"].get("new", 0) == 600 - planned["counts"].get("fresh", 0) > 0


@needs_indices
def test_a_preset_on_one_scene(work, ok):
    one = names(work / "scenes")[0]
    done = ok("run", "ndvi", f"scenes/{one}", "out", "--set", "name=greenness", "-q", cwd=work)
    assert "1 done" in done.stdout and (work / "out" / f"{one}_greenness.tif").exists()


def test_a_folder_that_save_made_is_a_pipeline(work, ok, tmp_path):
    save(load(work / "smooth.yaml"), work / "saved")
    (work / "job.yaml").write_text("source: scenes\npipeline: saved\nout: out-of-folder\nengine: inline\n")
    assert f"{len(names(work / 'scenes'))} done" in ok("run", "job.yaml", "-q", cwd=work).stdout
    one = names(work / "scenes")[0]
    assert "1 done" in ok("run", "saved", f"scenes/{one}", "out-of-saved", "-q", cwd=work).stdout
    same = ok("pipeline", "show", "saved", cwd=work).stdout
    assert same == ok("pipeline", "show", "saved/pipeline.yaml", cwd=work).stdout


@needs_indices
def test_every_preset_loads():
    from geotoolz._cli._options import load_pipeline
    from geotoolz.core import Sequential
    from geotoolz.core._presets import preset_about, preset_names

    asked = {"ndvi", "true-color", "cloud-mask", "monthly-composite", "burn-severity", "water"}
    assert asked <= set(preset_names())
    for name in preset_names():
        assert isinstance(load_pipeline(name), Sequential), name
        assert preset_about(name).endswith("."), name


# ---- mistakes ----

MISSPELT = PIPELINE.replace("BoxMean", "BoxMaen")
PARAMETER = PIPELINE.replace("radius:", "radus:")
ABSENT = PIPELINE.replace("bands: [red]", "bands: [swir22]")

MISTAKES = [
    (("run", "misspelt.yaml", "scenes", "out"), ["misspelt.yaml", "line 3", "radiometry.BoxMean"]),
    (("run", "parameter.yaml", "scenes", "out"), ["line 4", "'radus'", "did you mean 'radius'"]),
    (("run", "absent.yaml", "scenes", "out"), ["swir22", "red, nir, scl", "operators[0]"]),
    (("run", "ndvj", "scenes", "out"), ["ndvj", "did you mean 'ndvi'"]),
    (("run", "nowhere.yaml", "scenes", "out"), ["nowhere.yaml", "No such file"]),
    (("run", "smooth.yaml", "nowhere", "out"), ["nowhere", "does not exist"]),
    (("run", "smooth.yaml", "nowhere.parquet", "out"), ["nowhere.parquet", "catalog"]),
    (("run", "smooth.yaml", "nothing", "out"), ["no scene", "no files"]),
    (("run", "smooth.yaml", "scenes", "file.txt"), ["file.txt"]),
    (("run", "smooth.yaml", "scenes", "out", "--engine", "raay"), ["raay", "inline, process"]),
    (("run", "smooth.yaml", "scenes", "out", "--max-failures", "some"), ["some", "2%"]),
    (("run", "smooth.yaml", "scenes", "out", "--set", "radus=2"), ["radus", "did you mean 'radius'"]),
    (("run", "smooth.yaml", "scenes", "out", "--set", "radius"), ["NAME=VALUE"]),
    (("run", "smooth.yaml", "scenes", "out", "--shard", "3"), ["I/N"]),
    (("run", "smooth.yaml", "scenes", "out", "--shard", "3/2"), ["1 ≤ i ≤ n"]),
    (("run", "smooth.yaml", "scenes", "out", "--aoi", "1,2,3,4"), ["--aoi", "an area within"]),
    (("run", "smooth.yaml", "scenes", "out", "--aoi", "farm.gpkg"), ["farm.gpkg", "vector file"]),
    (("run", "smooth.yaml", "scenes", "out", "--aoi", "file.txt"), ["file.txt", "vector file"]),
    (("run", "smooth.yaml", "scenes"), ["OUT"]),
    (("check", "absent.yaml", "scenes"), []),
    (("info", "text.tif"), ["text.tif", "truncated or corrupt"]),
    (("info", "zero.tif"), ["zero.tif", "0 bytes"]),
    (("info", "nothing"), ["no scene"]),
    (("status", "nothing"), ["nothing has no journal"]),
    (("status", "nowhere"), ["nowhere does not exist"]),
    (("report", "nothing"), ["no report"]),
    (("operators", "BoxMaen"), ["did you mean 'BoxMean'"]),
    (("pipeline", "schema", "BoxMaen"), ["did you mean 'BoxMean'"]),
    (("catalog", "build", "nothing"), ["no scene"]),
    (("catalog", "build", "scenes", "--out", "x.txt"), [".parquet"]),
    (("catalog", "query", "scenes", "--where", "clod_cover < 3"), ["clod_cover"]),
    (("catalog", "query", "scenes", "--bbox", "1,2"), ["WEST,SOUTH,EAST,NORTH"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def trouble(scenes, tmp_path_factory):
    """A folder of things that are wrong."""
    folder = tmp_path_factory.mktemp("trouble")
    shutil.copytree(scenes, folder / "scenes")
    texts = {"smooth": PIPELINE, "misspelt": MISSPELT, "parameter": PARAMETER, "absent": ABSENT}
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "nothing").mkdir()
    for name, text in {"file.txt": "text", "text.tif": "text", "zero.tif": ""}.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(("args", "said"), MISTAKES, ids=lambda value: " ".join(value))
def test_a_mistake_is_told_in_words(trouble, call, args, said):
    done = call(*args, cwd=trouble)
    assert done.returncode == 2
    assert args[0] == "check" or not done.stdout
    for part in said:
        assert part in done.stderr
    assert not (trouble / "out").exists()


def test_a_mistake_in_a_process_of_its_own(trouble):
    done = cli("run", "misspelt.yaml", "scenes", "out", cwd=trouble)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("error: misspelt.yaml: line 3") and "what to do: " in done.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_cannot_be_written(work, call):
    (work / "locked").mkdir(mode=0o500)
    done = call("run", "smooth.yaml", "scenes", "locked/out", "-q", cwd=work)
    assert done.returncode == 2 and "cannot be written" in done.stderr


def test_a_crash_is_short_and_leaves_its_traceback_in_a_file(tmp_path):
    code = (
        "import sys, typer; from geotoolz._cli import group_app, run_app; app = group_app('x')\n"
        "@app.command()\ndef go():\n    secret = 'x' * 9\n    return {}['absent']\n"
        "sys.exit(run_app(app, 'prog', sys.argv[1:]))"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, "go"], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    assert (
        done.returncode == 1
        and "crashed: KeyError: 'absent'" in done.stderr
        and "Traceback" not in done.stderr
    )
    (written,) = tmp_path.glob("geotoolz-crash-*.txt")
    assert (
        str(written) in done.stderr
        and "Traceback" in written.read_text()
        and "x" * 9 not in written.read_text()
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, "go", "--debug"],
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 1 and "Traceback" in shown.stderr


def test_a_closed_pipe_is_no_crash():
    done = subprocess.run(
        f"{SCRIPT} operators | head -1", shell=True, capture_output=True, text=True, timeout=60, check=False
    )
    assert (
        done.stdout.startswith("operator") and "crashed" not in done.stderr and "Traceback" not in done.stderr
    )


def test_warnings_that_many_scenes_share_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    from geotoolz._cli._main import _OncePerKind
    from geotoolz.io._notices import forget_notices, warn_once

    told_once = _OncePerKind()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = told_once
        for number in range(5):
            warn_once(f"scene-{number}", "nir: the file has no CRS")
        warnings.warn("something else", stacklevel=1)
    told_once.sum_up()
    forget_notices()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "warning: scene-0: nir: the file has no CRS",
        "warning: something else",
        "warning: 4 more with the same: nir: the file has no CRS",
    ]
