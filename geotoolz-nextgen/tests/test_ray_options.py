"""What may be said of a run on Ray, and what a changing cluster means for it; without Ray."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from geotoolz._cli._engine_options import engine_from, engine_overrides
from geotoolz.batch import get_engine
from geotoolz.core import BatchError, ParameterError
from geotoolz.nextgen import DaskEngine, RayEngine
from geotoolz.nextgen._ray_options import RayOptions


def node(alive=True, **resources):
    return {"Alive": alive, "Resources": {"CPU": 1.0, **resources}}


class Pool:
    """Takes the place of what hands out attempts, and tells how many workers it was asked to have."""

    def __init__(self):
        self.workers = 0

    def window(self, slots):
        return 2 * slots

    def resize(self, slots):
        self.workers = slots


def engine(nodes, n_workers=None, **options):
    made = RayEngine(n_workers, address="host:6379", **options)
    made._ray, made._pool = SimpleNamespace(nodes=lambda: nodes), Pool()
    return made


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cpus": -1}, "cpus=-1"),
        ({"cpus": True}, "cpus=True"),
        ({"cpus": 0}, "asks for nothing"),
        ({"gpus": 1.5}, "gpus=1.5"),
        ({"memory": "2 gigs"}, "memory='2 gigs'"),
        ({"resources": {"CPU": 1}}, "as cpus="),
        ({"resources": {"spot": "1"}}, r"resources\['spot'\]='1'"),
        ({"resources": ["spot"]}, "names and values"),
        ({"placement": "SPREAD"}, "'pack' or 'spread'"),
        ({"in_flight": 2}, "without actors"),
        ({"in_flight": 0, "actors": True}, "in_flight=0"),
        ({"actors": "yes"}, "actors='yes'"),
        ({"patience": float("nan")}, "patience=nan"),
        ({"address": ""}, "address=''"),
        ({"runtime_env": {"env_vars": {"GDAL_CACHEMAX": 64}}}, "quote it: GDAL_CACHEMAX: '64'"),
        ({"object_store_memory": "much"}, "object_store_memory='much'"),
        ({"gpu": 1}, "did you mean 'gpus'"),
    ],
)
def test_options_that_cannot_be(options, told):
    with pytest.raises(ParameterError, match=told):
        get_engine("ray", 2, **options)


def test_what_a_task_is_given():
    options = RayOptions(cpus=2, gpus=0.5, memory="2GiB", resources={"spot": 1}, placement="spread")
    assert options.of_task() == {
        "num_cpus": 2,
        "num_gpus": 0.5,
        "memory": 2**31,
        "resources": {"spot": 1.0},
        "scheduling_strategy": "SPREAD",
    }
    assert dict(options.need) == {"CPU": 2.0, "GPU": 0.5, "memory": 2.0**31, "spot": 1.0}


def test_the_window_follows_the_nodes():
    nodes = [node(CPU=4.0)]
    ray = engine(nodes)
    ray._look()
    assert (ray.n_workers, ray.window, ray._pool.workers) == (4, 8, 4)
    nodes += [node(CPU=4.0), node(CPU=2.0)]
    ray._look()
    assert (ray.n_workers, ray.window, ray._pool.workers) == (10, 20, 10)
    nodes[0] = node(alive=False, CPU=4.0)
    ray._look()
    assert (ray.n_workers, ray.window) == (6, 12)


def test_the_window_is_what_the_scarcest_resource_allows():
    ray = engine([node(CPU=8.0, memory=4.0 * 2**30), node(CPU=8.0, GPU=1.0, memory=64.0 * 2**30)], gpus=0.25)
    ray._look()
    assert ray.n_workers == 4
    ray = engine([node(CPU=8.0, memory=4.0 * 2**30), node(CPU=8.0, memory=64.0 * 2**30)], memory="2GiB")
    ray._look()
    assert ray.n_workers == 2 + 8


def test_n_workers_is_the_most_at_a_time_on_a_cluster():
    ray = engine([node(CPU=64.0)], n_workers=3)
    ray._look()
    assert (ray.n_workers, ray.window) == (3, 3)


def test_a_cluster_without_a_node_for_the_task_is_waited_for_and_then_told():
    ray = engine([node(CPU=8.0)], gpus=1, patience=300.0)
    ray._look()
    assert ray.window == 1, "a task that waits is what an autoscaler sees"
    ray.options = RayOptions(address="host:6379", gpus=1, patience=0.0)
    with pytest.raises(BatchError, match=r"asks for 1 CPU, 1 GPU; they have 8 CPU, 0 GPU"):
        ray._look()


def test_a_node_that_comes_in_time_ends_the_waiting():
    nodes = [node(CPU=8.0)]
    ray = engine(nodes, gpus=1)
    ray._look()
    assert ray._poor_since is not None
    nodes.append(node(CPU=8.0, GPU=2.0))
    ray._look()
    assert ray._poor_since is None and ray.n_workers == 2


def test_the_command_line_names_an_engine():
    assert engine_from(None, None, None, None) is None
    assert engine_from("process", 2, None, ()) == "process"
    ray = engine_from(None, 2, "ray://host:10001", ["cpus=0.5", "runtime_env={env_vars: {A: b}}"])
    assert isinstance(ray, RayEngine) and ray.address == "ray://host:10001" and ray.options.cpus == 0.5
    assert ray.options.runtime_env == {"env_vars": {"A": "b"}}
    dask = engine_from("dask", None, None, ["address=tcp://host:8786"])
    assert isinstance(dask, DaskEngine) and dask.address == "tcp://host:8786"
    assert engine_overrides(False, "ray", 2, None, None) == ("ray", [])
    assert engine_overrides(True, None, None, "host:1", ["gpus=1"]) == (
        None,
        ["engine.name=ray", "engine.gpus=1", "engine.address=host:1"],
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("process", None, "host:1", None), "--ray-address with --engine process"),
        (("ray", None, "host:1", ["address=host:2"]), "one of the two"),
        ((None, None, None, ["cpus=2"]), "without an engine"),
        (("ray", None, None, ["cpus"]), "NAME=VALUE"),
        (("ray", None, None, ["cpus=1", "cpus=2"]), "cpus twice"),
        (("ray", None, None, ["resources={spot"]), "YAML"),
        (("dask", None, None, ["patience=-1"]), "patience=-1"),
        (("dask", None, None, ["address=1"]), "address=1"),
    ],
)
def test_what_the_command_line_refuses(arguments, told):
    with pytest.raises(ParameterError, match=told):
        engine_from(*arguments)


def test_an_address_of_dask_where_nobody_is():
    pytest.importorskip("distributed", reason="dask's scheduler is not installed")
    dask = DaskEngine(address="tcp://127.0.0.1:1")
    dask.start(len)
    with pytest.raises(BatchError, match=r"no scheduler of dask answers at 'tcp://127.0.0.1:1'"):
        dask.submit(0, "a")
    dask.stop(now=True)
