"""Shadows of clouds, by hand and against moved copies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.cloud import ProjectShadows
from geotoolz.core import ParameterError, QuantityError, TileError, TileSpec, compile, run, tile_from_arrays

SIZE = 41


def tile(mask: Any = None, affine: Any = None, crs: str = "EPSG:32633", **attrs: Any) -> xr.Dataset:
    if mask is None:
        mask = np.zeros((SIZE, SIZE), bool)
        mask[SIZE // 2, SIZE // 2] = True
    box = GeoBox(mask.shape[-2:], affine or Affine(10, 0, 5e5, 0, -10, 5e6), crs)
    dims = ("time", "y", "x") if mask.ndim == 3 else ("y", "x")
    nir = np.full(mask.shape, 0.1, "f4")
    return tile_from_arrays(
        {"mask": (dims, mask), "nir": (dims, nir)},
        box,
        attrs={"sun_elevation": 45.0, "sun_azimuth": 180.0} | attrs,
        var_attrs={"nir": {"quantity": "surface_reflectance", "units": "1"}},
    )


def where(ds: xr.Dataset, op: ProjectShadows) -> list[tuple[int, int]]:
    rows, cols = np.nonzero(op(ds).shadow.values)
    return [(int(r) - SIZE // 2, int(c) - SIZE // 2) for r, c in zip(rows, cols, strict=True)]


@pytest.mark.parametrize(
    ("azimuth", "expected"),
    [
        (180.0, (-10, 0)),  # sun in the south: shadow to the north, rows go down
        (0.0, (10, 0)),
        (90.0, (0, -10)),  # sun in the east: shadow to the west
        (270.0, (0, 10)),
        (135.0, (-7, -7)),
    ],
)
def test_away_from_the_sun(azimuth: float, expected: tuple[int, int]) -> None:
    # a cloud at 100 m and the sun at 45°: 100 m, ten pixels
    assert where(tile(sun_azimuth=azimuth), ProjectShadows(heights=(100.0,))) == [expected]


def test_other_grids() -> None:
    op = ProjectShadows(heights=(100.0,))
    south_up = tile(affine=Affine(10, 0, 5e5, 0, 10, 5e6))
    assert where(south_up, op) == [(10, 0)]
    coarse = tile(affine=Affine(10, 0, 5e5, 0, -20, 5e6))
    assert where(coarse, op) == [(-5, 0)]
    feet = tile(crs="EPSG:2263")  # US survey feet
    assert where(feet, ProjectShadows(heights=(30.48,))) == [(-10, 0)]


def test_a_range_is_swept_without_gaps() -> None:
    found = where(tile(sun_azimuth=150.0), ProjectShadows(min_height=20.0, max_height=150.0))
    steps = np.abs(np.diff(np.array(sorted(found)), axis=0)).max(axis=1)
    assert (steps <= 1).all() and len(found) == 12
    assert where(tile(), ProjectShadows(heights=(50.0, 100.0))) == [(-10, 0), (-5, 0)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(5, 85), st.floats(0, 360), st.floats(0, 300))
def test_against_a_moved_copy(seed: int, elevation: float, azimuth: float, height: float) -> None:
    mask = np.random.default_rng(seed).random((23, 31)) < 0.1
    d = height * math.tan(math.radians(90 - elevation)) / 10
    if abs(d) > 300:
        return
    row = math.floor(d * math.cos(math.radians(azimuth)) + 0.5)
    col = math.floor(-d * math.sin(math.radians(azimuth)) + 0.5)
    expected = np.zeros_like(mask)
    for r, c in zip(*np.nonzero(mask), strict=True):
        if 0 <= r + row < 23 and 0 <= c + col < 31:  # nothing comes in again on the other side
            expected[r + row, c + col] = True
    ds = tile(mask, sun_elevation=elevation, sun_azimuth=azimuth)
    got = ProjectShadows(heights=(height,))(ds).shadow.values
    np.testing.assert_array_equal(got, expected & ~mask)


def test_footprint_and_windows() -> None:
    mask = np.random.default_rng(1).random((60, 50)) < 0.02
    ds = tile(mask, sun_azimuth=150.0)
    op = ProjectShadows(min_height=0.0, max_height=200.0)
    footprint = compile(op, TileSpec.of(ds)).footprint
    assert (footprint.y, footprint.x) == (17, 10)
    for window in ((7, 50), (60, 9), (11, 13)):
        xr.testing.assert_identical(run(op, ds, window=window), op(ds))


def test_only_dark_pixels() -> None:
    ds = tile()
    ds.nir[10, 20] = 0.3
    ds.nir[11, 20] = np.nan
    op = ProjectShadows(heights=(80.0, 90.0, 100.0), max_nir=0.15)
    assert where(ds, op) == [(-8, 0)]
    with pytest.raises(QuantityError, match="digital numbers with an offset"):
        op(ds.assign(nir=ds.nir.assign_attrs(quantity="dn", add_offset=-0.1)))


def test_every_date_has_its_own_sun() -> None:
    mask = np.stack([tile().mask.values] * 3)
    stack = tile(mask)
    del stack.attrs["sun_azimuth"]
    stack = stack.assign_coords(
        time=np.array(["2024-01-01", "2024-02-01", "2024-03-01"], "datetime64[ns]"),
        sun_azimuth=("time", [180.0, 90.0, 0.0]),
    )
    out = ProjectShadows(heights=(100.0,))(stack).shadow.values
    at = [tuple(int(v) - SIZE // 2 for v in np.argwhere(plane)[0]) for plane in out]
    assert at == [(-10, 0), (0, -10), (10, 0)]


@pytest.mark.parametrize("name", ["sun_elevation", "sun_azimuth"])
def test_missing_sun_angles_are_named(name: str) -> None:
    ds = tile()
    del ds.attrs[name]
    with pytest.raises(TileError, match=rf"needs {name}.*ds\.attrs\['{name}'\].*ProjectShadows\({name}=…\)"):
        ProjectShadows()(ds)
    ProjectShadows(heights=(50.0,), **{name: 40.0})(ds)  # type: ignore[arg-type]


def test_bad_input() -> None:
    for attrs in ({"sun_elevation": -3.0}, {"sun_elevation": "high"}, {"sun_azimuth": float("nan")}):
        with pytest.raises(TileError, match="is "):
            ProjectShadows()(tile(**attrs))
    with pytest.raises(ParameterError, match="sun_elevation=0"):
        ProjectShadows(sun_elevation=0.0)
    for wrong in ({"min_height": 500.0, "max_height": 100.0}, {"heights": ()}, {"heights": (-1.0,)}):
        with pytest.raises(ParameterError, match="metres"):
            ProjectShadows(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"shadow of a cloud at 6000 m is .* pixels"):
        ProjectShadows()(tile(sun_elevation=0.5))
    with pytest.raises(QuantityError, match="degrees"):
        ProjectShadows()(tile(affine=Affine(1e-4, 0, 15, 0, -1e-4, 45), crs="EPSG:4326"))
