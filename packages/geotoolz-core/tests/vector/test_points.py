"""Series at points: what is read, and that a pipeline sees its neighbourhood."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, Point

import geotoolz as gz
from geotoolz.catalog import GeoCatalog
from geotoolz.core import (
    ExecutorError,
    MissingVariableError,
    NotFrozenError,
    OutsideError,
    ParameterError,
    from_function,
    geobox_of,
)
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.grid import Resample
from geotoolz.io import SceneReader, write_tile
from geotoolz.radiometry import BoxMean, MinMax
from geotoolz.vector import point_series


@pytest.fixture(scope="module")
def tile():
    return simulate_scene((600, 700), bands=("red", "nir", "scl"), cloud_cover=0.3)


@pytest.fixture(scope="module")
def scene(tile, tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    write_tile(tile, folder / "{band}.tif")
    return folder


def at(tile, *places):
    """Points at the centres of (row, column)."""
    a = geobox_of(tile).affine
    shapes = [Point(a.c + a.a * (col + 0.5), a.f + a.e * (row + 0.5)) for row, col in places]
    return geopandas.GeoDataFrame({"name": [f"{r}-{c}" for r, c in places]}, geometry=shapes, crs=32633)


PLACES = ((0, 0), (3, 690), (17, 18), (300, 350), (301, 352), (599, 699))


def test_values_of_pixels(tile, scene):
    points = at(tile, *PLACES)
    for source in (tile, scene):
        found = point_series(source, points, include_cols="name")
        assert found.point.tolist() == list(range(6)) and found.name.tolist() == points.name.tolist()
        rows, cols = np.array(PLACES).T
        np.testing.assert_array_equal(found.red, tile.red.values[rows, cols])
        assert found.scl.tolist() == tile.scl.values[rows, cols].tolist()
        assert found.crs == points.crs and found.geometry.geom_equals(points.geometry).all()


def test_every_pixel_has_its_half_open_square(tile):
    a = geobox_of(tile).affine
    edge = geopandas.GeoSeries([Point(a.c + 50, a.f - 30)], crs=32633)  # corner of four pixels
    assert point_series(tile, edge, bands="red").red[0] == tile.red.values[3, 5]


def test_only_windows_around_points_are_read(tile, scene, monkeypatch):
    asked = []
    real = SceneReader.arrays

    def counted(self, names=None, rows=slice(None), cols=slice(None)):
        found = real(self, names, rows, cols)
        asked.extend((name, *array.shape) for name, array in found.items())
        return found

    monkeypatch.setattr(SceneReader, "arrays", counted)
    point_series(scene, at(tile, *PLACES), bands=("red", "nir"))
    cells = {(row // 512, col // 512) for row, col in PLACES}
    assert len(asked) == 2 * len(cells)
    assert {name for name, *_ in asked} == {"red", "nir"}
    asked.clear()
    point_series(scene, at(tile, (300, 350), (301, 352)), op=BoxMean(radius=4, bands=("red",)))
    assert asked == [("red", 2 + 8, 3 + 8)]  # both points together, and the halo


def test_a_pipeline_gives_what_the_whole_scene_gives(tile, scene):
    pipeline = gz.Sequential([BoxMean(radius=5, bands=("red",)), BoxMean(radius=3, bands=("red", "nir"))])
    whole = gz.run(pipeline, tile)
    found = point_series(scene, at(tile, *PLACES), pipeline, bands=("red", "nir"))
    rows, cols = np.array(PLACES).T
    for name in ("red", "nir"):
        np.testing.assert_array_equal(found[name], whole[name].values[rows, cols])


def test_a_pipeline_on_another_grid(tile, scene):
    coarse = Resample(factor=5)
    whole = coarse(tile[["red"]])
    points = at(whole, (0, 0), (50, 60), (119, 139))
    found = point_series(scene, points, coarse, bands=("red",))
    np.testing.assert_array_equal(found.red, whole.red.values[[0, 50, 119], [0, 60, 139]])


def test_other_crs_and_spellings(tile, tmp_path):
    points = at(tile, (10, 20), (400, 500)).to_crs(4326)
    wanted = tile.red.values[[10, 400], [20, 500]]
    lonlat = [(p.x, p.y) for p in points.geometry]
    points.to_file(tmp_path / "p.gpkg")
    pd.DataFrame(lonlat, columns=["longitude", "latitude"]).to_csv(tmp_path / "p.csv", index=False)
    for given in (points, points.geometry, lonlat, tmp_path / "p.gpkg", tmp_path / "p.csv"):
        np.testing.assert_array_equal(point_series(tile, given, bands="red").red, wanted)


def test_no_data(tile):
    holed = tile[["red", "scl"]].copy(deep=True)
    holed.red[10, 20], holed.scl[10, 20] = np.nan, 0
    found = point_series(holed, at(tile, (10, 20), (11, 20)))
    assert np.isnan(found.red[0]) and found.scl.isna().tolist() == [True, False]


def test_stacks_and_catalogs(tmp_path):
    stack = contract_tile((20, 30), times=3)
    found = point_series(stack, at(stack, (3, 4), (15, 25)), bands=("red", "scl"))
    assert found.point.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(found.red, stack.red.values[:, [3, 15], [4, 25]].T.ravel())
    np.testing.assert_array_equal(found.datetime.dt.tz_localize(None)[:3], stack.time.values)
    scene = simulate_scene((30, 40), bands=("red",))
    for k, day in enumerate(("2023-08-21", "2023-08-01")):
        one = scene.assign_attrs(tile_id=f"t{k}", datetime=f"{day}T10:00:00Z")
        write_tile(one, tmp_path / f"t{k}" / "red.tif", "red")
    catalog = GeoCatalog.from_folder(tmp_path)
    points = at(scene, (5, 5), (20, 30))
    found = point_series(catalog, pd.concat([points, at(scene, (5000, 5))]), bands="red")
    assert found.tile_id.tolist() == ["t1", "t0", "t1", "t0"]  # by time
    found.to_parquet(tmp_path / "series.parquet")
    again = geopandas.read_parquet(tmp_path / "series.parquet")
    assert again.red.tolist() == found.red.tolist() and again.crs == found.crs
    with pytest.raises(OutsideError, match="touches a scene"):
        point_series(catalog, at(scene, (5000, 5)))


def test_what_is_refused(tile, tmp_path):
    with pytest.raises(OutsideError, match="none of 1 points"):
        point_series(tile, at(tile, (5000, 5)))
    with pytest.raises(OutsideError, match="axes are swapped"):
        lon, lat = geobox_of(tile).geographic_extent.centroid.coords[0]
        point_series(tile, [(lat, lon)])
    line = geopandas.GeoSeries([LineString([(0, 0), (1, 1)])], crs=4326)
    with pytest.raises(ParameterError, match="no points, such as a LineString"):
        point_series(tile, line)
    with pytest.raises(ParameterError, match=r"\(1, 3\)"):
        point_series(tile, [(1, 2, 3)])
    with pytest.raises(MissingVariableError, match="did you mean 'red'"):
        point_series(tile, at(tile, (1, 1)), bands="rde")
    with pytest.raises(NotFrozenError):
        point_series(tile, at(tile, (1, 1)), MinMax(("red",)))
    with pytest.raises(ExecutorError, match="runs whole"):
        point_series(tile, at(tile, (1, 1)), from_function(lambda ds: ds))
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "p.csv")
    with pytest.raises(MissingVariableError, match="longitude and latitude"):
        point_series(tile, tmp_path / "p.csv")
