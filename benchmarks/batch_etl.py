# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]", "geotoolz-cloud", "geotoolz-indices", "geotoolz-nextgen"]
# ///
"""What a tile costs end to end: 1024 x 1024, five bands, COG in, COG out, with every engine.

Claim: with processes or Ray a tile takes at most 1.15 x the CPU time that it takes in the inline loop.
The peer is a loop of one's own over ``open_tile``, the pipeline and ``write_tile``, without journal, items,
checksums and pictures.

Run with ``python benchmarks/batch_etl.py [--ray] [--tiles N]``; exits 1 where a claim does not hold. Medians
of CPU time per tile, the first tiles of every worker (imports, compiled kernels, first use of memory) left
out. Run it on a machine that does nothing else: cores that share caches and memory cost CPU time too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # workers import this file by its name
BANDS = ("blue", "green", "red", "nir", "scl")
WARM_UP = 8
_seen: list[int] = []


def timed(task: Any) -> tuple[float, int]:
    """Make a tile; return its CPU seconds and how many this worker had made before."""
    from geotoolz.batch import run_tile

    begin = time.process_time()
    run_tile(task)
    _seen.append(1)
    return time.process_time() - begin, len(_seen)


def pipeline() -> Any:
    from geotoolz.cloud import MaskClouds
    from geotoolz.core import Sequential
    from geotoolz.indices import NDVI

    return Sequential([MaskClouds(), NDVI()])


def make_scenes(folder: Path, tiles: int) -> list[Path]:
    """Write one simulated scene as COGs and copy it under other names."""
    import shutil

    from geotoolz.core.testing import simulate_scene
    from geotoolz.io import write_tile

    scene = simulate_scene((1024, 1024), bands=BANDS)
    first = folder / "scene-000.tif"
    first.mkdir(parents=True)
    write_tile(scene, first / "{band}.tif")
    paths = [first]
    for number in range(1, tiles):
        paths.append(folder / f"scene-{number:03d}.tif")
        shutil.copytree(first, paths[-1])
    return paths


def by_hand(paths: list[Path], out: Path) -> float:
    """Return the median CPU seconds of a plain loop."""
    from geotoolz.core import run
    from geotoolz.io import open_tile, write_tile

    op, spent = pipeline(), []
    for path in paths:
        begin = time.process_time()
        tile = open_tile(path, bands=["red", "nir", "scl"])
        write_tile(run(op, tile, outputs=("ndvi",)), out / f"{path.stem}.tif", "ndvi")
        spent.append(time.process_time() - begin)
    return statistics.median(spent[WARM_UP:])


def by_engine(name: str, paths: list[Path], out: Path) -> float:
    """Return the median CPU seconds of `run_tile` with an engine."""
    import batch_etl

    from geotoolz.batch import CatalogPipeline, Driver, Layout, get_engine

    rows = [{"id": path.stem, "source": str(path), "kind": "folder"} for path in paths]
    job = CatalogPipeline(rows, pipeline(), out)
    Layout(job.out).make()
    tasks = [(tile.tile_id, tile.task) for tile in job.plan().todo]
    outcomes = list(Driver(get_engine(name, 2)).run(batch_etl.timed, tasks, len(tasks)))
    failed = [outcome.failure for outcome in outcomes if outcome.failure]
    if failed:
        raise SystemExit(f"{name}: {failed[0].message}")
    return statistics.median(outcome.value[0] for outcome in outcomes if outcome.value[1] > WARM_UP)


def side_by_side(paths: list[Path], out: Path) -> float:
    """Return the CPU seconds of a tile of two inline loops at the same time, each in a process of its own."""
    command = [sys.executable, __file__, "--loop", str(paths[0].parent)]
    loops = [
        subprocess.Popen([*command, str(out / str(number))], stdout=subprocess.PIPE, text=True)
        for number in range(2)
    ]
    return statistics.mean(float(loop.communicate()[0]) for loop in loops)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ray", action="store_true", help="also the Ray engine (starts Ray)")
    parser.add_argument("--tiles", type=int, default=60)
    parser.add_argument(
        "--loop", nargs=2, type=Path, metavar=("SCENES", "OUT"), help="one inline loop, alone"
    )
    args = parser.parse_args()
    os.environ.setdefault("GDAL_NUM_THREADS", "1")
    if args.loop is not None:
        print(by_engine("inline", sorted(args.loop[0].iterdir()), args.loop[1]))
        return 0
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    holds = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make_scenes(folder / "in", args.tiles)
        (folder / "hand").mkdir()
        hand = by_hand(paths, folder / "hand")
        print(f"{'by hand':<10} {hand * 1e3:.1f} ms CPU per tile")
        inline = 0.0
        for engine in ("inline", "process", *(["ray"] if args.ray else [])):
            spent = by_engine(engine, paths, folder / engine)
            inline = inline or spent
            holds &= spent <= 1.15 * inline
            ratios = f"{spent / inline:.2f} x inline, {spent / hand:.2f} x by hand"
            print(f"{engine:<10} {spent * 1e3:.1f} ms CPU per tile ({ratios})")
        two = side_by_side(paths, folder / "two")
        print(
            f"two inline loops side by side: {two * 1e3:.1f} ms CPU per tile ({two / inline:.2f} x one alone)"
        )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
