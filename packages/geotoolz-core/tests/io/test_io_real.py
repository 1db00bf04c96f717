"""Real scenes, with their traps."""

import numpy as np
import pytest

from geotoolz.core import ReadError, TileError
from geotoolz.core._grid import geobox_of
from geotoolz.core.testing import data_path
from geotoolz.io import MetadataWarning, describe, open_scene, open_tile, write_tile

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")]
DATES = (
    "S2B_33TWL_20230810_0_L2A",
    "S2A_33TWL_20230815_0_L2A",
    "S2A_33TWL_20230818_0_L2A",
    "S2B_33TWL_20230820_0_L2A",
)


@pytest.fixture
def croatia():
    return data_path("s2_l2a_33TWL_croatia")


@pytest.mark.parametrize("date", DATES)
def test_croatia_offset_is_applied_already(croatia, date):
    raw, values = open_tile(croatia / date, raw=True), open_tile(croatia / date)
    assert set(values) == {"blue", "green", "red", "nir", "scl"}
    dn = raw.red.values
    wanted = np.where(dn == 0, np.nan, dn * 1e-4).astype("f4")
    np.testing.assert_array_equal(values.red, wanted)
    assert raw.red.attrs["add_offset"] == 0
    assert values.red.attrs["offset_source"] == "boa_offset_applied"


def test_croatia_files_win_over_the_declared_grid(croatia):
    folder = croatia / DATES[3]
    with pytest.warns(MetadataWarning, match="10980 × 10980 pixels, the file has 915 × 915"):
        ds = open_tile(folder / f"{DATES[3]}_stac_item.json")
    grid = geobox_of(ds)
    assert grid.shape == (915, 915)
    assert grid.crs.epsg == 32633
    assert tuple(grid.affine)[:6] == (120, 0, 499980, 0, -120, 5100000)
    assert "915" in ds.attrs["metadata_notes"]
    # the mask lies on the same grid by its own georeference
    assert describe(folder, "cloud_probability").geobox == grid


def test_croatia_class_12_is_read_as_is(croatia):
    found = [int((open_tile(croatia / date, "scl").scl == 12).sum()) for date in DATES]
    assert sum(found) > 0


def test_croatia_cloud_share_agrees_with_the_item(croatia):
    import json

    for date in DATES:
        item = json.loads((croatia / date / f"{date}_stac_item.json").read_text())
        scl = open_tile(croatia / date, "scl").scl.values
        share = 100 * np.isin(scl, (8, 9, 10)).sum() / (scl != 0).sum()
        assert share == pytest.approx(item["properties"]["eo:cloud_cover"], abs=3)


def test_croatia_missing_band_is_a_read_error(croatia):
    item = croatia / DATES[3] / f"{DATES[3]}_stac_item.json"
    assert "swir16" not in open_tile(item)


def test_croatia_windows(croatia):
    reader = open_scene(croatia / DATES[0], resolution=250)
    whole = reader.read()
    part = reader.read(rows=slice(100, 250), cols=slice(17, 300))
    for name in whole:
        np.testing.assert_array_equal(part[name], whole[name][100:250, 17:300])


def test_landsat_scene():
    folder = data_path("ls8_c2l2_colombia_008059_cloudy")
    ds = open_tile(folder, ["red", "nir", "lwir11", "qa_pixel"])
    assert list(ds) == ["red", "nir08", "lwir11", "qa_pixel"]
    raw = open_tile(folder, ["red"], raw=True).red.values
    wanted = np.where(raw == 0, np.nan, raw * 2.75e-5 - 0.2).astype("f4")
    np.testing.assert_array_equal(ds.red, wanted)
    assert ds.attrs["sun_elevation"] == 57.08727307
    assert ds.attrs["datetime"] == "2019-12-01T15:13:51.861099Z"
    qa = ds.qa_pixel.values
    valid = (qa & 1) == 0
    assert ((qa & 8) != 0)[valid].mean() == pytest.approx(0.811, abs=0.0006)
    kelvin = ds.lwir11.values
    assert ds.lwir11.attrs["units"] == "K"
    assert 260 < np.nanmedian(kelvin) < 310


def test_landsat_items_take_the_files_beside_them():
    folder = data_path("ls8_c2l2_colombia_008059_cloudy")
    item = next(folder.glob("*_SR_stac.json"))
    ds = open_tile(item, ["red", "qa_pixel"])
    assert ds.red.equals(open_tile(folder, "red").red)
    thermal = open_tile(next(folder.glob("*_ST_stac.json")), "lwir11")
    assert thermal.lwir11.equals(open_tile(folder, "lwir11").lwir11)


def test_sentinel1_backscatter():
    folder = data_path("s1_rtc_california_open")
    path = next(folder.glob("*_VV.tif"))
    ds = open_tile(path)
    assert list(ds) == ["vv"]
    assert ds.vv.attrs["quantity"] == "backscatter"
    assert ds.attrs["platform"] == "sentinel-1a" or ds.attrs["platform"] == "sentinel-1b"
    both = open_tile([path, str(path).replace("_VV", "_VH")])
    assert set(both) == {"vv", "vh"}
    with pytest.raises(TileError, match="holds 42 scenes"):
        open_tile(folder)


def test_cogs(tmp_path):
    folder = data_path("cogs_for_tile_server")
    ds = open_tile(folder / "cog.tif")
    assert ds.band_1.dtype == np.uint16
    part = open_tile(folder / "cog.tif", aoi=geobox_of(ds)[100:300, 50:90])
    np.testing.assert_array_equal(part.band_1, ds.band_1[100:300, 50:90])
    (path,) = write_tile(ds, tmp_path / "x.tif")
    assert open_tile(path).identical(ds)


@pytest.mark.parametrize(
    "path",
    [
        "dem_nlcd_zion/nlcd2011.tif",  # a CRS without a code
        "dem_nlcd_zion/srtm.tif",
        "s1_vv_grd_db_pyrosar_france/S1A_20150309_VV_grd_mli_geo_norm_db.tif",
        "ls8_sr_scikiteo_232066_endmembers/LC08_232066_20190727.tif",
        "hsi_enmap_potsdam_open/enmap_l2a_20220724_224bands_int16.tif",
    ],
)
def test_generic_rasters_round_trip(path, tmp_path):
    ds = open_tile(data_path(path.split("/")[0]) / path.split("/")[1])
    (written,) = write_tile(ds, tmp_path / "x.tif", level=1)
    back = open_tile(written)
    assert back.identical(ds)
    assert geobox_of(back) == geobox_of(ds)


def test_old_landsat_gives_dn_and_says_so():
    folder = data_path("ls5_tm_dem_training_para") / "raw_dn"
    with pytest.warns(MetadataWarning, match="the values are DN"):
        ds = open_tile(folder)
    assert ds.red.attrs["quantity"] == "dn"
    assert ds.attrs["platform"] == "landsat-5"
    assert ds.y[0] < 0  # negative northing in a northern zone: as the file says


def test_level1_without_metadata_needs_raw():
    folder = next(data_path("ls8_l1tp_timeseries_ny_thumb").glob("L8NY18/*"))
    from geotoolz.core import QuantityError

    try:
        ds = open_tile(folder, "red")
    except (QuantityError, ReadError):
        ds = open_tile(folder, "red", raw=True)
    assert ds.red.attrs["quantity"] == "dn"
