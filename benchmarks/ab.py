# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]", "geotoolz-cloud", "geotoolz-indices", "geotoolz-repro"]
# ///
"""What it costs to compare two pipelines: `geotoolz.diff.AB` against both of them, one after the other.

Claim: A/B takes at most 1.1 x the CPU time of the two pipelines. Both are run on the same scenes, reading
what they need and making what A/B compares; on their side nothing is written and nothing compared. Four
pairs: two that begin alike (cloud mask, then NDVI with and without smoothing), two that have nothing in
common but their bands, two whose outputs are classes, and two indices with nothing before them.

Run with ``python benchmarks/ab.py [--size N] [--tiles N] [--times N]``; exits 1 where the claim does not
hold. Medians of CPU time, after a first run of each (imports, compiled kernels). Run it where nothing else
runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("GEOTOOLZ_THREADS", "1")
LIMIT = 1.1
BANDS = ("green", "red", "nir", "scl")


def pairs() -> dict[str, tuple[Any, Any]]:
    from geotoolz.cloud import MaskClouds
    from geotoolz.core import Sequential
    from geotoolz.indices import NDVI, NDWI
    from geotoolz.radiometry import BoxMean, ClassifyByThresholds

    def classes(cut: float) -> Any:
        return Sequential([MaskClouds(), NDVI(), ClassifyByThresholds("ndvi", (0.1, cut), name="cover")])

    return {
        "begin alike": (
            Sequential([MaskClouds(), NDVI()]),
            Sequential([MaskClouds(), NDVI(), BoxMean(1, ("ndvi",))]),
        ),
        "nothing alike": (
            Sequential([BoxMean(1, ("red", "nir")), NDVI()]),
            Sequential([BoxMean(2, ("red", "nir")), NDVI()]),
        ),
        "classes": (classes(0.4), classes(0.5)),
        "another index": (Sequential([NDVI()]), Sequential([NDWI(name="ndvi")])),
    }


def make_scenes(folder: Path, tiles: int, size: int) -> list[Path]:
    """Write simulated scenes as COGs, a folder each."""
    from geotoolz.core.testing import write_scene

    return [
        Path(write_scene({"shape": (size, size), "bands": BANDS, "seed": i}, folder / f"scene-{i}"))
        for i in range(tiles)
    ]


def alone(op: Any, paths: Sequence[Path]) -> None:
    """Run one pipeline over files: what it needs is read, what it makes is dropped."""
    from geotoolz.core import compile, run_detailed
    from geotoolz.io import open_scene

    for path in paths:
        reader = open_scene(path)
        wanted = compile(op, reader.spec).created
        tile = reader.read(list(compile(op, reader.spec, wanted).inputs))
        run_detailed(op, tile, outputs=wanted, write=False, spec=reader.spec)


def cpu(act: Callable[[], object]) -> float:
    begin = time.process_time()
    act()
    return time.process_time() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--tiles", type=int, default=4)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    from geotoolz.diff import AB

    worst = 0.0
    with tempfile.TemporaryDirectory() as tmp:
        paths = make_scenes(Path(tmp), given.tiles, given.size)
        for name, (a, b) in pairs().items():
            ab = AB(a, b)

            def both(a: Any = a, b: Any = b) -> None:
                alone(a, paths)
                alone(b, paths)

            both(), ab.run(paths)
            turns = [(cpu(both), cpu(lambda ab=ab: ab.run(paths))) for _ in range(given.times)]
            two, one = (statistics.median(values) for values in zip(*turns, strict=True))
            worst = max(worst, one / two)
            print(f"{name:<14} two pipelines {two:.3f} s, A/B {one:.3f} s: {one / two:.2f} x")
    print(f"A/B at most {LIMIT} x the two pipelines: {'holds' if worst <= LIMIT else 'does NOT hold'}")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
