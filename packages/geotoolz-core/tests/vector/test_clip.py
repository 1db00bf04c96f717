"""MaskArea and ClipToArea: which pixels an area has, in every spelling, and what is refused."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon, box

import geotoolz as gz
from geotoolz.core import OutsideError, ParameterError, ReadError, Ref, TileError, check, geobox_of
from geotoolz.core.testing import simulate_scene
from geotoolz.io import Area, AreaWarning
from geotoolz.vector import ClipToArea, MaskArea, clip_to_area, mask_area


@pytest.fixture(scope="module")
def tile():
    return simulate_scene((40, 60), bands=("red", "scl"), cloud_cover=0)


def outline(tile, points):
    """A polygon of (row, column) corners in map coordinates."""
    a = geobox_of(tile).affine
    return Polygon([(a.c + a.a * col, a.f + a.e * row) for row, col in points])


def centres_in(tile, shape):
    x, y = np.meshgrid(tile.x.values, tile.y.values)
    return shapely.contains_xy(shape, x, y)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 45), st.floats(-5, 65)), min_size=3, max_size=6, unique=True))
def test_centres_decide(tile, corners):
    hull = shapely.MultiPoint([p.coords[0] for p in map(Point, corners)]).convex_hull
    if hull.area < 1:
        return
    shape = outline(tile, hull.exterior.coords)
    wanted = centres_in(tile, shape)
    near = shapely.distance(shape.exterior, shapely.points(*np.meshgrid(tile.x.values, tile.y.values))) < 1e-3
    found = MaskArea(Area.of(shape, crs=32633))(tile).red.notnull().values
    np.testing.assert_array_equal(found[~near], wanted[~near])
    other = MaskArea(Area.of(shape, crs=32633), invert=True)(tile).red.notnull().values
    np.testing.assert_array_equal(found, ~other)


def test_all_touched(tile):
    shape = outline(tile, [(10.2, 20.2), (10.2, 22.7), (12.6, 22.7), (12.6, 20.2)])
    area = Area.of(shape, crs=32633)
    assert int(mask_area(tile, area).red.notnull().sum()) == 3 * 3
    touched = mask_area(tile, area, all_touched=True).red.notnull()
    assert touched.values[10:13, 20:23].all() and int(touched.sum()) == 9
    small = Area.of(outline(tile, [(10.6, 20.6), (10.6, 20.9), (10.9, 20.9), (10.9, 20.6)]), crs=32633)
    assert int(mask_area(tile, small).red.notnull().sum()) == 0
    assert int(mask_area(tile, small, all_touched=True).red.notnull().sum()) == 1


def test_clip_is_mask_and_crop(tile):
    area = Area.of(outline(tile, [(3.3, 4.4), (20.5, 39.9), (33.1, 10.2)]), crs=32633)
    clipped, masked = clip_to_area(tile, area), mask_area(tile, area)
    assert clipped.red.shape == (34 - 3, 40 - 4)
    for name in ("red", "scl"):
        np.testing.assert_array_equal(clipped[name].values, masked[name].values[3:34, 4:40])
    assert geobox_of(clipped) == geobox_of(tile)[3:34, 4:40]
    assert clipped.scl.dtype == tile.scl.dtype and int((clipped.scl == 0).sum()) > 0


def test_another_crs_bends_the_outline(tile):
    """An area in degrees is brought into the grid's CRS, not its corners only."""
    west, south, east, north = geobox_of(tile)[10:30, 10:40].geographic_extent.boundingbox.bbox
    found = MaskArea((west, south, east, north))(tile).red.notnull().values
    turn = Area.of((west, south, east, north)).in_crs(32633)
    np.testing.assert_array_equal(found, centres_in(tile, turn))
    assert found[11:29, 11:39].all()


