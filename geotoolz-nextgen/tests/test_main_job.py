"""The main job: real scenes through mask clouds → NDVI → COG on every engine, with the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from gtz_ray_operators import KillOnce

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.cloud import MaskClouds
from geotoolz.core import Sequential
from geotoolz.core.testing import data_path, write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG

pytestmark = pytest.mark.ray

PIPELINE = Sequential([MaskClouds(("cloud", "cirrus")), NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))])


@pytest.fixture(scope="module")
def croatia():
    return GeoCatalog.build(data_path("s2_l2a_33TWL_croatia"))


@pytest.fixture(scope="module")
def on_ray(ray_session, croatia, tmp_path_factory):
    out = tmp_path_factory.mktemp("ray")
    return out, CatalogPipeline(croatia, PIPELINE, out, engine="ray", n_workers=2, progress="none").run()


def test_four_dates_in_four_dates_out(on_ray, croatia):
    out, report = on_ray
    assert report.counts == {"done": 4}, [row.message for row in report.failed]
    assert sorted(path.stem for path in out.glob("*.tif")) == sorted(s.tile_id for s in croatia)
    assert sorted(path.stem for path in (out / "items").glob("*.json")) == sorted(s.tile_id for s in croatia)
    with rasterio.open(next(out.glob("*.tif"))) as cog:
        assert (cog.shape, cog.dtypes, cog.descriptions) == ((915, 915), ("float32",), ("ndvi",))
        assert cog.crs.to_epsg() == 32633 and cog.res == (120, 120)


def test_the_masked_share_of_the_outputs_agrees_with_the_items(on_ray, croatia):
    _, report = on_ray
    declared = {row.id: row.cloud_cover for row in croatia.iter_rows()}
    for row in report.rows:
        assert 100 * row.masked_share == pytest.approx(declared[row.tile_id], abs=3), row.tile_id


def test_a_second_run_finds_nothing_to_do(on_ray, croatia):
    out, _ = on_ray
    again = CatalogPipeline(croatia, PIPELINE, out, engine="ray", n_workers=2, progress="none").run()
    assert again.counts == {"fresh": 4}


@pytest.mark.parametrize("engine", ["inline", "process"])
def test_every_engine_gives_the_same_pixels(engine, on_ray, croatia, tmp_path):
    ray, _ = on_ray
    report = CatalogPipeline(croatia, PIPELINE, tmp_path, engine=engine, n_workers=2, progress="none").run()
    assert report.counts == {"done": 4}, [row.message for row in report.failed]
    for path in sorted(ray.glob("*.tif")):
        with rasterio.open(path) as a, rasterio.open(tmp_path / path.name) as b:
            assert a.read().tobytes() == b.read().tobytes(), path.name


def test_a_worker_killed_in_the_middle_of_a_tile_costs_nothing_but_a_retry(ray_session, tmp_path):
    scene = {"shape": (64, 64), "bands": ("red", "nir", "scl")}
    for day in (10, 11, 12):
        write_scene({**scene, "datetime": f"2023-06-{day}"}, tmp_path / "scenes")
    catalog = GeoCatalog.build(tmp_path / "scenes")
    deadly = Sequential(
        [KillOnce(str(tmp_path / "mark")), NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))]
    )
    report = CatalogPipeline(
        catalog, deadly, tmp_path / "out", engine="ray", n_workers=2, progress="none"
    ).run()
    assert report.counts == {"done": 3}, [row.message for row in report.failed]
    assert sorted(len(row.attempts) for row in report.rows) == [1, 1, 2]
    for path in (tmp_path / "out").glob("*.tif"):
        with rasterio.open(path) as cog:
            assert np.isfinite(cog.read(1)).any()
