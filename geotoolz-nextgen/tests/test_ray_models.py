"""Models on Ray: one load per worker, not per tile; actors keep theirs, are replaced, work side by side."""

from __future__ import annotations

from collections import Counter

import gtz_ray_tasks as tasks
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from geotoolz.batch import CatalogPipeline, Driver, RetryPolicy
from geotoolz.core import Sequential, dump
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG
from geotoolz.learn import PixelwiseClassifier, TrainingRows, fit_rows
from geotoolz.nextgen import RayEngine

pytestmark = pytest.mark.ray
TASKS = 8
KINDS = {"tasks": {}, "actors": {"actors": True}}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    X = np.random.default_rng(1).uniform(0, 1, (200, 2)).astype(np.float32)
    y = np.where(X[:, 1] < 0.3, "water", "land")
    model = fit_rows(RandomForestClassifier(4), TrainingRows(X=X, features=("red", "nir"), y=y))
    return dump(PixelwiseClassifier(model.save(tmp_path_factory.mktemp("models") / "forest.skops")))


def outcomes(engine, fn, payloads):
    driver = Driver(engine, policy=RetryPolicy(base=0.01))
    found = list(driver.run(fn, ((str(i), p) for i, p in enumerate(payloads)), len(payloads)))
    assert not [o.failure for o in found if o.failure]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_loads_a_model_once_and_its_successor_once_more(kind, ray_session, pipeline, tmp_path):
    payloads = [(pipeline, str(tmp_path / "mark") if i == 5 else "") for i in range(TASKS)]
    found = outcomes(RayEngine(2, **KINDS[kind]), tasks.predict, payloads)
    loads = dict(o.value for o in found)
    assert set(loads.values()) == {1}, "one load per process"
    assert sum(len(o.attempts) for o in found) == TASKS + 1, "one worker was killed"
    assert len(loads) < TASKS
    if kind == "actors":
        assert len(loads) <= 3, "two actors, and the one in the place of the dead"


def test_an_actor_works_on_several_tiles_at_a_time(ray_session, tmp_path):
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    found = outcomes(RayEngine(1, actors=True, in_flight=2), tasks.meet, [(a, b), (b, a)])
    assert len({o.value for o in found}) == 1, "the same process, side by side"
    assert Counter(len(o.attempts) for o in found) == {1: 2}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_tile_kills_its_first_worker_and_the_outputs_are_those_of_a_calm_run(
    kind, ray_session, tmp_path
):
    from gtz_ray_operators import KillOncePerTile

    (tmp_path / "marks").mkdir()
    for number in range(8):
        day = f"2023-06-{number + 10}"
        scene = {"shape": (32, 32), "bands": ("red", "nir"), "datetime": day, "seed": number}
        write_scene(scene, tmp_path / "scenes")
    scenes = sorted((tmp_path / "scenes").iterdir())
    sink = WriteCOG("{tile_id}.tif", bands=("ndvi",))
    calm = CatalogPipeline(scenes, Sequential([NDVI(), sink]), tmp_path / "calm", progress="none").run()
    deadly = Sequential([KillOncePerTile(str(tmp_path / "marks")), NDVI(), sink])
    engine = RayEngine(2, **KINDS[kind])
    report = CatalogPipeline(scenes, deadly, tmp_path / "out", engine=engine, progress="none").run()
    assert report.counts == calm.counts == {"done": 8}, [row.message for row in report.failed]
    assert len(list((tmp_path / "marks").iterdir())) == 8
    assert [len(row.attempts) for row in report.rows] == [2] * 8, "eight workers were killed"
    for row in calm.rows:
        for name in (name for name in row.outputs if name.endswith(".tif")):
            assert pixels(tmp_path / "out" / name) == pixels(tmp_path / "calm" / name)
    assert not list((tmp_path / "out/.geotoolz/staging").iterdir())


def pixels(path):
    import rasterio

    with rasterio.open(path) as cog:
        return cog.read().tobytes()
