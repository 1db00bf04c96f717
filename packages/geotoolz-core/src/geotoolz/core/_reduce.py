"""Operators that gather statistics, and steps that are parameterised by statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from geotoolz.core._errors import NotFrozenError
from geotoolz.core._lazy import xr
from geotoolz.core._map import Map, TileOperator
from geotoolz.core._operator import Operator
from geotoolz.core._specs import Plan, TileSpec

if TYPE_CHECKING:
    from geotoolz.core._builder import Builder, State

F = TypeVar("F", bound="Freezable")


class Reduce(Operator, abstract=True):
    """Base of statistics over pixels, computed in any order and in any number of parts.

    `update` and `merge` must give results that do not depend on the order in which blocks come:
    count in integers, sum exactly, compare.

    Attributes
    ----------
    passes : int
        How often the pixels are visited; the result of a pass is handed to `init` of the next.
    located : bool
        Whether `update` is told which pixels it gets, by the keyword ``extent`` (an `Extent` on the
        lattice of the parent grid): for samples that do not depend on how the tile is cut.
    block_pixels : int
        Pixels per block where pixels come straight from the tile, if more than the runner's own: for
        an `update` that makes no arrays of the size of its input.
    """

    passes: ClassVar[int] = 1
    located: ClassVar[bool] = False
    block_pixels: ClassVar[int] = 0

    def plan(self, tile: TileSpec) -> Plan:
        """Say which variables are read; a Reduce writes nothing."""
        raise NotImplementedError(f"{type(self).__name__} has no plan")

    def n_passes(self, tile: TileSpec) -> int:
        """Return how often the pixels of a tile must be visited."""
        return type(self).passes

    def is_final(self, result: Any) -> bool:
        """Whether what a pass finished with is the result already, so that no further pass is needed."""
        return False

    def init(self, tile: TileSpec, previous: Any = None) -> Any:
        """Return the empty state of a pass; `previous` is what the last pass finished with."""
        raise NotImplementedError(f"{type(self).__name__} has no init")

    def update(self, state: Any, *arrays: Any) -> Any:
        """Return the state with the pixels of one block taken in (it may be changed in place)."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def merge(self, a: Any, b: Any) -> Any:
        """Return the state of both (it may be changed in place)."""
        raise NotImplementedError(f"{type(self).__name__} has no merge")

    def finish(self, state: Any) -> Any:
        """Return the result of a pass."""
        raise NotImplementedError(f"{type(self).__name__} has no finish")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Register the statistic; the tile passes unchanged."""
        from geotoolz.core._builder import Reduction

        plan = self.plan(state.spec)
        builder.note(path, self, plan.notes)
        reads = tuple(state.slots[name] for name in plan.all_reads())
        builder.reductions.append(Reduction(path, self, state.spec, reads))
        return state

    def __call__(self, tile: xr.Dataset, /) -> Any:
        """Return the statistic of a tile."""
        from geotoolz.core._run import reduce_tile

        return reduce_tile(self, tile)


QC_FAILED = "qc_failed"
"""Attribute of a tile that lists the checks it failed, each with what was found."""


class Assertion(Reduce, TileOperator, abstract=True):
    """A Reduce that lets pixels pass and decides, once all are seen, whether they are good.

    In a pipeline the decision falls before a sink commits, so nothing bad is published.
    """

    def decide(self, result: Any, tile: TileSpec) -> None:
        """Raise `QCError` or warn `QCWarning` if the finished statistic is not acceptable."""
        raise NotImplementedError(f"{type(self).__name__} decides nothing")

    @property
    def is_marking(self) -> bool:
        """Whether the verdict is written into the tile's attributes by `marks`."""
        return False

    def marks(self, result: Any, tile: TileSpec) -> Mapping[str, Any]:
        """Return attributes that tell the verdict; lists are added to those that the tile has.

        They are set after the run, before a sink writes. A lazy tile is refused where `is_marking`
        is true: its attributes exist before its pixels.
        """
        return {}

    def __call__(self, tile: Any, /, *more: Any) -> Any:
        """Check a tile and return it unchanged, or add the check to a graph."""
        return TileOperator.__call__(self, tile, *more)


class Freezable(Map, abstract=True):
    """A Map that needs statistics of the whole scene before it can treat a pixel.

    `statistics` names the Reduce, `freeze` binds its result. An unfrozen step run on a whole tile
    freezes itself on that tile (two visits of the pixels); windows, lazy arrays and streams refuse
    it by name, because they would give every window statistics of its own.

    Subclasses have a field ``scope``: ``"tile"`` allows that, ``"catalog"`` refuses to run before
    the statistics were frozen with `geotoolz.core.freeze`.
    """

    @property
    def is_frozen(self) -> bool:
        """Whether the statistics are known."""
        raise NotImplementedError(f"{type(self).__name__} does not say whether it is frozen")

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the Reduce whose result `freeze` takes."""
        raise NotImplementedError(f"{type(self).__name__} has no statistics")

    def freeze(self: F, result: Any) -> F:
        """Return this step with its statistics bound."""
        raise NotImplementedError(f"{type(self).__name__} cannot be frozen")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Add the calls; remember that statistics are missing."""
        from geotoolz.core._builder import Unfrozen

        if not self.is_frozen:
            builder.unfrozen.append(Unfrozen(path, self, state))
        return builder.apply(self, self.plan(state.spec), state, path)


def not_frozen(path: str, op: Operator, who: str) -> NotFrozenError:
    """Return the error of a driver that cannot honour an unfrozen step."""
    where = f"{path} ({type(op).__name__})" if path else type(op).__name__
    error = NotFrozenError(
        f"{where} needs statistics of the whole scene, and {who}",
        fix="bind them first: pipeline = geotoolz.core.freeze(pipeline, tile_or_sample)",
    )
    error.path = path  # type: ignore[attr-defined]
    return error
