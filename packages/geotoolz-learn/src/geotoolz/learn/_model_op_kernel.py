"""Kernels of model operators: patches of one size go through the network in batches of one size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from geotoolz.core import Extent, ParameterError, VarSpec
from geotoolz.learn._gather import missing
from geotoolz.learn._model_op_cells import Axis, Piece
from geotoolz.learn._model_op_network import Network
from geotoolz.learn._model_op_outputs import Outputs, fill_of
from geotoolz.learn._uncertainty import Dropout, Passes

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Inputs:
    """How planes of a tile become channels.

    Parameters
    ----------
    offset, scale : tuple of float
        Of the normalisation.
    nodata : tuple of float
        Of every variable; NaN where it has none.
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    nodata: tuple[float, ...]

    def channels(self, planes: Sequence[Array]) -> tuple[Array, Array]:
        """Return float32 ``(channel, y, x)`` and which pixels have every input.

        Where one lacks data it is 0 after the normalisation: the mean of training, if that is its offset.
        """
        kind = np.dtype(np.float32)
        x = np.empty((len(planes), *planes[0].shape), kind)
        valid = np.ones(planes[0].shape, bool)
        for number, plane in enumerate(planes):
            gone = missing(plane, self.nodata[number], kind)
            with np.errstate(invalid="ignore", over="ignore"):
                np.subtract(
                    plane, kind.type(self.offset[number]), out=x[number], dtype=kind, casting="unsafe"
                )
                x[number] /= kind.type(self.scale[number])
            x[number][gone] = 0
            valid &= ~gone
        return x, valid


@dataclass
class Window:
    """A window of one plane: what goes in, and where the results are put."""

    x: Array
    valid: Array
    rows: Axis
    cols: Axis
    at: tuple[int, int]
    outs: list[Array] = field(default_factory=list)

    def patches(self) -> Iterator[tuple[Window, Piece, Piece]]:
        """Yield the patches that give a pixel with data."""
        height, width = self.valid.shape
        y0, x0 = self.at
        for row in self.rows.pieces(*self.rows.core(y0, y0 + height)):
            for col in self.cols.pieces(*self.cols.core(x0, x0 + width)):
                if self.valid[row.first - y0 : row.end - y0, col.first - x0 : col.end - x0].any():
                    yield self, row, col

    def fill(self, place: Array, row: Piece, col: Piece) -> None:
        """Write a patch; mirrored beyond the scene, 0 where the window ends and nobody looks."""
        height, width = self.valid.shape
        ys, y = _taken(row.start, self.rows, self.at[0], height)
        xs, x = _taken(col.start, self.cols, self.at[1], width)
        place[...] = 0
        place[:, ys, xs] = self.x[:, y[:, None], x] if _mirrored(y, x) else self.x[:, _span(y), _span(x)]


def _taken(start: int, axis: Axis, at: int, length: int) -> tuple[slice, Array]:
    """Return which pixels of a patch the window knows, and where in the window they are."""
    wanted = np.arange(start, start + axis.side)
    mirrored = np.maximum(2 * (axis.size - 1) - wanted, 0) if at + length >= axis.size else at - 1
    inside = np.where(wanted < axis.size, wanted, mirrored) - at
    known = np.flatnonzero((inside >= 0) & (inside < length))
    if not known.size:
        return slice(0, 0), known
    first, end = int(known[0]), int(known[-1]) + 1
    return slice(first, end), inside[first:end]


def _mirrored(*indices: Array) -> bool:
    return any(one.size > 1 and one[-1] - one[0] != one.size - 1 for one in indices)


def _span(index: Array) -> slice:
    return slice(int(index[0]), int(index[-1]) + 1) if index.size else slice(0, 0)


@dataclass(frozen=True)
class Asked:
    """A network with all that is needed to ask it about patches.

    Parameters
    ----------
    network : Network
        What is called.
    outputs : Outputs
        What its channels mean.
    passes : Passes
        How often it is asked.
    batch_size : int
        Patches that it gets at once: always so many, filled up with zeros.
    """

    network: Network
    outputs: Outputs
    passes: Passes
    batch_size: int

    def run(self, patches: Iterator[tuple[Window, Piece, Piece]]) -> None:
        """Ask about patches, of as many windows as there are, and put the results into their windows."""
        buffer: Array | None = None
        while some := list(islice(patches, self.batch_size)):
            window = some[0][0]
            shape = (self.batch_size, len(window.x), window.rows.side, window.cols.side)
            if buffer is None or buffer.shape != shape:
                buffer = np.zeros(shape, np.float32)
            for place, (source, row, col) in zip(buffer, some, strict=False):
                source.fill(place, row, col)
            buffer[len(some) :] = 0
            found = self.passes(self._ask, buffer)
            self._require(found[0], shape)
            for number, (target, row, col) in enumerate(some):
                self._put(target, row, col, [one[number] for one in found])

    def _ask(self, x: Array, dropout: Dropout | None) -> Array:
        return self.network(x, self.outputs.activation, dropout)

    def _put(self, window: Window, row: Piece, col: Piece, found: list[Array]) -> None:
        zoom = self.outputs.config.zoom
        inner = (slice(None), _grown(row.first - row.start, row.end - row.start, zoom),
                 _grown(col.first - col.start, col.end - col.start, zoom))  # fmt: skip
        outer = (_grown(row.first - window.at[0], row.end - window.at[0], zoom),
                 _grown(col.first - window.at[1], col.end - window.at[1], zoom))  # fmt: skip
        for out, made in zip(window.outs, self.outputs.arrays([one[inner] for one in found]), strict=True):
            out[outer] = made

    def _require(self, found: Array, given: tuple[int, ...]) -> None:
        config = self.outputs.config
        wanted = (given[0], len(config.classes), given[2] * config.zoom, given[3] * config.zoom)
        if found.shape != wanted:
            raise ParameterError(
                f"the network makes an array {found.shape} of {given}",
                expected=f"{wanted}: one channel for each of {', '.join(config.classes)}",
                fix="correct the classes, the zoom or method of the model's description",
            )


