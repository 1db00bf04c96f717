# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-serve", "geotoolz-indices", "pillow", "httptools", "uvloop"]
# ///
"""What a map tile costs: NDVI of a 10980 x 10980 COG with four bands, coloured, as PNG over HTTP.

Claims: CPU time per tile at most 1/6 of titiler's for a map that is panned and 1/3 for random tiles;
throughput at 32 concurrent requests 5 and 3 times titiler's; the slowest hundredth of them below 500 ms; no
more resident memory than titiler; a 304 takes a millisecond at most; nearest tiles differ from a
transformation of every pixel in less than one pixel of a thousand.

titiler needs an environment of its own::

    uv venv /tmp/titiler && uv pip install --python /tmp/titiler/bin/python titiler.core 'uvicorn[standard]'
    python benchmarks/serve_tiles.py --titiler /tmp/titiler/bin/python

CPU time and memory are those of the servers' processes, from ``/proc``. Both servers run while either is
asked. Every answer must be a 200; pictures from inside the scene must not be constant, and ours must look
like titiler's; no tile is asked for twice. Exits 1 where a claim does not hold. Without ``--titiler`` there
are no ratios.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import io
import json
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tile_scene import make_cog

EDGE = 20037508.342789244
LIMITS = (-0.2, 0.9)
Tile = tuple[int, int, int]
Found = dict[str, dict[str, dict[str, float]]]

OURS = """
import sys, uvicorn
from geotoolz.serve import create_app
app = create_app(sys.argv[1])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""
TITILER = """
import sys, uvicorn
from fastapi import FastAPI
from titiler.core.factory import TilerFactory
app = FastAPI()
app.include_router(TilerFactory().router)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""
RIO_TILER = """
import json, sys, time
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader
path, tiles = sys.argv[1], json.loads(sys.stdin.read())
colours = cmap.get("rdylgn")
def draw(z, x, y):
    with Reader(path) as source:
        image = source.tile(x, y, z, expression="(b4-b3)/(b4+b3)")
    image.rescale(in_range=((-0.2, 0.9),))
    return image.render(img_format="PNG", colormap=colours)
draw(*tiles[0])
begin = time.process_time()
for tile in tiles[1:]:
    draw(*tile)
print(json.dumps((time.process_time() - begin) / (len(tiles) - 1)))
"""
# what titiler's documentation recommends
GDAL = {
    "GDAL_CACHEMAX": "200",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "5000000",
}


# ---- servers -----------------------------------------------------------------------------------------------


@dataclass
class Served:
    """A server that runs."""

    name: str
    pid: int
    port: int
    path: Callable[[Tile], str]

    def cpu(self) -> float:
        """Return the CPU seconds of the process and its children so far."""
        total = 0.0
        for pid in family(self.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def peak(self) -> float:
        """Return the most memory that was resident, in MiB."""
        total = 0
        for pid in family(self.pid):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return total / 1024


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for one in found:
        for tasks in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, tasks.read_text().split())
    return found


@contextmanager
def serving(
    name: str, python: str, code: str, argument: str, path: Callable[[Tile], str], env: dict[str, str]
) -> Iterator[Served]:
    """Run a server until the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([python, "-c", code, argument, str(port)], env={**os.environ, **env})
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{name} did not start") from None
                time.sleep(0.1)
        yield Served(name, process.pid, port, path)
    finally:
        process.terminate()
        process.wait(20)


def fetch(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes, str]:
    """Return status, body and ETag."""
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers.get("etag", "")


# ---- what is asked -----------------------------------------------------------------------------------------


