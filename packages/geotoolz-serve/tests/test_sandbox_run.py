"""Pipelines that users send: run in a process of their own, ended at a limit, cached, counted."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import geotoolz as gz
from geotoolz.core import from_config, load
from geotoolz.io import WriteCOG, open_tile

NDVI = "_target_: geotoolz.indices.NDVI\n"
#: works for minutes, in a kernel that no signal of Python reaches
ENDLESS = """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.radiometry.RenameBands
  names: {red: vv}
- _target_: geotoolz.radiometry.AssignAttrs
  variables: {vv: {quantity: backscatter}}
- _target_: geotoolz.sar.Frost
  window: 701
  bands: [vv]
"""


@pytest.fixture(scope="module")
def server(serving: Any, catalog: Path, archive: Path) -> Iterator[Any]:
    settings = {
        "catalogs": {"s2": catalog},
        "layers": [{"name": "scene", "source": str(next(archive.iterdir())), "bands": ["nir"]}],
        "sandbox": {"wall_s": 4, "cpu_s": 30, "rate_per_minute": 1000, "memory_mb": 1024},
    }
    with serving(settings) as one:
        _until_warm(one)
        yield one


@pytest.fixture(scope="module")
def scene(catalog: Path) -> Any:
    return next(iter(gz.GeoCatalog.open(catalog)))


def _until_warm(server: Any) -> None:
    for _ in range(1200):
        if len(server.state.sandbox._idle) == 2:
            return
        time.sleep(0.05)
    raise AssertionError("the sandbox did not start")


def _lives(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _gone(pids: set[int]) -> int:
    """Return how many processes have ended; the kernel takes a moment to let go of one."""
    for _ in range(200):
        if not all(map(_lives, pids)):
            break
        time.sleep(0.05)
    return sum(not _lives(pid) for pid in pids)


def _body(scene: Any, **other: Any) -> dict[str, Any]:
    return {"yaml": NDVI, "source": {"catalog": "s2", "item": scene.tile_id}, **other}


class TestRuns:
    def test_the_pixels_are_those_of_the_pipeline(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/sandbox/run", json=_body(scene, format="npz"))
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-config-hash"] == load(NDVI).config_hash()
        with np.load(io.BytesIO(answer.content)) as found:
            expected = load(NDVI)(open_tile(scene.sources[0])).ndvi
            assert np.array_equal(found["ndvi"], expected, equal_nan=True)

    def test_a_picture_of_a_view_has_the_size_of_the_view(self, server: Any) -> None:
        west, south, east, north = server.state.registry.layers["scene"].bounds
        body = {"yaml": NDVI, "layer": "scene", "bbox": [west, south, east, north], "size": [120, 90]}
        answer = server.client.post("/sandbox/run", json=body)
        assert answer.headers["content-type"] == "image/png"
        assert [int.from_bytes(answer.content[i : i + 4], "big") for i in (16, 20)] == [120, 90]
        assert [float(v) for v in answer.headers["x-bounds"].split(",")] == pytest.approx(
            [west, south, east, north]
        )

    def test_statistics_of_a_view(self, server: Any) -> None:
        answer = server.client.post("/sandbox/run", json={"yaml": NDVI, "layer": "scene", "format": "json"})
        found = answer.json()
        assert found["config_hash"] == load(NDVI).config_hash()
        assert set(found["inputs"]) == {"red", "nir"}
        assert found["variables"]["ndvi"]["count"] == 300 * 280

    def test_a_cog_opens_again(self, server: Any, scene: Any, tmp_path: Path) -> None:
        answer = server.client.post("/sandbox/run", json=_body(scene, format="cog"))
        path = tmp_path / "ndvi.tif"
        path.write_bytes(answer.content)
        assert list(open_tile(path)) == ["ndvi"]

    def test_an_uploaded_file(self, server: Any, scene: Any, tmp_path: Path) -> None:
        paths = WriteCOG(str(tmp_path / "in.tif")).write(open_tile(scene.sources[0], bands=["red", "nir"]))
        with Path(paths[0]).open("rb") as file:
            options = json.dumps({"yaml": NDVI, "format": "json"})
            answer = server.client.post("/sandbox/run", files={"file": file}, data={"options": options})
        assert answer.status_code == 200, answer.text

    def test_the_same_request_is_answered_from_the_cache(self, server: Any) -> None:
        body = {"yaml": NDVI, "layer": "scene", "format": "npz"}
        first = server.client.post("/sandbox/run", json=body)
        runs = _runs(server)
        again = server.client.post("/sandbox/run", json=body)
        assert again.content == first.content
        assert again.headers["x-config-hash"] == first.headers["x-config-hash"]
        assert _runs(server) == runs
        server.client.post("/sandbox/run", json={**body, "yaml": NDVI + "name: green\n"})
        assert _runs(server) == runs + 1

    def test_check_runs_nothing(self, server: Any) -> None:
        answer = server.client.post("/sandbox/check", json={"yaml": NDVI})
        whole = {
            "yaml": NDVI,
            "layer": "scene",
            "bbox": [15.0, 45.0, 15.1, 45.1],
            "size": 64,
            "format": "png",
        }
        assert server.client.post("/sandbox/check", json=whole).json() == answer.json()
        lacking = {**whole, "yaml": "_target_: geotoolz.indices.NBR\n"}  # the scene has no swir22
        refused = server.client.post("/sandbox/check", json=lacking)
        assert refused.status_code == 422 and "swir22" in refused.json()["error"]["message"]
        assert server.client.post("/sandbox/check", json={"yaml": lacking["yaml"]}).status_code == 200
        assert server.client.post("/sandbox/check", json={**whole, "layer": "none"}).status_code == 404
        assert answer.json() == {"ok": True, "config_hash": load(NDVI).config_hash(), "steps": ["NDVI"]}

    def test_a_picture_spans_the_percentiles_of_its_view_and_says_so(self, server: Any) -> None:
        body = {"yaml": NDVI, "layer": "scene"}
        answer = server.client.post("/sandbox/run", json=body)
        low, high = map(float, answer.headers["x-rescale"].split(","))
        values = np.load(
            io.BytesIO(server.client.post("/sandbox/run", json={**body, "format": "npz"}).content)
        )
        assert (low, high) == pytest.approx(np.nanpercentile(values["ndvi"], (2, 98)))
        told = server.client.post("/sandbox/run", json={**body, "rescale": [low, high], "format": "json"})
        legend = told.json()["legend"]
        assert (legend["vmin"], legend["vmax"], len(legend["colors"])) == (low, high, 256)
        same = server.client.post("/sandbox/run", json={**body, "rescale": [low, high]})
        assert same.content == answer.content
        wide = server.client.post("/sandbox/run", json={**body, "rescale": [-1, 1]})
        assert wide.content != answer.content and wide.headers["x-rescale"] == "-1.0,1.0"
        classes = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["scl"]}
        scl = server.client.post("/sandbox/run", json={**body, "yaml": json.dumps(classes)})
        assert scl.status_code == 200 and "x-rescale" not in scl.headers

    def test_a_mistake_is_told_with_its_line(self, server: Any, scene: Any) -> None:
        text = (
            "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.indices.NDVI\n  rde: red\n"
        )
        answer = server.client.post("/sandbox/run", json=_body(scene, yaml=text))
        assert answer.status_code == 422
        assert "rde" in answer.json()["error"]["message"]
        assert "line" in answer.json()["error"]["message"]


def _runs(server: Any) -> int:
    lines = server.client.get("/metrics").text.splitlines()
    return sum(
        int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("geotoolz_sandbox_runs_total{")
    )


class TestLimits:
    def test_row_03_an_endless_pipeline_is_ended_at_the_deadline(self, server: Any) -> None:
        _until_warm(server)
        before = set(server.state.sandbox.pids)
        body = {"yaml": ENDLESS, "layer": "scene", "format": "json"}
        answer = server.client.post("/sandbox/run", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "limit_exceeded"
        assert _gone(before) == 1, "the process that ran it lives on, or others died with it"
        # the spare takes over at once
        assert server.client.post("/sandbox/check", json={"yaml": NDVI}).status_code == 200
        assert server.client.get("/layers/scene/preview.png", params={"size": 64}).status_code == 200

    def test_row_03_more_memory_and_more_processor_time_than_allowed(
        self, serving: Any, archive: Path
    ) -> None:
        settings = {
            "layers": [{"name": "scene", "source": str(next(archive.iterdir())), "bands": ["nir"]}],
            "sandbox": {"memory_mb": 64, "cpu_s": 1, "wall_s": 60, "max_pixels": 2**24},
        }
        enlarge = "_target_: geotoolz.grid.Resample\nresolution: 1.0\n"
        with serving(settings) as server:
            for text in (enlarge, ENDLESS):
                body = {"yaml": text, "layer": "scene", "format": "json"}
                answer = server.client.post("/sandbox/run", json=body)
                assert answer.status_code == 422, answer.text
                assert answer.json()["error"]["code"] == "limit_exceeded"
            assert 'outcome="ended"' in server.client.get("/metrics").text

    def test_row_03_a_pipeline_that_grows_is_refused_before_it_runs(self, server: Any) -> None:
        enlarge = "_target_: geotoolz.grid.Resample\nresolution: 0.5\n"
        answer = server.client.post(
            "/sandbox/run", json={"yaml": enlarge, "layer": "scene", "format": "json"}
        )
        assert answer.status_code == 413

    def test_row_03_too_many_steps(self, server: Any) -> None:
        steps = "".join("- _target_: geotoolz.indices.NDVI\n" for _ in range(60))
        text = f"_target_: geotoolz.core.Sequential\noperators:\n{steps}"
        answer = server.client.post("/sandbox/check", json={"yaml": text})
        assert answer.status_code == 422
        assert "at most 50" in answer.json()["error"]["message"]

    def test_a_process_is_used_again_and_knows_no_secret(self, server: Any) -> None:
        _until_warm(server)
        pids = set(server.state.sandbox.pids)
        for _ in range(3):
            assert server.client.post("/sandbox/check", json={"yaml": NDVI}).status_code == 200
        assert set(server.state.sandbox.pids) == pids
        for pid in pids:
            names = {one.partition(b"=")[0] for one in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
            assert (
                b"PYTEST_CURRENT_TEST" in {k.encode() for k in os.environ}
                and b"PYTEST_CURRENT_TEST" not in names
            )

    def test_a_client_that_asks_too_often_and_an_end_that_leaves_no_process(self, serving: Any) -> None:
        with serving({"sandbox": {"rate_per_minute": 2}}) as server:
            found = [server.client.post("/sandbox/check", json={"yaml": NDVI}) for _ in range(4)]
            assert [one.status_code for one in found] == [200, 200, 429, 429]
            assert int(found[-1].headers["retry-after"]) > 0
            pids = server.state.sandbox.pids
            assert pids
        assert not any(map(_lives, pids))

    def test_a_server_without_a_sandbox(self, serving: Any) -> None:
        with serving({"sandbox": {"enabled": False}}) as server:
            assert server.client.post("/sandbox/check", json={"yaml": NDVI}).status_code == 404


def test_config_of_the_page_is_the_config_of_the_batch() -> None:
    assert from_config({"_target_": "geotoolz.indices.NDVI"}).config_hash() == load(NDVI).config_hash()
