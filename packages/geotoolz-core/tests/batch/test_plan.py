"""What a plan says of every tile, and in sum; which tiles are chosen; a lost journal."""

from __future__ import annotations

import gc
import json
import os
import shutil

import pytest
from gtz_batch_ops import Ratio, WriteNpy
from gtz_plan_ops import Doubled, Gained
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.batch import CatalogPipeline, Change, StaleCause, changes, rebuild_journal, verify
from geotoolz.batch._rows import tile_sources
from geotoolz.core import ParameterError, Ref, Sequential
from geotoolz.core._errors import BatchError, ReadError
from geotoolz.core.testing import write_scene

NPY = WriteNpy("{item_id}_{band}.npy")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(4):
        moment = f"2023-0{6 + number % 2}-1{number}"
        write_scene({"shape": (24, 20), "bands": ("red", "nir"), "seed": number, "datetime": moment}, folder)
    return sorted(folder.iterdir())


def job(scenes, out, *steps, **options):
    options.setdefault("quicklook", False)
    return CatalogPipeline(scenes, Sequential([*steps, NPY]), out, progress="none", **options)


def only_reason(plan):
    (found,) = {(tile.cause, tile.reason) for tile in plan.tiles if tile.task is not None}
    return found


# ---- why


def test_a_changed_parameter_is_named_by_its_path_and_both_values(scenes, tmp_path):
    job(scenes, tmp_path, Ratio(gain=1.0)).run()
    plan = job(scenes, tmp_path, Ratio(gain=1.5)).plan()
    assert only_reason(plan) == (StaleCause.CONFIG, "the pipeline changed at operators[0].gain 1.0 → 1.5")
    assert [str(reason) for reason in plan.summary] == [
        "4 stale: the pipeline changed at operators[0].gain 1.0 → 1.5"
    ]
    told = plan.to_dict()
    assert told["causes"] == {"config": 4} and told["tiles"][0]["cause"] == "config"
    shutil.rmtree(tmp_path / ".geotoolz/configs")  # then the items say what the pipeline was
    again = job(scenes, tmp_path, Ratio(gain=1.5)).plan()
    assert only_reason(again) == only_reason(plan)


def test_a_plan_leaves_the_garbage_collector_as_it_was(scenes, tmp_path):
    job = CatalogPipeline(scenes, Ratio(), tmp_path / "out", progress="none")
    for collecting in (True, False):
        (gc.enable if collecting else gc.disable)()
        try:
            job.plan()
            with pytest.raises(ParameterError):
                CatalogPipeline(scenes, Ratio(), tmp_path / "out", progress="none", tiles=["no such"]).plan()
            assert gc.isenabled() == collecting
        finally:
            gc.enable()


def test_facts_of_an_item_stand_where_the_row_has_no_column():
    held = {"datetime": "2023-08-15T10:00:00Z", "platform": "a", "view": 3.5}
    row = {"id": "t", "source": "t.tif", "properties": held, "platform": "b", "tile": None}
    (source,) = tile_sources([row])
    assert dict(source.facts) == {"datetime": "2023-08-15T10:00:00Z", "platform": "b", "view": 3.5}


def test_a_step_more_or_less_is_told_as_that(scenes, tmp_path):
    job(scenes, tmp_path, Ratio()).run()
    plan = job(scenes, tmp_path, Doubled(), Ratio()).plan()
    assert only_reason(plan)[1] == "the pipeline changed at operators[0] Doubled is new"
    job(scenes, tmp_path, Doubled(), Ratio()).run()
    assert only_reason(job(scenes, tmp_path, Ratio()).plan())[1].endswith("operators[0] Doubled is gone")


