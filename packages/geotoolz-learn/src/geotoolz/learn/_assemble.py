"""Reading training rows of a catalog: quotas per chip, scene by scene."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import BatchError, ParameterError, TileError
from geotoolz.learn._chips import ChipRows, Recipe, SceneRows, in_crs
from geotoolz.learn._classes import plain_labels, same_names
from geotoolz.learn._quota import class_targets, shared_out
from geotoolz.learn._training import TrainingRows

if TYPE_CHECKING:
    from geotoolz.batch import Engine
    from geotoolz.patch import CatalogPatches, Sampler

Array = np.ndarray[Any, Any]
Balance = str | Mapping[Any, float] | None


@dataclass(frozen=True)
class Take:
    """Which of a chip's pixels are read: from one to another place of its own shuffled order.

    Attributes
    ----------
    chip : int
        Number of the chip.
    spans : mapping of label to (int, int)
        First place and the one behind the last, per class; under None of all pixels.
    """

    chip: int
    spans: Mapping[Any, tuple[int, int]]


@dataclass(frozen=True)
class Job:
    """A scene with its chips; what a worker is handed."""

    scene: Any
    extents: Mapping[int, tuple[Any, Array | None]]
    takes: tuple[Take, ...]
    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class Read:
    """What came of a chip: how many pixels it has per class (None: all), and the rows that were taken."""

    chip: int
    counts: Mapping[Any, int]
    rows: TrainingRows


class CatalogRows:
    """The training rows of a catalog's chips.

    Parameters
    ----------
    catalog : GeoCatalog or sequence of scenes
        The scenes: whatever `geotoolz.patch.as_source` takes.
    sampler : Sampler
        Where the chips lie.
    recipe : Recipe
        How they become rows.
    epoch : int
        Samplers with randomness choose other chips in every epoch.
    """

    def __init__(self, catalog: Any, sampler: Sampler, recipe: Recipe, epoch: int = 0) -> None:
        from geotoolz.patch import CatalogPatches

        if getattr(sampler.parameters().get("geometry"), "time", None) is not None:
            raise ParameterError("the chips are cut along time", expected="a geometry without time")
        self.scenes = list(catalog.tiles() if callable(getattr(catalog, "tiles", None)) else _listed(catalog))
        self.recipe = recipe
        self.patches: CatalogPatches = CatalogPatches(self.scenes, sampler, epoch=epoch)
        self._ends = list(itertools.accumulate(len(grid) for grid in self.patches.grids))
        self._open: tuple[int, SceneRows] | None = None

    def __len__(self) -> int:
        return len(self.patches)

    def scene_of(self, chip: int) -> int:
        """Return the number of a chip's scene."""
        return bisect.bisect_right(self._ends, range(len(self))[chip])

    def chip(self, number: int) -> ChipRows:
        """Read a chip; chips of one scene after another share what was found out about it."""
        scene = self.scene_of(number)
        if self._open is None or self._open[0] != scene:
            self._open = (scene, SceneRows(self.patches.grids[scene].source, self.recipe))
        return self._open[1].chip(*self._place(number))

    def _place(self, number: int) -> tuple[Any, Array | None]:
        patch = self.patches[number]
        masked = getattr(patch.grid.sampler, "inside", None) is not None
        return patch.chip.extent, patch.inside() if masked else None

    def jobs(self, takes: Sequence[Take], seed: int) -> Iterator[Job]:
        """Yield one job per scene, with its chips in the order in which they lie in the file."""
        by_scene: dict[int, list[Take]] = defaultdict(list)
        for take in takes:
            by_scene[self.scene_of(take.chip)].append(take)
        for scene, mine in sorted(by_scene.items()):
            places = {take.chip: self._place(take.chip) for take in mine}
            mine.sort(key=lambda t: (places[t.chip][0].y0, places[t.chip][0].x0))
            yield Job(self.scenes[scene], places, tuple(mine), self.recipe, seed)


def _listed(catalog: Any) -> Sequence[Any]:
    import xarray as xr

    single = isinstance(catalog, xr.Dataset | str | PathLike | Mapping) or not isinstance(catalog, Iterable)
    return [catalog] if single else list(catalog)


def read_job(job: Job) -> list[Read]:
    """Read the chips of a scene: the function that workers run."""
    from geotoolz.patch import as_source

    scene = SceneRows(as_source(job.scene), job.recipe)
    found = []
    for take in job.takes:
        chip = scene.chip(*job.extents[take.chip])
        by_class = not (set(take.spans) <= {None})
        found.append(Read(take.chip, _counts(chip, by_class or not take.spans), _taken(chip, take, job.seed)))
    return found


def _counts(chip: ChipRows, by_class: bool) -> dict[Any, int]:
    counts: dict[Any, int] = {None: len(chip)}
    if by_class and chip.labels is not None and chip.labels.ndim == 1:
        labels, numbers = np.unique(plain_labels(chip.labels), return_counts=True)
        counts.update(zip(labels.tolist(), numbers.tolist(), strict=True))
    return counts


