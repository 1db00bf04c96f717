# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-learn", "sklearn-raster"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-patch = { path = "../packages/geotoolz-patch", editable = true }
# geotoolz-qc = { path = "../packages/geotoolz-qc", editable = true }
# geotoolz-learn = { path = "../packages/geotoolz-learn", editable = true }
# ///
"""Models on pixels, beside plain scikit-learn and sklearn-raster.

Floor: the estimator's own predict on the valid rows of the scene, which lie ready as one table. Claims:
predicting 2048² × 10 float32 features with 20 % no-data takes at most 1.05 × the floor with any model, both
as they are called, and at most 100 MB beside input and output; reading and assembling 10⁶ rows of 100 scenes
costs at most 25 % of fitting a forest of 300 trees on them (some trees are fitted, and the time is scaled).
With one thread forests and boosting keep to 1.05 × the floor, too. For cheap models (one tree, a linear
model) that floor is a pass over the table, and making the table is another (docs/decisions/0022): there we
cost less than making it with NumPy and predicting.

In one process, by turns, the smallest of the repetitions (seven times as many of cheap models): the time on
the clock as called, of the processor with one thread; memory as tracemalloc sees it.
A peer that cannot be imported is left out, with the reason.

Run: uv run benchmarks/learn.py [--size 2048]
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from geotoolz.core import run, tile_from_arrays
from geotoolz.io import write_tile
from geotoolz.learn import PixelwiseClassifier, ToPixelMajor, TrainingRows, fit_rows, training_rows
from geotoolz.patch import GridSampler

Array = np.ndarray[Any, Any]
FEATURES = tuple(f"f{k}" for k in range(10))
ESTIMATORS = {
    "forest": (RandomForestClassifier(100, max_depth=20, random_state=0), 1.05),
    "boosting": (HistGradientBoostingClassifier(max_iter=30, random_state=0), 1.05),
    "tree": (DecisionTreeClassifier(max_depth=20, random_state=0), None),
    "linear": (LogisticRegression(max_iter=200), None),
}


def scene(size: int) -> xr.Dataset:
    """Return ten features with a fifth of no-data."""
    rng = np.random.default_rng(0)
    gone = np.zeros((size, size), bool)
    gone[: size // 5] = True
    bands = {}
    for name in FEATURES:
        bands[name] = rng.random((size, size), np.float32)
        bands[name][gone] = np.nan
    box = GeoBox((size, size), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    return tile_from_arrays(bands, box)


def rows(count: int = 20_000) -> TrainingRows:
    """Return rows of five classes with some noise."""
    rng = np.random.default_rng(1)
    X = rng.random((count, len(FEATURES)), np.float32)
    y = np.digitize(X[:, 0] + X[:, 3] * X[:, 7] + rng.normal(0, 0.2, count), (0.4, 0.6, 0.8, 1.1))
    return TrainingRows(X=X, features=FEATURES, y=y)


def seconds(
    *calls: Callable[[], Any], repeat: int, clock: Callable[[], float] = time.process_time
) -> list[float]:
    """Return the time of the fastest call of each, called by turns; the processor's, if no clock is given."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(repeat):
        for call, taken in zip(calls, found, strict=True):
            begun = clock()
            call()
            taken.append(clock() - begun)
    return [min(taken) for taken in found]


def megabytes(call: Callable[[], Any]) -> float:
    """Return the peak of a call beyond what was there and what it returns."""
    gc.collect()
    tracemalloc.start()
    held = call()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del held
    return (peak - kept) / 1e6


def valid_rows(tile: xr.Dataset) -> Array:
    """Return the table of valid rows as somebody makes it who has NumPy alone."""
    planes = np.stack([tile[name].values for name in FEATURES]).reshape(len(FEATURES), -1)
    return planes[:, np.isfinite(planes).all(axis=0)].T


