"""Which chips to label next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from geotoolz.core import Operator, ParameterError, Reduce, Sequential, TileSpec, compile, image_bands
from geotoolz.core._lazy import xr
from geotoolz.learn._active_centres import best, k_centres
from geotoolz.patch import CatalogPatches, Patch, Placed, Sampler, Source
from geotoolz.patch._line import Boundary
from geotoolz.patch._sampler import generator

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ScoredChip:
    """A chip that was chosen, and why.

    Attributes
    ----------
    patch : Patch
        The chip; ``patch.index`` is its number in the pool, ``patch.tile`` its pixels.
    score : float
        What the score operator said of it.
    """

    patch: Patch
    score: float


class ActiveSampler(Sampler):
    """The chips that a model would learn most from: those with the highest scores, or a spread of them.

    Call it with a catalog (or scenes, or tiles): it goes through the base sampler's chips, scores them one by
    one and returns `k` of all scenes together. Scoring a pool is dear; `presample` and `screen` make it
    cheap. As the sampler of a `PatchGrid` it chooses `k` chips of one scene. Equal input gives equal chips,
    in equal order; of equal scores the chip that comes first wins.

    Parameters
    ----------
    base : Sampler
        Where the chips of the pool lie.
    score_op : Operator
        Tile → one number, high where a label is wanted: a pipeline that ends in a Reduce, such as
        ``Sequential([PixelwiseProbabilities(model, classes=(), uncertainty="entropy"),
        MeanScalar("entropy")])``. A chip that scores NaN (no valid pixel) is never chosen.
    k : int
        How many chips.
    mode : {"top", "diverse"}
        The highest scores; or, of the ``spread · k`` highest, those that look least alike (k-centres,
        beginning with the highest score): a top list alone may be all of one kind.
    presample : float
        Share of the pool that is looked at, drawn at random.
    screen : Operator, optional
        A cheap score; only the ``screen_keep`` share of chips that it ranks highest is scored by `score_op`.
    screen_keep : float
        Share of the chips that pass the screen.
    features : Operator, optional
        For ``"diverse"``: what it creates (the features of a model, for instance), or keeps if it creates
        nothing, is averaged over each chip: one number per variable. Without it, mean and standard deviation
        of the chip's bands.
    spread : int
        For ``"diverse"``: how many times `k` candidates are spread.
    seed : int
        Of `presample`.

    Raises
    ------
    ParameterError
        If a number is out of range, or a score operator does not end in a Reduce with one result.

    References
    ----------
    Gonzalez, T. F. (1985). Clustering to minimize the maximum intercluster distance. Theoretical Computer
    Science 38, 293–306. Sener, O., Savarese, S. (2018). Active learning for convolutional neural networks: a
    core-set approach. ICLR.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import ActiveSampler
    >>> from geotoolz.metrics import MeanScalar
    >>> from geotoolz.patch import GridSampler
    >>> scenes = [simulate_scene((64, 64), bands=("red", "nir"), seed=n) for n in (1, 2)]
    >>> chosen = ActiveSampler(GridSampler(16), MeanScalar("red"), k=3)(scenes)
    >>> [one.score >= other.score for one, other in zip(chosen, chosen[1:])]
    [True, True]
    """

    base: Sampler
    score_op: Operator
    k: int
    mode: Literal["top", "diverse"] = "top"
    presample: float = 1.0
    screen: Operator | None = None
    screen_keep: float = 0.25
    features: Operator | None = None
    spread: int = 5
    seed: int = 0

    def validate(self) -> None:
        """Check the numbers, and that what is given has an effect."""
        for name, least in (("k", 1), ("spread", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise ParameterError(f"{name}={getattr(self, name)}", expected=f"{least} or more")
        for name in ("presample", "screen_keep"):
            if not 0 < getattr(self, name) <= 1:
                raise ParameterError(
                    f"{name}={getattr(self, name)}", expected="a share: more than 0, at most 1"
                )
        if self.features is not None and self.mode != "diverse":
            raise ParameterError("features has no effect with mode='top'", fix="mode='diverse'")
        for name in ("score_op", "screen"):
            if getattr(self, name) is not None:
                _split(getattr(self, name), name)

    @property
    def at_the_edge(self) -> Boundary:
        """What happens to chips that reach beyond the scene: as of the base."""
        return self.base.at_the_edge

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips of one scene.

        Parameters
        ----------
        source : Source
            The scene; its pixels are read to score them.
        epoch : int
            Of the base sampler, and of `presample`.
        """
        return Placed(tuple(one.patch.chip for one in self([source], epoch=epoch)))

    def __call__(
        self,
        catalog: Any,
        *,
        bands: str | Sequence[str] | None = None,
        labelled: Iterable[int] = (),
        epoch: int = 0,
    ) -> tuple[ScoredChip, ...]:
        """Score the pool and choose.

        Parameters
        ----------
        catalog : GeoCatalog or iterable of scenes
            The pool; whatever `CatalogPatches` takes. One tile is a pool of one scene.
        bands : str or sequence of str, optional
            Variables to read; all by default.
        labelled : iterable of int
            Numbers (``patch.index``) of chips that have labels: they are not chosen again, and ``"diverse"``
            stays away from what looks like them.
        epoch : int
            Of the base sampler, and of `presample`.

        Returns
        -------
        tuple of ScoredChip
            `k`, or fewer where the pool has fewer with a score. Best first; for ``"diverse"`` in the order
            in which they were chosen.
        """
        scenes = [catalog] if isinstance(catalog, xr.Dataset) else catalog
        pool = CatalogPatches(scenes, self.base, bands, epoch)
        known = set(labelled)
        numbers: Iterable[int] = [n for n in self._drawn(len(pool), epoch) if n not in known]
        if self.screen is not None:
            count = math.ceil(self.screen_keep * len(list(numbers)))
            cheap = best(_scores(self.screen, pool, numbers, "screen"), count)
            numbers = sorted(number for _, number in cheap)
        wanted = self.k if self.mode == "top" else self.k * self.spread
        ranked = best(_scores(self.score_op, pool, numbers, "score_op"), wanted)
        if self.mode == "diverse" and ranked:
            table = self._features(pool, [number for _, number in ranked])
            seen = self._features(pool, sorted(known)) if known else None
            ranked = [ranked[row] for row in k_centres(table, self.k, seen)]
        return tuple(ScoredChip(pool[number], score) for score, number in ranked)

    def _drawn(self, count: int, epoch: int) -> list[int]:
        """Return the numbers of the chips that are looked at, in the pool's order."""
        if self.presample == 1:
            return list(range(count))
        order = generator(self.seed, epoch, 0).permutation(count)
        return sorted(order[: math.ceil(self.presample * count)].tolist())

    def _features(self, pool: CatalogPatches, numbers: Sequence[int]) -> Array:
        return np.array([_described(self.features, pool[number].tile) for number in numbers])


