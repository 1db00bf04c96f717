"""Augmentation in the loop of a data loader: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from geotoolz.augment._draws import DRAW_ATTR, draw_name
from geotoolz.core import Extent, Operator, TileError, TileSpec, compile
from geotoolz.core._lazy import xr
from geotoolz.core._run import compute

Array = np.ndarray[Any, Any]


class OnArrays:
    """An operator for chips that are plain arrays: no Dataset is made on the way.

    Gives the bits that the operator gives on a tile. It can be pickled into the workers of a data loader;
    what it returns, `torch.utils.data.default_collate` takes as it is.

    Parameters
    ----------
    operator : Operator
        An augmentation or pipeline.
    like : xarray.Dataset or TileSpec
        A chip that all others are like: the same variables, types, no-data values, attributes and shape.

    Examples
    --------
    >>> from geotoolz.augment import Compose, GaussianNoise, OnArrays, RandomFlip
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((16, 16), bands=("red", "nir"))
    >>> augment = OnArrays(Compose([RandomFlip(), GaussianNoise(0.01)]), tile)
    >>> chip = {name: band.values for name, band in tile.data_vars.items()}
    >>> image = augment.stack(chip, ("red", "nir"), epoch=3, chip=17)
    >>> image.shape, image.dtype
    ((2, 16, 16), dtype('float32'))
    """

    def __init__(self, operator: Operator, like: xr.Dataset | TileSpec) -> None:
        spec = like if isinstance(like, TileSpec) else TileSpec.of(like)
        self.operator = operator
        # the grid and the coordinates as values: a Dataset would be held, and pickled with its pixels
        self.like = replace(spec, grid=spec.geobox, lead=dict(spec.coords))

    def __call__(
        self, arrays: Mapping[str, Array], *, epoch: int = 0, chip: int | str = 0
    ) -> dict[str, Array]:
        """Return the arrays of a chip, augmented.

        Parameters
        ----------
        arrays : mapping of str to array
            The chip's variables. They are not changed, and what is returned shares no memory with them.
        epoch, chip : int
            Which draw, as for `with_draw`.

        Returns
        -------
        dict of str to array

        Raises
        ------
        TileError
            If a variable is missing, or is not like that of the chip given at first.
        """
        attrs = {**self.like.attrs, DRAW_ATTR: draw_name(epoch, chip)}
        program = compile(self.operator, self.like.evolve(self.like.variables, attrs))
        program.refuse_unfrozen("OnArrays")
        held = self._held(arrays)

        def fetch(slot: int, extent: Extent) -> Array:
            return extent.of(held[program.sources[slot][1]])

        made, _ = compute(program, fetch)
        (state,) = program.states.values()
        return {
            name: arrays[program.sources[slot][1]].copy() if slot in program.sources else made[slot]
            for name, slot in state.slots.items()
        }

    def _held(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays so that no kernel can write into them; raise for a chip that is not alike."""
        held: dict[str, Array] = {}
        for name, spec in self.like.variables.items():
            shape = tuple(self.like.sizes[dim] for dim in spec.dims)
            found = arrays.get(name)
            if found is None or found.shape != shape or found.dtype != spec.dtype:
                raise TileError(
                    f"the chip's {name!r} is {_said(found)}",
                    expected=f"{spec.dtype} {shape}, as in the chip given at first",
                )
            held[name] = view = found.view()
            view.flags.writeable = False
        return held

    def stack(
        self, arrays: Mapping[str, Array], bands: Iterable[str], *, epoch: int = 0, chip: int | str = 0
    ) -> Array:
        """Return some bands of an augmented chip as one array, bands first.

        Parameters
        ----------
        arrays : mapping of str to array
            The chip's variables.
        bands : iterable of str
            Which, in this order.
        epoch, chip : int
            Which draw.

        Returns
        -------
        array of (bands, …, rows, columns)
        """
        made = self(arrays, epoch=epoch, chip=chip)
        return np.stack([made[name] for name in bands])


def _said(array: Array | None) -> str:
    return "missing" if array is None else f"{array.dtype} {array.shape}"
