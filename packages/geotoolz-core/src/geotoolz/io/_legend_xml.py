"""What GDAL is told of a class map: category names, a colour table, a raster attribute table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from geotoolz.io._classes import ClassColor, class_legend

_LARGEST = 255
"""Category names and colour tables are lists from 0 on; beyond a byte only the attribute table helps."""
# Name, GDAL's type (0 integer, 2 text) and usage (5 value, 2 name, 6 … 9 red, green, blue, alpha).
_COLUMNS = (("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8), ("Alpha", 0, 9))


def holds_palette(classes: Sequence[ClassColor], dtype: np.dtype[Any], alone: bool) -> bool:
    """Tell whether a file can hold the colours itself: one band of bytes, colours without transparency."""
    return (
        alone
        and dtype.itemsize == 1
        and dtype.kind in "bu"
        and bool(classes)
        and all(0 <= one.value <= _LARGEST and one.color[3] == 255 for one in classes)
    )


def legend_xml(name: str, attrs: Mapping[str, Any], dtype: np.dtype[Any], alone: bool) -> str:
    """Return the elements of a virtual raster's band that carry names and colours of its classes.

    GDAL takes the colour table into the file, names and attribute table into ``.aux.xml``.

    Parameters
    ----------
    name : str
        The variable.
    attrs : mapping
        Its attributes.
    dtype : numpy.dtype
        Of its pixels.
    alone : bool
        Whether the file has no other band: a TIFF with several has no colour table.

    Returns
    -------
    str
        Empty for what is no class map.
    """
    classes = class_legend(name, attrs, dtype)
    if not classes or dtype.kind not in "biu":
        return ""
    parts = []
    if holds_palette(classes, dtype, alone):
        parts.append(f"<ColorInterp>Palette</ColorInterp>{_color_table(classes)}")
    if all(0 <= one.value <= _LARGEST for one in classes):
        parts.append(_category_names(classes))
    return "".join([*parts, _attribute_table(classes)])


def _color_table(classes: Sequence[ClassColor]) -> str:
    entries = [(0, 0, 0, 255)] * (max(one.value for one in classes) + 1)
    for one in classes:
        entries[one.value] = one.color
    rows = "".join(f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="{a}"/>' for r, g, b, a in entries)
    return f"<ColorTable>{rows}</ColorTable>"


def _category_names(classes: Sequence[ClassColor]) -> str:
    names = [""] * (max(one.value for one in classes) + 1)
    for one in classes:
        names[one.value] = one.name
    return f"<CategoryNames>{''.join(f'<Category>{escape(n)}</Category>' for n in names)}</CategoryNames>"


def _attribute_table(classes: Sequence[ClassColor]) -> str:
    columns = "".join(
        f'<FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, (name, kind, usage) in enumerate(_COLUMNS)
    )
    rows = ""
    for i, one in enumerate(sorted(classes, key=lambda one: one.value)):
        cells = "".join(f"<F>{escape(str(cell))}</F>" for cell in (one.value, one.name, *one.color))
        rows += f'<Row index="{i}">{cells}</Row>'
    return f'<GDALRasterAttributeTable tableType="thematic">{columns}{rows}</GDALRasterAttributeTable>'
