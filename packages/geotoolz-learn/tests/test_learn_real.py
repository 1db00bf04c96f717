"""Real scenes with training polygons, and labelled series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold, StratifiedKFold

from geotoolz.core import run
from geotoolz.core.testing import data_path
from geotoolz.io import open_tile
from geotoolz.learn import (
    GroupsIgnoredWarning,
    PixelwiseClassifier,
    PixelwiseProbabilities,
    PixelwiseTransformer,
    ToPixelMajor,
    TrainingRows,
    fit_pixelwise,
    fit_rows,
)
from geotoolz.patch import GridSampler
from geotoolz.vector import sample_training

FOREST = RandomForestClassifier(60, random_state=0)


def training(folder, scene, dem, polygons):
    """Return a tile with elevation, and the rows under its polygons."""
    path = data_path(folder)
    tile = open_tile(path / scene)
    (height,) = open_tile(path / dem).data_vars.values()
    tile = tile.assign(elevation=height)
    table = sample_training(tile, path / polygons, "class", bands=list(tile.data_vars))
    return tile, TrainingRows.from_table(table)


@pytest.mark.parametrize(
    ("args", "classes", "polygons", "least"),
    [
        (("ls5_tm_dem_training_para", "lsat.tif", "srtm_lsat.tif", "training_polygons_lsat.gpkg"),
         ("cleared", "fallen_dry", "forest", "water"), 36, 0.98),
        (("s2_l2a_12band_dem_training_amazon", "sen2.tif", "srtm_sen2.tif", "training_polygons_sen2.gpkg"),
         ("dryout", "forest", "village", "water"), 25, 0.97),
    ],
)  # fmt: skip
def test_land_cover_under_grouped_cross_validation(args, classes, polygons, least):
    tile, rows = training(*args)
    model = fit_rows(FOREST, rows, cv=4)
    scores = model.metrics["cv"]
    assert model.class_names == classes and len(np.unique(rows.groups)) == polygons
    assert scores["splitter"] == "GroupKFold" and scores["mean"] >= least
    with pytest.warns(GroupsIgnoredWarning):
        torn = fit_rows(FOREST, rows, cv=KFold(4, shuffle=True, random_state=0)).metrics["cv"]
    assert torn["mean"] > scores["mean"]  # pixels of one polygon on both sides flatter the score
    made = PixelwiseClassifier(model)(tile)
    whole = np.stack([tile[n].values.ravel() for n in rows.features], axis=1).astype(rows.X.dtype)
    keep = np.isfinite(whole).all(axis=1)
    names = np.array(["", *classes])
    np.testing.assert_array_equal(
        names[made.label.values.ravel()[keep]], model.estimator.predict(whole[keep])
    )
    sure = PixelwiseProbabilities(model, classes=(), uncertainty="margin")(tile)
    assert np.nanmedian(sure.margin) > 0.5


def test_series_reach_the_accuracy_of_their_source():
    table = pd.read_parquet(data_path("modis_ndvi_sinop_sits") / "samples_modis_ndvi_labelled.parquet")
    wide = table.assign(step=table.groupby("sample_id").cumcount()).pivot(
        index="sample_id", columns="step", values="NDVI"
    )
    wide.columns = [f"ndvi_{k}" for k in wide.columns]
    wide["label"] = table.groupby("sample_id").label.first()
    rows = TrainingRows.from_table(wide.reset_index(drop=True), group=None)
    assert rows.X.shape == (1218, 12)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = fit_rows(RandomForestClassifier(200, random_state=0), rows, cv=folds)
    assert model.metrics["cv"]["mean"] >= 0.87  # the source's random forest, 5-fold
    assert model.class_names == ("Cerrado", "Forest", "Pasture", "Soy_Corn")


def test_principal_components_of_a_hyperspectral_scene():
    path = data_path("hsi_enmap_potsdam_open")
    tile = open_tile(path / "enmap_l2a_20220724_224bands_int16.tif")
    used = tuple(n for n in tile.data_vars if (tile[n].values != -32768).any())
    assert len(used) == 218  # six bands are empty
    model = fit_pixelwise(
        PCA(5, svd_solver="full"), None, None, tile, GridSampler(32), 4000, adapter=ToPixelMajor(used)
    )
    op = PixelwiseTransformer(model)
    made = run(op, tile, threads=1)
    X = np.stack([tile[n].values.ravel() for n in used], axis=1).astype(np.float64)
    keep = (X != -32768).all(axis=1)
    assert 0.6 < keep.mean() < 0.7  # a third of the crop is no-data
    expected = (X[keep] - model.estimator.mean_) @ model.estimator.components_.T
    scale = np.abs(expected).max()
    for k in range(5):
        assert np.abs(made[f"pca{k}"].values.ravel()[keep] - expected[:, k]).max() < 1e-4 * scale
    assert model.estimator.explained_variance_ratio_[:3].sum() > 0.95
    assert "approximate" in op.tags and model.deviation["value"] < 1e-4 * scale
