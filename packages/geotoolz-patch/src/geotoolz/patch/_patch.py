"""Patch and PatchBatch: the pixels of chips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import TileError, TileSpec
from geotoolz.core._lazy import xr
from geotoolz.patch._chip import Chip, chip_dataset, chip_spec, read_chip

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.patch._grid import PatchGrid

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Patch:
    """One chip of a scene; its pixels are read when `tile` is first asked for.

    Attributes
    ----------
    index : int
        Its number in the grid, or in the catalog.
    chip : Chip
        Rows, columns and dates of the scene.
    grid : PatchGrid
        The chips of its scene.
    scene : int
        Number of its scene in the catalog.
    """

    index: int
    chip: Chip
    grid: PatchGrid
    scene: int = 0

    @cached_property
    def spec(self) -> TileSpec:
        """The chip as a tile without pixels, on its part of the scene's grid."""
        return chip_spec(self.grid.source.spec, self.chip, self.grid.bands)

    @property
    def geobox(self) -> GeoBox | None:
        """The chip's grid, on the scene's lattice; it may reach beyond the scene."""
        return self.spec.window_geobox

    @cached_property
    def tile(self) -> xr.Dataset:
        """The chip's pixels as a tile."""
        return chip_dataset(self.spec, self.arrays())

    def arrays(self) -> dict[str, Array]:
        """Read the chip's pixels."""
        return read_chip(self.grid.source, self.chip, self.grid.bands, self.grid.sampler.at_the_edge)

    def inside(self) -> Array:
        """Return which pixels lie in the polygon that the chip was made for; all where there is none."""
        return self.grid.polygon_mask(self)

    def __repr__(self) -> str:
        e = self.chip.extent
        return f"<Patch {self.index}: rows {e.y0} to {e.y1 - 1}, columns {e.x0} to {e.x1 - 1}>"


@dataclass(frozen=True)
class PatchBatch:
    """Several chips of one size as arrays.

    Attributes
    ----------
    patches : tuple of Patch
        The chips.
    arrays : mapping of str to array
        Variable → ``(chip, …, y, x)``.
    """

    patches: tuple[Patch, ...]
    arrays: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.patches)

    def __iter__(self) -> Iterator[xr.Dataset]:
        """Yield the chips as tiles."""
        for number, patch in enumerate(self.patches):
            yield chip_dataset(patch.spec, {name: array[number] for name, array in self.arrays.items()})

    def stacked(self) -> Array:
        """Return one array ``(chip, variable, …, y, x)``; a view where the batch was read as one.

        Raises
        ------
        TileError
            If the variables have several types or shapes.
        """
        planes = list(self.arrays.values())
        if len({(a.dtype, a.shape) for a in planes}) != 1:
            kinds = ", ".join(f"{name} ({a.dtype})" for name, a in self.arrays.items())
            raise TileError(f"the batch holds {kinds}", expected="one type and shape", fix="choose bands=…")
        base = planes[0].base
        if base is not None and base.ndim == planes[0].ndim + 1 and all(a.base is base for a in planes):
            return base
        return np.stack(planes, axis=1)
