"""The command line: fit, predict, evaluate, report."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from gtz_learn import scene
from shapely.geometry import box

from geotoolz.core import geobox_of
from geotoolz.io import open_tile, write_tile
from geotoolz.learn import PixelwiseClassifier, load_model


@pytest.fixture
def files(tmp_path):
    """Write a scene, polygons of two classes, and a raster of labels."""
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
    profile = {"driver": "GTiff", "height": 60, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(
        tmp_path / "labels.tif", "w", crs=32633, transform=geobox_of(tile).affine, **profile
    ) as dst:
        dst.write((np.arange(80)[None, :] < 40).repeat(60, 0).astype(np.uint8), 1)
    return tmp_path, path


def call(capfd, *args):
    from geotoolz.learn._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


def test_the_script_and_the_group_are_one_app(files):
    folder, path = files
    for prefix in (["geotoolz", "learn"], ["geotoolz-learn"]):
        script = str(Path(sysconfig.get_path("scripts"), prefix[0]))
        model = folder / f"{prefix[0]}.gtz"
        given = ["fit", str(path), str(folder / "train.gpkg"), str(model), "--label", "what"]
        command = [script, *prefix[1:], *given, "--trees", "5", "--folds", "4"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("accuracy 1.0000 (GroupKFold), ")
        assert f"2 features (red, nir): {model}" in done.stdout
    assert load_model(folder / "geotoolz.gtz").class_names == ("land", "water")


def test_fit_predict_evaluate_report(files, capfd):
    folder, path = files
    model = folder / "m.gtz"
    code, out, err = call(
        capfd, "fit", path, folder / "train.gpkg", model, "--label", "what", "--estimator", "tree"
    )
    assert code == 0 and "accuracy 1.0000 (GroupKFold)" in out, err
    code, out, err = call(capfd, "predict", model, path, folder / "map.tif")
    assert (code, out) == (0, f"{folder / 'map.tif'}\n"), err
    made = open_tile(folder / "map.tif")
    np.testing.assert_array_equal(made.label, PixelwiseClassifier(model)(open_tile(path)).label)
    assert made.label.attrs["flag_meanings"] == "land water"
    code, out, err = call(
        capfd, "predict", model, path, folder / "{band}.tif", "--probabilities", "--uncertainty", "entropy"
    )
    assert code == 0 and {p.name for p in folder.glob("*.tif")} >= {
        "probability_land.tif",
        "probability_water.tif",
        "entropy.tif",
    }, err
    code, out, err = call(
        capfd, "evaluate", model, path, folder / "test.gpkg", "--label", "what", "--out", folder / "r.json"
    )
    assert code == 0 and "overall accuracy 1.000" in out, err
    assert json.loads((folder / "r.json").read_text())["report"] == "classification"
    code, out, _ = call(capfd, "report", model)
    assert code == 0 and "1 land, 2 water" in out and "red, nir" in out and "scikit-learn" in out
    code, out, _ = call(capfd, "report", model, "--json")
    assert code == 0 and json.loads(out)["features"] == ["red", "nir"]


def test_the_models_own_pipeline_is_used(files, capfd):
    folder, path = files
    (folder / "p.yaml").write_text("_target_: geotoolz.radiometry.BoxMean\nradius: 1\n")
    model = folder / "m.gtz"
    code, _, err = call(
        capfd, "fit", path, folder / "labels.tif", model, "--pipeline", folder / "p.yaml", "--pixels", 500,
        "--trees", 3, "--chip", 32,
    )  # fmt: skip
    assert code == 0, err
    held = load_model(model)
    assert held.n_rows == 500 and held.feature_pipeline() is not None and held.classes == (0, 1)
    code, out, err = call(capfd, "predict", model, path, folder / "out.tif")
    assert (code, out) == (0, f"{folder / 'out.tif'}\n"), err
    tile = open_tile(path)
    np.testing.assert_array_equal(
        open_tile(folder / "out.tif").label, PixelwiseClassifier(model)(held.feature_pipeline()(tile)).label
    )


def test_mistakes_have_no_traceback(files, capfd):
    folder, path = files
    model = folder / "m.gtz"
    call(
        capfd,
        "fit",
        path,
        folder / "train.gpkg",
        model,
        "--label",
        "what",
        "--estimator",
        "tree",
        "--folds",
        "0",
    )
    (folder / "bad.gtz").write_bytes(b"\x80\x04}.")
    for args, text in (
        (("fit", path, folder / "train.gpkg", model), "no --label"),
        (("fit", path, folder / "train.gpkg", model, "--label", "wat"), "did you mean 'what'"),
        (
            ("fit", path, folder / "train.gpkg", model, "--label", "what", "--folds", "40"),
            "8 groups for 40 folds",
        ),
        (
            (
                "fit",
                path,
                folder / "train.gpkg",
                model,
                "--label",
                "what",
                "--estimator",
                "tree",
                "--trees",
                3,
            ),
            "no effect",
        ),
        (("fit", path, folder / "labels.tif", model, "--label", "what"), "--label with a label raster"),
        (("predict", folder / "bad.gtz", path, folder / "o.tif"), "is a pickle"),
        (("predict", folder / "absent.gtz", path, folder / "o.tif"), "cannot be read"),
        (("report", path), "is no model"),
        (("evaluate", model, path, folder / "test.gpkg", "--label", "wat"), "no column 'wat'"),
    ):
        code, _, err = call(capfd, *args)
        assert code == 2 and text in err and "Traceback" not in err, (args, err)


def test_labels_of_another_grid_on_request(files, capfd):
    folder, path = files
    with rasterio.open(folder / "labels.tif") as source:
        profile, values = source.profile, source.read(1)
    shifted = profile["transform"] @ profile["transform"].translation(0.4, 0.4)  # of a pixel
    with rasterio.open(folder / "shifted.tif", "w", **{**profile, "transform": shifted}) as target:
        target.write(values, 1)
    given = (path, folder / "shifted.tif", folder / "m.gtz", "--pixels", 300, "--trees", 3, "--folds", 0)
    code, _, err = call(capfd, "fit", *given)
    assert code == 2 and "--nearest" in err
    code, _, err = call(capfd, "fit", *given, "--nearest")
    assert code == 0, err
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, out, err = call(capfd, "evaluate", folder / "m.gtz", path, folder / "shifted.tif", "--nearest")
    assert code == 0 and "accuracy" in out.lower(), err
    assert "was trained on" in " ".join(err.split())
    code, _, err = call(
        capfd, "fit", path, folder / "train.gpkg", folder / "m.gtz", "--label", "what", "--nearest"
    )
    assert code == 2 and "--nearest without a label raster" in err


def test_a_model_of_polygons_keeps_the_dates_of_its_scenes(files, capfd):
    folder, path = files
    tile = open_tile(path)
    tile.attrs["datetime"] = "2023-08-15T10:00:00Z"
    write_tile(tile, folder / "scenes" / "scene_20230815.tif")
    code, _, err = call(
        capfd, "fit", folder / "scenes", folder / "train.gpkg", folder / "m.gtz", "--label", "what",
        "--trees", 3, "--folds", 0,
    )  # fmt: skip
    assert code == 0, err
    assert load_model(folder / "m.gtz").dates[0][:10] == "2023-08-15"


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, geotoolz, geotoolz.learn, geotoolz.learn._cli\n"
        "print([m for m in ('sklearn', 'skops', 'pandas', 'rasterio', 'geopandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "[]\n", done.stderr
