# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# ///
"""What a window of one band of a Sentinel-2 SAFE product costs beside plain rasterio.

Claim: a window of one band (JPEG 2000 without loss, blocks of 1024²), from the product's folder or its zip,
takes at most 1.10 x the CPU time in which rasterio opens that band's own file and reads the same window as
digital numbers. Ours finds the file, reads offset and scale out of the product's metadata, and gives
reflectance. Every read starts with no open file and no decoded block.

Run: uv run benchmarks/read_safe.py [--size N] [--repeat N] [--small]; exits 1 where the claim does not hold.
With ``--small`` the product is of 510² pixels and the numbers say little: it shows that the script runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CLAIM = 1.10


def cpu(work: Callable[[], Any]) -> float:
    """Return the CPU time of one run, with nothing left over from the run before."""
    from geotoolz.io import close_handles

    close_handles()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def plain(path: str, window: tuple[slice, slice]) -> np.ndarray[Any, Any]:
    """Read a window as rasterio does."""
    import rasterio
    from rasterio.windows import Window

    rows, cols = window
    place = Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
    with rasterio.open(path) as raster:
        return raster.read(1, window=place)


def ours(product: Path, window: tuple[slice, slice]) -> np.ndarray[Any, Any]:
    """Read a window as reflectance."""
    from geotoolz.io import open_scene

    return open_scene(product, ["red"]).arrays(rows=window[0], cols=window[1])["red"]


def main() -> int:
    """Compare ours with rasterio's."""
    from geotoolz.core.testing import write_safe

    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=2046, help="rows and columns at 10 m, a multiple of 6")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--small", action="store_true", help="510² pixels, to see that it runs")
    args = parser.parse_args()
    size, repeat = (510, 3) if args.small else (args.size, args.repeat)
    window = (slice(size // 8, size // 8 + size // 2), slice(size // 5, size // 5 + size // 2))
    holds = True
    with tempfile.TemporaryDirectory() as name:
        for zipped in (False, True):
            product = write_safe(
                {"shape": (size, size)}, Path(name) / str(zipped), level="L1C", zipped=zipped
            )
            from geotoolz.io._readers import reader_for

            reader = reader_for(product)
            if reader is None:
                raise SystemExit(f"{product} is not recognised")
            path = reader.scene(product).select("red")[0].path
            dn = plain(path, window)
            wanted = np.where(dn == 0, np.nan, (dn.astype("f8") - 1000) / 10_000).astype("f4")
            if not np.allclose(ours(product, window), wanted, atol=1e-7, equal_nan=True):
                raise SystemExit("the pixels differ")
            pairs = [
                (cpu(lambda p=product: ours(p, window)), cpu(lambda p=path: plain(p, window)))
                for _ in range(repeat)
            ]
            mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = mine / theirs
            what = "zip" if zipped else "folder"
            print(f"{what:6}  geotoolz {mine * 1e3:7.1f} ms  rasterio {theirs * 1e3:7.1f} ms  {ratio:.3f} x")
            holds &= ratio <= CLAIM
    print(f"window of {dn.shape[0]} x {dn.shape[1]} pixels of {size} x {size} (claim: <= {CLAIM:.2f})")
    return 0 if holds or args.small else 1


if __name__ == "__main__":
    sys.exit(main())
