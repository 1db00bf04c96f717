"""Operators that Ray's workers run in the tests."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

from geotoolz.core import Call, Map, Plan, TileSpec


class KillOnce(Map):
    """Kills the process that runs it, the first time only.

    Parameters
    ----------
    mark : str
        A file that remembers that it was done.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"writes_files"})

    mark: str

    def plan(self, tile: TileSpec) -> Plan:
        band = tile.find("red")
        return Plan(writes={band: tile.variables[band]}, calls=(Call((band,), (band,), self._die),))

    def _die(self, values: Any) -> Any:
        try:
            Path(self.mark).touch(exist_ok=False)
        except FileExistsError:
            return values
        os.kill(os.getpid(), signal.SIGKILL)
        return values


class Slow(Map):
    """Takes a while and changes nothing.

    Parameters
    ----------
    seconds : float
    busy : str
        A folder that holds a file in the meantime, named after the session: a node of a local cluster.
    """

    seconds: float = 0.3
    busy: str = ""

    def plan(self, tile: TileSpec) -> Plan:
        band = tile.find("red")
        return Plan(writes={band: tile.variables[band]}, calls=(Call((band,), (band,), self._wait),))

    def _wait(self, values: Any) -> Any:
        mark = Path(self.busy, str(os.getsid(0))) if self.busy else None
        if mark is not None:
            mark.touch()
        time.sleep(self.seconds)
        if mark is not None:
            mark.unlink()
        return values


class KillOncePerTile(Map):
    """Kills the process that runs it at the first attempt of every tile.

    Parameters
    ----------
    folder : str
        Where files remember which tiles had theirs.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"writes_files"})

    folder: str

    def plan(self, tile: TileSpec) -> Plan:
        band = tile.find("red")
        return Plan(writes={band: tile.variables[band]}, calls=(Call((band,), (band,), self._die),))

    def _die(self, values: Any) -> Any:
        mark = Path(self.folder, hashlib.sha256(values.tobytes()).hexdigest()[:16])
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return values
        os.kill(os.getpid(), signal.SIGKILL)
        return values
