"""What assertions share: a verdict, and what follows from a bad one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from geotoolz.core import Assertion, Builder, Plan, QCError, QCWarning, State, TileSpec
from geotoolz.core._reduce import QC_FAILED

OnFail = Literal["raise", "warn", "tag"]
"""What a check may do with a tile that is not good enough."""

TAG = QC_FAILED
"""Attribute of a tile that lists the failed checks, each with what was found.

No colon: a batch run takes such attributes for the fields of the source's STAC item, and drops them.
"""

_FIX = "look at the tile; loosen the assertion, or on_fail='warn', if it is good enough"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check has to say about a tile.

    Attributes
    ----------
    passed : bool
        Whether the tile is good enough.
    found, expected : str
        In numbers and names.
    """

    passed: bool
    found: str
    expected: str


class TileAssertion(Assertion, abstract=True):
    """An assertion whose verdict can be asked for, and is then told by an error or a warning."""

    def judge(self, result: Any, tile: TileSpec) -> Verdict:
        """Return the verdict on a finished statistic and the tile's description."""
        raise NotImplementedError(f"{type(self).__name__} judges nothing")

    def decide(self, result: Any, tile: TileSpec) -> None:
        """Raise `QCError` or warn `QCWarning` after a bad verdict."""
        verdict = self.judge(result, tile)
        if verdict.passed:
            return
        if self.parameters()["on_fail"] == "raise":
            raise self._error(verdict, tile)
        if self.parameters()["on_fail"] == "warn":
            warnings.warn(str(self._error(verdict, tile)), QCWarning, stacklevel=2)

    @property
    def is_marking(self) -> bool:
        """Whether a bad verdict becomes a tag of the tile."""
        return bool(self.parameters()["on_fail"] == "tag")

    def marks(self, result: Any, tile: TileSpec) -> Mapping[str, Any]:
        """Return the tag of a tile that is not good enough."""
        verdict = self.judge(result, tile)
        if verdict.passed or not self.is_marking:
            return {}
        return {TAG: [f"{type(self).__name__}: {verdict.found}; expected {verdict.expected}"]}

    def _error(self, verdict: Verdict, tile: TileSpec, who: bool = True) -> QCError:
        name = f"{type(self).__name__}: " if who else ""
        tile_id = tile.attrs.get("tile_id")
        found = f"{name}{verdict.found}" + (f" (tile {tile_id})" if tile_id else "")
        return QCError(found, expected=verdict.expected, fix=_FIX)


class PlanAssertion(TileAssertion, abstract=True):
    """An assertion about the tile's description: no pixel is read.

    What is wrong is known when the pipeline is planned. So `geotoolz.check` finds it, a run that
    would fail stops before its first pixel, and the tag is part of the planned tile, whole, streamed
    or lazy.
    """

    block_pixels: ClassVar[int] = 1 << 40
    is_marking = False  # its tag is planned

    def marks(self, result: Any, tile: TileSpec) -> Mapping[str, Any]:
        """Return nothing: the tag stands in the plan."""
        return {}

    def plan(self, tile: TileSpec) -> Plan:
        """Read nothing; say what is wrong, and tag the tile if that was asked for."""
        verdict = self.judge(None, tile)
        if verdict.passed:
            return Plan()
        text = f"{verdict.found}; expected {verdict.expected}"
        if self.parameters()["on_fail"] == "tag":
            return Plan(attrs={TAG: tagged(tile, f"{type(self).__name__}: {text}")}, notes=(text,))
        return Plan(notes=(text,))

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Raise at once if the tile is not acceptable; pass the tile on, tagged maybe."""
        verdict = self.judge(None, state.spec)
        # while all cases of a Switch are explored, none has been chosen yet
        if not verdict.passed and self.parameters()["on_fail"] == "raise" and not builder.explore:
            raise self._error(verdict, state.spec, who=not path)
        after = super().emit(builder, state, path)
        attrs = self.plan(state.spec).attrs
        return builder.apply(self, Plan(attrs=attrs), after, path) if attrs else after

    def init(self, tile: TileSpec, previous: Any = None) -> None:
        """Return nothing: there are no pixels to gather."""

    def update(self, state: None, *arrays: Any) -> None:
        """Take nothing in."""

    def merge(self, a: None, b: None) -> None:
        """Merge nothing."""

    def finish(self, state: None) -> None:
        """Return nothing."""


def tagged(tile: TileSpec, text: str) -> list[str]:
    """Return the tag of a tile with one more entry."""
    held = tile.attrs.get(TAG, [])
    before = [held] if isinstance(held, str) else [str(entry) for entry in held]
    return before if text in before else [*before, text]
