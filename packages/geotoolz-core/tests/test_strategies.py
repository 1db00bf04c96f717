"""The hypothesis strategies draw tiles that keep the conventions, and the awkward ones among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from geotoolz.core._grid import geobox_of
from geotoolz.core.testing import geoboxes, tiles, windows

QUICK = settings(max_examples=60, deadline=None)


@QUICK
@given(geoboxes())
def test_geoboxes_are_north_up_and_small(box):
    assert all(1 <= side <= 9 for side in box.shape)
    a = box.affine
    assert a.a > 0 and a.e < 0 and a.b == a.d == 0
    assert box.crs is not None and box.crs.epsg in (32633, 32733, 3035, 3857, 4326)


def test_geoboxes_follow_their_arguments():
    assert find(geoboxes((3, 4), crs=None), lambda b: True).crs is None
    assert find(geoboxes((3, 4)), lambda b: True).shape == (3, 4)


@QUICK
@given(st.data(), st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_windows_lie_within(data, shape):
    y0, y1, x0, x1 = data.draw(windows(shape))
    assert 0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]


@QUICK
@given(tiles(("red", "nir", "scl", "qa60", "qa_pixel")))
def test_tiles_keep_the_conventions(ds):
    box = geobox_of(ds)
    assert tuple(box.shape) == (ds.sizes["y"], ds.sizes["x"])
    assert ds.red.dtype == ds.nir.dtype and ds.red.dims == ("y", "x")
    assert ds.scl.dtype == np.uint8 and ds.qa60.dtype == ds.qa_pixel.dtype == np.uint16
    assert ds.scl.values.max() <= 11
    assert {"tile_id", "datetime", "platform", "instrument", "processing_level"} <= set(ds.attrs)
    for name in ("red", "nir"):
        fill = ds[name].attrs["_FillValue"]
        if ds[name].dtype.kind == "f":
            assert np.isnan(fill) and ds[name].attrs["quantity"] == "surface_reflectance"
        else:
            assert np.dtype(ds[name].dtype).type(fill) == fill and ds[name].attrs["quantity"] == "dn"
    if ds.red.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(ds.red), np.isnan(ds.nir))


@QUICK
@given(tiles(("red",), nodata=False, foreign=False, dtypes={"red": "int16"}, crs="EPSG:32633"))
def test_tiles_without_nodata(ds):
    assert "_FillValue" not in ds.red.attrs and list(ds.data_vars) == ["red"] and ds.red.dtype == np.int16
    assert geobox_of(ds).crs.epsg == 32633 and "foreign:note" not in ds.attrs


@QUICK
@given(tiles(("vv",), times=3, dtypes="float32", quantity="backscatter", attrs={"platform": "sentinel-1a"}))
def test_stacks(ds):
    assert ds.vv.dims == ("time", "y", "x") and ds.sizes["time"] == 3
    assert ds.time.dtype.kind == "M" and ds.vv.attrs["quantity"] == "backscatter"
    assert ds.attrs["platform"] == "sentinel-1a"


@pytest.mark.parametrize(
    "awkward",
    [
        lambda ds: ds.sizes == {"y": 1, "x": 1},
        lambda ds: ds.sizes["y"] == 1 and ds.sizes["x"] > 3,
        lambda ds: ds.sizes["x"] == 1 and ds.sizes["y"] > 3,
        lambda ds: ds.red.dtype == np.float32 and bool(np.isnan(ds.red).all()),
        lambda ds: ds.red.dtype == np.uint16 and bool((ds.red == 65535).any()),
        lambda ds: ds.red.dtype == np.int16 and bool((ds.red == -32768).any()),
        lambda ds: ds.red.size > 4 and len(np.unique(ds.red)) == 1,
        lambda ds: ds.red.dtype == np.float32 and bool((ds.red + ds.nir == 0).any()),
        lambda ds: "foreign_mask" in ds and "foreign:note" in ds.attrs,
        lambda ds: ds.red.attrs["_FillValue"] == -9999,
    ],
)
def test_the_awkward_tiles_are_drawn(awkward):
    found = find(tiles(), awkward, settings=settings(max_examples=4000, deadline=None))
    assert awkward(found)
