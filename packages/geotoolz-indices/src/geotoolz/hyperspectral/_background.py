"""The background of a cube: mean and covariance of its bands."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Extent, Plan, Reduce, Role, TileError, TileSpec, flat_view, require_physical
from geotoolz.hyperspectral import _gram
from geotoolz.hyperspectral._chunks import chunks
from geotoolz.hyperspectral._cube import Ranges, bands_in, check_ranges, cube_of, grid_label, same_grid
from geotoolz.radiometry import BandMoments
from geotoolz.radiometry._fixed_point import GRAM_LEVELS, FixedPoint
from geotoolz.radiometry._moments import MomentState
from geotoolz.radiometry._percentiles import Draw, check_sample_cell

Array = np.ndarray[Any, Any]
PIECE = 1 << 20
"""Values of a cube that are added up at once; some thousand pixels."""


class BackgroundStatistics(BandMoments):
    """Mean and covariance of the bands of a cube that hold something.

    Attributes
    ----------
    wavelengths : array of float64
        Of all bands of the cube, in nanometres.
    used : array of bool
        Per band of the cube; the numbers below are of these bands only.
    n : int
        Pixels that counted.
    mean, covariance, rounding : array of float64
        As in `geotoolz.radiometry.BandMoments`.
    """

    def __init__(
        self, wavelengths: Array, used: Array, n: int, mean: Array, covariance: Array, rounding: Array
    ) -> None:
        labels = tuple(f"{w:g} nm" for w in wavelengths[used])
        super().__init__(labels or ("the cube",), n, mean, covariance, rounding)
        self.wavelengths, self.used = wavelengths, used

    def array(self) -> Array:
        """Return bands × (wavelength, mean, covariance), NaN for bands that are left out.

        What the parameter ``background`` of `MatchedFilter` and `ACE` holds.
        """
        size = self.wavelengths.size
        out = np.full((size, size + 2), np.nan)
        out[:, 0] = self.wavelengths
        at = np.flatnonzero(self.used)
        out[at, 1] = self.mean
        out[np.ix_(at, at + 2)] = self.covariance
        return out


class Background(Reduce):
    """Mean and covariance of a cube's bands, in float64: μ = Σx/n, S = Σ(x−μ)(x−μ)ᵀ/(n−1).

    Any cut of the work, any order and any number of threads or tiles give the same bits: values are
    put on a scale of 2²³ steps over the range of their band, about its centre, and sums of products
    of these whole numbers are exact (see `geotoolz.radiometry.Moments`, which says how far a value
    can be off).

    A band without any valid pixel, or with one value everywhere, holds nothing and is left out (the
    bands 130–135 of EnMAP). Of the others, pixels that are no-data, NaN or infinite in any band are
    left out of all.

    Reads one cube ``(wavelength, y, x)`` of any number type; writes nothing; footprint one pixel.

    Parameters
    ----------
    cube : str, optional
        The variable; by default the only one with a ``wavelength``.
    ranges : sequence of (float, float), optional
        Use only bands whose centres lie in one of these ranges, in nanometres.
    sample_cell : int
        Look at one pixel, drawn at random, of every cell of so many pixels squared; a power of two.
        The cells lie on the absolute lattice of the grid. 1 looks at every pixel.
    seed : int
        Another seed draws other pixels.

    Returns
    -------
    BackgroundStatistics

    Raises
    ------
    MissingVariableError
        If the tile has no cube.
    TileError
        If dims or wavelengths are wrong, or tiles of a catalog differ in them.

    References
    ----------
    Chan, T. F., Golub, G. H., LeVeque, R. J. (1983). Algorithms for computing the sample variance.
    The American Statistician 37, 242–247 (why values are centred first).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from geotoolz.hyperspectral import Background
    >>> values = np.random.default_rng(0).random((3, 20, 20), np.float32)
    >>> tile = xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": [500.0, 600, 700]})
    >>> found = Background()(tile)
    >>> found.n, bool(np.allclose(found.covariance, np.cov(values.reshape(3, -1)), atol=1e-7))
    (400, True)
    """

    cube: Role | None = None
    ranges: Ranges | None = None
    sample_cell: int = 1
    seed: int = 0

    passes: ClassVar[int] = 2
    located: ClassVar[bool] = True

    def validate(self) -> None:
        """Check ranges and cell."""
        check_ranges(self.ranges, type(self).__name__)
        check_sample_cell(self.sample_cell)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the cube."""
        cube = cube_of(tile, self.cube, type(self).__name__)
        bands_in(cube.wavelengths, self.ranges, type(self).__name__)
        return Plan((cube.name,), notes=require_physical(tile, (cube.name,), type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> BackgroundState:
        """Return empty sums."""
        cube = cube_of(tile, self.cube, type(self).__name__)
        bands = bands_in(cube.wavelengths, self.ranges, type(self).__name__)
        draw = Draw(tile, self.sample_cell, self.seed) if self.sample_cell > 1 else None
        whole = cube.spec.dtype.kind != "f"
        return BackgroundState(cube.wavelengths, bands, cube.spec.nodata_scalar, previous, whole, draw)

    def update(self, state: BackgroundState, *arrays: Array, extent: Extent | None = None) -> BackgroundState:
        """Take in the pixels of a block."""
        state.take_block(arrays[0], extent)
        return state

    def merge(self, a: BackgroundState, b: BackgroundState) -> BackgroundState:
        """Add the sums."""
        if not same_grid(a.wavelengths, b.wavelengths):
            raise TileError(
                f"one tile has {grid_label(b.wavelengths)}",
                expected=f"{grid_label(a.wavelengths)}, as in the first",
                fix="freeze on cubes of one sensor, or put SpectralResample first",
            )
        a.add(b)
        return a

    def finish(self, state: BackgroundState) -> Any:
        """Return the ranges after the first pass, `BackgroundStatistics` after the second."""
        return state.ranges if state.points is None else state.statistics()


class BackgroundState(MomentState):
    """Ranges of bands in the first pass; sums and sums of products of those that vary in the second."""

    def __init__(
        self,
        wavelengths: Array,
        bands: Array,
        nodata: Any,
        ranges: Any,
        whole: bool,
        draw: Draw | None = None,
    ) -> None:
        self.wavelengths, self.bands, self.nodata, self.draw = wavelengths, bands, nodata, draw
        self.points: list[FixedPoint] | None = None
        self.ranges = [(np.inf, -np.inf)] * bands.size if ranges is None else list(ranges)
        self.varies = varying(self.ranges)
        if ranges is not None:
            kept = [limits for limits, varies in zip(ranges, self.varies, strict=True) if varies]
            self.points = [FixedPoint.over(low, high, GRAM_LEVELS, whole) for low, high in kept]
        points = self.points or []
        self.centre, self.scale = np.array([p.centre for p in points]), np.array([p.scale for p in points])
        size = len(points)
        self.high = np.zeros((size + 1, size + 1), np.int64)
        self.low = np.zeros((size + 1, size + 1), np.int64)

    @property
    def used(self) -> Array:
        """Numbers of the bands that are looked at in this pass."""
        return self.bands if self.points is None else self.bands[self.varies]

    def take_block(self, array: Array, extent: Extent | None) -> None:
        """Take in the pixels of a block, or those drawn from it."""
        if not array.size or not self.used.size:
            return
        if self.draw is not None:
            shape = array.shape[-2:]
            numbers = np.arange(shape[0] * shape[1]).reshape(1, *shape)
            array = _taken(array, self.draw.of(numbers, extent)[0])
        if self.points is None:
            self.widen(array)
            return
        for _, part in chunks(array, self.used, PIECE):
            self.multiply(part, self.nodata)

    def widen(self, array: Array) -> None:
        """Widen the range of every band by its valid values."""
        for lead in np.ndindex(array.shape[:-3]):
            for place, band in enumerate(self.bands):
                low, high = _gram.valid_range(flat_view(array[lead][band]), self.nodata)
                known = self.ranges[place]
                self.ranges[place] = (min(known[0], low), max(known[1], high))

    def multiply(self, part: Array, nodata: Any) -> None:
        """Add the products of all pairs of bands, exactly, of bands × pixels."""
        products = np.zeros_like(self.high)
        _gram.add_products(products, part, nodata, self.centre, self.scale)
        self._sum_up(products >> 32, products & 0xFFFFFFFF)

    def statistics(self) -> BackgroundStatistics:
        """Return mean and covariance, each number rounded once."""
        self.labels = tuple(map(str, self.used))
        found = self.result()
        used = np.zeros(self.wavelengths.size, np.bool_)
        if found.n:
            used[self.used] = True
            return BackgroundStatistics(
                self.wavelengths, used, found.n, found.mean, found.covariance, found.rounding
            )
        none = np.zeros(0)
        return BackgroundStatistics(self.wavelengths, used, 0, none, np.zeros((0, 0)), none)


def varying(ranges: list[tuple[float, float]]) -> Array:
    """Return which bands vary; if none does, which have a valid pixel."""
    found = np.array([low < high for low, high in ranges], np.bool_)
    return found if found.any() else np.array([low <= high for low, high in ranges], np.bool_)


def _taken(array: Array, pixels: Array) -> Array:
    """Return some pixels of every band, as a cube of one column."""
    out = np.empty((*array.shape[:-2], pixels.size, 1), array.dtype)
    for place in np.ndindex(array.shape[:-2]):
        out[place][:, 0] = np.take(array[place], pixels)
    return out
