"""Legends: of classes, and of a range of values."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import MissingVariableError, TileSpec
from geotoolz.viz._colors import Array, hex_of, rgba
from geotoolz.viz._png import encode_png

_ROW = 20  # pixels that one class takes in a drawn legend
_FONT = "font-family:sans-serif;font-size:12px"


@dataclass(frozen=True)
class LegendEntry:
    """One class of a legend.

    Attributes
    ----------
    value : int or None
        The value in the raster; None stands for all other values.
    name : str
        What it means.
    color : str
        ``"#rrggbb"`` or ``"#rrggbbaa"``; names are turned into these.
    """

    value: int | None
    name: str
    color: str

    def __post_init__(self) -> None:
        # what is drawn stands unescaped in a picture: nothing but a colour may
        object.__setattr__(self, "color", hex_of(rgba(self.color)))


@dataclass(frozen=True)
class Legend:
    """The classes of a picture with their colours; notebooks show it.

    Attributes
    ----------
    title : str
        What the classes are of.
    entries : tuple of LegendEntry
        In the order of the classes.

    Examples
    --------
    >>> legend = Legend("land", (LegendEntry(1, "water", "#0000ff"),))
    >>> legend.to_dict()
    {'title': 'land', 'classes': [{'value': 1, 'name': 'water', 'color': '#0000ff'}]}
    """

    title: str
    entries: tuple[LegendEntry, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the legend as plain data, for JSON."""
        classes = [{"value": e.value, "name": e.name, "color": e.color} for e in self.entries]
        return {"title": self.title, "classes": classes}

    def to_html(self) -> str:
        """Return the legend as HTML; no scripts, styles inline."""
        rows = "".join(
            f"<div><span style='display:inline-block;width:14px;height:14px;border:1px solid #888;"
            f"background:{html.escape(e.color)};vertical-align:middle'></span> {_said(e)}</div>"
            for e in self.entries
        )
        return f"<div style='{_FONT}'><b>{html.escape(self.title)}</b>{rows}</div>"

    def to_svg(self) -> str:
        """Return the legend as an SVG drawing."""
        width = 40 + 8 * max([len(self.title), *(len(e.name) + 5 for e in self.entries)])
        height = _ROW * (len(self.entries) + 1) + 6
        rows = "".join(
            f"<rect x='4' y='{_ROW * (i + 1)}' width='14' height='14' stroke='#888' {_fill(e.color)}/>"
            f"<text x='24' y='{_ROW * (i + 1) + 12}'>{_said(e)}</text>"
            for i, e in enumerate(self.entries)
        )
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' style='{_FONT}'>"
            f"<text x='4' y='14' font-weight='bold'>{html.escape(self.title)}</text>{rows}</svg>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()


def _said(entry: LegendEntry) -> str:
    value = "" if entry.value is None else f"{entry.value} "
    return html.escape(f"{value}{entry.name.replace('_', ' ')}")


def _fill(colour: str) -> str:
    """Return a fill that SVG readers without eight-digit colours draw as well."""
    if len(colour) == 9:
        return f"fill='{colour[:7]}' fill-opacity='{int(colour[7:], 16) / 255:.3f}'"
    return f"fill='{colour}'"


@dataclass(frozen=True)
class ColorBar:
    """The colours of a range of values; notebooks show it.

    Attributes
    ----------
    title : str
        What the values are.
    vmin, vmax : float
        Values of the first and the last colour.
    colors : tuple of str
        The map's 256 colours.
    units : str
        Of the values; empty where there are none.
    under, over : str or None
        Colours of values beyond the limits, where they have their own.
    """

    title: str
    vmin: float
    vmax: float
    colors: tuple[str, ...]
    units: str = ""
    under: str | None = None
    over: str | None = None

    @classmethod
    def of(
        cls, band: str, vmin: float, vmax: float, table: Array, tile: Any, under: Any = None, over: Any = None
    ) -> ColorBar:
        """Make a colour bar for a band; the tile, if given, tells name and units."""
        title, units = band, ""
        if tile is not None:
            spec = tile if isinstance(tile, TileSpec) else TileSpec.of(tile)
            try:
                attrs = spec.variables[spec.find(band, "the legend")].attrs
            except MissingVariableError:  # a picture without the band that it was made of
                attrs = {}
            title = str(attrs.get("long_name", band))
            units = "" if attrs.get("units", "1") in ("1", "") else str(attrs["units"])
        colours = tuple(hex_of(row) for row in table[:256].tolist())
        return cls(title, vmin, vmax, colours, units, under, over)

    def to_dict(self) -> dict[str, Any]:
        """Return the bar as plain data, for JSON."""
        return {"title": self.title, "units": self.units, "vmin": self.vmin, "vmax": self.vmax,
                "colors": list(self.colors), "under": self.under, "over": self.over}  # fmt: skip

    def pixels(self, width: int = 256, height: int = 16) -> Array:
        """Return the bar as (height, width, 4) bytes."""
        rows = np.array([tuple(bytes.fromhex(c[1:].ljust(8, "f"))) for c in self.colors], np.uint8)
        chosen = rows[(np.arange(width) * len(rows)) // max(width, 1)]
        return np.repeat(chosen[None], height, axis=0)

    def to_png(self, width: int = 256, height: int = 16) -> bytes:
        """Return the bar, without its numbers, as PNG."""
        return encode_png(self.pixels(width, height))

    def to_html(self) -> str:
        """Return the bar with title and limits as HTML; no scripts, styles inline."""
        low, high = f"{self.vmin:g}", f"{self.vmax:g}"
        return (
            f"<div style='{_FONT};display:inline-block;width:256px'><b>{html.escape(self._heading())}</b>"
            f"<img alt='' style='display:block;width:256px;height:16px' src='{data_uri(self.to_png())}'>"
            f"<span style='float:left'>{low}</span><span style='float:right'>{high}</span></div>"
        )

    def to_svg(self) -> str:
        """Return the bar with title and limits as an SVG drawing."""
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='272' height='54' style='{_FONT}'>"
            f"<text x='8' y='14' font-weight='bold'>{html.escape(self._heading())}</text>"
            f"<image x='8' y='20' width='256' height='16' href='{data_uri(self.to_png())}'/>"
            f"<text x='8' y='50'>{self.vmin:g}</text>"
            f"<text x='264' y='50' text-anchor='end'>{self.vmax:g}</text></svg>"
        )

    def _heading(self) -> str:
        return f"{self.title} [{self.units}]" if self.units else self.title

    def _repr_html_(self) -> str:
        return self.to_html()


def data_uri(png: bytes) -> str:
    """Return a PNG as a text that HTML takes for a picture's address."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
