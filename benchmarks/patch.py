# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-patch", "xbatcher", "patchify", "blended_tiling", "monai", "rioxarray", "dask"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-patch = { path = "../packages/geotoolz-patch", editable = true }
# ///
"""Chips cut, left as they are, and put together again, beside other libraries.

Floor: `np.copyto` of the scene's bytes. Claims: split and Hann overlap-add of 4 × 4096² float32 in at most
8 × the floor and in no more than the output and 60 MB; streaming in at most 60 MB in all; hard vote over 10
classes in at most 100 MB and 3 × faster than plain numpy; a chip of 4 bands of a batch in memory in at most
100 µs; random chips of a tiled COG, shuffled, 3 × as many per CPU second as torchgeo reads. One thread, CPU
time, in one process; memory as tracemalloc sees it: numpy's, not torch's.

A peer that cannot be imported is left out, with the reason, and so is a claim about it. torchgeo needs an
environment of its own: its torch and that of the CPU wheels clash.

Run: uv run benchmarks/patch.py [--size 4096]
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import WHOLE, Map, Plan, TileSpec, run, tile_from_arrays
from geotoolz.patch import (
    ApplyToChips,
    GridSampler,
    Hann,
    HardVote,
    PatchGrid,
    RandomSampler,
    Stitcher,
    run_chips,
)

os.environ.setdefault("GDAL_CACHEMAX", "16")  # MB, for all: real scenes are larger than caches
CHIP, STRIDE, BANDS, CLASSES = 256, 192, 4, 10
Array = np.ndarray[Any, Any]


class Same(Map):
    """Every pixel as it is, and nothing known of how far it looks."""

    def plan(self, tile: TileSpec) -> Plan:
        """Read and write everything."""
        return Plan(tuple(tile.variables), dict(tile.variables), footprint=WHOLE)

    @staticmethod
    def kernel(*arrays: Array) -> tuple[Array, ...]:
        """Return the chip itself."""
        return arrays


class Nowhere:
    """A sink that lets rows go: what is measured is the stitching."""

    def __enter__(self) -> Nowhere:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def write(self, first: int, rows: dict[str, Array]) -> None:
        """Take rows."""

    def close(self) -> tuple[str, ...]:
        """Write nothing."""
        return ()


def measured(fn: Callable[[], Any], repeats: int = 3) -> tuple[float, float, Any]:
    """Return the best CPU seconds of a call, its peak memory in MB, and what it returned."""
    best, result = math.inf, fn()
    for _ in range(repeats):
        result = None  # the memory of the one before is not that of this one
        started = time.process_time()
        result = fn()
        best = min(best, time.process_time() - started)
    del result
    tracemalloc.start()
    result = fn()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return best, peak, result


def starts(size: int) -> list[int]:
    """Return where chips begin: the last is shifted inward."""
    return [*range(0, size - CHIP, STRIDE), size - CHIP]


def places(size: int) -> Iterator[tuple[slice, slice]]:
    """Yield the chips of a square scene."""
    for y in starts(size):
        for x in starts(size):
            yield slice(y, y + CHIP), slice(x, x + CHIP)


def hann() -> Array:
    """Return the window."""
    w = Hann().weights(CHIP)
    return np.outer(w, w).astype(np.float32)


# ---- overlap-add -------------------------------------------------------------------------------------------


def with_numpy(values: Array) -> Array:
    """Sum of weighted chips over sum of weights, in float32."""
    total, weight, w = np.zeros_like(values), np.zeros(values.shape[-2:], np.float32), hann()
    for y, x in places(values.shape[-1]):
        total[:, y, x] += values[:, y, x].copy() * w
        weight[y, x] += w
    total /= weight
    return total


def with_xbatcher(values: Array) -> Array:
    """Let xbatcher cut, and numpy add."""
    import xbatcher

    da = xr.DataArray(values, dims=("band", "y", "x"))
    overlap = CHIP - STRIDE
    sizes = {"y": CHIP, "x": CHIP}
    batches = xbatcher.BatchGenerator(da, sizes, input_overlap={"y": overlap, "x": overlap})
    total, weight, w = np.zeros_like(values), np.zeros(values.shape[-2:], np.float32), hann()
    n = (values.shape[-1] - overlap) // STRIDE
    for k, chip in enumerate(batches):
        y, x = (k // n) * STRIDE, (k % n) * STRIDE
        place = (slice(y, y + CHIP), slice(x, x + CHIP))
        total[:, place[0], place[1]] += chip.values * w
        weight[place] += w
    with np.errstate(invalid="ignore"):
        total /= weight
    return total


def with_patchify(values: Array) -> Array:
    """Let patchify cut and put back; it does not blend, and loses what no chip fits."""
    from patchify import patchify, unpatchify

    fit = (values.shape[-1] - CHIP) // STRIDE * STRIDE + CHIP
    part = values[:, :fit, :fit]
    chips = patchify(part, (values.shape[0], CHIP, CHIP), step=STRIDE)
    out = np.full_like(values, np.nan)
    out[:, :fit, :fit] = unpatchify(chips.copy(), part.shape)
    return out


def with_monai(values: Array) -> Array:
    """MONAI's sliding window with a Gaussian."""
    import torch
    from monai.inferers import sliding_window_inference

    torch.set_num_threads(1)
    batch = torch.from_numpy(values)[None]
    found = sliding_window_inference(
        batch, (CHIP, CHIP), 1, lambda chip: chip, overlap=1 - STRIDE / CHIP, mode="gaussian"
    )
    return np.asarray(found[0])


