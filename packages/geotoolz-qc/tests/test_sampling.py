"""Samples for hot paths: the same verdict however the tile is cut, within the error that is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import ParameterError, QCError, run_detailed, tile_from_arrays
from geotoolz.core.testing import assert_law, contract_tile
from geotoolz.qc import AssertValidFraction, AssertValueRange, ValidShare


def tile(values: Any, tile_id: str = "T33") -> xr.Dataset:
    box = GeoBox(values.shape, Affine(10, 0, 499980, 0, -10, 5100000), "EPSG:32633")
    return tile_from_arrays({"red": values}, box, attrs={"tile_id": tile_id})


def half(rng: np.random.Generator, shape: tuple[int, int] = (300, 411)) -> Any:
    return np.where(rng.random(shape) < 0.5, np.nan, rng.random(shape)).astype("f4")


@pytest.mark.parametrize("cell", [2, 8, 64])
def test_the_same_pixels_for_every_cut(cell: int) -> None:
    ds = contract_tile((61, 83))
    assert_law(AssertValidFraction(0.0, sample_cell=cell), ds)
    assert_law(AssertValueRange(0.0, 0.5, max_outside=1.0, sample_cell=cell), ds)


def test_a_crop_looks_at_the_pixels_of_its_parent() -> None:
    values = np.zeros((64, 64), "f4")
    ds = tile(values)
    whole = run_detailed(AssertValidFraction(0, sample_cell=8), ds).statistics[""]["red"]
    parts = [
        run_detailed(AssertValidFraction(0, sample_cell=8), ds.isel(y=rows, x=cols)).statistics[""]["red"]
        for rows in (slice(0, 13), slice(13, 64))
        for cols in (slice(0, 30), slice(30, 64))
    ]
    assert sum(part.n for part in parts) == whole.n


@given(seed=st.integers(0, 10_000), cell=st.sampled_from([2, 4, 8]))
def test_shares_are_off_by_no_more_than_is_said(seed: int, cell: int) -> None:
    values = half(np.random.default_rng(seed), (200, 173))
    ds = tile(values, f"T{seed}")
    found = run_detailed(AssertValidFraction(0, sample_cell=cell), ds).statistics[""]["red"]
    exact = float(np.isfinite(values).mean())
    assert abs(found - exact) <= found.error(0.999999)
    count = run_detailed(AssertValueRange(0, 0.3, max_outside=1.0, sample_cell=cell), ds).statistics[""][
        "red"
    ]
    exact = float((values > np.float32(0.3)).sum() / np.isfinite(values).sum())
    assert abs(count.share - exact) <= count.error(0.999999)


def test_the_error_is_hoeffdings() -> None:
    share = ValidShare(0.5, n=128 * 128, cells=128 * 128, cell=8)
    assert share.error() == pytest.approx(np.sqrt(np.log(2 / 0.01) / (2 * 128 * 128)))
    assert ValidShare(0.5, 10, 10, 1).error() == 0
    assert ValidShare(0.0, 0, 4, 8).error() == 1
    with pytest.raises(ParameterError, match="confidence"):
        share.error(1.0)


def test_verdicts_of_samples_say_so() -> None:
    ds = tile(half(np.random.default_rng(1)))
    with pytest.raises(QCError, match=r"red has \d+\.\d% \(± \d\.\d%, sampled\) valid pixels"):
        AssertValidFraction(0.9, sample_cell=4)(ds)
    with pytest.raises(QCError, match="sampled pixels outside"):
        AssertValueRange(0, 0.1, sample_cell=4)(ds)


def test_missing_pixels_of_a_sample_do_not_count() -> None:
    ds = tile(np.where(np.arange(64 * 64).reshape(64, 64) % 2 == 0, np.nan, 5.0).astype("f4"))
    count = run_detailed(AssertValueRange(0, 9, sample_cell=2), ds).statistics[""]["red"]
    assert 0 < count.valid < 32 * 32 and (count.low, count.high, count.outside) == (5, 5, 0)
    nothing = tile(np.full((9, 9), np.nan, "f4"))
    AssertValueRange(0, 1, sample_cell=4)(nothing)
    with pytest.raises(QCError, match=r"0\.0%"):
        AssertValidFraction(0.5, sample_cell=4)(nothing)


@pytest.mark.parametrize("cell", [0, 3, -1, 2048])
def test_cells_are_powers_of_two_or_refused(cell: int) -> None:
    for op in (AssertValidFraction, AssertValueRange):
        with pytest.raises(ParameterError, match="sample_cell"):
            op(*((0.0,) if op is AssertValidFraction else (0.0, 1.0)), sample_cell=cell)