def test_a_changed_file_behind_a_ref_is_named_as_model(scenes, tmp_path):
    model = tmp_path / "forest.model"
    model.write_text("2.0")
    old = Gained(Ref.of(model))
    job(scenes, tmp_path / "out", old).run()
    model.write_text("3.0")
    cause, reason = only_reason(job(scenes, tmp_path / "out", Gained(Ref.of(model))).plan())
    assert cause is StaleCause.MODEL
    assert reason.startswith("the model or table changed: operators[0].model forest.model (")
    # the pipeline still pins the content that was overwritten: nothing can be made, and that is said
    stale = job(scenes, tmp_path / "out", old)
    cause, reason = only_reason(stale.plan())
    assert cause is StaleCause.MODEL and f"{model} was overwritten" in reason
    with pytest.raises(ReadError, match=r"forest\.model was overwritten"):
        stale.run()
    both = job(scenes, tmp_path / "out", Gained(Ref.of(model), offset=1.0)).plan()
    assert (
        only_reason(both)[0] is StaleCause.CONFIG and "operators[0].offset 0.0 → 1.0" in both.tiles[0].reason
    )


def test_an_operator_that_makes_other_pixels_is_named_as_code(scenes, tmp_path, monkeypatch):
    job(scenes, tmp_path, Doubled()).run()
    monkeypatch.setattr(Doubled, "version", 2)
    cause, reason = only_reason(job(scenes, tmp_path, Doubled()).plan())
    assert cause is StaleCause.CODE and "Doubled makes other pixels (version 1 → 2)" in reason


def test_input_sink_and_reading_have_causes_of_their_own(scenes, tmp_path):
    for path in scenes:
        shutil.copytree(path, tmp_path / "in" / path.name)
    own, out = sorted((tmp_path / "in").iterdir()), tmp_path / "out"
    job(own, out, Ratio()).run()
    band = next(path for path in own[1].glob("*.tif") if path.stem in ("B04", "red"))
    os.utime(band, ns=(1, 1))
    plan = job(own, out, Ratio()).plan()
    assert plan.counts == {"fresh": 3, "stale": 1} and plan.causes == {"input": 1}
    assert plan.tiles[1].reason == f"the input {band.name} changed (as many bytes, another time or checksum)"
    coarse = job(own[:1], out, Ratio(), read={"resolution": 20, "aoi": (14.9, 45.9, 15.1, 46.1)}).plan()
    assert only_reason(coarse) == (
        StaleCause.READ,
        "it is read in another way: another aoi, resolution of the file → 20",
    )
    other = CatalogPipeline(own[:1], Sequential([Ratio(), WriteNpy("x/{item_id}_{band}.npy")]), out)
    assert other.plan().causes == {"sink": 1}


def test_many_different_reasons_are_summed_up_with_an_example(scenes, tmp_path):
    for path in scenes:
        shutil.copytree(path, tmp_path / "in" / path.name)
    own, out = sorted((tmp_path / "in").iterdir()), tmp_path / "out"
    job(own, out, Ratio()).run()
    for path in sorted(out.glob("*.npy")):
        path.unlink()
    (reason,) = job(own, out, Ratio()).plan().summary
    assert reason.count == 4 and reason.text.startswith("4 different reasons, such as ")
    assert reason.text.endswith("_ratio.npy is missing")


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, ["[a] 1 → 1.0"]),
        ({"a": True}, {"a": 1}, ["[a] True → 1"]),
        ({"a": [1]}, {"a": [1.0]}, ["[a] [1] → [1.0]"]),
        ({"a": float("nan")}, {"a": float("nan")}, []),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["[a] [1, 2] → [1, 3]"]),
        ({"_target_": "x.A", "b": 1}, {"_target_": "x.A", "c": 2}, ["b is gone", "c is new (2)"]),
        ({"_target_": "x.A", "b": 1}, {"_target_": "x.B", "b": 1}, ["A → B"]),
    ],
)
def test_changes(then, now, expected):
    assert [str(change) for change in changes(then, now)] == expected


