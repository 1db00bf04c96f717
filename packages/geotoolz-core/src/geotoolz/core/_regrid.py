"""How an operator changes the grid of a tile, and which input pixels a window of its output needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geotoolz.core._errors import TileError
from geotoolz.core._extent import Extent

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


@dataclass(frozen=True)
class GridChange:
    """Base of what a plan says when its output lies on another grid.

    A subclass knows the output's grid and maps windows backwards. The kernels of such a plan are
    told where they are by two keywords, both `Extent` on the lattice of the respective parent grid:
    ``source`` (the pixels they were handed) and ``extent`` (the pixels they must return).

    Parameters
    ----------
    geobox : GeoBox
        The output's parent grid.
    shape : tuple of int
        Rows and columns of the output tile.
    offset : tuple of int
        Row and column of the output tile's first pixel on the lattice of `geobox`.
    source_shape : tuple of int
        Rows and columns of the input tile.
    scale : tuple of float
        Input pixels per output pixel along rows and columns, at most; tells how a later
        neighbourhood grows on its way back.
    """

    geobox: GeoBox
    shape: tuple[int, int]
    offset: tuple[int, int]
    source_shape: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)

    def backward(self, extent: Extent) -> Extent:
        """Return the input pixels that these output pixels depend on.

        Parameters
        ----------
        extent : Extent
            Output pixels, counted from the output tile's first.

        Returns
        -------
        Extent
            Input pixels, counted from the input tile's first. What lies outside the tile is cut off
            by the caller.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what a window depends on")

    def needed(self, extent: Extent) -> Extent:
        """Return `backward` cut to the input tile; an empty extent where they do not touch."""
        return self.backward(extent).clipped(self.source_shape)

    def require_alone(self, found: set[str], kept: set[str], operator: str) -> None:
        """Raise if a plan leaves a variable on the old grid."""
        left = sorted(kept - found)
        if left:
            raise TileError(
                f"{operator} changes the grid and leaves {', '.join(left)} on the old one",
                expected="a plan that writes or drops every variable",
                fix="say in the plan what happens to them: a call, or drops=(…)",
            )
