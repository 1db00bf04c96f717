"""When a failed attempt is tried again, and after how long."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ._failure import FailureKind

__all__ = ["RetryPolicy"]

_WORKER_DIED = (FailureKind.LOST, FailureKind.TIMEOUT)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts by kind of failure.

    Parameters
    ----------
    transient : int
        Attempts in all for failures that may pass (network, busy server).
    worker_deaths : int
        Workers that one task may take down (killed, crashed, over its deadline) before it counts as poison.
    node_losses : int
        Attempts that may end because a machine of the cluster went away. They say nothing about the task,
        and are not counted with the others; the bound ends a run on a cluster that loses every node.
    base, cap : float
        Pause in seconds before the second attempt, doubled for each further one, at most `cap`. A share of up
        to half of it, taken from a hash of task and attempt (so a run can be repeated), is added: tiles that
        failed together do not come back together.

    Examples
    --------
    >>> policy = RetryPolicy()
    >>> policy.again(FailureKind.TRANSIENT, {FailureKind.TRANSIENT: 1})
    True
    >>> policy.again(FailureKind.BAD_DATA, {FailureKind.BAD_DATA: 1})
    False
    >>> 1.0 <= policy.pause("tile-7", 1) <= 1.5
    True
    """

    transient: int = 4
    worker_deaths: int = 3
    node_losses: int = 10
    base: float = 1.0
    cap: float = 60.0

    def again(self, kind: FailureKind, counts: Mapping[FailureKind, int]) -> bool:
        """Say whether a task with these failures so far gets another attempt."""
        if kind is FailureKind.TRANSIENT:
            return counts.get(kind, 0) < self.transient
        if kind is FailureKind.NODE:
            return counts.get(kind, 0) <= self.node_losses
        if kind in _WORKER_DIED:
            return self.deaths(counts) < self.worker_deaths
        return False

    def deaths(self, counts: Mapping[FailureKind, int]) -> int:
        """Count the workers that the task took down."""
        return sum(counts.get(kind, 0) for kind in _WORKER_DIED)

    def pause(self, ident: str, attempt: int) -> float:
        """Return the seconds to wait after attempt number `attempt` (from 1)."""
        wait = min(self.cap, self.base * 2.0 ** (attempt - 1))
        digest = hashlib.sha256(f"{ident}:{attempt}".encode()).digest()
        return wait * (1.0 + 0.5 * int.from_bytes(digest[:4], "little") / 2**32)
