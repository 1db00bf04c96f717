"""fit_pixelwise_incremental: more pixels than memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Operator, ParameterError, TileError
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._chips import Recipe
from geotoolz.learn._classes import plain_labels
from geotoolz.learn._estimators import Kind, cloned, kind_of, seeded
from geotoolz.learn._folds_base import check_count
from geotoolz.learn._incremental_rows import Position, RowStream
from geotoolz.learn._incremental_state import Progress, load_progress, recipe_of, save_progress
from geotoolz.learn._make import make_model
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._training import TrainingRows

if TYPE_CHECKING:
    from geotoolz.patch import Sampler

Array = np.ndarray[Any, Any]


def fit_pixelwise_incremental(
    estimator: Any,
    X_pipeline: Operator | None,
    y_pipeline: Operator | str | tuple[str, ...] | None,
    catalog: Any,
    sampler: Sampler,
    *,
    chunk_size: int = 10_000,
    classes: Iterable[int] | None = None,
    epochs: int = 1,
    shuffle: bool = True,
    block_chips: int = 8,
    nodata_policy: NanPolicy | None = None,
    adapter: Adapter | None = None,
    sample_weight: str | None = None,
    random_state: int = 0,
    state: str | Path | None = None,
    save_every: int = 100,
) -> FittedPixelModel:
    """Fit an estimator chunk by chunk on all pixels of a catalog's chips, in bounded memory.

    In every epoch each valid pixel of each chip is handed to ``partial_fit`` exactly once, in chunks of
    `chunk_size` rows, of which the last may have fewer. Held at a time are the rows of `block_chips` chips
    and one chunk. The order depends on `random_state`, epoch and chips alone; with a `state` a fit that was
    killed goes on where it was last saved, and ends with the model that it would have become undisturbed.

    Parameters
    ----------
    estimator : object
        Anything with ``partial_fit``: ``SGDClassifier``, ``MiniBatchKMeans``, ``IncrementalPCA``, … It is
        cloned, never changed.
    X_pipeline, y_pipeline, catalog, sampler
        As for `fit_pixelwise`.
    chunk_size : int
        Rows per call of ``partial_fit``.
    classes : iterable of int, optional
        All classes that there are: no chunk needs to hold them all. By default those that the labels' legend
        names. A label that is none of them is an error.
    epochs : int
        How often all pixels are seen. Samplers with randomness choose other chips in every epoch.
    shuffle : bool
        Draw the order of the chips, and shuffle the rows of `block_chips` chips together; else all is taken
        as it lies.
    block_chips : int
        Chips whose rows are shuffled together: more of them mix places better and take more memory.
    nodata_policy, adapter
        As for `fit_pixelwise`.
    sample_weight : str, optional
        Variable that holds weights.
    random_state : int
        Seed of the order, and of every ``random_state`` of the estimator that is None.
    state : str or Path, optional
        File that keeps how far the fit has come. A call that finds one goes on from there; one that is done
        returns its model, and goes on for more epochs. It is a skops archive, loaded without running code.
    save_every : int
        Write the state after this many chunks, and at the end of each epoch.

    Returns
    -------
    FittedPixelModel
        ``metrics`` say epochs, chunks, and rows per epoch.

    Raises
    ------
    ParameterError
        If the estimator has no ``partial_fit`` or cannot take a chunk, classes are missing, a label is none
        of them, all rows are of one class, or the state is that of another fit.
    TileError
        If no pixel has both features and a label, or scenes do not fit together.
    ReadError, WriteError
        If the state cannot be read or written.

    Examples
    --------
    >>> from sklearn.cluster import MiniBatchKMeans
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import fit_pixelwise_incremental
    >>> from geotoolz.patch import GridSampler
    >>> scene = simulate_scene((64, 64), bands=("red", "nir"), cloud_cover=0)
    >>> model = fit_pixelwise_incremental(
    ...     MiniBatchKMeans(3), None, None, [scene], GridSampler(32), chunk_size=1000, epochs=2
    ... )
    >>> model.n_rows, model.metrics["chunks"]
    (4096, 10)
    """
    _check(sampler, random_state, chunk_size, epochs, block_chips, save_every)
    how = adapter if adapter is not None else ToPixelMajor()
    policy = nodata_policy if nodata_policy is not None else NanPolicy()
    recipe = Recipe(X_pipeline, y_pipeline, how, policy, None, sample_weight)
    order: dict[str, Any] = {
        "chunk_size": chunk_size,
        "block_chips": block_chips,
        "shuffle": shuffle,
        "seed": random_state,
    }
    stream = RowStream(catalog, sampler, recipe, **order)
    fresh = seeded(cloned(estimator), random_state)
    fit = _PartialFit(fresh, y_pipeline is not None, classes, stream, how)
    parts = {"sampler": repr(sampler), "adapter": repr(how), "nodata_policy": repr(policy)}
    labels = None if fit.classes is None else fit.classes.tolist()
    told = recipe_of(
        fresh, {"X_pipeline": X_pipeline, "y_pipeline": y_pipeline}, stream,
        {**parts, **order, "sample_weight": sample_weight, "classes": labels},
    )  # fmt: skip
    path = None if state is None else Path(state)
    progress = _taken_up(path, fresh, told, epochs)
    stream.summary = progress.summary

    def save() -> None:
        if path is not None:
            progress.summary = stream.summary
            save_progress(path, progress, told)

    fit.run(progress, epochs, save_every, save)
    return fit.model(progress, policy, X_pipeline)


def _check(sampler: Any, seed: Any, chunk_size: Any, epochs: Any, block_chips: Any, save_every: Any) -> None:
    from geotoolz.patch import Sampler

    if not isinstance(sampler, Sampler):
        raise ParameterError(
            f"the sampler is {type(sampler).__name__}", expected="a sampler of geotoolz.patch"
        )
    check_count(seed, "random_state", 0)
    counts = {
        "chunk_size": chunk_size,
        "epochs": epochs,
        "block_chips": block_chips,
        "save_every": save_every,
    }
    for name, count in counts.items():
        check_count(count, name, 1)


def _taken_up(path: Path | None, estimator: Any, recipe: Mapping[str, Any], epochs: int) -> Progress:
    """Return how far an earlier call has come, or the beginning."""
    found = None if path is None else load_progress(path, estimator, recipe)
    if found is None:
        return Progress(estimator)
    if found.position.epoch > epochs:
        raise ParameterError(
            f"{path} is the state after {found.position.epoch} epochs", expected=f"at most {epochs}"
        )
    return found


class _PartialFit:
    """The calls of ``partial_fit``, and the model that comes of them."""

    def __init__(
        self,
        estimator: Any,
        supervised: bool,
        classes: Iterable[int] | None,
        stream: RowStream,
        adapter: Adapter,
    ) -> None:
        if not callable(getattr(estimator, "partial_fit", None)):
            raise ParameterError(
                f"{type(estimator).__name__} has no partial_fit",
                expected="an estimator that learns chunk by chunk: SGDClassifier, MiniBatchKMeans, …",
                fix="fit_pixelwise fits it on a sample",
            )
        self._stream, self._adapter = stream, adapter
        self._takes = inspect.signature(estimator.partial_fit).parameters
        if not supervised and "y" in self._takes and self._takes["y"].default is inspect.Parameter.empty:
            raise ParameterError(f"a {type(estimator).__name__} without labels", expected="a y_pipeline")
        self.kind: Kind = kind_of(estimator, supervised)
        self.classes = _classes(classes, stream) if self.kind == "classifier" else None

    def run(self, progress: Progress, epochs: int, save_every: int, save: Callable[[], None]) -> None:
        """Go on until the last epoch is done."""
        while progress.position.epoch < epochs:
            epoch = progress.position.epoch
            progress.rows += [0] * (epoch + 1 - len(progress.rows))
            for chunk in self._stream.chunks(progress.position):
                self(progress, chunk.rows)
                progress.position = chunk.then
                if progress.chunks % save_every == 0:
                    save()
            self.require_done(progress)
            progress.position = Position(epoch + 1)
            save()

    def __call__(self, progress: Progress, rows: TrainingRows) -> None:
        """Hand a chunk to the estimator."""
        params: dict[str, Any] = {}
        if self.kind in ("classifier", "regressor"):
            params["y"] = self._labels(progress, rows)
        if self.classes is not None and "classes" in self._takes:
            params["classes"] = self.classes
        if rows.weights is not None:
            if "sample_weight" not in self._takes:
                raise ParameterError(
                    f"{type(progress.estimator).__name__} takes no weights", fix="leave sample_weight out"
                )
            params["sample_weight"] = rows.weights
        try:
            progress.estimator.partial_fit(self._adapter.shaped(rows.X, rows.features), **params)
        except ValueError as error:
            raise ParameterError(
                f"{type(progress.estimator).__name__} cannot take a chunk of {len(rows)} rows: {error}"
            ) from error
        progress.chunks += 1
        progress.rows[-1] += len(rows)

    def _labels(self, progress: Progress, rows: TrainingRows) -> Array:
        y = np.asarray(rows.y)
        if self.classes is None:
            return y.astype(np.float64)
        if y.ndim > 1:
            raise ParameterError(f"a classifier is given {y.shape[1]} labels per pixel", expected="one")
        labels = plain_labels(y)
        place = np.minimum(np.searchsorted(self.classes, labels), self.classes.size - 1)
        strange = np.unique(labels[self.classes[place] != labels])
        if strange.size:
            raise ParameterError(
                f"there are labels {', '.join(map(str, strange[:5].tolist()))}",
                expected=f"one of the classes {', '.join(map(str, self.classes.tolist()))}",
                fix="name all classes, or map the others: ReadLabel(…, classes={…})",
            )
        counts = np.bincount(place, minlength=self.classes.size)
        before = progress.seen or [0] * self.classes.size
        progress.seen = [int(a + b) for a, b in zip(before, counts, strict=True)]
        return labels

    def require_done(self, progress: Progress) -> None:
        """Raise where an epoch has given nothing to learn from."""
        if not progress.rows[-1]:
            raise TileError(
                "no pixel has both features and a label",
                expected="at least one",
                fix="look at one chip: are the labels where the scenes are, and is anything valid?",
            )
        if self.classes is not None and sum(count > 0 for count in progress.seen) < 2:
            one = self.classes[int(np.argmax(progress.seen))]
            raise ParameterError(
                f"all {progress.rows[-1]} rows are of the class {one}", expected="two classes or more"
            )

    def model(self, progress: Progress, policy: NanPolicy, pipeline: Operator | None) -> FittedPixelModel:
        """Return the model."""
        sample = next(self._stream.chunks(Position())).rows.X  # the same for a fit that was taken up again
        summary = progress.summary or self._stream.summary
        if summary is None:
            raise TileError("no row was read", expected="at least one chip")
        metrics = {
            "epochs": len(progress.rows), "chunks": progress.chunks, "rows": progress.rows[0],
            "rows_per_epoch": list(progress.rows),
        }  # fmt: skip
        return make_model(
            progress.estimator, replace(summary, n_rows=progress.rows[0]), kind=self.kind, sample=sample,
            adapter=self._adapter, nodata_policy=policy, pipeline=pipeline, metrics=metrics,
        )  # fmt: skip


def _classes(given: Any, stream: RowStream) -> Array:
    """Return all classes, ascending."""
    if given is not None and (isinstance(given, str) or not isinstance(given, Iterable)):
        raise ParameterError(f"classes={given!r}", expected="two whole numbers or more, each once")
    found = list(stream.first.class_names) if given is None else list(given)
    if not found:
        raise ParameterError(
            "the classes are not known: the labels have no legend",
            expected="classes=…, all of them: no chunk needs to hold every class",
        )
    values = plain_labels(np.asarray(found))
    classes = np.unique(values)
    if classes.size < len(found) or classes.size < 2 or classes.dtype.kind not in "iu":
        raise ParameterError(f"classes={found}", expected="two whole numbers or more, each once")
    return classes.astype(np.int64)
