"""Filling gaps in time."""

from __future__ import annotations

import sys

from geotoolz.core import ALL, Call, Footprint, Map, ParameterError, Plan, TileError, TileSpec, VarSpec
from geotoolz.temporal._fill_kernels import fill_gaps
from geotoolz.temporal._times import days, ordered_times, require_measurements, require_nodata, stacked_bands


class LinearGapFill(Map):
    """Fill gaps of a stack linearly in time: ``v₀ + (v₁ − v₀) · (t − t₀) / (t₁ − t₀)``.

    ``t₀`` and ``t₁`` are the nearest dates before and after with data at that pixel. Times are those of
    the ``time`` coordinate, to the nanosecond, as float64 days: an irregular series is not treated as
    a regular one. Gaps before the first and after the last date with data stay, and so do gaps
    longer than `max_gap`.

    Reads and writes the chosen bands ``(time, y, x)`` in their own dtype, units and no-data value.
    Computes in float64. Integers are rounded half to even; where that gives the no-data value, they take the
    next integer on the unrounded number's side, which lies between the two dates too. No-data is
    NaN in floats and the band's own no-data value; an infinite value counts as data, and what would be
    NaN for its sake stays no-data. Looks along time only. Times, and other coordinates along
    them, stay as they are.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements and lie along time.
    max_gap : float, optional
        The longest gap that is filled, in days from the date with data before it to the one after it.

    Raises
    ------
    TileError
        If there is no ``time`` dimension or no dates along it, if times are unsorted or twice the same (the
        positions are named), if a band holds flags, or integers without a no-data value.
    ParameterError
        If `max_gap` is not positive.

    References
    ----------
    Linear interpolation as `numpy.interp`; as ``xarray.DataArray.interpolate_na(dim="time")``.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import LinearGapFill
    >>> stack = contract_tile((4, 4), times=3, gaps=False)
    >>> stack.red[1, 0, 0] = np.nan
    >>> filled = LinearGapFill(bands=("red",))(stack)
    >>> before, here, after = filled.red.values[:, 0, 0]
    >>> bool(here == (before + after) / 2)
    True
    """

    bands: tuple[str, ...] | None = None
    max_gap: float | None = None

    def validate(self) -> None:
        """Check the gap."""
        if self.max_gap is not None and not self.max_gap > 0:
            raise ParameterError(f"max_gap={self.max_gap}", expected="days, more than 0")

    def plan(self, tile: TileSpec) -> Plan:
        """Make one call per band."""
        label = type(self).__name__
        bands = stacked_bands(tile, self.bands, label)
        require_measurements(tile, bands, label)
        when = days(ordered_times(tile, label))
        # the largest number and not infinity: a gap without end is infinitely long
        longest = sys.float_info.max if self.max_gap is None else min(self.max_gap, sys.float_info.max)
        writes: dict[str, VarSpec] = {}
        calls = []
        for name in bands:
            spec = writes[name] = tile.variables[name]
            if spec.dtype.kind in "iu" and spec.dtype.itemsize > 4:
                raise TileError(
                    f"{label} reads {name!r}, which is {spec.dtype}",
                    expected="floats, or integers of 32 bits at most: float64 holds no larger ones",
                    fix=f"ds[{name!r}] = ds[{name!r}].astype('int32')",
                )
            nodata = require_nodata(name, spec, label)
            calls.append(Call((name,), (name,), fill_gaps, (when, nodata, longest)))
        return Plan(writes=writes, calls=tuple(calls), footprint=Footprint(time=ALL))
