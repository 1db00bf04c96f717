"""Pictures of what every step of a pipeline makes of a tile."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

from geotoolz.core import Observer, Operator, Sink, run
from geotoolz.core._draw import label
from geotoolz.core._lazy import xr
from geotoolz.viz._html import _TABLE, Html, head_row, picture_of, row


def show_steps(
    op: Operator,
    tile: xr.Dataset,
    bands: str | Sequence[str] | None = None,
    *,
    size: int = 192,
) -> Html:
    """Run a pipeline on a tile and show what every step made of it.

    A step is shown by what it wrote: a picture, an index, a mask; what it only changed, dropped or
    left alone is named beside it. Sinks are left out: nothing is written.

    Parameters
    ----------
    op : Operator
        The pipeline. Steps that need statistics must be frozen, or may take them from the tile.
    tile : xarray.Dataset
        The tile; a small one is enough.
    bands : str, or three of them, optional
        Draw these after every step that has them, instead of what the step wrote.
    size : int
        Pixels of each picture's longer side at most.

    Returns
    -------
    Html
        A `str`, which notebooks show.

    Raises
    ------
    GeotoolzError
        What the pipeline raises, with the step's path.

    Examples
    --------
    >>> import geotoolz as gz
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import BoxMean
    >>> from geotoolz.viz import Colormap, show_steps
    >>> pipeline = gz.Sequential([BoxMean(1), Colormap("nir", vmin=0, vmax=0.5)])
    >>> show_steps(pipeline, simulate_scene((32, 32))).count("<img")
    3
    """
    watch = _Watch()
    run(_without_sinks(op), tile, observers=[watch])
    rows = [head_row(["step", "shows", "wrote", "changed", "dropped", "seconds"])]
    rows.append(row(["input", picture_of(tile, _drawn(bands, tile), size), "", "", "", ""]))
    before = tile
    for step in watch.steps:
        rows.append(row(_cells(step, before, bands, size)))
        before = step.tile
    return Html(f"<table style='{_TABLE}'>{''.join(rows)}</table>")


@dataclass(frozen=True)
class _Step:
    path: str
    label: str
    tile: xr.Dataset
    seconds: float


@dataclass
class _Watch(Observer):
    """Keep every step's tile; untouched variables are shared."""

    steps: list[_Step] = field(default_factory=list)

    def step(self, path: str, op: Operator, tile: xr.Dataset, seconds: float) -> None:
        """Keep the tile after a step."""
        self.steps.append(_Step(path or type(op).__name__, label(op), tile, seconds))


def _without_sinks(op: Operator) -> Operator:
    """Return the pipeline without what writes."""
    steps = getattr(op, "operators", None)
    if isinstance(steps, tuple):
        return op.replace(operators=tuple(_without_sinks(o) for o in steps if not isinstance(o, Sink)))
    return op


def _cells(step: _Step, before: xr.Dataset, bands: str | Sequence[str] | None, size: int) -> list[str]:
    after = step.tile
    new = [str(name) for name in after.data_vars if name not in before]
    gone = [str(name) for name in before.data_vars if name not in after]
    changed = [
        str(name)
        for name in after.data_vars
        if name in before and after[name].variable._data is not before[name].variable._data
    ]
    shown = _drawn(bands, after)
    if shown is None:
        shown = _written(after, new, changed)
    said = f"<code>{html.escape(step.path)}</code><br>{html.escape(step.label)}"
    lists = [html.escape(", ".join(names)) for names in (new, changed, gone)]
    return [said, picture_of(after, shown, size, step.label), *lists, f"{step.seconds:.3g}"]


def _drawn(bands: str | Sequence[str] | None, tile: xr.Dataset) -> str | Sequence[str] | None:
    """Return the bands to draw, if they were given and the tile has them."""
    names = (bands,) if isinstance(bands, str) else tuple(bands or ())
    return names if names and all(name in tile for name in names) else None


def _written(tile: xr.Dataset, new: list[str], changed: list[str]) -> str | None:
    """Return the variable that shows a step best; None for the tile as a whole."""
    candidates = new or changed
    if any("color_interp" in tile[name].attrs for name in candidates):
        return None  # a finished picture, which is drawn as such
    if {"red", "green", "blue"} <= set(candidates):
        return None
    return candidates[0] if candidates else None
