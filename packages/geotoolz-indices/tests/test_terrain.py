"""Elevation models: numbers by hand, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    MissingCRSError,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileError,
    TileSpec,
    compile,
    tile_from_arrays,
)
from geotoolz.core.testing import contract_tile, data_path
from geotoolz.grid import Reproject
from geotoolz.terrain import (
    TPI,
    Aspect,
    Hillshade,
    RelativeElevation,
    Slope,
    compute_slope,
    compute_tpi,
)


def dem_tile(heights, pixel=(10.0, -10.0), crs="EPSG:32632", nodata=np.nan, **attrs):
    heights = np.asarray(heights)
    if heights.dtype == np.float64:
        heights = heights.astype(np.float32)
    box = GeoBox(heights.shape, Affine(pixel[0], 0, 500000, 0, pixel[1], 5000000), crs)
    own = {"dem": {"quantity": "elevation", "units": "m", **attrs}}
    return tile_from_arrays({"dem": heights}, box, var_attrs=own, nodata={"dem": nodata})


def plane(east, north, shape=(5, 6), base=100.0):
    """Return heights that rise so much per pixel towards the east and the north."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return base + east * x - north * y


@pytest.mark.parametrize(
    ("east", "north", "aspect"),
    [(0, 10, 180), (0, -10, 0), (10, 0, 270), (-10, 0, 90), (-7, -7, 45), (7, 7, 225), (3, -4, 323.130102)],
)
def test_planes_by_hand(east, north, aspect):
    tile = dem_tile(plane(east, north))
    steep = math.degrees(math.atan(math.hypot(east, north) / 10))
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(Slope()(tile).slope.values[inner], steep, rtol=1e-6)
    np.testing.assert_allclose(Aspect()(tile).aspect.values[inner], aspect, rtol=1e-6)
    outer = Slope()(tile).slope.values
    outer[inner] = np.nan
    assert np.isnan(outer).all()
    lit = Hillshade(azimuth=aspect, altitude=90 - steep)(tile).hillshade.values[inner]
    np.testing.assert_allclose(lit, 1, rtol=1e-6)  # the sun stands square to the ground


def test_a_grid_whose_rows_go_north():
    south_up = dem_tile(plane(0, 10)[::-1], pixel=(10.0, 10.0))
    assert float(Aspect()(south_up).aspect[2, 2]) == 180


def test_edges_continue_the_ground():
    tile = dem_tile(plane(3, 4))
    steep = Slope(edges=True)(tile).slope.values
    wanted = math.degrees(math.atan(0.5))
    np.testing.assert_allclose(steep, wanted, rtol=1e-6)
    hole = plane(3, 4)
    hole[2, 2] = np.nan
    assert np.isnan(Slope()(dem_tile(hole)).slope.values[1:4, 1:4]).all()
    filled = Slope(edges=True)(dem_tile(hole)).slope.values
    assert np.isnan(filled).sum() == 1 and np.isnan(filled[2, 2])
    np.testing.assert_allclose(filled[1, 2], wanted, rtol=1e-6)
    assert float(Slope(edges=True)(dem_tile([[5.0]])).slope[0, 0]) == 0  # a pixel alone is level


@pytest.mark.parametrize("shape", [(5, 6), (2, 2), (2, 5), (4, 2)])
@pytest.mark.parametrize("turn", range(8))
def test_planes_are_exact_up_to_the_corners(turn, shape):
    east, north = ((0, 4), (4, 4), (4, 0), (4, -4), (0, -4), (-4, -4), (-4, 0), (-4, 4))[turn]
    tile = dem_tile(plane(east, north, shape))
    steep = math.degrees(math.atan(math.hypot(east, north) / 10))
    falls = (180 + 45 * turn) % 360
    np.testing.assert_allclose(Slope(edges=True)(tile).slope.values, steep, rtol=1e-6)
    np.testing.assert_allclose(Aspect(edges=True)(tile).aspect.values, falls, rtol=1e-6)
    lit = Hillshade(edges=True, azimuth=falls, altitude=90 - steep)(tile).hillshade.values
    np.testing.assert_allclose(lit, 1, rtol=1e-6)


@pytest.mark.parametrize("missing", range(2, 2**8 - 1, 7))
def test_holes_in_a_plane(missing):
    gone = [i for k, i in enumerate((0, 1, 2, 3, 5, 6, 7, 8)) if missing >> k & 1]
    # the plane is told where two lines through the middle have a neighbour
    lines = {min(i, 8 - i) for i in range(9) if i != 4 and i not in gone}
    heights = plane(3, 4, (3, 3))
    heights.flat[gone] = np.nan
    found = float(Slope(edges=True)(dem_tile(heights)).slope[1, 1])
    wanted = math.degrees(math.atan(0.5))
    if len(lines) > 1:
        assert found == pytest.approx(wanted, rel=1e-6)
    else:
        assert found < wanted


def test_a_single_row_keeps_what_it_shows():
    row = dem_tile(plane(10, 0, (1, 4)))
    np.testing.assert_allclose(Slope(edges=True)(row).slope.values, 45, rtol=1e-6)


