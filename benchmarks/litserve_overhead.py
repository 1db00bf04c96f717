# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-serve[litserve]", "geotoolz-indices"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-serve = { path = "../packages/geotoolz-serve", editable = true }
# ///
"""What the LitServe adapter adds to LitServe: a request that does nothing, theirs and ours, in one run.

Claim: at most 1.2 × the time and the CPU of a bare `LitAPI` that receives the same JSON, and sends the same
bytes back from the same number of worker processes. Ours validates the request, looks the source up and
names the pipeline's hash. The work itself, which is that of ``/process`` in any server, is replaced by a
result that is ready: what is measured is the adapter and nothing else.

Both servers run while either is asked; they are asked in turns, in short rounds, and medians of the rounds
are compared. CPU is that of the servers' processes, from ``/proc``. Exits 1 where the claim does not hold.

Run: uv run benchmarks/litserve_overhead.py
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT = 1.2
BARE = """
import sys
import litserve
from fastapi import Response

BODY = bytes(16)

class Bare(litserve.LitAPI):
    def setup(self, device):
        pass
    def decode_request(self, request):
        return request["source"]
    def predict(self, x):
        return BODY
    def encode_response(self, output):
        return Response(output, media_type="application/octet-stream")

if __name__ == "__main__":
    server = litserve.LitServer(Bare(api_path="/process/ndvi"), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, num_api_servers=1,
               log_level="warning")
"""
OURS = """
import sys
import litserve
from geotoolz.serve import PipelineAPI
from geotoolz.serve._litserve import Encoded

class NoWork(PipelineAPI):
    def _run(self, body):
        return Encoded(bytes(16), "application/octet-stream", {"X-Config-Hash": self.served.config_hash})

if __name__ == "__main__":
    settings = {"pipelines": [{"name": "ndvi", "config": {"_target_": "geotoolz.indices.NDVI"}}],
                "catalogs": {"s2": sys.argv[2]}}
    server = litserve.LitServer(NoWork(settings), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, num_api_servers=1,
               log_level="warning")
"""


@contextmanager
def serving(code: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run a server; yield its port and its process."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        script = Path(folder, "server.py")  # LitServe starts processes that import it
        script.write_text(code)
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(script), str(port), *arguments],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            try:
                wait(port, process, Path(folder, "log"))
                yield port, process.pid
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # LitServe's workers outlive it otherwise
                process.wait(20)


def wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server is up."""
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.1)
    raise SystemExit("a server did not start")


def cpu(leader: int) -> float:
    """Return the CPU seconds of all processes of a session so far."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == leader:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def round_of(port: int, body: bytes, count: int) -> float:
    """Return the median milliseconds of some requests over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken = []
    for _ in range(count):
        begin = time.perf_counter()
        connection.request("POST", "/process/ndvi", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        taken.append((time.perf_counter() - begin) * 1000)
        if answer.status != 200 or content != bytes(16):
            raise SystemExit(f"answered {answer.status}: {content[:300]!r}")
    return statistics.median(taken)


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=200, help="of a round")
    arguments = parser.parse_args()
    from geotoolz.catalog import GeoCatalog
    from geotoolz.core.testing import write_scene

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scene({"shape": (32, 32), "bands": ("red", "nir")}, folder / "archive")
        catalog = GeoCatalog.from_folder(folder / "archive")
        catalog.save(folder / "scenes.parquet")
        item = next(iter(catalog)).tile_id
        body = json.dumps({"source": {"catalog": "s2", "item": item}, "format": "npz"}).encode()
        with serving(BARE) as theirs, serving(OURS, str(folder / "scenes.parquet")) as ours:
            wall, spent = compare({"bare LitAPI": theirs, "PipelineAPI": ours}, body, arguments)
    print(f"time: ours / theirs {wall:.3f}, CPU: ours / theirs {spent:.3f}  (at most {LIMIT})")
    return int(max(wall, spent) > LIMIT)


def compare(
    servers: dict[str, tuple[int, int]], body: bytes, arguments: argparse.Namespace
) -> tuple[float, float]:
    """Ask in turns; return the ratios of time and CPU."""
    for port, _ in servers.values():
        round_of(port, body, 50)
    begun = {name: cpu(pid) for name, (_, pid) in servers.items()}
    rounds: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(arguments.rounds):
        for name, (port, _) in servers.items():
            rounds[name].append(round_of(port, body, arguments.requests))
    many = arguments.rounds * arguments.requests
    spent = {name: (cpu(pid) - begun[name]) / many * 1000 for name, (_, pid) in servers.items()}
    for name, times in rounds.items():
        print(f"{name:12} {statistics.median(times):6.3f} ms a request, {spent[name]:6.3f} ms CPU")
    (theirs, ours), (their_cpu, our_cpu) = map(statistics.median, rounds.values()), spent.values()
    return ours / theirs, our_cpu / their_cpu


if __name__ == "__main__":
    sys.exit(main())
