"""To the grid of another tile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geotoolz.core import MissingCRSError, OutsideError, ParameterError, TileError, TileSpec, geobox_of
from geotoolz.core._grid import grid_label
from geotoolz.core._lazy import xr
from geotoolz.grid._base import Regrid
from geotoolz.grid._target import parse_crs, warp_to
from geotoolz.grid._warp import Method, Warp

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


class MatchGrid(Regrid):
    """Bring a tile onto a given grid, pixel by pixel that of another tile.

    Reads and writes every variable, as `Reproject` does. `MatchGrid.like` takes the grid from a tile.

    Parameters
    ----------
    crs : str
        The grid's reference system.
    transform : tuple of 6 float
        Its affine transform in the order of rasterio: ``(a, b, c, d, e, f)`` with ``x = a·col + b·row + c``.
    shape : tuple of int
        Its rows and columns.
    method : {"nearest", "bilinear", "cubic", "average", "mode"}
        As for `Reproject`.
    fill : mapping of str to float, optional
        As for `Reproject`.

    Raises
    ------
    OutsideError
        If the tile and the grid have no pixel in common.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.grid import MatchGrid, Reproject
    >>> tile = simulate_scene((64, 64), bands=("red",))
    >>> other = Reproject("EPSG:3857")(tile)
    >>> MatchGrid.like(other)(tile).red.equals(other.red)
    True
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]
    method: Method = "bilinear"
    fill: Mapping[str, float] | None = None

    @classmethod
    def like(
        cls,
        grid: xr.Dataset | xr.DataArray | GeoBox,
        method: Method = "bilinear",
        fill: Mapping[str, float] | None = None,
    ) -> MatchGrid:
        """Return the operator for the grid of a tile, or for a GeoBox."""
        box = geobox_of(grid) if isinstance(grid, xr.Dataset | xr.DataArray) else grid
        if not hasattr(box, "affine") or not hasattr(box, "crs"):
            raise TileError(
                f"MatchGrid.like got {type(grid).__name__}",
                expected="a tile or a GeoBox",
                fix="open the file first: MatchGrid.like(geotoolz.open_tile(path))",
            )
        if box.crs is None:
            raise MissingCRSError("the grid to match has no CRS", fix="ds.rio.write_crs(…)")
        label = f"EPSG:{box.crs.epsg}" if box.crs.epsg is not None else box.crs.to_wkt()
        height, width = map(int, box.shape)
        transform: Any = tuple(map(float, box.affine[:6]))
        return cls(crs=label, transform=transform, shape=(height, width), method=method, fill=fill)

    def validate(self) -> None:
        """Check that the grid is one."""
        a, b, _, d, e, _ = self.transform
        if a * e - b * d == 0:
            raise ParameterError(f"transform={self.transform} maps all pixels onto a line")
        if min(self.shape) < 1:
            raise ParameterError(f"shape={self.shape}", expected="at least (1, 1)")
        parse_crs(self.crs)

    def warp(self, tile: TileSpec) -> Warp:
        """Return the change to the given grid."""
        from affine import Affine
        from odc.geo.geobox import GeoBox

        source = tile.require_geobox(type(self).__name__)
        target = GeoBox(self.shape, Affine(*self.transform), parse_crs(self.crs))
        change = warp_to(tile, source, target)
        whole = change.needed_by_all()
        if 0 in whole.shape and 0 not in tile.shape:
            raise OutsideError(
                f"the tile ({grid_label(tile.window_geobox)}) does not touch the grid ({grid_label(target)})",
                expected="a grid over the tile",
                fix="mind the grid's CRS and transform",
            )
        return change
