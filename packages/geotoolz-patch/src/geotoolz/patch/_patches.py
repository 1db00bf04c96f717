"""What the chips of one scene and those of a catalog have in common: orders, shares, batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from geotoolz.core import ParameterError, TileError
from geotoolz.patch._patch import Array, Patch, PatchBatch
from geotoolz.patch._sampler import generator

if TYPE_CHECKING:
    from geotoolz.patch._grid import PatchGrid


_BLOCK = 512
"""Pixels of a file's blocks, as most are written; of others it is a good order, too."""


class Patches(Sequence[Patch]):
    """Chips in a fixed order, each with a number.

    Attributes
    ----------
    epoch : int
        Which time the chips are gone through.
    """

    epoch: int

    @property
    @abstractmethod
    def grids(self) -> tuple[PatchGrid, ...]:
        """The chips of every scene."""

    @property
    def dropped(self) -> int:
        """How many chips were left out because they reach beyond their scene."""
        return sum(grid.placed.dropped for grid in self.grids)

    @abstractmethod
    def patch(self, number: int) -> Patch:
        """Return a chip by its number, from 0."""

    @overload
    def __getitem__(self, index: int) -> Patch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Patch]: ...
    def __getitem__(self, index: int | slice) -> Patch | list[Patch]:
        """Return a chip by its number."""
        if isinstance(index, slice):
            return [self.patch(i) for i in range(*index.indices(len(self)))]
        return self.patch(range(len(self))[index])

    def __getitems__(self, indices: Sequence[int]) -> PatchBatch:
        """Return several chips as one batch; torch's data loader asks like this."""
        return self.batch(indices)

    def batch(self, indices: Iterable[int], out: Array | None = None) -> PatchBatch:
        """Read several chips into one array.

        Parameters
        ----------
        indices : iterable of int
            Numbers of the chips.
        out : array, optional
            ``(chip, variable, …, y, x)`` to fill, from an earlier batch; bands of one type and shape only.

        Returns
        -------
        PatchBatch

        Raises
        ------
        TileError
            If the chips have several sizes or types, or `out` does not fit.
        """
        patches = tuple(self[i] for i in indices)
        if not patches:
            raise ParameterError("a batch of no chips", expected="at least one")
        arrays = buffers(patches, out)
        for number, patch in enumerate(patches):
            for name, pixels in patch.arrays().items():
                arrays[name][number] = pixels
        return PatchBatch(patches, arrays)

    def order(self, seed: int | None = None, worker: int = 0, workers: int = 1) -> list[int]:
        """Return the numbers of the chips in the order of an epoch.

        Parameters
        ----------
        seed : int, optional
            Shuffles them, differently in every epoch; in the grid's order without it.
        worker, workers : int
            This worker's share: the shares of all workers are the grid, each chip once.
        """
        if not 0 <= worker < workers:
            raise ParameterError(
                f"worker={worker} of {workers}", expected="0 up to the number of workers less one"
            )
        numbers = np.arange(len(self))
        if seed is not None:
            generator(seed, self.epoch, 0).shuffle(numbers)
        return [int(n) for n in numbers[worker::workers]]

    def batches(
        self,
        batch_size: int,
        *,
        seed: int | None = None,
        worker: int = 0,
        workers: int = 1,
        buffer: int = 256,
    ) -> Iterator[PatchBatch]:
        """Yield batches of one worker's share of an epoch.

        The order is that of `order`. Within a buffer of that many chips, pixels are read in the order in
        which they lie in their scene, so that a file's blocks are decoded once and not once per chip.

        Parameters
        ----------
        batch_size : int
            Chips in a batch; the last may have fewer.
        seed, worker, workers
            As for `order`.
        buffer : int
            Chips that are held while they wait for their turn.

        Raises
        ------
        TileError
            If the chips of a batch have several sizes or types.
        """
        if batch_size < 1 or buffer < 1:
            raise ParameterError(f"batch_size={batch_size}, buffer={buffer}", expected="1 or more")
        numbers = self.order(seed, worker, workers)
        size = max(buffer // batch_size, 1) * batch_size
        for first in range(0, len(numbers), size):
            ahead = [self.patch(n) for n in numbers[first : first + size]]
            yield from _from_buffer(ahead, batch_size)

    def memory_bytes(self, batch_size: int = 1, buffer: int = 0) -> int:
        """Return the bytes that batches and their buffer take."""
        if not len(self):
            return 0
        ends = (patch for grid in self.grids if len(grid) for patch in (grid[0], grid[-1]))
        return max(_bytes(patch) for patch in ends) * (batch_size + buffer)


def buffers(patches: Sequence[Patch], out: Array | None) -> dict[str, Array]:
    """Return empty arrays for some chips by variable: views of one where they have one type and shape."""
    first = patches[0]
    kinds = {name: _kind(first, name) for name in first.grid.bands}
    _require_alike(patches, kinds)
    if len(set(kinds.values())) > 1:
        if out is not None:
            raise TileError("out is one array, and the bands have several types", fix="choose bands=…")
        return {n: np.empty((len(patches), *shape), dtype) for n, (dtype, shape) in kinds.items()}
    ((dtype, shape),) = set(kinds.values())
    full = (len(patches), len(kinds), *shape)
    if out is not None and (out.dtype != dtype or out.shape != full):
        raise TileError(f"out has shape {out.shape}, {out.dtype}", expected=f"{full}, {dtype}")
    held = np.empty(full, dtype) if out is None else out
    return {name: held[:, number] for number, name in enumerate(kinds)}


def _kind(patch: Patch, name: str) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    spec = patch.spec
    variable = spec.variables[name]
    return variable.dtype, tuple(spec.sizes[d] for d in variable.dims)


def _require_alike(
    patches: Sequence[Patch], kinds: dict[str, tuple[np.dtype[np.generic], tuple[int, ...]]]
) -> None:
    """Raise for chips of several sizes, and for scenes whose variables do not go into one array."""
    sizes = {(p.chip.extent.shape, p.chip.dates and p.chip.dates[1] - p.chip.dates[0]) for p in patches}
    if len(sizes) > 1:
        listed = ", ".join(sorted(str(shape) for shape, _ in sizes))
        raise TileError(f"the chips have the sizes {listed}", expected="one size", fix="read them one by one")
    for patch in {id(p.grid): p for p in patches}.values():
        bands = patch.grid.bands
        found = {name: _kind(patch, name) for name in bands}
        if found == kinds and tuple(bands) == tuple(kinds):
            continue
        raise TileError(
            f"scene {patch.scene} has {_said(found)}, and scene {patches[0].scene} has {_said(kinds)}",
            expected="the same variables, types and dates in all scenes of a batch",
            fix="bands=… chooses variables; rename them, or open the scenes in the same way",
        )


def _said(kinds: dict[str, tuple[np.dtype[np.generic], tuple[int, ...]]]) -> str:
    return ", ".join(
        f"{name} ({dtype}, {' × '.join(map(str, shape))})" for name, (dtype, shape) in kinds.items()
    )


def _from_buffer(patches: list[Patch], batch_size: int) -> Iterator[PatchBatch]:
    held = {patch.index: patch.arrays() for patch in sorted(patches, key=_lies)}
    for first in range(0, len(patches), batch_size):
        some = tuple(patches[first : first + batch_size])
        arrays = buffers(some, None)
        for place, patch in enumerate(some):
            for name, pixels in held.pop(patch.index).items():
                arrays[name][place] = pixels
        yield PatchBatch(some, arrays)


def _lies(patch: Patch) -> tuple[int, ...]:
    """Return where a chip lies: block of a file by block, so that few blocks are in use at a time."""
    e = patch.chip.extent
    return (patch.scene, e.y0 // _BLOCK, e.x0 // _BLOCK, e.y0, e.x0)


def _bytes(patch: Patch) -> int:
    sizes, variables = patch.spec.sizes, patch.spec.variables.values()
    return sum(int(np.prod([sizes[d] for d in v.dims])) * v.dtype.itemsize for v in variables)
