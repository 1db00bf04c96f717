"""`WritePolygons`: what stands in the files, for a tile and for a catalog."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core import MissingVariableError, ParameterError, WriteError, tile_from_arrays
from geotoolz.core.testing import write_scene
from geotoolz.learn import Postprocess, WritePolygons

GRID = GeoBox.from_bbox((500_000, 5_000_000, 500_500, 5_000_400), "EPSG:32633", resolution=10)
ABOUT = {"tile_id": "S2/one", "datetime": "2023-06-18T10:00:31Z"}


def tile():
    values = np.zeros((40, 50), np.float32)
    values[5:10, 5:10] = 0.75
    values[20:22, 30:40] = 1.0
    values[22, 30] = 0.5
    return tile_from_arrays({"probabilities": values}, GRID, attrs=ABOUT)


def read(path):
    return gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)


@pytest.mark.parametrize("ending", ["parquet", "gpkg", "geojson"])
def test_polygons_with_statistics(tmp_path, ending):
    sink = WritePolygons(tmp_path / ("{item_id}." + ending), statistics={"probabilities": ("mean", "max")})
    gz.Sequential([Postprocess(), sink])(tile())
    (path,) = tmp_path.iterdir()
    assert path.name == f"S2_one.{ending}"
    found = read(path)
    assert found["tile_id"].tolist() == ["S2/one"] * 2
    assert found["pixels"].tolist() == [25, 21]
    assert found["area_m2"].tolist() == [2500, 2100]
    assert found["name"].tolist() == ["object", "object"]
    np.testing.assert_allclose(found["probabilities_mean"], [0.75, 20.5 / 21])
    assert found["probabilities_max"].tolist() == [0.75, 1.0]
    placed = found.to_crs("EPSG:32633")
    np.testing.assert_allclose(placed.total_bounds, (500_050, 5_000_170, 500_400, 5_000_350), atol=1e-2)


def test_small_polygons_and_other_classes_are_left_out(tmp_path):
    done = Postprocess()(tile())
    large = WritePolygons(str(tmp_path / "a.gpkg"), min_area=2200.0)
    assert large.polygons(done)["pixels"].tolist() == [25]
    ground = WritePolygons(str(tmp_path / "a.gpkg"), classes=("background",))
    assert ground.polygons(done)["pixels"].tolist() == [40 * 50 - 46]


@pytest.mark.parametrize("ending", ["parquet", "gpkg", "geojson"])
def test_a_tile_without_objects_gives_a_file_without_rows(tmp_path, ending):
    path = tmp_path / f"none.{ending}"
    gz.Sequential([Postprocess(), WritePolygons(str(path))])(tile() * 0)
    assert len(read(path)) == 0


def test_a_catalog_becomes_a_file_per_tile_once(tmp_path):
    for seed in (1, 2):
        write_scene({"shape": (48, 64), "bands": ("red", "scl"), "seed": seed}, tmp_path / f"in{seed}")
    catalog = GeoCatalog.from_folder(tmp_path)
    sink = WritePolygons("{item_id}.parquet", "scl", classes=("vegetation",), statistics={"red": "mean"})
    report = CatalogPipeline(catalog, sink, tmp_path / "out", progress="none").run()
    assert report.counts == {"done": 2}, [row.message for row in report.failed]
    for part in catalog.tiles():
        scene = part.load()
        found = read(tmp_path / "out" / f"{part.tile_id}.parquet")
        assert found["pixels"].sum() == (scene.scl == 4).sum()
        assert set(found.columns) >= {"tile_id", "datetime", "area_m2", "red_mean", "geometry"}
    assert CatalogPipeline(catalog, sink, tmp_path / "out", progress="none").run().counts == {"fresh": 2}


def test_a_batch_keeps_the_inputs_that_statistics_are_of(tmp_path):
    write_scene({"shape": (32, 40), "bands": ("red", "nir")}, tmp_path / "in")
    steps = [
        Postprocess(0.1, probabilities="red"),
        WritePolygons("{item_id}.parquet", statistics={"nir": "max"}),
    ]
    catalog = GeoCatalog.from_folder(tmp_path / "in")
    report = CatalogPipeline(catalog, gz.Sequential(steps), tmp_path / "out", progress="none").run()
    assert report.counts == {"done": 1}, [row.message for row in report.failed]
    (part,) = catalog.tiles()
    scene, found = part.load(), read(tmp_path / "out" / f"{part.tile_id}.parquet")
    assert found["nir_max"].max() == scene.nir.values[scene.red.values >= 0.1].max()


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path):
    (tmp_path / "taken.gpkg").mkdir()
    (tmp_path / "taken.gpkg" / "x").touch()
    with pytest.raises(WriteError, match=r"taken\.gpkg"):
        gz.Sequential([Postprocess(), WritePolygons(str(tmp_path / "taken.gpkg"))])(tile())
    assert [p.name for p in tmp_path.iterdir()] == ["taken.gpkg"]


def test_refused_before_a_pixel_is_read(tmp_path):
    with pytest.raises(ParameterError, match="ends in"):
        WritePolygons("objects.shp")
    with pytest.raises(ParameterError, match="band"):
        WritePolygons("{band}.gpkg")
    with pytest.raises(ParameterError, match="no statistic 'avg'"):
        WritePolygons("a.gpkg", statistics={"red": ("avg",)})
    with pytest.raises(MissingVariableError, match="binarized_segmentation"):
        gz.Sequential([WritePolygons(str(tmp_path / "a.gpkg"))])(tile())
    with pytest.raises(ParameterError, match=r"put Postprocess\(\) before"):
        gz.Sequential([WritePolygons(str(tmp_path / "a.gpkg"), "probabilities")])(tile())
    assert list(tmp_path.iterdir()) == []