def _taken(chip: ChipRows, take: Take, seed: int) -> TrainingRows:
    """Return rows of a chip in an order of its own: more rows always keep those taken before."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(take.chip,))))
    order = rng.permutation(len(chip))
    chosen = [np.empty(0, np.int64)]
    for label, (first, end) in take.spans.items():
        mine = (
            order
            if label is None or chip.labels is None
            else order[plain_labels(chip.labels)[order] == label]
        )
        chosen.append(mine[first:end])
    return chip.rows(np.concatenate(chosen))


def gathered(
    rows: CatalogRows,
    n_pixels: int | None,
    balance: Balance,
    seed: int,
    engine: str | Engine,
    n_workers: int | None = None,
) -> TrainingRows:
    """Return rows of a catalog: exactly as many as were asked for, or as there are.

    Every chip gives the same number, as far as it has them. Chips are read once; those that must make up for
    others a second time. With `balance` all chips are counted first.

    Raises
    ------
    TileError
        If there is no pixel with features and label.
    """
    every = range(len(rows))

    def read(takes: Sequence[Take]) -> list[Read]:
        return _run(rows.jobs(takes, seed), engine, n_workers)

    if n_pixels is None:
        if balance is not None:
            raise ParameterError("balance without n_pixels", expected="how many rows there shall be")
        found = read([Take(chip, {None: (0, 2**62)}) for chip in every])
        return _joined(found, None)
    if balance is not None:
        looked = read([Take(chip, {}) for chip in every])
        counted = {one.chip: one.counts for one in looked}
        named = {name: code for one in looked for code, name in one.rows.class_names.items()}
        return _joined(read(_balanced(counted, n_pixels, _by_codes(balance, named), seed)), n_pixels)
    guess = -(-n_pixels // max(len(rows), 1))
    found = read([Take(chip, {None: (0, guess)}) for chip in every])
    counts = {one.chip: one.counts[None] for one in found}
    shares = dict(
        zip(every, shared_out(np.array([counts[c] for c in every]), n_pixels, seed).tolist(), strict=True)
    )
    kept = [
        replace(one, rows=one.rows.take(np.arange(min(shares[one.chip], len(one.rows))))) for one in found
    ]
    more = [Take(chip, {None: (guess, share)}) for chip, share in shares.items() if share > guess]
    return _joined([*kept, *read(more)], n_pixels)


def _by_codes(balance: str | Mapping[Any, float], named: Mapping[str, int]) -> str | Mapping[Any, float]:
    """Return shares by label where they are told by the names of classes."""
    if not isinstance(balance, Mapping):
        return balance
    return {named.get(label, label) if isinstance(label, str) else label: n for label, n in balance.items()}


def _balanced(
    counted: Mapping[int, Mapping[Any, int]], n_pixels: int, balance: str | Mapping[Any, float], seed: int
) -> list[Take]:
    totals: Counter[Any] = Counter()
    for counts in counted.values():
        totals.update({label: n for label, n in counts.items() if label is not None})
    if not totals:
        raise ParameterError("balance without labels", expected="a y_pipeline that makes one label")
    targets = class_targets(totals, n_pixels, balance)
    chips = sorted(counted)
    spans: dict[int, dict[Any, tuple[int, int]]] = {chip: {} for chip in chips}
    for label, target in targets.items():
        have = np.array([counted[chip].get(label, 0) for chip in chips])
        for chip, share in zip(chips, shared_out(have, target, seed).tolist(), strict=True):
            if share:
                spans[chip][label] = (0, share)
    return [Take(chip, mine) for chip, mine in spans.items() if mine]


def _joined(found: Sequence[Read], asked: int | None) -> TrainingRows:
    ordered = [one.rows for one in sorted(found, key=lambda one: one.chip) if len(one.rows)]
    if not ordered:
        raise TileError(
            "no pixel has both features and a label" if found else "there is no chip",
            expected="at least one",
            fix="look at one chip: are the labels where the scenes are, and is anything valid?",
        )
    names: dict[int, str] = {}
    for part in ordered:
        where = str(part.tile_ids[0]) if part.tile_ids is not None else "another scene"
        same_names(names, part.class_names, where)
        names.update(part.class_names)
        if part.quantities != ordered[0].quantities:
            raise TileError(
                f"the features of {where} hold {dict(part.quantities)}",
                expected=f"{dict(ordered[0].quantities)}, as in the scenes before",
            )
    home = next((part.crs for part in ordered if part.crs is not None), None)
    dtype = np.result_type(*(part.X.dtype for part in ordered))
    parts = [replace(in_crs(part, home), X=part.X.astype(dtype, copy=False)) for part in ordered]
    return replace(TrainingRows.concatenate(parts), asked=asked)


def _run(jobs: Iterator[Job], engine: str | Engine, n_workers: int | None) -> list[Read]:
    if engine == "inline":
        return [one for job in jobs for one in read_job(job)]
    from geotoolz.batch import get_engine

    return [one for found in _on_engine(get_engine(engine, n_workers), read_job, list(jobs)) for one in found]


def _on_engine(engine: Engine, fn: Callable[[Any], Any], payloads: Sequence[Any]) -> list[Any]:
    """Call a function on payloads, and return what it gave in their order."""
    done: dict[int, Any] = {}
    engine.start(fn)
    waiting, under_way = list(enumerate(payloads)), 0
    try:
        while waiting or under_way:
            while waiting and under_way < engine.window:
                ticket, payload = waiting.pop(0)
                engine.submit(ticket, payload)
                under_way += 1
            for completion in engine.wait(1.0):
                under_way -= 1
                if completion.failure is not None:
                    if completion.failure.exception is not None:
                        raise completion.failure.exception
                    what, number = completion.failure.message, completion.ticket + 1
                    raise BatchError(
                        f"scene {number} of {len(payloads)} was not read: {what}",
                        fix="engine='inline' raises the error itself",
                    )
                done[completion.ticket] = completion.value
    finally:
        engine.stop(now=len(done) < len(payloads))
    return [done[ticket] for ticket in range(len(payloads))]