def test_heights_above_8_km_do_not_overflow_int16():
    heights = np.array([[8800, 8800, 8800], [8810, 8810, 8810], [8820, 8820, 8820]], np.int16)
    assert float(compute_slope(dem_tile(heights, nodata=None)).slope[1, 1]) == 45
    assert float(compute_slope(dem_tile(heights.astype(np.uint16), nodata=0)).slope[1, 1]) == 45


def test_the_arctangent_over_its_whole_range():
    tangents = np.concatenate([np.logspace(-15, 15, 4001), np.tan(np.radians(np.linspace(0, 89.99, 9001)))])
    heights = np.zeros((3, 3, tangents.size))
    heights[:, 2] = 20 * tangents
    stack = np.moveaxis(heights, -1, 0)  # many planes, each with the slope of its tangent
    box = GeoBox((3, 3), Affine(10, 0, 500000, 0, -10, 5000000), "EPSG:32632")
    found = Slope()(tile_from_arrays({"dem": np.swapaxes(stack, 1, 2)}, box)).slope.values[:, 1, 1]
    np.testing.assert_allclose(found, np.degrees(np.arctan(tangents)), rtol=2.5e-7)


def test_level_ground_has_no_aspect():
    tile = dem_tile(np.full((3, 3), 7.0))
    assert np.isnan(Aspect()(tile).aspect[1, 1])
    assert float(Slope()(tile).slope[1, 1]) == 0


def test_units_of_heights_and_grid():
    tile = dem_tile(plane(10, 0))
    feet = dem_tile(plane(10, 0) / 0.3048, units="ft")
    np.testing.assert_allclose(Slope()(feet).slope, Slope()(tile).slope, rtol=1e-5)
    assert float(Slope(z_factor=2.0, units="percent")(tile).slope[1, 1]) == 200
    # a state plane grid in US survey feet, heights in metres
    state = dem_tile(plane(10, 0), crs="EPSG:2263")
    wanted = math.degrees(math.atan(10 / (10 * 1200 / 3937)))
    assert float(Slope()(state).slope[1, 1]) == pytest.approx(wanted)
    with pytest.raises(QuantityError, match=r"units are 'K'.*z_factor"):
        Slope()(dem_tile(plane(1, 0), units="K"))


def test_the_sun_of_the_tile():
    tile = dem_tile(plane(3, 4))
    tile.attrs |= {"sun_azimuth": 140.0, "sun_elevation": 50.0}
    one = Hillshade(azimuth="sun", altitude="sun")(tile)
    assert one.hillshade.equals(Hillshade(azimuth=140.0, altitude=50.0)(tile).hillshade)


def test_bad_light_is_refused():
    with pytest.raises(ParameterError, match=r"altitude=91.*0 to 90"):
        Hillshade(altitude=91.0)
    with pytest.raises(ParameterError, match="azimuth"):
        Hillshade(azimuth=math.nan)
    with pytest.raises(TileError, match=r"'sun_azimuth' is None.*ds.attrs"):
        Hillshade(azimuth="sun")(dem_tile(plane(1, 1)))


@pytest.mark.parametrize(
    "op", [Slope(), Aspect(), Hillshade(), TPI(500.0), RelativeElevation(500.0)], ids=repr
)
def test_degrees_are_refused_where_metres_are_needed(op):
    heights = np.arange(30, dtype=np.float32).reshape(5, 6)
    box = GeoBox((5, 6), Affine(0.001, 0, 10.5, 0, -0.001, 46.5), "EPSG:4326")
    attrs = {"dem": {"quantity": "elevation"}}
    tile = tile_from_arrays({"dem": heights}, box, var_attrs=attrs)
    with pytest.raises(TileError, match=r"degrees \(EPSG:4326\).*Reproject\('EPSG:32632'"):
        op(tile)
    no_crs = tile_from_arrays({"dem": heights}, GeoBox((5, 6), box.affine, None), var_attrs=attrs)
    with pytest.raises(MissingCRSError, match="write_crs"):
        op(no_crs)


def test_whole_metres_become_floats_before_they_are_interpolated():
    box = GeoBox((5, 6), Affine(0.001, 0, 10.5, 0, -0.001, 46.5), "EPSG:4326")
    tile = tile_from_arrays({"dem": np.ones((5, 6), np.int16)}, box)
    for op in (Slope(), TPI(500.0)):
        with pytest.raises(
            TileError, match=r"put ToFloat32\(\) and Reproject\('EPSG:32632', method='cubic'\)"
        ):
            op(tile)
        with pytest.raises(TileError, match=r"put Reproject\('EPSG:32632', method='cubic'\)"):
            op(tile.astype(np.float32))


def test_pixels_need_no_metres():
    heights = np.arange(30, dtype=np.float32).reshape(5, 6)
    box = GeoBox((5, 6), Affine(0.001, 0, 10.5, 0, -0.001, 46.5), "EPSG:4326")
    tile = tile_from_arrays({"dem": heights}, box)
    assert float(compute_tpi(tile, radius=1.5, radius_units="pixels").tpi[2, 2]) == 0


