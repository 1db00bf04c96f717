# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "geotoolz-cloud", "geotoolz-indices"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# ///
"""A Sentinel-2 scene from file to file: 10980 x 10980, five bands in one COG, mask -> NDVI, out as COG.

Claims: `stream` takes at most 1.25 x the CPU time in which plain rasterio reads the same three bands and
writes the same float32 pixels as a COG with the same options (the peer holds all of it in memory and does
not compute the NDVI); its peak memory is within 10 % of what it announced, and at most 600 MB. The file has
the bytes of `WriteCOG` on the whole tile (checked with ``--check``, which needs 3 GB).

Run: uv run benchmarks/stream.py [--size N] [--repeat N] [--source FILE] [--check]; exits 1 where a claim
does not hold. Every run is a process of its own, ours and the peer's in turn; the ratio is that of the
medians. CPU time of the work itself: imports and compiled kernels are warm on both sides.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_SCENE = """
import sys
import numpy as np, rasterio
from affine import Affine
from geotoolz.core.testing import simulate_scene
path, size = sys.argv[1], int(sys.argv[2])
bands = ("blue", "green", "red", "nir", "scl")
scene = simulate_scene((1830, 1830), bands=bands, raw=True, cloud_cover=0.3)
part = np.stack([scene[name].values.astype("uint16") for name in bands])
times = -(-size // 1830)
options = dict(driver="GTiff", width=size, height=size, count=5, dtype="uint16", nodata=0, tiled=True,
               crs="EPSG:32633", transform=Affine(10, 0, 499980, 0, -10, 5100000), interleave="pixel")
with rasterio.open(path + ".tmp", "w", bigtiff="YES", blockxsize=512, blockysize=512, **options) as raster:
    for top in range(0, size, 1830):
        rows = np.tile(part, (1, 1, times))[:, : size - top, :size]
        raster.write(rows, window=rasterio.windows.Window(0, top, size, rows.shape[1]))
    raster.descriptions = bands
    raster.scales, raster.offsets = (1e-4,) * 4 + (1.0,), (-0.1,) * 4 + (0.0,)
from rasterio.shutil import copy
copy(path + ".tmp", path, driver="COG", COMPRESS="ZSTD", PREDICTOR="YES", BLOCKSIZE="512", BIGTIFF="IF_SAFER",
     OVERVIEWS="NONE", NUM_THREADS="ALL_CPUS")
"""
_OURS = """
import json, sys, time
from geotoolz.cloud import MaskClouds
from geotoolz.core import Sequential
from geotoolz.indices import NDVI
from geotoolz.io import plan_stream, stream
op = Sequential([MaskClouds(), NDVI()])
plan_stream(op, sys.argv[1], sys.argv[2])
cpu, wall = time.process_time(), time.perf_counter()
result = stream(op, sys.argv[1], sys.argv[2])
print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall,
    "announced": result.plan.memory, "peak": result.peak_memory, "plan": str(result.plan),
    "seconds": dict(result.seconds)}))
"""
_PEER = """
import json, resource, sys, time
import rasterio
with rasterio.open(sys.argv[3]) as raster:
    pixels = raster.read(1)
cpu, wall = time.process_time(), time.perf_counter()
with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"), rasterio.open(sys.argv[1]) as raster:
    bands = raster.read([3, 4, 5])
    where = {"crs": raster.crs, "transform": raster.transform, "width": raster.width, "height": raster.height}
with rasterio.open(sys.argv[2], "w", driver="COG", count=1, dtype="float32", nodata=float("nan"),
                   compress="ZSTD", level=3, predictor="YES", blocksize=512, bigtiff="IF_SAFER",
                   overview_resampling="AVERAGE", num_threads="ALL_CPUS", **where) as raster:
    raster.write(pixels, 1)
print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""
_CHECK = """
import sys
from pathlib import Path
from geotoolz.cloud import MaskClouds
from geotoolz.core import Sequential
from geotoolz.indices import NDVI
from geotoolz.io import open_tile, write_tile
tile = open_tile(sys.argv[1], ["red", "nir", "scl"])
write_tile(Sequential([MaskClouds(), NDVI()])(tile), sys.argv[3], "ndvi")
print(Path(sys.argv[2]).read_bytes() == Path(sys.argv[3]).read_bytes())
"""


def child(code: str, *args: object) -> Any:
    """Run code in a process of its own and return what it printed last."""
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    lines = done.stdout.splitlines()
    return json.loads(lines[-1].replace("True", "true").replace("False", "false")) if lines else None


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=10980)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--source", type=Path, help="keep the scene here, and use it again")
    parser.add_argument("--check", action="store_true", help="compare with the whole tile's bytes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = args.source or folder / "scene.tif"
        if not source.exists():
            child(_SCENE, source, args.size)
            Path(f"{source}.tmp").unlink()
        ours, peers = [], []
        for _ in range(args.repeat):
            ours.append(child(_OURS, source, folder / "ndvi.tif"))
            peers.append(child(_PEER, source, folder / "peer.tif", folder / "ndvi.tif"))
        same = child(_CHECK, source, folder / "ndvi.tif", folder / "whole.tif") if args.check else True
    return report(ours, peers, same)


def report(ours: list[Any], peers: list[Any], same: bool) -> int:
    """Print the numbers and return the exit code."""
    print(ours[-1]["plan"])
    for name, runs in (("geotoolz", ours), ("rasterio", peers)):
        cpu, wall, peak = (statistics.median(run[key] for run in runs) for key in ("cpu", "wall", "peak"))
        print(f"{name}  {cpu:6.2f} s CPU  {wall:6.2f} s  {peak / 1e6:6.0f} MB")
    ratio = statistics.median(r["cpu"] for r in ours) / statistics.median(r["cpu"] for r in peers)
    parts = [run["peak"] / run["announced"] for run in ours]
    peak = max(run["peak"] for run in ours)
    print(f"CPU time {ratio:.2f} x rasterio (claim: <= 1.25)")
    print(f"memory {min(parts):.3f} to {max(parts):.3f} x the announced (claim: 0.9 to 1.1), "
          f"at most {peak / 1e6:.0f} MB (claim: <= 600)")  # fmt: skip
    if not same:
        print("the bytes differ from the whole tile's")
    holds = ratio <= 1.25 and min(parts) >= 0.9 and max(parts) <= 1.1 and peak <= 600e6 and same
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
