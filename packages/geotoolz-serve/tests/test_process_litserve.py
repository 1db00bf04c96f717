"""The LitServe adapter, in a real LitServe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
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
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "serve.md"
KEY = "a-secret-of-the-tests"
HEADERS = {"X-API-Key": KEY}


def _guide() -> str:
    """Return the guide's block that starts LitServe: what is tested is what people copy."""
    if not GUIDE.exists():
        pytest.skip("the guide is not here: this is not the repository")
    found = [one.partition("```")[0] for one in GUIDE.read_text().split("```python\n")[1:]]
    (block,) = [one for one in found if "PipelineAPI" in one]
    return block


@pytest.fixture(scope="module")
def address(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("litserve", reason="litserve is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = tmp_path_factory.mktemp("litserve") / "server.py"
    settings = {
        "pipelines": [{"name": "ndvi", "config": NDVI}],
        "catalogs": {"s2": str(catalog)},
        "api_keys": [KEY],
    }
    script.with_name("serve.yaml").write_text(json.dumps(settings))
    block = _guide()
    assert "port=8001" in block
    script.write_text(block.replace("port=8001", f"port={port}"))
    log = script.with_suffix(".log").open("wb")
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=log, stderr=log, start_new_session=True, cwd=script.parent
    )
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
                lambda b: httpx.post(
                    f"{address}/process/ndvi", json=b, headers=HEADERS, timeout=60, trust_env=False
                ),
                asked,
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
    assert len(answers[1].json()["error"]["request_id"]) == 32


def test_the_keys_of_the_settings_are_asked_for(address: str) -> None:
    url, body = f"{address}/process/ndvi", {"source": {"catalog": "s2", "item": "none"}}
    for headers in ({}, {"X-API-Key": "another-secret"}, {"Authorization": "Bearer nothing"}):
        answer = httpx.post(url, json=body, headers=headers, trust_env=False)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["detail"]["code"] == "unauthorized"
    assert httpx.get(f"{address}/info", trust_env=False).status_code == 401
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert httpx.post(url, json=body, headers=bearer, timeout=60, trust_env=False).status_code == 404


def test_a_body_that_is_no_json(address: str) -> None:
    answer = httpx.post(f"{address}/process/ndvi", content=b"{rubbish", headers=HEADERS, trust_env=False)
    assert answer.status_code == 422
    assert answer.json()["detail"]["message"] == "the body is no JSON"


def test_the_hook_of_the_settings_is_asked_too(monkeypatch: pytest.MonkeyPatch, waited: Any) -> None:
    pytest.importorskip("litserve", reason="litserve is not installed")
    from fastapi import HTTPException, Request

    from geotoolz.serve import PipelineAPI

    hook = types.SimpleNamespace(who=lambda headers, path: headers.get("x-team"))
    monkeypatch.setitem(sys.modules, "gtz_hook_of_tests", hook)
    pipelines = [{"name": "ndvi", "config": NDVI}]
    api = PipelineAPI({"pipelines": pipelines, "auth_hook": "gtz_hook_of_tests:who"})

    def asked(path: str, **headers: str) -> None:
        lines = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
        scope = {"type": "http", "method": "GET", "path": path, "headers": lines, "query_string": b"",
                 "server": ("127.0.0.1", 80), "scheme": "http"}  # fmt: skip
        waited(api.authorize(Request(scope)))

    asked("/info", x_team="maps")
    asked("/health")
    with pytest.raises(HTTPException) as refused:
        asked("/info")
    assert refused.value.status_code == 401


def test_a_pipeline_that_is_not_in_the_settings() -> None:
    pytest.importorskip("litserve", reason="litserve is not installed")
    from geotoolz.serve import PipelineAPI

    with pytest.raises(gz.core.GeotoolzError, match="one of: ndvi"):
        PipelineAPI({"pipelines": [{"name": "ndvi", "config": NDVI}]}, "evi")
