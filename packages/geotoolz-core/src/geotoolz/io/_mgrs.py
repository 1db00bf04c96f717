"""Ground that a tile id names: squares of the military grid, as Sentinel-2 uses them."""

from __future__ import annotations

import re
from functools import cache

from geotoolz.core._errors import ParameterError

_ID = re.compile(r"T?(?P<zone>\d{1,2})(?P<band>[A-Z])(?P<square>[A-Z]{2})", re.I)
_WRS = re.compile(r"(?:\d{6}|\d{1,3}/\d{1,3}|p\d{1,3}_?r\d{1,3})", re.I)
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
# lowest northing of a latitude band (km), from the pole in the south to that in the north
_LOWEST = {
    "C": 1100, "D": 2000, "E": 2800, "F": 3700, "G": 4600, "H": 5500, "J": 6400, "K": 7300, "L": 8200,
    "M": 9100, "N": 0, "P": 800, "Q": 1700, "R": 2600, "S": 3500, "T": 4400, "U": 5300, "V": 6200,
    "W": 7000, "X": 7900,
}  # fmt: skip
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_SQUARE = 100_000
_SNAP = 60  # corners lie on the lattice of the coarsest pixels
_SIZE = 109_800


def is_tile_id(text: str) -> bool:
    """Tell whether a text is spelt like an MGRS tile (``33TWL``) or a Landsat path and row."""
    return bool(_ID.fullmatch(text) or _WRS.fullmatch(text))


def mgrs_square(text: str) -> tuple[tuple[float, float, float, float], str]:
    """Return the square of a Sentinel-2 tile: 109.8 km in UTM, its corner on the 60 m lattice.

    Parameters
    ----------
    text : str
        ``"33TWL"`` or ``"T33TWL"``.

    Returns
    -------
    bounds : tuple of float
        Left, bottom, right, top.
    crs : str
        The UTM zone, ``EPSG:326…`` or ``EPSG:327…``.

    Raises
    ------
    ParameterError
        If there is no such square, or the text is a Landsat path and row.

    Examples
    --------
    >>> mgrs_square("33TWL")
    ((499980.0, 4990200.0, 609780.0, 5100000.0), 'EPSG:32633')
    """
    if _WRS.fullmatch(text):
        raise ParameterError(
            f"{text!r} is a Landsat path and row",
            expected="an area",
            fix="the frames of a path and row drift by kilometres from date to date, there is no one square: "
            "take the geometry of a scene's STAC item, or a bbox",
        )
    match = _ID.fullmatch(text.strip())
    if match is None:
        raise ParameterError(f"{text!r} is no MGRS tile", expected="zone, band and square, such as 33TWL")
    zone, band = int(match["zone"]), match["band"].upper()
    column, row = tuple(match["square"].upper())
    columns = _COLUMNS[zone % 3]
    if not 1 <= zone <= 60 or band not in _LOWEST or column not in columns or row not in _ROWS:
        raise ParameterError(
            f"there is no MGRS tile {text!r}",
            expected=f"zone 1 to 60, a band from C to X, in this zone a column {columns[0]}…{columns[-1]}, "
            "a row A…V (no I, no O)",
        )
    easting = (columns.index(column) + 1) * _SQUARE
    northing = _northing(band, row, zone, text)
    left = easting // _SNAP * _SNAP
    top = -(-(northing + _SQUARE) // _SNAP) * _SNAP
    code = (32600 if band >= "N" else 32700) + zone
    return (float(left), float(top - _SIZE), float(left + _SIZE), float(top)), f"EPSG:{code}"


def _northing(band: str, row: str, zone: int, text: str) -> int:
    """Return the lower edge of a square; its letter comes back every 2000 km."""
    shift = 0 if zone % 2 else 5
    lowest = _LOWEST[band] * 1000
    northing = (_ROWS.index(row) - shift) % 20 * _SQUARE
    while northing < lowest:
        northing += 20 * _SQUARE
    following = {"M": 9_900, "X": 9_300}.get(band)
    highest = (following or _LOWEST[_BANDS[_BANDS.index(band) + 1]]) * 1000
    if northing > highest:
        raise ParameterError(
            f"there is no MGRS tile {text!r}: row {row} does not lie in band {band}",
            expected="zone, band and square of one place, such as 33TWL",
        )
    return northing


def square_name(zone: int, north: bool, column: int, row: int) -> str:
    """Return the name of a 100 km square by its place in its UTM zone.

    Parameters
    ----------
    zone : int
        UTM zone.
    north : bool
        Whether northings count from the equator (else from 10 000 km south of it).
    column, row : int
        Easting and northing of its corner, in units of 100 km.

    Examples
    --------
    >>> square_name(33, True, 5, 50), square_name(56, False, 3, 62)
    ('33TWL', '56HLH')
    """
    letters = _COLUMNS[zone % 3]
    if not 1 <= column <= len(letters):
        raise ParameterError(f"column {column} of zone {zone}", expected="1 to 8: a square of the zone")
    shift = 0 if zone % 2 else 5
    return f"{zone:02d}{_band_of(zone, north, row)}{letters[column - 1]}{_ROWS[(row + shift) % 20]}"


@cache
def _band_of(zone: int, north: bool, row: int) -> str:
    """Return the latitude band that the centre of a row of squares lies in, on the zone's meridian."""
    from pyproj import Transformer

    code = (32600 if north else 32700) + zone
    _, latitude = Transformer.from_crs(f"EPSG:{code}", "EPSG:4326", always_xy=True).transform(
        500_000.0, (row + 0.5) * _SQUARE
    )
    return _BANDS[min(max(int((latitude + 80.0) // 8.0), 0), len(_BANDS) - 1)]
