# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]", "geotoolz-nextgen"]
# ///
"""What the driver costs per task, and what a run with nothing to do costs.

Claims: 10^4 no-op tasks take under 1 ms each in the driver (a bare ProcessPoolExecutor runs beside us); the
second, empty run of a 10^4-tile job takes under 3 s, of a 10^5-tile job under 10 s (one process: CPU time, so
that a busy machine does not decide) and does not start, or import, Ray.

Run with ``python benchmarks/batch_overhead.py [--ray] [--tasks N]``; exits 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from operator import index as no_op
from pathlib import Path

SECOND_RUN = """
import sys, time
begin = time.perf_counter()
from geotoolz.batch import CatalogPipeline
from geotoolz.core import Sequential
from geotoolz.io import WriteCOG
from geotoolz.radiometry import SelectBands
op = Sequential([SelectBands(("red",)), WriteCOG("{{item_id}}.tif")])
names = [f"tile-{{i:06d}}" for i in range({tasks})]
rows = [{{"id": name, "source": f"{folder}/in/{{name}}.tif", "kind": "raster"}} for name in names]
job = CatalogPipeline(rows, op, "{folder}/out", engine="ray", progress="none")
{body}
"""


def driver_cost(engine_name: str, tasks: int) -> tuple[float, float]:
    """Return wall and driver CPU in ms per no-op task, without the engine's start."""
    from geotoolz.batch import Driver, get_engine

    outcomes = Driver(get_engine(engine_name, 2)).run(no_op, ((str(i), i) for i in range(tasks)), tasks)
    next(outcomes)  # the engine has started
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in outcomes)
    return (time.perf_counter() - wall) / count * 1e3, (time.process_time() - cpu) / count * 1e3


def pool_cost(tasks: int) -> tuple[float, float]:
    """Return the same for the standard library's pool."""
    with ProcessPoolExecutor(2) as pool:
        pool.submit(no_op, 0).result()
        wall, cpu = time.perf_counter(), time.process_time()
        for future in [pool.submit(no_op, i) for i in range(tasks)]:
            future.result()
        return (time.perf_counter() - wall) / tasks * 1e3, (time.process_time() - cpu) / tasks * 1e3


def prepare(folder: Path, tasks: int) -> None:
    """Leave what a finished run of `tasks` tiles leaves, without running it: files, items, journal."""
    (folder / "in").mkdir()
    for number in range(tasks):
        (folder / "in" / f"tile-{number:06d}.tif").write_bytes(b"pixels")
    body = """
from geotoolz.batch import Journal, Layout
from geotoolz.batch._item import code_versions
layout = Layout(job.out)
layout.make()
with Journal(layout.journal(None)) as journal:
    journal.append("run", run="r", versions=code_versions())
    for tile in job.plan().tiles:
        (job.out / f"{tile.tile_id}.tif").write_bytes(b"made")
        layout.item(tile.tile_id).write_text("{}")
        stamps = [[s.path, s.size, s.mark] for s in tile.task.stamps]
        journal.append("done", id=tile.tile_id, key=tile.task.key, cfg=tile.task.config_hash, run="r",
                       out=[[f"{tile.tile_id}.tif", 4, "0" * 64]], **{"in": stamps})
(job.out / "report.json").write_text("{}")
"""
    subprocess.run(
        [sys.executable, "-c", SECOND_RUN.format(folder=folder, tasks=tasks, body=body)], check=True
    )


def second_run(folder: Path, tasks: int) -> dict[str, object]:
    """Time a whole process that finds nothing to do."""
    body = """
import json
ready = time.perf_counter()
report = job.run()
print(json.dumps({"counts": report.counts, "run_s": time.perf_counter() - ready, "ray": "ray" in sys.modules,
                  "cpu_s": time.process_time(), "import_s": ready - begin}))
"""
    begin = time.perf_counter()
    text = SECOND_RUN.format(folder=folder, tasks=tasks, body=body)
    done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout), "process_s": time.perf_counter() - begin}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ray", action="store_true", help="also the Ray engine (starts Ray)")
    parser.add_argument("--tasks", type=int, default=10_000)
    args = parser.parse_args()
    holds = True
    peer = pool_cost(args.tasks)
    print(f"ProcessPoolExecutor  {peer[0]:.3f} ms wall, {peer[1]:.3f} ms CPU of the driver per task")
    for name in ("inline", "process", *(["ray"] if args.ray else [])):
        wall, cpu = driver_cost(name, args.tasks)
        holds &= cpu < 1.0
        ratio = cpu / peer[1]
        print(f"{name:<20} {wall:.3f} ms wall, {cpu:.3f} ms CPU of the driver per task ({ratio:.2f} x pool)")
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), args.tasks)
        found = second_run(Path(name), args.tasks)
    holds &= (
        found["counts"] == {"fresh": args.tasks}
        and not found["ray"]
        and float(str(found["cpu_s"])) < (3.0 if args.tasks <= 10_000 else 10.0)
    )
    print(
        f"second run of {args.tasks} tiles: {found['cpu_s']:.2f} s CPU for the process "
        f"({found['process_s']:.2f} s wall, of which imports {found['import_s']:.2f} s, "
        f"run() {found['run_s']:.2f} s), "
        f"{found['counts']}, Ray imported: {found['ray']}"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
