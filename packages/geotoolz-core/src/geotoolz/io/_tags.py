"""The tags by which a raster of geotoolz keeps names and attributes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geotoolz.core._errors import ParameterError

ATTRS_TAG = "GEOTOOLZ_ATTRS"
DTYPE_TAG = "GEOTOOLZ_DTYPE"
PROVENANCE_TAG = (
    "GEOTOOLZ_PROVENANCE"  # how the file came to be: pipeline, its hash, versions, inputs, as JSON
)
MOSAIC_TAG = "GEOTOOLZ_MOSAIC_OF"  # the files that a mosaic was copied from, relative to it: a JSON list
ORDER_TAG = "GEOTOOLZ_VARIABLES"  # of a Zarr group: the variables in the order of the tile
_ARRAY = "__array__"
_FLOAT = "__float__"


def encode_attrs(attrs: Mapping[str, Any], where: str) -> str:
    """Return attributes as JSON text with sorted keys.

    Raises
    ------
    ParameterError
        If a value has no JSON form.

    Examples
    --------
    >>> encode_attrs({"units": "1", "flag_values": [0, 1]}, "scl")
    '{"flag_values":[0,1],"units":"1"}'
    """
    plain = {str(key): _plain(value, f"{where}: attribute {key!r}") for key, value in attrs.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def decode_attrs(text: str) -> dict[str, Any]:
    """Return the attributes that `encode_attrs` wrote.

    Examples
    --------
    >>> decode_attrs(encode_attrs({"valid_range": np.array([0.0, 1.0], "f4")}, "x"))
    {'valid_range': array([0., 1.], dtype=float32)}
    """
    return {key: _restored(value) for key, value in json.loads(text).items()}


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, np.ndarray):
        return {_ARRAY: [value.dtype.str, _plain(value.tolist(), where)]}
    if isinstance(value, np.generic):
        return _plain(value.item(), where)
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(value)}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one, where) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one, where) for key, one in value.items()}
    raise ParameterError(
        f"{where} is a {type(value).__name__}",
        expected="text, numbers, lists or arrays",
        fix="drop the attribute or turn it into text before writing",
    )


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return np.array(_restored(value[_ARRAY][1]), dtype=value[_ARRAY][0])
        if set(value) == {_FLOAT}:
            return float(value[_FLOAT])
        return {key: _restored(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_restored(one) for one in value]
    return value