def _grown(first: int, end: int, zoom: int) -> slice:
    return slice(first * zoom, end * zoom)


@dataclass(frozen=True)
class PatchKernel:
    """Runs a network on a window, patch by patch.

    Parameters
    ----------
    asked : Asked
        The network.
    inputs : Inputs
        How planes become channels.
    rows, cols : Axis
        The patches of the scene.
    origin : tuple of int
        The scene's first pixel on the lattice of its grid.
    specs : tuple of VarSpec
        What is written.
    """

    asked: Asked
    inputs: Inputs
    rows: Axis
    cols: Axis
    origin: tuple[int, int]
    specs: tuple[VarSpec, ...]

    @cached_property
    def block_rows(self) -> int:
        """Rows of a window in which no patch is computed for another window too."""
        return self.rows.cell

    def __call__(self, *arrays: Array, extent: Extent, source: Extent | None = None) -> tuple[Array, ...]:
        """Return the outputs: for the pixels given, or for `extent` on a finer grid."""
        windows, made = self.begin(arrays, source or extent)
        self.asked.run(patch for window in windows for patch in window.patches())
        return self.end(windows, made, extent, source)

    def begin(self, arrays: Sequence[Array], given: Extent) -> tuple[list[Window], tuple[Array, ...]]:
        """Return the windows that are to be computed, and the arrays that they write into."""
        lead = max((a.shape[:-2] for a in arrays), key=len)
        count = int(np.prod(lead, dtype=int))
        planes = [np.broadcast_to(a, (*lead, *a.shape[-2:])).reshape(count, *a.shape[-2:]) for a in arrays]
        zoom = self.asked.outputs.config.zoom
        shape = (count, given.shape[0] * zoom, given.shape[1] * zoom)
        flat = [np.full(shape, fill_of(spec), spec.dtype) for spec in self.specs]
        at = (given.y0 - self.origin[0], given.x0 - self.origin[1])
        windows = []
        for number in range(count):
            x, valid = self.inputs.channels([plane[number] for plane in planes])
            windows.append(Window(x, valid, self.rows, self.cols, at, [out[number] for out in flat]))
        return windows, tuple(out.reshape(*lead, *shape[1:]) for out in flat)

    def end(
        self, windows: list[Window], made: tuple[Array, ...], extent: Extent, source: Extent | None
    ) -> tuple[Array, ...]:
        """Return the outputs without what has no data."""
        zoom = self.asked.outputs.config.zoom
        for window in windows:
            gone = ~window.valid
            if zoom > 1:
                gone = gone.repeat(zoom, axis=0).repeat(zoom, axis=1)
            for out, spec in zip(window.outs, self.specs, strict=True):
                out[gone] = fill_of(spec)
        if source is None:
            return made
        if 0 in extent.shape:
            return tuple(np.empty((*out.shape[:-2], *extent.shape), out.dtype) for out in made)
        inner = Extent(*(edge * zoom for edge in source))
        return tuple(np.ascontiguousarray(inner.cut(out, extent)) for out in made)


@dataclass(frozen=True)
class RowKernel:
    """Asks a model about every pixel with data, so many rows at a time.

    Parameters
    ----------
    asked : Asked
        The model; it takes ``(rows, variables)`` and returns ``(rows, outputs)``.
    inputs : Inputs
        How planes become channels.
    specs : tuple of VarSpec
        What is written.
    """

    asked: Asked
    inputs: Inputs
    specs: tuple[VarSpec, ...]

    ROWS = 16_384

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        """Return the outputs for the pixels given."""
        lead = max((a.shape for a in arrays), key=len)
        planes = [np.broadcast_to(a, lead).reshape(1, int(np.prod(lead, dtype=int))) for a in arrays]
        x, valid = self.inputs.channels(planes)
        flat = [np.full(valid.size, fill_of(spec), spec.dtype) for spec in self.specs]
        index = np.flatnonzero(valid)
        rows = np.zeros((self.ROWS, len(x)), np.float32)
        for first in range(0, index.size, self.ROWS):
            mine = index[first : first + self.ROWS]
            rows[: mine.size] = x[:, 0, mine].T
            rows[mine.size :] = 0
            for out, made in zip(flat, self._results(rows, mine.size), strict=True):
                out[mine] = made
        return tuple(out.reshape(lead) for out in flat)

    def _results(self, rows: Array, count: int) -> list[Array]:
        outputs = self.asked.outputs
        found = np.asarray(self.asked.network(rows, outputs.activation))
        if found.ndim == 1:
            found = found[:, None]
        if found.shape != (len(rows), len(outputs.config.classes)):
            raise ParameterError(
                f"the model makes an array {found.shape} of {rows.shape}",
                expected=f"{(len(rows), len(outputs.config.classes))}: {', '.join(outputs.config.classes)}",
            )
        return [made[0] for made in outputs.arrays([found[:count].T[:, None]])]
