"""A scene at its own resolution and at each of its overviews: a tile description and windows of pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from geotoolz.core import Extent, TileSpec
from geotoolz.io import SceneReader
from geotoolz.io._gdal import stamp_of
from geotoolz.io._lattice import Target as Lattice
from geotoolz.io._variables import Band, band_values
from geotoolz.serve._blocks import Array, BlockCache, CachedSource
from geotoolz.serve._handles import RasterFile

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

OVERSAMPLING = 1.2
"""A level is fine enough whose pixels are at most so many times as large as those that are wanted."""


@dataclass(frozen=True)
class Level:
    """A scene at one resolution.

    Parameters
    ----------
    factor : float
        How many times its pixels are as large as the scene's own, along a side.
    spec : TileSpec
        What a pipeline is planned for: all variables, on this level's grid.
    bands : mapping of str to Band
        The variables that can be read.
    lattice : Lattice or None
        The level's grid as the reader counts it; None where `reader` reads.
    reader : OpenScene or None
        Reads what is no set of rasters (NetCDF, Zarr): at its own resolution only.
    """

    factor: float
    spec: TileSpec
    bands: Mapping[str, Band]
    lattice: Lattice | None
    reader: Any = None

    def read(self, name: str, extent: Extent) -> Array:
        """Return the values of a variable in a window."""
        rows, cols = slice(extent.y0, extent.y1), slice(extent.x0, extent.x1)
        if self.lattice is None:
            found: Array = self.reader.arrays((name,), rows, cols)[name]
            return found
        return band_values(self.bands[name], self.lattice.cut(rows, cols))


def levels_of(reader: Any, names: Iterable[str], cache: BlockCache) -> tuple[Level, ...]:
    """Return a scene's levels, the finest first.

    The levels are those of the file of the finest band; other bands are read, at every level, from the
    coarsest of their own overviews that is fine enough.

    Parameters
    ----------
    reader : OpenScene
        The scene.
    names : iterable of str
        The variables that are going to be read.
    cache : BlockCache
        Through which they are read.
    """
    if not isinstance(reader, SceneReader):
        return (Level(1.0, reader.spec, {}, None, reader),)
    wanted = list(dict.fromkeys(names))
    held = {name: _at_all_levels(reader._bands[name], _together(reader, wanted), cache) for name in wanted}
    own = reader._target
    finest = min(reader._bands.values(), key=lambda band: _side(band.source.grid.affine))
    ladder = held.get(finest.name) or _at_all_levels(finest, {}, cache)
    if not _same_ground(finest, own):  # a part of the file, or another grid: it has no overviews of its own
        ladder = ladder[:1]
    levels = []
    for number, step in enumerate(ladder):
        grid = step.source.grid
        lattice = Lattice(grid.affine, own.crs, 0, 0, *map(int, grid.shape)) if number else own
        size = _side(lattice.anchor)
        spec = replace(
            reader.spec, sizes={"y": lattice.height, "x": lattice.width}, grid=lattice.geobox, offset=(0, 0)
        )
        bands = {name: _fitting(steps, size) for name, steps in held.items()}
        levels.append(Level(size / _side(own.anchor), spec, bands, lattice))
    return tuple(levels)


def _together(reader: SceneReader, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the bands that are read of each file."""
    found: dict[str, tuple[int, ...]] = {}
    for name in names:
        source = reader._bands[name].source
        found[source.path] = (*found.get(source.path, ()), source.index)
    return found


def _at_all_levels(band: Band, together: Mapping[str, tuple[int, ...]], cache: BlockCache) -> list[Band]:
    """Return a band as it is, and at each overview of its file."""
    source = band.source
    stamp = stamp_of(source.path)
    own = RasterFile(source.path, None, stamp, source.sign)
    beside = together.get(source.path, (source.index,))
    made = []
    for level in (None, *range(cache.layout(own).overviews)):
        file = own if level is None else replace(own, level=level)
        layout = cache.layout(file)
        grid = source.grid if level is None else _coarser(source.grid, layout.shape)
        cached = CachedSource(
            source.path, source.index, grid, source.dtype, source.nodata, source.nearest,
            sign=source.sign, turned=source.turned, cache=cache, file=file, together=beside,
        )  # fmt: skip
        made.append(replace(band, source=cached))
    return made


def _coarser(grid: GeoBox, shape: tuple[int, int]) -> GeoBox:
    """Return the grid of an overview: the same ground in fewer pixels.

    GDAL says nothing of the overviews of JPEG2000, and rasterio returns what lay in the memory.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    a, (rows, cols) = grid.affine, grid.shape
    down, across = rows / shape[0], cols / shape[1]
    return GeoBox(shape, Affine(a.a * across, a.b * down, a.c, a.d * across, a.e * down, a.f), grid.crs)


def _fitting(steps: Sequence[Band], size: float) -> Band:
    """Return a band at the coarsest overview that is fine enough."""
    fine = [step for step in steps if _side(step.source.grid.affine) <= OVERSAMPLING * size]
    return max(fine or [steps[0]], key=lambda step: _side(step.source.grid.affine))


def _same_ground(band: Band, lattice: Lattice) -> bool:
    """Whether a level of the band is a level of the scene: the scene is the whole file, as it lies."""
    grid = band.source.grid
    same = tuple(map(int, grid.shape)) == (lattice.height, lattice.width)
    return same and band.source.place(lattice.cut(slice(0, 1), slice(0, 1))) is not None


def _side(affine: Any) -> float:
    """Return the length of a pixel's side."""
    return math.sqrt(abs(affine.a * affine.e - affine.b * affine.d))
