# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]", "geotoolz-indices", "geotoolz-nextgen[dask]"]
# ///
"""The driver of a large job, and what a second worker is worth on each engine.

Claims: a job of 10^5 tiles keeps its driver below 500 MB, and costs it at most 1 ms of CPU per tile (plan,
journal, report included), and 1 ms of CPU per task on Ray; its second run, which finds nothing to do, takes
at most 10 s. Two workers do at least 0.9 times twice as much as one on a CPU-bound pipeline. The engines
(processes, Ray, dask.distributed) run one job beside each other.

Run with ``python benchmarks/cluster.py [--tiles N] [--tasks N] [--scenes N]``; every measurement is a process
of its own. Exits 1 where a claim does not hold. Two workers need two free CPUs: nothing else may run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from operator import index as no_op
from pathlib import Path
from typing import Any

MIB = 2**20


class NullEngine:
    """Answers at once that a tile was made: what is left is the driver."""

    name = "null"
    window = 64

    def __init__(self) -> None:
        self._done: list[Any] = []

    def start(self, fn: Any) -> None:
        """Need nothing."""

    def submit(self, ticket: int, payload: Any, timeout: float | None = None) -> None:
        """Make an answer up: two files, as a tile has them."""
        from geotoolz.batch import Completion, TileResult
        from geotoolz.batch._commit import OutputFile

        files = tuple(
            OutputFile(f"{payload.tile_id}_{band}.tif", 4, f"{ticket:064x}") for band in ("ndvi", "ndwi")
        )
        seconds = {"describe": 0.01, "read": 0.5, "run": 0.4, "write": 0.2}
        value = TileResult(
            payload.tile_id, payload.key, "done", files, seconds, (), {"ndvi": 0.9, "ndwi": 0.9}
        )
        self._done.append(Completion(ticket, value, None, 1.1, "null"))

    def wait(self, timeout: float | None) -> list[Any]:
        """Return the answers."""
        done, self._done = self._done, []
        return done

    def stop(self, *, now: bool = False) -> None:
        """Need nothing."""


def peak() -> int:
    """Return the most memory that this process has held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("no peak of memory is told here")


def _job(folder: Path, tiles: int, engine: Any) -> Any:
    from geotoolz.batch import CatalogPipeline
    from geotoolz.core import Sequential
    from geotoolz.io import WriteCOG
    from geotoolz.radiometry import SelectBands

    op = Sequential([SelectBands(("red",)), WriteCOG("{item_id}.tif")])
    names = (f"tile-{number:06d}" for number in range(tiles))
    rows = [{"id": name, "source": f"{folder}/in/{name}.tif", "kind": "raster"} for name in names]
    return CatalogPipeline(rows, op, folder / "out", engine=engine, progress="none")


def first_run(folder: str, tiles: int) -> dict[str, Any]:
    """Run a job whose tiles cost nothing, and leave their files and items as a run does."""
    (Path(folder) / "in").mkdir()
    for number in range(tiles):
        (Path(folder) / "in" / f"tile-{number:06d}.tif").write_bytes(b"pixels")
    begun = time.process_time()
    job = _job(Path(folder), tiles, NullEngine())
    counts = job.run().counts
    told = {"counts": counts, "ms": (time.process_time() - begun) / tiles * 1e3, "peak": peak()}
    for number in range(tiles):
        name = f"tile-{number:06d}"
        job.layout.item(name).write_text("{}")
        for band in ("ndvi", "ndwi"):
            (Path(folder) / "out" / f"{name}_{band}.tif").write_bytes(b"made")
    return told


def second_run(folder: str, tiles: int) -> dict[str, Any]:
    """Run it again, on Ray, which is not started."""
    begun = time.perf_counter()
    counts = _job(Path(folder), tiles, "ray").run().counts
    return {
        "counts": counts,
        "seconds": time.perf_counter() - begun,
        "peak": peak(),
        "ray": "ray" in sys.modules,
    }


def per_task(engine: str, tasks: int) -> dict[str, Any]:
    """Return what a no-op task costs the driver, without the engine's start."""
    from geotoolz.batch import Driver, get_engine

    outcomes = Driver(get_engine(engine, 2)).run(no_op, ((str(i), i) for i in range(tasks)), tasks)
    next(outcomes)
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in outcomes)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_ms": wall / count * 1e3, "cpu_ms": cpu / count * 1e3, "peak": peak()}


