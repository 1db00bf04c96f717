"""HLS, Sentinel-1 RTC and PlanetScope: what their names and metadata say becomes the tile."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from _cubes import HLS_L30, HLS_S30, HYP3, OPERA, PLANET, UTM33, hls, planet
from _rasters import write

from geotoolz.core import ReadError, TileError
from geotoolz.core.testing import data_path
from geotoolz.io import MetadataWarning, describe, open_tile, reader_names


def test_readers_are_registered() -> None:
    assert {"hls", "sentinel-1-rtc", "planetscope", "enmap-l2a", "emit-l2a", "cf"} <= set(reader_names())


def test_hls_band_names_differ_between_landsat_and_sentinel(tmp_path: Path) -> None:
    keys = ("B02", "B04", "B05", "B10", "Fmask", "SZA")
    s30 = open_tile(hls(tmp_path / "s", HLS_S30, keys))
    l30 = open_tile(hls(tmp_path / "l", HLS_L30, keys))
    assert list(s30) == ["blue", "red", "rededge071", "cirrus", "fmask"]
    assert list(l30) == ["blue", "red", "nir08", "lwir11", "fmask"]
    assert (s30.attrs["platform"], l30.attrs["platform"]) == ("sentinel-2", "landsat-8/9")
    assert s30.attrs["datetime"] == "2023-08-20T09:50:31Z"
    assert s30.red.attrs["quantity"] == "surface_reflectance"
    assert float(s30.red[10, 10]) == np.float32(0.2)
    assert np.isnan(s30.red[0, 0])
    # 40.00 °C in kelvin
    assert float(l30.lwir11[10, 10]) == np.float32(40.00 + 273.15)
    assert l30.lwir11.attrs["units"] == "K"


def test_hls_fmask_keeps_its_bits_and_angles_come_by_name(tmp_path: Path) -> None:
    folder = hls(tmp_path, HLS_S30, ("B04", "Fmask", "SZA"))
    tile = open_tile(folder, ["fmask", "sza"])
    assert tile.fmask.dtype == np.uint8
    assert tile.fmask.attrs["_FillValue"] == 255
    assert (
        dict(zip(tile.fmask.attrs["flag_meanings"].split(), tile.fmask.attrs["flag_values"], strict=True))[
            "cloud"
        ]
        == 2
    )
    assert float(tile.sza[10, 10]) == np.float32(45.12)
    assert np.isnan(tile.sza[0, 0])
    assert "nir" not in describe(folder).variables


def test_hls_satellite_and_sun_come_from_the_tags(tmp_path: Path) -> None:
    tags = {
        "LANDSAT_PRODUCT_ID": "LC09_L1TP_190028_20230821_20230821_02_T1",
        "MEAN_SUN_AZIMUTH_ANGLE": "148.5",
        "MEAN_SUN_ZENITH_ANGLE": "37.25",
    }
    tile = describe(hls(tmp_path, HLS_L30, ("B04",), **tags))
    assert (tile.attrs["platform"], tile.attrs["sun_azimuth"], tile.attrs["sun_elevation"]) == (
        "landsat-9",
        148.5,
        52.75,
    )


def test_hls_one_file_and_two_scenes(tmp_path: Path) -> None:
    folder = hls(tmp_path, HLS_S30, ("B04", "B8A"))
    assert list(open_tile(folder / f"{HLS_S30}.B8A.tif")) == ["nir08"]
    hls(tmp_path, HLS_L30, ("B04",))
    with pytest.raises(TileError, match=r"holds 2 scenes.*one scene.*catalog"):
        open_tile(folder)


def test_opera_rtc_is_linear_gamma_nought_with_its_mask(tmp_path: Path) -> None:
    for layer, value in (("VV", 0.1), ("VH", 0.02)):
        write(tmp_path / f"{OPERA}_{layer}.tif", np.full((8, 8), value, "f4"), UTM33, nodata=np.nan)
    mask = np.zeros((8, 8), "u1")
    mask[0], mask[1] = 255, 2
    write(tmp_path / f"{OPERA}_mask.tif", mask, UTM33, nodata=255)
    tile = open_tile(tmp_path)
    assert list(tile) == ["vv", "vh", "rtc_mask"]
    assert tile.vv.attrs["quantity"] == "backscatter"
    assert tile.vv.attrs["units"] == "1"
    assert tile.vv.attrs["long_name"] == "Gamma nought VV"
    assert float(tile.vv[3, 3]) == np.float32(0.1)
    assert tile.rtc_mask.attrs["flag_meanings"].split()[2] == "layover"
    assert tile.attrs["tile_id"] == OPERA
    assert tile.attrs["datetime"] == "2021-11-19T01:59:11Z"
    assert list(open_tile(tmp_path, ["mask"])) == ["rtc_mask"]


@pytest.mark.parametrize(("letters", "units", "title"), [("gp", "1", "Gamma"), ("sd", "dB", "Sigma")])
def test_hyp3_says_its_scale_in_its_name(tmp_path: Path, letters: str, units: str, title: str) -> None:
    name = HYP3.format(letters)
    write(tmp_path / f"{name}_VV.tif", np.full((4, 4), -11.5, "f4"), UTM33)
    write(tmp_path / f"{name}_inc_map.tif", np.full((4, 4), 0.6, "f4"), UTM33)
    tile = open_tile(tmp_path)
    assert list(tile) == ["vv"]
    assert tile.vv.attrs["units"] == units
    assert tile.vv.attrs["long_name"] == f"{title} nought VV"
    assert open_tile(tmp_path, "local_incidence").local_incidence.attrs["units"] == "radian"


def test_hyp3_amplitudes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / f"{HYP3.format('ga')}_VV.tif", np.ones((4, 4), "f4"), UTM33)
    with pytest.raises(ReadError, match=r"amplitudes.*power or decibels.*scale=power"):
        open_tile(tmp_path)


def test_real_opera_scene_and_a_folder_of_many(tmp_path: Path) -> None:
    source = data_path("s1_rtc_california_open")
    with pytest.raises(TileError, match=r"holds 42 scenes"):
        open_tile(source)
    for path in source.glob(f"{OPERA}_*.tif"):
        shutil.copy(path, tmp_path)
    tile = open_tile(tmp_path)
    assert list(tile) == ["vv", "vh"]
    assert tile.odc.geobox.crs.epsg == 32611
    assert 0 < float(tile.vv.median()) < 1


def test_planetscope_surface_reflectance(tmp_path: Path) -> None:
    tile = open_tile(planet(tmp_path))
    assert list(tile)[:4] == ["blue", "green", "red", "nir"]
    assert list(tile)[4:] == [
        f"udm2_{n}" for n in ("clear", "snow", "shadow", "haze_light", "haze_heavy", "cloud")
    ]
    assert float(tile.nir[5, 5]) == np.float32(0.4)
    assert np.isnan(tile.nir[5, 0])
    assert tile.nir.attrs["quantity"] == "surface_reflectance"
    assert tile.nir.attrs["wavelength_nm"] == 867.0
    assert tile.attrs["sun_elevation"] == 52.25
    assert tile.attrs["datetime"] == "2023-08-20T09:51:23.450000Z"


def test_planetscope_top_of_atmosphere_by_the_coefficients(tmp_path: Path) -> None:
    tile = open_tile(planet(tmp_path, "AnalyticMS", 8), ["coastal", "yellow", "nir", "udm2_confidence"])
    assert float(tile.coastal[5, 5]) == np.float32(1000 * 1e-5)
    assert float(tile.yellow[5, 5]) == np.float32(5000 * 5e-5)
    assert float(tile.nir[5, 5]) == np.float32(8000 * 8e-5)
    assert tile.nir.attrs["quantity"] == "toa_reflectance"
    assert int(tile.udm2_confidence[0, 0]) == 87


def test_planetscope_without_coefficients_is_dn_and_says_so(tmp_path: Path) -> None:
    folder = planet(tmp_path, "AnalyticMS", xml=False, udm2=False)
    with pytest.warns(MetadataWarning, match=r"no \*_metadata.xml.*the values are DN"):
        tile = open_tile(folder)
    assert tile.red.attrs["quantity"] == "dn"
    assert int(tile.red[5, 5]) == 3000


def test_planetscope_two_assets_and_broken_metadata(tmp_path: Path) -> None:
    folder = planet(tmp_path)
    planet(tmp_path, "AnalyticMS")
    with pytest.raises(TileError, match=r"holds 2 assets.*one asset.*name the file"):
        open_tile(folder)
    assert (
        open_tile(folder / f"{PLANET}_3B_AnalyticMS_SR.tif", "red").red.attrs["quantity"]
        == "surface_reflectance"
    )
    (folder / f"{PLANET}_3B_AnalyticMS_metadata.xml").write_text("<a>")
    with pytest.raises(ReadError, match=r"no readable XML"):
        open_tile(folder / f"{PLANET}_3B_AnalyticMS_SR.tif")


def test_udm2_flags_work_with_the_cloud_masks(tmp_path: Path) -> None:
    cloud = pytest.importorskip("geotoolz.cloud")
    tile = open_tile(planet(tmp_path))
    masked = cloud.MaskClouds(flags=("cloud", "haze"))(tile)
    assert np.isnan(masked.red[:2]).all()
    assert np.isfinite(masked.red[2:, 1:]).all()


@pytest.mark.parametrize("make", ["hls", "planet"])
def test_windows_have_the_bits_of_the_whole(tmp_path: Path, make: str) -> None:
    from geotoolz.io import open_scene

    folder = hls(tmp_path, HLS_S30, ("B04", "Fmask")) if make == "hls" else planet(tmp_path)
    scene = open_scene(folder)
    whole = scene.arrays()
    part = scene.arrays(rows=slice(2, 9), cols=slice(1, 8))
    for name, values in whole.items():
        np.testing.assert_array_equal(part[name], values[2:9, 1:8])


def test_catalogs_take_scenes_by_their_readers(tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    from geotoolz.catalog import GeoCatalog

    hls(tmp_path / "a", HLS_S30, ("B04", "B8A", "Fmask"))
    hls(tmp_path / "b", HLS_L30, ("B04", "B05"))
    planet(tmp_path / "c")
    catalog = GeoCatalog.build(tmp_path)
    assert [row.id for row in catalog.iter_rows()] == [PLANET, HLS_L30, HLS_S30]
    rows = {row.id: row for row in catalog.iter_rows()}
    assert rows[HLS_S30].platform == "sentinel-2"
    tile = open_tile(catalog.source_of(rows[HLS_L30]), ["nir08"])
    assert float(tile.nir08[10, 10]) == np.float32(0.2)


def test_a_folder_of_many_scenes_is_a_catalog(tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    from geotoolz.catalog import GeoCatalog

    hls(tmp_path, HLS_S30, ("B04", "B8A", "Fmask"))
    hls(tmp_path, HLS_L30, ("B04", "B05"))
    catalog = GeoCatalog.build(tmp_path)
    rows = {row.id: row for row in catalog.iter_rows()}
    assert {HLS_S30, HLS_L30} <= set(rows)
    for name, nir in ((HLS_S30, 0.2), (HLS_L30, 0.2)):
        tile = open_tile(catalog.source_of(rows[name]), ["red", "nir08"])
        assert float(tile.red[10, 10]) == np.float32(0.1)
        assert float(tile.nir08[10, 10]) == np.float32(nir)


@pytest.mark.parametrize("kind", ["hls", "planet", "enmap", "emit", "nc", "zarr"])
def test_info_describes_every_kind(tmp_path: Path, kind: str) -> None:
    from _cubes import emit, enmap
    from typer.testing import CliRunner

    from geotoolz._cli._app import app
    from geotoolz.core.testing import simulate_scene
    from geotoolz.io import write_zarr

    def netcdf(folder: Path) -> Path:
        simulate_scene((8, 8), bands=("red",)).to_netcdf(folder / "tile.nc", engine="h5netcdf")
        return folder / "tile.nc"

    pytest.importorskip("h5netcdf")
    make = {
        "hls": lambda: hls(tmp_path, HLS_S30, ("B04",)),
        "planet": lambda: planet(tmp_path),
        "enmap": lambda: enmap(tmp_path),
        "emit": lambda: emit(tmp_path)[0],
        "nc": lambda: netcdf(tmp_path),
        "zarr": lambda: write_zarr(simulate_scene((8, 8), bands=("red",)), tmp_path / "tile.zarr"),
    }[kind]
    told = CliRunner().invoke(app, ["info", str(make())])
    assert told.exit_code == 0, told.output
    assert "reflectance" in told.output or "red" in told.output
    assert "EPSG:" in told.output
