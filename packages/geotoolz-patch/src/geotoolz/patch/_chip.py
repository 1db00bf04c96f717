"""A chip without its pixels, and its pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import Coord, Extent, TileSpec, VarSpec, spatial_coords
from geotoolz.core._lazy import xr
from geotoolz.patch._edge import reach, whole
from geotoolz.patch._source import Source

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Chip:
    """Where a chip lies.

    Parameters
    ----------
    extent : Extent
        Rows and columns of the scene; they may reach beyond it.
    dates : tuple of int, optional
        First date and the one after the last; all where None.
    origin : int
        Number of the point, polygon or label that it was made for.
    """

    extent: Extent
    dates: tuple[int, int] | None = None
    origin: int = -1


def chip_spec(scene: TileSpec, chip: Chip, names: Sequence[str] | None = None) -> TileSpec:
    """Return a chip as a tile of its own: a part of the scene's grid, which may reach beyond it."""
    e = chip.extent
    sizes = {**scene.sizes, "y": e.shape[0], "x": e.shape[1]}
    lead: Mapping[str, Coord] = scene.coords
    if chip.dates is not None and "time" in scene.sizes:
        first, end = chip.dates
        sizes["time"] = end - first
        lead = {n: _cut(c, scene, first, end) for n, c in lead.items()}
    offset = (scene.offset[0] + e.y0, scene.offset[1] + e.x0)
    chosen = scene.variables if names is None else {n: scene.variables[n] for n in names}
    return TileSpec(chosen, sizes, scene.geobox, offset, scene.attrs, lead)


def _cut(coord: Coord, scene: TileSpec, first: int, end: int) -> Coord:
    if coord.dim != "time":
        return coord
    return Coord(coord.dim, coord.values[first:end], coord.attrs)


def read_chip(source: Source, chip: Chip, names: Sequence[str], boundary: str) -> dict[str, Array]:
    """Return the pixels of a chip; what lies outside the scene is reflected or filled."""
    shape = source.spec.shape
    given = reach(chip.extent, shape, boundary)
    found = source.arrays(names, slice(given.y0, given.y1), slice(given.x0, given.x1))
    if chip.dates is not None:
        dates = slice(*chip.dates)
        found = {n: _dated(a, source.spec.variables[n], dates) for n, a in found.items()}
    if given == chip.extent:
        return found
    return padded(found, source.spec, chip.extent, given, boundary)


def _dated(array: Array, spec: VarSpec, dates: slice) -> Array:
    return array[dates] if spec.dims[0] == "time" else array


def padded(
    arrays: Mapping[str, Array], scene: TileSpec, extent: Extent, given: Extent, boundary: str
) -> dict[str, Array]:
    """Return arrays of the pixels that a chip is made of (`reach`) as arrays of the whole chip."""
    specs, shape = scene.variables, scene.shape
    return {n: whole(a, extent, given, shape, boundary, specs[n].nodata_scalar) for n, a in arrays.items()}


def chip_dataset(spec: TileSpec, arrays: Mapping[str, Array]) -> xr.Dataset:
    """Return a chip as a tile with its own coordinates and the scene's attributes."""
    variables = {}
    for name, array in arrays.items():
        var = spec.variables[name]
        variables[name] = xr.Variable(
            var.dims, array, var.dataset_attrs(), {"grid_mapping": "spatial_ref"}, fastpath=True
        )
    coords: dict[Any, Any] = {} if spec.window_geobox is None else dict(spatial_coords(spec.window_geobox))
    coords.update({name: coord.variable() for name, coord in spec.coords.items()})
    return xr.Dataset(variables, coords=coords, attrs=dict(spec.attrs))
