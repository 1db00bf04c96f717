# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "geotoolz-cloud", "scipy", "scikit-image"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# ///
"""Masks from quality layers against the time that copying the touched bytes takes; the rest against peers.

The floor is `np.copyto` of as many bytes as must be read into as many as must be written, into an array
that exists already; ours and the peers allocate their results, as they would in use. CPU time of one thread.

Claims: decode + mask of three bands ≤ 3 × floor, for SCL with float32 bands and for QA_PIXEL with
confidences and uint16 bands; BufferMask faster than scipy's distance transform, with the same pixels, at
any radius; RemoveSmall faster than scikit-image, with the same pixels.

Run: python benchmarks/cloud.py [--size N]; exits 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from new_memory import warm
from odc.geo.geobox import GeoBox

from geotoolz.cloud import BufferMask, MaskClouds, ProjectShadows, RemoveSmall
from geotoolz.core import run, tile_from_arrays

BANDS = ("green", "red", "nir")
failed: list[str] = []


def best(fn: Callable[[], Any], repeats: int = 9) -> float:
    """Return the shortest CPU time of some calls."""
    warm()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        kept = fn()
        times.append(time.process_time() - begin)
        del kept
    return min(times)


def claim(label: str, found: float, bound: float, unit: str) -> None:
    """Print a ratio, and remember it where it is too large."""
    held = found <= bound
    print(f"{label:<62} {found:7.2f} {unit} (≤ {bound:g}){'' if held else '  NOT HELD'}")
    if not held:
        failed.append(label)


def floor(size: int, read: int, written: int) -> float:
    """Return the time in which the bytes of a pixel are copied, for all pixels."""
    count = size * size * max(read, written)
    source, target = np.ones(count, np.uint8), np.zeros(count, np.uint8)
    return best(lambda: np.copyto(target, source)) * (read + written) / (2 * max(read, written))


def scene(size: int, dtype: str, layer: str) -> xr.Dataset:
    """Return three bands and a quality layer."""
    rng = np.random.default_rng(0)
    box = GeoBox((size, size), Affine(10, 0, 300000, 0, -10, 5200020), "EPSG:32633")
    arrays: dict[str, Any] = {name: rng.integers(1, 9999, (size, size)).astype(dtype) for name in BANDS}
    if layer == "scl":
        arrays[layer] = rng.choice(np.array([4, 5, 6, 8, 9, 3], np.uint8), (size, size))
    else:
        arrays[layer] = rng.choice(np.array([21824, 22280, 23888, 54596], np.uint16), (size, size))
    nodata = dict.fromkeys(BANDS, np.nan if dtype[0] == "f" else 0)
    return tile_from_arrays(arrays, box, nodata=nodata)


def blobs(size: int) -> xr.Dataset:
    """Return a mask of clouds: discs of many sizes, and specks."""
    rng = np.random.default_rng(1)
    mask = rng.random((size, size)) < 0.001
    rows, cols = np.ogrid[:size, :size]
    for row, col, radius in zip(
        *rng.integers(0, size, (2, 60)), rng.integers(3, size // 16, 60), strict=True
    ):
        mask |= (rows - row) ** 2 + (cols - col) ** 2 < radius**2
    box = GeoBox((size, size), Affine(10, 0, 300000, 0, -10, 5200020), "EPSG:32633")
    return tile_from_arrays({"mask": mask}, box, attrs={"sun_elevation": 40.0, "sun_azimuth": 155.0})


def masks(size: int) -> None:
    """Decode and mask."""
    cases = (
        ("SCL → 3 bands of float32", "float32", "scl", MaskClouds(), 1, 4),
        (
            "QA_PIXEL, confidence ≥ medium → 3 bands of uint16",
            "uint16",
            "qa_pixel",
            MaskClouds(("cloud", "shadow", "cirrus"), min_confidence="medium"),
            2,
            2,
        ),
    )
    for label, dtype, layer, op, own, width in cases:
        tile = scene(size, dtype, layer)
        run(op, tile, threads=1)
        ours = best(lambda op=op, tile=tile: run(op, tile, threads=1))
        claim(f"{label}, {size}²", ours / floor(size, own + 3 * width, 3 * width), 3.0, "× floor")


def neighbourhoods(size: int) -> None:
    """Compare with what scipy and scikit-image take, and with their pixels."""
    from scipy import ndimage
    from skimage import morphology

    tile = blobs(size)
    mask = tile["mask"].values
    for distance in (50.0, 500.0, 2000.0):
        op = BufferMask(distance)
        ours = best(lambda op=op: run(op, tile, threads=1))
        edt = best(lambda d=distance: ndimage.distance_transform_edt(~mask, sampling=(10, 10)) <= d, 2)
        same = np.array_equal(
            op(tile)["mask"], ndimage.distance_transform_edt(~mask, sampling=(10, 10)) <= distance
        )
        label = f"BufferMask({distance:g}) by scipy's distance transform, {size}²" + (
            "" if same else " DIFFERS"
        )
        claim(label, ours / edt if same else np.inf, 1.0, "×")
    small = RemoveSmall(30)
    ours = best(lambda: run(small, tile, threads=1))
    peer = best(lambda: morphology.remove_small_objects(mask, max_size=29, connectivity=2), 2)
    same = np.array_equal(
        small(tile)["mask"], morphology.remove_small_objects(mask, max_size=29, connectivity=2)
    )
    claim(f"RemoveSmall(30) by scikit-image, {size}²", ours / peer if same else np.inf, 1.0, "×")
    copied = floor(size, 1, 1)
    for label, op in (
        ("BufferMask(500)", BufferMask(500.0)),
        ("RemoveSmall(30)", small),
        ("ProjectShadows(200 … 6000 m)", ProjectShadows()),
    ):
        took = best(lambda op=op: run(op, tile, threads=1), 3)
        each = took / size**2 * 1e9
        print(f"{label + f', {size}²':<62} {took / copied:7.1f} × floor, {each:.1f} ns per pixel")


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=4096)
    size = parser.parse_args().size
    masks(size)
    neighbourhoods(size // 2)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
