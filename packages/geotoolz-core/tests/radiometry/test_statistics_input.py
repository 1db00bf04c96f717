"""What statistics and casts are handed by mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import MissingVariableError, TileError
from geotoolz.radiometry import Extremes, MeanStd, Moments, Percentiles, ToFloat32

One = Callable[..., xr.Dataset]
EVERY = [
    Extremes(("red",)), MeanStd(("red",)), Moments(("red",)), Percentiles(("red",), (50.0,)),
    ToFloat32(("red",)),
]  # fmt: skip


@pytest.mark.parametrize("op", EVERY, ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("dtype", ["U3", "c8", "f2", "M8[ns]"])
def test_text_is_refused(one: One, op: Any, dtype: str) -> None:
    """Text, complex numbers, half floats and dates have no order or sum here."""
    ds = one(np.zeros((2, 2)))
    ds["red"] = (("y", "x"), np.zeros((2, 2)).astype(dtype))
    with pytest.raises(TileError, match=r"reads 'red', which is .*expected integers, float32 or float64"):
        op(ds)


@pytest.mark.parametrize("op", EVERY, ids=lambda op: type(op).__name__)
def test_a_missing_band_is_named(one: One, op: Any) -> None:
    with pytest.raises(MissingVariableError, match="reads 'red', and the tile has nir"):
        op(one(np.zeros((2, 2)), band="nir"))


def test_bands_with_and_without_dates_are_refused(one: One) -> None:
    ds = one(np.zeros((2, 2)))
    ds["nir"] = (("time", "y", "x"), np.zeros((3, 2, 2)))
    with pytest.raises(TileError, match="bands with and without time"):
        Moments(("red", "nir"))(ds)
