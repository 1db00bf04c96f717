"""What is remembered of the simulated cluster of this machine, so that commands and engines find it."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = [
    "ClusterState",
    "cluster_folder",
    "is_running",
    "read_state",
    "short_folder",
    "token_for",
    "write_state",
]

_FILE = "cluster.json"


@dataclass(frozen=True)
class ClusterState:
    """A cluster, between two commands.

    Attributes
    ----------
    address : str
        Of the head, for ``--ray-address``.
    client : str
        The same through Ray's client (``ray://…``); empty where gRPC is not installed (``ray[client]``).
    jobs : str
        Where ``ray job submit`` finds it; empty without Ray's dashboard.
    pids : tuple of int
        The process of each node, the head first.
    cpus : int
        Of each node.
    token : str
        Path of the file with the token that lets one in.
    """

    address: str
    client: str
    jobs: str
    pids: tuple[int, ...]
    cpus: int
    token: str

    @property
    def alive(self) -> tuple[int, ...]:
        """The nodes whose process runs."""
        return tuple(pid for pid in self.pids if is_running(pid))

    def forget(self, folder: Path) -> None:
        """Remove the file and the token."""
        (folder / _FILE).unlink(missing_ok=True)
        Path(self.token).unlink(missing_ok=True)


def short_folder(name: str = "") -> str:
    """Return a folder of this user whose sockets have short names."""
    folder = tempfile.gettempdir()
    if len(folder) > 30:
        folder = "/tmp"
    who = os.getuid() if hasattr(os, "getuid") else 0
    return os.path.join(folder, f"gtz-ray-{who}{name}")  # noqa: PTH118


def cluster_folder() -> Path:
    """Return where the cluster of ``geotoolz cluster`` lives."""
    return Path(short_folder("-cluster"))


def read_state(folder: Path | None = None) -> ClusterState | None:
    """Return what is remembered, if anything."""
    try:
        found = json.loads(((folder or cluster_folder()) / _FILE).read_text("utf-8"))
        return ClusterState(**{**found, "pids": tuple(found["pids"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_state(folder: Path, state: ClusterState) -> None:
    """Remember a cluster."""
    (folder / _FILE).write_text(json.dumps(asdict(state)), "utf-8")


def token_for(address: str) -> str:
    """Return the path of the token for an address of the simulated cluster, empty for any other."""
    state = read_state()
    if state is None or address not in (state.address, state.client, state.jobs):
        return ""
    return state.token


def is_running(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
