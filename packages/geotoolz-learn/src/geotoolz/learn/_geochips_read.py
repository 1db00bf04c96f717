"""The pixels of chips: windows of what a pipeline makes of whole scenes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from geotoolz.core import MissingVariableError, Operator, TileError, TileSpec, VarSpec, nearest
from geotoolz.core._lazy import xr
from geotoolz.learn._windows import Windows
from geotoolz.patch import Patch
from geotoolz.patch._chip import chip_dataset, chip_spec, padded
from geotoolz.patch._edge import reach
from geotoolz.patch._patches import _lies

Array = np.ndarray[Any, Any]


class Chips:
    """What a pipeline makes of the scenes of a catalog, chip by chip.

    Parameters
    ----------
    sources : sequence of Source
        The scenes.
    pipeline : Operator, optional
        What is made of them.
    names : sequence of str
        Variables that are read.
    cache_bytes : int
        Pixels that are kept.

    Raises
    ------
    MissingVariableError
        If a scene lacks one of them.
    """

    def __init__(
        self, sources: Sequence[Any], pipeline: Operator | None, names: Sequence[str], cache_bytes: int = 0
    ) -> None:
        self._names = tuple(names)
        self._scenes: list[tuple[Windows, dict[str, str]]] = []
        for number, source in enumerate(sources):
            windows = Windows(source, pipeline, "GeoChips")
            found = {name: _found(windows.spec, name, number) for name in self._names}
            windows.choose(found.values())
            self._scenes.append((windows, found))
        self._cache_bytes, self._held_bytes = cache_bytes, 0
        self._held: OrderedDict[Any, dict[str, Array]] = OrderedDict()

    def read(self, patches: Sequence[Patch]) -> dict[int, dict[str, Array]]:
        """Return the pixels of some chips by their number, read in the order in which they lie in files."""
        return {patch.index: self._one(patch) for patch in sorted(patches, key=_lies)}

    def _one(self, patch: Patch) -> dict[str, Array]:
        key = (patch.scene, patch.chip)
        if key in self._held:
            return self._held[key]
        windows, found = self._scenes[patch.scene]
        boundary = patch.grid.sampler.at_the_edge
        given = reach(patch.chip.extent, windows.spec.shape, boundary)
        arrays = windows.read(given)
        if given != patch.chip.extent:
            arrays = padded(arrays, windows.spec, patch.chip.extent, given, boundary)
        # a view would keep the whole window, or the whole scene, in memory
        made = {name: np.ascontiguousarray(arrays[own]) for name, own in found.items()}
        self._keep(key, made)
        return made

    def _keep(self, key: Any, arrays: dict[str, Array]) -> None:
        size = sum(array.nbytes for array in arrays.values())
        if self._held_bytes + size > self._cache_bytes:
            return
        self._held[key] = {name: array.copy() for name, array in arrays.items()}
        self._held_bytes += size

    def spec(self, patch: Patch) -> TileSpec:
        """Return a chip without its pixels, with the variables by the names that were asked for."""
        windows, found = self._scenes[patch.scene]
        spec = chip_spec(windows.spec, patch.chip)
        return spec.evolve({name: spec.variables[own] for name, own in found.items()})

    def tile(self, patch: Patch, arrays: dict[str, Array]) -> xr.Dataset:
        """Return a chip as a tile."""
        return chip_dataset(self.spec(patch), arrays)

    def plain_tile(self, patch: Patch, arrays: dict[str, Array]) -> xr.Dataset:
        """Return other variables on a chip's grid."""
        spec = self.spec(patch)
        made = {}
        for name, array in arrays.items():
            if array.shape != spec.shape:
                raise TileError(f"{name} has shape {array.shape}", expected=f"{spec.shape}, as the chip")
            attrs = spec.variables[name].attrs if name in spec.variables else {}
            made[name] = VarSpec(("y", "x"), array.dtype, np.nan, attrs)
        return chip_dataset(spec.evolve(made), arrays)


def _found(spec: TileSpec, name: str, scene: int) -> str:
    own = spec.lookup(name)
    if own is None:
        raise MissingVariableError(
            f"scene {scene} has no {name!r}{nearest(name, spec.variables)}",
            expected=f"one of {', '.join(spec.variables)}",
            fix="read that band too, or make it in preprocess",
        )
    if spec.variables[own].dims != ("y", "x"):
        raise TileError(f"{own!r} has dims {spec.variables[own].dims}", expected="(y, x)")
    return own
