"""Polygons from classes and back, areas, statistics per polygon, and training samples."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from odc.geo.geobox import GeoBox
from pyproj import Geod
from scipy import ndimage
from shapely.geometry import Point

from geotoolz.catalog import GeoCatalog
from geotoolz.core import MissingVariableError, OutsideError, ParameterError, geobox_of, tile_from_arrays
from geotoolz.core.testing import simulate_scene
from geotoolz.io import write_tile
from geotoolz.radiometry import BoxMean
from geotoolz.vector import rasterize, sample_training, vectorize

GRID = GeoBox((12, 15), Affine(10, 0, 500000, 0, -10, 5100000), "EPSG:32633")
FOUR = ndimage.generate_binary_structure(2, 1)
EIGHT = ndimage.generate_binary_structure(2, 2)


def classes(values, grid=GRID, **attrs):
    grid = GeoBox(values.shape, grid.affine, grid.crs)
    return tile_from_arrays({"c": values}, grid, nodata={"c": 0}, var_attrs={"c": attrs})


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.uint8, (12, 15), elements=st.integers(0, 2)), st.sampled_from([4, 8]))
def test_areas_are_components(values, connectivity):
    """Every polygon is one connected component of scipy.ndimage, in pixels, area and place."""
    tile = classes(values)
    found = vectorize(tile, connectivity=connectivity)
    wanted = []
    for value in (1, 2):
        labels, count = ndimage.label(values == value, FOUR if connectivity == 4 else EIGHT)
        for k in range(1, count + 1):
            wanted.append((int(np.flatnonzero(labels == k)[0]), value, int((labels == k).sum())))
    wanted.sort()
    assert list(zip(found.value, found.pixels, strict=True)) == [(v, n) for _, v, n in wanted]
    np.testing.assert_array_equal(found.area_m2, found.pixels * 100.0)
    np.testing.assert_allclose(found.geometry.area, found.area_m2, rtol=1e-12)
    assert found.geometry.is_valid.all()
    x, y = np.meshgrid(tile.x.values, tile.y.values)
    for row in found.itertuples():
        inside = shapely.contains_xy(row.geometry, x, y)
        assert inside.sum() == row.pixels and (values[inside] == row.value).all()


@settings(max_examples=20, deadline=None)
@given(hnp.arrays(np.uint8, (12, 15), elements=st.integers(0, 3)))
def test_there_and_back(values):
    tile = classes(values)
    if not values.any():
        assert len(vectorize(tile)) == 0
        return
    back = rasterize(vectorize(tile), tile, "value", name="c", fill=0)
    np.testing.assert_array_equal(back.c.values, values)
    assert geobox_of(back) == geobox_of(tile)


def test_names_minimum_and_classes():
    values = np.zeros((12, 15), np.uint8)
    values[:3, :3], values[5:7, 5:7], values[9, 9] = 4, 6, 6
    tile = classes(values, flag_values=np.array([4, 6], "u1"), flag_meanings="vegetation water")
    found = vectorize(tile)
    assert found.name.tolist() == ["vegetation", "water", "water"]
    assert vectorize(tile, min_area=400).pixels.tolist() == [9, 4]
    assert vectorize(tile, min_area=400.1).pixels.tolist() == [9]
    assert vectorize(tile, classes=(6,)).pixels.tolist() == [4, 1]


def test_statistics_per_polygon():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 3, (12, 15)).astype("u1")
    ndvi = rng.normal(1e6, 1, (12, 15)).astype("f8")
    ndvi[values == 2] = np.where(rng.random((values == 2).sum()) < 0.5, np.nan, ndvi[values == 2])
    tile = tile_from_arrays({"c": values, "ndvi": ndvi}, GRID, nodata={"c": 0, "ndvi": np.nan})
    asked = ("mean", "min", "max", "sum", "count", "stdev")
    found = vectorize(tile, "c", statistics={"ndvi": asked})
    for row in found.itertuples():
        inside = shapely.contains_xy(row.geometry, *np.meshgrid(tile.x.values, tile.y.values))
        held = ndvi[inside][~np.isnan(ndvi[inside])]
        assert row.ndvi_count == held.size
        if held.size:
            assert row.ndvi_mean == pytest.approx(held.mean(), rel=1e-12)
            assert row.ndvi_stdev == pytest.approx(held.std(), rel=1e-6, abs=1e-8)
            assert (row.ndvi_min, row.ndvi_max) == (held.min(), held.max())
        else:
            assert np.isnan([row.ndvi_mean, row.ndvi_min, row.ndvi_max, row.ndvi_stdev]).all()


def test_areas_in_degrees():
    """A pixel's area on the ellipsoid, against many geodesics along its parallels."""
    grid = GeoBox((3, 4), Affine(0.01, 0, 14, 0, -0.01, 60), "EPSG:4326")
    found = vectorize(classes(np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 2]], "u1"), grid))
    edge = np.linspace(0, 0.01, 200)
    geod = Geod(ellps="WGS84")

    def pixel(row):
        top, low = 60 - 0.01 * row, 60 - 0.01 * (row + 1)
        lat = np.r_[np.full(200, low), np.full(200, top)]
        return abs(geod.polygon_area_perimeter(np.r_[edge, edge[::-1]], lat)[0])

    np.testing.assert_allclose(found.area_m2, [2 * pixel(0) + pixel(1), pixel(2)], rtol=1e-7)


def test_masks_and_wide_codes():
    mask = np.zeros((12, 15), bool)
    mask[2:4, 2:9] = True
    found = vectorize(tile_from_arrays({"m": mask}, GRID))
    assert found.pixels.tolist() == [14]
    wide = np.full((12, 15), 2**40, np.int64)
    wide[0] = -(2**35)
    found = vectorize(tile_from_arrays({"m": wide}, GRID))
    assert found.value.tolist() == [-(2**35), 2**40] and found.pixels.tolist() == [15, 165]


