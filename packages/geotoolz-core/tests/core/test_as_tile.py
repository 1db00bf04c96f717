"""What other libraries make becomes a tile, and what was changed is said."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_zeros

from geotoolz.core import TileChangedWarning, TileError, as_tile, geobox_of
from geotoolz.radiometry import BoxMean

Make = Callable[..., xr.Dataset]
UTM = GeoBox((3, 4), Affine(10, 0, 500_000, 0, -10, 5_100_000), "EPSG:32633")
GEO = GeoBox((3, 4), Affine(0.25, 0, 15, 0, -0.25, 46), "EPSG:4326")


def test_a_tile_comes_back_as_it_is(make: Make) -> None:
    ds = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_tile(ds) is ds
        assert as_tile(ds, geobox=geobox_of(ds)) is ds
        assert as_tile(ds, crs="EPSG:32633").equals(ds)
        assert as_tile(ds, attrs={"platform": "x"}).attrs["platform"] == "x"
    assert ds.attrs["platform"] == "sentinel-2a"


def test_odc_geographic() -> None:
    ds = xr_zeros(GEO, dtype="f4").to_dataset(name="red")
    assert set(ds.dims) == {"latitude", "longitude"}
    with pytest.warns(TileChangedWarning, match="renamed longitude → x, latitude → y"):
        tile = as_tile(ds)
    assert geobox_of(tile) == GEO
    assert tile.red.dims == ("y", "x")
    assert set(ds.dims) == {"latitude", "longitude"}
    assert BoxMean(1)(tile).red.shape == (3, 4)


def test_odc_stack_in_utm() -> None:
    ds = xr_zeros(UTM, dtype="u2", time=np.array(["2024-01-01", "2024-01-06"], "M8[ns]")).to_dataset(
        name="red"
    )
    tile = (
        as_tile(ds) if "GeoTransform" in ds.spatial_ref.attrs else pytest.skip("odc-geo wrote no transform")
    )
    assert tile.red.dims == ("time", "y", "x")
    assert geobox_of(tile) == UTM


@pytest.fixture
def raster(tmp_path: Path) -> Path:
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 2, "dtype": "uint16", "nodata": 0}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=UTM.affine, **profile) as dst:
        dst.write(np.arange(24, dtype="u2").reshape(2, 3, 4))
        dst.descriptions = ("red", "nir")
    return path


def test_rioxarray_bands(raster: Path) -> None:
    with rioxarray.open_rasterio(raster) as array:
        assert isinstance(array, xr.DataArray)
        with pytest.warns(TileChangedWarning, match="the dimension 'band' became the variables red, nir"):
            tile = as_tile(array, attrs={"platform": "sentinel-2a"})
        assert list(tile.data_vars) == ["red", "nir"]
        assert geobox_of(tile) == UTM
        assert tile.nir.attrs["_FillValue"] == 0
        assert "band" not in tile.coords
        np.testing.assert_array_equal(tile.nir, array.values[1])
        with pytest.warns(TileChangedWarning, match="a, b"):
            assert list(as_tile(array, names=("a", "b")).data_vars) == ["a", "b"]
        with pytest.raises(TileError, match="3 names for 2 bands"):
            as_tile(array, names=("a", "b", "c"))
        single = array.isel(band=0, drop=True)
        single.name = None
        assert list(as_tile(single).data_vars) == ["band_1"]


def test_transposed_and_renamed() -> None:
    values = np.arange(12.0).reshape(3, 4)
    ds = xr.Dataset(
        {"a": (("lon", "lat"), values.T)}, coords={"lat": [3.0, 2.0, 1.0], "lon": [1.0, 2.0, 3.0, 4.0]}
    )
    with pytest.warns(TileChangedWarning, match=r"renamed lon → x, lat → y; transposed a .*no CRS"):
        tile = as_tile(ds)
    np.testing.assert_array_equal(tile.a, values)
    assert tile.a.dims == ("y", "x")
    assert geobox_of(tile).crs is None
    with pytest.warns(TileChangedWarning, match="EPSG:4326"):
        assert geobox_of(as_tile(ds, crs="EPSG:4326")).crs == "EPSG:4326"


def test_a_crs_under_another_name(make: Make) -> None:
    ds = make().drop_vars("spatial_ref").rio.write_crs("EPSG:32633", grid_mapping_name="crs")
    with pytest.warns(TileChangedWarning, match="spatial_ref"):
        tile = as_tile(ds)
    assert geobox_of(tile).crs == "EPSG:32633"


def test_numpy() -> None:
    tile = as_tile(np.ones((2, 3, 4), "u1"), names=("a", "b"), geobox=UTM)
    assert list(tile.data_vars) == ["a", "b"]
    assert geobox_of(tile) == UTM
    assert list(as_tile(np.ones((3, 4)), geobox=UTM).data_vars) == ["band_1"]


@pytest.mark.parametrize(
    ("thing", "kwargs", "text"),
    [
        (np.ones((3, 4)), {}, "geobox="),
        (np.ones(4), {"geobox": UTM}, r"\(y, x\) or \(band, y, x\)"),
        (np.ones((4, 3)), {"geobox": UTM}, r"shape \(4, 3\)"),
        (np.ones((2, 3, 4)), {"geobox": UTM, "names": ("a",)}, "1 names for 2 bands"),
        ([[1]], {}, "cannot make a tile of list"),
        (xr.Dataset({"a": (("row", "col"), np.ones((2, 2)))}), {}, "no x dimension among"),
        (xr.Dataset({"a": (("y", "x"), np.ones((2, 2)))}), {}, "no x and y coordinates"),
        (xr.Dataset({"a": (("y", "x"), np.ones((2, 2)))}), {"geobox": UTM}, "expected the geobox's"),
        (xr.Dataset(), {"names": ("a",)}, "names= is for arrays"),
        (xr.Dataset({"a": (("y", "x"), np.ones((2, 2)))}, {"y": [1, 2], "x": [1, np.nan]}), {}, "regularly"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_cannot_become_a_tile(thing: Any, kwargs: Any, text: str) -> None:
    with pytest.raises(TileError, match=text):
        as_tile(thing, **kwargs)


def test_nothing_is_relabelled(make: Make) -> None:
    with pytest.raises(TileError, match=r"CRS is EPSG:32633 and crs=EPSG:32634.*never relabelled"):
        as_tile(make(), crs="EPSG:32634")
    with pytest.raises(TileError, match="grid is never relabelled"):
        as_tile(make((3, 4)), geobox=GEO)


def test_a_grid_for_what_has_no_coordinates() -> None:
    ds = xr.Dataset({"a": (("y", "x"), np.ones((3, 4)))})
    assert geobox_of(as_tile(ds, geobox=UTM)) == UTM