def _scores(
    op: Operator, pool: CatalogPatches, numbers: Iterable[int], role: str
) -> Iterator[tuple[float, int]]:
    before, reduce = _split(op, role)
    for number in numbers:
        tile = pool[number].tile
        found: Any = reduce(tile if before is None else before(tile))
        try:
            score = float(found)
        except TypeError as error:
            raise ParameterError(
                f"{role} ends in {type(reduce).__name__}, which returns {type(found).__name__}",
                expected="one number per chip",
                fix="geotoolz.metrics.MeanScalar(…)",
            ) from error
        yield score, number


def _split(op: Operator, role: str) -> tuple[Any, Reduce]:
    """Return what makes pixels, and what makes a number of them: a called pipeline returns its pixels."""
    if isinstance(op, Reduce):
        return None, op
    if isinstance(op, Sequential) and op.operators:
        inner, reduce = _split(op.operators[-1], role)
        body = [*op.operators[:-1], *([] if inner is None else [inner])]
        return Sequential(body) if body else None, reduce
    raise ParameterError(
        f"{role} ends in {type(op).__name__}",
        expected="one number per chip",
        fix="end it in a Reduce with one result, such as geotoolz.metrics.MeanScalar",
    )


def _described(op: Any, tile: xr.Dataset) -> list[float]:
    """Return a number per variable that the operator creates; without one, mean and deviation per band."""
    if op is None:
        planes = [_valid(tile, name) for name in image_bands(TileSpec.of(tile))]
        return [float(f(p)) if p.size else 0.0 for p in planes for f in (np.mean, np.std)]
    made = op(tile)
    names = compile(op, TileSpec.of(tile)).created or image_bands(TileSpec.of(made))
    planes = [_valid(made, name) for name in names]
    return [float(p.mean()) if p.size else 0.0 for p in planes]


def _valid(tile: xr.Dataset, name: str) -> Array:
    values = np.asarray(tile[name].values)
    nodata = TileSpec.of(tile).variables[name].nodata_scalar
    kept = values[values != nodata].astype(np.float64)
    found: Array = kept[np.isfinite(kept)]
    return found
