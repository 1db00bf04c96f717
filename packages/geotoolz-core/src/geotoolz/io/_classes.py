"""Class maps: names and colours for QGIS and for STAC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geotoolz.io._flags import CLASS_COLORS


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
