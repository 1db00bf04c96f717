"""PixelwiseClassifier and PixelwiseClusterer: a class, or a cluster, for every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from geotoolz.core import VarSpec
from geotoolz.learn._classes import flag_attrs, require_codes
from geotoolz.learn._computes import Labels
from geotoolz.learn._model import ModelInfo
from geotoolz.learn._pixelwise import Pixelwise
from geotoolz.learn._predict import Compute

CodeType = Literal["uint8", "uint16", "int16", "int32"]


class PixelwiseClassifier(Pixelwise):
    """The class that a model predicts for every pixel.

    Adds one variable of codes with CF ``flag_values`` and ``flag_meanings``. Labels that are whole numbers
    are their own codes; text is counted from 1, in alphabetical order. Features are found by name. The
    estimator's own ``predict`` is called on 65 536 rows at a time; it is never fitted again, nor changed.
    Infinite values count as no-data.

    Parameters
    ----------
    model : FittedPixelModel, Ref or path
        The model. One in memory cannot stand in a configuration; ``model.save(path)`` gives the `Ref`.
    nodata : {"mask", "propagate", "raise"}
        Pixels that lack a feature get `fill`; or are handed to the estimator with NaN, which must take it
        (those that lack every feature get `fill` all the same); or are an error.
    adapter : Adapter, optional
        Must be the model's own; another one is refused.
    trusted : sequence of str
        Types that the model's file may hold besides those that skops trusts.
    trust : bool
        Load a model whose estimator is a pickle.
    other_versions : {"raise", "warn"}
        What to do where the estimator's library has another version than at fitting.
    name : str
        The new variable.
    fill : int
        Code of pixels without data.
    dtype : {"uint8", "uint16", "int16", "int32"}
        Type of the codes.

    Raises
    ------
    MissingVariableError
        If the tile lacks a feature.
    QuantityError
        If a feature holds something else than at fitting (digital numbers for reflectance).
    ParameterError
        If the model is no classifier, takes no NaN, or its codes do not fit.
    ReadError
        If the model's file is missing, has other content, or may not be loaded.

    Notes
    -----
    Forests and boosting give the same bits for any cut of the work. Models whose rounding depends on how many
    rows are predicted at once (linear models, neural networks: BLAS) are `approximate`; `check` says by how
    much, as measured at fitting.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import PixelwiseClassifier, TrainingRows, fit_rows
    >>> rows = TrainingRows(X=[[0.1], [0.4]], features=("nir",), y=["soil", "wood"])
    >>> classify = PixelwiseClassifier(fit_rows(DecisionTreeClassifier(), rows))
    >>> made = classify(simulate_scene((8, 8), bands=("red", "nir")))
    >>> made.label.attrs["flag_meanings"], made.label.dtype
    ('soil wood', dtype('uint8'))
    """

    kinds: ClassVar[tuple[str, ...]] = ("classifier",)

    name: str = "label"
    fill: int = 255
    dtype: CodeType = "uint8"

    def outputs(self, info: ModelInfo, dims: tuple[str, ...]) -> Mapping[str, VarSpec]:
        """Return the variable of codes."""
        dtype = np.dtype(self.dtype)
        require_codes(info.codes, dtype, self.fill, type(self).__name__)
        what = info.targets[0] if info.kind == "classifier" else "cluster"
        attrs = {"long_name": f"predicted {what}", **flag_attrs(info.codes, info.class_names, dtype)}
        return {self.name: VarSpec(dims, dtype, self.fill, attrs)}

    def computation(self, info: ModelInfo) -> Compute:
        """Return what is computed of rows."""
        return Labels(info.classes, info.codes, self.dtype)


class PixelwiseClusterer(PixelwiseClassifier):
    """The cluster that a model puts every pixel into.

    Adds one variable of cluster numbers from 0 with CF ``flag_values`` and ``flag_meanings``; which number a
    cluster has means nothing. Features are found by name.

    Parameters
    ----------
    model : FittedPixelModel, Ref or path
        The model. One in memory cannot stand in a configuration; ``model.save(path)`` gives the `Ref`.
    nodata : {"mask", "propagate", "raise"}
        Pixels that lack a feature get `fill`; or are handed to the estimator with NaN; or are an error.
    adapter : Adapter, optional
        Must be the model's own; another one is refused.
    trusted : sequence of str
        Types that the model's file may hold besides those that skops trusts.
    trust : bool
        Load a model whose estimator is a pickle.
    other_versions : {"raise", "warn"}
        What to do where the estimator's library has another version than at fitting.
    name : str
        The new variable.
    fill : int
        Number of pixels without data.
    dtype : {"uint8", "uint16", "int16", "int32"}
        Type of the numbers.

    Raises
    ------
    MissingVariableError, QuantityError, ParameterError, ReadError
        As `PixelwiseClassifier`.

    Notes
    -----
    k-means measures distances by BLAS and is `approximate`: a pixel that lies as near to two clusters, up to
    the last bits, may fall to either where the work is cut otherwise.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import PixelwiseClusterer, TrainingRows, fit_rows
    >>> rows = TrainingRows(X=[[0.1], [0.2], [0.7], [0.8]], features=("nir",))
    >>> cluster = PixelwiseClusterer(fit_rows(KMeans(2, random_state=0), rows))
    >>> cluster(simulate_scene((8, 8), bands=("nir",))).cluster.attrs["flag_values"].tolist()
    [0, 1]
    """

    kinds: ClassVar[tuple[str, ...]] = ("clusterer",)

    name: str = "cluster"
