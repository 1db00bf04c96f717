# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]", "geotoolz-indices", "geotoolz-cloud", "geotoolz-nextgen"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# geotoolz-qc = { path = "../packages/geotoolz-qc", editable = true }
# geotoolz-nextgen = { path = "../geotoolz-nextgen", editable = true }
# ///
"""CPU time per tile of the main job: 1024² pixels, five bands, COG in and COG out.

Claim: Ray or processes cost at most 1.15 × the CPU time per tile of the inline engine. The peer is the plain
loop over ``open_tile``, the pipeline and ``write_tile``, without tasks, journal, checksums and pictures.

CPU time is that of this process and all its descendants, taken from /proc; start-up of the engines (measured
with as many tiles as there are workers) is taken off and printed by itself.

Run: RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 uv run benchmarks/etl_per_tile.py [TILES]
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geotoolz.batch import CatalogPipeline, NoProgress
from geotoolz.catalog import GeoCatalog
from geotoolz.cloud import MaskClouds
from geotoolz.core import Sequential
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG, write_tile

_TICKS = os.sysconf("SC_CLK_TCK")
_BANDS = ("blue", "green", "red", "nir", "scl")


class TreeClock:
    """CPU seconds of a process tree, sampled so that children that end are not lost."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeClock:
        self._base = self._sample()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self.seconds = self._sample() - self._base

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self._sample()

    def _sample(self) -> float:
        parents: dict[int, int] = {}
        used: dict[int, tuple[int, float]] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            pid = int(entry.name)
            parents[pid] = int(fields[1])
            used[pid] = (int(fields[19]), (int(fields[11]) + int(fields[12])) / _TICKS)
        own = {os.getpid()}
        grew = True
        while grew:
            more = {pid for pid, parent in parents.items() if parent in own} - own
            own |= more
            grew = bool(more)
        # Ray's daemons leave the tree when their starter ends; they are known by then
        known = {pid for pid, _ in self._seen}
        for pid in own | (known & set(used)):
            if pid in used:
                self._seen[(pid, used[pid][0])] = used[pid][1]
        return sum(self._seen.values())


def make_scenes(folder: Path, count: int) -> None:
    """Write simulated scenes as tiled GeoTIFFs with STAC items."""
    for seed in range(count):
        scene = simulate_scene((1024, 1024), seed=seed, bands=_BANDS, raw=True, tile_id=f"bench_{seed:03d}")
        write_scene(scene, folder)


def cpu_of(fn: Callable[[], Any]) -> tuple[float, float]:
    """Return CPU and wall seconds of a call, children included."""
    started = time.perf_counter()
    with TreeClock() as clock:
        fn()
    return clock.seconds, time.perf_counter() - started


def main() -> None:
    """Print CPU per tile and ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as work:
        root = Path(work)
        make_scenes(root / "scenes", count)
        catalog = GeoCatalog.build(root / "scenes")
        few = catalog.sample(2, 0)
        pipeline = Sequential([MaskClouds(), NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))])
        bare = Sequential([MaskClouds(), NDVI()])

        def loop(rows: Any, out: Path) -> None:
            out.mkdir()
            for part in rows.tiles():
                tile = bare(part.load(bands=("red", "nir", "scl")))
                write_tile(tile[["ndvi"]], out / f"{tile.attrs['tile_id']}.tif")

        def job(rows: Any, engine: str, out: Path) -> None:
            report = CatalogPipeline(
                rows, pipeline, out=out, engine=engine, n_workers=2, progress=NoProgress()
            ).run()
            if report.counts.get("done", 0) != len(rows):
                raise RuntimeError(f"{engine}: {report}")

        loop(few, root / "warm")  # compile the kernels
        rows = []
        cpu, wall = cpu_of(lambda: loop(catalog, root / "loop"))
        rows.append(("plain loop, no tasks", 0.0, cpu / count, wall))
        for engine in ("inline", "process", "ray"):
            start_cpu, _ = cpu_of(lambda e=engine: job(few, e, root / f"{e}_few"))  # type: ignore[misc]
            cpu, wall = cpu_of(lambda e=engine: job(catalog, e, root / e))  # type: ignore[misc]
            per_tile = (cpu - start_cpu) / (count - len(few))
            rows.append((engine, start_cpu - len(few) * per_tile, per_tile, wall))
        inline = rows[1][2]
        for label, start, per_tile, wall in rows:
            print(
                f"{label:<22} {per_tile * 1e3:8.1f} ms CPU/tile   {per_tile / inline:5.2f} x inline   "
                f"start-up {start:6.2f} s CPU   {wall:6.2f} s wall"
            )
        print("claim: process and ray <= 1.15 x inline")


if __name__ == "__main__":
    main()
