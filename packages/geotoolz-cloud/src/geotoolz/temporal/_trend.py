"""The slope of a series, by Theil and Sen."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from geotoolz.core import (
    ALL,
    Call,
    Footprint,
    Map,
    ParameterError,
    Plan,
    TileError,
    TileSpec,
    VarSpec,
    require_physical,
)
from geotoolz.temporal._bin_kernels import float_type
from geotoolz.temporal._times import (
    days,
    iso,
    ordered_times,
    parsed,
    require_measurements,
    several_dates_attrs,
    stacked_bands,
)
from geotoolz.temporal._trend_kernels import theil_sen

_MOST_DATES = 4096
_DAYS_OF_A_YEAR = 365.242198781
"""The year of UDUNITS and CF, so that ``year-1`` means what other tools take it for."""


def series_bands(
    tile: TileSpec, bands: tuple[str, ...] | None, min_obs: int, needed_by: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the bands of which a trend is found, and doubts about them.

    Raises
    ------
    TileError
        If they are no measurements along time, or there are too few or too many dates.
    QuantityError
        If they hold stretched values or digital numbers with an offset.
    """
    found = stacked_bands(tile, bands, needed_by)
    require_measurements(tile, found, needed_by)
    notes = require_physical(tile, found, needed_by)
    dates = tile.sizes["time"]
    if not min_obs <= dates <= _MOST_DATES:
        few = dates < min_obs
        raise TileError(
            f"{needed_by} got a stack of {dates} date{'s' if dates > 1 else ''}",
            expected=f"min_obs={min_obs} at least" if few else f"at most {_MOST_DATES}",
            fix="add dates" if few else "make monthly ones with ResampleTime first",
        )
    return found, notes


def trend_spec(name: str, spec: VarSpec, what: str, units: str) -> VarSpec:
    """Return what a statistic of a band's series is written as."""
    attrs = {"long_name": f"{what} of {name}", "units": units, "quantity": "index"}
    return VarSpec(("y", "x"), float_type(spec.dtype), attrs=attrs)


def dropped(tile: TileSpec) -> tuple[str, ...]:
    """Return the variables along time: they have no place in a tile without it."""
    return tuple(name for name, spec in tile.variables.items() if "time" in spec.dims)


class TheilSenTrend(Map):
    """Trend of every pixel: the median of the slopes of all pairs of dates.

    ``slope = median((vⱼ − vᵢ) / (tⱼ − tᵢ))`` for ``i < j``, per year, and
    ``intercept = median(v) − slope · median(t)``, the line's value at `since`. Up to 29 % of the dates may
    be wild without moving the slope far. The times are those of the ``time`` coordinate, to the
    nanosecond: dates need not be regular. A year has 365.242198781 days, as in UDUNITS.

    Reads the chosen bands ``(time, y, x)``; writes for each band ``{band}_slope`` (its units per year) and
    ``{band}_intercept``, with `confidence` also ``{band}_slope_low`` and ``{band}_slope_high``, as
    ``(y, x)``, float32 (float64 for bands of float64 and integers of 32 bits and more). NaN where a pixel has
    fewer than `min_obs` dates with data; infinite values are no data. Computes in float64.

    Looks along time only. The dimension ``time`` is gone afterwards, with all variables and coordinates along
    it; the tile's attributes say which dates it is made of. Needs memory for the slopes of one pixel:
    ``4 · dates²`` bytes.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements and lie along time.
    min_obs : int
        Dates with data that a pixel needs, 2 or more.
    confidence : float, optional
        Adds the bounds between which the true slope lies with this probability, such as 0.95.
    since : str, optional
        Where the intercept is taken, ISO 8601 in UTC; by default the first date of the stack. Give it where
        tiles with other dates shall fit together.

    Raises
    ------
    TileError
        If there is no ``time`` dimension or fewer dates than `min_obs`, if times are unsorted or twice the
        same (the positions are named), or a band holds flags.
    QuantityError
        If a band was stretched or holds digital numbers with an offset.
    ParameterError
        If `min_obs` or `confidence` is none.

    References
    ----------
    Theil, H. (1950). A rank-invariant method of linear and polynomial regression analysis. Nederlandse
    Akademie van Wetenschappen Proceedings 53, 386–392. Sen, P. K. (1968). Estimates of the regression
    coefficient based on Kendall's tau. Journal of the American Statistical Association 63, 1379–1389
    (bounds).
    As ``scipy.stats.theilslopes(method="separate")``.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import TheilSenTrend
    >>> trend = TheilSenTrend(bands=("nir",), confidence=0.95)(contract_tile((4, 4), times=6))
    >>> list(trend.data_vars)[-4:], trend.nir_slope.attrs["units"]
    (['nir_slope', 'nir_intercept', 'nir_slope_low', 'nir_slope_high'], 'year-1')
    """

    bands: tuple[str, ...] | None = None
    min_obs: int = 3
    confidence: float | None = None
    since: str | None = None

    def validate(self) -> None:
        """Check the numbers."""
        if self.min_obs < 2:
            raise ParameterError(f"min_obs={self.min_obs}", expected="2 or more")
        if self.confidence is not None and not 0 < self.confidence < 1:
            raise ParameterError(
                f"confidence={self.confidence}", expected="a share between 0 and 1, such as 0.95"
            )
        if self.since is not None:
            parsed(self.since, "since")

    def plan(self, tile: TileSpec) -> Plan:
        """Make one call per band."""
        label = type(self).__name__
        bands, notes = series_bands(tile, self.bands, self.min_obs, label)
        times = ordered_times(tile, label)
        origin = times[0] if self.since is None else parsed(self.since, "since")
        # the slope does not depend on the origin, not in its last bit: times count from the first date
        years = tuple(day / _DAYS_OF_A_YEAR for day in days(times))
        since = days(np.array([origin]), times[0])[0] / _DAYS_OF_A_YEAR
        z = None if self.confidence is None else NormalDist().inv_cdf(0.5 + self.confidence / 2)
        writes: dict[str, VarSpec] = {}
        calls = []
        for name in bands:
            spec = tile.variables[name]
            made = self._writes(name, spec, iso(origin))
            writes.update(made)
            args = (spec.nodata_scalar, years, since, self.min_obs, z, float_type(spec.dtype))
            calls.append(Call((name,), tuple(made), theil_sen, args))
        return Plan(
            writes=writes,
            calls=tuple(calls),
            drops=tuple(name for name in dropped(tile) if name not in writes),
            footprint=Footprint(time=ALL),
            coords={"time": None},
            attrs=several_dates_attrs(tile, "trend"),
            notes=notes,
        )

    def _writes(self, name: str, spec: VarSpec, since: str) -> dict[str, VarSpec]:
        units: Any = spec.attrs.get("units", "1")
        rate = "year-1" if units == "1" else f"{units} year-1"
        found = {
            f"{name}_slope": trend_spec(name, spec, "Theil-Sen slope", rate),
            f"{name}_intercept": trend_spec(name, spec, f"value at {since} on the Theil-Sen line", units),
        }
        if self.confidence is not None:
            share = f"{np.round(100 * self.confidence, 6):g} %"
            for end, text in (("low", "lower"), ("high", "upper")):
                what = f"{text} {share} confidence bound of the Theil-Sen slope"
                found[f"{name}_slope_{end}"] = trend_spec(name, spec, what, rate)
        return found
