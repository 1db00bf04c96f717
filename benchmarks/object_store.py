# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog,cloud-io]", "moto[server]"]
# ///
"""What a run to an object store costs beside a run to a local folder, per tile.

Tiny tiles, so that driver and commit are what is measured. The store is `moto_server` on this machine: one
Python process that takes most of the time itself, which is told apart (CPU of our process against wall).

Claims: at most 5 PUT, 3 HEAD and 2 GET per tile of one raster with its style; our own CPU per tile is at most
twice that of a local run; a second run asks at most 10 questions.

Run with ``python benchmarks/object_store.py [--tiles N]``; exits 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "packages/geotoolz-core/tests/batch/helpers"))

import s3_server


def run(scenes: list[dict[str, str]], out: str) -> tuple[float, float]:
    """Return CPU and wall in ms per tile of a run, checked."""
    from geotoolz.batch import CatalogPipeline
    from geotoolz.radiometry import SelectBands

    job = CatalogPipeline(scenes, SelectBands(("red",)), out, progress="none")
    cpu, wall = time.process_time(), time.perf_counter()
    report = job.run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if not report.ok:
        raise SystemExit(str(report))
    return 1e3 * cpu / len(scenes), 1e3 * wall / len(scenes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=100)
    tiles = parser.parse_args().tiles
    from geotoolz.core.testing import write_scene

    with tempfile.TemporaryDirectory() as folder, s3_server.running() as address:
        scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, Path(folder, "in"))
        scenes = [{"id": f"tile-{number:05d}", "source": str(scene)} for number in range(tiles)]
        run(scenes[:2], f"{folder}/warm")
        local = run(scenes, f"{folder}/out")
        with s3_server.Proxy(address) as proxy:  # counts; not in the timed path
            os.environ |= s3_server.environment(proxy.address)
            s3_server.make_bucket(address, "bench")
            run(scenes[:10], "s3://bench/counted10")
            ten = {method: proxy.count(method) for method in ("PUT", "HEAD", "GET")}
            proxy.seen.clear()
            run(scenes[:20], "s3://bench/counted20")
            per_tile = {method: (proxy.count(method) - ten[method]) / 10 for method in ten}
            proxy.seen.clear()
            run(scenes[:20], "s3://bench/counted20")
            second = len(proxy.seen)
        os.environ |= s3_server.environment(address)
        remote = run(scenes, "s3://bench/out")
    print(f"local   {local[0]:6.1f} ms CPU {local[1]:6.1f} ms wall per tile")
    print(f"s3      {remote[0]:6.1f} ms CPU {remote[1]:6.1f} ms wall per tile (the server included)")
    print("requests per tile:", ", ".join(f"{method} {count:g}" for method, count in per_tile.items()))
    print(f"own CPU: {remote[0] / local[0]:.2f} × a local run; a second run asks {second} questions")
    held = {
        "requests per tile": per_tile["PUT"] <= 5 and per_tile["HEAD"] <= 3 and per_tile["GET"] <= 2,
        "own CPU at most twice a local run": remote[0] <= 2 * local[0],
        "a second run asks at most 10 questions": second <= 10,
    }
    for claim, holds in held.items():
        print("holds" if holds else "FAILS", claim)
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
