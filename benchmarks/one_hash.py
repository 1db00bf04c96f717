# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "geotoolz-core[catalog,dask,zarr]", "geotoolz-cloud", "geotoolz-indices", "geotoolz-nextgen",
# ]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-nextgen = { path = "../geotoolz-nextgen", editable = true }
# ///
"""Pipelines over every driver that one machine has, on a simulated scene of 10980² pixels: one hash each.

Claim: the SHA-256 of the pixels (`geotoolz.core.pixel_hash`) is the same for the whole tile in memory,
windows with threads, streams into a COG and into a Zarr, dask, a catalog in one process, in a process pool
and on Ray. Each driver runs in a process of its own. The whole tile needs several GB.

Run: uv run benchmarks/one_hash.py [--size N] [--pipelines mask,grid] [--drivers whole,stream-cog]; exits 1
where the claim does not hold. `tests/test_one_hash.py` runs the same functions on small scenes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

BANDS = ("red", "nir", "scl")
Sources = Mapping[str, Path]
"""Folders of scenes by the scene's name."""
Hashes = dict[str, str]

# ---- pipelines ---------------------------------------------------------------------------------------------


def mask(sources: Sources) -> tuple[Any, tuple[str, ...]]:
    """Mask, index, clip; the clip is frozen on the first scene, which is read in windows."""
    from geotoolz.cloud import MaskClouds
    from geotoolz.core import Sequential, freeze
    from geotoolz.indices import NDVI
    from geotoolz.io import open_scene
    from geotoolz.radiometry import PercentileClip

    op = Sequential([MaskClouds(), NDVI(), PercentileClip(2, 98, bands=("ndvi",))])
    return freeze(op, open_scene(next(iter(sources.values())), bands=BANDS)), ("ndvi",)


def grid(sources: Sources) -> tuple[Any, tuple[str, ...]]:
    """Filter and reproject two bands."""
    from geotoolz.core import Sequential
    from geotoolz.grid import Reproject
    from geotoolz.radiometry import BoxMean, SelectBands

    steps = [SelectBands(("red", "nir")), BoxMean(3), Reproject("EPSG:3857")]
    return Sequential(steps), ("red", "nir")


def graph(sources: Sources) -> tuple[Any, tuple[str, ...]]:
    """Branch after the mask; several variables."""
    from geotoolz.cloud import MaskClouds
    from geotoolz.core import Branch, Sequential
    from geotoolz.indices import NDVI
    from geotoolz.radiometry import BoxMean

    smooth = Sequential([NDVI(), BoxMean(2, bands=("ndvi",))])
    branches = Branch({"at": NDVI(), "around": smooth, "far": BoxMean(5, ("red", "nir"))}, prefix=True)
    return Sequential([MaskClouds(), branches]), ("at_ndvi", "around_ndvi", "far_red", "far_nir")


PIPELINES: dict[str, Callable[[Sources], tuple[Any, tuple[str, ...]]]] = {
    "mask": mask,
    "grid": grid,
    "graph": graph,
}

# ---- drivers -----------------------------------------------------------------------------------------------


def _tile(op: Any, names: tuple[str, ...], source: Path) -> Any:
    from geotoolz.core import compile
    from geotoolz.io import describe, open_tile

    return open_tile(source, bands=compile(op, describe(source, bands=BANDS), names).inputs)


def whole(op: Any, names: tuple[str, ...], sources: Sources, folder: Path) -> Hashes:
    """The whole tile in memory."""
    from geotoolz.core import pixel_hash, run

    return {n: pixel_hash(run(op, _tile(op, names, s), outputs=names), names) for n, s in sources.items()}


