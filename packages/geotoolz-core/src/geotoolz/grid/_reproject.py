"""To another reference system."""

from __future__ import annotations

from collections.abc import Mapping

from geotoolz.core import TileSpec
from geotoolz.grid._base import Regrid
from geotoolz.grid._target import check_resolution, parse_crs, reprojected, require_sensible, warp_within
from geotoolz.grid._warp import Method, Warp


class Reproject(Regrid):
    """Bring a tile into another coordinate reference system.

    Reads and writes every variable; dtype, units and attributes stay. The new grid covers the old
    one; its pixels' edges lie on multiples of the pixel size, so tiles that are reprojected one by
    one fit together. Positions come from a control lattice anchored at the new grid's first pixel and
    are off by less than 1/256 of a source pixel; a window has the bits that the whole has (GDAL's
    warper, which this replaces, gives other pixels for other windows).

    No-data stays no-data: a pixel whose centre falls on one, or outside the tile, becomes no-data;
    neighbours without data do not count. Integers are rounded and never become the no-data value by
    accident. Flags, classes and masks take the nearest pixel (the most frequent one for the methods
    by area); masks are False outside the tile.

    Parameters
    ----------
    crs : str
        The reference system, such as ``"EPSG:3857"``.
    resolution : float, optional
        Pixel size in units of `crs`. By default that of the tile where the units agree, otherwise
        what it is at the tile's centre.
    method : {"nearest", "bilinear", "cubic", "average", "mode"}
        How pixels are made: the pixel under the centre; between 4; cubic convolution of 16 (Keys 1981,
        a = -1/2); the mean or the most frequent value of all pixels under the box around the new
        pixel's corners, by area.
    fill : mapping of str to float, optional
        No-data values for integer variables that have none.

    Raises
    ------
    MissingCRSError
        If the tile has no reference system.
    TileError
        If an integer variable has no no-data value, and the new grid reaches beyond the tile.

    References
    ----------
    R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. Acoustics,
    Speech, and Signal Processing 29(6), 1981.

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.grid import Reproject
    >>> web = Reproject("EPSG:3857", resolution=20)(simulate_scene((64, 64), bands=("red", "scl")))
    >>> grid = geobox_of(web)
    >>> grid.crs.epsg, grid.resolution.xy
    (3857, (20.0, -20.0))
    """

    crs: str
    resolution: float | None = None
    method: Method = "bilinear"
    fill: Mapping[str, float] | None = None

    def validate(self) -> None:
        """Check reference system and pixel size."""
        check_resolution(self.resolution)
        parse_crs(self.crs)

    def warp(self, tile: TileSpec) -> Warp:
        """Return the change to the new reference system."""
        source = tile.require_geobox(type(self).__name__)
        target = reprojected(source, parse_crs(self.crs), self.resolution)
        require_sensible(tile, target, f"resolution={self.resolution:g}" if self.resolution else self.crs)
        return warp_within(tile, source, target)
