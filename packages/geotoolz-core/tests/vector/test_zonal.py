"""Zonal statistics against supersampling, exactextract alone and hand-made sums."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon, box

from geotoolz.catalog import GeoCatalog
from geotoolz.core import (
    MissingCRSError,
    MissingVariableError,
    OutsideError,
    ParameterError,
    geobox_of,
    tile_from_arrays,
)
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.io import AreaWarning, write_tile
from geotoolz.radiometry import BoxMean
from geotoolz.vector import _zonal, zonal_statistics

UTM = 32633


@pytest.fixture(scope="module")
def tile():
    return simulate_scene((40, 60), bands=("red", "nir", "scl"), cloud_cover=0)


def zones(*shapes, **columns):
    return geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=UTM)


def corner(tile, row, col):
    a = geobox_of(tile).affine
    return a.c + a.a * col, a.f + a.e * row


def rectangle(tile, top, left, bottom, right):
    (x0, y1), (x1, y0) = corner(tile, top, left), corner(tile, bottom, right)
    return box(x0, y0, x1, y1)


def test_shares_of_pixels_by_hand(tile):
    shape = rectangle(tile, 10.25, 20.5, 12.0, 23.0)
    rows, cols = np.array([0.75, 1.0]), np.array([0.5, 1.0, 1.0])
    share = rows[:, None] * cols
    red = tile.red.values[10:12, 20:23].astype(float)
    stats = ("mean", "count", "sum", "min", "max", "variance")
    found = zonal_statistics(tile, zones(shape), stats, "red").iloc[0]
    mean = (share * red).sum() / share.sum()
    assert found.red_count == pytest.approx(share.sum(), abs=1e-9)
    assert found.red_mean == pytest.approx(mean, rel=1e-6)
    assert found.red_sum == pytest.approx((share * red).sum(), rel=1e-6)
    assert (found.red_min, found.red_max) == (red.min(), red.max())
    assert found.red_variance == pytest.approx((share * (red - mean) ** 2).sum() / share.sum(), rel=1e-4)
    assert found.covered == 1.0 and found.tile_id == tile.attrs["tile_id"]
    assert str(found.datetime.tz) == "UTC"


@settings(max_examples=15, deadline=None)
@given(st.floats(5, 35), st.floats(5, 55), st.floats(1.0, 9.0))
def test_against_supersampling(tile, row, col, radius):
    """16 × 16 points in every pixel."""
    x, y = corner(tile, row, col)
    shape = Point(x, y).buffer(10 * radius)
    found = zonal_statistics(tile, zones(shape), ("mean", "count"), "red").iloc[0]
    fine = (np.arange(16) + 0.5) / 16
    a = geobox_of(tile).affine
    xs = a.c + a.a * (np.arange(60)[:, None] + fine).ravel()
    ys = a.f + a.e * (np.arange(40)[:, None] + fine).ravel()
    inside = shapely.contains_xy(shape, *np.meshgrid(xs, ys))
    share = inside.reshape(40, 16, 60, 16).mean(axis=(1, 3))
    edge = 2 * np.pi * radius  # pixels on the outline, each off by less than 1/16
    assert found.red_count == pytest.approx(share.sum(), abs=edge / 16)
    assert found.red_mean == pytest.approx((share * tile.red.values).sum() / share.sum(), abs=0.01)


def test_equals_exactextract_alone(tile):
    rng = np.random.default_rng(3)
    left, bottom, right, top = geobox_of(tile).boundingbox.bbox
    xs, ys = rng.uniform(left, right, 40), rng.uniform(bottom, top, 40)
    frame = zones(*(Point(x, y).buffer(35) for x, y in zip(xs, ys, strict=True)), n=range(40))
    stats = ["mean", "count", "median", "quantile(q=0.9)", "stdev", "majority", "variety"]
    ours = zonal_statistics(tile, frame, stats, ("red", "nir"), include_cols="n")
    rasters = [
        NumPyRasterSource(tile[n].values, left, bottom, right, top, name=n, srs_wkt=frame.crs.to_wkt())
        for n in ("red", "nir")
    ]
    alone = exact_extract(rasters, frame, stats, output="pandas")
    assert ours.n.tolist() == list(range(40)) and ours.zone.tolist() == list(range(40))
    for name in alone.columns:
        np.testing.assert_allclose(ours[name], alone[name], rtol=1e-9, err_msg=name)


def test_no_data_counts_nowhere():
    values = np.arange(16, dtype="f4").reshape(4, 4)
    values[0, 0] = np.nan
    codes = np.arange(16, dtype="u1").reshape(4, 4)
    grid = geobox_of(simulate_scene((4, 4), bands=("red",)))
    tile = tile_from_arrays(
        {"a": values, "b": codes}, grid, nodata={"a": np.nan, "b": 5}, var_attrs={"b": {"units": "1"}}
    )
    found = zonal_statistics(tile, grid, ("count", "sum"), ("a", "b")).iloc[0]
    assert (found.a_count, found.a_sum) == (15, 120)
    assert (found.b_count, found.b_sum) == (15, 115)
    empty = tile.assign(a=tile.a * np.nan)
    found = zonal_statistics(empty, grid, ("count", "mean"), "a").iloc[0]
    assert found.a_count == 0 and np.isnan(found.a_mean)


def test_weights_and_shares(tile):
    shape = rectangle(tile, 3, 3, 9, 9)
    found = zonal_statistics(tile, zones(shape), ("weighted_mean", "count"), "red", weights="nir").iloc[0]
    red, nir = (tile[n].values[3:9, 3:9].astype(float) for n in ("red", "nir"))
    assert found.red_weighted_mean == pytest.approx((red * nir).sum() / nir.sum(), rel=1e-6)
    assert found.red_count == 36 and "nir_count" not in found.index
    shares = zonal_statistics(tile, zones(shape), ("unique", "frac"), "scl").iloc[0]
    held, count = np.unique(tile.scl.values[3:9, 3:9], return_counts=True)
    known = dict(zip(shares.scl_unique, shares.scl_frac, strict=True))
    assert known == pytest.approx(dict(zip(held.tolist(), (count / 36).tolist(), strict=True)))


def test_on_the_edge_and_outside(tile):
    over = rectangle(tile, -5, 0, 5, 10)
    away = box(0, 0, 10, 10)
    found = zonal_statistics(tile, zones(over, away), ("count", "mean"), "red")
    assert found.covered.tolist() == pytest.approx([0.5, 0.0])
    assert found.red_count.tolist() == [50, 0] and np.isnan(found.red_mean[1])
    with pytest.raises(OutsideError, match="none of 1 zones"):
        zonal_statistics(tile, zones(away))
    west, south, east, north = geobox_of(tile).geographic_extent.boundingbox.bbox
    with pytest.raises(OutsideError, match="axes are swapped"):
        zonal_statistics(tile, (south, west, north, east))


def test_zones_in_degrees(tile):
    shape = rectangle(tile, 10, 10, 20, 30)
    straight = zonal_statistics(tile, zones(shape), "mean", "red").red_mean[0]
    frame = zones(shape).to_crs(4326)
    found = zonal_statistics(tile, frame, "mean", "red")
    assert found.crs == frame.crs and found.red_mean[0] == pytest.approx(straight, rel=1e-4)


def test_files_windows_and_pipelines(tile, tmp_path, monkeypatch):
    (path,) = write_tile(tile[["red"]], tmp_path / "scene.tif", "red")
    shapes = zones(rectangle(tile, 5.5, 5.5, 12, 17), rectangle(tile, 22, 30.3, 30, 44), name=["a", "b"])
    shapes.to_file(tmp_path / "z.gpkg", layer="fields")
    wanted = zonal_statistics(tile[["red"]], shapes, ("mean", "count"))
    found = zonal_statistics(path, f"{tmp_path / 'z.gpkg'}:fields", ("mean", "count"), include_cols=("name",))
    np.testing.assert_array_equal(found.red_mean, wanted.red_mean)
    assert found.name.tolist() == ["a", "b"]
    smooth = BoxMean(radius=3, bands=("red",))
    whole = zonal_statistics(smooth(tile), shapes, "mean", "red").red_mean
    np.testing.assert_allclose(zonal_statistics(path, shapes, "mean", op=smooth).red_mean, whole, rtol=1e-12)
    monkeypatch.setattr(_zonal, "_MOST", 100)  # zone by zone
    lazy = zonal_statistics(path, shapes, ("mean", "count"), op=smooth)
    np.testing.assert_allclose(lazy.red_mean, whole, rtol=1e-12)
    assert lazy.red_count.tolist() == wanted.red_count.tolist()


@pytest.mark.parametrize("south_up, west_right", [(True, False), (False, True), (True, True)])
def test_grids_that_run_the_other_way(tile, south_up, west_right, monkeypatch):
    turned = tile[["red"]]
    if south_up:
        turned = turned.isel(y=slice(None, None, -1))
    if west_right:
        turned = turned.isel(x=slice(None, None, -1))
    turned = turned.assign_coords(spatial_ref=turned.spatial_ref.assign_attrs(GeoTransform=""))
    turned.spatial_ref.attrs.pop("GeoTransform")
    shape = zones(rectangle(tile, 3.3, 7.1, 20.2, 31.7))
    wanted = zonal_statistics(tile, shape, "mean", "red").red_mean[0]
    assert zonal_statistics(turned, shape, "mean").red_mean[0] == pytest.approx(wanted, rel=1e-9)
    monkeypatch.setattr(_zonal, "_MOST", 10)
    assert zonal_statistics(turned, shape, "mean").red_mean[0] == pytest.approx(wanted, rel=1e-9)


def test_a_stack_has_a_row_per_date():
    stack = contract_tile((20, 30), times=3, gaps=False)
    shape = zones(rectangle(stack, 2, 2, 8, 9), rectangle(stack, 10, 10, 13, 13))
    found = zonal_statistics(stack, shape, ("mean",), ("red", "nir"))
    assert len(found) == 6 and found.datetime.nunique() == 3
    wanted = stack.red.values[:, 2:8, 2:9].astype(float).mean(axis=(1, 2))
    np.testing.assert_allclose(found.red_mean[found.zone == 0], wanted, rtol=1e-6)
    np.testing.assert_array_equal(found.datetime[found.zone == 0].dt.tz_localize(None), stack.time.values)


def test_a_catalog_opens_what_it_needs(tile, tmp_path):
    rows = []
    for k, day in enumerate(("2023-08-01", "2023-08-11", "2023-08-21")):
        one = (tile[["red"]] + k).assign_attrs(tile_id=f"t{k}", datetime=f"{day}T10:00:00Z")
        one.red.attrs = tile.red.attrs
        write_tile(one, tmp_path / f"t{k}" / "red.tif", "red")
        rows.append(one)
    catalog = GeoCatalog.from_folder(tmp_path)
    assert len(catalog) == 3
    shapes = zones(rectangle(tile, 5, 5, 12, 17), box(0, 0, 10, 10))
    with pytest.warns(AreaWarning, match="1 of 2 zones lie on no scene and have no row: 1"):
        found = zonal_statistics(catalog, shapes, ("mean", "count"), "red")
    assert found.zone.tolist() == [0, 0, 0] and sorted(found.tile_id) == ["t0", "t1", "t2"]
    found = found.sort_values("datetime")
    np.testing.assert_allclose(np.diff(found.red_mean), 1.0, atol=1e-6)
    found.to_parquet(tmp_path / "out.parquet")
    again = geopandas.read_parquet(tmp_path / "out.parquet")
    assert again.crs == found.crs and again.datetime.dtype == found.datetime.dtype
    with pytest.raises(OutsideError, match="touches a scene"):
        zonal_statistics(catalog, zones(box(0, 0, 10, 10)))


@pytest.mark.parametrize(
    "options, error, said",
    [
        ({"stats": "meen"}, ParameterError, r"'meen' \(did you mean 'mean'\?\)"),
        ({"stats": ()}, ParameterError, "stats is empty"),
        ({"stats": "quantile(q=2)"}, ParameterError, "no statistic"),
        ({"stats": "weighted_mean"}, ParameterError, "without weights"),
        ({"weights": "nir"}, ParameterError, "no weighted statistic"),
        ({"bands": "rde"}, MissingVariableError, r"did you mean 'red'"),
        ({"include_cols": "nam"}, MissingVariableError, r"did you mean 'name'"),
    ],
)
def test_what_is_refused(tile, options, error, said):
    with pytest.raises(error, match=said):
        zonal_statistics(tile, zones(rectangle(tile, 1, 1, 5, 5), name=["a"]), **options)


def test_odd_zones(tile):
    with pytest.raises(ParameterError, match="1 of 1 zones are no polygons, such as a Point"):
        zonal_statistics(tile, zones(Point(*corner(tile, 3, 3))))
    bow = Polygon([corner(tile, 2, 2), corner(tile, 12, 12), corner(tile, 2, 12), corner(tile, 12, 2)])
    with pytest.warns(AreaWarning, match="1 of 1 zones cross themselves"):
        assert zonal_statistics(tile, zones(bow), "count", "red").red_count[0] == pytest.approx(50)
    with pytest.raises(MissingCRSError, match="no CRS"):
        zonal_statistics(tile, geopandas.GeoDataFrame(geometry=[bow.convex_hull]))
    found = zonal_statistics(tile, zones(bow.convex_hull, None, Polygon()), "count", "red")
    assert found.zone.tolist() == [0]


def test_rows_are_ordered_by_zone_and_date(tile, tmp_path):
    """Whatever the scenes are called, and in which folder they lie."""
    for name, day in (("b", "2023-08-21"), ("c", "2023-08-01"), ("a", "2023-08-11")):
        one = tile[["red"]].assign_attrs(tile_id=name, datetime=f"{day}T10:00:00Z")
        write_tile(one, tmp_path / name / "red.tif", "red")
    shapes = zones(rectangle(tile, 20, 5, 30, 17), rectangle(tile, 2, 2, 9, 9), position=["x", "y"])
    shapes.index = [7, 3]
    found = zonal_statistics(GeoCatalog.from_folder(tmp_path), shapes, "mean", "red", include_cols="position")
    assert found.zone.tolist() == [7, 7, 7, 3, 3, 3] and found.position.tolist() == ["x"] * 3 + ["y"] * 3
    assert found.tile_id.tolist() == ["c", "a", "b"] * 2
    assert found.groupby("zone").datetime.is_monotonic_increasing.all()
    stack = zonal_statistics(contract_tile((20, 20), times=3), zones(*_corners((20, 20))), "mean", "red")
    assert stack.zone.tolist() == [0, 0, 0, 1, 1, 1]
    assert stack.datetime.tolist()[:3] == sorted(stack.datetime.tolist()[:3])


def _corners(shape):
    grid = contract_tile(shape)
    return rectangle(grid, 0, 0, 5, 5), rectangle(grid, 10, 10, 15, 15)
