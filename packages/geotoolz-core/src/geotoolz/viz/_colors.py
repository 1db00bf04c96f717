"""Colours: names, hexadecimal digits, and the tables of colour maps that are shipped as data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, nearest

Array = np.ndarray[Any, Any]
RGBA = tuple[int, int, int, int]

# The sixteen names of HTML 4, and orange.
NAMED = {
    "transparent": (0, 0, 0, 0), "black": (0, 0, 0, 255), "silver": (192, 192, 192, 255),
    "gray": (128, 128, 128, 255), "white": (255, 255, 255, 255), "maroon": (128, 0, 0, 255),
    "red": (255, 0, 0, 255), "purple": (128, 0, 128, 255), "fuchsia": (255, 0, 255, 255),
    "green": (0, 128, 0, 255), "lime": (0, 255, 0, 255), "olive": (128, 128, 0, 255),
    "yellow": (255, 255, 0, 255), "navy": (0, 0, 128, 255), "blue": (0, 0, 255, 255),
    "teal": (0, 128, 128, 255), "aqua": (0, 255, 255, 255), "orange": (255, 165, 0, 255),
}  # fmt: skip

# matplotlib's tab20, saturated ones first: colours of classes that bring none.
QUALITATIVE = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22",
    "#17becf", "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5", "#c49c94", "#f7b6d2", "#c7c7c7",
    "#dbdb8d", "#9edae5",
)  # fmt: skip


def rgba(colour: str) -> RGBA:
    """Return a colour as four bytes.

    Parameters
    ----------
    colour : str
        ``"#rrggbb"``, ``"#rrggbbaa"`` (with or without ``#``), or one of the names of HTML 4.

    Raises
    ------
    ParameterError
        If it is neither.

    Examples
    --------
    >>> rgba("#0064c8"), rgba("transparent")
    ((0, 100, 200, 255), (0, 0, 0, 0))
    """
    named = NAMED.get(colour.lower())
    if named is not None:
        return named
    digits = colour.removeprefix("#")
    if len(digits) in (6, 8) and all(c in "0123456789abcdefABCDEF" for c in digits):
        red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
        return red, green, blue, alpha
    raise ParameterError(
        f"the colour {colour!r}{nearest(colour, NAMED)}",
        expected="'#rrggbb', '#rrggbbaa' or one of " + ", ".join(NAMED),
    )


def hex_of(colour: Sequence[int]) -> str:
    """Return four bytes as ``"#rrggbb"``, or ``"#rrggbbaa"`` where they are not opaque.

    Examples
    --------
    >>> hex_of((0, 100, 200, 255))
    '#0064c8'
    """
    digits = bytes(colour).hex()
    return "#" + (digits[:6] if digits.endswith("ff") else digits)


@cache
def _tables() -> dict[str, bytes]:
    """Return the shipped tables: 256 × 3 bytes by name."""
    text = files("geotoolz.viz").joinpath("luts.txt").read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {name: bytes.fromhex(digits) for name, digits in lines}


def colormap_names() -> tuple[str, ...]:
    """Return the names of the colour maps; each also exists reversed, with ``_r`` behind it.

    Examples
    --------
    >>> "viridis" in colormap_names()
    True
    """
    return tuple(name for name in _tables() if not name.endswith("_r"))


def canonical_name(name: str) -> str:
    """Return the name of a colour map as matplotlib spells it.

    Raises
    ------
    ParameterError
        If there is none of that name; names the nearest.

    Examples
    --------
    >>> canonical_name("rdylgn_R")
    'RdYlGn_r'
    """
    known = {n.lower(): n for n in colormap_names()}
    plain, backwards = name.lower(), name.lower().endswith("_r")
    if plain not in known and backwards:
        plain = plain.removesuffix("_r")
    else:
        backwards = False
    if plain in known:
        return known[plain] + ("_r" if backwards else "")
    raise ParameterError(
        f"there is no colour map {name!r}{nearest(plain, known)}",
        expected=f"one of {', '.join(known.values())}, with _r for the reverse",
        fix="or give the colours themselves: cmap=('#543005', '#f5f5f5', '#003c30')",
    )


def colormap_table(cmap: str | Sequence[str]) -> Array:
    """Return the 256 colours of a map.

    Parameters
    ----------
    cmap : str or sequence of str
        A name (see `colormap_names`), or two colours and more that are interpolated linearly, as
        matplotlib's ``LinearSegmentedColormap.from_list`` does.

    Returns
    -------
    numpy.ndarray
        (256, 4), uint8: red, green, blue, alpha.

    Raises
    ------
    ParameterError
        For an unknown name or colour.

    Examples
    --------
    >>> colormap_table("viridis")[[0, 255]].tolist()
    [[68, 1, 84, 255], [253, 231, 36, 255]]
    """
    table = np.full((256, 4), 255, np.uint8)
    if isinstance(cmap, str):
        name = canonical_name(cmap)
        held = _tables().get(name)
        if held is None:
            table[:, :3] = np.frombuffer(_tables()[name.removesuffix("_r")], np.uint8).reshape(256, 3)[::-1]
        else:
            table[:, :3] = np.frombuffer(held, np.uint8).reshape(256, 3)
        return table
    if len(cmap) < 2:
        raise ParameterError(f"cmap={tuple(cmap)}", expected="a name, or two colours and more")
    return _interpolated(np.array([rgba(colour) for colour in cmap]) / 255.0)


def _interpolated(colours: Array) -> Array:
    """Interpolate colours at equal distances, with matplotlib's own arithmetic."""
    knots = np.linspace(0, 1, len(colours)) * 255
    wanted = 255 * np.linspace(0, 1, 256)
    right = np.searchsorted(knots, wanted)[1:-1]
    share = (wanted[1:-1] - knots[right - 1]) / (knots[right] - knots[right - 1])
    inner = share[:, None] * (colours[right] - colours[right - 1]) + colours[right - 1]
    table: Array = np.clip(np.concatenate([colours[:1], inner, colours[-1:]]), 0.0, 1.0) * 255
    return table.astype(np.uint8)
