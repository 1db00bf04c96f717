"""Between coordinates and GeoBox: exact, or refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import odc.geo.xr  # noqa: F401 - the accessor
import pytest
import rioxarray  # noqa: F401 - the accessor
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import GridMismatchError, TileError, geobox_of, spatial_coords, tile_from_arrays
from geotoolz.core.testing import geoboxes, windows

Make = Callable[..., xr.Dataset]


def of(box: GeoBox) -> xr.Dataset:
    return tile_from_arrays({"a": np.zeros(box.shape, "u1")}, box)


@given(geoboxes())
def test_round_trip_is_exact(box: GeoBox) -> None:
    assert geobox_of(of(box)) == box


@given(st.data())
def test_crops_keep_the_parents_lattice_bit_for_bit(data: st.DataObject) -> None:
    box = data.draw(geoboxes(max_side=12))
    y0, y1, x0, x1 = data.draw(windows(tuple(box.shape)))
    crop = geobox_of(of(box).isel(y=slice(y0, y1), x=slice(x0, x1)))
    assert crop == box[y0:y1, x0:x1]


def test_thirds_of_a_degree_survive_crops_of_crops() -> None:
    # coordinates alone would give 0.33333333333331439 for the last crop
    box = GeoBox((900, 900), Affine(1 / 3, 0, -150.1, 0, -1 / 3, 85.3), "EPSG:4326")
    ds = of(box).isel(x=slice(7, None)).isel(x=slice(500, 502), y=slice(899, 900))
    assert geobox_of(ds) == box[899:900, 507:509]


@given(geoboxes(crs=("EPSG:32633", "EPSG:4326", "EPSG:3857")))
def test_peers_read_the_same_grid(box: GeoBox) -> None:
    ds = of(box)
    assert ds.odc.crs == box.crs
    assert ds.rio.crs == box.crs
    assert ds.rio.transform() == box.affine
    assert np.allclose(ds.odc.geobox.affine, box.affine) or 1 in box.shape


def test_rioxarrays_grid_is_read() -> None:
    box = GeoBox((4, 5), Affine(30, 0, 399_960, 0, -30, 4_200_000), "EPSG:32618")
    y = box.affine.f - 30 * (np.arange(4) + 0.5)
    x = box.affine.c + 30 * (np.arange(5) + 0.5)
    ds = xr.Dataset({"a": (("y", "x"), np.zeros((4, 5)))}, coords={"y": y, "x": x})
    ds = ds.rio.write_crs("EPSG:32618").rio.write_transform(box.affine)
    assert geobox_of(ds) == box
    assert geobox_of(ds.drop_vars(["x", "y"])) == box


def test_stale_transform_gives_way_to_the_coordinates(make: Make) -> None:
    ds = make((6, 6))
    moved = ds.assign_coords(x=ds.x + 3.0)  # not a whole number of pixels
    assert geobox_of(moved).affine.c == 500_003.0


def test_strided_and_flipped() -> None:
    ds = of(GeoBox((6, 8), Affine(10, 0, 0, 0, -10, 60), "EPSG:32633"))
    assert geobox_of(ds.isel(x=slice(None, None, 2))).affine == Affine(20, 0, -5, 0, -10, 60)
    assert geobox_of(ds.isel(y=slice(None, None, -1))).affine == Affine(10, 0, 0, 0, 10, 0)


def test_no_crs_and_one_pixel(make: Make) -> None:
    ds = make((3, 3)).drop_vars("spatial_ref")
    assert geobox_of(ds).crs is None
    assert geobox_of(ds).affine == geobox_of(make((3, 3))).affine
    assert geobox_of(make((3, 3)).isel(y=[1], x=[2])) == geobox_of(make((3, 3)))[1:2, 2:3]
    with pytest.raises(TileError, match="do not make a grid"):
        geobox_of(ds.isel(x=[0]))


@pytest.mark.parametrize("order", [[0, 1, 3, 4], [0, 2, 1, 3], [0, 0, 0, 0], [0, 1, 2, 9]])
def test_irregular_columns_are_refused(make: Make, order: list[int]) -> None:
    ds = make((4, 10)).isel(x=order)
    for tile in (ds, ds.drop_vars("spatial_ref")):
        with pytest.raises(TileError, match="not regularly spaced"):
            geobox_of(tile)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_coordinates_that_are_no_numbers(make: Make, bad: float) -> None:
    for place in (0, 1, -1):
        ds = make((4, 5))
        x = ds.x.values.copy()
        x[place] = bad
        with pytest.raises(TileError, match="not regularly spaced"):
            geobox_of(ds.assign_coords(x=x))


def test_errors_say_what_to_do() -> None:
    with pytest.raises(TileError, match=r"no dimension 'y' .*as_tile"):
        geobox_of(xr.Dataset({"a": (("lat", "lon"), np.zeros((2, 2)))}))
    with pytest.raises(TileError, match="no x and y coordinates"):
        geobox_of(xr.Dataset({"a": (("y", "x"), np.zeros((2, 2)))}))
    with pytest.raises(TileError, match="rotated"):
        spatial_coords(GeoBox((2, 2), Affine.rotation(30), "EPSG:32633"))
    with pytest.raises(GridMismatchError, match=r"'a' has shape \(3, 3\)"):
        tile_from_arrays({"a": np.zeros((3, 3))}, GeoBox((2, 2), Affine.identity(), None))


def test_tile_from_arrays_puts_everything_where_it_belongs() -> None:
    box = GeoBox((2, 3), Affine(10, 0, 0, 0, -10, 20), "EPSG:32633")
    ds = tile_from_arrays(
        {
            "red": np.zeros((2, 3), "u2"),
            "vv": np.zeros((4, 2, 3)),
            "cube": (("wavelength", "y", "x"), np.ones((5, 2, 3))),
        },
        box,
        nodata={"red": 0, "vv": np.nan},
        attrs={"tile_id": "a"},
        var_attrs={"red": {"units": "1"}},
    )
    assert ds.red.attrs == {"units": "1", "_FillValue": 0}
    assert ds.vv.dims == ("time", "y", "x")
    assert ds.cube.dims == ("wavelength", "y", "x")
    assert ds.attrs == {"tile_id": "a"}
    assert ds.x.dtype == ds.y.dtype == np.float64
    assert ds.spatial_ref.ndim == 0
    assert {"crs_wkt", "grid_mapping_name", "GeoTransform"} <= set(ds.spatial_ref.attrs)
    geographic = spatial_coords(GeoBox((1, 1), Affine.identity(), "EPSG:4326"))
    assert geographic["x"].attrs["units"] == "degrees_east"


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3035", "+proj=sinu +R=6371007.181"])
def test_the_grid_mapping_is_that_of_odc_geo(crs):
    pytest.importorskip("dask", reason="odc.geo.xr cannot be imported without it")
    from odc.geo.xr import xr_coords

    box = GeoBox((2, 3), Affine(10, 0, 500_000, 0, -10, 5_000_000), crs)
    theirs = dict(xr_coords(box, dims=("y", "x"))["spatial_ref"].attrs)
    ours = dict(spatial_coords(box)["spatial_ref"].attrs)
    assert list(ours) == list(theirs)
    assert {**ours, "GeoTransform": None} == {**theirs, "GeoTransform": None}


def test_tiles_are_made_without_dask():
    """odc.geo.xr imports dask without asking for it: a plain installation of core has none."""
    code = (
        "import sys; sys.modules['dask'] = None\n"
        "from geotoolz.core.testing import simulate_scene\n"
        "print(dict(simulate_scene((8, 8), bands=('red',)).sizes))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "{'y': 8, 'x': 8}\n", done.stderr
