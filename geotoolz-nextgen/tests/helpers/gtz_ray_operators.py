"""Operators that Ray's workers run in the tests."""

from __future__ import annotations

import os
import signal
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
