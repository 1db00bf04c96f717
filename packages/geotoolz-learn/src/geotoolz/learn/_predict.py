"""From arrays of a tile to what a model says of every pixel."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import TileError
from geotoolz.learn._adapters import ToPixelMajor
from geotoolz.learn._calls import known_finite
from geotoolz.learn._estimators import is_tree, takes_columns
from geotoolz.learn._gather import fill_rows, run_of, validity
from geotoolz.learn._handle import ModelHandle
from geotoolz.learn._layout import Layout
from geotoolz.learn._model import FittedPixelModel

Array = np.ndarray[Any, Any]
Compute = Callable[[FittedPixelModel, Array], tuple[Array, ...]]

ROWS = 65_536
"""Rows that an estimator is handed at once, at least where there are as many, and less than twice as many."""

CHEAP_ROWS = 2 * ROWS
"""The same for estimators whose prediction costs hardly more than a pass over the rows."""

TREE_ROWS = 4 * ROWS
"""The same for a single tree, which is fastest on many rows."""


@dataclass(frozen=True)
class PixelCall:
    """What is asked of a model for every pixel.

    Attributes
    ----------
    handle : ModelHandle
        The model.
    layout : Layout
        How the tile becomes rows.
    compute : callable
        From the model and rows to one array ``(rows,)`` per output; carries its parameters.
    dtypes, fills : tuple
        Type and no-data value of every output.
    nodata : str
        ``"mask"``, ``"propagate"`` or ``"raise"``.
    """

    handle: ModelHandle
    layout: Layout
    compute: Compute
    dtypes: tuple[np.dtype[Any], ...]
    fills: tuple[float, ...]
    nodata: str

    def __call__(self, arrays: list[Array]) -> tuple[Array, ...]:
        """Return the outputs of a window."""
        planes = self.layout.planes(arrays)
        shape = self._shape(arrays)
        dtype = np.dtype(self.handle.info.dtype)
        every, some = validity(planes, dtype)
        if self.nodata == "raise" and not every.all():
            raise TileError(
                f"{int((~every).sum())} of {every.size} pixels lack a feature",
                expected="no no-data, as nodata='raise' asks for",
                fix="nodata='mask' writes no-data there, nodata='propagate' hands NaN to the estimator",
            )
        wanted = some if self.nodata == "propagate" else every
        outs = [np.full(every.size, fill, kind) for fill, kind in zip(self.fills, self.dtypes, strict=True)]
        if wanted.any():
            self._predict(planes, wanted, outs, np.dtype(dtype))
        return tuple(out.reshape(shape) for out in outs)

    def _shape(self, arrays: list[Array]) -> tuple[int, ...]:
        space: tuple[int, ...] = arrays[0].shape[-2:]
        if not self.layout.lead:
            return space
        along = next(a for a, has in zip(arrays, self.layout.has_lead, strict=True) if has)
        return (along.shape[0], *space)

    def _predict(
        self, planes: list[tuple[Array, float]], wanted: Array, outs: list[Array], dtype: np.dtype[Any]
    ) -> None:
        model = self.handle.load()
        columns = isinstance(model.adapter, ToPixelMajor) and takes_columns(model.estimator)
        least = CHEAP_ROWS if columns else TREE_ROWS if is_tree(model.estimator) else ROWS
        index = None if wanted.all() else np.flatnonzero(wanted)
        edges = parts(wanted.size if index is None else index.size, least)
        most = max(b - a for a, b in edges)
        # columns are made in half the time of rows, which counts where little else is done
        rows = np.empty((len(planes), most), dtype).T if columns else np.empty((most, len(planes)), dtype)
        for first, end in edges:
            mine = slice(first, end) if index is None else run_of(index[first:end])
            part = rows[: end - first]
            fill_rows(planes, mine, part, blank=self.nodata == "propagate")
            with known_finite(model.estimator) if self.nodata != "propagate" else nullcontext():
                found = self.compute(model, part)
            for out, values in zip(outs, found, strict=True):
                out[mine] = values

    def __dask_tokenize__(self) -> tuple[str, str]:
        return (self.handle.key, repr((self.layout, self.compute, self.dtypes, self.fills, self.nodata)))


def parts(count: int, least: int = ROWS) -> list[tuple[int, int]]:
    """Cut rows into parts of one size, `least` at least.

    Small calls are the trap: a forest takes ten times as long per row for 64 rows as for 65 536.

    Examples
    --------
    >>> parts(10), parts(3 * ROWS + 2)[-1]
    ([(0, 10)], (131073, 196610))
    """
    number = max(count // least, 1)
    edges = [count * i // number for i in range(number + 1)]
    return list(itertools.pairwise(edges))


def predict_tile(*given: Any) -> Any:
    """Kernel of all pixelwise operators: arrays of the tile, then the `PixelCall`."""
    *arrays, call = given
    outs = call(arrays)
    return outs if len(outs) > 1 else outs[0]
