"""Every spelling of an area of interest, and every way to get it wrong."""

from __future__ import annotations

import json
import warnings

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox
from odc.geo.geom import box as geo_box
from pyproj import Transformer
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from geotoolz.catalog import GeoCatalog
from geotoolz.core import GeotoolzError, MissingCRSError, OutsideError, ParameterError, ReadError, geobox_of
from geotoolz.core.testing import data_path, simulate_scene
from geotoolz.io import Area, AreaWarning, describe, open_tile, write_tile

UTM = "EPSG:32633"
BOUNDS = (500_205.0, 4_999_395.0, 500_598.0, 4_999_801.0)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    tile = simulate_scene((100, 120), bands=("red", "nir"))
    folder = tmp_path_factory.mktemp("scene")
    return write_tile(tile, folder / "scene.tif", "red"), geobox_of(tile)


def part_of(grid, rows, cols):
    return tuple(float(v) for v in grid[slice(*rows), slice(*cols)].boundingbox.bbox)


def spellings(bounds, folder):
    """One square in every spelling that has exactly these bounds."""
    frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[box(*bounds)], crs=UTM)
    for name in ("a.gpkg", "a.shp", "a.parquet"):
        path = folder / name
        (frame.to_parquet if name.endswith("parquet") else frame.to_file)(path)
        yield name, path
    frame.to_file(folder / "b.gpkg", layer="fields")
    frame.to_file(folder / "b.gpkg", layer="others")
    yield "layer in the name", f"{folder / 'b.gpkg'}:fields"
    yield "frame", frame
    yield "series", frame.geometry
    yield "odc geometry", geo_box(*bounds, UTM)
    yield "odc box", BoundingBox(*bounds, UTM)
    yield "area", Area.of(bounds, crs=UTM)
    yield "shapely", Area.of(box(*bounds), crs=UTM)
    named = {**box(*bounds).__geo_interface__, "crs": {"type": "name", "properties": {"name": UTM}}}
    yield "geojson", named
    yield "feature", {"type": "Feature", "geometry": box(*bounds).__geo_interface__, "crs": named["crs"]}
    yield "text", json.dumps(named)
    yield "outline", Area.of(bounds, crs=UTM).outline()


def test_all_spellings_read_the_same_pixels(scene, tmp_path):
    (path, grid) = scene
    bounds = part_of(grid, (20, 61), (30, 90))
    wanted = open_tile(path).isel(y=slice(20, 61), x=slice(30, 90))
    for name, area in spellings(bounds, tmp_path):
        found = open_tile(path, aoi=area)
        assert found.red.shape == (41, 60), name
        np.testing.assert_array_equal(found.red.values, wanted.red.values, err_msg=name)
        assert describe(path, aoi=area).shape == (41, 60), name


def test_layers(tmp_path):
    frame = geopandas.GeoDataFrame(geometry=[box(*BOUNDS)], crs=UTM)
    for layer in ("fields", "roads"):
        frame.to_file(tmp_path / "two.gpkg", layer=layer)
    with pytest.raises(ParameterError, match=r"2 layers: fields, roads.*two.gpkg:fields"):
        Area.of(tmp_path / "two.gpkg")
    with pytest.raises(ReadError, match=r"no layer 'feilds' \(did you mean 'fields'\?\)"):
        Area.of(tmp_path / "two.gpkg", layer="feilds")
    with pytest.raises(ParameterError, match="another"):
        Area.of(f"{tmp_path / 'two.gpkg'}:fields", layer="roads")
    assert Area.of(tmp_path / "two.gpkg", layer="roads").bounds == BOUNDS
    with pytest.raises(ReadError, match="no such file"):
        Area.of("33TWL", layer="x")
    with pytest.raises(ParameterError, match="layer='x'"):
        Area.of(BOUNDS, crs=UTM, layer="x")


def test_features_count_together(tmp_path):
    shapes = [box(0, 0, 1, 1), None, box(3, 3, 4, 4)]
    path = tmp_path / "f.gpkg"
    geopandas.GeoDataFrame(geometry=shapes, crs=4326).to_file(path)
    area = Area.of(path)
    assert area.bounds == (0, 0, 4, 4) and area.geometry.area == 2
    assert Area.of(area.outline()).bounds == area.bounds


