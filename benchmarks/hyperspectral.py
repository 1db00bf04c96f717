# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "geotoolz-indices", "spectral"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# ///
"""Detectors on a cube of 200 bands, 1024 × 1024 pixels of float32 (800 MiB).

Floor: `np.copyto` of the cube. Claim: the matched filter, mean and covariance included, at most 35 ×
the floor and 100 MB beside the cube. Peer: `spectral` (SPy), which is given the cube in the
order of bytes that it likes best (bands last) before its clock starts.

BLAS has one thread: on a machine that does other things, too, its threads wait for each other, which
made the peer several times slower. Every line runs in a process of its own, compiled kernels warmed up;
CPU time over all threads, and the highest memory above what there was before, results included.

Run: uv run benchmarks/hyperspectral.py [--bands N] [--size N] [--no-peer]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported

import numpy as np
import xarray as xr

from geotoolz.core import freeze, run
from geotoolz.hyperspectral import ACE, SAM, Background, MatchedFilter

Array = np.ndarray[Any, Any]
Measured = tuple[float, float, float]


def scene(bands: int, size: int) -> xr.Dataset:
    """Return a cube of correlated bands with noise."""
    rng = np.random.default_rng(0)
    values = np.empty((bands, size, size), np.float32)
    mix = rng.normal(0, 0.01, (bands, 12)).astype(np.float32)
    base = rng.uniform(0.1, 0.5, (bands, 1)).astype(np.float32)
    for row in range(0, size, 32):
        part = values[:, row : row + 32]
        flat = mix @ rng.standard_normal((12, part[0].size), np.float32) + base
        flat += rng.standard_normal(flat.shape, np.float32) * np.float32(0.004)
        part[...] = flat.reshape(part.shape)
    coords = {"wavelength": ("wavelength", np.linspace(420, 2450, bands), {"units": "nm"})}
    return xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, coords)


def memory(field: str) -> float:
    """Return a line of this process's status in MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1e3
    return 0.0


def measured(make: Callable[[], Callable[[], Any]]) -> Measured:
    """Return CPU seconds, wall seconds and MB of a call, made ready and run in a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def work() -> None:
        call = make()
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forgets the highest memory so far
        before, cpu, wall = memory("VmRSS"), time.process_time(), time.perf_counter()
        call()
        spent = time.process_time() - cpu, time.perf_counter() - wall
        theirs.send((*spent, memory("VmHWM") - before))

    process = context.Process(target=work)
    process.start()
    found: Measured = ours.recv()
    process.join()
    return found


def best(make: Callable[[], Callable[[], Any]], repeats: int) -> Measured:
    """Return the run of least CPU time."""
    return min(measured(make) for _ in range(repeats))


def peers(tile: xr.Dataset, target: Array) -> dict[str, Callable[[], Callable[[], Any]]]:
    """Return SPy's detectors."""
    import spectral

    def image() -> Array:
        return np.ascontiguousarray(tile.cube.values.transpose(1, 2, 0))

    def matched_filter() -> Callable[[], Any]:
        own = image()
        return lambda: spectral.matched_filter(own, target, spectral.calc_stats(own))

    def angles() -> Callable[[], Any]:
        own = image()
        return lambda: spectral.spectral_angles(own, target[None])

    return {"spectral.matched_filter": matched_filter, "spectral.spectral_angles": angles}


def main() -> int:
    """Print a table; return 1 if a claim fails."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--no-peer", action="store_true")
    args = parser.parse_args()
    tile = scene(args.bands, args.size)
    target = tile.cube.values[:, 3, 4].astype(np.float64) * 1.2
    frozen = freeze(MatchedFilter(target, sample_cell=4), tile)
    small = tile.isel(y=slice(0, 32))
    ops = {
        "MatchedFilter, background and all": MatchedFilter(target),
        "MatchedFilter, background of one in 16": MatchedFilter(target, sample_cell=4),
        "MatchedFilter, frozen": frozen,
        "Background": Background(),
        "ACE, frozen": ACE(target, background=frozen.background),
        "SAM": SAM(target),
    }
    for op in ops.values():
        run(op, small) if not isinstance(op, Background) else op(small)

    def copy() -> Callable[[], Any]:
        out = np.ones_like(tile.cube.values)
        return lambda: np.copyto(out, tile.cube.values)

    floor = best(copy, 7)
    print(f"{'np.copyto (floor)':<42} {floor[0]:7.3f} s CPU {floor[1]:7.3f} s")
    held: dict[str, Measured] = {}
    for name, op in ops.items():
        held[name] = best(lambda op=op: lambda: op(tile), 3)  # type: ignore[misc]
    if not args.no_peer:
        held.update({name: best(make, 1) for name, make in peers(tile, target).items()})
    for name, (cpu, wall, extra) in held.items():
        print(
            f"{name:<42} {cpu:7.3f} s CPU {wall:7.3f} s {cpu / floor[0]:6.1f} x CPU "
            f"{wall / floor[1]:6.1f} x wall {extra:+8.0f} MB"
        )
    first = held["MatchedFilter, background and all"]
    return 0 if first[0] <= 35 * floor[0] and first[2] <= 100 else 1


if __name__ == "__main__":
    sys.exit(main())
