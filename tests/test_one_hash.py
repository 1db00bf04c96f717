"""One graph, every driver: one SHA-256 of the pixels, for three pipelines on real scenes and others.

Pipelines and drivers are those of `benchmarks/one_hash.py`, which runs them on 10980² pixels.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import pixel_hash, run
from geotoolz.core.testing import data_path, write_scene
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning, forget_notices, open_tile
from geotoolz.radiometry import BoxMean

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "one_hash.py"
SPEC = importlib.util.spec_from_file_location("_one_hash", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
one_hash = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(one_hash)

LOCAL = [name for name in one_hash.DRIVERS if name not in ("whole", "process", "ray")]
# the real files were reduced to 120 m and say so: tests of their own require the warning
pytestmark = pytest.mark.filterwarnings(f"ignore::{MetadataWarning.__module__}.{MetadataWarning.__name__}")


def simulated(folder: Path) -> dict[str, Path]:
    scene = {"shape": (500, 620), "bands": one_hash.BANDS, "nodata_edge": True, "cloud_cover": 0.3}
    path = write_scene(scene, folder)
    return {path.name: path}


def croatia() -> dict[str, Path]:
    return {path.name: path for path in sorted(data_path("s2_l2a_33TWL_croatia").glob("S2*"))}


@pytest.fixture(scope="module", params=["simulated", pytest.param("croatia", marks=pytest.mark.realdata)])
def sources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return croatia() if request.param == "croatia" else simulated(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def all_sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the simulated scene, and the real ones where they are: workers are started for all at once."""
    found = simulated(tmp_path_factory.mktemp("scenes"))
    try:
        return found | croatia()
    except pytest.skip.Exception:
        return found


@pytest.fixture(scope="module", params=list(one_hash.PIPELINES))
def expected(
    request: pytest.FixtureRequest, sources: dict[str, Path]
) -> tuple[Any, tuple[str, ...], dict[str, str]]:
    """Return pipeline, names, and the hashes of the whole tiles; all different."""
    op, names = one_hash.PIPELINES[request.param](sources)
    hashes = one_hash.whole(op, names, sources, Path())
    assert set(hashes) == set(sources)
    assert len(set(hashes.values())) == len(sources)
    return op, names, hashes


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """Start Ray once; the engine finds it initialised and leaves it running."""
    nextgen = pytest.importorskip("geotoolz.nextgen")
    before = os.environ.get("RAY_ENABLE_UV_RUN_RUNTIME_ENV")
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    engine = nextgen.RayEngine(2)
    engine.start(len)
    yield
    engine.stop()
    if before is None:
        os.environ.pop("RAY_ENABLE_UV_RUN_RUNTIME_ENV", None)
    else:
        os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = before


@pytest.mark.slow
@pytest.mark.parametrize("driver", LOCAL)
def test_one_hash(driver: str, expected: Any, sources: dict[str, Path], tmp_path: Path) -> None:
    op, names, hashes = expected
    assert one_hash.DRIVERS[driver](op, names, sources, tmp_path) == hashes


def with_workers(driver: str, pipeline: str, sources: dict[str, Path], folder: Path) -> None:
    op, names = one_hash.PIPELINES[pipeline](sources)
    wanted = one_hash.whole(op, names, sources, folder)
    assert one_hash.DRIVERS[driver](op, names, sources, folder) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", one_hash.PIPELINES)
def test_one_hash_in_a_process_pool(pipeline: str, all_sources: dict[str, Path], tmp_path: Path) -> None:
    with_workers("process", pipeline, all_sources, tmp_path)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("pipeline", one_hash.PIPELINES)
def test_one_hash_on_ray(pipeline: str, one_ray: None, all_sources: dict[str, Path], tmp_path: Path) -> None:
    with_workers("ray", pipeline, all_sources, tmp_path)


@pytest.mark.slow
def test_a_graph_with_several_outputs_has_one_hash_per_output(sources: dict[str, Path]) -> None:
    """In memory and lazily; drivers that write files take one output at a time."""
    scene = gz.Input("scene")
    index = NDVI()(MaskClouds()(scene))
    graph = gz.Graph(
        {"scene": scene}, outputs={"index": index, "smooth": BoxMean(4, bands=("ndvi",))(index), "raw": scene}
    )
    for source in sources.values():
        forget_notices()
        tile = open_tile(source, bands=one_hash.BANDS)
        found = [
            {name: pixel_hash(ds) for name, ds in result.items()}
            for result in (
                graph(tile),
                run(graph, tile, window=(113, 97), threads=2),
                graph(tile.chunk({"y": 200, "x": 333})),
            )
        ]
        assert found[0] == found[1] == found[2]
        assert len(set(found[0].values())) == 3
