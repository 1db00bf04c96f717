"""Real polygons and points on real scenes; rasterstats and shapely as the second opinion."""

from __future__ import annotations

import json
import warnings

import geopandas
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy import ndimage

from geotoolz.catalog import GeoCatalog
from geotoolz.core import geobox_of, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.io import Area, open_tile
from geotoolz.vector import (
    ClipToArea,
    MaskArea,
    point_series,
    rasterize,
    sample_training,
    vectorize,
    zonal_statistics,
)

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")]


def by_rasterstats(frame, values, transform, stats, nodata=None):
    rasterstats = pytest.importorskip("rasterstats")
    with warnings.catch_warnings():  # it calls affine and numpy in ways that are on their way out
        warnings.simplefilter("ignore")
        return pd.DataFrame(
            rasterstats.zonal_stats(frame, values, affine=transform, stats=stats, nodata=nodata)
        )


@pytest.fixture(scope="module")
def amazon():
    folder = data_path("s2_l2a_12band_dem_training_amazon")
    return open_tile(folder / "sen2.tif"), geopandas.read_file(folder / "training_polygons_sen2.gpkg")


def test_amazon_zonal_means_against_rasterstats(amazon):
    """rasterstats on pixels cut 12 × 12: its centres then tell shares of pixels."""
    tile, fields = amazon
    name = str(next(iter(tile.data_vars)))
    found = zonal_statistics(tile, fields, ("mean", "count"), name, include_cols="class")
    fine = np.kron(tile[name].values, np.ones((12, 12), "f4"))
    a = geobox_of(tile).affine
    transform = Affine(a.a / 12, 0, a.c, 0, a.e / 12, a.f)
    wanted = by_rasterstats(fields, fine, transform, ["mean", "count"], nodata=-1)
    np.testing.assert_allclose(found[f"{name}_count"], wanted["count"] / 144, rtol=0.02)
    np.testing.assert_allclose(found[f"{name}_mean"], wanted["mean"], rtol=2e-3)
    assert found["class"].tolist() == fields["class"].tolist() and (found.covered == 1).all()


def test_amazon_training_samples_against_rasterstats(amazon):
    tile, fields = amazon
    names = [str(name) for name in tile.data_vars]
    table = sample_training(tile, fields, "class")
    assert list(table.columns[:12]) == names and set(table.label) == set(fields["class"])
    wanted = by_rasterstats(
        fields, tile[names[3]].values, geobox_of(tile).affine, ["mean", "count"], nodata=-1
    )
    per_field = table.groupby("group")[names[3]].agg(["mean", "count"])
    assert per_field["count"].tolist() == wanted["count"].tolist()
    np.testing.assert_allclose(per_field["mean"], wanted["mean"], rtol=1e-6)


def test_amazon_fields_there_and_back(amazon):
    tile, fields = amazon
    burnt = rasterize(fields, tile, "class")
    shapes = vectorize(burnt)
    again = rasterize(shapes, burnt, "value", fill=255)
    np.testing.assert_array_equal(again.label.values, burnt.label.values)
    assert set(shapes.name) == set(fields["class"])
    drawn = fields.to_crs(32721).area.groupby(fields["class"]).sum()
    found = shapes.groupby("name").area_m2.sum()
    np.testing.assert_allclose(found[drawn.index], drawn, rtol=0.05)  # whole pixels of 10 m


def test_zion_park_from_its_outline():
    folder = data_path("dem_nlcd_zion")
    park = geopandas.read_file(folder / "zion.gpkg")
    whole = open_tile(folder / "nlcd.tif")
    name = str(next(iter(whole.data_vars)))
    clipped = ClipToArea(Area.of(folder / "zion.gpkg").to_json())(whole)
    assert geobox_of(clipped).crs == geobox_of(whole).crs and clipped[name].shape < whole[name].shape
    held = int((clipped[name] != clipped[name].attrs["_FillValue"]).sum())
    pixel = abs(geobox_of(whole).affine.a * geobox_of(whole).affine.e)
    drawn = park.to_crs(geobox_of(whole).crs.to_wkt()).area[0]
    assert held * pixel == pytest.approx(drawn, rel=2e-3)
    count = zonal_statistics(whole, folder / "zion.gpkg", "count", name)[f"{name}_count"][0]
    assert count * pixel == pytest.approx(drawn, rel=1e-5)  # shares of pixels: the area itself


