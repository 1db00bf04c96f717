"""One number for the pixels of a tile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import numpy as np

from geotoolz.core._errors import MissingVariableError, TileError, nearest
from geotoolz.core._lazy import xr
from geotoolz.core._specs import TileSpec


def pixel_hash(ds: xr.Dataset, names: str | Iterable[str] | None = None) -> str:
    """Return the SHA-256 of a tile's pixels.

    Hashed are, variable by variable: one line of JSON with the name, the dtype and the shape, then the
    values in C order. Numbers are hashed little-endian, whatever their byte order in memory. Bits count, as
    in the one law: -0.0 is not 0.0, and NaNs are taken as they are, sign and payload included. Coordinates
    and attributes do not count.

    Parameters
    ----------
    ds : xarray.Dataset
        The tile. Lazy variables are computed.
    names : str or iterable of str, optional
        Variables, in the order in which they are hashed; by default all, in the order of the tile.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    MissingVariableError
        If the tile lacks a variable.
    TileError
        If a variable holds no numbers.

    Examples
    --------
    >>> from geotoolz.core import pixel_hash
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((32, 32), bands=("red", "nir"))
    >>> pixel_hash(tile) == pixel_hash(tile.chunk({"y": 10})), len(pixel_hash(tile, "red"))
    (True, 64)
    """
    TileSpec.require_dataset(ds)
    wanted = list(ds.data_vars) if names is None else [names] if isinstance(names, str) else list(names)
    found = hashlib.sha256()
    for name in wanted:
        if name not in ds.data_vars:
            have = ", ".join(map(str, ds.data_vars)) or "no variables"
            hint = nearest(str(name), map(str, ds.data_vars))
            raise MissingVariableError(f"the tile has no variable {name!r}; it has {have}{hint}")
        values = np.asarray(ds.variables[name].values)
        if values.dtype.kind not in "biufc":
            raise TileError(f"the variable {name!r} is {values.dtype}", expected="numbers")
        values = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
        head = [str(name), values.dtype.str, list(ds.variables[name].shape)]
        found.update(json.dumps(head).encode() + b"\n")
        found.update(values.reshape(-1).view(np.uint8).data)
    return found.hexdigest()
