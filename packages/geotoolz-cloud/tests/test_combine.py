"""Masks of masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.cloud import CombineMasks
from geotoolz.core import MissingVariableError, ParameterError, QuantityError, tile_from_arrays

NAN = float("nan")


def tile(nodata: Any = None, **columns: Any) -> xr.Dataset:
    arrays = {n: np.atleast_2d(v) for n, v in columns.items()}
    box = GeoBox(next(iter(arrays.values())).shape, Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    return tile_from_arrays(arrays, box, nodata=nodata or {})


def combined(ds: xr.Dataset, how: Any, *names: str) -> list[int]:
    return CombineMasks(names, how=how)(ds).mask.values[0].astype(int).tolist()


def test_truth_tables() -> None:
    ds = tile(
        a=np.array([0, 0, 0, 1, 1, 1, NAN, NAN, NAN], "f4"),
        b=np.array([0, 1, NAN, 0, 1, NAN, 0, 1, NAN], "f8"),
    )
    assert combined(ds, "any", "a", "b") == [0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert combined(ds, "all", "a", "b") == [0, 0, 0, 0, 1, 1, 0, 1, 1]
    assert combined(ds, "not", "a", "b") == [1, 0, 1, 0, 0, 0, 1, 0, 1]
    assert combined(ds, "not", "a") == [1, 1, 1, 0, 0, 0, 1, 1, 1]


def test_integers_and_their_nodata() -> None:
    ds = tile({"a": 255}, a=np.array([0, 1, 255, 7], "u1"), b=np.array([True, False, False, False]))
    assert combined(ds, "any", "a", "b") == [1, 1, 1, 1]
    assert combined(ds, "all", "a", "b") == [0, 0, 0, 0]
    assert combined(ds, "not", "a") == [1, 0, 1, 0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=5, max_size=5), min_size=1, max_size=4))
def test_against_three_valued_logic(columns: list[list[float]]) -> None:
    ds = tile(None, **{f"m{i}": np.array(c, "f4") for i, c in enumerate(columns)})
    for how in ("any", "all", "not"):
        expected = []
        for values in zip(*columns, strict=True):
            # Kleene: no is −1, unknown 0, yes 1
            signs = [0 if v != v else (1 if v else -1) for v in values]
            verdict = {"any": max(signs), "all": min(signs), "not": -max(signs)}[how]
            expected.append(int(verdict >= 0))
        assert combined(ds, how, *map(str, ds.data_vars)) == expected


def test_bad_input() -> None:
    ds = tile(a=np.array([True, False]), b=np.array([1, 2], "u1"))
    with pytest.raises(MissingVariableError, match="reads 'c'"):
        CombineMasks(("a", "c"))(ds)
    with pytest.raises(ParameterError, match="no masks"):
        CombineMasks(())
    with pytest.raises(ParameterError, match="how='xor'"):
        CombineMasks(("a",), how="xor")  # type: ignore[arg-type]
    flags = ds.assign(b=ds.b.assign_attrs(quantity="flags"))
    with pytest.raises(QuantityError, match=r"'b', which holds flags.*MaskFromFlags"):
        CombineMasks(("a", "b"))(flags)
    with pytest.raises(QuantityError, match="has dims"):
        CombineMasks(("a", "b"))(ds.assign(b=ds.b.expand_dims(time=2)))
