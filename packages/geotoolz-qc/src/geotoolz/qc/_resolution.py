"""Whether pixels have the size that is expected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from geotoolz.core import ParameterError, TileSpec
from geotoolz.qc._base import OnFail, PlanAssertion, Verdict
from geotoolz.qc._crs import grid_of

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


class AssertResolutionWithin(PlanAssertion):
    """Let a tile pass only if its pixels are neither too small nor too large: ``min ≤ size ≤ max``.

    Width and height of a pixel must both lie within the limits, ends included. Decided when the
    pipeline is planned; no pixel is read, none is changed, and no-data does not matter.

    In metres the unit of a projected CRS is converted (feet), its scale is taken for true: pixels in
    web mercator are smaller on the ground than they say. Degrees are converted at the middle of the
    tile, along its parallel and its meridian on the CRS's ellipsoid. A tile without a CRS fails,
    unless the unit is ``"crs"``.

    Parameters
    ----------
    limits : pair of float
        Smallest and largest size.
    unit : {"metre", "crs"}
        Unit of the limits: metres, or the CRS's own unit whatever it is.
    on_fail : {"raise", "warn", "tag"}
        Raise `QCError` before the first pixel; warn `QCWarning` and go on; or write the tile
        attribute ``qc_failed``, a list of texts, and go on.

    Raises
    ------
    QCError
        Naming the pixel's size.
    ParameterError
        If the limits are not positive, or in the wrong order.

    References
    ----------
    Karney, C. F. F. (2013). Algorithms for geodesics. Journal of Geodesy 87, 43–55 (for degrees).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertResolutionWithin
    >>> tile = simulate_scene((8, 8))
    >>> AssertResolutionWithin((9.5, 10.5))(tile).equals(tile)
    True
    """

    limits: tuple[float, float]
    unit: Literal["metre", "crs"] = "metre"
    on_fail: OnFail = "raise"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept whole numbers."""
        limits = values["limits"]
        if isinstance(limits, tuple | list) and all(type(size) in (int, float) for size in limits):
            return {**values, "limits": tuple(float(size) for size in limits)}
        return values

    def validate(self) -> None:
        """Check the limits."""
        low, high = self.limits
        if not 0 < low <= high < math.inf:
            raise ParameterError(f"limits=({low:g}, {high:g})", expected="0 < smallest ≤ largest")

    def judge(self, result: None, tile: TileSpec) -> Verdict:
        """Compare the size of the pixels."""
        low, high = self.limits
        expected = f"pixels of {low:g} … {high:g} {'m' if self.unit == 'metre' else 'CRS units'}"
        box, problem = grid_of(tile)
        if box is None:
            return Verdict(False, problem, expected)
        if box.crs is None and self.unit == "metre":
            return Verdict(False, "the tile has no CRS: the unit of its pixels is not known", expected)
        width, height = pixel_size(box)
        unit = _unit(box)
        found = f"pixels of {width:.6g} × {height:.6g} {unit}"
        if self.unit == "metre":
            width, height = _in_metres(box, width, height)
            if unit != "m":
                found += f", that is {width:.6g} × {height:.6g} m"
        return Verdict(low <= width <= high and low <= height <= high, found, expected)


def pixel_size(box: GeoBox) -> tuple[float, float]:
    """Return width and height of a pixel in units of the CRS, rotated or not."""
    t = box.affine
    if t.b == 0 and t.d == 0:
        return abs(t.a), abs(t.e)
    return math.hypot(t.a, t.d), math.hypot(t.b, t.e)


def _unit(box: GeoBox) -> str:
    if box.crs is None:
        return "units"
    return "°" if box.crs.geographic else {"metre": "m"}.get(name := _axis(box).unit_name, name)


def _axis(box: GeoBox) -> Any:
    if box.crs is None:
        raise ParameterError("a grid without a CRS has no unit")
    return box.crs.proj.axis_info[0]


def _in_metres(box: GeoBox, width: float, height: float) -> tuple[float, float]:
    """Return the size in metres; an angle at the middle of the grid, on the ellipsoid."""
    if box.crs is None or not box.crs.geographic:
        factor = float(_axis(box).unit_conversion_factor)
        return width * factor, height * factor
    to_degrees = math.degrees(float(_axis(box).unit_conversion_factor))
    t, (rows, cols) = box.affine, box.shape
    x = (t.a * cols / 2 + t.b * rows / 2 + t.c) * to_degrees
    y = (t.d * cols / 2 + t.e * rows / 2 + t.f) * to_degrees
    dx, dy = width * to_degrees / 2, height * to_degrees / 2
    ellipsoid = box.crs.proj.get_geod()
    if ellipsoid is None:
        raise ParameterError(f"{box.crs} has no ellipsoid", fix="unit='crs'")
    along = ellipsoid.inv(x - dx, y, x + dx, y)[2]
    across = ellipsoid.inv(x, y - dy, x, y + dy)[2]
    return float(along), float(across)