@pytest.mark.parametrize(
    "options, error, said",
    [
        ({"band": "red"}, ParameterError, "holds float32"),
        ({"connectivity": 6}, ParameterError, "connectivity=6"),
        ({"min_area": -1}, ParameterError, "min_area=-1"),
        ({"statistics": {"red": "meen"}}, ParameterError, "did you mean 'mean'"),
        ({"statistics": {"rde": "mean"}}, MissingVariableError, "did you mean 'red'"),
        ({"band": "qa60"}, MissingVariableError, "reads 'qa60'"),
    ],
)
def test_what_is_refused(options, error, said):
    tile = simulate_scene((12, 15), bands=("red", "scl"))
    with pytest.raises(error, match=said):
        vectorize(tile, **options)


def test_several_classes_are_asked_for():
    tile = tile_from_arrays({"a": np.ones((12, 15), "u1"), "b": np.ones((12, 15), "u1")}, GRID)
    with pytest.raises(ParameterError, match=r"2 variables of classes: a, b.*band="):
        vectorize(tile)


def test_rasterize_onto_a_file(tmp_path):
    tile = simulate_scene((40, 60), bands=("red",))
    (path,) = write_tile(tile, tmp_path / "s.tif", "red")
    shapes = [geobox_of(tile)[2:6, 3:9].extent.geom, geobox_of(tile)[20:30, 30:40].extent.geom]
    fields = geopandas.GeoDataFrame({"crop": ["wheat", "maize"]}, geometry=shapes, crs=32633)
    fields.to_file(tmp_path / "f.gpkg")
    found = rasterize(tmp_path / "f.gpkg", path, "crop")
    assert found.label.attrs["flag_meanings"] == "maize wheat" and found.label.dtype == np.uint8
    assert (found.label.values[2:6, 3:9] == 2).all() and int((found.label == 1).sum()) == 100
    with pytest.raises(MissingVariableError, match="did you mean 'crop'"):
        rasterize(fields, tile, "corp")


# ---- samples -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def field_scene():
    tile = simulate_scene((60, 80), bands=("red", "nir"), cloud_cover=0)
    grid = geobox_of(tile)
    shapes = [grid[:4, :5].extent.geom, grid[20:30, 30:40].extent.geom, grid[25:28, 38:50].extent.geom]
    fields = geopandas.GeoDataFrame(
        {"crop": ["maize", "wheat", "maize"]}, geometry=shapes, crs=32633, index=[7, 8, 9]
    )
    return tile, fields


def test_samples_of_polygons(field_scene):
    tile, fields = field_scene
    found = sample_training(tile, fields, "crop")
    assert list(found.columns) == ["red", "nir", "label", "group", "tile_id", "x", "y", "crs"]
    assert found.group.value_counts().to_dict() == {8: 100 - 6, 9: 36, 7: 20}  # the last one has the overlap
    assert set(found.label[found.group == 9]) == {"maize"}
    held = tile.sel(x=found.x.to_xarray(), y=found.y.to_xarray())
    np.testing.assert_array_equal(found.red, held.red)
    np.testing.assert_array_equal(found.nir, held.nir)


def test_samples_through_a_pipeline_from_files(field_scene, tmp_path):
    tile, fields = field_scene
    write_tile(tile, tmp_path / "a" / "{band}.tif")
    write_tile(tile.assign_attrs(tile_id="other"), tmp_path / "b" / "{band}.tif")
    smooth = BoxMean(radius=2, bands=("red",))
    whole = sample_training(smooth(tile), fields.to_crs(4326), "crop", bands="red")
    found = sample_training(tmp_path / "a", fields.to_crs(4326), "crop", op=smooth)
    np.testing.assert_array_equal(found.red, whole.red)
    both = sample_training(GeoCatalog.from_folder(tmp_path), fields, "crop", op=smooth)
    assert len(both) == 2 * len(found) and both.tile_id.nunique() == 2


def test_samples_of_points_and_gaps(field_scene):
    tile, _ = field_scene
    grid = geobox_of(tile).affine
    places = [(3, 4), (3, 4), (50, 70)]
    shapes = [Point(grid.c + 10 * (c + 0.5), grid.f - 10 * (r + 0.5)) for r, c in places]
    points = geopandas.GeoDataFrame({"crop": list("aab")}, geometry=shapes, crs=32633)
    found = sample_training(tile, points, "crop", bands="red")
    assert found.group.tolist() == [0, 1, 2]
    assert found.red.tolist() == [tile.red.values[p] for p in places]
    holed = tile.copy(deep=True)
    holed.nir[50, 70] = np.nan
    assert sample_training(holed, points, "crop").group.tolist() == [0, 1]
    assert len(sample_training(holed, points, "crop", dropna=False)) == 3


def test_samples_that_are_refused(field_scene):
    tile, fields = field_scene
    with pytest.raises(MissingVariableError, match="did you mean 'crop'"):
        sample_training(tile, fields, "corp")
    with pytest.raises(ParameterError, match="1 of 3 samples have no 'crop'"):
        sample_training(tile, fields.assign(crop=["a", None, "b"]), "crop")
    with pytest.raises(ParameterError, match="a feature is called 'label'"):
        sample_training(tile.rename(red="label"), fields, "crop")
    with pytest.raises(OutsideError, match="none of 3 samples"):
        sample_training(tile, fields.translate(1e5).to_frame("geometry").assign(crop="a"), "crop")
