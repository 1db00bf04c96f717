"""Whether a tile lies in the coordinate reference system that is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geotoolz.core import ParameterError, TileError, TileSpec
from geotoolz.qc._base import OnFail, PlanAssertion, Verdict

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox


class AssertCRSEquals(PlanAssertion):
    """Let a tile pass only if it lies in a coordinate reference system: ``crs(tile) = crs``.

    Decided when the pipeline is planned; no pixel is read, none is changed, any dims and data types
    are accepted, and no-data does not matter. Two spellings of one CRS (an EPSG code, WKT of either
    version) are equal, whatever the order of their axes. A tile without a CRS fails.

    Parameters
    ----------
    crs : str
        The CRS: ``"EPSG:32633"``, a number (32633), WKT or a PROJ string.
    on_fail : {"raise", "warn", "tag"}
        Raise `QCError` before the first pixel; warn `QCWarning` and go on; or write the tile
        attribute ``qc_failed``, a list of texts, and go on.

    Raises
    ------
    QCError
        Naming both.
    ParameterError
        If `crs` is none.

    References
    ----------
    OGC 18-010r7, Geographic information: Well-known text representation of coordinate reference systems.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertCRSEquals
    >>> tile = simulate_scene((8, 8))
    >>> AssertCRSEquals("EPSG:32633")(tile).equals(tile)
    True
    >>> AssertCRSEquals("EPSG:4326", on_fail="tag")(tile).attrs["qc_failed"]
    ['AssertCRSEquals: EPSG:32633; expected EPSG:4326']
    """

    crs: str
    on_fail: OnFail = "raise"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept the number of an EPSG code."""
        crs = values["crs"]
        number = isinstance(crs, int) and not isinstance(crs, bool)
        return {**values, "crs": f"EPSG:{crs}" if number else crs}

    def validate(self) -> None:
        """Check that there is such a CRS."""
        parsed_crs(self.crs)

    def judge(self, result: None, tile: TileSpec) -> Verdict:
        """Compare the tile's CRS."""
        wanted = parsed_crs(self.crs)
        expected = crs_text(wanted)
        box, problem = grid_of(tile)
        if box is None:
            return Verdict(False, problem, expected)
        same = box.crs is not None and same_crs(box.crs, wanted)
        return Verdict(same, crs_text(box.crs), expected)


def grid_of(tile: TileSpec) -> tuple[GeoBox | None, str]:
    """Return the tile's own grid, or None and why there is none."""
    try:
        box = tile.window_geobox
    except TileError as error:
        return None, error.found
    return box, "" if box is not None else "the tile has no grid"


def parsed_crs(text: str) -> CRS:
    """Return the CRS that a text names.

    Raises
    ------
    ParameterError
        If it names none.
    """
    from odc.geo.crs import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS(text)
    except (CRSError, ValueError) as error:
        raise ParameterError(
            f"crs={text!r} names no CRS", expected="such as 'EPSG:32633', WKT or a PROJ string"
        ) from error


def same_crs(a: CRS, b: CRS) -> bool:
    """Whether two spellings mean one CRS; codes are compared first, which costs nothing."""
    if a.epsg is not None and a.epsg == b.epsg:
        return True
    return bool(a == b) or bool(a.proj.equals(b.proj, ignore_axis_order=True))


def crs_text(crs: CRS | None) -> str:
    """Return a short name of a CRS."""
    if crs is None:
        return "no CRS"
    return f"EPSG:{crs.epsg}" if crs.epsg is not None else str(crs.proj.name if crs.proj.name else crs)
