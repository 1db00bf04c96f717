"""Percentiles of bands, of all pixels or of a sample."""

from __future__ import annotations

import hashlib
import math
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Extent, GeotoolzError, ParameterError, Plan, Reduce, TileSpec, chosen_bands
from geotoolz.radiometry import _radix_kernels
from geotoolz.radiometry._quantiles import Quantiles
from geotoolz.radiometry._radix import Search, passes_of

Array = np.ndarray[Any, Any]
LARGEST_CELL = 1024


def check_sample_cell(cell: int) -> None:
    """Raise unless a number can be the side of a cell: a power of two, so that draws are uniform."""
    if not 1 <= cell <= LARGEST_CELL or cell & (cell - 1):
        raise ParameterError(f"sample_cell={cell}", expected=f"1, 2, 4, 8, … {LARGEST_CELL} pixels")


class Percentiles(Reduce):
    """Percentiles of each band, in bounded memory and independent of order: exact, or of a sample.

    The values are ordered by their bits, 16 bits a pass: one pass for 16-bit integers, two for
    float32. A state holds 512 KiB per band and searched value (and up to 5 MiB per band of a
    sample, which then takes one pass), whatever the size of the scene.
    Percentiles between two values are interpolated linearly, as `numpy.nanpercentile` does.
    No-data and NaN do not count, infinities do.

    With ``sample_cell=4`` one pixel of every 4 × 4 pixels is looked at, drawn uniformly by a
    counter-based generator from the cell's place on the absolute lattice of the grid, the seed, and
    the tile's attributes ``tile_id`` and ``datetime``: the same pixels, however the tile is cut.
    The result's ``rank_error()`` bounds the error: with ``n`` cells full of valid pixels the rank
    of a value is off by at most ``sqrt(ln(2/δ) / (2n))`` of the pixels with probability ``1 − δ``
    (Hoeffding's inequality; 0.16 % at 99 % for a million cells).

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.
    q : sequence of float
        Percentiles, 0 to 100.
    sample_cell : int
        Side in pixels of the cells of which one pixel each is looked at; a power of two. 1 looks at
        every pixel.
    seed : int
        Another seed draws other pixels.

    Raises
    ------
    ParameterError
        If a percentile is not between 0 and 100, or the cell's side no power of two.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Percentiles
    >>> tile = simulate_scene((64, 64))
    >>> float(Percentiles(("red",), (50.0,))(tile)["red"][0]) == float(tile.red.quantile(0.5).astype("f8"))
    True
    >>> sampled = Percentiles(("red",), (50.0,), sample_cell=4)(tile)["red"]
    >>> sampled.n, round(sampled.rank_error(0.95), 3)
    (258, 0.091)
    """

    bands: tuple[str, ...] | None = None
    q: tuple[float, ...] = (2.0, 98.0)
    sample_cell: int = 1
    seed: int = 0

    passes: ClassVar[int] = 2
    located: ClassVar[bool] = True
    block_pixels: ClassVar[int] = 1 << 20

    def validate(self) -> None:
        """Check the percentiles and the cell."""
        if not self.q or not all(0 <= q <= 100 for q in self.q):
            raise ParameterError(f"q={self.q}", expected="percentiles from 0 to 100")
        check_sample_cell(self.sample_cell)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def n_passes(self, tile: TileSpec) -> int:
        """One pass per 16 bits of the widest band."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return max((passes_of(tile.variables[n].dtype) for n in names), default=1)

    def init(self, tile: TileSpec, previous: Any = None) -> PercentileState:
        """Return a search per band, going on where the last pass ended."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        searches = {}
        for name in names:
            spec = tile.variables[name]
            searches[name] = Search(spec.dtype, spec.nodata_scalar, (previous or {}).get(name))
        draw = Draw(tile, self.sample_cell, self.seed) if self.sample_cell > 1 else None
        return PercentileState(searches, draw)

    def update(self, state: PercentileState, *arrays: Array, extent: Extent | None = None) -> PercentileState:
        """Count digits."""
        for search, array in zip(state.searches.values(), arrays, strict=True):
            if search.is_done:
                continue
            if state.draw is None:
                search.count(array, array.size)
            else:
                search.hold(*state.draw.of(array, extent))
        return state

    def merge(self, a: PercentileState, b: PercentileState) -> PercentileState:
        """Add the counts."""
        for name, search in a.searches.items():
            search.add(b.searches[name])
        return a

    def finish(self, state: PercentileState) -> dict[str, Any]:
        """Return ``{band: Quantiles}`` after the last pass, what was learnt before it."""
        return {name: search.finish(self.q, self.sample_cell) for name, search in state.searches.items()}

    def is_final(self, result: Any) -> bool:
        """Whether every band's values are found."""
        return all(isinstance(found, Quantiles) for found in result.values())


