"""Dagster: partitions are tiles or days; a bad one fails alone; what may pass is tried again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

dg = pytest.importorskip("dagster", reason="pip install 'geotoolz-nextgen[dagster]'")

from geotoolz.batch import CatalogPipeline  # noqa: E402
from geotoolz.catalog import GeoCatalog  # noqa: E402
from geotoolz.core import MissingDependencyError, Sequential  # noqa: E402
from geotoolz.core.testing import write_scene  # noqa: E402
from geotoolz.indices import NDVI  # noqa: E402
from geotoolz.io import WriteCOG  # noqa: E402
from geotoolz.nextgen import _unit  # noqa: E402
from geotoolz.nextgen.dagster import days_asset, tiles_asset  # noqa: E402

# Dagster's own (1.13): its tables of runs are made in memory, and the connections are left to the collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PIPELINE = Sequential([NDVI(), WriteCOG("{item_id}.tif")])


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for moment in ("10T10:00:00", "10T10:00:31", "11T10:00:00"):
        scene = {"shape": (32, 32), "bands": ("red", "nir"), "raw": True}
        write_scene(
            {**scene, "datetime": f"2023-06-{moment}Z", "tile_id": f"S2_{moment[:2]}_{moment[-2:]}"}, folder
        )
    return folder


@pytest.fixture
def job(archive, tmp_path):
    shutil.copytree(archive, tmp_path / "scenes")
    return CatalogPipeline(GeoCatalog.build(tmp_path / "scenes"), PIPELINE, tmp_path / "out", progress="none")


def damage(job, name="S2_10_31"):
    band = next(Path(job.out.parent, "scenes", name).glob("*B08*"))
    whole = band.read_bytes()
    band.write_bytes(whole[:1000])
    return band, whole


def materialize(asset, key, instance):
    return dg.materialize([asset], partition_key=key, instance=instance, raise_on_error=False)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def test_a_partition_per_tile(job, instance):
    asset = tiles_asset(job, name="ndvi", group_name="daily")
    assert asset.partitions_def.get_partition_keys() == ["S2_10_00", "S2_10_31", "S2_11_00"]
    result = materialize(asset, "S2_10_00", instance)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    told = event.materialization.metadata
    assert told["status"].value == "done" and told["config_hash"].value == PIPELINE.config_hash()
    assert "S2_10_00.tif" in told["sha256"].value
    assert [path.name for path in job.out.glob("*.tif")] == ["S2_10_00.tif"]
    again = materialize(asset, "S2_10_00", instance)
    (event,) = again.get_asset_materialization_events()
    assert event.materialization.metadata["status"].value == "fresh"


def test_a_bad_tile_fails_its_own_partition_and_is_not_tried_again(job, instance):
    damage(job)
    asset = tiles_asset(job, delay=0)
    found = {key: materialize(asset, key, instance) for key in asset.partitions_def.get_partition_keys()}
    assert {key: result.success for key, result in found.items()} == {
        "S2_10_00": True, "S2_10_31": False, "S2_11_00": True,
    }  # fmt: skip
    events = found["S2_10_31"].all_node_events
    assert not [event for event in events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    (failure,) = (event for event in events if event.event_type_value == "STEP_FAILURE")
    assert "bad-data" in str(failure.event_specific_data)
    assert sorted(path.name for path in job.out.glob("*.tif")) == ["S2_10_00.tif", "S2_11_00.tif"]


def test_what_may_pass_is_tried_again(job, instance, monkeypatch):
    calls = []

    def busy_twice(task):
        calls.append(task.tile_id)
        if len(calls) < 3:
            raise TimeoutError("the server did not answer")
        return real(task)

    real = _unit.run_tile
    monkeypatch.setattr(_unit, "run_tile", busy_twice)
    result = materialize(tiles_asset(job, delay=0), "S2_11_00", instance)
    assert result.success and calls == ["S2_11_00"] * 3
    retried = [e for e in result.all_node_events if e.event_type_value == "STEP_UP_FOR_RETRY"]
    assert len(retried) == 2
    assert len(list(job.out.glob("*.tif"))) == 1


def test_a_partition_per_day(job, instance):
    band, whole = damage(job)
    asset = days_asset(job, "2023-06-10", end="2023-06-12", delay=0)
    assert asset.partitions_def.get_partition_keys() == ["2023-06-10", "2023-06-11"]
    first = materialize(asset, "2023-06-10", instance)
    assert not first.success
    assert [path.name for path in job.out.glob("*.tif")] == ["S2_10_00.tif"]
    assert materialize(asset, "2023-06-11", instance).success
    band.write_bytes(whole)
    second = materialize(asset, "2023-06-10", instance)
    (event,) = second.get_asset_materialization_events()
    assert second.success and event.materialization.metadata["tiles"].value == 2
    assert len(list(job.out.glob("*.tif"))) == 3


@pytest.mark.parametrize("name", ["dagster", "prefect", "airflow"])
def test_without_the_orchestrator(name, job, monkeypatch):
    from geotoolz.nextgen import airflow, dagster, prefect

    make = {"dagster": dagster.tiles_asset, "prefect": prefect.batch_flow, "airflow": airflow.batch_dag}
    for module in (name, f"{name}.sdk"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=f"{name} is not installed.*pip install"):
        make[name](job)