def test_rotated_grids_are_refused_and_web_mercator_is_doubted():
    spec = TileSpec.of(dem_tile(plane(1, 1)))
    for op in (Slope(), TPI(30)):
        with pytest.raises(TileError, match="rotated"):
            op.plan(TileSpec(spec.variables, spec.sizes, spec.geobox.rotate(5)))
    notes = compile(Slope(), TileSpec.of(dem_tile(plane(1, 1), crs="EPSG:3857"))).notes
    assert "web mercator" in notes[0].text


def test_what_is_no_elevation_is_refused():
    with pytest.raises(MissingVariableError, match="'dem'"):
        Aspect()(contract_tile())
    with pytest.raises(QuantityError, match=r"'red', which holds surface_reflectance.*dem="):
        Slope(dem="red")(contract_tile())
    with pytest.raises(QuantityError, match="heights"):
        TPI(dem="scl")(contract_tile())
    for bad in (0.0, math.inf, math.nan):
        with pytest.raises(ParameterError, match="z_factor"):
            Slope(z_factor=bad)


def test_bad_radii_are_refused():
    for make in (TPI, RelativeElevation):
        for radius in (0, -3, math.nan, math.inf):
            with pytest.raises(ParameterError, match="radius"):
                make(radius)
        with pytest.raises(ParameterError, match=r"radius=9\) reaches no other pixel.*more than 10 metres"):
            make(9)(dem_tile(plane(1, 1)))
    with pytest.raises(ParameterError, match=r"inner=5.*below radius=5"):
        TPI(5, inner=5)


def test_position_by_hand():
    tile = dem_tile([[1.0, 2, 3], [4, 10, 6], [7, 8, np.nan]])
    assert float(TPI(10)(tile).tpi[1, 1]) == 5  # 10 − (2 + 4 + 6 + 8) / 4
    assert float(TPI(15)(tile).tpi[1, 1]) == pytest.approx(10 - 31 / 7)
    assert float(TPI(15)(tile).tpi[0, 0]) == pytest.approx(1 - 16 / 3)  # the disk is cut off
    relative = RelativeElevation(10)(tile).relative_elevation
    np.testing.assert_array_equal(relative, [[0, 1, 1], [3, 8, 3], [3, 1, np.nan]])
    share = RelativeElevation(10, normalize=True)(tile).relative_elevation
    assert float(share[0, 1]) == pytest.approx(1 / 9)
    assert np.isnan(RelativeElevation(10, normalize=True)(dem_tile(np.ones((3, 3)))).relative_elevation).all()
    spec = TileSpec.of(dem_tile(plane(1, 1), pixel=(5.0, -10.0)))
    footprint = compile(TPI(21), spec).footprint
    assert (footprint.y, footprint.x) == (2, 4)


@pytest.mark.parametrize("step", [0.1, 0.3, 0.7])
def test_radii_on_decimal_grids_reach_their_last_ring(step):
    heights = np.zeros((7, 7))
    heights[3, 6] = 1.0  # three pixels away: 0.3 / 0.1 is 2.9999999999999996 in floats
    tile = dem_tile(heights, pixel=(step, -step))
    radius = float(f"{3 * step:.12g}")
    assert float(TPI(radius)(tile).tpi[3, 3]) == pytest.approx(-1 / 28)
    in_metres, in_pixels = TPI(radius)(tile).tpi, TPI(3, "pixels")(tile).tpi
    np.testing.assert_array_equal(in_metres, in_pixels)
    ring = TPI(radius, inner=float(f"{2 * step:.12g}"))(tile).tpi
    np.testing.assert_array_equal(ring, TPI(3, "pixels", inner=2)(tile).tpi)
    pit = dem_tile(-heights, pixel=(step, -step))
    assert float(RelativeElevation(radius)(pit).relative_elevation[3, 3]) == 1


def test_a_large_radius_is_affordable():
    heights = np.random.default_rng(0).normal(500, 50, (120, 130))
    found = TPI(50, "pixels")(dem_tile(heights)).tpi
    y, x = np.mgrid[:120, :130]
    away = np.hypot(y - 60, x - 65)
    near = heights.astype(np.float32)[(away <= 50) & (away > 0)].astype(np.float64).mean()
    assert float(found[60, 65]) == pytest.approx(heights.astype(np.float32)[60, 65] - near, rel=1e-5)


def test_real_srtm_in_degrees_after_reprojection():
    import geotoolz as gz

    tile = gz.open_tile(data_path("dem_nlcd_zion/srtm.tif")).rename(band_1="dem")
    with pytest.raises(TileError, match="EPSG:32612"):
        Slope()(tile)
    steep = Slope()(Reproject("EPSG:32612", method="cubic")(tile)).slope
    assert 10 < float(steep.mean()) < 20 and 60 < float(steep.max()) < 80
