"""Output paths with fields: ``out/{item_id}_{band}.tif``."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

from geotoolz.core._errors import ParameterError, TileError, nearest

# Field → the tile attribute that it comes from; the parts of the date all come from "datetime".
FIELDS: Mapping[str, str] = {
    "tile_id": "tile_id",
    "item_id": "tile_id",
    "band": "",
    "date": "datetime",
    "datetime": "datetime",
    "year": "datetime",
    "month": "datetime",
    "day": "datetime",
    "platform": "platform",
    "instrument": "instrument",
    "level": "processing_level",
}


def fields_of(template: str) -> tuple[str, ...]:
    """Return the fields of a template.

    Raises
    ------
    ParameterError
        If a field is unknown or the braces do not match.

    Examples
    --------
    >>> fields_of("out/{item_id}_{band}.tif")
    ('item_id', 'band')
    """
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ParameterError(f"path {template!r}: {error}", expected="fields in braces, {item_id}") from error
    names = []
    for _, name, spec, conversion in parsed:
        if name is None:
            continue
        if name not in FIELDS or spec or conversion:
            raise ParameterError(
                f"path {template!r} has the field {{{name}}}{nearest(name, FIELDS)}",
                expected="one of " + ", ".join(f"{{{field}}}" for field in FIELDS),
            )
        names.append(name)
    return tuple(names)


def expand(template: str, attrs: Mapping[str, Any], band: str = "") -> str:
    """Fill a template with a tile's attributes.

    Raises
    ------
    TileError
        If the tile lacks an attribute that the template needs.

    Examples
    --------
    >>> expand("{item_id}/{date}.tif", {"tile_id": "T33TWL", "datetime": "2023-08-20T09:58:11Z"})
    'T33TWL/2023-08-20.tif'
    """
    values = {}
    for field in fields_of(template):
        values[field] = band if field == "band" else _value(field, attrs, template)
    return template.format(**{k: re.sub(r"[^\w.+-]", "_", v) for k, v in values.items()})


def _value(field: str, attrs: Mapping[str, Any], template: str) -> str:
    key = FIELDS[field]
    value = str(attrs.get(key) or "")
    if not value:
        raise TileError(
            f"path {template!r} needs {{{field}}}, and the tile has no attribute {key!r}",
            fix=f"set it (ds.attrs[{key!r}] = …) or leave the field out of the path",
        )
    if key != "datetime":
        return value
    moment = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d).*)?", value)
    if moment is None:
        raise TileError(f"the tile's datetime is {value!r}", expected="ISO 8601, 2023-08-20T09:58:11Z")
    year, month, day, *clock = moment.groups(default="00")
    return {
        "date": f"{year}-{month}-{day}",
        "datetime": f"{year}{month}{day}T{''.join(clock)}Z",
        "year": year,
        "month": month,
        "day": day,
    }[field]