@pytest.mark.parametrize(
    "value, error, said",
    [
        ((1, 2, 3), ParameterError, "aoi is tuple"),
        ((15, 46, 16, 45), ParameterError, "empty"),
        ((15, 45, 15, 46), ParameterError, "empty"),
        ((500_000, 4_900_000, 500_100, 5_000_000), ParameterError, "not in degrees"),
        ((1, 2, 3, np.nan), ParameterError, "finite"),
        (Polygon(), ParameterError, "is empty"),
        ({"type": "Polygon", "coordinates": []}, ParameterError, "empty"),
        ({"type": "Polygone", "coordinates": [[[0, 0]]]}, ParameterError, "not a GeoJSON geometry"),
        ({"type": "FeatureCollection", "features": []}, ParameterError, "holds no geometry"),
        ({"type": "Feature", "geometry": None}, ParameterError, "holds no geometry"),
        ("{not json", ParameterError, "no GeoJSON"),
        ("nowhere.gpkg", ReadError, "no such file; expected a vector file"),
        ("field", ParameterError, "a tile: MGRS"),
        (7, ParameterError, "aoi is int"),
        (box(0, 0, 1e6, 1e6), ParameterError, r"not degrees.*crs='EPSG"),
        (box(45, 100, 46, 101), ParameterError, "longitude comes first"),
        (Polygon([(0, 0), (1, 1), (2, 2)]), ParameterError, "is no area"),
        ("190028", ParameterError, r"Landsat path and row.*drift"),
        ("190/28", ParameterError, "Landsat path and row"),
        ("33TAL", ParameterError, "no MGRS tile"),
        ("61TWL", ParameterError, "no MGRS tile"),
        ("33TWA", ParameterError, "row A does not lie in band T"),
        ({"type": "Point", "coordinates": [1, 2], "crs": 3}, ParameterError, "crs is 3"),
    ],
)  # fmt: skip
def test_what_is_no_area_is_refused(value, error, said):
    with pytest.raises(error, match=said) as caught:
        Area.of(value)
    assert isinstance(caught.value, GeotoolzError) and (caught.value.expected or caught.value.fix)


@pytest.mark.filterwarnings("ignore:'crs' was not provided:UserWarning")
def test_files_that_say_too_little(tmp_path):
    geopandas.GeoDataFrame(geometry=[box(0, 0, 1, 1)]).to_file(tmp_path / "bare.shp")
    with pytest.raises(MissingCRSError, match=r"bare.shp has no CRS"):
        Area.of(tmp_path / "bare.shp")
    geopandas.GeoDataFrame({"a": [1]}, geometry=[None], crs=4326).to_file(tmp_path / "none.gpkg")
    with pytest.raises(ReadError, match="holds no geometry"):
        Area.of(tmp_path / "none.gpkg")
    (tmp_path / "text.gpkg").write_text("nothing")
    with pytest.raises(ReadError, match="cannot be read"):
        Area.of(tmp_path / "text.gpkg")
    with pytest.raises(MissingCRSError, match="GeoDataFrame has no CRS"):
        Area.of(geopandas.GeoDataFrame(geometry=[box(0, 0, 1, 1)]))
    with pytest.raises(MissingCRSError, match="the area has no CRS"):
        Area.of(geo_box(0, 0, 1, 1, None))


def test_a_self_crossing_outline_is_repaired_and_told():
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    with pytest.warns(AreaWarning, match=r"crosses itself \(Self-intersection\[1 1\]\)"):
        area = Area.of(bow)
    assert area.geometry.is_valid and area.geometry.area == 2  # two triangles
    frame = geopandas.GeoDataFrame(geometry=[bow, box(5, 5, 6, 6)], crs=4326)
    for collection in (frame, frame.__geo_interface__):
        with pytest.warns(AreaWarning, match="1 of 2 outlines"):
            assert Area.of(collection).geometry.area == 3
    points = geopandas.GeoSeries([Point(1, 2), Point(3, 5)], crs=4326)
    assert Area.of(points.__geo_interface__).bounds == (1, 2, 3, 5)


def test_outside_says_where_it_probably_should_be(scene):
    path, grid = scene
    west, south, east, north = grid[20:40, 20:40].geographic_extent.boundingbox.bbox
    for bounds, said in (
        ((south, west, north, east), "axes are swapped"),
        ((west, -north, east, -south), "sign of the latitude"),
        ((-east, south, -west, north), "sign of the longitude"),
        ((west + 50, south, east + 50, north), "in degrees, or a geometry"),
    ):
        with pytest.raises(OutsideError, match=said):
            open_tile(path, aoi=bounds)


def test_the_antimeridian():
    assert Area.of((179, -17, -179, -16)).bounds == (179, -17, 181, -16)
    halves = MultiPolygon([box(179, -17, 180, -16), box(-180, -17, -179, -16)])
    assert Area.of(halves).bounds == (179, -17, 181, -16)
    jump = Polygon([(179, -17), (-179, -17), (-179, -16), (179, -16)])
    with pytest.raises(ParameterError, match=r"more than 180° of longitude.*cut it in two"):
        Area.of(jump)
    assert Area.of((-180, -60, 180, 60)).bounds == (-180, -60, 180, 60)
    in_utm = Area.of((179.9, -17, -179.9, -16.9)).bounds_in("EPSG:32701")
    assert 21_000 < in_utm.span_x < 22_000  # 0.2 degrees at 17 degrees south
    # a grid in degrees on either side of the line
    near = BoundingBox(-181, -18, -178, -15, "EPSG:4326")
    assert Area.of(halves).bounds_in("EPSG:4326", near).bbox == (-181, -17, -179, -16)


def test_edges_bend():
    """The southern edge of a box in degrees is not straight in UTM: its middle lies lowest."""
    area = Area.of((12, 50, 18, 51))
    to_utm = Transformer.from_crs(4326, 32633, always_xy=True)
    corner, middle = to_utm.transform(12, 50)[1], to_utm.transform(15, 50)[1]
    assert corner - middle > 4000
    assert abs(area.bounds_in(UTM).bottom - middle) < 1


