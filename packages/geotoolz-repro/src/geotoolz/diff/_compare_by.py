"""Two variables, compared for each class of a third."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import Plan, Reduce, TileSpec
from geotoolz.diff._counts import GATHERERS, Gathered, Side

Array = np.ndarray[Any, Any]
ByState = dict[float, Any]


class CompareBy(Reduce):
    """Two variables of one shape, class by class; made by the joint run, never part of a pipeline.

    Parameters
    ----------
    kind : str
        "continuous", "probability" or "classes".
    nodata_a, nodata_b, nodata_by : float
        NaN where there is none.
    scale_a, scale_b : float
        What stored values are multiplied with.
    """

    kind: str
    nodata_a: float
    nodata_b: float
    nodata_by: float
    scale_a: float = 1.0
    scale_b: float = 1.0

    def plan(self, tile: TileSpec) -> Plan:
        """Read nothing by name: the joint run says which slots are compared."""
        return Plan()

    def init(self, tile: TileSpec, previous: Any = None) -> ByState:
        """Return no class."""
        return {}

    def update(self, state: ByState, *arrays: Array) -> ByState:
        """Take in the pixels of a block."""
        a, b, by = arrays
        by = np.broadcast_to(by, a.shape)
        for value in np.unique(by).tolist():
            if value == self.nodata_by or value != value:
                continue
            here = by == value
            self._of(state, float(value)).take(a[here], b[here])
        return state

    def _of(self, state: ByState, value: float) -> Any:
        if value not in state:
            sides = (Side(self.nodata_a, self.scale_a), Side(self.nodata_b, self.scale_b))
            state[value] = GATHERERS[self.kind](*sides)
        return state[value]

    def merge(self, a: ByState, b: ByState) -> ByState:
        """Add the counts of two workers."""
        for value, gatherer in b.items():
            if value in a:
                a[value].merge(gatherer)
            else:
                a[value] = gatherer
        return a

    def finish(self, state: ByState) -> dict[float, Gathered]:
        """Return what was found of every class."""
        return {value: state[value].finish() for value in sorted(state)}
