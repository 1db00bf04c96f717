"""The LitServe adapter, in a real LitServe."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import geotoolz as gz
from geotoolz.core import from_config, pixel_hash
from geotoolz.io import open_tile

NDVI = {"_target_": "geotoolz.indices.NDVI"}
SCRIPT = """
import sys
import litserve
from geotoolz.serve import PipelineAPI

if __name__ == "__main__":
    settings = {{"pipelines": [{{"name": "ndvi", "config": {{"_target_": "geotoolz.indices.NDVI"}}}}],
                 "catalogs": {{"s2": {catalog!r}}}}}
    api = PipelineAPI(settings, max_batch_size=4, batch_timeout=0.5)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port={port}, generate_client_file=False, num_api_servers=1)
"""


@pytest.fixture(scope="module")
def address(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("litserve", reason="litserve is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = tmp_path_factory.mktemp("litserve") / "server.py"
    script.write_text(SCRIPT.format(catalog=str(catalog), port=port))
    log = script.with_suffix(".log").open("wb")
    process = subprocess.Popen([sys.executable, str(script)], stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                    break
            assert process.poll() is None, script.with_suffix(".log").read_text()
            time.sleep(0.1)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # LitServe's workers outlive it otherwise
        process.wait(20)
        log.close()


def test_a_bad_request_of_a_batch_fails_alone(address: str, catalog: Path, tmp_path: Path) -> None:
    scene = next(iter(gz.GeoCatalog.open(catalog)))
    good = {"source": {"catalog": "s2", "item": scene.tile_id}}
    asked: list[dict[str, Any]] = [
        good,
        {"source": {"catalog": "s2", "item": "none"}},
        {"source": {"url": "/etc/passwd"}},
        {**good, "format": "json"},
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda b: httpx.post(f"{address}/process/ndvi", json=b, timeout=60, trust_env=False), asked
            )
        )
    assert [one.status_code for one in answers] == [200, 404, 403, 200]
    expected = from_config(NDVI)(open_tile(scene.sources[0]))
    assert answers[0].headers["x-config-hash"] == from_config(NDVI).config_hash()
    path = tmp_path / "ndvi.tif"
    path.write_bytes(answers[0].content)
    assert pixel_hash(open_tile(path), ["ndvi"]) == pixel_hash(expected, ["ndvi"])
    assert answers[3].json()["variables"]["ndvi"]["count"] == expected.ndvi.size
    assert answers[1].json()["error"]["code"] == "not_found"


def test_a_pipeline_that_is_not_in_the_settings() -> None:
    pytest.importorskip("litserve", reason="litserve is not installed")
    from geotoolz.serve import PipelineAPI

    with pytest.raises(gz.core.GeotoolzError, match="one of: ndvi"):
        PipelineAPI({"pipelines": [{"name": "ndvi", "config": NDVI}]}, "evi")