@settings(max_examples=40, deadline=None)
@given(st.floats(-179, 178), st.floats(-75, 75), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_transformed_area_covers_what_it_covered(west, south, width, height):
    """Points of the box lie in the transformed box, but for the bend between two vertices."""
    area = Area.of((west, south, west + width, south + height))
    shape = area.in_crs("EPSG:6933")
    turn = Transformer.from_crs(4326, 6933, always_xy=True)
    u, v = np.meshgrid(np.linspace(0, 1, 7), np.linspace(0, 1, 7))
    x, y = turn.transform(west + u.ravel() * width, south + v.ravel() * height)
    assert shapely.dwithin(shapely.points(x, y), shape, 1.0).all()
    back = Area.of(shape, crs="EPSG:6933").in_crs("EPSG:4326")
    np.testing.assert_allclose(back.bounds, area.bounds, atol=1e-6)


def test_tiles_of_sentinel_2():
    assert Area.of("33TWL").bounds == (499980.0, 4990200.0, 609780.0, 5100000.0)
    assert Area.of("T31TCJ").bounds[3] == 4900020.0 and Area.of("31TCJ").bounds[0] == 300000.0
    south = Area.of("23KPQ")
    assert south.crs.epsg == 32723
    lon, lat = np.array(south.in_crs("EPSG:4326").centroid.xy).ravel()
    assert -45 < lon < -43 and -24 < lat < -22  # Rio de Janeiro


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 19), st.integers(0, 7), st.integers(0, 19))
def test_a_tile_lies_in_its_band(zone, band, column, row):
    """The centre of a square lies in its latitude band, or within a square of it; it may not exist at all."""
    letters = "CDEFGHJKLMNPQRSTUVWX"
    columns = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3]
    text = f"{zone:02d}{letters[band]}{columns[column]}{'ABCDEFGHJKLMNPQRSTUV'[row]}"
    try:
        area = Area.of(text)
    except ParameterError as error:
        assert "does not lie in band" in str(error)
        return
    easting, northing = area.geometry.centroid.coords[0]
    assert area.crs.epsg == (32600 if band >= 10 else 32700) + zone
    lat = Transformer.from_crs(area.crs.epsg, 4326, always_xy=True).transform(500_000, northing)[1]
    south = -80 + 8 * band
    assert south - 1.5 < lat < south + (12 if letters[band] == "X" else 8) + 1.5
    assert abs(easting - (column + 1.5) * 100_000) < 5_000  # snapped to 60 m, 9.8 km wider
    assert area.geometry.area == 109_800**2


def test_the_equator_parts_the_hemispheres():
    assert Area.of("33NUA").bounds[1] < 0 < Area.of("33NUA").bounds[3]
    assert Area.of("33MUV").bounds[3] == 10_000_020.0
    with pytest.raises(ParameterError, match="does not lie in band M"):
        Area.of("33MUA")


@pytest.mark.realdata
def test_a_tile_id_is_the_scene_of_that_tile():
    path = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
    item = json.loads((path / "S2B_33TWL_20230820_0_L2A_stac_item.json").read_text())
    step, _, left, _, _, top = item["assets"]["red"]["proj:transform"]
    rows, cols = item["assets"]["red"]["proj:shape"]
    assert Area.of("33TWL").bounds == (left, top - step * rows, left + step * cols, top)


def test_an_id_of_the_catalog(scene):
    path, _ = scene
    catalog = GeoCatalog.from_rows(
        [{"id": "ours", "source": str(path), "geometry": box(14.9, 45.1, 15.1, 45.2)}]
    )
    assert Area.of("ours", catalog=catalog).bounds == (14.9, 45.1, 15.1, 45.2)
    with pytest.raises(ParameterError, match=r"'oars' \(did you mean 'ours'\?\)"):
        Area.of("oars", catalog=catalog)
    assert len(catalog.query(geometry="ours")) == 1
    assert len(catalog.query(geometry="33TWL")) == 1 and len(catalog.query(geometry="31TCJ")) == 0


def test_points_and_lines_have_bounds(scene):
    path, grid = scene
    x, y = grid[10:11, 10:11].extent.centroid.coords[0]
    assert open_tile(path, aoi=Area.of(Point(x, y), crs=UTM)).red.shape == (1, 1)
    line = Area.of(LineString([(x, y), (x + 30, y)]), crs=UTM)
    assert open_tile(path, aoi=line).red.shape == (1, 4)


def test_json_round_trip():
    for area in (Area.of(BOUNDS, crs=UTM), Area.of((1, 2, 3, 4)), Area.of((179, -17, -179, -16))):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = Area.of(json.loads(json.dumps(area.to_json())))
        assert again.geometry.equals(area.geometry) and again.crs == area.crs


def test_a_geobox_is_its_own_area(scene):
    path, grid = scene
    small = GeoBox((5, 7), Affine(10, 0, grid.affine.c + 40, 0, -10, grid.affine.f - 30), UTM)
    assert geobox_of(open_tile(path, aoi=small)) == small