def test_zion_elevation_in_degrees_and_at_points():
    folder = data_path("dem_nlcd_zion")
    tile = open_tile(folder / "srtm.tif")
    name = str(next(iter(tile.data_vars)))
    found = zonal_statistics(folder / "srtm.tif", folder / "zion.gpkg", ("mean", "min", "max"))
    inside = MaskArea(Area.of(folder / "zion.gpkg").to_json())(tile)[name]
    values = inside.where(inside != inside.attrs["_FillValue"])
    assert found[f"{name}_mean"][0] == pytest.approx(float(values.mean()), rel=1e-3)
    assert 1000 < found[f"{name}_min"][0] < 1300 and 2500 < found[f"{name}_max"][0] < 2800
    points = geopandas.read_file(folder / "zion_points.gpkg")
    series = point_series(folder / "srtm.tif", points)
    nearest = tile[name].sel(
        x=xr.DataArray(points.geometry.x, dims="p"),
        y=xr.DataArray(points.geometry.y, dims="p"),
        method="nearest",
    )
    assert series[name].tolist() == nearest.values.tolist()


def test_zion_land_cover_against_scipy():
    tile = open_tile(data_path("dem_nlcd_zion") / "nlcd.tif").isel(y=slice(300, 420), x=slice(200, 330))
    name = str(next(iter(tile.data_vars)))
    values = tile[name].values
    for connectivity, structure in ((4, None), (8, np.ones((3, 3)))):
        found = vectorize(tile, connectivity=connectivity)
        for value in np.unique(values):
            sizes = np.bincount(ndimage.label(values == value, structure)[0].ravel())[1:]
            assert sorted(found.pixels[found.value == value]) == sorted(sizes.tolist())
        np.testing.assert_allclose(found.geometry.area, found.area_m2, rtol=1e-9)


def test_slovenia_fields_over_two_years():
    folder = data_path("s2_timeseries_eolearn_slovenia")
    ring = np.array(json.loads((folder / "bbox.geojson").read_text())["coordinates"][0])
    (left, bottom), (right, top) = ring.min(axis=0), ring.max(axis=0)
    ndvi = np.load(folder / "NDVI.npy")[..., 0]
    rows, cols = ndvi.shape[1:]
    grid = GeoBox((rows, cols), Affine((right - left) / cols, 0, left, 0, (bottom - top) / rows, top), 32633)
    times = np.array(json.loads((folder / "timestamps.json").read_text()), "datetime64[ns]")
    ndvi, times = ndvi[::4], times[::4]
    stack = tile_from_arrays({"ndvi": ndvi}, grid, coords={"time": times}, nodata={"ndvi": np.nan})
    fields = geopandas.read_file(folder / "LULC_polygons.gpkg")
    found = zonal_statistics(stack, fields, ("mean", "count"), "ndvi", include_cols="LULC_NAME")
    assert len(found) == len(fields) * 17
    day = found[found.datetime == pd.Timestamp(times[10], tz="UTC")]
    wanted = by_rasterstats(fields, ndvi[10].astype("f8"), grid.affine, ["mean", "count"], nodata=-9)
    large = (wanted["count"] > 200).to_numpy() & (day.ndvi_count > 200).to_numpy()
    assert large.sum() > 3
    np.testing.assert_allclose(day.ndvi_mean[large], wanted["mean"][large], atol=0.01)
    inside = fields.clip((left, bottom, right, top)).area.sum()
    assert day.ndvi_count.sum() * 10.0**2 == pytest.approx(inside, rel=0.01)


def test_sinop_samples_of_twelve_dates():
    """MODIS in its sinusoidal grid: the series at labelled points, one row per date."""
    folder = data_path("modis_ndvi_sinop_sits")
    files = sorted(folder.glob("*.jp2"))
    rows = [
        {
            "id": path.stem,
            "source": str(path),
            "datetime": f"{path.stem[-10:]}T00:00:00Z",
            "geometry": Area.of(geobox_of(open_tile(path, raw=True))).in_crs("EPSG:4326"),
        }
        for path in files
    ]
    catalog = GeoCatalog.from_rows(rows)
    points = pd.read_csv(folder / "samples_sinop_crop.csv")
    found = point_series(catalog, folder / "samples_sinop_crop.csv", include_cols="label", read={"raw": True})
    assert len(found) == 12 * len(points) and found.groupby("point").datetime.is_monotonic_increasing.all()
    name = found.columns[4]
    first = open_tile(files[0], raw=True)
    turn = Transformer.from_crs(4326, geobox_of(first).crs.to_wkt(), always_xy=True)
    x, y = turn.transform(points.longitude.to_numpy(), points.latitude.to_numpy())
    band = first[str(next(iter(first.data_vars)))]
    nearest = band.sel(x=xr.DataArray(x, dims="p"), y=xr.DataArray(y, dims="p"), method="nearest")
    assert found[found.tile_id == files[0].stem][name].tolist() == nearest.values.tolist()
    assert found.label.tolist() == points.label.repeat(12).tolist()
