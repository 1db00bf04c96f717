# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-serve", "geotoolz-indices", "geotoolz-cloud"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# geotoolz-serve = { path = "../packages/geotoolz-serve", editable = true }
# ///
"""How long a stranger can keep a server busy: the rows of the safety table that are times.

Claims: a YAML bomb is refused in less than 100 ms (row 2); an endless pipeline gets its error at the
deadline, its process is gone, and the next tile comes in less than a second (row 3); an absurd area or size
is refused in less than 50 ms (row 7); 200 requests at 64 at a time are answered with 200 or 503, memory
stays bounded, and afterwards a request is answered as before (row 11).

The server runs in a process of its own; times are those of a client over loopback, medians of repetitions.
Exits 1 where a claim does not hold.

Run: uv run benchmarks/serve_safety.py
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEADLINE = 3.0
NDVI = "_target_: geotoolz.indices.NDVI\n"
BOMBS = {
    "aliases": "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
    "merge keys": "".join(
        f"{c}: &{c} {{<<: [*{p}, *{p}]}}\n" for p, c in zip("abcdef", "bcdefg", strict=True)
    ),
    "open brackets": "[" * 50_000,
    "closed brackets": "[" * 30_000 + "]" * 30_000,
    "many nodes": "[" + "1," * 30_000 + "1]",
    "long scalar": "_target_: " + "x" * 60_000,
    "too long": "# " + "x" * 70_000,
    "key twice": NDVI + "name: a\nname: b\n",
    "long number": "_target_: geotoolz.radiometry.BoxMean\nradius: " + "9" * 60_000,
    "many keys": "".join(f"k{n}: {n}\n" for n in range(6_000)),
    "deep pipeline": '{"_target_": "geotoolz.core.Sequential", "operators": [' * 500 + "]}" * 500,
    "tag": "!!python/object/apply:os.system [id]",
}
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
ABSURD = [
    "/layers/scene/bbox.png?bbox=-1e308,-1e308,1e308,1e308",
    "/layers/scene/bbox.png?bbox=0,0,0,0",
    "/layers/scene/bbox.png?bbox=nan,nan,nan,nan",
    "/layers/scene/bbox.png?bbox=-180,-85,180,85&size=1000000",
    "/layers/scene/bbox.tif?bbox=1e-300,1e-300,2e-300,2e-300&size=99999999999",
    "/layers/scene/preview.png?size=7000",
    "/layers/scene/preview.tif?size=-1",
    "/layers/scene/statistics?bbox=0,0,400,1",
    "/tiles/scene/31/0/0.png",
    "/tiles/scene/30/99999999999/0.png",
]
SERVER = """
import sys, uvicorn
from geotoolz.serve import create_app
app = create_app(sys.argv[1])
options = {"log_level": "warning", "access_log": False, "timeout_keep_alive": 120}
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), **options)
"""


class Client:
    """Asks a server over one connection per thread."""

    def __init__(self, port: int) -> None:
        self.port, self._local = port, threading.local()

    def ask(self, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body."""
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection = self._local.connection
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Client, int, Path]]:
    """Run a server with a layer of a simulated scene; yield a client, its process and the settings."""
    from geotoolz.core.testing import simulate_scene
    from geotoolz.io import WriteCOG

    scene = simulate_scene((2048, 2048), bands=("green", "red", "nir"), raw=False)
    WriteCOG(str(folder / "scene.tif")).write(scene)
    layer = {"name": "scene", "source": str(folder / "scene.tif"), "bands": ["nir"], "rescale": [0.0, 0.5]}
    sandbox = {"wall_s": DEADLINE, "cpu_s": 60, "rate_per_minute": 1_000_000}
    config = folder / "serve.json"
    config.write_text(json.dumps({"layers": [layer], "sandbox": sandbox, "tile_cache_mb": 0}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(config), str(port)])
    client = Client(port)
    try:
        until(lambda: answers(client), 120)
        yield client, process.pid, config
    finally:
        process.terminate()
        process.wait(30)


def answers(client: Client) -> bool:
    """Whether the server and its sandbox are up."""
    try:
        return client.ask("/sandbox/check", {"yaml": NDVI})[0] == 200
    except OSError:
        del client._local.connection
        return False


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition; return the seconds that it took."""
    begin = time.perf_counter()
    while not condition():
        if time.perf_counter() - begin > seconds:
            raise SystemExit("waited in vain")
        time.sleep(0.005)
    return time.perf_counter() - begin


def timed(work: Callable[[], tuple[int, bytes]], allowed: set[int], times: int = 7) -> float:
    """Return the median milliseconds of a request."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        status, body = work()
        found.append((time.perf_counter() - begin) * 1000)
        if status not in allowed:
            raise SystemExit(f"answered {status}: {body[:300]!r}")
    return statistics.median(found)


