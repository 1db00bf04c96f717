"""PatchGrid: the chips of a scene, in order, shuffled, or shared between workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from geotoolz.core import ParameterError, TileError
from geotoolz.patch._patch import Array, Patch, PatchBatch
from geotoolz.patch._sampler import Placed, Sampler, generator
from geotoolz.patch._source import Source, as_source


class PatchGrid(Sequence[Patch]):
    """The chips that a sampler chooses on a scene.

    Parameters
    ----------
    source : xarray.Dataset, path, STAC item, GeoSlice, or Source
        The scene; see `as_source`.
    sampler : Sampler
        Where the chips lie.
    bands : str or sequence of str, optional
        Variables to read; all by default.
    epoch : int
        Samplers with randomness choose others in every epoch.

    Attributes
    ----------
    dropped : int
        How many chips were left out because they reach beyond the scene.
    uncovered : float or None
        Share of the scene that lies in no chip, where the sampler knows it.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import GridSampler, PatchGrid
    >>> grid = PatchGrid(simulate_scene((100, 80), bands=("red",)), GridSampler(32, boundary="drop"))
    >>> len(grid), grid.dropped, round(grid.uncovered, 3), grid[0].tile.red.shape
    (6, 6, 0.232, (32, 32))
    """

    def __init__(
        self, source: Any, sampler: Sampler, bands: str | Sequence[str] | None = None, epoch: int = 0
    ) -> None:
        if epoch < 0:
            raise ParameterError(f"epoch={epoch}", expected="0 or more")
        self.source: Source = as_source(source)
        self.sampler, self.epoch = sampler, epoch
        names = (bands,) if isinstance(bands, str) else bands
        spec = self.source.spec
        self.bands = (
            tuple(spec.variables) if names is None else tuple(spec.find(n, "PatchGrid") for n in names)
        )
        self._placed: Placed = sampler.place(self.source, epoch)

    @property
    def dropped(self) -> int:
        """How many chips were left out because they reach beyond the scene."""
        return self._placed.dropped

    @property
    def uncovered(self) -> float | None:
        """Share of the scene's pixels that lie in no chip, where it is known."""
        return self._placed.uncovered

    def __len__(self) -> int:
        return len(self._placed.chips)

    @overload
    def __getitem__(self, index: int) -> Patch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Patch]: ...
    def __getitem__(self, index: int | slice) -> Patch | list[Patch]:
        """Return a chip by its number."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return Patch(number, self._placed.chips[number], self)

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
            If the chips have several sizes, or `out` does not fit.
        """
        patches = tuple(self[i] for i in indices)
        shapes = {(p.chip.extent.shape, p.chip.dates and p.chip.dates[1] - p.chip.dates[0]) for p in patches}
        if len(shapes) > 1:
            listed = ", ".join(sorted(str(shape) for shape, _ in shapes))
            raise TileError(
                f"the chips have the sizes {listed}", expected="one size", fix="read them one by one"
            )
        if not patches:
            raise ParameterError("a batch of no chips", expected="at least one")
        arrays = self._buffers(patches, out)
        for number, patch in enumerate(patches):
            for name, pixels in patch.arrays().items():
                arrays[name][number] = pixels
        return PatchBatch(patches, arrays)

    def _buffers(self, patches: tuple[Patch, ...], out: Array | None) -> dict[str, Array]:
        spec = patches[0].spec
        shapes = {n: tuple(spec.sizes[d] for d in spec.variables[n].dims) for n in self.bands}
        kinds = {(spec.variables[n].dtype, shapes[n]) for n in self.bands}
        if len(kinds) > 1:
            if out is not None:
                raise TileError("out is one array, and the bands have several types", fix="choose bands=…")
            return {n: np.empty((len(patches), *shapes[n]), spec.variables[n].dtype) for n in self.bands}
        ((dtype, shape),) = kinds
        full = (len(patches), len(self.bands), *shape)
        if out is not None and (out.dtype != dtype or out.shape != full):
            raise TileError(f"out has shape {out.shape}, {out.dtype}", expected=f"{full}, {dtype}")
        held = np.empty(full, dtype) if out is None else out
        return {name: held[:, number] for number, name in enumerate(self.bands)}

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
        which they lie in the scene, so that a file's blocks are decoded once and not once per chip.

        Parameters
        ----------
        batch_size : int
            Chips in a batch; the last may have fewer.
        seed, worker, workers
            As for `order`.
        buffer : int
            Chips that are held while they wait for their turn.
        """
        if batch_size < 1 or buffer < 1:
            raise ParameterError(f"batch_size={batch_size}, buffer={buffer}", expected="1 or more")
        numbers = self.order(seed, worker, workers)
        size = max(buffer // batch_size, 1) * batch_size
        for first in range(0, len(numbers), size):
            ahead = numbers[first : first + size]
            yield from self._from_buffer(ahead, batch_size)

    def _from_buffer(self, numbers: list[int], batch_size: int) -> Iterator[PatchBatch]:
        lies = sorted(
            numbers, key=lambda n: (self._placed.chips[n].extent.y0, self._placed.chips[n].extent.x0)
        )
        held = {n: self[n].arrays() for n in lies}
        for first in range(0, len(numbers), batch_size):
            some = numbers[first : first + batch_size]
            patches = tuple(self[n] for n in some)
            arrays = self._buffers(patches, None)
            for place, n in enumerate(some):
                for name, pixels in held.pop(n).items():
                    arrays[name][place] = pixels
            yield PatchBatch(patches, arrays)

    def memory_bytes(self, batch_size: int = 1, buffer: int = 0) -> int:
        """Return the bytes that batches and their buffer take."""
        if not len(self):
            return 0
        spec = max((self[i].spec for i in (0, -1)), key=lambda s: s.shape[0] * s.shape[1])
        each = sum(
            int(np.prod([spec.sizes[d] for d in v.dims])) * v.dtype.itemsize for v in spec.variables.values()
        )
        return each * (batch_size + buffer)

    def polygon_mask(self, patch: Patch) -> Array:
        """Return which pixels of a chip lie in the polygon that it was made for."""
        burn = getattr(self.sampler, "inside", None)
        if burn is None:
            return np.ones(patch.chip.extent.shape, bool)
        mask: Array = burn(patch.spec, patch.chip.origin)
        return mask
