"""CF NetCDF and Zarr: tiles and stacks on a regular grid, everything else refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS
from test_readers_cubes import same_as_spec

from geotoolz.core import MissingCRSError, ReadError
from geotoolz.core._grid import tile_from_arrays
from geotoolz.core.testing import simulate_scene
from geotoolz.io import MetadataWarning, describe, open_scene, open_tile, open_zarr, write_zarr

pytest.importorskip("h5netcdf")
BOX = GeoBox((14, 17), Affine(20, 0, 500_000, 0, -20, 5_000_000), "EPSG:32633")


def save(ds: xr.Dataset, path: Path) -> Path:
    """Write as NetCDF or Zarr."""
    if path.suffix == ".zarr":
        ds.to_zarr(path, zarr_format=3, consolidated=False)
    else:
        ds.to_netcdf(path, engine="h5netcdf")
    return path


def packed() -> xr.Dataset:
    """A packed stack: uint16 × 1e-4 − 0.1 with fill 0."""
    dn = np.random.default_rng(1).integers(1, 9000, (3, 14, 17)).astype("u2")
    dn[:, :2, :3] = 0
    times = np.array(["2023-08-10", "2023-08-15", "2023-08-20"], "datetime64[ns]")
    attrs = {"scale_factor": 1e-4, "add_offset": -0.1, "long_name": "red", "units": "1"}
    return tile_from_arrays(
        {"red": dn}, BOX, var_attrs={"red": attrs}, nodata={"red": 0}, coords={"time": ("time", times)}
    )


@pytest.mark.parametrize("name", ["stack.nc", "stack.zarr"])
def test_a_packed_stack_is_scaled_and_keeps_its_time(tmp_path: Path, name: str) -> None:
    source = packed()
    path = save(source, tmp_path / name)
    tile = open_tile(path)
    dn = source.red.values.astype("f8")
    np.testing.assert_array_equal(tile.red.values, np.where(dn == 0, np.nan, dn * 1e-4 - 0.1).astype("f4"))
    np.testing.assert_array_equal(tile.time.values, source.time.values)
    assert tile.odc.geobox == BOX
    assert tile.attrs["tile_id"] == "stack"
    same_as_spec(tile, describe(path))
    raw = open_tile(path, raw=True)
    np.testing.assert_array_equal(raw.red.values, source.red.values)
    assert raw.red.attrs["scale_factor"] == 1e-4
    assert raw.red.attrs["_FillValue"] == 0


@pytest.mark.parametrize("name", ["unsigned.nc", "unsigned.zarr"])
def test_integers_that_say_they_are_unsigned(tmp_path: Path, name: str) -> None:
    """Writers of NetCDF-3 and CDL keep uint16 as int16 with ``_Unsigned``."""
    dn = np.random.default_rng(2).integers(0, 65535, (14, 17)).astype("u2")
    dn[:3, :4], dn[5, 5] = 65535, 40_000
    attrs = {"_Unsigned": "true", "_FillValue": np.int16(-1), "long_name": "red"}
    signed = tile_from_arrays({"red": dn.view("i2")}, BOX)
    signed.red.attrs.update(attrs)
    path = save(signed, tmp_path / name)
    tile = open_tile(path)
    assert tile.red.dtype == np.uint16 and tile.red.attrs["_FillValue"] == 65535
    np.testing.assert_array_equal(tile.red.values, dn)
    assert "_Unsigned" not in tile.red.attrs
    same_as_spec(tile, describe(path))
    np.testing.assert_array_equal(open_tile(path, resolution=40.0).red.shape, (7, 9))
    assert open_tile(path, resolution=40.0).red.dtype == np.uint16


@pytest.mark.parametrize("options", [{}, {"resolution": 50.0}, {"aoi": (15.0003, 45.1511, 15.0035, 45.1530)}])
def test_windows_have_the_bits_of_the_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    scene = open_scene(save(packed(), tmp_path / "stack.nc"), **options)
    whole = scene.arrays()["red"]
    np.testing.assert_array_equal(scene.arrays(rows=slice(1, 4), cols=slice(1, 5))["red"], whole[:, 1:4, 1:5])


def test_a_tile_of_geotoolz_comes_back(tmp_path: Path) -> None:
    tile = simulate_scene((16, 18), bands=("red", "nir", "scl"))
    path = tmp_path / "tile.zarr"
    write_zarr(tile, path)
    found = open_tile(path)
    kept = open_zarr(path)
    for name in kept:
        np.testing.assert_array_equal(found[name].values, kept[name].values)
        assert found[name].dtype == kept[name].dtype
    assert found.attrs["tile_id"] == kept.attrs["tile_id"]
    assert found.odc.geobox == kept.odc.geobox


def test_latitude_and_longitude_without_a_grid_mapping(tmp_path: Path) -> None:
    lat, lon = np.arange(44.0, 46.0, 0.25), np.arange(10.0, 13.0, 0.25)
    values = np.arange(lat.size * lon.size, dtype="f4").reshape(lat.size, lon.size)
    ds = xr.Dataset(
        {"t2m": (("latitude", "longitude"), values, {"units": "K"})},
        coords={"latitude": ("latitude", lat, {"units": "degrees_north"}),
                "longitude": ("longitude", lon, {"units": "degrees_east"})},
    )  # fmt: skip
    path = save(ds, tmp_path / "era.nc")
    with pytest.warns(MetadataWarning, match="taken as WGS 84"):
        tile = open_tile(path)
    assert tile.odc.geobox.crs.epsg == 4326
    # south comes first in the file, north in the tile
    np.testing.assert_array_equal(tile.t2m.values, values[::-1])
    assert tile.y.values.tolist() == lat[::-1].tolist()
    assert tile.t2m.attrs["units"] == "K"


def test_cf_grid_mapping_without_wkt(tmp_path: Path) -> None:
    ds = xr.Dataset(
        {"snow": (("yc", "xc"), np.ones((3, 4), "u1"), {"grid_mapping": "crs"}),
         "crs": ((), 0, {"grid_mapping_name": "lambert_azimuthal_equal_area",
                         "latitude_of_projection_origin": 52.0,
                         "longitude_of_projection_origin": 10.0, "false_easting": 4321000.0,
                         "false_northing": 3210000.0, "semi_major_axis": 6378137.0,
                         "inverse_flattening": 298.257222101})},
        coords={"yc": ("yc", [30.0, 20.0, 10.0], {"standard_name": "projection_y_coordinate"}),
                "xc": ("xc", [5.0, 15.0, 25.0, 35.0], {"standard_name": "projection_x_coordinate"})},
    )  # fmt: skip
    tile = open_tile(save(ds, tmp_path / "laea.nc"))
    assert list(tile) == ["snow"]
    assert "Lambert Azimuthal Equal Area" in tile.odc.geobox.crs.to_wkt()
    assert tile.odc.geobox.affine == Affine(10, 0, 0, 0, -10, 35)


def test_a_variable_that_names_no_grid_mapping_has_that_of_the_others(tmp_path: Path) -> None:
    def written(name: str, **mappings: str) -> Path:
        values = np.arange(12, dtype="f4").reshape(3, 4)
        bands = {
            band: (("y", "x"), values, {"grid_mapping": mappings[band]} if band in mappings else {})
            for band in ("red", "nir", "quality")
        }
        grids = {one: ((), 0, {"crs_wkt": CRS(one.replace("_", ":")).to_wkt()}) for one in mappings.values()}
        coords = {"y": [25.0, 15.0, 5.0], "x": [5.0, 15.0, 25.0, 35.0]}
        return save(xr.Dataset({**bands, **grids}, coords=coords), tmp_path / name)

    found = open_tile(written("a.nc", red="EPSG_32633", nir="EPSG_32633"))
    assert {*found} == {"red", "nir", "quality"} and found.odc.geobox.crs.epsg == 32633
    with pytest.raises(MissingCRSError, match="no coordinate reference system"):  # two could be meant
        open_tile(written("b.nc", red="EPSG_32633", nir="EPSG_32634"))


def test_irregular_grids_are_refused_with_the_tool(tmp_path: Path) -> None:
    lat, lon = np.meshgrid(np.linspace(44, 45, 4), np.linspace(10, 11, 5), indexing="ij")
    swath = xr.Dataset(
        {"radiance": (("row", "col"), np.ones((4, 5)))},
        coords={"lat": (("row", "col"), lat), "lon": (("row", "col"), lon)},
    )
    with pytest.raises(ReadError, match=r"no regular grid: .*lat.* two dims.*gdalwarp -geoloc"):
        open_tile(save(swath, tmp_path / "swath.nc"))
    uneven = xr.Dataset(
        {"t": (("lat", "lon"), np.ones((3, 3)))},
        coords={"lat": [1.0, 2.0, 4.0], "lon": ("lon", [1.0, 2.0, 3.0])},
    )
    for name in ("lat", "lon"):
        uneven[name].attrs["units"] = "degrees"
    with pytest.raises(ReadError, match=r"no regular grid: .*not regularly spaced.*cdo remapbil"):
        open_tile(save(uneven, tmp_path / "gauss.nc"))


def test_missing_reference_system_and_other_dims(tmp_path: Path) -> None:
    plain = xr.Dataset({"a": (("y", "x"), np.ones((2, 2)))}, coords={"y": [2.0, 1.0], "x": [1.0, 2.0]})
    with pytest.raises(MissingCRSError, match=r"no coordinate reference system.*write_crs"):
        open_tile(save(plain, tmp_path / "plain.nc"))
    levels = tile_from_arrays(
        {"t": (("level", "y", "x"), np.zeros((3, 14, 17))), "a": np.zeros((14, 17), "f4")}, BOX
    )
    path = save(levels, tmp_path / "levels.nc")
    with pytest.warns(MetadataWarning, match=r"left out.*t \('level', 'y', 'x'\)"):
        assert list(open_tile(path)) == ["a"]
    with pytest.raises(ReadError, match=r"no variable on its grid"):
        open_tile(save(levels[["t"]], tmp_path / "only.nc"))


def test_no_netcdf_and_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "broken.nc"
    path.write_bytes(b"CDF no more")
    with pytest.raises(ReadError, match="cannot be read"):
        open_tile(path)
    with pytest.raises(ReadError, match="does not exist"):
        open_tile(tmp_path / "gone.nc")
    from geotoolz.core import MissingDependencyError
    from geotoolz.io._readers import _netcdf

    monkeypatch.setattr(_netcdf, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"geotoolz-core\[netcdf\]"):
        open_tile(path)


def test_remote_stores_are_refused() -> None:
    with pytest.raises(ReadError, match=r"host/a\.nc is a remote NetCDF file.*as_tile"):
        open_tile("https://host/a.nc?sig=secret")
