"""WMTS 1.0.0 capabilities: QGIS, GDAL and others find the layers and fetch their tiles by address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from geotoolz.serve._encode import MEDIA
from geotoolz.serve._errors import Problem
from geotoolz.serve._layer import Layer
from geotoolz.serve._render_grid import EDGE, TILE, resolution

_PIXEL = 0.00028  # the metres that OGC takes a screen's pixel for
_FORMATS = ("png", "webp", "jpg")
_SET = "WebMercatorQuad"
_DIGITS = 10
_OWS = {
    "outside": "TileOutOfRange",
    "no_such_tile": "TileOutOfRange",
    "unknown_layer": "InvalidParameterValue",
}


def capabilities(layers: Iterable[Layer], base: str, title: str) -> str:
    """Return the capabilities document.

    Parameters
    ----------
    layers : iterable of Layer
        What is offered.
    base : str
        The server's address, with a slash at its end.
    title : str
        Of the service.
    """
    shown = list(layers)
    top = max((layer.max_zoom for layer in shown), default=0)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1"'
        ' xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">'
        f"<ows:ServiceIdentification><ows:Title>{escape(title)}</ows:Title>"
        "<ows:ServiceType>OGC WMTS</ows:ServiceType>"
        "<ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion></ows:ServiceIdentification>"
        f"<Contents>{''.join(_layer(layer, base) for layer in shown)}{_matrix_set(top)}</Contents>"
        f"<ServiceMetadataURL xlink:href={quoteattr(base + 'wmts')}/>"
        "</Capabilities>\n"
    )


def tile_asked(query: Mapping[str, str]) -> tuple[str, int, int, int, Any, str | None] | None:
    """Return layer, z, x, y, format and time of a GetTile by keys and values; None for the capabilities.

    Raises
    ------
    Problem
        400, with the code that OWS has for it.
    """
    given = {key.lower(): value for key, value in query.items()}
    operation = given.get("request", "GetCapabilities")
    if operation.lower() == "getcapabilities":
        return None
    if operation.lower() != "gettile":
        raise Problem(
            "there is no such REQUEST", code="OperationNotSupported", expected="GetCapabilities or GetTile"
        )
    formats = {MEDIA[fmt]: fmt for fmt in _FORMATS}
    place = [given.get(key, "") for key in ("tilematrix", "tilecol", "tilerow")]
    fmt = formats.get(given.get("format", "image/png"))
    if fmt is None or given.get("tilematrixset", _SET) != _SET or not all(map(_is_number, place)):
        raise Problem(
            "this is no tile",
            code="InvalidParameterValue",
            expected=f"TILEMATRIXSET={_SET}, numbers as TILEMATRIX, TILECOL and TILEROW, FORMAT one of "
            f"{', '.join(formats)}",
        )
    z, x, y = map(int, place)
    return given.get("layer", ""), z, x, y, fmt, given.get("time")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def exception_report(problem: Problem) -> str:
    """Return a problem in the form of OWS."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" version="1.1.0">'
        f"<ows:Exception exceptionCode={quoteattr(_OWS.get(problem.code, problem.code))}>"
        f"<ows:ExceptionText>{escape(problem.message)}</ows:ExceptionText></ows:Exception>"
        "</ows:ExceptionReport>\n"
    )


def _layer(layer: Layer, base: str) -> str:
    west, south, east, north = layer.bounds
    name = quote(layer.name)
    time = "?time={Time}" if layer.days else ""
    formats = "".join(f"<Format>{MEDIA[fmt]}</Format>" for fmt in _FORMATS)
    urls = "".join(
        f'<ResourceURL format="{MEDIA[fmt]}" resourceType="tile" template='
        + quoteattr(f"{base}tiles/{name}/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.{fmt}{time}")
        + "/>"
        for fmt in _FORMATS
    )
    legend = f'<LegendURL format="image/png" xlink:href={quoteattr(f"{base}layers/{name}/legend.png")}/>'
    return (
        f"<Layer><ows:Title>{escape(layer.title)}</ows:Title>"
        f"<ows:WGS84BoundingBox><ows:LowerCorner>{west:.9f} {south:.9f}</ows:LowerCorner>"
        f"<ows:UpperCorner>{east:.9f} {north:.9f}</ows:UpperCorner></ows:WGS84BoundingBox>"
        f"<ows:Identifier>{escape(layer.name)}</ows:Identifier>"
        f'<Style isDefault="true"><ows:Identifier>default</ows:Identifier>{legend}</Style>'
        f"{formats}{_time(layer)}"
        f"<TileMatrixSetLink><TileMatrixSet>{_SET}</TileMatrixSet>{_limits(layer)}</TileMatrixSetLink>"
        f"{urls}</Layer>"
    )


def _time(layer: Layer) -> str:
    days = layer.days
    if not days:
        return ""
    values = "".join(f"<Value>{day}</Value>" for day in days)
    return (
        f"<Dimension><ows:Identifier>Time</ows:Identifier><Default>{days[-1]}</Default>{values}</Dimension>"
    )


def _limits(layer: Layer) -> str:
    """Return which tiles there are; others are answered with 404."""
    west, south, east, north = layer.web_bounds()
    parts = []
    for zoom in range(layer.min_zoom, layer.max_zoom + 1):
        size, last = resolution(zoom) * TILE, (1 << zoom) - 1
        low_x, high_x = (min(max(int((v + EDGE) // size), 0), last) for v in (west, east))
        low_y, high_y = (min(max(int((EDGE - v) // size), 0), last) for v in (north, south))
        parts.append(
            f"<TileMatrixLimits><TileMatrix>{zoom}</TileMatrix>"
            f"<MinTileRow>{low_y}</MinTileRow><MaxTileRow>{high_y}</MaxTileRow>"
            f"<MinTileCol>{low_x}</MinTileCol><MaxTileCol>{high_x}</MaxTileCol></TileMatrixLimits>"
        )
    return f"<TileMatrixSetLimits>{''.join(parts)}</TileMatrixSetLimits>"


def _matrix_set(top: int) -> str:
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>{zoom}</ows:Identifier>"
        f"<ScaleDenominator>{resolution(zoom) / _PIXEL!r}</ScaleDenominator>"
        f"<TopLeftCorner>{-EDGE!r} {EDGE!r}</TopLeftCorner>"
        f"<TileWidth>{TILE}</TileWidth><TileHeight>{TILE}</TileHeight>"
        f"<MatrixWidth>{1 << zoom}</MatrixWidth><MatrixHeight>{1 << zoom}</MatrixHeight></TileMatrix>"
        for zoom in range(top + 1)
    )
    return (
        f"<TileMatrixSet><ows:Identifier>{_SET}</ows:Identifier>"
        "<ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>"
        "<WellKnownScaleSet>urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible</WellKnownScaleSet>"
        f"{matrices}</TileMatrixSet>"
    )
