"""Tilings: every point in a cell, equal cells with equal names, grids that fit; cells with scenes."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.warp
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.gridspec import GridSpec
from shapely.geometry import Point, box

from geotoolz.catalog import GeoCatalog, GeoCell
from geotoolz.catalog._by_cell import Cells
from geotoolz.catalog.tiling import MGRS, Lattice, Tiling, UTMGrid, WebMercator
from geotoolz.catalog.tiling._cell import footprints
from geotoolz.core import CatalogError, ParameterError
from geotoolz.core.testing import write_scene
from geotoolz.io import Area

TILINGS = (MGRS(10), UTMGrid(20_000, 10), WebMercator(9), Lattice("EPSG:6933", 50_000, 10))
LON, LAT = st.floats(-179.9, 179.9), st.floats(-79.5, 83.5)


@pytest.mark.parametrize("tiling", TILINGS, ids=lambda t: type(t).__name__)
@settings(max_examples=40)
@given(lon=LON, lat=LAT)
def test_every_point_lies_in_a_cell_that_its_name_finds(tiling: Tiling, lon: float, lat: float) -> None:
    cells = tiling.tiles(Point(lon, lat).buffer(1e-4))
    assert cells
    inside = 0
    for cell in cells:
        assert tiling.cell(cell.id) == cell
        (x,), (y,) = rasterio.warp.transform("EPSG:4326", cell.crs, [lon], [lat])
        left, bottom, right, top = cell.bounds
        inside += left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1
    assert inside


@pytest.mark.parametrize("tiling", TILINGS, ids=lambda t: type(t).__name__)
def test_grids_are_their_cells(tiling: Tiling) -> None:
    for cell in tiling.tiles((14.9, 45.1, 15.3, 45.4)):
        geobox = cell.geobox
        assert tuple(geobox.shape) == cell.shape and str(geobox.crs) == cell.crs
        np.testing.assert_allclose(geobox.boundingbox.bbox, cell.bounds, rtol=1e-12)
        assert (geobox.affine.c, geobox.affine.f) == (cell.bounds[0], cell.bounds[3])
        assert geobox.affine.a == cell.resolution == -geobox.affine.e


def test_names_of_places_that_are_known() -> None:
    """Squares as the military grid and Sentinel-2 call them."""
    places = {
        (16.37, 48.21): "33UXP",
        (-0.13, 51.51): "30UXC",
        (151.21, -33.86): "56HLH",
        (5.32, 60.39): "32VKN",
    }
    for (lon, lat), name in places.items():
        assert name in [cell.id for cell in MGRS(10).tiles(Point(lon, lat).buffer(1e-6))]
    assert [c.id for c in MGRS(10).tiles(Point(20, 78.2).buffer(1e-6))] == [
        "33XXG"
    ]  # Svalbard has no zone 34
    assert MGRS(10, sentinel2=True).cell("33TWL").bounds == Area.of("33TWL").bounds


def test_utm_squares_are_those_of_odc_geo() -> None:
    grid = GridSpec("EPSG:32633", tile_shape=(1000, 1000), resolution=10.0)
    cells = {cell.id: cell for cell in UTMGrid(10_000, 10).tiles((15.0, 45.5, 15.5, 45.8))}
    for cell in cells.values():
        if cell.crs == "EPSG:32633":
            col, row = (int(part) for part in cell.id.split("_")[1:])
            assert grid[(col, row)] == cell.geobox


def test_web_tiles_are_those_of_odc_geo() -> None:
    web = GridSpec.web_tiles(9)
    for cell in WebMercator(9).tiles((15.0, 45.5, 16.5, 46.8)):
        _, x, y = (int(part) for part in cell.id.split("-"))
        np.testing.assert_allclose(web[(x, y)].boundingbox.bbox, cell.bounds, atol=1e-6)


def test_an_area_along_edges_takes_no_neighbours() -> None:
    tiling = Lattice("EPSG:32633", 10_000, 10)
    area = Area.of((500_000, 5_000_000, 520_000, 5_010_000), crs="EPSG:32633")
    names = [c.id for c in tiling.tiles(area)]
    assert {"50_500", "51_500"} <= set(names) and len(names) <= 8  # degrees bend the edges by centimetres
    flat = Lattice("EPSG:4326", 1, 0.25)
    assert [c.id for c in flat.tiles((15, 45, 17, 46))] == ["15_45", "16_45"]


def test_across_the_antimeridian_and_at_the_equator() -> None:
    fiji = UTMGrid(50_000, 10).tiles((179.5, -17.5, -179.5, -17.0))
    assert {cell.crs for cell in fiji} == {"EPSG:32701", "EPSG:32760"}
    assert {c.crs for c in UTMGrid(50_000, 10).tiles((15, -0.1, 15.1, 0.1))} == {"EPSG:32633", "EPSG:32733"}
    shapes = footprints(WebMercator(1).tiles())
    assert shapely.union_all(shapes).equals(
        box(-180, -shapes[0].bounds[3], 180, shapes[0].bounds[3]).envelope
    ) or (shapely.union_all(shapes).area == pytest.approx(360 * 2 * 85.0511287798066))


@pytest.mark.parametrize(
    "make, wrong",
    [
        (lambda: MGRS(30), "whole number of pixels"),
        (lambda: UTMGrid(0, 10), "size=0"),
        (lambda: UTMGrid(1000, float("nan")), "resolution=nan"),
        (lambda: WebMercator(30), "zoom=30"),
        (lambda: Lattice("EPSG:0", 10, 1), "EPSG:0"),
        (lambda: MGRS(10).cell("33TZZ"), "33TZZ"),
        (lambda: UTMGrid(1000, 10).cell("33X_1_1"), "33X_1_1"),
        (lambda: WebMercator(3).cell("3-9-0"), "3-9-0"),
    ],
)
def test_what_cannot_be(make, wrong: str) -> None:
    with pytest.raises(ParameterError, match=wrong):
        make()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> GeoCatalog:
    folder = tmp_path_factory.mktemp("cells")
    for number, day in enumerate(("2023-06-10", "2023-06-15")):
        write_scene({"shape": (120, 150), "bands": ("red", "nir"), "datetime": day, "seed": number}, folder)
    return GeoCatalog.open(GeoCatalog.from_folder(folder).save(folder / "scenes.parquet"))


def test_cells_have_the_scenes_that_touch_them(catalog: GeoCatalog) -> None:
    cells = catalog.by_cell(UTMGrid(500, 10), bands=("red",))
    shapes = footprints([cell.cell for cell in cells])
    ground = catalog.frame.geometry
    for cell, shape in zip(cells, shapes, strict=True):
        assert set(cell.scenes) == set(catalog.frame["id"][ground.intersects(shape).to_numpy()])
    part = catalog.by_cell(UTMGrid(500, 10), aoi=catalog[catalog.frame["id"][0]].geobox[:20, :20])
    assert 0 < len(part) < len(cells)
    one = cells[cells[3].tile_id]
    assert one == cells[3] and GeoCell.from_dict(one.to_dict()).load().identical(one.load())
    expected = catalog.stack(one.geobox, ("red",), lazy=False)
    assert one.load().identical(expected)
    alone = catalog.filter(id=[catalog.frame["id"][0]]).by_cell(UTMGrid(500, 10))
    assert len(alone[0].scenes) == 1


def test_what_makes_a_cell_stale_is_among_its_sources(catalog: GeoCatalog) -> None:
    first = catalog.by_cell(UTMGrid(500, 10))[0].sources
    assert first != catalog.by_cell(UTMGrid(500, 20))[0].sources
    assert first != catalog.by_cell(UTMGrid(500, 10), bands="red")[0].sources
    assert sum(source.endswith(".json") for source in first) == 2


def test_catalogs_that_cannot_be_cut(catalog: GeoCatalog, tmp_path) -> None:
    with pytest.raises(CatalogError, match="in no file"):
        GeoCatalog(catalog.frame, catalog.base).by_cell(MGRS(10))
    with pytest.raises(CatalogError, match="empty"):
        catalog.query(time="1999").by_cell(MGRS(10))
    with pytest.raises(ParameterError, match="tiling is str"):
        catalog.by_cell("MGRS")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="groupby='week'"):
        catalog.by_cell(MGRS(10), groupby="week")  # type: ignore[arg-type]
    path = catalog.save(tmp_path / "other.parquet")
    cell = GeoCatalog.open(path).by_cell(MGRS(10))[0]
    catalog.sample(1).save(path)
    with pytest.raises(CatalogError, match="has 1 of the 2 scenes"):
        cell.open()


def test_a_continent_fits_into_the_driver(tmp_path) -> None:
    """10⁵ cells and their plan: what the driver holds grows by some hundred bytes a cell."""
    import tracemalloc

    from geotoolz.batch._rows import tile_sources

    rows = [
        {"id": f"scene-{x}-{y}", "source": f"s3://b/{x}-{y}.tif", "geometry": box(x, y, x + 1.1, y + 1.1)}
        for x in range(-10, 45)
        for y in range(-30, 30)
    ]
    catalog = GeoCatalog.open(GeoCatalog.from_rows(rows).save(tmp_path / "africa.parquet"))
    tracemalloc.start()
    cells = catalog.by_cell(UTMGrid(20_000, 10))
    held, peak = tracemalloc.get_traced_memory()
    assert len(cells) > 90_000 and held / len(cells) < 1500
    first = next(iter(tile_sources(cells)))
    assert first.source["scenes"] and first.tile_id == cells[0].tile_id
    tracemalloc.stop()
    assert isinstance(cells[:10], Cells) and len(cells[:10]) == 10
    assert peak < 600e6