def windows(op: Any, names: tuple[str, ...], sources: Sources, folder: Path) -> Hashes:
    """In memory, in odd windows, by three threads."""
    from geotoolz.core import pixel_hash, run

    found = {}
    for name, source in sources.items():
        tile = _tile(op, names, source)
        size = (max(1, tile.sizes["y"] // 9), max(1, tile.sizes["x"] // 5))
        found[name] = pixel_hash(run(op, tile, outputs=names, window=size, threads=3), names)
    return found


def stream_cog(op: Any, names: tuple[str, ...], sources: Sources, folder: Path) -> Hashes:
    """From file to file, into a COG."""
    from geotoolz.core import pixel_hash
    from geotoolz.io import open_tile, stream

    found = {}
    for name, source in sources.items():
        done = stream(op, source, folder / f"{name}.tif", outputs=names, threads=2, bands=BANDS)
        found[name] = pixel_hash(open_tile(done.paths[0]), names)
    return found


def stream_zarr(op: Any, names: tuple[str, ...], sources: Sources, folder: Path) -> Hashes:
    """From file to file, into a Zarr, in odd windows."""
    from geotoolz.core import pixel_hash
    from geotoolz.io import open_zarr, stream

    found = {}
    for name, source in sources.items():
        done = stream(op, source, folder / f"{name}.zarr", outputs=names, window=(600, 1111), bands=BANDS)
        found[name] = pixel_hash(open_zarr(done.paths[0]), names)
    return found


def dask(op: Any, names: tuple[str, ...], sources: Sources, folder: Path) -> Hashes:
    """Lazily, by dask, in odd chunks."""
    from geotoolz.core import pixel_hash, run

    found = {}
    for name, source in sources.items():
        tile = _tile(op, names, source)
        chunks = {dim: max(1, tile.sizes[dim] // parts + 1) for dim, parts in (("y", 3), ("x", 4))}
        found[name] = pixel_hash(run(op, tile.chunk(chunks), outputs=names), names)
    return found


def catalog(engine: str) -> Callable[..., Hashes]:
    """Return the driver that runs a catalog with an engine."""

    def driver(op: Any, names: tuple[str, ...], sources: Sources, folder: Path) -> Hashes:
        from geotoolz.batch import CatalogPipeline
        from geotoolz.catalog import GeoCatalog
        from geotoolz.core import Sequential, pixel_hash
        from geotoolz.io import WriteCOG, open_tile

        items = [item for source in sources.values() for item in GeoCatalog.from_folder(source).to_items()]
        to_files = Sequential([*op, WriteCOG("{tile_id}.tif", bands=names)])
        job = CatalogPipeline(
            GeoCatalog.from_items(items), to_files, out=folder / engine, engine=engine, n_workers=2,
            progress="none", on_error="raise",
        )  # fmt: skip
        job.run()
        return {name: pixel_hash(open_tile(folder / engine / f"{name}.tif"), names) for name in sources}

    return driver


DRIVERS: dict[str, Callable[[Any, tuple[str, ...], Sources, Path], Hashes]] = {
    "whole": whole,
    "windows": windows,
    "stream-cog": stream_cog,
    "stream-zarr": stream_zarr,
    "dask": dask,
    "inline": catalog("inline"),
    "process": catalog("process"),
    "ray": catalog("ray"),
}


# ---- one process per driver --------------------------------------------------------------------------------


def _child(pipeline: str, driver: str, scene: str, folder: str) -> None:
    from geotoolz.core import load

    warnings.simplefilter("ignore")
    source = Path(scene)
    text = Path(folder, f"{pipeline}.json").read_text(encoding="utf-8")
    told = json.loads(text)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        found = DRIVERS[driver](load(told["yaml"]), tuple(told["names"]), {source.name: source}, Path(out))
    print(json.dumps(found[source.name]))


def main() -> int:
    """Simulate the scene, run every driver on it, compare."""
    from geotoolz.core import dump
    from geotoolz.core.testing import write_scene

    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=10980)
    parser.add_argument("--pipelines", default=",".join(PIPELINES))
    parser.add_argument("--drivers", default=",".join(DRIVERS))
    parser.add_argument(
        "--folder", type=Path, help="where scene and outputs go; a temporary folder by default"
    )
    args = parser.parse_args()
    wrong = False
    with tempfile.TemporaryDirectory(dir=args.folder) as tmp:
        shape = (args.size, args.size)
        scene = write_scene({"shape": shape, "bands": BANDS, "cloud_cover": 0.2, "nodata_edge": True}, tmp)
        for name in args.pipelines.split(","):
            op, names = PIPELINES[name]({scene.name: scene})
            Path(tmp, f"{name}.json").write_text(json.dumps({"yaml": dump(op), "names": names}), "utf-8")
            found = {driver: _run(name, driver, scene, tmp) for driver in args.drivers.split(",")}
            wrong |= len(set(found.values())) > 1
            print(f"{name}: {len(set(found.values()))} hash of {len(found)} drivers", flush=True)
    return 1 if wrong else 0


def _run(pipeline: str, driver: str, scene: Path, tmp: str) -> str:
    begin = time.perf_counter()
    environment = {**os.environ, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    command = [sys.executable, __file__, "--child", pipeline, driver, str(scene), tmp]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{pipeline}, {driver}:\n{done.stderr[-3000:]}")
    found: str = json.loads(done.stdout.splitlines()[-1])
    print(f"{pipeline:6s} {driver:12s} {found[:16]}  {time.perf_counter() - begin:6.1f} s", flush=True)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(*sys.argv[2:6])
    else:
        sys.exit(main())