def children(pid: int) -> set[int]:
    """Return the processes that a process has started."""
    return {
        int(one) for task in Path(f"/proc/{pid}/task").glob("*/children") for one in task.read_text().split()
    }


def resident(pid: int) -> float:
    """Return the most memory that was resident, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def a_tile(client: Client) -> str:
    """Return the address of a tile in the middle of the layer, without its ending."""
    import math

    west, south, east, north = json.loads(client.ask("/layers")[1])["layers"][0]["bounds"]
    z, lon, lat = 13, (west + east) / 2, math.radians((south + north) / 2)
    x = int((lon + 180) / 360 * 2**z)
    y = int((1 - math.asinh(math.tan(lat)) / math.pi) / 2 * 2**z)
    return f"/tiles/scene/{z}/{x}/{y}"


def endless(client: Client, pid: int) -> list[tuple[str, float, float]]:
    """Run an endless pipeline; return what came after its deadline."""
    tile = a_tile(client)
    for kind in ("png", "webp", "jpg"):  # what only the first of a kind costs
        client.ask(f"{tile}.{kind}")
    before = children(pid)

    def run() -> tuple[float, int, bytes]:
        begin = time.perf_counter()
        status, body = client.ask("/sandbox/run", {"yaml": ENDLESS, "layer": "scene", "format": "json"})
        return time.perf_counter() - begin, status, body

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        time.sleep(DEADLINE / 2)
        beside = timed(lambda: client.ask(f"{tile}@2x.webp"), {200}, 1)
        taken, status, body = running.result()
    late = taken - DEADLINE
    if status != 422 or json.loads(body)["error"]["code"] != "limit_exceeded":
        raise SystemExit(f"answered {status}: {body[:300]!r}")
    next_tile = timed(lambda: client.ask(f"{tile}@2x.png"), {200}, 1)
    gone = until(lambda: bool(before - children(pid)), 10)
    next_run = timed(lambda: client.ask("/sandbox/check", {"yaml": NDVI}), {200}, 1)
    return [
        ("row 3: the error after the deadline", late * 1000, 1000),
        ("row 3: a tile while it runs", beside, 1000),
        ("row 3: the next tile", next_tile, 1000),
        ("row 3: until the process is gone", gone * 1000, 1000),
        ("row 3: the next check of a pipeline", next_run, 1000),
    ]


def crowd(client: Client, pid: int) -> list[tuple[str, float, float]]:
    """Send 200 requests at 64 at a time; return peak memory and what a request takes afterwards."""
    paths = [f"/layers/scene/preview.png?size={300 + n}" for n in range(200)]
    with ThreadPoolExecutor(64) as pool:
        found = Counter(status for status, _ in pool.map(client.ask, paths))
    print(f"row 11: answers by status {dict(found)}")
    if not set(found) <= {200, 503} or not found[200]:
        raise SystemExit("answered otherwise than 200 and 503")
    tile = a_tile(client)
    after = timed(lambda: client.ask(f"{tile}.webp"), {200}, 3)
    return [("row 11: peak memory, MiB", resident(pid), 800), ("row 11: a tile afterwards", after, 1000)]


def main() -> int:
    """Measure and compare with what is claimed."""
    os.environ.setdefault("GEOTOOLZ_THREADS", "1")
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as (client, pid, _):
        lines = []
        for bomb, text in BOMBS.items():
            taken = timed(lambda text=text: client.ask("/sandbox/check", {"yaml": text}), {422})
            lines.append((f"row 2: {bomb}, refused", taken, 100))
        for path in ABSURD:
            taken = timed(lambda path=path: client.ask(path), {400, 404, 413, 422})
            lines.append((f"row 7: {path[:52]}", taken, 50))
        lines += endless(client, pid)
        lines += crowd(client, pid)
    for text, value, most in lines:
        print(f"{text:66} {value:8.1f}  (less than {most:g}){'' if value < most else '   MISSED'}")
    return int(any(value >= most for _, value, most in lines))


if __name__ == "__main__":
    sys.exit(main())