class PercentileState:
    """Searches by band, and which pixels they look at."""

    def __init__(self, searches: dict[str, Search], draw: Draw | None) -> None:
        self.searches = searches
        self.draw = draw


class Draw:
    """One pixel of every cell of a tile."""

    def __init__(self, tile: TileSpec, cell: int, seed: int) -> None:
        self.cell = cell
        self.power: int = cell.bit_length() - 1
        named = "\0".join(str(part) for part in (seed, *(tile.attrs.get(n) for n in ("tile_id", "datetime"))))
        # dates of one place draw pixels of their own, or the samples of a series would not be independent
        self.key: int = int.from_bytes(hashlib.blake2b(named.encode(), digest_size=8).digest(), "little")
        self.origin: tuple[int, int] = lattice_origin(tile)
        self.first: tuple[int, int] = (self.origin[0] + tile.offset[0], self.origin[1] + tile.offset[1])

    def of(self, array: Array, extent: Extent | None) -> tuple[Array, int]:
        """Return the pixels drawn from a block, and the number of cells that begin in it."""
        if extent is None:
            raise ParameterError("a sample was asked for, and no extent given", fix="give update(…, extent=)")
        y, x = extent.y0 + self.origin[0], extent.x0 + self.origin[1]
        rows, cols = extent.shape
        planes = array.reshape(-1, rows, cols) if array.size else np.empty((0, rows, cols), array.dtype)
        out = np.empty(len(planes) * (rows // self.cell + 2) * (cols // self.cell + 2), array.dtype)
        key = np.uint64(self.key)
        n = _radix_kernels.draw_pixels(_locked(planes), y, x, self.power, key, out)
        cells = self._starts(y, rows, self.first[0]) * self._starts(x, cols, self.first[1])
        return out[:n].copy(), cells * len(planes)

    def _starts(self, begin: int, size: int, first: int) -> int:
        """Return how many cells of the tile have their first pixel here, along one axis."""
        whole = -(-(begin + size) // self.cell) - -(-begin // self.cell)
        return whole + (begin <= first < begin + size and first % self.cell != 0)


def _locked(array: Array) -> Array:
    """Return the array contiguous and read-only: one compiled kernel for all."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def lattice_origin(tile: TileSpec) -> tuple[int, int]:
    """Return row and column of a grid's first pixel, counted in pixels from the CRS's origin.

    Tiles that were cut from one grid agree on it; where a grid is not known or is rotated it is 0.
    """
    try:
        box = tile.geobox
    except GeotoolzError:  # arrays without coordinates have statistics, too
        return (0, 0)
    if box is None or box.affine.b or box.affine.d or not box.affine.a or not box.affine.e:
        return (0, 0)
    # corners lie on whole or half pixels, plus noise: an odd shift keeps both clear of the step
    row, col = box.affine.f / box.affine.e + 0.1234567, box.affine.c / box.affine.a + 0.1234567
    return (math.floor(row), math.floor(col))


__all__ = ["Percentiles", "Quantiles", "check_sample_cell", "lattice_origin"]
