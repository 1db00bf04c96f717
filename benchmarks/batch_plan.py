# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]"]
# ///
"""What a plan costs that explains every tile.

Claims: of 10^5 tiles a plan takes at most 10 s of CPU when all are fresh, and when all are stale because a
parameter of the pipeline changed (the summary then names its path and both values). Without a claim: the same
with the journal lost, when every item is opened, and writing the journal again.

The outputs are laid down without being computed. Run with ``python benchmarks/batch_plan.py [--tiles N]``;
exits 1 where the claim does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geotoolz.batch import CatalogPipeline, Journal, rebuild_journal
from geotoolz.batch._configs import described, keep_config
from geotoolz.batch._item import code_versions
from geotoolz.core import Sequential
from geotoolz.io import WriteCOG
from geotoolz.radiometry import BoxMean

MOST = 10.0  # seconds of CPU


def job(folder: Path, tiles: int, radius: int = 1) -> CatalogPipeline:
    """Return a job whose tiles are rows of paths."""
    names = [f"tile-{number:06d}" for number in range(tiles)]
    rows = [{"id": name, "source": f"{folder}/in/{name}.tif", "kind": "raster"} for name in names]
    op = Sequential([BoxMean(radius, bands=("red",)), WriteCOG("{item_id}.tif")])
    return CatalogPipeline(rows, op, folder / "out", progress="none")


def lay_down(folder: Path, tiles: int) -> None:
    """Leave what a finished run leaves: inputs, outputs, items, journal, configuration."""
    (folder / "in").mkdir()
    for number in range(tiles):
        (folder / "in" / f"tile-{number:06d}.tif").write_bytes(b"pixels")
    made = job(folder, tiles)
    made.layout.make()
    keep_config(made.layout, made.config_hash, described(made.op))
    with Journal(made.layout.journal(None)) as journal:
        journal.append("run", run="r", versions=code_versions())
        for tile in made.plan().tiles:
            if tile.task is None:
                continue
            (folder / "out" / f"{tile.tile_id}.tif").write_bytes(b"made")
            stamps = [[stamp.path, stamp.size, stamp.mark] for stamp in tile.task.stamps]
            told = {"key": tile.task.key, "cfg": tile.task.config_hash, "run": "r"}
            journal.append(
                "done", id=tile.tile_id, **told, out=[[f"{tile.tile_id}.tif", 4, "0" * 64]], **{"in": stamps}
            )
            properties = {
                "geotoolz:task_key": tile.task.key,
                "geotoolz:config_hash": tile.task.config_hash,
                "geotoolz:inputs": stamps,
                "processing:software": code_versions(),
            }
            asset = {"href": f"../{tile.tile_id}.tif", "file:size": 4, "file:checksum": "1220" + "0" * 64}
            item = {"id": tile.tile_id, "properties": properties, "assets": {"data": asset}}
            made.layout.item(tile.tile_id).write_bytes(json.dumps(item).encode())


def timed(what: str, act: Callable[[], Any], most: float = float("inf")) -> bool:
    """Run something, print its CPU time, and say whether it kept the bound."""
    begin = time.process_time()
    told = act()
    spent = time.process_time() - begin
    print(f"{what:<40} {spent:7.2f} s CPU   {told}")
    return spent <= most


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=100_000)
    tiles = parser.parse_args().tiles
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_down(folder, tiles)
        holds = timed("plan, all fresh", lambda: job(folder, tiles).plan().counts, MOST)
        stale = job(folder, tiles, 3)
        holds &= timed("plan, all stale", lambda: [str(one) for one in stale.plan().summary], MOST)
        (folder / "out/.geotoolz/journal.jsonl").unlink()
        timed("plan, journal lost", lambda: job(folder, tiles).plan().counts)
        timed("journal written again", lambda: len(rebuild_journal(folder / "out")))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
