"""Pixels by their hash: of inputs as they are read, of outputs with what tells later where they differ."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from geotoolz.io import OpenScene

Array = np.ndarray[Any, Any]

SIDE = 256
"""Rows and columns of the blocks whose hashes tell where an output differs."""
_STRIP = 16 * 2**20  # pixels that are held at once while an input is hashed


def hash_of(name: str, values: Array) -> str:
    """Return what `geotoolz.core.pixel_hash` returns of the one variable."""
    from geotoolz.core import pixel_hash

    dims = tuple(f"d{i}" for i in range(values.ndim))
    return pixel_hash(xr.Dataset({name: (dims, values)}))


def scene_hashes(scene: OpenScene, names: Iterable[str]) -> dict[str, str]:
    """Hash variables of a scene as they are read, in strips: the hashes are those of the whole tile.

    Parameters
    ----------
    scene : OpenScene
    names : iterable of str

    Returns
    -------
    dict of str to str
        Variable → what `geotoolz.core.pixel_hash` gives for it alone.
    """
    found = {}
    rows, cols = scene.spec.shape
    for name in names:
        spec = scene.spec.variables[name]
        if spec.dims != ("y", "x"):  # dates and wavelengths come before rows: no strip of the whole
            found[name] = hash_of(name, scene.arrays([name])[name])
            continue
        digest = hashlib.sha256(_head(name, spec.dtype, (rows, cols)))
        step = max(1, _STRIP // max(1, cols))
        for top in range(0, rows, step):
            values = scene.arrays([name], slice(top, min(top + step, rows)))[name]
            digest.update(_little(values).reshape(-1).view(np.uint8).data)
        found[name] = digest.hexdigest()
    return found


def _head(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return json.dumps([name, dtype.newbyteorder("<").str, list(shape)]).encode() + b"\n"


def _little(values: Array) -> Array:
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))


def record_of(name: str, values: Array, nodata: float | int | None) -> dict[str, Any]:
    """Describe an output: hash, block hashes, and figures for people.

    Parameters
    ----------
    name : str
        The variable.
    values : numpy.ndarray
        Any dtype; the last two dims are cut into blocks.
    nodata : number, optional

    Returns
    -------
    dict
    """
    return {
        "dtype": values.dtype.newbyteorder("<").str,
        "shape": list(values.shape),
        "sha256": hash_of(name, values),
        "blocks": block_hashes(values),
        **_figures(values, nodata),
    }


def block_hashes(values: Array) -> list[str]:
    """Return the first 16 digits of each block's SHA-256, row by row.

    Examples
    --------
    >>> len(block_hashes(np.zeros((300, 257), "f4")))
    4
    """
    rows, cols = (*values.shape, 1, 1)[:2] if values.ndim < 2 else values.shape[-2:]
    if values.ndim < 2:
        return [hashlib.sha256(_little(values).tobytes()).hexdigest()[:16]]
    return [
        hashlib.sha256(_little(values[..., y : y + SIDE, x : x + SIDE]).tobytes()).hexdigest()[:16]
        for y in range(0, rows, SIDE)
        for x in range(0, cols, SIDE)
    ]


def _figures(values: Array, nodata: float | int | None) -> dict[str, Any]:
    if values.dtype.kind not in "biuf":
        return {}
    valid = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    if nodata is not None and not math.isnan(nodata):
        valid &= values != nodata
    chosen = values[valid]
    if not chosen.size:
        return {"valid": 0}
    wide = chosen.astype(np.float64)
    return {
        "valid": int(chosen.size),
        "min": float(wide.min()),
        "max": float(wide.max()),
        "mean": float(wide.mean()),
    }


def changed_blocks(old: list[str], values: Array) -> tuple[int, int, list[int]]:
    """Return how many blocks differ, of how many, and the rows and columns that hold them all.

    Parameters
    ----------
    old : list of str
        As `block_hashes` returned them.
    values : numpy.ndarray
        Of the same shape.

    Returns
    -------
    changed, blocks : int
    extent : list of int
        First and last row (exclusive), first and last column (exclusive).
    """
    new = block_hashes(values)
    if len(old) != len(new):  # the manifest of somebody else
        old = [""] * len(new)
    across = -(-values.shape[-1] // SIDE) if values.ndim >= 2 else 1
    where = [divmod(i, across) for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    if not where:
        return 0, len(new), [0, 0, 0, 0]
    rows, cols = [row for row, _ in where], [col for _, col in where]
    height, width = values.shape[-2:] if values.ndim >= 2 else (values.size, 1)
    extent = [
        min(rows) * SIDE,
        min((max(rows) + 1) * SIDE, height),
        min(cols) * SIDE,
        min((max(cols) + 1) * SIDE, width),
    ]
    return len(where), len(new), extent


def bits_differ(a: Array, b: Array) -> Array:
    """Return where two arrays of one dtype and shape have other bits (NaN of one payload equals itself)."""
    left, right = _little(a), _little(b)
    if left.dtype.kind in "fc":
        unsigned = f"<u{left.dtype.itemsize if left.dtype.kind == 'f' else left.dtype.itemsize // 2}"
        same = (left.view(unsigned) == right.view(unsigned)).reshape(*left.shape, -1).all(-1)
        return np.asarray(~same)
    return np.asarray(left != right)


def deviations(expected: Array, found: Array, nodata: float | int | None) -> tuple[Array, Array]:
    """Return how far values are apart (float64), and where only one of the two is valid.

    Parameters
    ----------
    expected, found : numpy.ndarray
        One dtype and shape.
    nodata : number, optional

    Returns
    -------
    apart : numpy.ndarray
        0 where both are no-data.
    one_sided : numpy.ndarray of bool
    """
    a, b = expected.astype(np.float64), found.astype(np.float64)
    empty_a, empty_b = ~np.isfinite(a), ~np.isfinite(b)
    if nodata is not None and not math.isnan(nodata):
        empty_a |= expected == nodata
        empty_b |= found == nodata
    apart = np.abs(np.where(empty_a | empty_b, 0.0, a) - np.where(empty_a | empty_b, 0.0, b))
    return apart, empty_a != empty_b


def extent_of(where: Array) -> list[int]:
    """Return the first and last row and column (exclusive) of what is true in the last two dims."""
    flat: Array = where.reshape(-1, *where.shape[-2:]) if where.ndim > 1 else where.reshape(1, 1, -1)
    rows, cols = np.flatnonzero(flat.any(axis=(0, 2))), np.flatnonzero(flat.any(axis=(0, 1)))
    return [int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1] if rows.size else [0, 0, 0, 0]


def data_of(
    tiles: Mapping[str, xr.Dataset], wanted: Mapping[str, tuple[str, ...]]
) -> dict[str, xr.DataArray]:
    """Return the wanted variables of tiles; those of a graph's named tiles as ``tile/variable``."""
    return {
        f"{tile}/{name}" if tile else name: tiles[tile][name]
        for tile, names in wanted.items()
        for name in names
    }
