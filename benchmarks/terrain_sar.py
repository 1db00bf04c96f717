# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-indices", "scipy", "xarray-spatial"]
# ///
"""What speckle filters and slopes cost beside scipy and xarray-spatial.

Claims: Lee's filter over 7 × 7 pixels takes at most 40 times, the slope of an elevation model at most 12
times as long as copying the bytes that have to be touched (`numpy.copyto` of the float32 image), in one run
on one thread.

Run with ``python benchmarks/terrain_sar.py [--size N]``; exits 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from new_memory import warm

LOOKS, WINDOW, PIXEL = 4.4, 7, 10.0


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Return the least CPU time of some runs."""
    warm()
    times = []
    for _ in range(repeat):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def lee_by_scipy(image: Any) -> Any:
    """Return Lee's filter as it is usually written."""
    from scipy.ndimage import uniform_filter

    mean = uniform_filter(image, WINDOW)
    variance = uniform_filter(image * image, WINDOW) - mean * mean
    weight = np.maximum(0, (variance - mean * mean / LOOKS) / (1 + 1 / LOOKS)) / variance
    return mean + weight * (image - mean)


def slope_by_scipy(heights: Any) -> Any:
    """Return Horn's slope as it is usually written."""
    from scipy.ndimage import sobel

    east, south = sobel(heights, axis=1) / (8 * PIXEL), sobel(heights, axis=0) / (8 * PIXEL)
    return np.degrees(np.arctan(np.hypot(east, south)))


def tile_of(name: str, image: Any, **attrs: str) -> Any:
    """Return a tile with one variable."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.core import tile_from_arrays

    box = GeoBox(image.shape, Affine(PIXEL, 0, 300000, 0, -PIXEL, 5200020), "EPSG:32633")
    return tile_from_arrays({name: image}, box, var_attrs={name: attrs}, nodata={name: float("nan")})


def main() -> int:
    """Compare ours with the peers."""
    import xarray as xr
    from xrspatial import slope as slope_by_peer

    from geotoolz.core import run
    from geotoolz.sar import Frost, GammaMAP, LeeSpeckle, LinearToDB, MultiLook
    from geotoolz.terrain import TPI, Aspect, Hillshade, RelativeElevation, Slope

    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=4096)
    size = parser.parse_args().size
    rng = np.random.default_rng(0)
    power = rng.gamma(LOOKS, 0.1 / LOOKS, (size, size)).astype(np.float32)
    heights = (1500 + 2 * np.cumsum(rng.standard_normal((size, size), np.float32), axis=1)).astype(np.float32)
    out = np.empty_like(power)
    floor = seconds(lambda: np.copyto(out, power), 20)
    print(f"floor: {floor * 1e3:.1f} ms for {size}² float32 ({floor / size**2 * 1e9:.2f} ns a pixel)")
    ratios: dict[str, float] = {}

    def show(label: str, work: Callable[[], object], repeat: int = 5) -> None:
        ratios[label] = seconds(work, repeat) / floor
        print(f"{label:40s} {ratios[label]:8.1f} x floor", flush=True)

    sar, dem = tile_of("vv", power, quantity="backscatter", units="1"), tile_of("dem", heights, units="m")
    for op, repeat in ((LeeSpeckle(WINDOW, LOOKS), 9), (GammaMAP(WINDOW, LOOKS), 5), (Frost(WINDOW), 1),
                       (LinearToDB(), 5), (MultiLook(2), 5)):  # fmt: skip
        op(sar.isel(y=slice(0, 64)))
        show(type(op).__name__, lambda op=op: run(op, sar), repeat)
    show("Lee, scipy.ndimage.uniform_filter", lambda: lee_by_scipy(power), 2)
    for op, repeat in (
        (Slope(), 5),
        (Aspect(), 5),
        (Hillshade(), 5),
        (TPI(100), 2),
        (RelativeElevation(100), 2),
    ):
        op(dem.isel(y=slice(0, 64)))
        show(type(op).__name__, lambda op=op: run(op, dem), repeat)
    coords = {"y": -PIXEL * np.arange(size), "x": PIXEL * np.arange(size)}
    peer = xr.DataArray(heights, dims=("y", "x"), coords=coords)
    slope_by_peer(peer[:64])
    show("slope, xarray-spatial", lambda: slope_by_peer(peer), 2)
    show("slope, scipy.ndimage.sobel", lambda: slope_by_scipy(heights), 2)
    print(f"claims: Lee 7 × 7 {ratios['LeeSpeckle']:.1f} x ≤ 40, slope {ratios['Slope']:.1f} x ≤ 12")
    return 0 if ratios["LeeSpeckle"] <= 40 and ratios["Slope"] <= 12 else 1


if __name__ == "__main__":
    sys.exit(main())
