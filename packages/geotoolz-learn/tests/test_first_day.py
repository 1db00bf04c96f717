"""What a newcomer met on the first day."""

from __future__ import annotations

import warnings

import geopandas
import numpy as np
import pytest
import rasterio
from shapely.geometry import box
from sklearn.tree import DecisionTreeClassifier

from geotoolz.catalog import ReadLabel
from geotoolz.core import GeotoolzError, Sequential, geobox_of, run
from geotoolz.core.testing import simulate_scene
from geotoolz.io import write_tile
from geotoolz.learn import (
    PixelwiseClassifier,
    TrainingRows,
    fit_pixelwise,
    fit_rows,
    load_model,
)
from geotoolz.learn._cli import main
from geotoolz.patch import GridSampler
from geotoolz.radiometry import BandMath
from geotoolz.vector import sample_training


@pytest.fixture
def fields():
    tile = simulate_scene((48, 64), bands=("red", "nir"), cloud_cover=0)
    grid = geobox_of(tile)
    shapes = [grid[k : k + 6, c : c + 8].extent.geom for k in (0, 12, 24, 36) for c in (0, 40)]
    names = ["west", "east"] * 4
    return tile, geopandas.GeoDataFrame({"what": names}, geometry=shapes, crs=str(grid.crs))


def test_a_feature_made_in_the_pipeline_stands_beside_bands_that_are_read(fields):
    """Bands that are read cannot be written to and those that are made can: one table takes both."""
    tile, _ = fields
    rng = np.random.default_rng(0)
    rows = TrainingRows(X=rng.random((40, 3), np.float32), features=("red", "nir", "ndvi"), y=["a", "b"] * 20)
    step = PixelwiseClassifier(fit_rows(DecisionTreeClassifier(random_state=0), rows))
    index = BandMath("(nir - red) / (nir + red)", name="ndvi")
    both = Sequential([index, step])
    expected = step(index(tile)).label
    assert both(tile).label.identical(expected)
    assert run(both, tile, window=(16, 16), threads=2).label.identical(expected)


def test_whole_numbers_with_missing_values_are_numbers(fields):
    tile, frame = fields
    whole = (tile * 100).round().astype(np.uint8)
    for name in ("red", "nir"):
        whole[name].attrs = {"_FillValue": 255}
    whole = whole.assign_attrs(tile.attrs).assign_coords(tile.coords)
    table = sample_training(whole, frame, "what")
    assert str(table["red"].dtype) == "UInt8"
    rows = TrainingRows.from_table(table)
    assert rows.X.dtype == np.float32 and np.array_equal(rows.X[:, 0], table["red"].to_numpy(np.float32))
    table.loc[0, "red"] = None
    assert np.isnan(TrainingRows.from_table(table).X[0, 0])


def test_a_model_of_sampled_polygons_refuses_other_quantities(fields):
    tile, frame = fields
    table = sample_training(tile, frame, "what")
    assert table.attrs["quantities"] == {"red": "surface_reflectance", "nir": "surface_reflectance"}
    rows = TrainingRows.from_table(table)
    assert rows.quantities == table.attrs["quantities"]
    step = PixelwiseClassifier(fit_rows(DecisionTreeClassifier(), rows))
    raw = tile.copy()
    for name in ("red", "nir"):
        raw[name] = (tile[name] * 10_000).astype(np.uint16).assign_attrs(quantity="dn")
    with pytest.raises(GeotoolzError, match="dn"):
        step(raw)
    given = TrainingRows.from_table(table, quantities={"red": "dn"})
    assert given.quantities == {"red": "dn"}


def test_a_label_raster_names_its_classes(fields, tmp_path):
    tile, frame = fields
    frame.to_file(tmp_path / "fields.gpkg")
    labels = ReadLabel(str(tmp_path / "fields.gpkg"), "what", classes={"west": 3, "east": 7})(tile)
    (path,) = write_tile(labels[["label"]], tmp_path / "labels.tif")
    read = ReadLabel(path)(tile).label
    assert read.attrs["flag_meanings"] == "west east" and list(read.attrs["flag_values"]) == [3, 7]
    assert read.equals(labels.label)
    model = fit_pixelwise(DecisionTreeClassifier(), None, ReadLabel(path), [tile], GridSampler(16))
    assert model.class_names == ("west", "east") and model.classes == (3, 7)
    renamed = ReadLabel(path, classes={"fields": 3, "woods": 7})(tile).label
    assert renamed.attrs["flag_meanings"] == "fields woods"


def test_the_command_line_of_label_rasters(tmp_path, capfd):
    tile = simulate_scene((60, 80), bands=("red", "nir"), cloud_cover=0)
    tile["nir"][:, :40], tile["nir"][:, 40:] = 0.05, 0.4
    (path,) = write_tile(tile, tmp_path / "scene.tif")
    profile = {"driver": "GTiff", "height": 60, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
    grid = geobox_of(tile)
    with rasterio.open(
        tmp_path / "labels.tif", "w", crs=str(grid.crs), transform=grid.affine, **profile
    ) as dst:
        dst.write((np.arange(80)[None, :] < 40).repeat(60, 0).astype(np.uint8), 1)
    (tmp_path / "p.yaml").write_text("_target_: geotoolz.radiometry.BandMath\nformula: nir - red\nname: d\n")
    model, labels = str(tmp_path / "m.gtz"), str(tmp_path / "labels.tif")
    given = ["fit", path, labels, model, "--estimator", "tree", "--chip", "32"]
    assert main(given) == 0
    out = capfd.readouterr().out
    assert "(BlockFolds), 4800 pixels, 2 features (red, nir)" in out  # pixels beside each other stay together
    assert main([*given, "--block-size", "200", "--folds", "3"]) == 0
    assert main([*given, "--block-size", "200", "--folds", "0"]) == 2
    assert "without cross-validation" in capfd.readouterr().err
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # no error, as for everybody who types it
        assert main(["evaluate", model, path, labels]) == 0
    told = capfd.readouterr()
    assert "overall accuracy 1.000" in told.out
    assert "about 100% of the sample's pixels are pixels that the model was trained on" in told.err

    frame = geopandas.GeoDataFrame(
        {"what": ["a", "b"] * 3},
        geometry=[
            box(*grid[k * 20 : k * 20 + 8, c : c + 8].boundingbox.bbox) for k in range(3) for c in (0, 60)
        ],
        crs=str(grid.crs),
    )
    frame.to_file(tmp_path / "t.gpkg")
    pipeline = ["--pipeline", str(tmp_path / "p.yaml"), "--label", "what", "--folds", "3"]
    assert main(["fit", path, str(tmp_path / "t.gpkg"), model, *pipeline, "--estimator", "tree"]) == 0
    assert load_model(model).features == ("red", "nir", "d")  # what fit_pixelwise takes by default, too
