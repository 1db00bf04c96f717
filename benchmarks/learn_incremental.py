# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-learn"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-patch = { path = "../packages/geotoolz-patch", editable = true }
# geotoolz-qc = { path = "../packages/geotoolz-qc", editable = true }
# geotoolz-learn = { path = "../packages/geotoolz-learn", editable = true }
# ///
"""An incremental fit over more rows than memory holds.

Claim: 10⁸ rows of 10 float32 features (4 GB as one table) are fitted in at most 1 GB of memory, the whole
process with its libraries counted. Every row is seen once: the model's ``metrics`` count them, and the score
on rows that were not seen is printed beside that of the commonest class.

Run: uv run benchmarks/learn_incremental.py [--rows 100000000]; exits 1 where the claim does not hold.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from sklearn.linear_model import SGDClassifier

from geotoolz.core import tile_from_arrays
from geotoolz.io import write_tile
from geotoolz.learn import ToPixelMajor, fit_pixelwise_incremental
from geotoolz.patch import GridSampler

FEATURES = tuple(f"f{k}" for k in range(10))
SIZE = 2048


def scene(path: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Write a scene of ten features and a label, and return some of its rows."""
    rng = np.random.default_rng(seed)
    bands = {name: rng.random((SIZE, SIZE), np.float32) for name in FEATURES}
    label = (bands["f0"] + bands["f3"] + rng.normal(0, 0.1, (SIZE, SIZE)) > 1).astype(np.float32)
    box = GeoBox((SIZE, SIZE), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    write_tile(tile_from_arrays({**bands, "label": label}, box), path)
    table = np.stack([bands[n].ravel()[:100_000] for n in FEATURES], axis=1)
    return table, label.ravel()[:100_000].astype(int)


def main() -> int:
    """Run the benchmark and return 1 where the claim does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        held, truth = scene(Path(name) / "other.tif", 1)
        scene(Path(name) / "s0.tif", 0)
        files = [Path(name) / f"s{n}.tif" for n in range(-(-rows // SIZE**2))]
        for file in files[1:]:
            os.link(files[0], file)  # as many scenes as it takes; the disk holds one
        begun, cpu = time.perf_counter(), time.process_time()
        model = fit_pixelwise_incremental(
            SGDClassifier(random_state=0), None, "label", [str(file) for file in files], GridSampler(256),
            adapter=ToPixelMajor(FEATURES), classes=(0, 1), chunk_size=65_536,
        )  # fmt: skip
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seen = len(files) * SIZE**2
    score = float((model.estimator.predict(held) == truth).mean())
    common = float(np.bincount(truth).max() / truth.size)
    told = f"{seen:.3g} rows of {len(files)} scenes: {wall:.0f} s, {cpu:.0f} s CPU"
    print(f"{told}, peak {peak:.2f} GB (at most 1)")
    print(f"metrics {dict(model.metrics)}; score on other rows {score:.3f}, commonest class {common:.3f}")
    return 0 if peak <= 1 and score > common + 0.1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
