# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-cloud", "bottleneck", "geomad"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# ///
"""Gap filling and composites of stacks beside bottleneck, geomad and xarray.

Floor: `np.copyto` of the bytes that are touched. Claims: gap filling of 24 dates, 10 bands, 512 × 512
pixels at most 15 × the floor; the median over time no slower than `bottleneck.nanmedian`, the
geometric median no slower than `geomad.nangeomedian_pcm`, which gets its own memory layout for
nothing. Operators run through the runner; one thread, CPU time, in one process.

Run: uv run benchmarks/temporal.py
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from geotoolz.temporal import Composite, LinearGapFill, ResampleTime

_DATES, _BANDS, _SIZE = 24, 10, 512
_PEER_SIZE = 48
"""xarray interpolates so few pixels of one band; its time is scaled by their number."""


def cpu_seconds(fn: Callable[[], Any], repeats: int) -> float:
    """Return the best CPU time of a call."""
    best = math.inf
    for _ in range(repeats):
        started = time.process_time()
        fn()
        best = min(best, time.process_time() - started)
    return best


def stack(bands: int, size: int, dates: int = _DATES) -> xr.Dataset:
    """Return reflectance with a cloud cover of 30 per cent, all bands alike, and clouds that were missed."""
    rng = np.random.default_rng(0)
    gone = rng.random((dates, size, size)) < 0.3
    missed = (rng.random(gone.shape) < 0.1) * rng.random(gone.shape) * 0.4
    found = {}
    for b in range(bands):
        values = rng.normal(0.02 * b + 0.1, 0.02, gone.shape) + rng.random(gone.shape[1:]) * 0.2 + missed
        values[gone] = np.nan
        attrs = {"quantity": "surface_reflectance"}
        found[f"b{b}"] = (("time", "y", "x"), values.astype(np.float32), attrs)
    days = np.cumsum(rng.integers(1, 15, dates)) * np.timedelta64(1, "D")
    coords = {"time": np.datetime64("2024-01-01", "ns") + days}
    grid = {"y": np.arange(size) * -10.0, "x": np.arange(size) * 10.0}
    return xr.Dataset(found, {**coords, **grid})


def arrays(tile: xr.Dataset) -> list[Any]:
    """Return the pixels of all bands."""
    return [band.values for band in tile.data_vars.values()]


def copies(tile: xr.Dataset) -> float:
    """Return how long it takes to copy all bands."""
    targets = [np.empty_like(values) for values in arrays(tile)]

    def copy() -> None:
        for target, values in zip(targets, arrays(tile), strict=True):
            np.copyto(target, values)

    return cpu_seconds(copy, 5)


def gap_fill(show: Callable[[str, float, float], None]) -> dict[str, bool]:
    """Fill gaps of 10 bands."""
    tile = stack(_BANDS, _SIZE)
    op = LinearGapFill()
    small = tile.isel(y=slice(0, _PEER_SIZE), x=slice(0, _PEER_SIZE))
    expected = small.b0.astype("f8").interpolate_na("time").values
    np.testing.assert_allclose(op(small).b0.values, expected, rtol=1e-6)
    floor = copies(tile)
    show("np.copyto of 10 bands (floor)", floor, floor)
    ours = cpu_seconds(lambda: op(tile), 3)
    show("LinearGapFill", ours, floor)
    about = {"_FillValue": 0, "quantity": "dn"}
    whole = tile.assign(
        {n: (b.dims, (b.fillna(0).values * 1e4).astype("u2"), about) for n, b in tile.items()}
    )
    op(whole.isel(y=slice(0, 8)))
    show("LinearGapFill, uint16", cpu_seconds(lambda: op(whole), 3), floor)
    scale = _BANDS * (_SIZE / _PEER_SIZE) ** 2
    show(
        "xarray interpolate_na, scaled",
        scale * cpu_seconds(lambda: small.b0.interpolate_na("time"), 1),
        floor,
    )
    return {"gap fill <= 15 x the floor": ours <= 15 * floor}


def median(show: Callable[[str, float, float], None]) -> dict[str, bool]:
    """Take medians and means over time of one band."""
    import bottleneck

    tile = stack(1, _SIZE)
    values, op, mean = tile.b0.values, Composite(count=None), Composite("mean")
    expected = bottleneck.nanmedian(values, axis=0)
    np.testing.assert_allclose(op(tile).b0.values, expected, rtol=2e-7)
    mean(tile)
    weekly = ResampleTime("weekly")
    weekly(tile)
    floor = copies(tile)
    show("np.copyto of 1 band (floor)", floor, floor)
    ours = cpu_seconds(lambda: op(tile), 5)
    show("Composite('median')", ours, floor)
    peer = cpu_seconds(lambda: bottleneck.nanmedian(values, axis=0), 3)
    show("bottleneck.nanmedian", peer, floor)
    show("Composite('mean')", cpu_seconds(lambda: mean(tile), 5), floor)
    show("bottleneck.nanmean", cpu_seconds(lambda: bottleneck.nanmean(values, axis=0), 3), floor)
    show("ResampleTime('weekly')", cpu_seconds(lambda: weekly(tile), 3), floor)
    return {"median no slower than bottleneck": ours <= peer}


def spectra(show: Callable[[str, float, float], None], dates: int, bands: int, size: int) -> dict[str, bool]:
    """Take geometric medians and medoids."""
    import geomad

    tile = stack(bands, size, dates)
    cube = np.ascontiguousarray(np.stack(arrays(tile)).transpose(2, 3, 0, 1))
    tight, medoid = Composite("geomedian", tolerance=1e-8), Composite("medoid")
    op = Composite("geomedian")
    best = np.stack(arrays(tight(tile)[list(tile.data_vars)]), axis=-1)
    found = np.stack(arrays(op(tile)[list(tile.data_vars)]), axis=-1)
    medoid(tile)
    off = float(np.nanmax(np.abs(found - best)))
    peer_off = float(np.nanmax(np.abs(geomad.nangeomedian_pcm(cube, num_threads=1) - best)))
    floor = copies(tile)
    show(f"np.copyto of {dates} dates, {bands} bands (floor)", floor, floor)
    ours = cpu_seconds(lambda: op(tile), 3)
    show(f"Composite('geomedian'), {off:.0e} off", ours, floor)
    show("the same, tolerance=1e-8", cpu_seconds(lambda: tight(tile), 2), floor)
    peer = cpu_seconds(lambda: geomad.nangeomedian_pcm(cube, num_threads=1), 2)
    show(f"geomad, eps=1e-4, {peer_off:.0e} off", peer, floor)
    equal = cpu_seconds(lambda: geomad.nangeomedian_pcm(cube, num_threads=1, eps=1e-6), 2)
    show("geomad, eps=1e-6", equal, floor)
    show("Composite('medoid')", cpu_seconds(lambda: medoid(tile), 2), floor)
    # with few dates geomad's default stops far from the median
    alike, text = (peer, "") if peer_off < 1e-3 else (equal, " at eps=1e-6")
    return {f"geomedian of {dates} dates, {bands} bands no slower than geomad{text}": ours <= alike}


def main() -> int:
    """Print CPU times and ratios; return 1 if a claim fails."""

    def show(label: str, seconds: float, floor: float) -> None:
        print(f"{label:<44} {seconds * 1e3:9.1f} ms CPU   {seconds / floor:8.2f} x", flush=True)

    claims = {**gap_fill(show), **median(show)}
    for dates, bands in ((24, 6), (24, 10), (8, 6)):
        claims.update(spectra(show, dates, bands, 256))
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'FAILS'}: {claim}")
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
