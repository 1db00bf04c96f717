"""Counting valid pixels, a few rows at a time, so that no mask of the size of a scene is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["is_measured", "masked_share", "valid_mask", "valid_share"]

_ROWS = 512
_NO_MEASUREMENT = ("flags", "mask")
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def is_measured(attrs: Any) -> bool:
    """Say whether a variable holds measurements, not flags."""
    return attrs.get("quantity") not in _NO_MEASUREMENT


def valid_mask(values: np.ndarray[Any, Any], nodata: Any) -> Mask:
    """Return where an array has data."""
    if values.dtype.kind in "fc":
        valid: Mask = ~np.isnan(values)
        return valid if nodata is None or nodata != nodata else valid & (values != nodata)
    if nodata is None or values.dtype.kind == "b":
        return np.ones(values.shape, dtype=bool)
    return np.asarray(values != nodata)


def valid_share(variable: xr.Variable) -> float:
    """Return the share of pixels with data."""
    count = sum(int(_rows_mask(variable, rows).sum()) for rows in _row_slices(variable.shape[-2]))
    return count / variable.size if variable.size else 0.0


def masked_share(inputs: Iterable[xr.Variable], output: xr.Variable, had: Mask | None = None) -> float | None:
    """Return the share of the pixels with data in every input that have none in the output.

    Parameters
    ----------
    inputs : iterable of Variable
        Measured variables as read; looked at where `had` is not given.
    output : Variable
    had : array of bool, optional
        Where every input has data.

    Returns
    -------
    float or None
        None where there is nothing to compare: no inputs, another grid, no pixel with data.
    """
    parts = list(inputs)
    if any(part.shape != output.shape for part in parts) or (had is None and not parts):
        return None
    if had is not None and had.shape != output.shape:
        return None
    before, lost = 0, 0
    for rows in _row_slices(output.shape[-2]):
        mask = (
            had[rows]
            if had is not None
            else np.logical_and.reduce([_rows_mask(part, rows) for part in parts])
        )
        before += int(mask.sum())
        lost += int((mask & ~_rows_mask(output, rows)).sum())
    return lost / before if before else None


def _rows_mask(variable: xr.Variable, rows: slice) -> Mask:
    return valid_mask(variable.values[..., rows, :], variable.attrs.get("_FillValue"))


def _row_slices(height: int) -> list[slice]:
    return [slice(y, y + _ROWS) for y in range(0, height, _ROWS)]
