# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "geotoolz-indices", "geotoolz-cloud"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# ///
"""Mask, NDVI and NDWI on 4096² pixels in blocks of 64k pixels, against the same kernels on arrays.

Claim: at most 2 × the kernels called on arrays. Peers: one Dataset per block and step (our own operators
called one by one on `isel` blocks), and plain xarray arithmetic on the whole tile.

Run: uv run benchmarks/blocks.py
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from geotoolz.cloud import MaskClouds
from geotoolz.cloud._decode import decoder
from geotoolz.cloud._kernels import decode, fill_where
from geotoolz.cloud._products import CLASSES
from geotoolz.core import Sequential, run
from geotoolz.core.testing import contract_tile
from geotoolz.indices import NDVI, NDWI
from geotoolz.indices._kernels import normalized_difference

_SIZE = 4096
_ROWS = 65_536 // _SIZE
_MASKED = decoder([(CLASSES, n) for n in (3, 8, 9, 10)], None, True, np.dtype(np.uint8), "scl", "blocks")


def seconds(fn: Callable[[], Any], repeats: int = 5) -> float:
    """Return the best time of a call."""
    best = math.inf
    for _ in range(repeats):
        started = time.perf_counter()
        fn()
        best = min(best, time.perf_counter() - started)
    return best


def on_arrays(tile: xr.Dataset) -> dict[str, np.ndarray[Any, Any]]:
    """Call the kernels on row blocks of arrays, as one would by hand."""
    names = ("green", "red", "nir")
    scl = tile.scl.values
    bands = {name: tile[name].values for name in names}
    out = {name: np.empty((_SIZE, _SIZE), np.float32) for name in (*names, "ndvi", "ndwi")}
    nan = math.nan
    for y in range(0, _SIZE, _ROWS):
        rows = slice(y, y + _ROWS)
        mask = decode(scl[rows], *_MASKED)
        green, red, nir = (fill_where(bands[n][rows], mask, np.float32(nan)) for n in names)
        out["ndvi"][rows] = normalized_difference(nir, red, nan, nan)
        out["ndwi"][rows] = normalized_difference(green, nir, nan, nan)
        for name, block in zip(names, (green, red, nir), strict=True):
            out[name][rows] = block
    return out


def step_by_step(tile: xr.Dataset, steps: list[Any]) -> None:
    """Build a Dataset per block and step."""
    for y in range(0, _SIZE, _ROWS):
        block = tile.isel(y=slice(y, y + _ROWS))
        for step in steps:
            block = step(block)


def with_xarray(tile: xr.Dataset) -> xr.Dataset:
    """Do the same with xarray's own arithmetic."""
    clear = ~tile.scl.isin([3, 8, 9, 10])
    bands = tile[["green", "red", "nir"]].where(clear)
    return bands.assign(
        ndvi=(bands.nir - bands.red) / (bands.nir + bands.red),
        ndwi=(bands.green - bands.nir) / (bands.green + bands.nir),
    )


def main() -> None:
    """Print times and ratios."""
    tile = contract_tile((_SIZE, _SIZE))[["green", "red", "nir", "scl"]]
    steps: list[Any] = [MaskClouds(), NDVI(), NDWI()]
    pipeline = Sequential(steps)
    ours, by_hand = pipeline(tile), on_arrays(tile)
    for name, array in by_hand.items():
        np.testing.assert_array_equal(ours[name].values, array)
    rows = {
        "kernels on arrays": seconds(lambda: on_arrays(tile)),
        "Sequential": seconds(lambda: pipeline(tile)),
        "Sequential, two threads": seconds(lambda: run(pipeline, tile, threads=2)),
        "xarray on the whole tile": seconds(lambda: with_xarray(tile)),
        "a Dataset per block and step": seconds(lambda: step_by_step(tile, steps), repeats=2),
    }
    base = rows["kernels on arrays"]
    for label, value in rows.items():
        print(f"{label:<30} {value * 1e3:9.1f} ms   {value / base:6.2f} x")
    print("claim: Sequential <= 2 x the kernels on arrays")


if __name__ == "__main__":
    main()
