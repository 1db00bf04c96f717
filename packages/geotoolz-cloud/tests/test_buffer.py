"""Disks in metres, against a distance transform."""

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

from geotoolz.cloud import BufferMask, RemoveSmall
from geotoolz.core import (
    MissingCRSError,
    ParameterError,
    QuantityError,
    TileSpec,
    compile,
    run,
    tile_from_arrays,
)


def tile(
    mask: Any, res: tuple[float, float] = (10, 10), crs: Any = "EPSG:32633", affine: Any = None
) -> xr.Dataset:
    values = np.asarray(mask, bool)
    transform = affine or Affine(res[1], 0, 5e5, 0, -res[0], 5e6)
    return tile_from_arrays({"mask": values}, GeoBox(values.shape[-2:], transform, crs))


def dot(side: int = 9) -> np.ndarray[Any, Any]:
    mask = np.zeros((side, side), bool)
    mask[side // 2, side // 2] = True
    return mask


def test_a_disk_by_hand() -> None:
    # 20 m of 10 m pixels: two to each side, and no corner (sqrt(2² + 1²) > 2)
    grown = BufferMask(20.0)(tile(dot(7))).mask.values
    assert grown.astype(int).tolist() == [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    # pixels twice as wide as high: an ellipse in pixels
    wide = BufferMask(20.0)(tile(dot(7), (10, 20))).mask.values
    assert wide.sum(axis=1).tolist() == [0, 1, 1, 3, 1, 1, 0]


def test_three_pixels_of_a_tenth_of_a_metre_are_three_tenths() -> None:
    assert BufferMask(0.3)(tile(dot(), (0.1, 0.1))).mask.values[4].sum() == 7
    assert BufferMask(29.999)(tile(dot())).mask.values[4].sum() == 5


def test_feet_and_grids_that_are_not_north_up() -> None:
    feet = tile(dot(), crs="EPSG:2263")  # US survey feet: 10 units are 3.048 m
    assert BufferMask(6.2)(feet).mask.values[4].sum() == 5
    assert BufferMask(6.0)(feet).mask.values[4].sum() == 3
    south_up = tile(dot(), affine=Affine(10, 0, 5e5, 0, 10, 5e6))
    np.testing.assert_array_equal(BufferMask(25.0)(south_up).mask, BufferMask(25.0)(tile(dot())).mask)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1),
    st.sampled_from([(10, 10), (30, 10), (7, 13)]), st.integers(0, 400),
)  # fmt: skip
def test_against_scipy(height: int, width: int, seed: int, res: tuple[float, float], distance: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0.002, 0.02, 0.3])
    expected = ndimage.distance_transform_edt(~mask, sampling=res) <= distance if mask.any() else mask
    np.testing.assert_array_equal(BufferMask(float(distance))(tile(mask, res)).mask.values, expected)


def test_looks_as_far_as_the_disk() -> None:
    spec = TileSpec.of(tile(dot(), (10, 30)))
    footprint = compile(BufferMask(95.0), spec).footprint
    assert (footprint.y, footprint.x) == (9, 3)
    big = tile(np.random.default_rng(0).random((90, 80)) < 0.003)
    whole = BufferMask(200.0)(big)
    for window in ((7, 80), (90, 11), (13, 17)):
        xr.testing.assert_identical(run(BufferMask(200.0), big, window=window), whole)


def test_degrees_are_refused() -> None:
    degrees = tile(dot(), crs="EPSG:4326", affine=Affine(1e-4, 0, 15, 0, -1e-4, -30))
    for op in (BufferMask(20.0), RemoveSmall(min_area=900.0)):
        with pytest.raises(
            QuantityError, match=r"counts in metres.*EPSG:4326\) in degrees.*Reproject\('EPSG:32733'\)"
        ):
            op(degrees)
    assert RemoveSmall(2)(degrees).mask.sum() == 0  # pixels are pixels


def test_bad_input() -> None:
    with pytest.raises(MissingCRSError, match="BufferMask needs the tile's grid"):
        BufferMask(20.0)(tile(dot(), crs=None))
    for distance in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="metres, 0 or more"):
            BufferMask(distance)
    with pytest.raises(ParameterError, match="distance=1e\\+09 is 100000000 pixels"):
        BufferMask(1e9)(tile(dot()))
    with pytest.raises(QuantityError, match=r"mask 'mask' of uint8.*bool"):
        BufferMask(20.0)(tile(dot()).assign(mask=(("y", "x"), dot().astype("u1"))))


def test_a_distance_of_less_than_a_pixel_is_told() -> None:
    ds = tile(dot(), (454, 445))
    program = compile(BufferMask(300.0), TileSpec.of(ds))
    assert [note.text for note in program.notes] == [
        "distance=300 m is less than a pixel (445 × 454 m): nothing grows"
    ]
    assert BufferMask(300.0)(ds).mask.equals(ds.mask)
    for distance in (0.0, 450.0):  # as asked for; grows along rows
        assert not compile(BufferMask(distance), TileSpec.of(ds)).notes


def test_metres_of_web_mercator_are_doubted() -> None:
    box = GeoBox((40, 40), Affine(100, 0, 1_700_000, 0, -100, 8_400_000), "EPSG:3857")
    mask = np.zeros((40, 40), bool)
    mask[20, 20] = True
    tile = tile_from_arrays({"mask": mask}, box)
    for op in (BufferMask(500.0), RemoveSmall(min_area=5000.0)):
        (note,) = compile(op, TileSpec.of(tile)).notes
        assert "web mercator" in note.text and "Reproject('EPSG:32633')" in note.text
    assert compile(RemoveSmall(20), TileSpec.of(tile)).notes == ()
