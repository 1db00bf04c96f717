"""Ray (tasks, and actors) and dask against the contract of engines, which is the one of core's."""

from __future__ import annotations

import pytest

from geotoolz.batch import engine_names, engine_options
from geotoolz.batch.testing import CHECKS, check_engine
from geotoolz.nextgen import DaskEngine, RayEngine


@pytest.fixture(scope="module")
def scheduler():
    """Start dask once for all checks; engines join it by its address and leave it running."""
    pytest.importorskip("distributed", reason="dask's scheduler is not installed")
    from geotoolz.nextgen._dask_local import LocalDask

    cluster = LocalDask(2)
    yield cluster.address
    cluster.stop()


@pytest.mark.parametrize("name", CHECKS)
def test_dask(name, scheduler):
    assert check_engine(lambda: DaskEngine(address=scheduler), only=(name,)) == (name,)


def test_dask_on_its_own():
    pytest.importorskip("distributed", reason="dask's scheduler is not installed")
    assert check_engine(lambda: DaskEngine(2), only=("killed",)) == ("killed",)


@pytest.mark.ray
@pytest.mark.parametrize("name", CHECKS)
def test_ray(name, ray_session):
    assert check_engine(lambda: RayEngine(2), only=(name,)) == (name,)


@pytest.mark.ray
@pytest.mark.parametrize("name", ["results", "window", "again", "killed", "deadline", "stop"])
def test_ray_with_actors(name, ray_session):
    assert check_engine(lambda: RayEngine(2, actors=True), only=(name,)) == (name,)


def test_the_engines_are_found_by_name():
    assert {"dask", "inline", "process", "ray"} <= set(engine_names())
    assert {"address", "gpus", "placement", "runtime_env"} <= set(engine_options("ray"))
    assert set(engine_options("dask")) == {"address", "patience"}
