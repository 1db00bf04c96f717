"""A QA60 layer that was never filled."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from geotoolz.cloud._decode import Found
from geotoolz.core import Assertion, Builder, Plan, QCWarning, State, TileSpec, flat_view

FIRST, LAST = "2022-01-25", "2024-02-28"
"""Between these days some archives hold QA60 layers without a single flag."""


class _EmptyQA60(Assertion):
    """Warn if every pixel of a QA60 layer is zero.

    A Reduce and not a note of the plan, because only all pixels together tell: a window without
    clouds is nothing strange. Whoever runs a single window of a scene hears about that window.

    Parameters
    ----------
    qa : str
        The layer's variable.
    """

    qa: str

    def plan(self, tile: TileSpec) -> Plan:
        """Read the layer."""
        return Plan((self.qa,))

    def init(self, tile: TileSpec, previous: Any = None) -> list[int]:
        """Return pixels seen and whether one of them was set."""
        return [0, 0]

    def update(self, state: list[int], *arrays: np.ndarray[Any, Any]) -> list[int]:
        """Look at a block."""
        state[0] += arrays[0].size
        # one set pixel settles it: later blocks are not looked at
        state[1] = state[1] or int(bool(np.any(flat_view(arrays[0]))))
        return state

    def merge(self, a: list[int], b: list[int]) -> list[int]:
        """Join what two workers saw."""
        return [a[0] + b[0], a[1] or b[1]]

    def finish(self, state: list[int]) -> int:
        """Return the number of pixels if all are zero, 0 if the layer holds something."""
        return 0 if state[1] else state[0]

    def decide(self, result: int, tile: TileSpec) -> None:
        """Warn."""
        if result:
            warnings.warn(
                f"all {result} pixels of {self.qa!r} are zero ({_when(tile)}): between {FIRST} and {LAST} "
                "some archives did not fill QA60, so zero does not mean clear; use scl, if it is there",
                QCWarning,
                stacklevel=2,
            )


def _when(tile: TileSpec) -> str:
    return str(tile.attrs.get("datetime") or "date unknown")


def doubtful(tile: TileSpec) -> bool | None:
    """Whether a tile's date lies where QA60 may be empty; None where the date is not known."""
    if "time" in tile.coords and tile.coords["time"].values.dtype.kind == "M":
        days = tile.coords["time"].values.astype("datetime64[D]")
        inside = (days >= np.datetime64(FIRST)) & (days <= np.datetime64(LAST))
        return bool(inside.any())
    day = str(tile.attrs.get("datetime") or "")[:10]
    return FIRST <= day <= LAST if day else None


def note(tile: TileSpec, found: Found) -> tuple[str, ...]:
    """Return what `check` says, which sees no pixels."""
    if found.layer.role != "qa60" or not doubtful(tile):
        return ()
    return (
        f"{found.title} of {_when(tile)}: between {FIRST} and {LAST} some archives did not fill QA60; "
        "a layer without a flag does not mean clear (the run warns of one)",
    )


def watch(found: Found, builder: Builder, state: State, path: str) -> None:
    """Put the check beside an operator that decodes QA60."""
    if found.layer.role == "qa60" and doubtful(state.spec) is not False:
        check = _EmptyQA60(found.names[0])
        builder.emit(check, state, f"{path}.qa60" if path else "qa60")
