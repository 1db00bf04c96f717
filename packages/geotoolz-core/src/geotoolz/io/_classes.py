"""Class maps: names and colours for QGIS and for STAC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core._errors import QuantityError
from geotoolz.core._specs import VarSpec
from geotoolz.io._flags import CLASS_COLORS


@dataclass(frozen=True)
class ClassColor:
    """One class of a map.

    Attributes
    ----------
    value : int
        In the raster.
    name : str
    color : tuple of int
        Red, green, blue, alpha.
    """

    value: int
    name: str
    color: tuple[int, int, int, int]


def class_legend(name: str, attrs: Mapping[str, Any], dtype: np.dtype[Any]) -> tuple[ClassColor, ...]:
    """Return the classes of a variable in the colours in which `geotoolz.viz` paints them.

    Parameters
    ----------
    name : str
        The variable's name.
    attrs : mapping
        Its attributes: CF ``flag_values`` and ``flag_meanings``, perhaps ``flag_colors``.
    dtype : numpy.dtype
        Of its pixels; bool is a mask.

    Returns
    -------
    tuple of ClassColor
        Empty for measurements, bit flags, and classes that nobody has told.

    Examples
    --------
    >>> class_legend("lc", {"flag_values": [7], "flag_meanings": "water", "flag_colors": "#0000ff"},
    ...              np.dtype("u1"))
    (ClassColor(value=7, name='water', color=(0, 0, 255, 255)),)
    """
    from geotoolz.viz._classes import classes_of
    from geotoolz.viz._colors import rgba

    try:
        found = classes_of(name, VarSpec(dtype=dtype, nodata=None, attrs=attrs), "the legend")
    except QuantityError:
        return ()
    return tuple(ClassColor(value, label, rgba(colour)) for value, label, colour in found)


def classification(name: str, attrs: Mapping[str, Any], dtype: np.dtype[Any]) -> list[dict[str, Any]]:
    """Return STAC ``classification:classes`` of a variable with the colours that its file has.

    Examples
    --------
    >>> attrs = {"flag_values": [3], "flag_meanings": "low/mid"}
    >>> classification("severity", attrs, np.dtype("u1"))
    [{'value': 3, 'name': 'low_mid', 'color_hint': '1F77B4', 'title': 'low/mid'}]
    """
    classes = []
    for one in class_legend(name, attrs, dtype):
        word = re.sub(r"[^0-9A-Za-z_-]", "_", one.name)  # what the extension allows in a name
        entry: dict[str, Any] = {"value": one.value, "name": word}
        if one.color[3]:
            entry["color_hint"] = bytes(one.color[:3]).hex().upper()
        if word != one.name:
            entry["title"] = one.name
        classes.append(entry)
    return classes


def stac_classes(name: str, attrs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return STAC ``classification:classes`` of a variable, empty for one without classes.

    Parameters
    ----------
    name : str
        The variable's name.
    attrs : mapping
        Its attributes: CF ``flag_values`` and ``flag_meanings``, perhaps ``flag_colors``
        (``"#00a000 #0000ff"``). Bit masks have no classes.

    Returns
    -------
    list of dict

    Examples
    --------
    >>> stac_classes("lc", {"flag_values": [1], "flag_meanings": "water", "flag_colors": "#0000ff"})
    [{'value': 1, 'name': 'water', 'color_hint': '0000FF'}]
    """
    if "flag_values" not in attrs or "flag_masks" in attrs:
        return []
    values = [int(value) for value in attrs["flag_values"]]
    names = str(attrs.get("flag_meanings", "")).split()
    if len(names) != len(values):
        return []
    own = str(attrs.get("flag_colors", "")).replace(",", " ").split()
    known = CLASS_COLORS.get(name, {})
    colours = own if len(own) == len(values) else [known.get(value, "") for value in values]
    classes = []
    for value, meaning, colour in zip(values, names, colours, strict=True):
        one: dict[str, Any] = {"value": value, "name": meaning}
        if colour:
            one["color_hint"] = colour.lstrip("#").upper()
        classes.append(one)
    return classes
