# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "geotoolz-indices", "numexpr", "spyndex"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# ///
"""Indices from the catalogue, against the time that copying the touched bytes takes.

The floor is `np.copyto` of as many bytes as must be read into as many as must be written, into an array
that exists already; ours and the peers allocate their results, as they would in use.

Claims: any catalogue index on float32 bands ≤ 3 × floor as it is called by default, with a thread per
processor (all of them are measured, with one thread too; those above are listed). Ten indices in one pass
≤ 1/4 of ten passes, each pass reading its bands from a compressed file; the same in memory is printed
beside it.

Run: python benchmarks/indices.py [--size N]; exits 1 where a claim does not hold. Peers that are not
installed are left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from new_memory import warm
from odc.geo.geobox import GeoBox

TEN = ("NDVI", "EVI", "SAVI", "MSAVI", "NDMI", "NBR", "MNDWI", "BI", "AWEIsh", "GEMI")


def by_turns(*fns: Callable[[], Any], repeats: int = 7) -> list[float]:
    """Return the shortest wall time of each, called by turns: what else the machine does meets all."""
    times: list[list[float]] = [[] for _ in fns]
    for _ in range(repeats):
        for fn, taken in zip(fns, times, strict=True):
            begin = time.perf_counter()
            kept = fn()
            taken.append(time.perf_counter() - begin)
            del kept
    return [min(taken) for taken in times]


def best(fn: Callable[[], Any], repeats: int = 5) -> float:
    """Return the shortest wall time of some calls."""
    return by_turns(fn, repeats=repeats)[0]


def copying(read: int, write: int) -> Callable[[], None]:
    """Return np.copyto of so many bytes: as many from and to as fit, the rest like them."""
    size = (read + write) // 2
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    return lambda: np.copyto(target, source)


def scene(size: int) -> xr.Dataset:
    """Return every band that the catalogue knows, float32, a tenth of it no-data."""
    from geotoolz.core import tile_from_arrays
    from geotoolz.indices._catalogue import BANDS

    rng = np.random.default_rng(0)
    box = GeoBox((size, size), Affine(10, 0, 300000, 0, -10, 5200020), "EPSG:32633")
    arrays = {}
    for role in BANDS.values():
        low, high = (270, 320) if role.startswith("lwir") else (0.02, 0.6)
        plane = rng.random((size, size), np.float32) * np.float32(high - low) + np.float32(low)
        plane[: size // 10] = np.nan
        arrays[role] = plane
    attrs = {"platform": "sentinel-2a", "processing_level": "L2A"}
    return tile_from_arrays(arrays, box, attrs=attrs)


def every_index(size: int) -> bool:
    """Measure all indices of the catalogue, as they are called and with one thread."""
    from geotoolz.core import run
    from geotoolz.indices import Index, catalogue

    tile = scene(size)

    def measure(name: str) -> tuple[float, float]:
        entry = catalogue()[name]
        given = {"PAR": 900.0} if "PAR" in entry.constants else {}
        op = Index(name, constants=given)
        part = tile[list(dict.fromkeys(entry.roles))]
        run(op, part, threads=1)  # compile
        warm()
        calls = (lambda n=n: run(op, part, threads=n) for n in (1, None))
        base, alone, called = by_turns(copying(part.nbytes, size * size * 4), *calls)
        return alone / base, called / base

    print(f"new memory: {warm():.2f} ms for two megabytes at first, at most, then {warm():.2f}")
    times = {name: measure(name) for name in catalogue()}
    held = True
    for label, place in (("one thread", 0), ("as called", 1)):
        ratios = {name: row[place] for name, row in times.items()}
        middle, last = statistics.median(ratios.values()), statistics.quantiles(ratios.values(), n=20)[-1]
        above = sorted(((ratio, name) for name, ratio in ratios.items() if ratio > 3), reverse=True)
        print(f"{len(ratios)} indices, {size}² float32, {label}: ", end="")
        print(f"median {middle:.2f} × floor, 95 % below {last:.2f} ×")
        print(f"  slowest: {max(ratios, key=lambda name: ratios[name])} {max(ratios.values()):.1f} ×")
        for ratio, name in above:
            print(f"  above 3 ×: {name} {ratio:.1f} ×  {catalogue()[name].formula}")
        held = not above
    return held


def peers(size: int) -> None:
    """Print EVI and ten indices of ours and of the peers beside the floor."""
    from geotoolz.core import run
    from geotoolz.indices import Index, Indices, catalogue
    from geotoolz.indices._catalogue import BANDS

    tile = scene(size)
    plane = size * size * 4
    evi_floor, ten_floor = best(copying(3 * plane, plane)), best(copying(6 * plane, 10 * plane))
    evi, ten = Index("EVI"), Indices(TEN)
    run(ten, tile, threads=1)
    run(evi, tile, threads=1)
    rows = {
        "geotoolz, 1 thread": (
            best(lambda: run(evi, tile, threads=1)),
            best(lambda: run(ten, tile, threads=1)),
        ),
        "geotoolz, 2 threads": (
            best(lambda: run(evi, tile, threads=2)),
            best(lambda: run(ten, tile, threads=2)),
        ),
    }
    letters = {letter: tile[role].values for letter, role in BANDS.items()}
    constants = {name: dict(catalogue()[name].defaults) for name in TEN}
    if find_spec("spyndex"):
        import spyndex

        def theirs(name: str) -> Any:
            params = {k: {**letters, **constants[name]}[k] for k in spyndex.indices[name].bands}
            return spyndex.computeIndex(name, params)

        with np.errstate(all="ignore"):
            rows["spyndex (NumPy)"] = (
                best(lambda: theirs("EVI"), 2),
                best(lambda: [theirs(n) for n in TEN], 2),
            )
    if find_spec("numexpr"):
        import numexpr

        numexpr.set_num_threads(1)

        def expr(name: str) -> Any:
            return numexpr.evaluate(catalogue()[name].formula, {**letters, **constants[name]})

        rows["numexpr, 1 thread"] = (best(lambda: expr("EVI")), best(lambda: [expr(n) for n in TEN]))
    print(f"{'':24}{'EVI':>12}{'ten indices':>16}   (× floor, {size}²)")
    for label, (one, many) in rows.items():
        print(f"{label:24}{one / evi_floor:11.1f}×{many / ten_floor:15.1f}×")


def one_pass(size: int) -> bool:
    """Measure ten indices in one pass beside ten passes: in memory, and each pass from a compressed file."""
    from geotoolz.core import compile, run
    from geotoolz.indices import Index, Indices
    from geotoolz.io import WriteCOG, describe, open_tile

    tile = scene(size)
    ops = [Index(name) for name in TEN]
    together = Indices(TEN)
    begin = time.perf_counter()
    run(together, tile, threads=1)
    first = time.perf_counter() - begin
    for op in ops:
        run(op, tile, threads=1)
    one = best(lambda: run(together, tile, threads=1))
    each = best(lambda: [run(op, tile, threads=1) for op in ops])
    print(f"ten indices, in memory: one pass {one:.3f} s, ten passes {each:.3f} s: {one / each:.2f}")
    print(f"ten indices: {first - one:.1f} s to compile")
    with tempfile.TemporaryDirectory() as folder:
        bands = ("blue", "green", "red", "nir", "swir16", "swir22")
        smooth = tile[list(bands)].map(lambda a: (a * 1000).round() / 1000, keep_attrs=True)
        smooth.attrs = tile.attrs
        (path,) = WriteCOG(str(Path(folder) / "scene.tif"), bands=bands).write(smooth, created=bands)
        spec = describe(path)

        def from_file(op: Any, names: tuple[str, ...]) -> Any:
            reads = compile(op, spec, names).inputs
            return run(op, open_tile(path, reads), outputs=names, threads=1)

        labels = tuple(name.lower() for name in TEN)
        one = best(lambda: from_file(together, labels), 3)
        each = best(lambda: [from_file(op, (op.variable,)) for op in ops], 3)
    print(f"ten indices, from a file: one pass {one:.3f} s, ten passes {each:.3f} s: {one / each:.2f}")
    return one <= each / 4


def main() -> None:
    """Measure and compare with the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    size = parser.parse_args().size
    held = [every_index(size), one_pass(size)]
    peers(size)
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
