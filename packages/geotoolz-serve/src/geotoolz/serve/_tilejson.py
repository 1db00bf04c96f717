"""What a map needs to know of a layer: its entry in the list, and its TileJSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from geotoolz.serve._layer import Layer

TILEJSON = "3.0.0"


def tile_url(base: str, layer: Layer, fmt: str, *, sharp: bool = False, time: str | None = None) -> str:
    """Return the template of a layer's tile addresses.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tile_url("https://maps.example/", SimpleNamespace(name="ndvi"), "png", time="2023-08")
    'https://maps.example/tiles/ndvi/{z}/{x}/{y}.png?time=2023-08'
    """
    query = "?" + urlencode({"time": time}, safe="/:") if time is not None else ""
    return f"{base}tiles/{quote(layer.name)}/{{z}}/{{x}}/{{y}}{'@2x' if sharp else ''}.{fmt}{query}"


def tilejson(
    layer: Layer, base: str, fmt: str = "png", sharp: bool = False, time: str | None = None
) -> dict[str, Any]:
    """Return a layer as TileJSON.

    Parameters
    ----------
    layer : Layer
        Which one.
    base : str
        The server's address, with a slash at its end.
    fmt : str
        Of the tiles.
    sharp : bool
        Tiles of 512 pixels.
    time : str, optional
        Interval of a catalog.
    """
    west, south, east, north = layer.bounds
    center = [
        (west + east) / 2,
        (south + north) / 2,
        min(max(layer.native_zoom - 3, layer.min_zoom), layer.max_zoom),
    ]
    return {
        "tilejson": TILEJSON,
        "name": layer.title,
        "description": layer.pipeline.description if layer.pipeline is not None else "",
        "attribution": layer.settings.attribution,
        "scheme": "xyz",
        "tiles": [tile_url(base, layer, fmt, sharp=sharp, time=time)],
        "minzoom": layer.min_zoom,
        "maxzoom": layer.max_zoom,
        "bounds": list(layer.bounds),
        "center": center,
        "config_hash": layer.config_hash,
    }


def entry(layer: Layer, base: str) -> dict[str, Any]:
    """Return a layer's entry in the list of layers."""
    name = quote(layer.name)
    return {
        "name": layer.name,
        "title": layer.title,
        "description": layer.pipeline.description if layer.pipeline is not None else "",
        "attribution": layer.settings.attribution,
        "bounds": list(layer.bounds),
        "minzoom": layer.min_zoom,
        "maxzoom": layer.max_zoom,
        "native_zoom": layer.native_zoom,
        "pipeline": layer.settings.pipeline,
        "steps": layer.steps,
        "variables": list(layer.style.bands),
        "kind": layer.style.kind,
        "colormap": layer.colormap,
        "config_hash": layer.config_hash,
        "times": layer.days,
        "time": layer.settings.time,
        "tilejson": f"{base}layers/{name}/tilejson.json",
        "legend": f"{base}layers/{name}/legend.json",
    }
