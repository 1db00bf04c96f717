"""Real series: Slovenia (68 dates), Belgium (months, two of them missing), New York (Landsat)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geotoolz.core import Sequential, TileError, dump, load, run, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.temporal import Composite, Difference, LinearGapFill, ResampleTime

MONTHS = 12
DIMS = ("time", "y", "x")


def slovenia() -> xr.Dataset:
    """NDVI with clouds as no-data, and the cloud probability."""
    folder = data_path("s2_timeseries_eolearn_slovenia")
    cloudy = np.load(folder / "CLM.npy")[..., 0] == 1
    seen = np.load(folder / "IS_VALID.npy")[..., 0] & ~cloudy
    ndvi = np.where(seen, np.load(folder / "NDVI.npy")[..., 0], np.float32(np.nan)).astype("f4")
    times = json.loads((folder / "timestamps.json").read_text())
    box = GeoBox(ndvi.shape[1:], Affine(10, 0, 465180, 0, -10, 5080250), "EPSG:32633")
    tile = tile_from_arrays(
        {"ndvi": (DIMS, ndvi), "clp": (DIMS, np.load(folder / "CLP.npy")[..., 0])},
        box,
        var_attrs={"ndvi": {"quantity": "index", "units": "1"}, "clp": {"quantity": "index", "units": "1"}},
    )
    return tile.assign_coords(time=np.array(times, "datetime64[ns]"))


def belgium(*bands: str) -> xr.Dataset:
    """Monthly reflectance as it is stored; 65535 is a gap."""
    path = data_path("fusion_worldcereal_belgium_a") / "s2_s1_dem_meteo_monthly_2020-11_2021-10.nc"
    arrays: dict[str, Any] = {}
    for band in bands:
        try:
            with rasterio.open(f"netcdf:{path}:S2-L2A-{band}") as source:
                arrays[band] = (DIMS, source.read())
                days = json.loads(source.tags()["NETCDF_DIM_t_VALUES"].replace("{", "[").replace("}", "]"))
                box = GeoBox((source.height, source.width), source.transform, "EPSG:32631")
        except rasterio.RasterioIOError:
            pytest.skip("this GDAL reads no NetCDF")
    tile = tile_from_arrays(
        arrays,
        box,
        nodata=dict.fromkeys(bands, 65535),
        var_attrs={band: {"quantity": "dn", "scale_factor": 1e-4, "add_offset": 0.0} for band in bands},
        attrs={"platform": "sentinel-2a"},
    )
    return tile.assign_coords(
        time=np.datetime64("1990-01-01", "ns") + np.array(days) * np.timedelta64(1, "D")
    )


def new_york() -> xr.Dataset:
    """Landsat digital numbers of one year, warped onto one grid; fill 0 beside the swath."""
    folder = data_path("ls8_l1tp_timeseries_ny_thumb") / "L8NY18"
    scenes = sorted(folder.iterdir(), key=lambda scene: scene.name.split("_")[3])
    box = GeoBox((90, 70), Affine(3000, 0, 394485, 0, -3000, 4581915), "EPSG:32618")
    bands = {"red": "B4", "nir": "B5", "qa": "BQA"}
    arrays = {name: (DIMS, np.stack([_warped(s, b, box) for s in scenes])) for name, b in bands.items()}
    about = {"red": {"quantity": "toa_reflectance"}, "nir": {"quantity": "toa_reflectance"}}
    tile = tile_from_arrays(
        arrays, box, nodata=dict.fromkeys(bands, 0), var_attrs={**about, "qa": {"quantity": "flags"}}
    )
    days = [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in (s.name.split("_")[3] for s in scenes)]
    return tile.assign_coords(time=np.array(days, "datetime64[ns]"))


def _warped(scene: Path, band: str, box: GeoBox) -> Any:
    (path,) = scene.glob(f"*_{band}.TIF")
    with (
        rasterio.open(path) as source,
        WarpedVRT(
            source, crs=box.crs.wkt, transform=box.affine, height=box.shape.y, width=box.shape.x,
            resampling=Resampling.nearest, src_nodata=0, nodata=0,
        ) as warped,
    ):  # fmt: skip
        return warped.read(1)


def test_slovenia_filled_and_made_regular() -> None:
    tile = slovenia()
    op = Sequential([LinearGapFill(("ndvi",), max_gap=60.0), ResampleTime("monthly", "mean", ("ndvi",))])
    out = op(tile)
    before, after = (
        tile.ndvi.notnull().mean().item(),
        LinearGapFill(("ndvi",))(tile).ndvi.notnull().mean().item(),
    )
    assert before < 0.7 < 0.9 < after
    assert (out.sizes["time"], str(out.time.values[0])[:10]) == (30, "2015-07-01")
    assert (np.nanmin(out.ndvi) > -0.2) & (np.nanmax(out.ndvi) < 0.9)
    # vegetation has its summer
    months = out.ndvi.groupby("time.month").mean(...)
    assert months.sel(month=[5, 6, 7, 8]).min() > months.sel(month=[12, 1, 2]).max()
    xr.testing.assert_identical(run(op, tile, window=(33, 17), threads=2), out)
    assert load(dump(op)) == op


def test_slovenia_by_cloud_probability() -> None:
    out = Composite("best_pixel", ("ndvi",), quality="clp", prefer="lowest", date="chosen")(slovenia())
    tile = slovenia()
    lowest = np.where(tile.ndvi.isnull(), np.inf, tile.clp).argmin(axis=0)
    np.testing.assert_array_equal(out.chosen, lowest)


def test_belgium_without_two_months() -> None:
    tile = belgium("B04", "B08")
    missing = [int(i) for i in np.flatnonzero((tile.B08 == 65535).all(("y", "x")))]
    assert missing == [1, 2]
    out = LinearGapFill()(tile)
    assert out.B08.dtype == np.uint16
    assert not (out.B08 == 65535).any()
    days = (tile.time.values - tile.time.values[0]) / np.timedelta64(1, "D")
    before, after = tile.B08.values[0].astype("f8"), tile.B08.values[3].astype("f8")
    for i in missing:
        share = days[i] / days[3]
        np.testing.assert_array_equal(out.B08.values[i], np.rint(before + (after - before) * share))
    # the months follow 30, 31 and 31 days apart: positions would give something else
    assert (out.B08.values[1] != np.rint(before + (after - before) / 3)).any()
    unfilled = LinearGapFill(max_gap=60.0)(tile)
    xr.testing.assert_identical(unfilled.B08, tile.B08)


@pytest.mark.parametrize("method", ["median", "mean", "geomedian", "medoid", "max_ndvi"])
def test_belgium_composites(method: Any) -> None:
    tile = belgium("B02", "B04", "B08").rename(B04="red", B08="nir")
    out = Composite(method)(tile)
    assert (out["count"] == MONTHS - 2).mean() > 0.99
    low, high = (f(tile.red.where(tile.red != 65535), axis=0) for f in (np.nanmin, np.nanmax))
    assert ((out.red >= low) & (out.red <= high)).all()
    quarters = ResampleTime("3M", method)(tile)
    assert quarters.sizes["time"] == 5
    assert quarters["count"].values[:, 0, 0].tolist() == [1, 2, 3, 3, 1]  # December and January are missing


def test_new_york_has_more_pixels_than_any_scene() -> None:
    tile = new_york()
    with pytest.raises(TileError, match="same time at positions"):
        LinearGapFill(("red",))(tile)  # two rows of one orbit
    out = Composite("max_ndvi", ("red", "nir"), date="chosen")(tile)
    covered = (out.red != 0).mean()
    assert covered > (tile.red != 0).mean(("y", "x")).max()
    assert ((out["count"] == 0) == (out.red == 0)).all()
    assert ((out.chosen == -1) == (out.red == 0)).all()
    monthly = ResampleTime("monthly", bands=("red", "nir"))(tile.drop_duplicates("time"))
    assert monthly.sizes["time"] == MONTHS
    assert monthly.red.isnull().values[1].all()  # no scene in February
    change = Difference("2018-04-28", "2018-09-03", ("nir",))(tile.drop_duplicates("time"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert np.nanmedian(change.nir) > 0  # leaves
