# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "geotoolz-indices", "geotoolz-cloud", "numexpr", "spyndex"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# ///
"""Pipelines on whole scenes in memory, against the time that copying the touched bytes takes.

The floor is `np.copyto` of as many bytes as must be read into as many as must be written, into an array
that exists already; ours and the peers allocate their results, as they would in use.

Claims: NDVI uint16 → float32 with no-data, 10980²: ≤ 3 × floor with one thread, ≤ 1.8 × with two. Mask →
reflectance → NDVI + NDWI → clip → min-max with frozen limits, 5490²: ≤ 5 × floor, and a peak of the output
+ 60 MB. 256² windows ≤ 1.5 × the whole tile.

Run: python benchmarks/in_memory.py [--size N]; exits 1 where a claim does not hold. Peers that are not
installed are left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from new_memory import warm
from odc.geo.geobox import GeoBox


def best(fn: Callable[[], Any], repeats: int = 5) -> float:
    """Return the shortest wall time of some calls."""
    warm(1 << 28)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        kept = fn()
        times.append(time.perf_counter() - begin)
        del kept
    return min(times)


def scene(size: int, bands: tuple[str, ...]) -> xr.Dataset:
    """Return digital numbers with a tenth of no-data, and a scene classification."""
    from geotoolz.core import tile_from_arrays

    rng = np.random.default_rng(0)
    box = GeoBox((size, size), Affine(10, 0, 300000, 0, -10, 5200020), "EPSG:32633")
    arrays: dict[str, Any] = {}
    for name in bands:
        plane = rng.integers(1, 10_000, (size, size), dtype=np.uint16)
        plane[: size // 10] = 0
        arrays[name] = plane
    arrays["scl"] = rng.choice(np.array([4, 5, 6, 8, 9, 3], np.uint8), (size, size))
    scaled = {"quantity": "dn", "scale_factor": 1e-4, "add_offset": -0.1}
    attrs = {"platform": "sentinel-2a", "processing_level": "L2A"}
    nodata = {**dict.fromkeys(bands, 0), "scl": 0}
    var_attrs = {**dict.fromkeys(bands, scaled), "scl": {"quantity": "flags"}}
    return tile_from_arrays(arrays, box, attrs=attrs, nodata=nodata, var_attrs=var_attrs)


def floor(read: int, write: int) -> float:
    """Return the time of np.copyto of so many bytes: as many from and to as fit, the rest like them."""
    size = (read + write) // 2
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    return best(lambda: np.copyto(target, source))


def ndvi(size: int) -> bool:
    """Measure NDVI on plain integers."""
    from geotoolz.core import run
    from geotoolz.indices import NDVI

    tile = scene(size, ("red", "nir"))[["red", "nir"]]
    for name in ("red", "nir"):
        tile[name].attrs = {"_FillValue": 0, "quantity": "reflectance"}
    base = floor(4 * size * size, 4 * size * size)
    op = NDVI()
    rows = {
        "ours, 1 thread": best(lambda: run(op, tile, outputs=("ndvi",), threads=1)),
        "ours, 2 threads": best(lambda: run(op, tile, outputs=("ndvi",), threads=2)),
    }
    red, nir = tile.red, tile.nir

    def by_xarray() -> Any:
        r, n = (b.where(b != 0).astype("float32") for b in (red, nir))
        return (n - r) / (n + r)

    rows["xarray"] = best(by_xarray, 2)
    try:
        import numexpr

        def by_numexpr() -> Any:
            text = "where((r == 0) | (n == 0), nan, (n * 1.0 - r) / (n * 1.0 + r))"
            names = {"r": red.values, "n": nir.values, "nan": np.nan}
            return numexpr.evaluate(text, names).astype("f4")

        rows["numexpr"] = best(by_numexpr, 2)
    except ImportError:
        pass
    show(f"NDVI uint16 → float32, {size}²", base, rows)
    return rows["ours, 1 thread"] <= 3 * base and rows["ours, 2 threads"] <= 1.8 * base


def chain_op() -> Any:
    """Return mask → reflectance → NDVI + NDWI → clip → min-max with frozen limits."""
    from geotoolz.cloud import MaskClouds
    from geotoolz.core import Sequential
    from geotoolz.indices import NDVI, NDWI
    from geotoolz.radiometry import DNToReflectance, MinMax, PercentileClip, SelectBands

    clip = {"ndvi": (-0.2, 0.8), "ndwi": (-0.6, 0.4)}
    return Sequential([
        MaskClouds(), DNToReflectance(), NDVI(), NDWI(), SelectBands(("ndvi", "ndwi")),
        PercentileClip(limits=clip), MinMax(limits=clip),
    ])  # fmt: skip


def chain(size: int) -> bool:
    """Measure the chain."""
    from geotoolz.core import run

    tile, op = scene(size, ("green", "red", "nir")), chain_op()
    base = floor(7 * size * size, 8 * size * size)
    rows = {
        "ours, 1 thread": best(lambda: run(op, tile, threads=1)),
        "ours, 2 threads": best(lambda: run(op, tile, threads=2)),
        "ours, 256² windows": best(lambda: run(op, tile, window=(256, 256), threads=1)),
    }

    def by_xarray() -> Any:
        clear = ~tile.scl.isin([0, 1, 3, 8, 9, 10])
        g, r, n = (
            (b.where((b != 0) & clear).astype("float32") * 1e-4 - 0.1)
            for b in (tile.green, tile.red, tile.nir)
        )
        parts = []
        for a, b, low, high in ((n, r, -0.2, 0.8), (g, n, -0.6, 0.4)):
            parts.append((((a - b) / (a + b)).clip(low, high) - low) / (high - low))
        return parts

    rows["xarray"] = best(by_xarray, 1)
    show(f"mask → reflectance → NDVI + NDWI → clip → min-max, {size}²", base, rows)
    windows = rows["ours, 256² windows"] / rows["ours, 1 thread"]
    new = best(lambda: [np.full((size, size), 0.5, np.float32) for _ in range(2)]) / base
    print(f"  its two planes as new arrays, filled with one number: {new:.2f} x floor")
    print(f"  256² windows: {windows:.2f} x the whole tile; {copied(tile):.2f} x if all they did were copy")
    return rows["ours, 1 thread"] <= 5 * base and windows <= 1.5


def copied(tile: xr.Dataset) -> float:
    """Return what copying every input, and two new planes, takes in 256² windows rather than in rows."""
    size = tile.scl.shape[0]
    planes = [tile[name].values for name in ("green", "red", "nir", "scl")]

    def copy(height: int, width: int) -> None:
        made = [np.empty((size, size), np.float32) for _ in range(2)]
        held = [np.zeros((height, width), plane.dtype) for plane in planes]
        done = np.zeros((height, width), np.float32)
        for y in range(0, size, height):
            for x in range(0, size, width):
                for plane, buffer in zip(planes, held, strict=True):
                    part = plane[y : y + height, x : x + width]
                    buffer[: part.shape[0], : part.shape[1]] = part
                for plane in made:
                    part = plane[y : y + height, x : x + width]
                    part[...] = done[: part.shape[0], : part.shape[1]]

    return best(lambda: copy(256, 256)) / best(lambda: copy(12, size))


PEAK = """
import resource, sys
sys.path.insert(0, {folder!r})
import in_memory
from geotoolz.core import run
size = {size}
op, small = in_memory.chain_op(), in_memory.scene(256, ("green", "red", "nir"))
run(op, small)
tile = in_memory.scene(size, ("green", "red", "nir"))
import os
def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
out = run(op, tile, threads={threads})
made = sum(v.nbytes for v in out.data_vars.values())
print((status("VmHWM") - before - made) / 1e6)
"""


def peak(size: int) -> bool:
    """Measure the peak beyond input and output, in a process of its own."""
    from pathlib import Path

    good = True
    for threads in (1, 2):
        code = PEAK.format(folder=str(Path(__file__).parent), size=size, threads=threads)
        found = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        print(f"  peak beyond input and output, {threads} thread(s): {found:.0f} MB")
        good &= found <= 60
    return good


def show(title: str, base: float, rows: dict[str, float]) -> None:
    """Print times as multiples of the floor."""
    print(f"{title}: floor {base * 1e3:.0f} ms")
    for label, value in rows.items():
        print(f"  {label:<22} {value * 1e3:9.0f} ms {value / base:8.2f} x floor")


def main() -> int:
    """Measure and compare with the claims."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=10980)
    size = parser.parse_args().size
    results = {"NDVI": ndvi(size), "chain": chain(size // 2), "peak": peak(size // 2)}
    for name, holds in results.items():
        print(f"claim {name}: {'holds' if holds else 'DOES NOT HOLD'}")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
