# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[io]"]
# ///
"""What reprojection costs beside GDAL's warper.

Claim: four float32 bands, 10 m UTM to web mercator, bilinear, take no longer than `rasterio.warp.reproject`
with its default settings (one thread; it allows an error of 1/8 pixel, ours is 1/256 whatever the window).

Run with ``python benchmarks/reproject.py [--size N]``; exits 1 where the claim does not hold.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

BANDS = ("blue", "green", "red", "nir")


def seconds(work: Callable[[], object], repeat: int = 3) -> float:
    """Return the least CPU time of some runs."""
    times = []
    for _ in range(repeat):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def main() -> int:
    """Compare ours with GDAL's."""
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    from geotoolz.core import geobox_of, run, tile_from_arrays
    from geotoolz.grid import MatchGrid, Reproject

    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=4096)
    size = parser.parse_args().size
    rng = np.random.default_rng(0)
    box = GeoBox((size, size), Affine(10, 0, 300000, 0, -10, 5200020), "EPSG:32633")
    planes = {name: rng.random((size, size), dtype=np.float32) for name in BANDS}
    for plane in planes.values():
        plane[: size // 20] = np.nan
    tile = tile_from_arrays(planes, box, nodata=dict.fromkeys(BANDS, float("nan")))
    target = geobox_of(Reproject("EPSG:3857", resolution=14.0)(tile))
    ratios = {}
    for method in ("nearest", "bilinear", "cubic"):
        op = MatchGrid.like(target, method)
        op(tile.isel(y=slice(0, 300), x=slice(0, 300)))
        ours = seconds(lambda op=op: run(op, tile))

        def gdal(method: str = method) -> None:
            for name in BANDS:
                out = np.empty(tuple(map(int, target.shape)), np.float32)
                reproject(planes[name], out, src_transform=box.affine, src_crs=box.crs.to_wkt(),
                          dst_transform=target.affine, dst_crs=target.crs.to_wkt(), src_nodata=np.nan,
                          dst_nodata=np.nan, resampling=Resampling[method])  # fmt: skip

        theirs = seconds(gdal)
        ratios[method] = ours / theirs
        print(f"{method:9s} {size}² × {len(BANDS)}: ours {ours:.2f} s, rasterio.warp {theirs:.2f} s CPU, "
              f"{ours / theirs:.2f} x")  # fmt: skip
    print(f"claim: bilinear {ratios['bilinear']:.2f} x ≤ 1")
    return 0 if ratios["bilinear"] <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
