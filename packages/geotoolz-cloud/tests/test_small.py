"""Specks and gaps, against labelled components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy import ndimage

from geotoolz.cloud import RemoveSmall
from geotoolz.core import ParameterError, QuantityError, TileSpec, compile, run, tile_from_arrays
from geotoolz.core.testing import assert_law


def tile(mask: Any) -> xr.Dataset:
    values = np.asarray(mask, bool)
    box = GeoBox(values.shape[-2:], Affine(10, 0, 5e5, 0, -20, 5e6), "EPSG:32633")
    return tile_from_arrays({"mask": values}, box)


def drawn(text: str) -> np.ndarray[Any, Any]:
    return np.array([[c == "#" for c in line] for line in text.split()])


def sieved(mask: np.ndarray[Any, Any], least: int, connectivity: int) -> np.ndarray[Any, Any]:
    structure = np.ones((3, 3)) if connectivity == 8 else None
    labels, _ = ndimage.label(mask, structure)
    large = np.bincount(labels.ravel()) >= least
    large[0] = False
    return large[labels]


SHAPE = drawn("""
##.....#
##....#.
.....#..
.##.....
.##...##
...#....
""")


def test_by_hand() -> None:
    eight = RemoveSmall(4)(tile(SHAPE)).mask.values
    np.testing.assert_array_equal(eight, SHAPE & drawn("""
    ##......
    ##......
    ........
    .##.....
    .##.....
    ...#....
    """))  # fmt: skip
    assert RemoveSmall(4, connectivity=4)(tile(SHAPE)).mask.values.sum() == 8
    assert RemoveSmall(1)(tile(SHAPE)).mask.values.sum() == SHAPE.sum()
    # 600 m² are three pixels of 10 m × 20 m, 601 m² four
    assert RemoveSmall(min_area=600.0)(tile(SHAPE)).mask.values.sum() == 12
    assert RemoveSmall(min_area=601.0)(tile(SHAPE)).mask.values.sum() == 9


def test_gaps_are_closed_after_specks_are_gone() -> None:
    ring = drawn("""
    .......
    .#####.
    .#...#.
    .#.#.#.
    .#...#.
    .#####.
    .......
    """)
    out = RemoveSmall(10, fill_holes=True, name="filled")(tile(ring))
    np.testing.assert_array_equal(out.filled.values[1:6, 1:6], np.ones((5, 5), bool))
    assert out.filled.values.sum() == 25
    np.testing.assert_array_equal(out["mask"].values, ring)
    assert RemoveSmall(9, fill_holes=True)(tile(ring)).mask.values.sum() == 16  # the gap has nine pixels


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.integers(1, 12),
    st.sampled_from([4, 8]), st.booleans(),
)  # fmt: skip
def test_against_scipy(height: int, width: int, seed: int, least: int, connectivity: Any, fill: bool) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0.2, 0.45, 0.6])
    expected = sieved(mask, least, connectivity)
    if fill:
        expected = ~sieved(~expected, least, 12 - connectivity)
    got = RemoveSmall(least, connectivity=connectivity, fill_holes=fill)(tile(mask)).mask.values
    np.testing.assert_array_equal(got, expected)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 15), st.sampled_from([4, 8]), st.booleans())
def test_the_law_on_labyrinths(seed: int, least: int, connectivity: Any, fill: bool) -> None:
    # long thin components are the worst case of a finite footprint
    mask = np.random.default_rng(seed).random((31, 29)) < 0.5
    op = RemoveSmall(least, connectivity=connectivity, fill_holes=fill)
    assert_law(op, tile(mask), windows=[(1, 29), (31, 1), (5, 7)], threads=(1,), adversarial=False)


def test_a_line_as_long_as_the_limit_needs_the_whole_footprint() -> None:
    for length in (9, 10):
        mask = np.zeros((3, 30), bool)
        mask[1, 5 : 5 + length] = True
        op = RemoveSmall(10)
        assert compile(op, TileSpec.of(tile(mask))).footprint.x == 9
        for window in ((1, 1), (3, 4)):
            assert run(op, tile(mask), window=window).mask.values.sum() == (10 if length == 10 else 0)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"min_pixels": 3, "min_area": 3.0},
        {"min_pixels": 0},
        {"min_area": 0.0},
        {"min_pixels": 3, "connectivity": 6},
    ],
)
def test_bad_sizes(values: Any) -> None:
    with pytest.raises(ParameterError):
        RemoveSmall(**values)


def test_bad_tiles() -> None:
    with pytest.raises(QuantityError, match="expected bool"):
        RemoveSmall(3)(tile(SHAPE).assign(mask=(("y", "x"), SHAPE.astype("f4"))))
    with pytest.raises(ParameterError, match="is 5000000 pixels; expected at most 100000"):
        RemoveSmall(min_area=1e9)(tile(SHAPE))
