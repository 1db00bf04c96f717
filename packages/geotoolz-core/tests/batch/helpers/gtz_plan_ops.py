"""Operators for the tests of plans: one with a file behind it, one whose pixels change with its version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Map, Plan, Ref, TileSpec, VarSpec


def _times(red: np.ndarray[Any, Any], factor: float) -> np.ndarray[Any, Any]:
    return (red * np.float32(factor)).astype(np.float32)


class Gained(Map):
    """Red times the number in a file: a model of one parameter."""

    model: Ref
    offset: float = 0.0

    def plan(self, tile: TileSpec) -> Plan:
        factor = float(self.model.read_bytes())
        attrs = {"quantity": "index", "units": "1"}
        return Plan((tile.find("red"),), {"gained": VarSpec(attrs=attrs)}, args=(factor,))

    kernel: ClassVar[Callable[..., Any]] = staticmethod(_times)


class Doubled(Map):
    """Red times two; `version` is what a test changes."""

    version: ClassVar[int] = 1

    def plan(self, tile: TileSpec) -> Plan:
        attrs = {"quantity": "index", "units": "1"}
        return Plan((tile.find("red"),), {"doubled": VarSpec(attrs=attrs)}, args=(2.0,))

    kernel: ClassVar[Callable[..., Any]] = staticmethod(_times)
