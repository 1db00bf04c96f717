# /// script
# requires-python = ">=3.11"
# ///
"""The fault-injection suite for longer: `python benchmarks/faults.py --faults 2000`.

Runs ``packages/geotoolz-core/tests/batch/faults`` with so many worker kills instead of the 200 of the tests,
and prints how many there were. Run it with the Python of the workspace:
``uv run python benchmarks/faults.py``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

SUITE = Path(__file__).resolve().parents[1] / "packages/geotoolz-core/tests/batch/faults"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faults", type=int, default=2000, help="workers to kill at random moments")
    wanted = parser.parse_args().faults
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=0", str(SUITE)]
    return subprocess.run(command, env={**os.environ, "GEOTOOLZ_FAULTS": str(wanted)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
