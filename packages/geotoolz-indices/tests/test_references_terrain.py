"""Operators on elevation models beside independent computations."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy.ndimage import generic_filter, sobel

from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import Reference, ReferenceSuite, data_path
from geotoolz.terrain import TPI, Aspect, Hillshade, RelativeElevation, Slope


def dem_tile(heights, pixel=(30.0, -20.0), nodata=np.nan):
    """Return a tile in a UTM zone."""
    heights = np.asarray(heights)
    box = GeoBox(heights.shape, Affine(pixel[0], 0, 500000, 0, pixel[1], 5000000), "EPSG:32632")
    attrs = {"dem": {"quantity": "elevation", "units": "m"}}
    return tile_from_arrays({"dem": heights}, box, var_attrs=attrs, nodata={"dem": nodata})


def alps():
    """Return the real elevation model of the Vinschgau."""
    import rasterio

    with rasterio.open(data_path("dem_alps/elev_vinschgau_250m.tif")) as file:
        heights = file.read(1, masked=True).filled(np.nan).astype(np.float32)
    return dem_tile(heights, (250.0, -250.0))


def for_peer(tile):
    """Return the heights as xarray-spatial takes them: north up, pixel size from the coordinates."""
    heights = tile.dem.values.astype(np.float64)
    coords = {"y": tile.y, "x": tile.x}
    return xr.DataArray(heights, dims=("y", "x"), coords=coords, attrs={"res": (250.0, 250.0)})


def largest(found, expected):
    """Return the largest difference; where one has no data the other has none."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    return float(np.nanmax(np.abs(found.astype(np.float64) - expected), initial=0))


def horn(heights, pixel):
    """Return the gradient towards the east and the north by the formula, NaN where anything is missing."""
    z = np.pad(np.asarray(heights, np.float64), 1, constant_values=np.nan)
    rows, cols = heights.shape
    at = {(i, j): z[1 + i : 1 + i + rows, 1 + j : 1 + j + cols] for i in (-1, 0, 1) for j in (-1, 0, 1)}
    east = (at[-1, 1] + 2 * at[0, 1] + at[1, 1]) - (at[-1, -1] + 2 * at[0, -1] + at[1, -1])
    south = (at[1, -1] + 2 * at[1, 0] + at[1, 1]) - (at[-1, -1] + 2 * at[-1, 0] + at[-1, 1])
    hole = 0 * at[0, 0]
    return east / (8 * pixel[0]) + hole, south / (8 * pixel[1]) + hole


def _slope_peer():
    from xrspatial import slope

    tile = alps()
    return largest(Slope()(tile).slope.values, slope(for_peer(tile)).values.astype(np.float64))


def _slope_scipy():
    tile = alps()
    heights = tile.dem.values.astype(np.float64)
    east, south = sobel(heights, axis=1) / 2000, sobel(heights, axis=0) / 2000
    expected = np.degrees(np.arctan(np.hypot(east, south)))[1:-1, 1:-1]
    return largest(Slope()(tile).slope.values[1:-1, 1:-1], expected)