def test_changes_follow_steps_that_moved():
    step = {"_target_": "x.A", "radius": 1}
    then = [step, {"_target_": "x.B"}, step]
    now = [{"_target_": "x.C"}, step, {"_target_": "x.B"}, {**step, "radius": 2}]
    assert list(changes(then, now, "operators")) == [
        Change("operators[0]", "C is new"),
        Change("operators[3].radius", "1 → 2"),
    ]


# ---- which tiles


def catalog(scenes):
    pytest.importorskip("geopandas", reason="a slice needs the catalog extra")
    from geotoolz.catalog import GeoCatalog

    return GeoCatalog.build(str(scenes[0].parent))


def test_a_slice_of_the_catalog_leaves_no_orphans(scenes, tmp_path):
    whole = catalog(scenes)
    job(whole, tmp_path, Ratio()).run()
    plan = job(whole, tmp_path, Ratio(), slice={"time": "2023-06"}).plan()
    assert plan.counts == {"fresh": 2}
    west, south, east, north = whole.frame.total_bounds
    both = {"time": "2023-06", "bbox": (west, south, east, north), "where": "cloud_cover >= 0 or id != 'x'"}
    assert len(job(whole, tmp_path, Ratio(), slice=both).plan().tiles) == 2
    names = [tile.tile_id for tile in plan.tiles]
    combined = job(whole, tmp_path, Ratio(), slice={"time": "2023-06"}, tiles=names[:1], limit=1)
    assert [tile.tile_id for tile in combined.plan().tiles] == names[:1]


def test_slices_that_cannot_be(scenes, tmp_path):
    with pytest.raises(ParameterError, match="did you mean 'bbox'"):
        job(scenes, tmp_path, Ratio(), slice={"bboxx": (0, 0, 1, 1)})
    with pytest.raises(ParameterError, match="a mapping"):
        job(scenes, tmp_path, Ratio(), slice={})
    with pytest.raises(ParameterError, match="GeoCatalog"):
        job(scenes, tmp_path, Ratio(), slice={"time": "2023"}).plan()
    with pytest.raises(BatchError, match="no tile of 4 lies in the slice time='1999'"):
        job(catalog(scenes), tmp_path, Ratio(), slice={"time": "1999"}).plan()


# ---- the journal


def test_a_lost_journal_is_written_again_and_nothing_is_made_twice(scenes, tmp_path):
    run = job(scenes, tmp_path, Ratio())
    run.run()
    journal = tmp_path / ".geotoolz/journal.jsonl"
    journal.unlink()
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")}
    assert sorted(rebuild_journal(tmp_path)) == sorted(path.name for path in scenes)
    assert rebuild_journal(tmp_path) == ()
    shutil.move(tmp_path / "items", tmp_path / "away")  # only the journal can know them now
    assert run.plan().counts == {"partial": 4}
    shutil.move(tmp_path / "away", tmp_path / "items")
    assert run.run().counts == {"fresh": 4} and verify(tmp_path) == {}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")} == made
    assert job(scenes, tmp_path, Ratio(gain=2.0)).plan().causes == {"config": 4}
    with pytest.raises(BatchError, match="holds no items"):
        rebuild_journal(tmp_path / "nowhere")


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.sampled_from("ab")
STEPS = st.fixed_dictionaries(
    {"_target_": st.sampled_from(["x.A", "x.B"]), "p": SCALARS}, optional={"q": st.lists(SCALARS, max_size=2)}
)
CONFIGS = st.fixed_dictionaries({"_target_": st.just("x.S"), "operators": st.lists(STEPS, max_size=4)})


def strict(value):
    """Say a value so that 1, 1.0 and True are three things."""
    return json.dumps(value, sort_keys=True)


@given(CONFIGS, CONFIGS)
def test_there_are_changes_exactly_where_two_configurations_differ(then, now):
    found = list(changes(then, now))
    assert bool(found) == (strict(then) != strict(now))
    assert len({(change.path, change.text) for change in found}) == len(found)
    assert all(change.path.startswith("operators") for change in found)
