"""Tiles as files and other people leave them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import ParameterError, ReadError, Ref, Sequential, TileError, TileSpec, freeze, load, run
from geotoolz.radiometry import BoxMean, Extremes, MinMax, PercentileClip, Percentiles, ToFloat32

Make = Callable[..., xr.Dataset]
OPS = [BoxMean(1), ToFloat32(), PercentileClip(), MinMax(), Sequential([BoxMean(1), PercentileClip()])]


@pytest.mark.parametrize("op", OPS, ids=repr)
@pytest.mark.parametrize("dtype", [">f4", ">f8", ">u2", ">i4"])
def test_the_other_byte_order(make: Make, op: Any, dtype: str) -> None:
    ds = make(dtype=dtype[1:], bands=("red",))
    swapped = ds.assign(red=ds.red.astype(dtype))
    out = op(swapped)
    xr.testing.assert_identical(out, op(ds))
    assert out.red.dtype.isnative
    xr.testing.assert_identical(freeze(op, ds)(swapped.chunk(y=3)).compute(), op(ds))
    assert swapped.red.dtype == np.dtype(dtype)


@pytest.mark.parametrize("fill", [np.uint16(7), np.array([7], "u2"), np.array(7), 7, 7.0])
def test_no_data_in_the_clothes_of_every_reader(make: Make, fill: Any) -> None:
    ds = make(dtype="u2", bands=("red",))
    ds.red.values[0, 0] = 7
    ds.red.attrs["_FillValue"] = fill
    assert TileSpec.of(ds).variables["red"].nodata == 7
    assert np.isnan(ToFloat32()(ds).red.values[0, 0])


@pytest.mark.parametrize("fill", ["none", [7], np.array([1, 2]), 1j])
def test_no_data_that_is_no_number(make: Make, fill: Any) -> None:
    ds = make()
    ds.red.attrs["_FillValue"] = fill
    with pytest.raises(TileError, match="_FillValue"):
        BoxMean(1)(ds)


def test_nan_as_no_data_of_integers_is_none(make: Make) -> None:
    ds = make(dtype="u2")
    ds.red.attrs["_FillValue"] = np.nan
    assert TileSpec.of(ds).variables["red"].nodata is None


@pytest.mark.parametrize("dtype", ["c8", "f2", "U3", "M8[ns]", "O"])
def test_values_that_no_kernel_takes(make: Make, dtype: str) -> None:
    ds = make()
    ds["odd"] = (("y", "x"), np.zeros((6, 7), dtype))
    for op in (BoxMean(1, ("odd",)), ToFloat32(("odd",)), MinMax(("odd",)), PercentileClip(bands=("odd",))):
        with pytest.raises(TileError, match=r"reads 'odd', which is .*astype"):
            op(ds)
    if dtype != "f2":  # a measurement, and told so; the others are not taken for one
        assert BoxMean(1)(ds).odd.dtype == ds.odd.dtype


def test_masks_can_be_measured(make: Make) -> None:
    ds = make()
    ds["m"] = ds.red > 0.5
    share = BoxMean(50, ("m",))(ds).m
    np.testing.assert_allclose(share, float(ds.m.mean()), rtol=1e-6)
    assert Extremes(("m",))(ds) == {"m": (0.0, 1.0)}
    assert Percentiles(("m",), (0.0, 100.0))(ds) == {"m": (0.0, 1.0)}


def test_names_that_are_no_text(make: Make) -> None:
    with pytest.raises(TileError, match="variable called 1"):
        BoxMean(1)(make().rename(red=1))


@pytest.mark.parametrize("window", [3, (2.0, 3.0), (2,), (1, 2, 3), "ab", (True, True)])
def test_windows_that_are_none(make: Make, window: Any) -> None:
    with pytest.raises(ParameterError, match=r"expected \(rows, columns\)"):
        run(BoxMean(1), make(), window=window)


def test_paths_that_are_none(tmp_path: Any) -> None:
    with pytest.raises(ReadError, match="no path"):
        load("\0")
    (tmp_path / "a b.csv").write_text("1")
    ref = Ref.of(tmp_path / "a b.csv")
    assert Ref((tmp_path / "a b.csv").as_uri(), ref.sha256).read_bytes() == b"1"
