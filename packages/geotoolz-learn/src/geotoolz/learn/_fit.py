"""fit_pixelwise and training_rows: estimators fitted on the pixels of a catalog."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from geotoolz.core import Operator, ParameterError
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._assemble import Balance, CatalogRows, gathered
from geotoolz.learn._chips import Recipe
from geotoolz.learn._fit_rows import fit_rows
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._training import TrainingRows

if TYPE_CHECKING:
    from geotoolz.batch import Engine
    from geotoolz.patch import Sampler


class ShortfallWarning(UserWarning):
    """There were fewer valid pixels than were asked for."""


def training_rows(
    X_pipeline: Operator | None,
    y_pipeline: Operator | str | tuple[str, ...] | None,
    catalog: Any,
    sampler: Sampler,
    n_pixels: int | None = None,
    *,
    nodata_policy: NanPolicy | None = None,
    adapter: Adapter | None = None,
    group_band: str | int | None = None,
    sample_weight: str | None = None,
    balance: Balance = None,
    random_state: int = 0,
    engine: str | Engine = "inline",
    n_workers: int | None = None,
) -> TrainingRows:
    """Read training rows from the chips of a catalog; see `fit_pixelwise` for the parameters.

    Returns
    -------
    TrainingRows
        `n_pixels` rows, or all that there are: `TrainingRows.shortfall` says how many are missing.

    Warns
    -----
    ShortfallWarning
        If there are fewer than were asked for.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import training_rows
    >>> from geotoolz.patch import GridSampler
    >>> scene = simulate_scene((64, 64), bands=("red", "nir"), cloud_cover=0)
    >>> rows = training_rows(None, None, [scene], GridSampler(32), 100)
    >>> rows.X.shape, rows.features
    ((100, 2), ('red', 'nir'))
    """
    if n_pixels is not None and n_pixels < 1:
        raise ParameterError(f"n_pixels={n_pixels}", expected="1 or more")
    weight = None if sample_weight == "balanced" else sample_weight
    recipe = Recipe(
        X_pipeline, y_pipeline, adapter if adapter is not None else ToPixelMajor(),
        nodata_policy if nodata_policy is not None else NanPolicy(), group_band, weight,
    )  # fmt: skip
    rows = gathered(CatalogRows(catalog, sampler, recipe), n_pixels, balance, random_state, engine, n_workers)
    if rows.shortfall:
        warnings.warn(
            f"{len(rows)} of {rows.asked} pixels: the chips hold no more that are valid"
            + (" of the classes asked for" if balance is not None else ""),
            ShortfallWarning,
            stacklevel=2,
        )
    return rows


def fit_pixelwise(
    estimator: Any,
    X_pipeline: Operator | None,
    y_pipeline: Operator | str | tuple[str, ...] | None,
    catalog: Any,
    sampler: Sampler,
    n_pixels: int | None = None,
    *,
    nodata_policy: NanPolicy | None = None,
    adapter: Adapter | None = None,
    group_band: str | int | None = None,
    sample_weight: str | None = None,
    balance: Balance = None,
    cv: Any = None,
    random_state: int = 0,
    engine: str | Engine = "inline",
    n_workers: int | None = None,
) -> FittedPixelModel:
    """Fit an estimator on pixels sampled from a catalog of scenes.

    Chips are read scene by scene, from no more pixels and bands than the pipelines depend on, and with the
    bits that the pipelines would give on whole scenes. Every chip gives the same number of pixels, as far as
    it has them.

    Parameters
    ----------
    estimator : object
        Anything with the scikit-learn API: a classifier, regressor, transformer, clusterer, anomaly detector,
        a ``Pipeline``, a ``GridSearchCV``, lightgbm, xgboost, imbalanced-learn. It is cloned, never changed.
    X_pipeline : Operator, optional
        Makes the features of a scene; None takes the scenes as they are.
    y_pipeline : Operator, str or tuple of str, optional
        Makes the labels of a scene (`geotoolz.catalog.ReadLabel`), or names variables of the scenes that
        hold them; None for unsupervised fits.
    catalog : GeoCatalog, Dataset or sequence of scenes
        The scenes.
    sampler : Sampler
        Where the chips lie, from `geotoolz.patch`.
    n_pixels : int, optional
        How many pixels; all by default.
    nodata_policy : NanPolicy, optional
        What happens to pixels without a feature or a label; they are left out by default.
    adapter : Adapter, optional
        How tiles become rows; `ToPixelMajor` by default. The model carries it.
    group_band : str or int, optional
        Variable (or its place among those that `y_pipeline` makes) that holds what a cross-validation must
        not tear apart; handed to a search as ``groups=``.
    sample_weight : str, optional
        Variable that holds weights, or ``"balanced"``: every class weighs the same.
    balance : "equal" or mapping of label to float, optional
        As many pixels of every class, or a share of each. A class that has fewer leads to a shortfall.
    cv : object, optional
        A cross-validation, as scikit-learn takes it, whose scores stand in ``model.metrics["cv"]``. A number
        of folds means ``GroupKFold`` where there are groups.
    random_state : int
        Seed of the draws, and of every ``random_state`` of the estimator that is None.
    engine : str or Engine
        ``"inline"``, ``"process"``, or another of `geotoolz.batch`: who reads the scenes. The rows do not
        depend on it.
    n_workers : int, optional
        Handed to the engine.

    Returns
    -------
    FittedPixelModel

    Raises
    ------
    TileError
        If no pixel has both features and a label.
    ParameterError
        If there is one class only, if there are fewer groups than folds, if the estimator takes no NaN, no
        weights or no labels of this kind.
    GridMismatchError
        If labels lie on another grid.

    Warns
    -----
    ShortfallWarning
        If there are fewer valid pixels than were asked for; ``model.metrics["shortfall"]`` says how many.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import fit_pixelwise
    >>> from geotoolz.patch import RandomSampler
    >>> scene = simulate_scene((64, 64), bands=("red", "nir"), cloud_cover=0)
    >>> fit_pixelwise(KMeans(3), None, None, [scene], RandomSampler(16, count=4), 200)
    FittedPixelModel(KMeans, 2 features, 200 rows)
    """
    rows = training_rows(
        X_pipeline, y_pipeline, catalog, sampler, n_pixels, nodata_policy=nodata_policy, adapter=adapter,
        group_band=group_band, sample_weight=sample_weight, balance=balance, random_state=random_state,
        engine=engine, n_workers=n_workers,
    )  # fmt: skip
    return fit_rows(
        estimator, rows, nodata_policy=nodata_policy, adapter=adapter, pipeline=X_pipeline, cv=cv,
        sample_weight="balanced" if sample_weight == "balanced" else None, random_state=random_state,
    )  # fmt: skip