def inside(size: int, z: int) -> list[Tile]:
    """Return the tiles of a zoom level that lie inside the scene, as it would be panned: row by row."""
    from pyproj import Transformer

    there = Transformer.from_crs(32633, 3857, always_xy=True)
    margin, far = 600.0, size * 10 - 600.0
    edge = np.linspace(margin, far, 21)
    xs = np.concatenate([edge, edge, np.full(21, margin), np.full(21, far)]) + 499980
    ys = 5100000 - np.concatenate([np.full(21, margin), np.full(21, far), edge, edge])
    x, y = there.transform(xs, ys)
    # the largest square of tiles within the outline
    left, right = max(x[42:63]), min(x[63:])
    top, bottom = min(y[:21]), max(y[21:42])
    side = 2 * EDGE / 2**z
    columns = range(math.ceil((left + EDGE) / side), math.floor((right + EDGE) / side))
    rows = range(math.ceil((EDGE - top) / side), math.floor((EDGE - bottom) / side))
    return [(z, column, row) for row in rows for column in columns]


def pans(size: int, z: int, count: int) -> list[Tile]:
    """Return tiles as a map asks for them that is dragged: three rows of tiles, column by column."""
    tiles = inside(size, z)
    rows = sorted({tile[2] for tile in tiles})
    ordered = [
        tile
        for start in range(0, len(rows), 3)
        for tile in sorted(tiles, key=lambda t: (t[1], t[2]))
        if tile[2] in rows[start : start + 3]
    ]
    return ordered[:count]


def at_random(size: int, z: int, count: int, but: set[Tile]) -> list[Tile]:
    """Return tiles all over the scene and its zoom levels, none of which is asked elsewhere."""
    every = [tile for level in range(z - 3, z + 2) for tile in inside(size, level) if tile not in but]
    return random.Random(1).sample(every, min(count, len(every)))


def ask(server: Served, tiles: list[Tile], threads: int) -> tuple[list[bytes], list[float], float]:
    """Fetch tiles over some connections; return pictures, the seconds that each took, and those of all."""
    local = threading.local()

    def one(tile: Tile) -> tuple[bytes, float]:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        begin = time.perf_counter()
        status, body, _ = fetch(local.connection, server.path(tile))
        if status != 200:
            raise SystemExit(f"{server.name} answered {status} to {server.path(tile)}: {body[:300]!r}")
        return body, time.perf_counter() - begin

    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(one, tiles))
    return [body for body, _ in found], [seconds for _, seconds in found], time.perf_counter() - begin


def pixels(body: bytes) -> np.ndarray[Any, Any]:
    """Return red, green, blue of a picture."""
    from PIL import Image

    with Image.open(io.BytesIO(body)) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.float64)


def refuse_fakes(server: Served, pictures: list[bytes]) -> None:
    """Stop for a picture that shows nothing."""
    for body in pictures:
        found = pixels(body)
        if found.shape != (256, 256, 3) or found.std() < 1:
            raise SystemExit(f"{server.name} sent a picture of {found.shape} that shows nothing")


def measured(
    server: Served, tiles: list[Tile], concurrent: list[Tile]
) -> tuple[dict[str, float], list[bytes]]:
    """Return CPU per tile, one after another; throughput and latency at 32 at a time."""
    begin = server.cpu()
    pictures, _, _ = ask(server, tiles, 2)
    cpu = (server.cpu() - begin) / len(tiles) * 1000
    more, latencies, seconds = ask(server, concurrent, 32)
    refuse_fakes(server, pictures + more)
    found = {
        "cpu_ms": cpu,
        "tiles_per_s": len(concurrent) / seconds,
        "p99_ms": float(np.percentile(latencies, 99)) * 1000,
    }
    return found, pictures


