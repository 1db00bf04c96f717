"""A virtual raster over arrays in memory: what GDAL encodes, without a copy of the pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from geotoolz.core._errors import TileError
from geotoolz.core._extent import Extent
from geotoolz.core._provenance import provenance
from geotoolz.io._legend_xml import legend_xml
from geotoolz.io._staging import Staging
from geotoolz.io._tags import ATTRS_TAG, DTYPE_TAG, PROVENANCE_TAG, encode_attrs

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


_GDAL_TYPES = {
    "bool": "Byte",
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "complex64": "CFloat32",
    "complex128": "CFloat64",
}


class StagedPixels:
    """Pixels of a band that lie in a staging file: what `Layer` needs of an array."""

    def __init__(self, staging: Staging, band: int) -> None:
        self.staging, self.band = staging, band
        self.shape, self.dtype, self.itemsize = staging.shape, staging.dtype, staging.dtype.itemsize

    def __getitem__(self, part: tuple[slice, slice]) -> np.ndarray[Any, Any]:
        """Read a part that lies in one tile."""
        (y0, y1, _), (x0, x1, _) = (one.indices(size) for one, size in zip(part, self.shape, strict=True))
        return self.staging.get(self.band, Extent(y0, y1, x0, x1))


COLORS = ("red", "green", "blue", "alpha")


@dataclass(frozen=True)
class Layer:
    """One band to be written.

    Parameters
    ----------
    name : str
        The variable.
    pixels : array or StagedPixels
        Two-dimensional; an array is C-contiguous and kept alive until the file is written.
    nodata : float, int or None
        The value that means "no data".
    attrs : mapping
        The variable's attributes without ``_FillValue``.
    """

    name: str
    pixels: np.ndarray[Any, Any] | StagedPixels
    nodata: float | int | None
    attrs: Mapping[str, Any]

    @property
    def categorical(self) -> bool:
        """Whether the values are classes, flags or a mask: never averaged."""
        flags = "flag_meanings" in self.attrs or self.attrs.get("quantity") in ("flags", "mask")
        return self.pixels.dtype.kind == "b" or flags


def gdal_type(name: str, dtype: np.dtype[Any]) -> str:
    """Return GDAL's name of a dtype.

    Raises
    ------
    TileError
        If GeoTIFF has no such type.
    """
    if dtype.name not in _GDAL_TYPES:
        raise TileError(
            f"variable {name!r} is {dtype}",
            expected="one of " + ", ".join(_GDAL_TYPES),
            fix="convert it first: ToFloat32() or ds[name].astype(…)",
        )
    return _GDAL_TYPES[dtype.name]


def vrt_of(layers: Sequence[Layer], geobox: GeoBox, attrs: Mapping[str, Any]) -> str:
    """Return the XML of a virtual raster over the layers' memory."""
    height, width = geobox.shape
    transform = ", ".join(map(repr, geobox.affine.to_gdal()))
    parts = [f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">']
    if geobox.crs is not None:
        code = geobox.crs.epsg
        parts.append(f"<SRS>{escape(f'EPSG:{code}' if code else geobox.crs.to_wkt())}</SRS>")
    parts.append(f"<GeoTransform>{transform}</GeoTransform>")
    told = {PROVENANCE_TAG: text} if (text := provenance()) else {}
    parts.append(metadata_xml({**readable(attrs), ATTRS_TAG: encode_attrs(attrs, "the tile"), **told}))
    parts += [_band(layer, number, len(layers) == 1) for number, layer in enumerate(layers, start=1)]
    return "".join([*parts, "</VRTDataset>"])


def readable(attrs: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that other programs can show."""
    return {
        key: str(value)
        for key, value in attrs.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and key.isidentifier()
    }


def metadata_xml(tags: Mapping[str, str]) -> str:
    items = "".join(f"<MDI key={quoteattr(key)}>{escape(value)}</MDI>" for key, value in sorted(tags.items()))
    return f"<Metadata>{items}</Metadata>"


def _band(layer: Layer, number: int, alone: bool) -> str:
    pixels, attrs = layer.pixels, layer.attrs
    kind = gdal_type(layer.name, pixels.dtype)
    tags = {**readable(attrs), ATTRS_TAG: encode_attrs(attrs, layer.name)}
    if pixels.dtype.kind == "b":
        tags[DTYPE_TAG] = "bool"
    parts = [f'<VRTRasterBand dataType="{kind}" band="{number}">', metadata_xml(tags)]
    parts.append(f"<Description>{escape(layer.name)}</Description>")
    if isinstance(attrs.get("units"), str):
        parts.append(f"<UnitType>{escape(attrs['units'])}</UnitType>")
    if layer.nodata is not None:
        text = "nan" if math.isnan(layer.nodata) else repr(layer.nodata)
        parts.append(f"<NoDataValue>{text}</NoDataValue>")
    if "scale_factor" in attrs or "add_offset" in attrs:
        parts.append(f"<Offset>{float(attrs.get('add_offset', 0.0))!r}</Offset>")
        parts.append(f"<Scale>{float(attrs.get('scale_factor', 1.0))!r}</Scale>")
    if attrs.get("color_interp") in COLORS:  # planes of a picture: alpha is then known as such
        parts.append(f"<ColorInterp>{attrs['color_interp'].capitalize()}</ColorInterp>")
    parts.append(legend_xml(layer.name, attrs, pixels.dtype, alone))
    where, index = _place(pixels, kind)
    source = f'<SourceFilename relativeToVRT="0">{where}</SourceFilename><SourceBand>{index}</SourceBand>'
    return "".join([*parts, f"<SimpleSource>{source}</SimpleSource></VRTRasterBand>"])


def _place(pixels: np.ndarray[Any, Any] | StagedPixels, kind: str) -> tuple[str, int]:
    """Return where GDAL finds the pixels, and in which band."""
    if isinstance(pixels, StagedPixels):
        return escape(str(pixels.staging.path)), pixels.band + 1
    height, width = pixels.shape
    pointer = pixels.ctypes.data
    return f"MEM:::DATAPOINTER={pointer},PIXELS={width},LINES={height},BANDS=1,DATATYPE={kind}", 1
