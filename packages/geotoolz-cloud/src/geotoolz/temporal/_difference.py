"""Changes between two dates."""

from __future__ import annotations

from typing import Any, Literal

from geotoolz.core import (
    ALL,
    Call,
    Footprint,
    Map,
    Plan,
    TileSpec,
    VarSpec,
    require_physical,
)
from geotoolz.temporal._bin_kernels import float_type
from geotoolz.temporal._difference_kernels import differences
from geotoolz.temporal._times import require_measurements, stacked_bands
from geotoolz.temporal._two_dates import check_dates, interval_attrs, two_positions

_VALUE_ATTRS = ("scale_factor", "add_offset", "standard_name", "valid_range", "valid_min", "valid_max")


class Difference(Map):
    """Change between two dates of a stack: ``after − before``, or ``(after − before) / |before|``.

    An increase is positive. With ``sign="before-after"`` a decrease is: so dNBR is defined, ``NBR``
    before the fire minus ``NBR`` after it.

    Reads the chosen bands ``(time, y, x)``; writes them as ``(y, x)``, float32 (float64 for bands of
    float64 and integers of 32 bits and more), in their units, or 1 if relative; NaN where
    either date has no data, and relative to 0. Computes in float64: unsigned integers do not wrap.

    Looks along time only. The dimension ``time`` is gone afterwards, with all coordinates along it and
    all variables along it that are not chosen. The tile's attributes ``start_datetime`` and
    ``end_datetime`` name the two dates, the earlier first; ``datetime`` becomes the later.

    Parameters
    ----------
    before, after : int or str
        A position along time (−1 is the last), or a date, ISO 8601 in UTC. A day such as
        ``"2024-07-01"`` means the scene of that day, a time with ``T`` that very time.
    bands : sequence of str, optional
        By default all bands that hold measurements and lie along time.
    relative : bool
        Divide by the absolute value before.
    sign : {"after-before", "before-after"}
        Which change is positive.
    max_days : float
        How far from a given date a scene may lie: the nearest is taken, the earlier of equally near ones.
        Days count from midnight to midnight. 0 asks for that very day or time.

    Raises
    ------
    TileError
        If there is no ``time`` dimension, no scene near enough to a date (the nearest is named), several
        on one day, no such position, the same date twice, or a band that does not lie along time or
        holds flags.
    QuantityError
        If a band was stretched or holds digital numbers with an offset.
    ParameterError
        If a date cannot be read.

    References
    ----------
    Key, C. H., Benson, N. C. (2006). Landscape assessment. In FIREMON: Fire effects monitoring and
    inventory system. USDA Forest Service, RMRS-GTR-164-CD (dNBR as before minus after).

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import Difference
    >>> stack = contract_tile((4, 4), times=3)
    >>> change = Difference("2024-06-01", "2024-06-11", bands=("nir",))(stack)
    >>> change.nir.dims, change.attrs["end_datetime"]
    (('y', 'x'), '2024-06-11T00:00:00Z')
    """

    before: int | str = 0
    after: int | str = -1
    bands: tuple[str, ...] | None = None
    relative: bool = False
    sign: Literal["after-before", "before-after"] = "after-before"
    max_days: float = 0.0

    def validate(self) -> None:
        """Check the dates."""
        check_dates(self.before, self.after, self.max_days)

    def plan(self, tile: TileSpec) -> Plan:
        """Find the two dates, subtract each band."""
        label = type(self).__name__
        bands = stacked_bands(tile, self.bands, label)
        require_measurements(tile, bands, label)
        notes = require_physical(tile, bands, label)
        before, after = two_positions(tile, self.before, self.after, self.max_days, label)
        writes: dict[str, VarSpec] = {}
        calls = []
        sign = 1.0 if self.sign == "after-before" else -1.0
        for name in bands:
            spec = tile.variables[name]
            dtype = float_type(spec.dtype)
            writes[name] = VarSpec(("y", "x"), dtype, attrs=self._attrs(name, spec))
            args = (spec.nodata_scalar, before, after, self.relative, sign, dtype)
            calls.append(Call((name,), (name,), differences, args))
        gone = tuple(n for n, v in tile.variables.items() if "time" in v.dims and n not in writes)
        return Plan(
            writes=writes,
            calls=tuple(calls),
            drops=gone,
            footprint=Footprint(time=ALL),
            coords={"time": None},
            attrs=interval_attrs(tile, before, after),
            notes=notes,
        )

    def _attrs(self, name: str, spec: VarSpec) -> dict[str, Any]:
        kept = {key: value for key, value in spec.attrs.items() if key not in _VALUE_ATTRS}
        what = "relative change" if self.relative else "change"
        kept.update(long_name=f"{what} of {name}, {self.sign.replace('-', ' minus ')}", quantity="index")
        if self.relative:
            kept["units"] = "1"
        return kept
