"""Who holds a lease: a process, by its number, its machine and its start."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["is_alive", "myself", "named", "read_holder"]


def myself() -> dict[str, Any]:
    """Describe this process."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "start": _start_of(os.getpid())}


def read_holder(path: Path) -> dict[str, Any]:
    """Return what a holder wrote; nothing where it has ended in good order, or wrote half of it."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def named(holder: Mapping[str, Any]) -> str:
    """Return a holder as an error names it.

    Examples
    --------
    >>> named({"pid": 12, "host": "node-3"}), named({})
    ('process 12 on node-3', 'another process')
    """
    if "pid" not in holder:
        return "another process"
    return f"process {holder['pid']} on {holder.get('host', 'an unknown machine')}"


def is_alive(holder: Mapping[str, Any]) -> bool:
    """Say whether a holder is another process of this machine that runs still.

    A process's number is used again one day; its start, in ticks since the machine's, is not, and no clock
    that somebody sets changes it. Of other machines, and of systems without ``/proc``, nothing is known.
    """
    pid, start = holder.get("pid"), holder.get("start")
    if not isinstance(pid, int) or not start or pid == os.getpid():
        return False
    return holder.get("host") == socket.gethostname() and _start_of(pid) == start


def _start_of(pid: int) -> str:
    """Return when a process began; empty for one that is gone, and without ``/proc``."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"
