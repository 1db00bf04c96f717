"""``geotoolz demo --serve``: a real process, from the first scene to the map and to Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sysconfig
import time
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
pytestmark = pytest.mark.skipif(
    find_spec("geotoolz.cloud") is None or find_spec("geotoolz.indices") is None,
    reason="the demo's operators come with geotoolz-cloud and geotoolz-indices",
)
DEMO = [SCRIPT, "demo", "--engine", "inline", "--size", "96", "--serve"]


def answered(url: str, process: subprocess.Popen[str]) -> httpx.Response:
    """Return the page's answer as soon as there is one."""
    for _ in range(600):
        try:
            return httpx.get(url, trust_env=False, follow_redirects=True)
        except httpx.TransportError:
            assert process.poll() is None, "the server has ended"
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


def test_the_demo_ends_on_a_map_of_its_results(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--port", "0"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = next(line for line in process.stdout if "until Ctrl-C" in line)
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
            assert found is not None
            url = found[0]
            page = answered(url, process)
            assert page.url.path == "/workbench/"
            assert page.headers["content-type"].startswith("text/html")
            layers = {one["name"]: one for one in httpx.get(f"{url}layers", trust_env=False).json()["layers"]}
            assert list(layers) == ["ndvi", "computed", "scenes"]
            assert len(layers["ndvi"]["times"]) == len(layers["scenes"]["times"]) == 11  # one scene is broken
            assert layers["computed"]["steps"] == ["MaskClouds", "NDVI"]
            west, south, east, north = layers["ndvi"]["bounds"]
            where = {"lon": (west + east) / 2, "lat": (south + north) / 2, "time": layers["ndvi"]["times"][0]}
            written, computed = (
                httpx.get(f"{url}layers/{name}/point", params=where, trust_env=False).json()["steps"][-1][
                    "values"
                ]
                for name in ("ndvi", "computed")
            )
            assert written["ndvi"]["value"] == pytest.approx(computed["ndvi"]["value"], abs=1e-6)
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert "Traceback" not in errors


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*DEMO, "--port", str(port)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 2
    assert f"port {port} cannot be used" in done.stderr
    assert "--port 0" in done.stderr