def one_job(engine: str, workers: int, scenes: str, out: str) -> dict[str, Any]:
    """Time a CPU-bound pipeline over scenes, from the first tile's end to the last's."""
    from geotoolz.batch import CatalogPipeline
    from geotoolz.core import Sequential, pixel_hash
    from geotoolz.indices import NDVI
    from geotoolz.io import WriteCOG, open_tile
    from geotoolz.radiometry import BoxMean

    steps = [BoxMean(radius=radius, bands=("red", "nir")) for radius in (9, 8, 7, 6, 5, 4)]
    op = Sequential([*steps, NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))])
    rows = sorted(Path(scenes).iterdir())
    ends: list[float] = []

    class Clock:
        """Notes when tiles end."""

        def start(self, todo: int, fresh: int, engine: str) -> None: ...
        def tile(self, tile_id: str, state: str, message: str, seconds: float) -> None:
            ends.append(time.perf_counter())

        def note(self, event: str, message: str) -> None: ...
        def finish(self, message: str) -> None: ...

    progress: Any = Clock()
    begun = time.perf_counter()
    made = CatalogPipeline(
        rows, op, out, engine=engine, n_workers=workers, quicklook=False, progress=progress
    )
    report = made.run()
    whole = time.perf_counter() - begun
    if report.counts != {"done": len(rows)}:
        raise SystemExit(f"{engine}: {report}")
    # each worker's first tile pays for imports and compilation
    rate = (len(ends) - 2 * workers) / (ends[-1] - ends[2 * workers - 1])
    hashes = [pixel_hash(open_tile(path), ["ndvi"]) for path in sorted(Path(out).glob("*.tif"))]
    return {"rate": rate, "seconds": whole, "hashes": hashes}


def measured(name: str, *arguments: Any) -> dict[str, Any]:
    """Run one of the functions above in a process of its own."""
    code = f"import sys, json; sys.path.insert(0, {str(Path(__file__).parent)!r}); import cluster; "
    code += f"print(json.dumps(cluster.{name}(*{arguments!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}{arguments}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def large_job(tiles: int) -> bool:
    """Measure the driver of a job of so many tiles."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = measured("first_run", folder, tiles), measured("second_run", folder, tiles)
    print(
        f"first run of {tiles} tiles: {first['ms']:.3f} ms CPU of the driver per tile, "
        f"{first['peak'] / MIB:.0f} MiB, {first['counts']}"
    )
    print(
        f"second run: {second['seconds']:.1f} s, {second['peak'] / MIB:.0f} MiB, {second['counts']}, "
        f"Ray imported: {second['ray']}"
    )
    right = first["counts"] == {"done": tiles} and second["counts"] == {"fresh": tiles} and not second["ray"]
    small = max(first["peak"], second["peak"]) < 500e6
    return bool(right and small and first["ms"] <= 1.0 and second["seconds"] <= 10.0)


def tasks_on(engines: list[str], tasks: int) -> bool:
    """Measure what a task costs the driver on every engine."""
    holds = True
    for engine in engines:
        found = measured("per_task", engine, tasks)
        print(
            f"{engine:<8} {found['cpu_ms']:.3f} ms CPU of the driver per task, "
            f"{found['wall_ms']:.3f} ms wall, {found['peak'] / MIB:.0f} MiB after {tasks} tasks"
        )
        holds &= engine != "ray" or (found["cpu_ms"] <= 1.0 and found["peak"] < 500e6)
    return holds


def scaling(engines: list[str], scenes: int, size: int) -> bool:
    """Run one job on every engine with one worker and with two."""
    from geotoolz.core.testing import write_scene

    holds = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(scenes):
            scene = {"shape": (size, size), "bands": ("red", "nir"), "seed": number}
            write_scene(
                {**scene, "datetime": f"2023-{number // 28 + 1:02d}-{number % 28 + 1:02d}"}, folder / "scenes"
            )
        hashes = set()
        for engine in engines:
            one, two = (
                measured("one_job", engine, n, str(folder / "scenes"), str(folder / f"{engine}{n}"))
                for n in (1, 2)
            )
            share = two["rate"] / (2 * one["rate"])
            hashes |= {tuple(one["hashes"]), tuple(two["hashes"])}
            print(
                f"{engine:<8} {one['rate']:.2f} tiles/s with one worker, {two['rate']:.2f} with two "
                f"({share:.2f} of twice as much); runs of {one['seconds']:.1f} s and {two['seconds']:.1f} s"
            )
            holds &= share >= 0.9
    print(f"{len(hashes)} set of pixels")
    return holds and len(hashes) == 1


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=100_000, help="of the large job")
    parser.add_argument(
        "--tasks", type=int, default=20_000, help="no-op tasks per engine; 100000 for the claim"
    )
    parser.add_argument("--scenes", type=int, default=40, help="of the job that all engines run")
    parser.add_argument("--size", type=int, default=1500, help="rows and columns of each")
    parser.add_argument("--engines", nargs="*", default=["process", "ray", "dask"])
    args = parser.parse_args()
    parts = [
        large_job(args.tiles) if args.tiles else True,
        tasks_on(args.engines, args.tasks) if args.tasks else True,
        scaling(args.engines, args.scenes, args.size) if args.scenes else True,
    ]
    return 0 if all(parts) else 1


if __name__ == "__main__":
    sys.exit(main())
