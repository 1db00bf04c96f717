"""A mosaic as a virtual raster (VRT): the text that GDAL and QGIS read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

import numpy as np

from geotoolz.io._legend_xml import legend_xml
from geotoolz.io._mosaic import Mosaic, MosaicBand, Piece
from geotoolz.io._tags import ATTRS_TAG, DTYPE_TAG, encode_attrs
from geotoolz.io._vrt import COLORS, gdal_type, metadata_xml, readable


def mosaic_xml(mosaic: Mosaic, relative: bool, more: Mapping[str, str] | None = None) -> str:
    """Return the XML of a mosaic.

    Parameters
    ----------
    mosaic : Mosaic
    relative : bool
        Whether the paths start from the file's own folder.
    more : mapping, optional
        Further tags of the file.

    Returns
    -------
    str
    """
    rows, cols = mosaic.shape
    code = mosaic.crs.epsg
    name = f"EPSG:{code}" if code else mosaic.crs.to_wkt()
    tags = {} if mosaic.attrs is None else {ATTRS_TAG: encode_attrs(mosaic.attrs, "the mosaic")}
    parts = [
        f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}">',
        f"<SRS>{escape(name)}</SRS>",
        f"<GeoTransform>{', '.join(map(repr, mosaic.transform.to_gdal()))}</GeoTransform>",
        metadata_xml({**readable(mosaic.attrs or {}), **tags, **(more or {})}),
    ]
    alone = len(mosaic.bands) == 1
    for number, band in enumerate(mosaic.bands, start=1):
        parts.append(_band(band, number, alone, relative))
    return "\n".join([*parts, "</VRTDataset>\n"])


def _band(band: MosaicBand, number: int, alone: bool, relative: bool) -> str:
    kind, attrs = band.kind, band.attrs
    tags = readable(attrs)
    if band.ours:
        tags[ATTRS_TAG] = encode_attrs(attrs, band.name)
    if kind.kept:
        tags[DTYPE_TAG] = kind.kept
    dtype = gdal_type(band.name, np.dtype(kind.dtype))
    parts = [f'<VRTRasterBand dataType="{dtype}" band="{number}">', metadata_xml(tags)]
    parts.append(f"<Description>{escape(band.name)}</Description>")
    if band.units:
        parts.append(f"<UnitType>{escape(band.units)}</UnitType>")
    if kind.nodata is not None:
        parts.append(f"<NoDataValue>{_number(kind.nodata)}</NoDataValue>")
    if (kind.scale, kind.offset) != (1.0, 0.0):
        parts.append(f"<Offset>{kind.offset!r}</Offset><Scale>{kind.scale!r}</Scale>")
    if attrs.get("color_interp") in COLORS:
        parts.append(f"<ColorInterp>{attrs['color_interp'].capitalize()}</ColorInterp>")
    legend = legend_xml(band.name, attrs, np.dtype(kind.kept or kind.dtype), alone) if band.ours else ""
    parts.append(legend or _palette(band.palette))
    parts += [_source(piece, dtype, kind.nodata, relative) for piece in band.pieces]
    return "".join([*parts, "</VRTRasterBand>"])


def _palette(palette: Mapping[int, tuple[int, ...]]) -> str:
    rows = "".join(
        '<Entry c1="{}" c2="{}" c3="{}" c4="{}"/>'.format(*palette.get(value, (0, 0, 0, 255)))
        for value in range(max(palette, default=-1) + 1)
    )
    return f"<ColorInterp>Palette</ColorInterp><ColorTable>{rows}</ColorTable>" if rows else ""


def _source(piece: Piece, dtype: str, nodata: float | None, relative: bool) -> str:
    """Return one piece; with no-data it lets what lies below shine through."""
    height, width = piece.shape
    size = f'xSize="{width}" ySize="{height}"'
    kind = "SimpleSource" if nodata is None else "ComplexSource"
    through = "" if nodata is None else f"<NODATA>{_number(nodata)}</NODATA>"
    return (
        f'\n<{kind}><SourceFilename relativeToVRT="{int(relative)}">{escape(piece.path)}</SourceFilename>'
        f"<SourceBand>{piece.index}</SourceBand>"
        f'<SourceProperties RasterXSize="{width}" RasterYSize="{height}" DataType="{dtype}" '
        f'BlockXSize="{piece.block[1]}" BlockYSize="{piece.block[0]}"/>'
        f'<SrcRect xOff="0" yOff="0" {size}/><DstRect xOff="{piece.col}" yOff="{piece.row}" {size}/>'
        f"{through}</{kind}>"
    )


def _number(value: float) -> str:
    return "nan" if math.isnan(value) else repr(value)
