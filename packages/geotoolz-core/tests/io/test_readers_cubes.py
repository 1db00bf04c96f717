"""EnMAP and EMIT: cubes along wavelength on one grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from _cubes import EMIT, ENMAP, emit, enmap, enmap_metadata
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import MissingVariableError, ParameterError, ReadError, TileSpec
from geotoolz.core.testing import data_path
from geotoolz.io import describe, open_scene, open_tile

pytest.importorskip("h5netcdf")


def same_as_spec(tile: xr.Dataset, spec: TileSpec) -> None:
    """Raise unless a tile is what its description says."""
    found = TileSpec.of(tile)
    assert dict(found.sizes) == dict(spec.sizes)
    assert found.geobox == spec.geobox
    assert dict(found.attrs) == dict(spec.attrs)
    for name, var in spec.variables.items():
        assert found.variables[name].dims == var.dims
        assert found.variables[name].dtype == var.dtype
        np.testing.assert_equal(found.variables[name].nodata, var.nodata)
        assert found.variables[name].attrs == var.attrs
    assert set(found.coords) == set(spec.coords)


def test_enmap_is_a_cube_with_quality_layers(tmp_path: Path) -> None:
    import rasterio

    folder = enmap(tmp_path, gain=2e-4, offset=0.01)
    tile = open_tile(folder)
    assert list(tile) == ["reflectance", "quality_cirrus", "quality_classes", "quality_cloud"]
    assert tile.reflectance.dims == ("wavelength", "y", "x")
    assert tile.wavelength.values.tolist() == [420.0 + 8 * i for i in range(6)]
    assert tile.wavelength.attrs["units"] == "nm"
    assert tile.fwhm.values[0] == 6.01
    with rasterio.open(folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF") as raster:
        dn = raster.read().astype("f8")
    wanted = np.where(dn == -32768, np.nan, dn * 2e-4 + 0.01).astype("f4")
    np.testing.assert_array_equal(tile.reflectance.values, wanted)
    assert tile.reflectance.attrs["quantity"] == "surface_reflectance"
    assert tile.attrs["sun_elevation"] == 56.5
    assert tile.attrs["datetime"] == "2022-07-24T10:45:26Z"
    assert tile.quality_cirrus.dtype == np.uint8
    assert tile.quality_cirrus.attrs["quantity"] == "flags"
    same_as_spec(tile, describe(folder))


def test_enmap_windows_resolution_and_grid(tmp_path: Path) -> None:
    folder = enmap(tmp_path)
    shifted = GeoBox((40, 33), Affine(25, 0, 400_010, 0, -25, 4_999_900), "EPSG:32633")
    own = describe(folder).geobox
    zone34 = own.to_crs("EPSG:32634", resolution=40)
    for options in ({}, {"resolution": 70.0}, {"geobox": shifted}, {"geobox": zone34}):
        scene = open_scene(folder, ["reflectance", "quality_classes"], **options)
        whole = scene.arrays()
        assert np.isfinite(whole["reflectance"]).any()
        part = scene.arrays(rows=slice(3, 11), cols=slice(2, 9))
        for name, values in whole.items():
            np.testing.assert_array_equal(part[name], values[..., 3:11, 2:9])


def test_enmap_resampled_equals_band_by_band(tmp_path: Path) -> None:
    folder = enmap(tmp_path)
    cube = open_tile(folder, "reflectance", resolution=60.0)
    bands = open_tile(folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF", "reflectance", resolution=60.0)
    np.testing.assert_array_equal(cube.reflectance.values, bands.reflectance.values)
    assert cube.reflectance.shape == (6, 12, 15)


def test_enmap_empty_bands_of_the_real_product(tmp_path: Path) -> None:
    source = data_path("hsi_enmap_potsdam_open")
    (tmp_path / f"{ENMAP}-SPECTRAL_IMAGE.TIF").symlink_to(source / "enmap_l2a_20220724_224bands_int16.tif")
    centres = np.loadtxt(source / "wavelengths_nm.txt").tolist()
    (tmp_path / f"{ENMAP}-METADATA.XML").write_text(enmap_metadata(centres))
    tile = open_tile(tmp_path)
    assert tile.reflectance.shape == (218, 160, 96)
    assert tile.attrs["bands_left_out"] == "130-135 (no data)"
    assert bool(np.isfinite(tile.reflectance).any(("y", "x")).all())
    raw = open_tile(tmp_path, raw=True)
    assert raw.reflectance.shape == (224, 160, 96)
    assert raw.reflectance.dtype == np.int16
    assert raw.reflectance.attrs["scale_factor"] == 1e-4
    empty = np.flatnonzero(~raw.good_wavelengths.values) + 1
    assert empty.tolist() == list(range(130, 136))
    assert (raw.reflectance.values[129:135] == -32768).all()
    np.testing.assert_array_equal(
        tile.reflectance.values[0],
        np.where(raw.reflectance[0] == -32768, np.nan, raw.reflectance[0] * 1e-4).astype("f4"),
    )


def test_enmap_incomplete_or_mixed_is_refused(tmp_path: Path) -> None:
    folder = enmap(tmp_path)
    (folder / f"{ENMAP}-METADATA.XML").write_text(enmap_metadata([420.0, 428.0]))
    with pytest.raises(ReadError, match=r"of 2 bands, the image has 6 bands"):
        open_tile(folder)
    (folder / f"{ENMAP}-METADATA.XML").unlink()
    with pytest.raises(ReadError, match=r"has no .*-METADATA.XML.*complete EnMAP"):
        open_tile(folder)


def test_enmap_bands_are_variables(tmp_path: Path) -> None:
    folder = enmap(tmp_path)
    assert list(open_tile(folder, {"cube": "reflectance"})) == ["cube"]
    with pytest.raises(MissingVariableError, match=r"no variable 'reflectanc'.*'reflectance'"):
        open_tile(folder, "reflectanc")
    with pytest.raises(ParameterError, match="expected no offset"):
        open_tile(folder, offset=-1000)


def test_cubes_are_read_by_the_operators_of_hyperspectral(tmp_path: Path) -> None:
    hyperspectral = pytest.importorskip("geotoolz.hyperspectral")
    path, _, _ = emit(tmp_path)
    for tile in (open_tile(enmap(tmp_path)), open_tile(path)):
        cube = tile.reflectance
        row, col = map(int, np.argwhere(np.isfinite(cube.values).all(axis=0))[-1])
        angle = hyperspectral.SAM(cube.values[:, row, col].astype("f8"))(tile)
        found = angle[next(name for name in angle if name not in tile)]
        assert abs(float(found[row, col])) < 1e-3
        assert bool(np.isnan(found.values[np.isnan(cube.values).any(axis=0)]).all())


def test_emit_is_put_on_its_map_by_the_lookup_table(tmp_path: Path) -> None:
    path, swath, glt = emit(tmp_path)
    tile = open_tile(path)
    assert tile.reflectance.dims == ("wavelength", "y", "x")
    assert tile.reflectance.shape == (4, 18, 20)
    assert tile.odc.geobox.crs.epsg == 4326
    assert tile.odc.geobox.affine == Affine(0.0005, 0, -120, 0, -0.0005, 37)
    # brute force, pixel by pixel
    wanted = np.full((5, 18, 20), np.nan, "f4")
    for row in range(18):
        for col in range(20):
            across, down = glt[0, row, col], glt[1, row, col]
            if across > 0:
                wanted[:, row, col] = swath[down - 1, across - 1]
    wanted[wanted == -9999] = np.nan
    np.testing.assert_array_equal(tile.reflectance.values, wanted[[0, 1, 3, 4]])
    assert tile.wavelength.values.tolist() == pytest.approx([450, 937.5, 1912.5, 2400])
    assert tile.attrs["bands_left_out"] == "1 of 5 (good_wavelengths is 0)"
    assert tile.attrs["datetime"] == "2022-09-03T16:31:29Z"
    assert tile.attrs["tile_id"] == EMIT
    same_as_spec(tile, describe(path))


def test_emit_raw_keeps_all_bands_and_the_fill(tmp_path: Path) -> None:
    path, _, glt = emit(tmp_path)
    raw = open_tile(path, raw=True)
    assert raw.reflectance.shape == (5, 18, 20)
    assert raw.reflectance.attrs["_FillValue"] == -9999
    assert (raw.reflectance.values[:, glt[0] == 0] == -9999).all()
    assert raw.good_wavelengths.values.tolist() == [True, True, False, True, True]


def test_emit_windows_and_other_grids(tmp_path: Path) -> None:
    path, _, _ = emit(tmp_path)
    for options in ({}, {"resolution": 0.001}, {"aoi": (-119.998, 36.993, -119.993, 36.998)}):
        scene = open_scene(path, **options)
        whole = scene.arrays()["reflectance"]
        part = scene.arrays(rows=slice(1, 6), cols=slice(2, 7))["reflectance"]
        np.testing.assert_array_equal(part, whole[:, 1:6, 2:7])
    box = GeoBox((12, 14), Affine(60, 0, 767_050, 0, -60, 4_098_500), "EPSG:32610")
    assert np.isfinite(open_tile(path, geobox=box).reflectance).any()


def test_emit_without_its_parts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{EMIT}.nc"
    path.write_bytes(b"")
    with pytest.raises(ReadError, match=r"empty \(0 bytes\)"):
        open_tile(path)
    path.write_bytes(b"no netcdf")
    with pytest.raises(ReadError, match=r"cannot be read"):
        open_tile(path)
    xr.Dataset({"elev": ("a", [1.0])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ReadError, match=r"no variable 'reflectance'.*choose the RFL file"):
        open_tile(path)