def _turn(found, expected):
    """Return the largest angle between directions."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    turn = np.abs(found.astype(np.float64) - expected)
    return float(np.nanmax(np.minimum(turn, 360 - turn)))


def _aspect_peer():
    from xrspatial import aspect

    tile = alps()
    expected = aspect(for_peer(tile)).values.astype(np.float64)
    expected[expected == -1] = np.nan  # their level ground
    return _turn(Aspect()(tile).aspect.values, expected)


def _aspect_formula():
    tile = alps()
    east, north = horn(tile.dem.values, (250.0, -250.0))
    expected = np.degrees(np.arctan2(-east, -north)) % 360
    expected[np.hypot(east, north) == 0] = np.nan
    return _turn(Aspect()(tile).aspect.values, expected)


def _hillshade():
    tile = alps()
    east, north = horn(tile.dem.values, (250.0, -250.0))
    steep, fall = np.arctan(np.hypot(east, north)), np.arctan2(-east, -north)
    zenith, azimuth = np.radians(90 - 35), np.radians(290)
    expected = np.cos(zenith) * np.cos(steep) + np.sin(zenith) * np.sin(steep) * np.cos(azimuth - fall)
    found = Hillshade(azimuth=290, altitude=35.0)(tile).hillshade.values
    return largest(found, np.maximum(expected, 0))


def around(values, mask, what):
    """Return a statistic of the valid neighbours in a mask, by scipy, NaN without any."""

    def one(window):
        valid = window[np.isfinite(window)]
        return what(valid) if valid.size else np.nan

    return generic_filter(np.asarray(values, np.float64), one, footprint=mask, mode="constant", cval=np.nan)


def ring(radius, inner, pixel):
    ry, rx = int(radius // pixel[0]), int(radius // pixel[1])
    y, x = np.mgrid[-ry : ry + 1, -rx : rx + 1]
    squared = (y * pixel[0]) ** 2 + (x * pixel[1]) ** 2
    return (squared <= radius**2) & (squared > inner**2 if inner >= 0 else True)


def _tpi():
    tile = alps().isel(y=slice(0, 60), x=slice(0, 70))
    tile.dem.values[20:23, 30:40] = np.nan
    expected = tile.dem.values - around(tile.dem.values, ring(1300, 500, (250, 250)), np.mean)
    return largest(TPI(1300, inner=500.0)(tile).tpi.values, expected)


def _tpi_rounded():
    """Return by how many metres rounded indices, as Weiss gives them, differ."""
    tile = dem_tile(np.random.default_rng(0).integers(0, 3000, (40, 50)).astype(np.int16), nodata=None)
    mask = ring(100, 0, (20, 30))
    expected = np.floor(tile.dem.values - around(tile.dem.values, mask, np.mean) + 0.5)
    return largest(np.floor(TPI(100)(tile).tpi.values.astype(np.float64) + 0.5), expected)


def _relative():
    tile = alps().isel(y=slice(0, 60), x=slice(0, 70))
    tile.dem.values[20:23, 30:40] = np.nan
    lowest = around(tile.dem.values, ring(1300, -1, (250, 250)), np.min)
    return largest(RelativeElevation(1300)(tile).relative_elevation.values, tile.dem.values - lowest)


def _relative_share():
    tile = alps().isel(y=slice(0, 60), x=slice(0, 70))
    z, mask = tile.dem.values.astype(np.float64), ring(1300, -1, (250, 250))
    low, high = around(z, mask, np.min), around(z, mask, np.max)
    found = RelativeElevation(1300, normalize=True)(tile).relative_elevation.values
    return largest(found, (z - low) / (high - low))


@st.composite
def models(draw):
    """Draw small elevation models of several types, with gaps and extremes."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        heights = rng.choice(np.array([-32768, -400, 0, 1, 8848, 32767], np.int16), shape)
        return heights, -32768
    heights = rng.normal(3000, draw(st.sampled_from([0, 1, 500])), shape).astype(np.float32)
    heights[rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5]))] = np.nan
    return heights, np.nan


