"""Flips, turns, crops and shifts: values move with their place on the ground."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.augment import Compose, RandomCrop, RandomFlip, RandomRotate90, RandomShift
from geotoolz.augment._turn import turned
from geotoolz.core import (
    Map,
    MissingCRSError,
    OutsideError,
    ParameterError,
    QuantityError,
    TileError,
    TileSpec,
    geobox_of,
    tile_from_arrays,
)
from geotoolz.core.testing import assert_same, contract_tile


class Turn(Map, abstract=True):
    """A turn that is not drawn."""

    rows: bool
    cols: bool
    exchange: bool

    def plan(self, tile):
        return turned(tile, "Turn", self.rows, self.cols, self.exchange)


def located(shape=(3, 4), crs="EPSG:32633", corner=(500000.0, 5100000.0), step=(10.0, -20.0)):
    """Return a tile whose variables hold the coordinates of every pixel's centre, and its number."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    box = GeoBox(shape, Affine(step[0], 0, corner[0], 0, step[1], corner[1]), crs)
    rows, cols = np.indices(shape)
    east = corner[0] + step[0] * (cols + 0.5)
    north = corner[1] + step[1] * (rows + 0.5)
    labels = np.arange(rows.size, dtype=np.uint8).reshape(shape)
    return tile_from_arrays(
        {"east": east, "north": north, "label": labels, "mask": labels % 2 == 0},
        box,
        nodata={"east": np.nan, "north": np.nan},
    )


def ground(tile):
    """Return easting and northing of every pixel's centre, from the tile's grid and CRS alone."""
    x, y = np.meshgrid(tile.x.values, tile.y.values)
    crs = geobox_of(tile).crs.proj
    if crs.axis_info[0].direction == "north" and crs.axis_info[1].direction == "west":
        back = pyproj.Transformer.from_crs(crs, "EPSG:32633", always_xy=True)
        return back.transform(x, y)
    return x, y


@settings(max_examples=40)
@given(
    turns=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=4),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    signs=st.tuples(st.sampled_from([10.0, -10.0]), st.sampled_from([20.0, -20.0])),
)
def test_every_pixel_keeps_its_place(turns, shape, signs):
    tile = located(shape, step=signs)
    for turn in turns:
        tile = Turn(*turn)(tile)
    x, y = ground(tile)
    np.testing.assert_allclose(x, tile.east, atol=1e-6, rtol=0)
    np.testing.assert_allclose(y, tile.north, atol=1e-6, rtol=0)
    assert bool((tile.mask == (tile.label % 2 == 0)).all())


def test_four_quarters_are_none():
    tile = located()
    turned_round = tile
    for _ in range(4):
        turned_round = Turn(False, True, True)(turned_round)
    assert_same(tile, turned_round)
    assert geobox_of(turned_round) == geobox_of(tile)
    assert geobox_of(turned_round).crs.epsg == 32633


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turns_are_those_of_numpy(quarters):
    tile = located((3, 5))
    op = next(
        op
        for op in (RandomRotate90(p=1.0, seed=seed) for seed in range(50))
        if np.array_equal(op(tile).label, np.rot90(tile.label, quarters))
    )
    for name in tile.data_vars:
        np.testing.assert_array_equal(op(tile)[name], np.rot90(tile[name], quarters))


def test_a_flip_by_hand():
    tile = located((2, 3))
    flipped = RandomFlip(p_horizontal=1.0, p_vertical=0.0)(tile)
    assert flipped.label.values.tolist() == [[2, 1, 0], [5, 4, 3]]
    assert flipped.x.values.tolist() == [500025.0, 500015.0, 500005.0]
    assert flipped.y.values.tolist() == tile.y.values.tolist()
    assert tuple(geobox_of(flipped).affine)[:6] == (-10.0, 0.0, 500030.0, 0.0, -20.0, 5100000.0)
    upside = RandomFlip(p_horizontal=0.0, p_vertical=1.0)(tile)
    assert upside.y.values.tolist() == [5099970.0, 5099990.0]
    assert_same(tile, upside.isel(y=slice(None, None, -1)).assign_coords(spatial_ref=tile.spatial_ref))


def test_a_quarter_by_hand():
    tile = located((2, 3))
    quarter = Turn(False, True, True)(tile)
    assert quarter.label.values.tolist() == [[2, 5], [1, 4], [0, 3]]
    # x runs along the northing, y along the westing
    assert quarter.x.values.tolist() == [5099990.0, 5099970.0]
    assert quarter.y.values.tolist() == [-500025.0, -500015.0, -500005.0]
    box = geobox_of(quarter)
    assert (box.crs.projected, box.crs.units, box.crs.epsg) == (True, ("metre", "metre"), None)