def with_blended_tiling(values: Array) -> Array:
    """blended_tiling's masks."""
    import torch
    from blended_tiling import TilingModule

    torch.set_num_threads(1)
    module = TilingModule(
        tile_size=[CHIP, CHIP], tile_overlap=[1 - STRIDE / CHIP] * 2, base_size=list(values.shape[-2:])
    )
    batch = torch.from_numpy(values)[None]
    return np.asarray(module.rebuild_with_masks(module.split_into_tiles(batch))[0])


PEERS: dict[str, Callable[[Array], Array]] = {
    "numpy, float32": with_numpy,
    "xbatcher + numpy": with_xbatcher,
    "patchify (no blending)": with_patchify,
    "MONAI, Gaussian": with_monai,
    "blended_tiling": with_blended_tiling,
}


def overlap_add(values: Array, tile: xr.Dataset) -> list[bool]:
    """Compare overlap-add under identity."""
    out = np.empty_like(values)
    floor, _, _ = measured(lambda: np.copyto(out, values))
    size = values.nbytes / 1e6
    print(f"\nsplit + identity + Hann overlap-add, {values.shape} float32 ({size:.0f} MB)")
    chip = np.zeros((BANDS, CHIP, CHIP), np.float32)

    def there_and_back() -> None:
        for y, x in places(values.shape[-1]):
            np.copyto(chip, values[:, y, x])
            np.copyto(out[:, y, x], chip)

    windows, _, _ = measured(there_and_back)
    print(f"  the chips copied out and in, no blending: {windows / floor:.1f} × copyto")
    op = ApplyToChips(GridSampler(CHIP, STRIDE), Same(), Stitcher(Hann()))
    seconds, peak, found = measured(lambda: run_chips(op, tile))
    same = np.mean([np.mean(found.tile[n].values == tile[n].values) for n in tile.data_vars])
    row("geotoolz run_chips", seconds / floor, peak, same)
    held = [seconds <= 8 * floor, peak <= size + 60, same == 1]
    calls = {
        "geotoolz op(tile)": lambda: op(tile),
        "geotoolz in a pipeline": lambda: run(op, tile, threads=1),
    }
    for name, call in calls.items():
        seconds, peak, ds = measured(call)
        same = np.mean([np.mean(ds[n].values == tile[n].values) for n in tile.data_vars])
        row(f"geotoolz {name}", seconds / floor, peak, same)
    del found, ds
    import geotoolz.patch._drive as drive

    kept = drive.open_end
    drive.open_end = lambda *args: Nowhere()  # type: ignore[assignment,return-value]
    seconds, peak, _ = measured(lambda: run_chips(op, tile, "nowhere.tif"))
    drive.open_end = kept
    row("geotoolz, streaming rows", seconds / floor, peak, math.nan)
    held.append(peak <= 60)
    for name, peer in PEERS.items():
        try:
            seconds, peak, found = measured(lambda peer=peer: peer(values), 1)  # type: ignore[misc]
        except ImportError as error:
            print(f"  {name:28} not run: {error}")
            continue
        row(name, seconds / floor, peak, float(np.mean(found == values)))
        del found
    return held


