"""A catalog as a table, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geotoolz.catalog._catalog import GeoCatalog

__all__ = ["table_of"]

_COLUMNS = ("id", "datetime", "platform", "processing_level", "cloud_cover", "tile", "source")
_ROWS = 10


def table_of(catalog: GeoCatalog) -> str:
    """Return what a catalog is, and its first rows, as HTML that loads nothing."""
    parts = [f"<p><b>{escape(repr(catalog))}</b></p>"]
    if len(catalog):
        west, south, east, north = catalog.bounds
        parts.append(f"<p>{west:.4f} … {east:.4f}° east, {south:.4f} … {north:.4f}° north</p>")
        frame = catalog.frame
        shown = [name for name in _COLUMNS if name in frame and frame[name].notna().any()]
        parts.append(frame[shown].head(_ROWS).to_html(index=False, escape=True, border=0, na_rep=""))
    if len(catalog) > _ROWS:
        parts.append(f"<p>… and {len(catalog) - _ROWS} more rows: <code>.frame</code> has all</p>")
    if catalog.problems:
        parts.append(f"<p>{len(catalog.problems)} problems while it was built: <code>.problems</code></p>")
    return "".join(parts)
