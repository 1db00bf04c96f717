"""The same report from every engine."""

from __future__ import annotations

import pytest

from geotoolz.batch import engine_names
from geotoolz.core import BatchError, Sequential
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.diff import AB
from geotoolz.indices import NDVI
from geotoolz.radiometry import BoxMean

ENGINE_CASES = ["process", pytest.param("ray", marks=pytest.mark.ray)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    good = [write_scene({"shape": (60, 50), "seed": i}, folder / f"s{i}") for i in range(4)]
    return [*good, folder / "missing.tif"]


@pytest.mark.parametrize("engine", ENGINE_CASES)
def test_engines_give_the_same_report(scenes, engine):
    if engine not in engine_names():
        pytest.skip("Ray comes with geotoolz-nextgen, which is not installed")
    ab = AB(Sequential([NDVI()]), Sequential([BoxMean(1), NDVI()]), resamples=50)
    here = ab.run(scenes, engine="inline")
    there = ab.run(scenes, engine=engine, n_workers=2)
    assert len(here.tiles) == 4 and list(here.failed) == ["missing"]
    assert there.to_json() == here.to_json()
    assert there.to_html() == here.to_html()  # the pictures too


def test_tiles_in_memory_travel_too():
    tiles = {f"t{i}": simulate_scene((16, 16), bands=("red", "nir"), seed=i) for i in range(2)}
    ab = AB(NDVI(), Sequential([BoxMean(1), NDVI()]), resamples=20)
    assert ab.run(tiles, engine="process", n_workers=1).to_json() == ab.run(tiles).to_json()


def test_an_engine_that_is_not_there():
    with pytest.raises(BatchError, match=r"engine 'cloud'.*inline"):
        AB(NDVI(), NDVI()).run([simulate_scene((4, 4))], engine="cloud")