def row(name: str, ratio: float, peak: float, same: float) -> None:
    """Print a line."""
    bits = "" if math.isnan(same) else f"{same:8.2%} of the pixels bit-exact"
    print(f"  {name:28} {ratio:7.1f} × copyto {peak:8.0f} MB {bits}")


# ---- tall scenes -------------------------------------------------------------------------------------------


def taller(size: int) -> list[bool]:
    """Stream a scene and one of four times its rows, each in a process of its own."""
    most = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in (size, 4 * size):
            path = f"{folder}/{rows}.tif"
            write_rows(path, rows, size // 2)
            command = [sys.executable, __file__, "--stream", path, f"{folder}/out{rows}.tif"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            most.append(float(done.stdout))
    megabytes = size * size // 2 * BANDS * 4 / 1e6
    held = most[1] / most[0]
    print(f"\nfour times the rows of a scene of {megabytes:.0f} MB, COG to COG: {held:.2f} × its memory")
    print(f"  resident: {most[1]:.0f} MB, {most[0]:.0f} MB for the scene itself")
    return [held <= 1.1]


def write_rows(path: str, rows: int, columns: int) -> None:
    """Write noise, a strip at a time."""
    import rasterio
    from rasterio.windows import Window

    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "height": rows, "width": columns, "count": BANDS, "dtype": "float32",
               "crs": "EPSG:32633", "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000),
               "tiled": True, "blockxsize": 512, "blockysize": 512}  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for row in range(0, rows, 512):
            strip = rng.standard_normal((BANDS, min(512, rows - row), columns), np.float32)
            file.write(strip, window=Window(0, row, columns, strip.shape[1]))
        for number in range(BANDS):
            file.set_band_description(number + 1, f"b{number}")


def stream(source: str, sink: str) -> None:
    """Put a scene together from its chips, and say what memory that took."""
    run_chips(ApplyToChips(GridSampler(CHIP, STRIDE), Same(), Stitcher(Hann())), source, sink)
    status = Path("/proc/self/status").read_text().splitlines()  # getrusage would count what started us
    print(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6)


# ---- votes -------------------------------------------------------------------------------------------------


def vote_with_numpy(labels: Array) -> Array:
    """Count in a plane per class."""
    counts = np.zeros((CLASSES, *labels.shape), np.uint8)
    classes = np.arange(CLASSES, dtype=labels.dtype)[:, None, None]
    for y, x in places(labels.shape[-1]):
        counts[:, y, x] += labels[y, x] == classes
    return counts.argmax(axis=0).astype(labels.dtype)


def hard_vote(size: int, box: GeoBox) -> list[bool]:
    """Compare the hard vote."""
    labels = np.random.default_rng(0).integers(0, CLASSES, (size, size), dtype=np.uint8)
    tile = tile_from_arrays({"label": labels}, box)
    op = ApplyToChips(GridSampler(CHIP, STRIDE), Same(), Stitcher(aggregation=HardVote(CLASSES, fill=255)))
    import geotoolz.patch._drive as drive

    kept = drive.open_end
    drive.open_end = lambda *args: Nowhere()  # type: ignore[assignment,return-value]
    ours, memory, _ = measured(lambda: run_chips(op, tile, "nowhere.tif"))
    drive.open_end = kept
    theirs, peak, found = measured(lambda: vote_with_numpy(labels), 1)
    print(f"\nhard vote, {CLASSES} classes, {labels.shape}: numpy / geotoolz = {theirs / ours:.1f} ×")
    print(f"  geotoolz {1000 * ours:.0f} ms, {memory:.0f} MB; numpy {1000 * theirs:.0f} ms, {peak:.0f} MB")
    return [memory <= 100, theirs >= 3 * ours, bool((found == labels).all())]


# ---- batches -----------------------------------------------------------------------------------------------


def batches(tile: xr.Dataset) -> list[bool]:
    """Cut batches of chips out of memory."""
    grid = PatchGrid(tile, RandomSampler(CHIP, 512))
    order = grid.order(seed=1)
    out = grid.batch(order[:64]).stacked()

    def epoch() -> None:
        for first in range(0, len(order), 64):
            grid.batch(order[first : first + 64], out)

    seconds, _, _ = measured(epoch)
    each = 1e6 * seconds / len(order)
    copy = np.empty_like(out)
    floor, _, _ = measured(lambda: np.copyto(copy, out))
    corners = [grid[int(n)].chip.extent for n in order]
    planes = [tile[name].values for name in grid.bands]

    def by_hand() -> None:
        for k, e in enumerate(corners):
            for band, plane in enumerate(planes):
                out[k % 64, band] = plane[e.y0 : e.y1, e.x0 : e.x1]

    windows, _, _ = measured(by_hand)
    print(f"\nbatches of 64 chips of {len(grid.bands)} bands in memory: {each:.0f} µs per chip")
    print(f"  {each / (1e6 * floor / 64):.1f} × copyto, {seconds / windows:.2f} × the same windows copied")
    return [each <= 100]


def from_cog(size: int, box: GeoBox) -> list[bool]:
    """Read random chips of a tiled COG in shuffled order, as a training loop does."""
    import rasterio
    from rasterio.windows import Window

    from geotoolz.io import write_tile

    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(size), np.arange(size)).astype(np.uint16) % 4000
    planes = {f"b{n}": smooth + rng.integers(0, 200, (size, size), dtype=np.uint16) for n in range(BANDS)}
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write_tile(tile_from_arrays(planes, box), f"{folder}/scene.tif")
        del planes
        grid = PatchGrid(path, RandomSampler(CHIP, 512, seed=1))
        extents = [grid[n].chip.extent for n in grid.order(seed=2)]

        def ours() -> int:
            return sum(len(batch) for batch in grid.batches(32, seed=2))

        def one_handle() -> int:
            with rasterio.open(path) as file:
                for e in extents:
                    file.read(window=Window(e.x0, e.y0, CHIP, CHIP))
            return len(extents)

        def with_dask() -> int:
            import dask
            import rioxarray

            scene = rioxarray.open_rasterio(path, chunks={"band": -1, "y": 512, "x": 512})
            with dask.config.set(scheduler="synchronous"):
                for e in extents[:128]:
                    _ = scene[:, e.y0 : e.y1, e.x0 : e.x1].values
            return 128

        def with_torchgeo() -> int:
            import torch
            from torchgeo.datasets import RasterDataset
            from torchgeo.samplers import RandomGeoSampler, Units

            class Scene(RasterDataset):  # type: ignore[misc]
                filename_glob = "scene.tif"

            torch.set_num_threads(1)
            scene = Scene(folder)
            for query in RandomGeoSampler(scene, CHIP, len(extents), units=Units.PIXELS):
                _ = scene[query]["image"]
            return len(extents)

        print(f"\n{len(extents)} chips of {CHIP}² of a tiled COG, shuffled, {BANDS} bands uint16")
        rates = {}
        readers = {
            "geotoolz batches": ours,
            "torchgeo RandomGeoSampler": with_torchgeo,
            "rasterio, one handle": one_handle,
            "rioxarray + dask": with_dask,
        }
        for name, read in readers.items():
            try:
                seconds, peak, number = measured(read, 1)
            except ImportError as error:
                print(f"  {name:28} not run: {error}")
                continue
            rates[name] = number / seconds
            print(f"  {name:28} {rates[name]:7.0f} chips per CPU second, {peak:6.0f} MB")
    theirs = rates.get("torchgeo RandomGeoSampler")
    return [] if theirs is None else [rates["geotoolz batches"] >= 3 * theirs]


def main() -> int:
    """Run everything; 1 if a claim does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--stream", nargs=2, metavar=("SOURCE", "SINK"), help="this alone, and its memory")
    given = parser.parse_args()
    if given.stream:
        stream(*given.stream)
        return 0
    size = given.size
    values = np.random.default_rng(0).standard_normal((BANDS, size, size), np.float32)
    box = GeoBox((size, size), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    tile = tile_from_arrays({f"b{n}": plane for n, plane in enumerate(values)}, box)
    held = [*overlap_add(values, tile), *batches(tile)]
    del values, tile
    held += hard_vote(size, box)
    held += taller(size)
    held += from_cog(size, box)
    print("claims:", "all hold" if all(held) else f"{held.count(False)} of {len(held)} do not hold: {held}")
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