def not_modified(server: Served, tile: Tile, times: int) -> tuple[float, float]:
    """Return wall and CPU milliseconds of an answer without a picture."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    _, _, etag = fetch(connection, server.path(tile))
    begin, busy, walls = server.cpu(), [], []
    for _ in range(times):
        start = time.perf_counter()
        status, body, _ = fetch(connection, server.path(tile), {"If-None-Match": etag})
        walls.append(time.perf_counter() - start)
        busy.append(status)
        if status != 304 or body:
            raise SystemExit(f"{server.name} answered {status} where it should say 304")
    return float(np.median(walls)) * 1000, (server.cpu() - begin) / times * 1000


def not_exact(server: Served, cog: Path, tiles: list[Tile]) -> float:
    """Return the share of pixels whose NDVI is not that of the scene's pixel under their centre."""
    import rasterio
    from pyproj import Transformer

    back = Transformer.from_crs(3857, 32633, always_xy=True)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    other = []
    with rasterio.open(cog) as scene:
        red, nir = scene.read((3, 4)).astype(np.float64)
        inverse = ~scene.transform
    ndvi = (nir - red) / (nir + red)
    for z, x, y in tiles:
        status, body, _ = fetch(connection, our_path((z, x, y)).replace(".png", ".npy"))
        if status != 200:
            raise SystemExit(f"{server.name} answered {status}: {body[:300]!r}")
        drawn = np.load(io.BytesIO(body))
        centres = (np.arange(256) + 0.5) * (2 * EDGE / 256 / 2**z)
        mx, my = np.meshgrid(centres + x * 2 * EDGE / 2**z - EDGE, EDGE - y * 2 * EDGE / 2**z - centres)
        columns, rows = inverse * back.transform(mx, my)
        wanted = ndvi[np.floor(rows).astype(int), np.floor(columns).astype(int)]
        other.append(np.mean(~np.isclose(drawn[0], wanted, rtol=0, atol=1e-6)))
    return float(np.mean(other))


# ---- the run -----------------------------------------------------------------------------------------------


def settings(cog: Path) -> dict[str, Any]:
    """Return our server's settings; nearest pixels, as titiler takes them."""
    steps = [
        {
            "_target_": "geotoolz.indices.NormalizedDifference",
            "first": "nir",
            "second": "red",
            "name": "ndvi",
        },
        {
            "_target_": "geotoolz.viz.Colormap",
            "band": "ndvi",
            "cmap": "RdYlGn",
            "vmin": LIMITS[0],
            "vmax": LIMITS[1],
        },
    ]
    config = {"_target_": "geotoolz.core.Sequential", "operators": steps}
    layer = {"name": "ndvi", "source": str(cog), "pipeline": "ndvi", "resampling": "nearest"}
    return {
        "pipelines": [{"name": "ndvi", "config": config}],
        "layers": [layer],
        "sandbox": {"enabled": False},
        "workbench": False,
    }


def main() -> int:
    """Measure, print, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=10980)
    parser.add_argument("--tiles", type=int, default=600)
    parser.add_argument("--titiler", help="python of an environment with titiler.core")
    parser.add_argument("--folder", type=Path, help="keeps the COG for the next run")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        cog = folder / f"scene{arguments.size}.tif"
        if not cog.exists():
            make_cog(cog, arguments.size)
        return compare(stack, cog, folder, arguments)


def compare(stack: ExitStack, cog: Path, folder: Path, arguments: argparse.Namespace) -> int:
    """Run the servers, ask both the same, and print what it took."""
    config = folder / "serve.json"
    config.write_text(json.dumps(settings(cog)))
    zoom = 14  # the first one whose pixels are no larger than the scene's
    pan = pans(arguments.size, zoom, 2 * arguments.tiles)
    half = len(pan) // 2
    shaken = at_random(arguments.size, zoom, 2 * arguments.tiles, set(pan))
    plans = {"pan": (pan[:half], pan[half:]), "random": (shaken[::2], shaken[1::2])}
    servers = [stack.enter_context(serving("geotoolz", sys.executable, OURS, str(config), our_path, {}))]
    if arguments.titiler:
        path = functools.partial(titiler_path, str(cog))
        servers.append(stack.enter_context(serving("titiler", arguments.titiler, TITILER, "-", path, GDAL)))
    found: Found = {}
    pictures: dict[str, list[bytes]] = {}
    first = inside(arguments.size, zoom - 2)[:4]  # what only the first tiles cost: imports, compiled kernels
    for server in servers:
        ask(server, first, 4)
        for name, (one, many) in plans.items():
            found.setdefault(name, {})[server.name], drawn = measured(server, one, many)
            pictures.setdefault(server.name, []).extend(drawn)
    memory = {server.name: server.peak() for server in servers}
    wall, cpu = not_modified(servers[0], pan[0], 300)
    report(found, memory, (wall, cpu), {name: len(one) for name, (one, _) in plans.items()})
    near = [tile for level in (zoom, zoom + 1) for tile in inside(arguments.size, level)[::37][:30]]
    off = not_exact(servers[0], cog, near)
    print(f"pixels of {len(near)} nearest tiles that are not the exact ones: {100 * off:.4f} %")
    if not arguments.titiler:
        return 0
    same_pictures(pictures["geotoolz"], pictures["titiler"])
    alone = rio_tiler(arguments.titiler, cog, plans["random"][0][:100])
    print(f"rio-tiler alone, without HTTP: {alone * 1000:.1f} ms CPU per random tile")
    return max(verdict(found, memory, wall), int(off >= 0.001))


def our_path(tile: Tile) -> str:
    """Return the address of one of our tiles."""
    return "/tiles/ndvi/{}/{}/{}.png".format(*tile)


def titiler_path(cog: str, tile: Tile) -> str:
    """Return the address of one of titiler's."""
    from urllib.parse import urlencode

    query = {
        "url": cog, "expression": "(b4-b3)/(b4+b3)", "rescale": f"{LIMITS[0]},{LIMITS[1]}",
        "colormap_name": "rdylgn",
    }  # fmt: skip
    return "/tiles/WebMercatorQuad/{}/{}/{}.png?{}".format(*tile, urlencode(query))


