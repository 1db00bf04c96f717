"""How a raster looks in QGIS: the style beside a file, where the file itself does not say it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core._quantity import is_flags
from geotoolz.core._specs import VarSpec
from geotoolz.io._block_cache import block_cache
from geotoolz.io._classes import class_legend
from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._legend_xml import holds_palette
from geotoolz.io._qml import MARK, Limits, multiband, paletted, pseudocolor

SUFFIX = ".qml"
AUTO = "auto"
_SAMPLE = 1024  # pixels per side that limits are taken from
_PERCENTILES = (2.0, 98.0)
_NATURAL = ("red", "green", "blue")


@dataclass(frozen=True)
class Painted:
    """A band of a file that is to be styled: name, dtype, no-data, attributes."""

    name: str
    dtype: np.dtype[Any]
    nodata: float | int | None
    attrs: Mapping[str, Any]

    @property
    def spec(self) -> VarSpec:
        """The band as `geotoolz.viz` knows variables; of packed numbers, what they stand for."""
        spec = VarSpec(dtype=self.dtype, nodata=self.nodata, attrs=self.attrs)
        meant = self.attrs.get("scaled_quantity")
        return spec.with_attrs(quantity=meant) if spec.quantity == "dn" and meant else spec

    def physical(self, stored: float) -> float:
        """Return a stored number as QGIS shows it: with the band's scale and offset."""
        scale, offset = self.attrs.get("scale_factor", 1.0), self.attrs.get("add_offset", 0.0)
        return float(stored) * float(scale) + float(offset)


def check_style(style: str | None) -> str | None:
    """Return a style with its colour map's name as `geotoolz.viz` spells it.

    Raises
    ------
    ParameterError
        If there is no such colour map.
    """
    if style is None or style == AUTO:
        return style
    from geotoolz.viz._colors import canonical_name

    return canonical_name(style)


def style_of(path: Path, bands: Sequence[Painted], style: str | None) -> str | None:
    """Return the QGIS style of a finished file; None where it has its colours in itself, or none are wanted.

    Parameters
    ----------
    path : Path
        The file; a sample of its pixels is read where nothing else tells the limits.
    bands : sequence of Painted
        What its bands hold.
    style : str or None
        ``"auto"``, the name of a colour map, or None.

    Returns
    -------
    str or None
        A style for QGIS 3. Classes get their colours and names; red, green and blue in one file a
        picture; else the first band a colour map: limits are ``valid_range`` (or ``valid_min`` and
        ``valid_max``), those that all tiles of its quantity share, or percentiles 2 and 98 of the file.
    """
    if style is None or any("color_interp" in band.attrs for band in bands):
        return None
    names = [band.name for band in bands]
    if all(name in names for name in _NATURAL) and style == AUTO:
        chosen = [names.index(name) for name in _NATURAL]
        if not any(is_flags(bands[i].name, bands[i].spec) for i in chosen):
            limits = [_limits(path, i + 1, bands[i]) for i in chosen]
            return multiband([i + 1 for i in chosen], limits)
    first = bands[0]
    classes = class_legend(first.name, first.attrs, first.dtype)
    if classes:
        return None if holds_palette(classes, first.dtype, len(bands) == 1) else paletted(1, classes)
    if is_flags(first.name, first.spec) or first.dtype.kind not in "iuf":
        return None
    return _continuous(path, first, style)


def _continuous(path: Path, band: Painted, style: str) -> str:
    from geotoolz.viz._colors import colormap_table
    from geotoolz.viz._picture import look_of

    cmap = look_of(band.spec)[0] if style == AUTO else style
    units = str(band.attrs.get("units", ""))
    return pseudocolor(1, _limits(path, 1, band), colormap_table(cmap), "" if units in ("1", "-") else units)


def _limits(path: Path, index: int, band: Painted) -> Limits:
    """Return the values of the first and the last colour, as QGIS shows them."""
    from geotoolz.viz._picture import look_of

    told = _told(band)
    if told is not None:
        return told
    fixed = look_of(band.spec)[1]
    return fixed if fixed is not None else _measured(path, index, band)


def _told(band: Painted) -> Limits | None:
    """Return the limits of the CF attributes, which are in stored numbers."""
    attrs = band.attrs
    both = attrs.get("valid_range", (attrs.get("valid_min"), attrs.get("valid_max")))
    try:
        low, high = sorted(band.physical(float(value)) for value in both)
    except (TypeError, ValueError):  # one is missing, or is no number
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def _measured(path: Path, index: int, band: Painted) -> Limits:
    """Return percentiles of a sample of the file; an overview is read where there is one."""
    import rasterio

    one = gdal_env(GDAL_NUM_THREADS="1")
    with one, block_cache(16 * 2**20, firm=False), rasterio.open(path) as raster:
        shape = tuple(min(size, _SAMPLE) for size in (raster.height, raster.width))
        pixels = raster.read(index, out_shape=shape).astype(np.float64)
    keep = np.isfinite(pixels)
    if band.nodata is not None:
        keep &= pixels != band.nodata
    if not keep.any():
        return 0.0, 1.0
    low, high = sorted(band.physical(value) for value in np.percentile(pixels[keep], _PERCENTILES))
    return (low, high) if low < high else (low, low + 1.0)


def is_ours(path: Path) -> bool:
    """Tell whether a style was written by geotoolz, not by a user in QGIS."""
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(300)
    except OSError:
        return False
