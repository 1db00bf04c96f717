"""Scenes with labels, and models fitted on them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import contract_tile
from geotoolz.learn import FittedPixelModel, ToPixelMajor, TrainingRows, fit_rows

NAMES = {1: "water", 2: "crop", 5: "wood"}


def scene(
    seed: int = 0,
    shape: tuple[int, int] = (60, 80),
    gaps: bool = True,
    tile_id: str = "",
    crs: str = "EPSG:32633",
) -> xr.Dataset:
    """Return a scene of two bands, whose label (three classes) follows from them."""
    rng = np.random.default_rng(seed)
    red = rng.uniform(0, 0.5, shape).astype(np.float32)
    nir = rng.uniform(0, 0.8, shape).astype(np.float32)
    label = np.where(nir < 0.2, 1, np.where(nir - red < 0.3, 2, 5)).astype(np.uint8)
    if gaps:
        red[5:9, 10:30] = np.nan
        label[20:25, :] = 255
    box = GeoBox(shape, Affine(10, 0, 500_000 + 2_000 * seed, 0, -10, 5_100_000), crs)
    tile = tile_from_arrays({"red": red, "nir": nir, "crop": label}, box)
    tile["red"].attrs.update(quantity="surface_reflectance", units="1")
    tile["nir"].attrs.update(quantity="surface_reflectance", units="1")
    tile["crop"].attrs.update(
        quantity="flags", _FillValue=255, flag_values=np.array(list(NAMES), np.uint8),
        flag_meanings=" ".join(NAMES.values()),
    )  # fmt: skip
    return tile.assign_attrs(
        tile_id=tile_id or f"scene{seed}", datetime=f"2024-06-{seed % 28 + 1:02d}T10:00:00Z"
    )


def rows(n: int = 600, seed: int = 1, features: tuple[str, ...] = ("red", "nir")) -> TrainingRows:
    """Return rows with text labels."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (n, len(features))).astype(np.float32)
    y = np.where(X[:, 1] < 0.3, "water", np.where(X[:, 1] - X[:, 0] < 0.2, "crop", "wood"))
    return TrainingRows(X=X, features=features, y=y, groups=np.arange(n) % 12)


@lru_cache(maxsize=4)
def forest(n_estimators: int = 12) -> FittedPixelModel:
    """Return a forest on the reflectance of a contract tile."""
    return fit_rows(
        RandomForestClassifier(n_estimators, n_jobs=2), rows(), adapter=ToPixelMajor(("red", "nir"))
    )


@lru_cache(maxsize=4)
def regression_forest(targets: int = 1, trees: int = 10) -> FittedPixelModel:
    """Return a forest of values."""
    given = rows()
    y = given.X[:, 1] * 100 if targets == 1 else np.column_stack([given.X[:, 1] * 100, given.X[:, 0]])
    names = ("agb",) if targets == 1 else ("agb", "height")
    made = TrainingRows(
        X=given.X, features=given.features, y=y, targets=names, target_units={"agb": "Mg ha-1"}
    )
    return fit_rows(RandomForestRegressor(trees, n_jobs=2), made)


def valid_of(tile: xr.Dataset, *names: str) -> np.ndarray:
    """Return where all variables are finite."""
    return np.logical_and.reduce([np.isfinite(tile[n].values) for n in names])


__all__ = ["NAMES", "contract_tile", "forest", "regression_forest", "rows", "scene", "valid_of"]
