# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]", "geotoolz-indices", "geotoolz-repro"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-repro = { path = "../packages/geotoolz-repro", editable = true }
# ///
"""Frozen artefacts: the speed of hashing, and the memory of verifying a large one.

Claims: members are hashed at 0.9 × the speed of `hashlib.file_digest` or faster; verifying an artefact of
1 GB takes at most 100 MB more than verifying one of 1 MB (which has imported everything).

Run: uv run benchmarks/repro.py [--megabytes N]; exits 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HASHING, MEMORY = 0.9, 100
_ROUNDS = 5
_VERIFY = """
import json, resource, sys
from geotoolz.repro import verify
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
assert verify(sys.argv[1], offline=True).ok
before = peak()
report = verify(sys.argv[2], offline=True)
print(json.dumps({"ok": report.ok, "before": before, "more": peak() - before}))
"""


def scene(folder: Path, megabytes: int) -> Path:
    """Write two bands of random numbers, uncompressed, block by block."""
    import numpy as np
    import rasterio

    cols = 4096
    rows = max(64, megabytes * 10**6 // (cols * 2 * 2) // 64 * 64)
    grid = {"width": cols, "height": rows, "count": 1, "dtype": "uint16", "crs": "EPSG:32633"}
    place = {"transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5.1e6)}
    rng = np.random.default_rng(0)
    for band in ("red", "nir"):
        with rasterio.open(folder / f"{band}.tif", "w", driver="GTiff", **grid, **place) as raster:
            for row in range(0, rows, 64):
                values = rng.integers(1, 10_000, (64, cols), dtype=np.uint16)
                raster.write(values, 1, window=rasterio.windows.Window(0, row, cols, 64))
    return folder


def artefact(path: Path, megabytes: int) -> Path:
    """Freeze an NDVI of a scene of so many MB, all of it embedded."""
    from geotoolz.indices import NDVI
    from geotoolz.repro import freeze

    folder = path.with_suffix("")
    folder.mkdir()
    return freeze(NDVI(), scene(folder, megabytes), outputs=(), embed_below="8GB").save(path)


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def hashing(path: Path) -> float:
    """Return how fast a member is hashed, against `hashlib.file_digest` of the same file."""
    from geotoolz.repro._parts import Part

    def theirs() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def ours() -> str:
        return Part.of_file(path).sha256()

    if ours() != theirs():  # reads the file into the system's cache, too
        raise SystemExit("the hashes differ")
    ratios = [seconds(theirs) / seconds(ours) for _ in range(_ROUNDS)]
    return statistics.median(ratios)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        small, large = (
            artefact(Path(name, "small.gtar"), 1),
            artefact(Path(name, "large.gtar"), wanted.megabytes),
        )
        size = large.stat().st_size / 1e6
        ratio = hashing(large)
        command = [sys.executable, "-c", _VERIFY, str(small), str(large)]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(f"hashing: {ratio:.2f} × hashlib.file_digest (at least {HASHING})")
    more, before = told["more"], told["before"]
    print(f"verify of {size:.0f} MB: {more:.0f} MB more than {before:.0f} MB (at most {MEMORY})")
    return int(not (ratio >= HASHING and more <= MEMORY and told["ok"]))


if __name__ == "__main__":
    sys.exit(main())
