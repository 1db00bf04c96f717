"""Where a tile's pixels come from, against a transformation of every pixel; grids of zoom levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from geotoolz.core import Extent, TileSpec, VarSpec
from geotoolz.grid._warp import resampled
from geotoolz.serve._errors import Problem
from geotoolz.serve._render_grid import (
    EDGE,
    bounds_of,
    place_of,
    require_tile,
    resolution,
    source_scale,
    tile_bounds,
    tile_extent,
    tile_warp,
    whole_warp,
    zoom_grid,
)


def utm_grid(lon, lat, size, pixel):
    """Return a grid of `size` pixels around a place, in its UTM zone."""
    zone = int((lon + 180) // 6) + 1
    code = (32600 if lat >= 0 else 32700) + zone
    x, y = Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat)
    x, y = (round(v / pixel) * pixel for v in (x, y))
    return GeoBox((size, size), Affine(pixel, 0, x - size * pixel / 2, 0, -pixel, y + size * pixel / 2), code)


def exact(source, z, x, y, side=256):
    """Return row and column of the source pixel under the centre of every pixel of a tile."""
    size = 2 * EDGE / side / 2**z
    px = -EDGE + (x * side + np.arange(side) + 0.5) * size
    py = EDGE - (y * side + np.arange(side) + 0.5) * size
    sx, sy = Transformer.from_crs(3857, source.crs.epsg, always_xy=True).transform(*np.meshgrid(px, py))
    cols, rows = (sx - source.affine.c) / source.affine.a, (sy - source.affine.f) / source.affine.e
    return np.floor(rows), np.floor(cols)


@settings(max_examples=60, deadline=None)
@given(
    lon=st.floats(-179, 179),
    lat=st.floats(-72, 72),
    pixel=st.sampled_from([10.0, 20.0, 60.0, 320.0]),
    zooms=st.sampled_from([-3, -1, 0, 0, 1, 2]),
    part=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
)
def test_nearest_pixels_are_those_of_an_exact_transformation(lon, lat, pixel, zooms, part):
    source = utm_grid(lon, lat, 2000, pixel)
    spec = TileSpec({"v": VarSpec(dtype="int32", nodata=None)}, {"y": 2000, "x": 2000}, source)
    native = max(0, math.ceil(math.log2(source_scale(source, zoom_grid(source, 10)) * 1024)))
    z = min(max(native + zooms, 0), 22)
    grid = zoom_grid(source, z)
    first = tile_extent(grid, z, 0, 0)
    row, col = (int(share * n) for share, n in zip(part, grid.shape, strict=True))
    x, y = (col - first.x0) // 256, (row - first.y0) // 256
    extent = tile_extent(grid, z, x, y)
    within = extent.clipped(tuple(grid.shape))
    warp = tile_warp(whole_warp(spec, grid), within)
    window = warp.needed(Extent(0, within.shape[0], 0, within.shape[1]))
    number = np.arange(2000 * 2000, dtype=np.int32).reshape(2000, 2000)
    found = np.full((256, 256), -1, np.int32)
    extent.cut(found, within)[...] = resampled(
        window.of(number), warp, "nearest", math.nan, -1, extent=within, source=window
    )
    rows, cols = exact(source, z, x, y)
    inside = (rows >= 0) & (cols >= 0) & (rows < 2000) & (cols < 2000)
    expected = np.where(inside, rows * 2000 + cols, -1)
    assert (found != expected).mean() < 0.001


def test_zoom_levels_share_the_edges_of_their_pixels():
    source = utm_grid(15.5, 45.5, 1000, 10.0)
    for z in (0, 5, 10, 14, 18):
        grid = zoom_grid(source, z)
        size = resolution(z)
        assert grid.affine.a == -grid.affine.e == size
        for edge in (grid.affine.c, grid.affine.f):
            assert abs(edge / size - round(edge / size)) < 1e-6
        west, south, east, north = tile_bounds(z, 2 ** max(z - 1, 0), 0)
        extent = tile_extent(grid, z, 2 ** max(z - 1, 0), 0)
        left = grid.affine.c + extent.x0 * size
        assert left / EDGE * 180 == pytest.approx(west, abs=1e-9)
        assert north == pytest.approx(85.0511287798066) and west < east and south < north


def test_a_grid_up_to_the_poles_ends_where_web_maps_end():
    world = GeoBox((180, 360), Affine(1, 0, -180, 0, -1, 90), "EPSG:4326")
    grid = zoom_grid(world, 3)
    assert tuple(grid.shape) == (2048, 2048)
    assert (grid.affine.c, grid.affine.f) == (-EDGE, EDGE)
    assert bounds_of(world) == (-180.0, -85.0511287798066, 180.0, 85.0511287798066)


def test_a_grid_over_a_pole_goes_all_around():
    arctic = GeoBox((400, 400), Affine(20000, 0, -4e6, 0, -20000, 4e6), "EPSG:3995")
    west, south, east, north = bounds_of(arctic)
    assert (west, east, north) == (-180.0, 180.0, 85.0511287798066) and 30 < south < 60
    assert zoom_grid(arctic, 2).shape[1] == 1024


def test_places():
    world = GeoBox((180, 360), Affine(1, 0, -180, 0, -1, 90), "EPSG:4326")
    assert place_of(world, -179.5, 89.5) == (0.5, 0.5)
    grid = utm_grid(15.0, 45.0, 100, 10.0)
    row, col = place_of(grid, 15.0, 45.0)
    assert abs(row - 50) < 1 and abs(col - 50) < 1


@pytest.mark.parametrize("tile", [(-1, 0, 0), (31, 0, 0), (3, 8, 0), (3, 0, 8), (3, -1, 0), (0, 0, 1)])
def test_tiles_that_no_map_has(tile):
    with pytest.raises(Problem) as told:
        require_tile(*tile)
    assert told.value.status == 404
