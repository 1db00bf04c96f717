# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core", "xarray"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# ///
"""What it costs to import geotoolz and to ask the command line for help, in CPU seconds.

Claims: ``import geotoolz`` takes at most 0.15 s of CPU, ``geotoolz --help`` at most 0.5 s. The peer is
``import xarray``, which every user of tiles has paid for already.

Run: uv run benchmarks/import_time.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

_REPEATS = 7
_HELP = """
import sys
from geotoolz._cli import main
sys.argv = ["geotoolz", "--help"]
main()
"""


def cpu_and_wall(code: str) -> tuple[float, float]:
    """Return the median CPU and wall seconds of a fresh interpreter that runs `code`."""
    cpu, wall = [], []
    for _ in range(_REPEATS):
        before, started = os.times(), time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        wall.append(time.perf_counter() - started)
        cpu.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return statistics.median(cpu), statistics.median(wall)


def main() -> None:
    """Print one line per case, the bare interpreter taken off."""
    bare_cpu, bare_wall = cpu_and_wall("pass")
    print(f"bare interpreter          {bare_cpu:6.3f} s CPU  {bare_wall:6.3f} s wall")
    for label, code in {
        "import geotoolz": "import geotoolz",
        "import geotoolz.core": "import geotoolz.core",
        "import xarray (peer)": "import xarray",
        "geotoolz --help": _HELP,
    }.items():
        cpu, wall = cpu_and_wall(code)
        print(f"{label:<25} {cpu - bare_cpu:6.3f} s CPU  {wall:6.3f} s wall with the interpreter")


if __name__ == "__main__":
    main()
