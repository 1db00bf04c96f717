"""Tiles as HTML, for notebooks and reports."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from geotoolz.core import GeotoolzError, TileError, TileSpec, VarSpec
from geotoolz.core._lazy import xr
from geotoolz.viz._checks import unit_of
from geotoolz.viz._legend import data_uri
from geotoolz.viz._picture import View, choose, render
from geotoolz.viz._png import encode_png

_TABLE = "border-collapse:collapse;font-family:sans-serif;font-size:12px;text-align:left"
_CELL = "padding:2px 8px;border-bottom:1px solid #ddd;vertical-align:middle"
_TOLD = ("tile_id", "datetime", "platform", "processing_level")


class Html(str):
    """Text that a notebook shows as HTML; styles inline, no scripts, nothing from elsewhere."""

    def _repr_html_(self) -> str:
        return str(self)


def tile_html(
    tile: xr.Dataset,
    bands: str | Sequence[str] | None = None,
    *,
    values: bool = False,
    thumbnails: bool | None = None,
    size: int = 256,
) -> Html:
    """Return a tile as HTML: a picture, its grid, and a table of its variables.

    Parameters
    ----------
    tile : xarray.Dataset
        The tile.
    bands : str, or three of them, optional
        What the picture shows; as for `quicklook`.
    values : bool
        Also tell smallest and largest value and the share of valid pixels of every variable; reads
        all pixels.
    thumbnails : bool, optional
        Whether to draw. By default of a tile in memory, and of none that is lazy (dask), which
        would be computed.
    size : int
        Pixels of the picture's longer side at most.

    Returns
    -------
    Html
        A `str`, which notebooks show.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import tile_html
    >>> "EPSG:32633" in tile_html(simulate_scene((16, 16)))
    True
    """
    spec = TileSpec.of(tile)
    draw = all(v.chunks is None for v in tile.data_vars.values()) if thumbnails is None else thumbnails
    picture = ""
    if draw:
        picture = f"<div style='float:left;margin:0 12px 8px 0'>{picture_of(tile, bands, size)}</div>"
    head = ["", "name", "dims", "dtype", "no-data", "units", "quantity"]
    if values:
        head += ["valid", "min", "max"]
    rows = [head_row(head)]
    for name, one in spec.variables.items():
        cells = [
            picture_of(tile, name, 48) if draw else "",
            *(html.escape(text) for text in _described(name, one, spec)),
        ]
        rows.append(row([*cells, *(_summary(tile[name].values, one) if values else ())]))
    return Html(
        f"<div style='font-family:sans-serif;font-size:13px;overflow:auto'>{picture}{_heading(spec)}"
        f"<table style='{_TABLE};clear:both'>{''.join(rows)}</table></div>"
    )


def picture_of(tile: xr.Dataset, bands: str | Sequence[str] | None, size: int, title: str = "") -> str:
    """Return a picture as an HTML element; a dash where there is nothing to draw."""
    try:
        pixels = render(tile, View(choose(tile, bands), size))
    except TileError:  # no variable, or no pixel
        return "–"
    height, width = pixels.shape[:2]
    # small tiles are drawn larger, with their pixels seen
    scale = max(1, size // max(height, width))
    uri = data_uri(encode_png(pixels))
    return (
        f"<img alt='{html.escape(title, quote=True)}' width='{width * scale}' height='{height * scale}' "
        f"style='image-rendering:pixelated;background:#eee;display:block' src='{uri}'>"
    )


def head_row(texts: Sequence[str]) -> str:
    """Return the first row of a table."""
    return "<tr>" + "".join(f"<th style='{_CELL}'>{html.escape(text)}</th>" for text in texts) + "</tr>"


def row(cells: Sequence[str]) -> str:
    """Return a row of a table; cells are HTML already."""
    return "<tr>" + "".join(f"<td style='{_CELL}'>{cell}</td>" for cell in cells) + "</tr>"


def _described(name: str, one: VarSpec, spec: TileSpec) -> list[str]:
    dims = " × ".join(f"{dim} {spec.sizes[dim]}" for dim in one.dims)
    nodata = "–" if one.nodata is None else str(one.nodata)
    return [name, dims, str(one.dtype), nodata, str(one.attrs.get("units", "–")), one.quantity or "–"]


def _summary(values: Any, one: VarSpec) -> list[str]:
    if values.dtype.kind not in "biuf" or not values.size:
        return ["–"] * 3
    valid = values[(values == values) & (values != one.nodata_scalar)]
    share = f"{valid.size / values.size:.1%}"
    return [share, f"{valid.min():g}", f"{valid.max():g}"] if valid.size else [share, "–", "–"]


def _heading(spec: TileSpec) -> str:
    told = [html.escape(str(spec.attrs[key])) for key in _TOLD if spec.attrs.get(key)]
    lines = [f"<b>{told[0]}</b>{''.join(f' · {text}' for text in told[1:])}"] if told else []
    try:
        box = spec.window_geobox
    except GeotoolzError as error:  # coordinates that are no grid: the page says so, and goes on
        return "<br>".join([*lines, html.escape(str(error))])
    if box is not None:
        size = f"{abs(box.affine.a):g} × {abs(box.affine.e):g}"
        crs = box.crs
        unit = "" if crs is None else f" {html.escape(unit_of(crs))}"
        name = "no CRS" if crs is None else (f"EPSG:{crs.epsg}" if crs.epsg else str(crs)[:60])
        bounds = ", ".join(f"{edge:.10g}" for edge in box.boundingbox.bbox)
        lines.append(f"{html.escape(name)} · {spec.shape[0]} × {spec.shape[1]} pixels of {size}{unit}")
        lines.append(f"bounds {bounds}")
    for dim, coord in spec.coords.items():
        if coord.dim == dim and np.size(coord.values):
            lines.append(
                html.escape(f"{dim}: {np.size(coord.values)}, {coord.values[0]} … {coord.values[-1]}")
            )
    return "<br>".join(lines)
