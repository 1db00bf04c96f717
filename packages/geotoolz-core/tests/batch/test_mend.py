"""Looking after an output folder: healing, orphans, one tile again, only some tiles."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from geotoolz.batch import CatalogPipeline, ExitCode, remove_orphans, verify
from geotoolz.core import GeotoolzError, ParameterError, Sequential, dump
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG
from geotoolz.radiometry import SelectBands

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))


@pytest.fixture
def scenes(tmp_path):
    for number in range(3):
        scene = {"shape": (32, 32), "bands": ("red", "nir"), "datetime": f"2023-06-{number + 10}"}
        write_scene(scene, tmp_path / "in")
    return sorted((tmp_path / "in").iterdir())


def job(scenes, tmp_path, **options):
    return CatalogPipeline(scenes, SelectBands(("red",)), tmp_path / "out", progress="none", **options)


def cli(cwd, *given):
    done = subprocess.run([SCRIPT, *given], cwd=cwd, capture_output=True, text=True, timeout=180, check=False)
    return done.returncode, done.stdout, done.stderr


def image(tile):
    return next(name for name, *_ in tile.record["out"] if name.endswith(".tif"))


def red(scene):
    return next(path for path in scene.glob("*.tif") if path.stem in ("B04", "red"))


def damage(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def test_healing_makes_a_damaged_tile_partial_and_the_next_run_makes_it_again(scenes, tmp_path):
    job(scenes, tmp_path).run()
    target = sorted((tmp_path / "out").glob("*.tif"))[1]
    before = target.read_bytes()
    damage(target)
    assert job(scenes, tmp_path).plan().counts == {"fresh": 3}  # a plan compares sizes
    assert verify(tmp_path / "out", heal=True) == {target.name: "other content than was written"}
    assert job(scenes, tmp_path).plan().counts == {"fresh": 2, "partial": 1}
    assert job(scenes, tmp_path).run().counts == {"done": 1, "fresh": 2}
    assert target.read_bytes() == before and verify(tmp_path / "out") == {}


def test_orphans_go_and_what_belongs_to_somebody_stays(scenes, tmp_path):
    out = tmp_path / "out"
    job(scenes, tmp_path).run()
    (out / "notes.txt").write_text("mine")
    plan = job(scenes[:1], tmp_path).plan()
    assert plan.counts == {"fresh": 1, "orphan": 2}
    lost = [image(tile) for tile in plan.tiles if tile.task is None]
    with (out / lost[0]).open("ab") as file:
        file.write(b"somebody's work")
    gone = remove_orphans(plan)
    assert lost[1] in gone and lost[0] not in gone and len([n for n in gone if n.startswith("items/")]) == 2
    kept = [image(tile) for tile in plan.tiles if tile.task]
    assert sorted(p.name for p in out.glob("*.tif")) == sorted([lost[0], *kept])
    assert (out / "notes.txt").read_text() == "mine"
    assert job(scenes[:1], tmp_path).plan().counts == {"fresh": 1}
    (out / lost[0]).unlink()
    assert job(scenes, tmp_path).run().counts == {"done": 2, "fresh": 1}


def test_a_tile_again_changes_nothing_and_compares(scenes, tmp_path):
    run = job(scenes, tmp_path)
    tile = run.plan().tiles[1].tile_id
    assert set(run.replay(tile).files.values()) == {"new"} and not (tmp_path / "out").exists()
    run.run()
    held = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    found = run.replay(tile)
    assert found.same and set(found.files.values()) == {"same"} and "red" in found.tile
    assert set(found.seconds) >= {"read", "run", "write"}
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == held
    coarser = job(scenes, tmp_path, read={"resolution": 20}).replay(tile)
    (name,) = (name for name in coarser.files if name.endswith(".tif"))
    assert coarser.files[name] == "other" and not coarser.same
    with pytest.raises(ParameterError, match="has no tile"):
        run.replay("nowhere")


def test_a_tile_again_raises_what_the_tile_fails_with(scenes, tmp_path):
    red(scenes[0]).write_bytes(b"")
    run = job(scenes, tmp_path, max_failures=3)
    report = run.run()
    (failed,) = report.failed
    with pytest.raises(GeotoolzError, match="empty"):
        run.replay(failed.tile_id)


def test_only_some_tiles(scenes, tmp_path):
    names = [tile.tile_id for tile in job(scenes, tmp_path).plan().tiles]
    assert job(scenes, tmp_path, tiles=[names[2]]).run().counts == {"done": 1}
    assert job(scenes, tmp_path).plan().counts == {"new": 2, "fresh": 1}
    with pytest.raises(ParameterError, match="did you mean"):
        job(scenes, tmp_path, tiles=[names[0][:-1]]).plan()
    for wrong in (names[0], [], [3]):
        with pytest.raises(ParameterError, match="ids of tiles"):
            job(scenes, tmp_path, tiles=wrong)


def test_only_those_that_failed(scenes, tmp_path):
    broken = red(scenes[0])
    kept = broken.read_bytes()
    broken.write_bytes(b"")
    assert job(scenes[:2], tmp_path, max_failures=3).run().counts == {"done": 1, "failed": 1}
    broken.write_bytes(kept)
    again = job(scenes, tmp_path, only_failed=True)
    assert [tile.tile_id for tile in again.plan().todo] == [
        tile.tile_id for tile in again.plan().tiles if tile.record.get("ev") == "failed"
    ]
    counts = again.run().counts
    assert counts["done"] == 1 and job(scenes, tmp_path).plan().counts == {"new": 1, "fresh": 2}


def test_the_command_line(scenes, tmp_path):
    (tmp_path / "p.yaml").write_text(dump(Sequential([SelectBands(("red",)), WriteCOG("{item_id}.tif")])))
    assert cli(tmp_path, "run", "p.yaml", "in", "out", "-q")[0] == 0
    assert cli(tmp_path, "verify", "out") == (0, "out: every file is what was written\n", "")
    target = sorted((tmp_path / "out").glob("*.tif"))[0]
    tile = target.stem
    code, out, _ = cli(tmp_path, "replay", "p.yaml", "in", "out", tile)
    assert code == 0 and "the same bytes stand in the folder" in out
    damage(target)
    code, out, _ = cli(tmp_path, "verify", "out", "--json")
    assert code == ExitCode.FAILED_TILES and list(json.loads(out)["damaged"]) == [target.name]
    assert cli(tmp_path, "verify", "out", "--heal")[0] == 0 and not target.exists()
    code, out, _ = cli(tmp_path, "run", "p.yaml", "in", "out", "-q", "--json", "--tile", tile)
    assert code == 0 and json.loads(out)["counts"] == {"done": 1}
    for path in sorted(scenes[2].iterdir()):
        path.unlink()
    scenes[2].rmdir()
    code, out, _ = cli(tmp_path, "gc", "p.yaml", "in", "out")
    assert code == 0 and "1 tile not in in; --yes deletes" in out
    assert len(list((tmp_path / "out").glob("*.tif"))) == 3
    assert cli(tmp_path, "gc", "p.yaml", "in", "out", "--yes")[0] == 0
    assert len(list((tmp_path / "out").glob("*.tif"))) == 2
    code, out, err = cli(tmp_path, "replay", "p.yaml", "in", "out", tile[:-1])
    assert code == ExitCode.USAGE and "did you mean" in err and "Traceback" not in err