def predicting(size: int, repeat: int) -> list[str]:
    """Print times and peaks of predictions; return the claims that do not hold."""
    tile, given, failed = scene(size), rows(), []
    stack = np.stack([tile[n].values for n in FEATURES])
    table = np.ascontiguousarray(stack.reshape(len(FEATURES), -1).T)
    table = table[np.isfinite(table).all(axis=1)]
    print(f"predict {size}² × {len(FEATURES)}, {len(table) / size**2:.0%} valid")
    heads = ("floor s", "ours s", "ratio", "numpy s", "ratio", "called: s", "ours s", "ratio", "peak MB")
    print(f"{'':10}" + "".join(f"{head:>10}" for head in (*heads, "raster s", "peak MB")))
    for name, (estimator, limit) in ESTIMATORS.items():
        model = fit_rows(estimator, given, adapter=ToPixelMajor(FEATURES))
        op = PixelwiseClassifier(model)
        times = repeat if limit is not None else 7 * repeat
        floor, ours, plain = one_thread(model, op, tile, table, times)
        called = seconds(
            lambda model=model: model.estimator.predict(table),
            lambda op=op: run(op, tile),
            repeat=times,
            clock=time.perf_counter,
        )
        peak = megabytes(lambda op=op: run(op, tile)["label"])
        other = raster(estimator, given, stack)
        shown = (floor, ours, ours / floor, plain, ours / plain, *called, called[1] / called[0])
        print(f"{name:10}{''.join(f'{value:10.3f}' for value in shown)}{peak:10.1f}{other}")
        if called[1] > 1.05 * called[0]:
            failed.append(f"{name}: {called[1] / called[0]:.3f} × the floor as called, at most 1.05")
        if ours > plain:
            failed.append(f"{name}: {ours / plain:.3f} × a table made with NumPy and predict, at most 1")
        if limit is not None and ours / floor > limit:
            failed.append(f"{name}: {ours / floor:.3f} × the floor with one thread, at most {limit}")
        if peak > 100:
            failed.append(f"{name}: {peak:.0f} MB, at most 100")
    return failed


def one_thread(
    model: Any, op: PixelwiseClassifier, tile: xr.Dataset, table: Array, times: int
) -> list[float]:
    """Return what floor, ours, and a table made with NumPy cost where nothing has more than one thread."""
    size = tile.sizes["y"]
    with threadpool_limits(1):
        run(op, tile.isel(y=slice(size // 5, size // 5 + 8)), threads=1)
        return seconds(
            lambda: model.estimator.predict(table),
            lambda: run(op, tile, threads=1),
            lambda: model.estimator.predict(valid_rows(tile)),
            repeat=times,
        )


def raster(estimator: Any, given: TrainingRows, stack: Array) -> str:
    """Return time and peak of sklearn-raster on the same pixels."""
    try:
        from sklearn_raster import FeatureArrayEstimator
    except ImportError as error:
        return f"{'absent':>10}  ({error})"
    from sklearn.base import clone

    fitted = FeatureArrayEstimator(clone(estimator)).fit(given.X, given.y)

    def call() -> Any:
        return fitted.predict(stack, nodata_input=np.nan, nodata_output=255)

    (call_time,) = seconds(call, repeat=1)
    return f"{call_time:10.3f}{megabytes(call):10.1f}"


def fitting(count: int, scenes: int, trees: int) -> list[str]:
    """Print what reading and assembling costs beside fitting; return the claims that do not hold."""
    with tempfile.TemporaryDirectory() as folder:
        size = 512
        for number in range(scenes):
            rng = np.random.default_rng(number)
            bands = {n: rng.random((size, size), np.float32) for n in FEATURES}
            bands["label"] = (bands["f0"] + bands["f3"] > 1).astype(np.float32)
            box = GeoBox((size, size), Affine(10, 0, 5e5 + 1e4 * number, 0, -10, 5e6), "EPSG:32633")
            write_tile(tile_from_arrays(bands, box), Path(folder) / f"s{number}.tif")
        files = [str(Path(folder) / f"s{number}.tif") for number in range(scenes)]
        begun = time.process_time()
        given = training_rows(None, "label", files, GridSampler(256), count, adapter=ToPixelMajor(FEATURES))
        read = time.process_time() - begun
    forest = RandomForestClassifier(trees, random_state=0)
    begun = time.process_time()
    forest.fit(given.X, given.y.astype(int))
    fit = (time.process_time() - begun) / trees * 300
    print(
        f"fit: {len(given)} rows of {scenes} scenes in {read:.1f} s; 300 trees {fit:.0f} s: {read / fit:.1%}"
    )
    return [] if read <= 0.25 * fit else [f"assembling costs {read / fit:.0%} of the fit, at most 25 %"]


def main() -> int:
    """Run the benchmark and return 1 where a claim does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--trees", type=int, default=2)
    given = parser.parse_args()
    failed = predicting(given.size, given.repeat) + fitting(given.rows, given.scenes, given.trees)
    for claim in failed:
        print(f"does not hold: {claim}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