@settings(max_examples=150, deadline=None)
@given(models(), st.sampled_from([(30.0, -20.0), (10.0, 10.0)]))
def test_gradients_against_the_formula(model, pixel):
    heights, nodata = model
    tile = dem_tile(heights, pixel, nodata)
    east, north = horn(np.where(heights == nodata, np.nan, heights.astype(np.float64)), pixel)
    steep = np.degrees(np.arctan(np.hypot(east, north)))
    np.testing.assert_allclose(Slope()(tile).slope, steep, rtol=3e-7, atol=1e-9)
    np.testing.assert_allclose(Slope(units="percent")(tile).slope, 100 * np.hypot(east, north), rtol=1e-6)
    light = np.sin(np.radians(45)) - np.cos(np.radians(45)) * (
        east * np.sin(np.radians(315)) + north * np.cos(np.radians(315))
    )
    expected = np.maximum(light / np.sqrt(1 + east**2 + north**2), 0)
    np.testing.assert_allclose(Hillshade()(tile).hillshade, expected, atol=1e-6)
    found = Aspect()(tile).aspect.values.astype(np.float64)
    level = ~(np.hypot(east, north) > 0)
    assert np.isnan(found[level]).all()
    length = np.where(level, np.nan, np.hypot(east, north))
    np.testing.assert_allclose(np.sin(np.radians(found)), -east / length, atol=1e-6)
    np.testing.assert_allclose(np.cos(np.radians(found)), -north / length, atol=1e-6)
    assert ((found[~level] >= 0) & (found[~level] < 360)).all()


@settings(max_examples=80, deadline=None)
@given(models(), st.sampled_from([(1.0, 0.0), (1.5, 0.0), (3.3, 1.0), (4.0, 3.9)]))
def test_positions_against_scipy(model, radii):
    heights, nodata = model
    tile = dem_tile(heights, nodata=nodata)
    z = np.where(heights == nodata, np.nan, heights.astype(np.float64))
    radius, inner = radii
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = z - around(z, ring(radius, inner, (1, 1)), np.mean)
        above = z - around(z, ring(radius, -1, (1, 1)), np.min)
        share = above / (around(z, ring(radius, -1, (1, 1)), np.max) - z + above)
    op = TPI(radius, "pixels", inner=inner)
    np.testing.assert_allclose(op(tile).tpi, expected, rtol=1e-6, atol=1e-3)
    relative = RelativeElevation(radius, "pixels")
    np.testing.assert_array_equal(relative(tile).relative_elevation, above.astype(np.float32))
    found = relative.replace(normalize=True)(tile).relative_elevation
    np.testing.assert_allclose(found, share, atol=1e-6)


class TestTerrain(ReferenceSuite):
    module = "geotoolz.terrain"
    references = (
        Reference(Slope, "xrspatial.slope on dem_alps", _slope_peer, 1e-5, "degrees",
                  bad_input="test_terrain.py::test_degrees_are_refused_where_metres_are_needed"),
        Reference(Slope, "scipy.ndimage.sobel in float64 on dem_alps", _slope_scipy, 1e-5, "degrees",
                  bad_input="test_terrain.py::test_degrees_are_refused_where_metres_are_needed"),
        Reference(Aspect, "xrspatial.aspect on dem_alps", _aspect_peer, 1e-4, "degrees",
                  bad_input="test_terrain.py::test_what_is_no_elevation_is_refused"),
        Reference(Aspect, "Horn (1981) in NumPy, float64, on dem_alps", _aspect_formula, 5e-5, "degrees",
                  bad_input="test_terrain.py::test_what_is_no_elevation_is_refused"),
        Reference(Hillshade, "Horn (1981) by slope and aspect in NumPy, float64, on dem_alps", _hillshade,
                  1e-7, "1", bad_input="test_terrain.py::test_bad_light_is_refused"),
        Reference(TPI, "scipy.ndimage.generic_filter with a ring, on dem_alps", _tpi, 5e-5, "m",
                  bad_input="test_terrain.py::test_bad_radii_are_refused"),
        Reference(TPI, "Weiss (2001), rounded to metres, by scipy on int16", _tpi_rounded, 0, "m",
                  bad_input="test_terrain.py::test_bad_radii_are_refused"),
        Reference(RelativeElevation, "scipy.ndimage.generic_filter with a disk, on dem_alps", _relative, 0,
                  "m", bad_input="test_terrain.py::test_bad_radii_are_refused"),
        Reference(RelativeElevation, "the same, normalized", _relative_share, 1e-7, "1",
                  bad_input="test_terrain.py::test_bad_radii_are_refused"),
    )  # fmt: skip
