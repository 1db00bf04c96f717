"""The process in which strangers' pipelines run: ``python -m geotoolz.serve._sandbox_child``.

It talks through its standard input and output. Requests come from the server and are pickles; answers go
to the server and are JSON and bytes, so that nothing of what happens here is ever unpickled there.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

REQUEST = struct.Struct(">Q")
ANSWER = struct.Struct(">IQ")
_MB = 2**20


def serve(source: BinaryIO, sink: BinaryIO, memory_mb: int, cpu_s: float) -> None:
    """Answer requests until the source ends.

    Parameters
    ----------
    source, sink : binary files
    memory_mb : int
        Address space beyond what the process has now.
    cpu_s : float
        Processor seconds per request.
    """
    from geotoolz.serve._sandbox_run import answer_to, warm_up

    warm_up()
    _limit_memory(memory_mb)
    _send(sink, {"ready": os.getpid()}, b"")
    while head := source.read(REQUEST.size):
        request = pickle.loads(source.read(REQUEST.unpack(head)[0]))  # from our own server
        _limit_time(cpu_s)
        facts, body = _guarded(lambda: answer_to(request))  # noqa: B023 - called at once
        _send(sink, facts, body)


def _guarded(work: Callable[[], tuple[dict[str, Any], bytes]]) -> tuple[dict[str, Any], bytes]:
    from geotoolz.core import GeotoolzError
    from geotoolz.serve._errors import as_problem

    try:
        return work()
    except MemoryError:
        problem = {"status": 422, "code": "limit_exceeded", "message": "the run needs too much memory"}
    except GeotoolzError as error:
        told = as_problem(error)
        problem = {"status": told.status, "code": told.code, "message": told.message, "fix": told.fix}
    except RecursionError:
        problem = {"status": 422, "code": "limit_exceeded", "message": "the pipeline is nested too deeply"}
    except Exception as error:  # noqa: BLE001 - a stranger's pipeline found an error of ours
        # the kind alone: its text might hold anything
        kind = type(error).__name__
        problem = {"status": 422, "code": "cannot_run", "message": f"the pipeline cannot be run: {kind}"}
    return {"problem": {"fix": "", **problem}}, b""


def _send(sink: BinaryIO, facts: dict[str, Any], body: bytes) -> None:
    head = json.dumps(facts).encode()
    sink.write(ANSWER.pack(len(head), len(body)) + head)
    sink.write(body)
    sink.flush()


def _limit_memory(memory_mb: int) -> None:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = held + memory_mb * _MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory_mb * _MB, memory_mb * _MB))


def _limit_time(cpu_s: float) -> None:
    """Let the kernel end this process after so many further seconds of processor time."""
    used = time.process_time()
    soft = int(used + cpu_s) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the server is gone."""
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def main() -> None:
    """Run as a child of the server."""
    _die_with_parent()
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get into the answers
    os.chdir(tempfile.mkdtemp(prefix="geotoolz-sandbox-", dir=os.environ.get("TMPDIR")))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    serve(source, sink, int(sys.argv[1]), float(sys.argv[2]))


if __name__ == "__main__":
    main()
