"""An operator that breaks the law: its result depends on how the tile is cut."""

from __future__ import annotations

import numpy as np

from geotoolz.core import Map, Plan, VarSpec


def minus_mean(red):
    """Return red minus the mean of the window, which should be the mean of the tile."""
    return (red - np.nanmean(red)).astype(np.float32)


class Cut(Map):
    """Says that it looks at one pixel, and looks at all."""

    kernel = staticmethod(minus_mean)

    def plan(self, tile):
        """Read red."""
        return Plan((tile.find("red"),), {"cut": VarSpec()})
