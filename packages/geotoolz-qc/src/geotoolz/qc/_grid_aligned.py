"""Whether pixel edges lie where those of other tiles lie."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from geotoolz.core import ParameterError, TileSpec
from geotoolz.qc._base import OnFail, PlanAssertion, Verdict
from geotoolz.qc._crs import crs_text, grid_of, parsed_crs, same_crs

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


class AssertGridAligned(PlanAssertion):
    """Let a tile pass only if its pixel edges lie on a lattice: ``x = anchor_x + i·resolution`` (and y).

    Tiles on one lattice can be stacked and mosaicked without resampling. Every edge of the tile is
    meant: the corner must lie on the lattice, and the size of a pixel must be a whole multiple of
    the resolution, so closely that the last edge is on the lattice, too. Decided when the pipeline
    is planned; no pixel is read, none is changed, and no-data does not matter. A rotated grid fails.

    Parameters
    ----------
    anchor : pair of float
        A point (x, y) on the lattice in the CRS's units. Sentinel-2's lattice goes through (0, 0),
        that of Landsat at 30 m through (15, 15).
    resolution : float, optional
        Spacing of the lattice; by default the size of the tile's pixels.
    crs : str, optional
        The CRS that anchor and resolution are meant in; a tile in another one fails.
    tolerance : float
        By which share of the resolution an edge may be off; coordinates are rounded by those who
        write them.
    on_fail : {"raise", "warn", "tag"}
        Raise `QCError` before the first pixel; warn `QCWarning` and go on; or write the tile
        attribute ``qc_failed``, a list of texts, and go on.

    Raises
    ------
    QCError
        Naming by how much the edges are off.
    ParameterError
        If the resolution is not positive, the anchor not finite, or the tolerance not a share below
        one half.

    References
    ----------
    Sentinel-2 Products Specification Document (ESA, S2-PDGS-TAS-DI-PSD), tiling in UTM; GDAL, option
    ``-tap`` (target aligned pixels) of gdalwarp.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertGridAligned
    >>> tile = simulate_scene((8, 8))
    >>> AssertGridAligned()(tile).equals(tile)
    True
    >>> AssertGridAligned((5.0, 0.0), on_fail="tag")(tile).attrs["qc_failed"][0]
    'AssertGridAligned: edges lie 5 of 10 beside the lattice along x; expected edges at (5, 0) + k · 10'
    """

    anchor: tuple[float, float] = (0.0, 0.0)
    resolution: float | None = None
    crs: str | None = None
    tolerance: float = 1e-3
    on_fail: OnFail = "raise"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept whole numbers."""
        anchor = values["anchor"]
        if isinstance(anchor, tuple | list) and all(type(part) in (int, float) for part in anchor):
            return {**values, "anchor": tuple(float(part) for part in anchor)}
        return values

    def validate(self) -> None:
        """Check the numbers, and that there is such a CRS."""
        if not all(map(math.isfinite, self.anchor)):
            raise ParameterError(f"anchor={self.anchor}", expected="two numbers")
        if self.resolution is not None and not 0 < self.resolution < math.inf:
            raise ParameterError(f"resolution={self.resolution}", expected="a positive number")
        if not 0 <= self.tolerance < 0.5:
            raise ParameterError(f"tolerance={self.tolerance}", expected="a share of a pixel, 0 to below 0.5")
        if self.crs is not None:
            parsed_crs(self.crs)

    def judge(self, result: None, tile: TileSpec) -> Verdict:
        """Compare the first and the last edge along both axes."""
        box, problem = grid_of(tile)
        expected = self._expected(box)
        if box is None:
            return Verdict(False, problem, expected)
        if self.crs is not None and (box.crs is None or not same_crs(box.crs, parsed_crs(self.crs))):
            return Verdict(False, crs_text(box.crs), expected)
        t, (rows, cols) = box.affine, box.shape
        if t.b != 0 or t.d != 0:
            return Verdict(False, "the grid is rotated", expected)
        axes = (("x", t.c, t.a, cols, self.anchor[0]), ("y", t.f, t.e, rows, self.anchor[1]))
        wrong = [text for axis in axes if (text := self._off(*axis))]
        return Verdict(not wrong, ", ".join(wrong) or "edges lie on the lattice", expected)

    def _expected(self, box: GeoBox | None) -> str:
        step = self.resolution
        if step is None and box is not None:
            step = abs(box.affine.a) if abs(box.affine.a) == abs(box.affine.e) else None
        shown = "the size of a pixel" if step is None else f"{step:.10g}"
        where = f" in {self.crs}" if self.crs is not None else ""
        return f"edges at ({self.anchor[0]:.10g}, {self.anchor[1]:.10g}) + k · {shown}{where}"

    def _off(self, axis: str, first: float, size: float, count: int, anchor: float) -> str:
        """Return what is wrong along an axis, or nothing."""
        step = abs(size) if self.resolution is None else self.resolution
        multiple = round(abs(size) / step)
        # counted in whole pixels: what one pixel is off adds up over all of them
        drift = abs(abs(size) - multiple * step) * max(count, 1)
        if multiple < 1 or drift > self.tolerance * step:
            return f"pixels of {abs(size):.10g} are no multiple of {step:.10g} along {axis}"
        places = (first - anchor) / step
        off = abs(places - round(places)) * step
        if off > self.tolerance * step:
            return f"edges lie {off:.6g} of {step:.10g} beside the lattice along {axis}"
        return ""
