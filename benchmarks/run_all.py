# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-nextgen", "rich"]
# ///
"""All claims in one table: claim, ours, peers, target, held or not.

The claims stand in ``claims.toml``, each with the script that measures it and the place of its number in what
the script prints. The scripts run one after the other, each in a process of its own, and nothing else should
run beside them. The result, with facts of the machine, becomes a JSON file under ``results/``, one per day:
``--only`` renews the rows of some scripts.

Run with ``uv run benchmarks/run_all.py [--quick] [--only NAME ...] [--titiler PYTHON]
[--python SCRIPT=PYTHON ...]``; exits 1 where a claim does not hold, or its number was not found. ``--quick``
takes small sizes: it shows that all run, not what they cost; claims that only the full size can show are left
out. A claim whose library is absent is left out, with the reason.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
import tomllib
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIBRARIES = ("numpy", "numba", "xarray", "rasterio", "dask", "ray", "torch", "scikit-learn", "geotoolz-core")


@dataclass(frozen=True)
class Row:
    """One claim and what was found."""

    issue: int
    script: str
    what: str
    target: str
    ours: float | None
    unit: str
    peers: str
    held: bool | None
    why: str = ""

    @property
    def verdict(self) -> str:
        """Return what stands in the last column."""
        return {True: "pass", False: "FAIL", None: "left out"}[self.held]


def read(claim: dict[str, Any], script: str, text: str) -> Row:
    """Find a claim's number in what its script printed, and compare."""
    found = re.search(claim["pattern"], text)
    beside = re.search(claim["peer"], text) if "peer" in claim else None
    peers = f"{claim['peer_name']} {beside[1]}" if beside else ""
    target = _target(claim)
    shared = {"issue": claim["issue"], "script": script, "what": claim["what"], "target": target,
              "unit": claim["unit"], "peers": peers}  # fmt: skip
    if found is None:
        if "absent" in claim:  # the script names nothing where all is well
            return Row(**shared, ours=None, held=True, why=claim["absent"])
        return Row(**shared, ours=None, held=False, why="its number was not printed")
    ours = float(found[1])
    if "at_most_peer" in claim:
        return Row(
            **shared, ours=ours, held=bool(beside) and ours <= claim["at_most_peer"] * float(beside[1])
        )
    held = ours >= claim["at_least"] if "at_least" in claim else ours <= claim["at_most"]
    return Row(**shared, ours=ours, held=held)


def _target(claim: dict[str, Any]) -> str:
    if "at_most_peer" in claim:
        return f"≤ {claim['at_most_peer']:g} × {claim['peer_name']}"
    return f"≥ {claim['at_least']:g}" if "at_least" in claim else f"≤ {claim['at_most']:g}"


def measure(entry: dict[str, Any], given: argparse.Namespace) -> list[Row]:
    """Run a script and read its claims."""
    script = entry["run"]
    other = dict(pair.split("=", 1) for pair in given.python)
    python = other.get(script, sys.executable)
    absent = [name for name in entry.get("needs", ()) if script not in other and find_spec(name) is None]
    if entry.get("titiler") and given.titiler is None:
        absent.append("titiler (--titiler PYTHON)")
    if absent:
        return [_left_out(claim, script, f"needs {', '.join(absent)}") for claim in entry["claims"]]
    arguments = entry.get("quick", []) if given.quick else entry.get("args", [])
    if entry.get("titiler"):
        arguments = [*arguments, "--titiler", given.titiler]
    begin = time.perf_counter()
    print(f"… {script} {' '.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [python, str(HERE / script), *arguments], capture_output=True, text=True, check=False
    )
    print(f"  {time.perf_counter() - begin:.0f} s, exit code {done.returncode}", file=sys.stderr, flush=True)
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
        (given.keep / f"{script}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    if not done.stdout.strip():
        why = (done.stderr.strip().splitlines() or ["nothing was printed"])[-1]
        return [
            Row(c["issue"], script, c["what"], _target(c), None, c["unit"], "", False, why)
            for c in entry["claims"]
        ]
    return [
        _left_out(claim, script, "only at full size")
        if given.quick and claim.get("full")
        else read(claim, script, done.stdout)
        for claim in entry["claims"]
    ]


def _left_out(claim: dict[str, Any], script: str, why: str) -> Row:
    return Row(claim["issue"], script, claim["what"], _target(claim), None, claim["unit"], "", None, why)


def machine() -> dict[str, Any]:
    """Return what a reader of the numbers has to know."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next(
        (int(line.split()[1]) // 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0
    )
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "versions": versions,
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def show(rows: list[Row]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*("issue", "claim", "ours", "peers", "target", ""), header_style="bold")
    for row in rows:
        ours = row.why if row.ours is None else f"{row.ours:g} {row.unit}"
        table.add_row(str(row.issue), f"{row.what} ({row.script})", ours, row.peers, row.target, row.verdict)
    Console(width=160 if not sys.stdout.isatty() else None).print(table)


def store(facts: dict[str, Any], rows: list[Row], order: list[str]) -> None:
    """Write the rows of a day; those of scripts that ran earlier on that day, and not now, stay."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path = HERE / "results" / f"{now[:10]}.json"
    path.parent.mkdir(exist_ok=True)
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    mine = {row.script for row in rows}
    kept = [row for row in before if row["script"] not in mine]
    made = sorted([*kept, *map(asdict, rows)], key=lambda row: order.index(row["script"]))
    result = {"when": now, "machine": facts, "rows": made}
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    """Run the chosen scripts, print the table, keep the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: that all run, not what they cost")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", default=[], help="beginnings of the scripts' names"
    )
    parser.add_argument("--titiler", metavar="PYTHON", help="the Python of an environment with titiler")
    parser.add_argument(
        "--python", nargs="+", metavar="SCRIPT=PYTHON", default=[],
        help="a script's own environment: torch_loader.py=…/bin/python, of one with torchgeo",
    )  # fmt: skip
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="what the scripts print goes here")
    given = parser.parse_args()
    facts, rows = machine(), []
    entries = tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))["script"]
    for entry in entries:
        if not given.only or entry["run"].startswith(tuple(given.only)):
            rows += measure(entry, given)
    show(rows)
    counts = {
        verdict: sum(row.verdict == verdict for row in rows) for verdict in ("pass", "FAIL", "left out")
    }
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if not given.quick:
        store(facts, rows, [entry["run"] for entry in entries])
    return int(any(row.held is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
