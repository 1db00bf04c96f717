"""The command line after the map: applicability, draw, area; and what `evaluate` and `report` say."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pytest
import rasterio
from gtz_learn import scene
from shapely.geometry import box

from geotoolz.io import open_tile, write_tile
from geotoolz.learn import TrainingRows, area_estimates, load_model, mapped_areas, training_dissimilarity
from geotoolz.learn._cli import main
from geotoolz.metrics import ConfusionCounts
from geotoolz.vector import sample_training


def call(capfd, *args):
    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


@pytest.fixture
def files(tmp_path):
    """Write a scene, polygons of two classes, and fit a model on half of them."""
    tile = scene(0, gaps=False)
    tile["nir"][:, :40], tile["nir"][:, 40:] = 0.05, 0.4  # water in the west
    (path,) = write_tile(tile[["red", "nir"]], tmp_path / "scene.tif")
    shapes = [
        box(500_000 + x, 5_099_450 + 50 * k, 500_000 + x + 80, 5_099_490 + 50 * k)
        for x in (100, 600)
        for k in range(8)
    ]
    frame = geopandas.GeoDataFrame({"what": ["water"] * 8 + ["land"] * 8}, geometry=shapes, crs=32633)
    frame.iloc[::2].to_file(tmp_path / "train.gpkg")
    frame.iloc[1::2].to_file(tmp_path / "test.gpkg")
    (tmp_path / "p.yaml").write_text("_target_: geotoolz.radiometry.BoxMean\nradius: 1\n")
    fit = ("fit", path, tmp_path / "train.gpkg", tmp_path / "m.gtz", "--label", "what", "--trees", 5)
    assert main([str(arg) for arg in (*fit, "--folds", 4, "--pipeline", tmp_path / "p.yaml")]) == 0
    return tmp_path, path


@pytest.mark.filterwarnings("default::geotoolz.learn.SeenPixelsWarning")
def test_evaluate_warns_of_pixels_that_were_trained_on(files, capfd):
    folder, path = files
    given = ("evaluate", folder / "m.gtz", path)
    code, out, err = call(capfd, *given, folder / "train.gpkg", "--label", "what")
    assert code == 0 and "overall accuracy" in out
    assert "about 100% of the sample's pixels are pixels that the model was trained on" in err
    code, _, err = call(capfd, *given, folder / "test.gpkg", "--label", "what")
    assert code == 0 and "trained on" not in err


def test_the_share_of_known_pixels(files):
    folder, path = files
    model = load_model(folder / "m.gtz")
    tile = open_tile(path)
    known, new = (
        TrainingRows.from_table(sample_training(tile, folder / name, "what", bands=("red", "nir")))
        for name in ("train.gpkg", "test.gpkg")
    )
    assert model.share_seen(known) > 0.99 and model.share_seen(new) == 0.0
    half = TrainingRows.concatenate([known, new])
    assert model.share_seen(half) == pytest.approx(0.5, abs=0.05)
    shifted = TrainingRows(X=known.X, features=known.features, xy=known.xy + 5, crs=known.crs)
    assert model.share_seen(shifted) == 0.0
    assert model.share_seen(TrainingRows(X=known.X, features=known.features)) is None


def test_report_shows_the_steps(files, capfd):
    folder, _ = files
    code, out, _ = call(capfd, "report", folder / "m.gtz")
    assert code == 0 and "BoxMean(radius=1)" in out and load_model(folder / "m.gtz").pipeline_hash in out
    told = json.loads(call(capfd, "report", folder / "m.gtz", "--json")[1])
    assert told["pipeline"]["_target_"] == "geotoolz.radiometry.BoxMean" and "seen" not in told


def test_applicability(files, capfd):
    folder, path = files
    strange = open_tile(path)
    strange["red"] = strange.red.where(strange.x < strange.x[60], strange.red + 0.9)
    (other,) = write_tile(strange, folder / "strange.tif")
    code, out, err = call(
        capfd, "applicability", folder / "m.gtz", path, folder / "train.gpkg", other, folder / "{band}.tif",
        "--label", "what", "--folds", 4,
    )  # fmt: skip
    assert code == 0, err
    assert {line.rpartition("/")[2] for line in out.split()} == {"di.tif", "aoa.tif"}
    aoa, di = open_tile(folder / "aoa.tif").aoa, open_tile(folder / "di.tif").di
    assert not aoa.values[:, 62:].any() and aoa.values[:, :58].mean() > 0.5
    model, before = load_model(folder / "m.gtz"), load_model(folder / "m.gtz").feature_pipeline()
    table = sample_training(open_tile(path), folder / "train.gpkg", "what", op=before, bands=model.features)
    from sklearn.model_selection import GroupKFold

    known = training_dissimilarity(TrainingRows.from_table(table, model.features), importances=model,
                                   folds=GroupKFold(4))  # fmt: skip
    wanted = known.operator()(before(open_tile(other)))
    np.testing.assert_array_equal(di, wanted.di)
    assert f"{known.threshold:.4f}" in err


@pytest.fixture
def classes(tmp_path):
    """Write a map of two classes in which a tenth of the first is wrong."""
    codes = np.where(np.arange(80)[None, :] < 30, 1, 2).repeat(60, 0).astype(np.uint8)
    codes = np.broadcast_to(codes[:60], (60, 80)).copy()
    profile = {"driver": "GTiff", "height": 60, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
    path = tmp_path / "map.tif"
    with rasterio.open(
        path, "w", crs=32633, transform=rasterio.transform.from_origin(5e5, 5.1e6, 10, 10), **profile
    ) as dst:
        dst.write(codes, 1)
        dst.set_band_description(1, "label")
    return path


def test_draw_and_area(classes, tmp_path, capfd):
    drawn = tmp_path / "sample.gpkg"
    code, out, err = call(capfd, "draw", classes, drawn, "--per-class", 20)
    assert code == 0 and "40 places (20 1, 20 2)" in out, err
    points = geopandas.read_file(drawn)
    points["truth"] = points["mapped"].astype(str)
    wrong = points.index[points["mapped"] == 1][:2]
    points.loc[wrong, "truth"] = "2"
    points.to_crs(4326).to_file(drawn)
    code, out, err = call(capfd, "area", classes, drawn, "--json")
    told = json.loads(out)
    tile = open_tile(classes, raw=True)
    areas = mapped_areas(tile, "label")
    assert areas == {1: 18.0, 2: 30.0}
    wanted = area_estimates(ConfusionCounts((1, 2), ((18, 0), (2, 20)), ("1", "2")), areas).to_dict()
    assert code == 0 and told == {"unit": "ha", **json.loads(json.dumps(wanted))}, err
    assert told["area"] == pytest.approx([16.2, 31.8])
    code, out, _ = call(capfd, "area", classes, drawn, "--unit", "km2")
    assert code == 0 and "areas in km2" in out and "user's 0.900" in out


def test_mistakes_have_no_traceback(classes, files, tmp_path, capfd):
    drawn = tmp_path / "sample.gpkg"
    assert call(capfd, "draw", classes, drawn, "--per-class", 5)[0] == 0
    far = tmp_path / "far.gpkg"
    points = geopandas.read_file(drawn)
    points["truth"] = "1"
    points.translate(1e6).to_frame("geometry").assign(truth="1").to_file(far)
    points.assign(truth="forrest").to_file(tmp_path / "odd.gpkg")
    for args, said in (
        (("area", classes, drawn), "say nothing in the column 'truth'"),
        (("area", classes, drawn, "--label", "what"), "'what'; they have"),
        (("area", classes, far), "lie outside the map"),
        (("area", classes, tmp_path / "odd.gpkg"), "'forrest'"),
        (("area", classes, tmp_path / "none.gpkg"), "cannot be read"),
        (("area", classes, drawn, "--label", "mapped", "--unit", "acre"), "acre"),
        (("area", files[1], drawn), "--variable"),
        (("draw", classes, tmp_path / "x.shp"), "a name that ends in .gpkg"),
        (("draw", classes, tmp_path / "no" / "x.gpkg"), "cannot be written"),
    ):
        code, _, err = call(capfd, *args)
        assert code == 2 and said in err and "Traceback" not in err, (args, err)