def test_the_turned_crs_is_understood_by_gdal():
    import rasterio.crs
    import rasterio.warp

    tile = located((2, 3))
    quarter = Turn(True, False, True)(tile)
    crs = rasterio.crs.CRS.from_wkt(quarter.spatial_ref.attrs["crs_wkt"])
    x, y = rasterio.warp.transform(crs, "EPSG:32633", [quarter.x.values[0]], [quarter.y.values[0]])
    np.testing.assert_allclose([x[0], y[0]], [quarter.east[0, 0], quarter.north[0, 0]], atol=1e-6, rtol=0)


def test_a_crs_without_a_code_comes_back():
    text = "+proj=laea +lat_0=10 +lon_0=20 +datum=WGS84 +units=m +type=crs"
    tile = located(crs=text)
    back = Turn(False, True, True)(Turn(True, False, True)(tile))
    assert geobox_of(back) == geobox_of(tile)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_a_crs_that_has_no_turned_form_is_refused(crs):
    tile = located(crs=crs, corner=(10.0, 50.0), step=(0.1, -0.1))
    with pytest.raises(QuantityError, match="no turned form"):
        Turn(False, True, True)(tile)
    assert Turn(True, True, False)(tile).label.values[0, 0] == 11


def test_tiles_without_a_crs():
    tile = located().drop_vars("spatial_ref")
    with pytest.raises(MissingCRSError, match="Turn needs"):
        Turn(False, True, True)(tile)
    assert Turn(True, False, False)(tile).y.values.tolist() == tile.y.values[::-1].tolist()


def test_all_places_of_a_crop_come_up():
    tile = located((4, 5))
    corners = set()
    for chip in range(60):
        part = RandomCrop((3, 3)).draw(tile, chip=chip)
        assert part.sizes == {"y": 3, "x": 3}
        assert_same(
            tile.sel(y=part.y, x=part.x).assign_coords(spatial_ref=part.spatial_ref).assign_attrs(part.attrs),
            part,
        )
        corners.add(int(part.label[0, 0]))
    assert corners == {0, 1, 2, 5, 6, 7}


def test_a_shift_by_hand():
    tile = located((3, 4))
    found = set()
    for chip in range(40):
        away = RandomShift((1, 2), fill=255).draw(tile, chip=chip)
        dy, dx = (
            round((away.y.values[0] - tile.y.values[0]) / -20),
            round((away.x.values[0] - tile.x.values[0]) / 10),
        )
        found.add((dy, dx))
        wide = np.full((9, 12), 255)
        wide[3:6, 4:8] = tile.label
        np.testing.assert_array_equal(away.label, wide[3 + dy : 6 + dy, 4 + dx : 8 + dx])
        outside = away.label.values == 255
        assert np.isnan(away.east.values[outside]).all() and not away.mask.values[outside].any()
        assert np.array_equal(away.east.values[~outside], np.meshgrid(away.x, away.y)[0][~outside])
    assert found == {(dy, dx) for dy in (-1, 0, 1) for dx in (-2, -1, 0, 1, 2)}


def test_values_and_types_never_change():
    tile = contract_tile((16, 16))
    out = Compose([RandomFlip(), RandomRotate90(), RandomFlip()], seed=2).draw(tile, chip=1)
    for name, before in tile.data_vars.items():
        assert out[name].dtype == before.dtype and str(sorted(out[name].attrs.items())) == str(
            sorted(before.attrs.items())
        )
        np.testing.assert_array_equal(np.sort(out[name], axis=None), np.sort(before, axis=None))


def test_bad_input():
    with pytest.raises(ParameterError, match="p_vertical=2"):
        RandomFlip(p_vertical=2.0)
    with pytest.raises(ParameterError, match=r"p=-0\.1"):
        RandomRotate90(p=-0.1)
    with pytest.raises(ParameterError, match="size=0"):
        RandomCrop(0)
    with pytest.raises(OutsideError, match="9 × 9 pixels, and the tile has 3 × 4"):
        RandomCrop(9)(located())
    with pytest.raises(ParameterError, match=r"pixels=\(-1, 2\)"):
        RandomShift((-1, 2))
    with pytest.raises(ParameterError, match="fill=300 does not fit 'label'"):
        RandomShift(3, fill=300)(located())
    impossible = located()
    impossible.label.attrs["_FillValue"] = -1
    with pytest.raises(ParameterError, match="no-data value -1 does not fit 'label'"):
        RandomShift(3)(impossible)
    profile = located().assign(row=("y", np.zeros(3)))
    with pytest.raises(TileError, match=r"'row' has dims \('y',\)"):
        RandomFlip(p_vertical=1.0)(profile)
    with pytest.raises(TileError, match="got DataArray"):
        RandomFlip()(xr.DataArray([1]))  # type: ignore[call-overload]


def test_spec_knows_the_grid_without_pixels():
    plan = RandomRotate90(p=1.0).plan(TileSpec.of(located((3, 4))))
    assert plan.grid is not None and sorted(plan.grid.shape) == [3, 4]
