# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "geotoolz-indices", "geotoolz-cloud"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# ///
"""What a call costs beyond its kernel, on a tile of 256² pixels and four bands.

Claims: calling an operator costs at most 1.5 × one ``ds.assign`` beyond its kernel; five operators in a
Sequential build one Dataset.

Run: uv run benchmarks/call_overhead.py
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import xarray as xr

from geotoolz.core import Sequential
from geotoolz.core.testing import contract_tile
from geotoolz.indices import NDVI, NDWI, NormalizedDifference
from geotoolz.indices._kernels import normalized_difference


def microseconds(fn: Callable[[], Any], number: int = 300, repeats: int = 9) -> float:
    """Return the best mean time of a call."""
    best = math.inf
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(number):
            fn()
        best = min(best, (time.perf_counter() - started) / number)
    return best * 1e6


def main() -> None:
    """Print times and ratios."""
    tile = contract_tile((256, 256))[["blue", "green", "red", "nir"]]
    op = NDVI()
    out = op(tile).ndvi.values
    red, nir = tile.red.values, tile.nir.values
    kernel = microseconds(lambda: normalized_difference(nir, red, math.nan, math.nan))
    assign = microseconds(lambda: tile.assign(ndvi=xr.Variable(("y", "x"), out)))
    arithmetic = microseconds(lambda: tile.assign(ndvi=(tile.nir - tile.red) / (tile.nir + tile.red)))
    call = microseconds(lambda: op(tile))
    five = Sequential(
        [
            op,
            NDWI(),
            NormalizedDifference("blue", "red", "a"),
            NormalizedDifference("green", "red", "b"),
            NormalizedDifference("blue", "nir", "c"),
        ]
    )
    chain = microseconds(lambda: five(tile))
    print(f"kernel NDVI                    {kernel:8.1f} µs")
    print(f"one ds.assign                  {assign:8.1f} µs")
    print(f"xarray arithmetic and assign   {arithmetic:8.1f} µs")
    print(f"NDVI()(tile)                   {call:8.1f} µs")
    print(f"five operators, one Sequential {chain:8.1f} µs")
    print(f"ratio (call - kernel) / assign        {(call - kernel) / assign:5.2f}   (claim: <= 1.5)")
    print(f"ratio five in one / five calls        {chain / (5 * call):5.2f}")


if __name__ == "__main__":
    main()