def test_configuration(tile, tmp_path):
    shape = outline(tile, [(5, 5), (5, 20), (20, 20), (20, 5)])
    frame = geopandas.GeoDataFrame(geometry=[shape], crs=32633)
    frame.to_file(tmp_path / "f.gpkg", layer="fields")
    frame.to_file(tmp_path / "f.gpkg", layer="other")
    wanted = MaskArea(frame)(tile)
    of_file = MaskArea(Ref.of(tmp_path / "f.gpkg"), layer="fields")
    for op in (of_file, MaskArea(frame), MaskArea(frame.to_crs(4326).to_crs(32633))):
        again = gz.load(gz.dump(op))
        assert again == op and again.config_hash() == op.config_hash()
        np.testing.assert_array_equal(again(tile).red.values, wanted.red.values)
    text = """
    _target_: geotoolz.vector.ClipToArea
    area: {type: Point, coordinates: [15.0, 46.0]}
    """
    with pytest.raises(ParameterError, match=r"Point.*no ground.*buffer"):
        gz.load(text)(tile)
    (tmp_path / "f.gpkg").write_bytes(b"other")
    with pytest.raises(ReadError, match="sha256"):
        MaskArea(Ref("f.gpkg", of_file.area.sha256).resolved(tmp_path))(tile)


def test_the_sandbox_takes_geometries_and_no_files(tile):
    from geotoolz.core import UntrustedOperatorError, load_sandboxed

    op = MaskArea((14.9, 45.9, 15.1, 46.1))
    assert load_sandboxed(gz.dump(op)) == op
    with pytest.raises(UntrustedOperatorError):
        load_sandboxed(gz.dump(MaskArea(Ref("/etc/passwd", "0" * 64))))
    with pytest.raises(ParameterError, match=r"Ref\.of"):
        MaskArea("/etc/passwd")


def test_what_is_refused(tile):
    away = Area.of((0, 0, 1, 1))
    with pytest.raises(OutsideError, match="lies outside the tile"):
        ClipToArea(away)(tile)
    west, south, east, north = geobox_of(tile).geographic_extent.boundingbox.bbox
    with pytest.raises(OutsideError, match="axes are swapped"):
        ClipToArea((south, west, north, east))(tile)
    assert np.isnan(MaskArea(away)(tile).red).all()
    assert any("does not touch" in finding.message for finding in check(MaskArea(away), tile))
    bare = tile.copy()
    bare.scl.attrs = {key: value for key, value in bare.scl.attrs.items() if key != "_FillValue"}
    with pytest.raises(TileError, match=r"'scl' \(uint8\) has no no-data value.*fill"):
        MaskArea(away)(bare)
    filled = MaskArea(away, fill={"scl": 9})(bare)
    assert (filled.scl == 9).all() and filled.scl.attrs["_FillValue"] == 9
    with pytest.raises(TileError, match="does not fit"):
        MaskArea(away, fill={"scl": 300})(bare)
    with pytest.raises(ParameterError, match=r"area=.farm\.gpkg"):
        MaskArea("farm.gpkg")


def test_a_self_crossing_outline_is_repaired_once(tile):
    bow = outline(tile, [(5, 5), (25, 25), (5, 25), (25, 5)])
    with pytest.warns(AreaWarning, match="crosses itself"):
        op = MaskArea(
            {**bow.__geo_interface__, "crs": {"type": "name", "properties": {"name": "EPSG:32633"}}}
        )
    assert int(op(tile).red.notnull().sum()) == pytest.approx(200, abs=20)
    assert gz.load(gz.dump(op)) == op


def test_a_hole_and_many_parts(tile):
    holed = Polygon(
        outline(tile, [(0, 0), (0, 30), (30, 30), (30, 0)]).exterior,
        [outline(tile, [(10, 10), (10, 20), (20, 20), (20, 10)]).exterior.coords],
    )
    parts = geopandas.GeoDataFrame(
        geometry=[holed, outline(tile, [(12, 12), (12, 15), (15, 15), (15, 12)])], crs=32633
    )
    found = MaskArea(parts)(tile).red.notnull().values
    assert found.sum() == 900 - 100 + 9 and found[13, 13] and not found[11, 11]


def test_box_of_a_scene(tile):
    whole = geobox_of(tile)
    assert MaskArea(whole)(tile).equals(tile)
    assert ClipToArea(box(*whole.boundingbox.bbox) and whole)(tile).equals(tile)
