"""Mean and covariance of all bands together."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Plan, Reduce, TileError, TileSpec, chosen_bands, flat_view
from geotoolz.radiometry import _moment_kernels as kernels
from geotoolz.radiometry._band_moments import BandMoments
from geotoolz.radiometry._fixed_point import GRAM_LEVELS, FixedPoint, scaled

Array = np.ndarray[Any, Any]
_BATCH = 1 << 20
_LONGEST = 512


class Moments(Reduce):
    """Mean and covariance of the bands, independent of order, windows and threads, bit for bit.

    Pixels that are no-data, NaN or infinite in any band are left out of all.

    The first visit of the pixels finds the range of every band over the pixels that count. The
    second puts every value on a scale of 2²³ steps over that range; sums of products of such whole
    numbers over 512 pixels stay below 2⁵³, so that a matrix product in float64 (BLAS) computes them
    exactly in whatever order it likes, and the sums of these are kept as integers. Mean and
    covariance of the whole numbers are then rounded once, to float64.

    So the only error is that of putting values on the scale. With ``h`` the rounding of a band
    (``result.rounding``: at most 2⁻²² of its range, typically 2⁻²³; 0 for integers of up to 16
    bits, which lie on the scale) and ``s`` its standard deviation, the mean is off by at most ``h``, and the
    covariance of bands i and j by at most ``n/(n−1) · (h_i s_j + s_i h_j + h_i h_j)``. A large
    common offset costs nothing: it is part of the scale.

    A variable with a further dimension other than ``time`` (a cube with ``wavelength``) counts as
    one band per plane; the dates of a stack are more pixels.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Returns
    -------
    BandMoments

    Raises
    ------
    TileError
        If only some of the bands have a ``time``.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Moments
    >>> tile = simulate_scene((64, 64), bands=("red", "nir"))
    >>> found = Moments()(tile)
    >>> flat = [tile[name].values.ravel().astype("f8") for name in found.bands]
    >>> np.allclose(found.covariance, np.cov(flat), rtol=1e-5)
    True
    """

    bands: tuple[str, ...] | None = None

    passes: ClassVar[int] = 2
    block_pixels: ClassVar[int] = 1 << 17

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        names = self._names(tile)
        dated = {("time" in tile.variables[name].dims) for name in names}
        if len(dated) > 1:
            raise TileError(
                f"{type(self).__name__} reads bands with and without time",
                expected="bands of equal dims",
                fix="name the bands",
            )
        return Plan(names)

    def _names(self, tile: TileSpec) -> tuple[str, ...]:
        return chosen_bands(tile, self.bands, type(self).__name__)

    def init(self, tile: TileSpec, previous: Any = None) -> MomentState:
        """Return empty sums."""
        return MomentState({name: tile.variables[name] for name in self._names(tile)}, tile.sizes, previous)

    def update(self, state: MomentState, *arrays: Array) -> MomentState:
        """Take in the pixels of a block."""
        state.take(arrays)
        return state

    def merge(self, a: MomentState, b: MomentState) -> MomentState:
        """Add the sums."""
        a.add(b)
        return a

    def finish(self, state: MomentState) -> Any:
        """Return the ranges after the first pass, `BandMoments` after the second."""
        return state.ranges if state.points is None else state.result()


class MomentState:
    """Ranges of bands in the first pass, sums and sums of products in the second."""

    def __init__(self, variables: Any, sizes: Any, ranges: Any) -> None:
        self.variables = variables
        self.labels = tuple(label for name, spec in variables.items() for label in _labels(name, spec, sizes))
        size = len(self.labels)
        self.ranges = [(np.inf, -np.inf)] * size
        self.points: list[FixedPoint] | None = None
        if ranges is not None:
            whole = [s.dtype.kind != "f" for n, s in variables.items() for _ in _labels(n, s, sizes)]
            self.points = [
                FixedPoint.over(low, high, GRAM_LEVELS, exact)
                for (low, high), exact in zip(ranges, whole, strict=True)
            ]
        # a row of ones below the bands: its products are the sums and the count
        self.high = np.zeros((size + 1, size + 1), np.int64)
        self.low = np.zeros((size + 1, size + 1), np.int64)

    def take(self, arrays: tuple[Array, ...]) -> None:
        """Take in the pixels of a block."""
        planes: list[tuple[Array, float]] = []
        for spec, array in zip(self.variables.values(), arrays, strict=True):
            planes += [(flat_view(plane), spec.nodata_scalar) for plane in _planes(spec.dims, array)]
        if not planes:
            return
        mask = np.ones(planes[0][0].size, np.bool_)
        for flat, nodata in planes:
            kernels.mark_valid(mask, flat, nodata)
        mask.flags.writeable = False
        if self.points is None:
            found = [kernels.valid_extremes(flat, mask) for flat, _ in planes]
            self.ranges = [_united(a, b) for a, b in zip(self.ranges, found, strict=True)]
        else:
            self._multiply([flat for flat, _ in planes], mask)

    def _multiply(self, planes: list[Array], mask: Array) -> None:
        """Add the products of all pairs of bands, exactly."""
        rows = len(planes) + 1
        chunks = min(max(_BATCH // (rows * kernels.CHUNK), 1), _LONGEST)
        for begin in range(0, mask.size, chunks * kernels.CHUNK):
            part = slice(begin, begin + chunks * kernels.CHUNK)
            here = mask[part]
            out = np.empty((-(-here.size // kernels.CHUNK), rows, kernels.CHUNK))
            for row, (plane, points) in enumerate(zip(planes, self.points or (), strict=True)):
                kernels.fixed_points(out, row, plane[part], here, points.centre, points.scale)
            kernels.fixed_points(out, rows - 1, here, here, 0.0, 1.0)
            # whole numbers below 2**53 at every step: exact, in whatever order BLAS adds
            products = np.zeros((rows, rows), np.int64)
            for chunk in out:
                products += (chunk @ chunk.T).astype(np.int64)
            self._sum_up(products >> 32, products & 0xFFFFFFFF)

    def _sum_up(self, high: Array, low: Array) -> None:
        """Add to sums that are kept in two parts: 2⁵⁰ pixels and more do not overflow."""
        low = self.low + low
        self.high += high + (low >> 32)
        self.low = low & 0xFFFFFFFF

    def add(self, other: MomentState) -> None:
        """Add what another worker has found."""
        self.ranges = [_united(a, b) for a, b in zip(self.ranges, other.ranges, strict=True)]
        self._sum_up(other.high, other.low)

    def result(self) -> BandMoments:
        """Return mean and covariance, each number rounded once."""
        points = self.points or []
        size = len(points)
        sums = (self.high.astype(object) << 32) + self.low.astype(object)  # Python's integers do not overflow
        n, totals = int(sums[size, size]), sums[size]
        mean, covariance = np.full(size, np.nan), np.full((size, size), np.nan)
        for i in range(size if n else 0):
            mean[i] = points[i].mean(int(totals[i]), n)
            for j in range(i + 1 if n > 1 else 0):
                moment = n * int(sums[i, j]) - int(totals[i]) * int(totals[j])
                exponent = points[i].exponent + points[j].exponent
                covariance[i, j] = covariance[j, i] = scaled(moment, n * (n - 1), exponent)
        rounding = np.array([p.rounding for p in points])
        return BandMoments(self.labels, n, mean, covariance, rounding)


def _united(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return (min(a[0], b[0]), max(a[1], b[1]))


def _labels(name: str, spec: Any, sizes: Any) -> list[str]:
    lead = [dim for dim in spec.dims[:-2] if dim != "time"]
    count = int(np.prod([sizes[dim] for dim in lead]))
    return [f"{name}[{i}]" for i in range(count)] if lead else [name]


def _planes(dims: tuple[str, ...], array: Array) -> Array:
    """Return bands × pixels."""
    lead = dims[:-2]
    bands = int(np.prod([size for dim, size in zip(lead, array.shape, strict=False) if dim != "time"]))
    if "time" in lead:
        array = np.moveaxis(array, lead.index("time"), -3)
    return array.reshape(bands, -1) if array.size else np.empty((bands, 0), array.dtype)
