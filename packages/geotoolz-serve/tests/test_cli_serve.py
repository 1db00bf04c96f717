"""``geotoolz serve`` in real processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import httpx
import pytest

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
CONFIG = """\
title: Maps
pipelines:
- name: red
  config: {_target_: geotoolz.radiometry.SelectBands, names: [red]}
sandbox: {enabled: false}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "serve.yaml"
    path.write_text(CONFIG)
    return path


def _geotoolz(*args: str) -> subprocess.CompletedProcess[str]:
    command = [SCRIPT, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_check_says_what_is_offered_and_leaves(config: Path) -> None:
    done = _geotoolz("serve", "run", str(config), "--check")
    assert done.returncode == 0, done.stderr
    assert "red" in done.stdout
    assert re.search(r"red +[0-9a-f]{64}", done.stdout)
    assert "not needed: anybody may ask" in done.stdout


def test_a_mistake_is_told_without_a_traceback(config: Path) -> None:
    config.write_text(CONFIG.replace("names:", "nmaes:"))
    done = _geotoolz("serve", "run", str(config), "--check")
    assert done.returncode == 2
    assert "pipeline 'red'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_no_web_framework() -> None:
    code = (
        "import sys\nfrom geotoolz._cli._app import main\n"
        "try:\n    main(['serve', 'run', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('fastapi', 'uvicorn', 'numpy', 'rasterio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr
    assert "CONFIG" in done.stdout


def test_a_server_drains_and_ends_when_it_is_told_to(config: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [SCRIPT, "serve", "run", str(config), "--port", str(port), "--drain", "60"]
    environment = {**os.environ, "GEOTOOLZ_SERVE_TITLE": "Others"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
            _until(client, 200)
            assert client.get("/openapi.json").json()["info"]["title"] == "Others"
            process.send_signal(signal.SIGTERM)
            _until(client, 503)
            assert client.get("/pipelines").status_code == 200, (
                "it is still there for those who have its address"
            )
            process.send_signal(signal.SIGTERM)
        told, logged = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert told == f"{url}/workbench/, until Ctrl-C\n"
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {"GET"} == {line["method"] for line in lines if "method" in line}
    assert any(line.get("route") == "/pipelines" and line["status"] == 200 for line in lines)


def _until(client: httpx.Client, status: int) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            if client.get("/readyz").status_code == status:
                return
        time.sleep(0.1)
    raise AssertionError(f"/readyz never answered {status}")
