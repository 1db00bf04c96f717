from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from gtz_batch_ops import Ratio, WriteNpy

from geotoolz.batch import BatchReport, CatalogPipeline, ExitCode, RetryPolicy, TileState
from geotoolz.core import Sequential, geobox_of
from geotoolz.core._errors import BatchError, MissingVariableError, ParameterError, ReadError
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.grid import Crop, Reproject, Resample
from geotoolz.io import WriteCOG, WriteZarr, open_tile
from geotoolz.radiometry import BoxMean
from geotoolz.vector import ClipToArea

SCENES = 4


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Folders of scenes with items; made once, copied by nobody: tests that change inputs make their own."""
    return make_scenes(tmp_path_factory.mktemp("scenes"))


def make_scenes(folder, count=SCENES):
    paths = []
    for number in range(count):
        scene = {
            "shape": (96, 80),
            "bands": ("red", "nir", "scl"),
            "seed": number,
            "datetime": f"2023-06-{number + 10}",
        }
        paths.append(write_scene(scene, folder))
    return paths


def rows(paths):
    return [{"id": path.name, "source": str(path / f"{path.name}.json"), "kind": "item"} for path in paths]


def npy(path="{item_id}_{band}.npy", **ratio):
    return Sequential([Ratio(**ratio), WriteNpy(path)])


def job(paths, out, op=None, **options):
    options.setdefault("progress", "none")
    options.setdefault("retries", RetryPolicy(base=0.01))
    return CatalogPipeline(rows(paths), op or npy(), out, **options)


def part_of(path, top, bottom, left, right):
    """Return bounds of some rows and columns of a scene, in its own reference system."""
    return tuple(
        geobox_of(open_tile(path / f"{path.name}.json", "red"))[top:bottom, left:right].boundingbox.bbox
    )


CHANGES = {
    "crop": lambda path: [Crop(part_of(path, 20, 61, 10, 53), crs="EPSG:32633")],
    "the lower right": lambda path: [Crop(part_of(path, 50, 96, 40, 80), crs="EPSG:32633")],
    "crop of a crop": lambda path: [
        Crop(part_of(path, 20, 61, 10, 53), crs="EPSG:32633"),
        Crop(part_of(path, 30, 50, 20, 40), crs="EPSG:32633"),
    ],
    "clip": lambda path: [ClipToArea(geobox_of(open_tile(path / f"{path.name}.json", "red"))[20:61, 10:53])],
    "resample": lambda path: [Resample(factor=2)],
    "crop and resample": lambda path: [
        Crop(part_of(path, 20, 60, 10, 50), crs="EPSG:32633"),
        Resample(factor=2),
    ],
    "reproject": lambda path: [Reproject("EPSG:32634", resolution=10.0)],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_job_writes_what_a_call_on_the_tile_gives_where_the_grid_changes(scenes, tmp_path, change):
    path = scenes[0]
    steps = CHANGES[change](path)
    report = job(
        [path], tmp_path, Sequential([*steps, WriteCOG("{item_id}.tif", bands=("red", "nir"))])
    ).run()
    assert report.counts == {"done": 1}, [row.message for row in report.failed]
    wanted = Sequential(steps)(open_tile(path / f"{path.name}.json", ["red", "nir"]))
    (file,) = tmp_path.glob("*.tif")
    found = open_tile(file)
    assert geobox_of(found) == geobox_of(wanted) and found.sizes == wanted.sizes
    for name in ("red", "nir"):
        np.testing.assert_array_equal(found[name].values, wanted[name].values)


@pytest.mark.parametrize("engine", ["inline", "process"])
def test_a_run_writes_every_tile_and_a_second_one_has_nothing_to_do(scenes, tmp_path, engine):
    report = job(scenes, tmp_path, engine=engine, n_workers=2).run()
    assert report.counts == {"done": SCENES} and report.exit_code == 0, [r.message for r in report.failed]
    for path in scenes:
        item = json.loads((tmp_path / "items" / f"{path.name}.json").read_text())
        assert item["assets"]["data"]["href"] == f"../{path.name}_ratio.npy"
        assert item["properties"]["datetime"].endswith("Z") and item["bbox"]
        values = np.load(tmp_path / f"{path.name}_ratio.npy")
        assert values.shape == (96, 80) and np.isfinite(values).any()
        assert (tmp_path / ".geotoolz/quicklooks" / f"{path.name}.png").read_bytes().startswith(b"\x89PNG")
        assert path.name in (tmp_path / ".geotoolz/logs" / f"{path.name}.log").read_text()
    assert not list((tmp_path / ".geotoolz/staging").iterdir())
    assert not list((tmp_path / ".geotoolz/commits").iterdir())
    again = job(scenes, tmp_path, engine="no such engine").run()
    assert again.counts == {"fresh": SCENES} and again.exit_code == ExitCode.DONE


def test_engines_give_the_same_pixels(scenes, tmp_path):
    for engine in ("inline", "process"):
        job(scenes, tmp_path / engine, engine=engine, n_workers=2).run()
    for path in scenes:
        a, b = (np.load(tmp_path / engine / f"{path.name}_ratio.npy") for engine in ("inline", "process"))
        np.testing.assert_array_equal(a, b)


def test_only_the_bands_that_are_needed_are_read(scenes, tmp_path, monkeypatch):
    from geotoolz.io._reader import SceneReader

    asked = []
    read = SceneReader.read
    monkeypatch.setattr(
        SceneReader,
        "read",
        lambda self, names=None, **k: asked.append(tuple(names)) or read(self, names, **k),
    )
    job(scenes[:1], tmp_path).run()
    assert [set(names) for names in asked] == [{"red", "nir"}]


def test_a_broken_scene_is_counted_and_the_others_are_done(tmp_path):
    paths = make_scenes(tmp_path / "in")
    band = next(paths[1].glob("B04.tif"))
    band.write_bytes(band.read_bytes()[:300])
    out = tmp_path / "out"
    report = job(paths, out, max_failures=1, n_workers=2).run()
    assert report.counts == {"done": SCENES - 1, "failed": 1}
    assert report.failures == {"bad-data": 1} and report.exit_code == ExitCode.FAILED_TILES
    assert "B04.tif" in report.failed[0].message
    assert "ReadError" in (out / ".geotoolz/logs" / f"{paths[1].name}.log").read_text()
    assert not (out / f"{paths[1].name}_ratio.npy").exists()
    loaded = BatchReport.load(out)
    assert loaded.counts == report.counts and loaded.exit_code == report.exit_code
    html = (out / "report.html").read_text()
    assert html.count("data:image/png;base64,") == SCENES - 1 and "B04.tif" in html and "<script" not in html
    again = job(paths, out, max_failures=1).run()
    assert (
        again.counts == {"fresh": SCENES - 1, "quarantined": 1} and again.exit_code == ExitCode.FAILED_TILES
    )
    assert job(paths, out, retry_failed=True, max_failures=1).run().failures == {"bad-data": 1}
    os.utime(band, ns=(1, 1))
    plan = job(paths, out).plan()
    assert plan.counts == {"fresh": SCENES - 1, "partial": 1}


def test_by_default_one_broken_scene_of_four_is_too_many(tmp_path):
    paths = make_scenes(tmp_path / "in")
    (paths[0] / "B08.tif").write_bytes(b"")
    report = job(paths, tmp_path / "out").run()
    assert report.counts == {"failed": 1, "done": SCENES - 1}, "a small job is tried to its end"
    assert report.over_limit and report.exit_code == ExitCode.STOPPED


def test_on_error_raise_raises_the_error_of_the_tile(tmp_path):
    paths = make_scenes(tmp_path / "in", 2)
    (paths[0] / "B08.tif").unlink()
    with pytest.raises(ReadError, match=paths[0].name):
        job(paths, tmp_path / "out", on_row_error="raise").run()


def test_a_pipeline_that_does_not_fit_fails_with_its_reason(scenes, tmp_path):
    from geotoolz.radiometry import SelectBands

    op = Sequential([SelectBands(("swir16",)), WriteNpy("{item_id}_{band}.npy")])
    report = job(scenes[:1], tmp_path, op).run()
    assert report.failures == {"pipeline": 1} and "swir16" in report.failed[0].message
    with pytest.raises(MissingVariableError, match="swir16"):
        job(scenes[:1], tmp_path, op, on_error="raise", retry_failed=True).run()


def test_plan_says_what_changed(tmp_path):
    paths = make_scenes(tmp_path / "in", 3)
    out = tmp_path / "out"
    assert job(paths, out).plan().counts == {"new": 3}
    assert not out.exists(), "a plan writes nothing"
    job(paths, out).run()
    plan = job(paths, out, npy(gain=2.0)).plan()
    assert plan.counts == {"stale": 3} and "pipeline changed" in plan.tiles[0].reason
    os.utime(paths[0] / "B04.tif", ns=(1, 1))
    (out / f"{paths[1].name}_ratio.npy").write_bytes(b"")
    (out / "items" / f"{paths[2].name}.json").unlink()
    plan = job(paths, out).plan()
    assert [tile.state for tile in plan.tiles] == [TileState.STALE, TileState.PARTIAL, TileState.PARTIAL]
    assert "B04.tif changed" in plan.tiles[0].reason
    assert "0 bytes" in plan.tiles[1].reason and "items/" in plan.tiles[2].reason
    assert job(paths, out).run().counts == {"done": 3}
    plan = job(paths[:1], out).plan()
    assert plan.counts == {"fresh": 1, "orphan": 2}
    assert "1 fresh, 2 orphan; 0 to do" in str(plan)


def test_stale_tiles_are_made_again_and_files_of_the_old_pipeline_go(tmp_path):
    paths = make_scenes(tmp_path / "in", 1)
    out = tmp_path / "out"
    job(paths, out, npy("old_{item_id}.npy")).run()
    report = job(paths, out, npy("new_{item_id}.npy", gain=2.0)).run()
    assert report.counts == {"done": 1}
    assert [p.name for p in out.glob("*.npy")] == [f"new_{paths[0].name}.npy"]


def test_other_code_makes_stale_only_on_request(scenes, tmp_path, monkeypatch):
    from geotoolz.batch import _judge

    job(scenes, tmp_path).run()
    versions = {**_judge.code_versions(), "geotoolz-core": "99"}
    monkeypatch.setattr(_judge, "code_versions", lambda: versions)
    assert job(scenes, tmp_path).plan().counts == {"fresh": SCENES}
    plan = job(scenes, tmp_path, stale_on="code").plan()
    assert plan.counts == {"stale": SCENES} and "geotoolz-core" in plan.tiles[0].reason


def test_the_journal_is_a_cache(scenes, tmp_path):
    job(scenes, tmp_path).run()
    journal = tmp_path / ".geotoolz/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    torn = b"".join(lines[:-2]) + lines[-2][:40]
    journal.write_bytes(torn)
    assert job(scenes, tmp_path).plan().counts == {"fresh": SCENES}
    journal.unlink()
    plan = job(scenes, tmp_path).plan()
    assert plan.counts == {"fresh": SCENES}
    assert job(scenes, tmp_path).run().rows[0].outputs == (f"{scenes[0].name}_ratio.npy",)


def test_two_tiles_with_one_path_are_refused_before_the_run(scenes, tmp_path):
    with pytest.raises(BatchError, match=f"{scenes[0].name}.*{scenes[1].name}.*same.npy"):
        job(scenes, tmp_path / "out", npy("same.npy")).run()
    assert not (tmp_path / "out").exists()


def test_two_tiles_with_one_path_that_only_the_tile_knows_fail_one_by_one(scenes, tmp_path):
    report = job(scenes, tmp_path, npy("{platform}.npy"), max_failures=SCENES).run()
    assert report.counts == {"done": 1, "failed": SCENES - 1}
    assert "was not written for this tile" in report.failed[0].message


def test_a_file_of_somebody_else_is_never_overwritten(scenes, tmp_path):
    target = tmp_path / f"{scenes[0].name}.npy"
    target.write_text("precious")
    with pytest.raises(BatchError, match=r"exists and was not written for"):
        job(scenes, tmp_path, npy("{item_id}.npy")).run()
    target.rename(tmp_path / f"{scenes[0].name}_ratio.npy")
    report = job(scenes, tmp_path, max_failures="100%").run()
    assert report.counts == {"failed": 1, "done": SCENES - 1}
    assert (tmp_path / f"{scenes[0].name}_ratio.npy").read_text() == "precious"


def test_empty_catalogs_and_double_ids_are_refused(scenes, tmp_path):
    with pytest.raises(BatchError, match="empty"):
        CatalogPipeline([], npy(), tmp_path).run()
    with pytest.raises(BatchError, match="more than once"):
        job([scenes[0], scenes[0]], tmp_path).run()
    with pytest.raises(BatchError, match="id"):
        CatalogPipeline([{"source": "x.tif"}], npy(), tmp_path).run()


def test_shards_share_the_tiles(scenes, tmp_path):
    reports = [
        job(scenes, tmp_path, shard=(i, 3)).run()
        for i in (1, 2, 3)
        if job(scenes, tmp_path, shard=(i, 3)).plan().tiles
    ]
    assert sum(report.counts.get("done", 0) for report in reports) == SCENES
    assert job(scenes, tmp_path).plan().counts == {"fresh": SCENES}


def test_a_limit_takes_the_first(scenes, tmp_path):
    assert job(scenes, tmp_path, limit=2).run().counts == {"done": 2}


def test_rows_may_be_paths(scenes, tmp_path):
    report = CatalogPipeline(scenes[:2], npy(), tmp_path, progress="none").run()
    assert report.counts == {"done": 2}, report.failed
    assert (tmp_path / f"{scenes[0].name}_ratio.npy").exists()


def test_without_out_the_path_of_the_sink_decides(scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = CatalogPipeline(rows(scenes[:1]), npy("results/{item_id}.npy"), progress="none").run()
    assert report.out == tmp_path / "results"
    assert (tmp_path / "results" / f"{scenes[0].name}.npy").exists()
    with pytest.raises(BatchError, match=r"out=…"):
        CatalogPipeline(rows(scenes[:1]), Ratio())
    with pytest.raises(BatchError, match="below the output folder"):
        CatalogPipeline(rows(scenes[:1]), npy("/elsewhere/{item_id}.npy"), "results")
    with pytest.raises(ParameterError, match="s3://bucket/prefix"):
        CatalogPipeline(rows(scenes[:1]), Ratio(), "ftp://host/out")


def test_a_yaml_file_is_a_pipeline(scenes, tmp_path):
    from geotoolz.core import dump

    path = tmp_path / "ratio.yaml"
    path.write_text(dump(npy()))
    assert CatalogPipeline(rows(scenes[:1]), path, tmp_path / "out", progress="none").run().ok


def test_a_killed_worker_does_not_lose_its_tile(scenes, tmp_path):
    report = job(
        scenes, tmp_path / "out", npy(what=f"kill-once {tmp_path / 'mark'}"), engine="process", n_workers=2
    ).run()
    assert report.counts == {"done": SCENES}
    assert sorted(len(row.attempts) for row in report.rows) == [1] * (SCENES - 1) + [2]
    assert not list((tmp_path / "out/.geotoolz/staging").iterdir())


def test_strips_give_the_bits_of_the_whole(scenes, tmp_path, monkeypatch):
    from geotoolz.batch import _compute

    job(scenes[:1], tmp_path / "whole").run()
    monkeypatch.setattr(_compute, "STREAM_ABOVE", 0)
    monkeypatch.setattr(_compute, "STRIP_ROWS", 17)
    report = job(scenes[:1], tmp_path / "strips").run()
    assert report.ok and "read" not in report.rows[0].seconds, "it ran in strips"
    a, b = (np.load(tmp_path / name / f"{scenes[0].name}_ratio.npy") for name in ("whole", "strips"))
    np.testing.assert_array_equal(a, b)


def test_warnings_of_a_tile_stand_in_its_row_and_log(tmp_path):
    paths = make_scenes(tmp_path / "in", 1)
    import rasterio

    with rasterio.open(paths[0] / "B04.tif", "r+") as file:
        file.write(np.full(file.shape, 60_000, np.uint16), 1)
    report = job(paths, tmp_path / "out").run()
    assert "SuspiciousValuesWarning" in report.rows[0].warnings[0]
    assert (
        "SuspiciousValuesWarning"
        in Path(tmp_path / "out/.geotoolz/logs" / f"{paths[0].name}.log").read_text()
    )


def test_a_step_that_the_sink_does_not_need_is_neither_read_nor_in_the_way(scenes, tmp_path):
    op = Sequential(
        [BoxMean(1, ("red",)), BoxMean(1, ("nir",)), WriteCOG("{item_id}_{band}.tif", bands=("red",))]
    )
    report = job(scenes, tmp_path, op).run()
    assert report.counts == {"done": SCENES}, [row.message for row in report.failed]
    with rasterio.open(tmp_path / f"{scenes[0].name}_red.tif") as cog:
        assert cog.descriptions == ("red",)


def test_another_sink_makes_the_outputs_anew(scenes, tmp_path):
    def writing(path, bands):
        return Sequential([BoxMean(1, ("red", "nir")), WriteCOG(path, bands=bands)])

    first = writing("{item_id}_{band}.tif", ("red",))
    job(scenes, tmp_path, first).run()
    moved = writing("v2/{item_id}_{band}.tif", ("red",))
    assert first.config_hash() == moved.config_hash()
    plan = job(scenes, tmp_path, moved).plan()
    assert {tile.state for tile in plan.tiles} == {TileState.STALE}
    assert all("the sink changed" in tile.reason for tile in plan.tiles)
    assert job(scenes, tmp_path, moved).run().counts == {"done": SCENES}
    assert len(list((tmp_path / "v2").glob("*.tif"))) == SCENES
    assert list(tmp_path.glob("*.tif")) == []
    more = writing("v2/{item_id}_{band}.tif", ("red", "nir"))
    assert job(scenes, tmp_path, more).run().counts == {"done": SCENES}
    assert len(list((tmp_path / "v2").glob("*.tif"))) == 2 * SCENES
    assert job(scenes, tmp_path, more).run().counts == {"fresh": SCENES}


def test_check_tells_what_the_sink_that_a_run_adds_cannot_write(tmp_path):
    pytest.importorskip("h5netcdf")
    for name, times in (("day", ["2023-06-10"]), ("plain", [])):
        tile = simulate_scene((16, 16), bands=("red",)).drop_vars("time", errors="ignore")
        if times:
            tile = tile.expand_dims(time=np.array(times, "datetime64[ns]"))
        (tmp_path / name).mkdir()
        tile.red.encoding = {"grid_mapping": "spatial_ref"}
        tile.to_netcdf(tmp_path / name / "a.nc", engine="h5netcdf")
    wrong, right = (
        CatalogPipeline([tmp_path / name / "a.nc"], BoxMean(3), tmp_path / f"out-{name}", progress="none")
        for name in ("day", "plain")
    )
    (finding,) = wrong.check()
    assert (finding.level, finding.operator) == ("error", "WriteCOG")
    assert "has dims ('time', 'y', 'x')" in finding.message and "Composite" in finding.message
    assert wrong.run().failed
    assert right.check() == () and right.run().ok
    own = CatalogPipeline(
        [tmp_path / "day" / "a.nc"], Sequential([BoxMean(3), WriteZarr("{item_id}.zarr")]), tmp_path / "z"
    )
    assert own.check() == ()  # a pipeline's own sink may write more