def rio_tiler(python: str, cog: Path, tiles: list[Tile]) -> float:
    """Return the CPU seconds of a tile in a process that does nothing else."""
    environment = {**os.environ, **GDAL}
    done = subprocess.run(
        [python, "-c", RIO_TILER, str(cog)], input=json.dumps(tiles), capture_output=True, text=True,
        check=True, env=environment,
    )  # fmt: skip
    return float(json.loads(done.stdout))


def same_pictures(ours: list[bytes], theirs: list[bytes]) -> None:
    """Stop if the two servers do not show the same."""
    off = [float(np.abs(pixels(a) - pixels(b)).mean()) for a, b in zip(ours, theirs, strict=True)]
    print(f"mean difference of the colours between the two: {np.mean(off):.1f} of 255")
    if np.median(off) > 25:
        raise SystemExit("the two servers show different pictures")


def report(
    found: Found, memory: dict[str, float], answer: tuple[float, float], counts: dict[str, int]
) -> None:  # fmt: skip
    """Print the figures."""
    for name, servers in found.items():
        for server, one in servers.items():
            print(
                f"{name:7} {server:9} {counts[name]:4} tiles  {one['cpu_ms']:6.2f} ms CPU per tile   "
                f"32 at a time: {one['tiles_per_s']:6.1f} tiles/s, p99 {one['p99_ms']:6.0f} ms"
            )
    for server, most in memory.items():
        print(f"peak resident memory {server:9} {most:6.0f} MiB")
    print(f"304: {answer[0]:.2f} ms, of which CPU of the server {answer[1]:.2f} ms")


def verdict(found: Found, memory: dict[str, float], wall: float) -> int:
    """Print the ratios beside what is claimed; 1 if one does not hold."""
    lines = []
    for name, cpu, through in (("pan", 6.0, 5.0), ("random", 3.0, 3.0)):
        ours, theirs = found[name]["geotoolz"], found[name]["titiler"]
        lines += [
            (f"{name}: titiler's CPU / ours", theirs["cpu_ms"] / ours["cpu_ms"], cpu),
            (f"{name}: our throughput / titiler's", ours["tiles_per_s"] / theirs["tiles_per_s"], through),
            (f"{name}: 500 ms / our p99", 500 / ours["p99_ms"], 1.0),
        ]
    lines.append(("titiler's memory / ours", memory["titiler"] / memory["geotoolz"], 1.0))
    lines.append(("1 ms / our 304", 1.0 / wall, 1.0))
    for text, ratio, least in lines:
        print(f"{text:34} {ratio:6.2f}  (at least {least:g}){'' if ratio >= least else '   MISSED'}")
    return int(any(ratio < least for _, ratio, least in lines))


if __name__ == "__main__":
    sys.exit(main())
