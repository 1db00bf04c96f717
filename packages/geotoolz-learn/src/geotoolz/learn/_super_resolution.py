"""SuperResolutionModel: finer pixels by a network that is loaded once."""

from __future__ import annotations

from collections.abc import Iterable

from geotoolz.core._lazy import xr
from geotoolz.learn._segmentation import LoadedModel


class SuperResolutionModel(LoadedModel):
    """A network that makes finer pixels, loaded once and asked about many tiles.

    The result lies on a grid with ``zoom`` × ``zoom`` pixels for one, from the same corner, and holds what
    the network makes; what lay on the old grid is gone.

    Parameters
    ----------
    op : ModelOp
        The operator; `load` makes it from a file.

    Examples
    --------
    >>> from torch import nn
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import ModelOp, SuperResolutionModel
    >>> finer = nn.Upsample(scale_factor=2, mode="nearest").eval()
    >>> op = ModelOp(finer, inputs=["red"], classes=["red"], task="super_resolution", zoom=2)
    >>> SuperResolutionModel(op).enhance(simulate_scene((20, 30), bands=("red",))).red.shape
    (40, 60)
    """

    tasks = ("super_resolution",)
    what = "super-resolution"

    def enhance(self, tile: xr.Dataset) -> xr.Dataset:
        """Return a tile on the finer grid.

        Parameters
        ----------
        tile : xarray.Dataset
            With the network's inputs, by name, and a CRS.
        """
        return self.op(tile)

    def enhance_batched(self, tiles: Iterable[xr.Dataset]) -> list[xr.Dataset]:
        """Return many tiles, each on its finer grid.

        Parameters
        ----------
        tiles : iterable of xarray.Dataset
            The tiles.
        """
        return [self.op(tile) for tile in tiles]
