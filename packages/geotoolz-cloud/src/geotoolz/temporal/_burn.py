"""Burn severity, from a scene before and one after a fire."""

from __future__ import annotations

from typing import Any, Literal

from geotoolz.core import (
    ALL,
    Call,
    Footprint,
    Map,
    ParameterError,
    Plan,
    Role,
    TileSpec,
    VarSpec,
    require_physical,
)
from geotoolz.radiometry._classify import check_classes, class_spec, classify
from geotoolz.temporal._burn_kernels import severity
from geotoolz.temporal._times import stacked_bands
from geotoolz.temporal._two_dates import check_dates, interval_attrs, two_positions

_METRICS = {
    "dnbr": "differenced normalised burn ratio, before minus after",
    "rdnbr": "relative differenced normalised burn ratio",
    "rbr": "relativised burn ratio",
}
_BREAKS = (-0.25, -0.1, 0.1, 0.27, 0.44, 0.66)
_NAMES = (
    "enhanced_regrowth_high",
    "enhanced_regrowth_low",
    "unburned",
    "low_severity",
    "moderate_low_severity",
    "moderate_high_severity",
    "high_severity",
)
_COLORS = ("#7a8737", "#acbe4d", "#0ae042", "#fff70b", "#ffaf38", "#ff641b", "#a41fd6")


class BurnSeverity(Map):
    """Burn severity between two dates of a stack: a number, and a map of its classes.

    With ``NBR = (nir − swir22) / (nir + swir22)`` on each date:

    - ``dnbr``: ``NBR before − NBR after``. Burnt ground is positive. The classes by default are those of
      FIREMON: below −0.25 and below −0.1 regrowth (high, low), below 0.1 unburned, below 0.27 low,
      below 0.44 moderate-low, below 0.66 moderate-high, and high severity from there.
    - ``rdnbr``: ``dNBR / √|NBR before|``: where little grew before, little change is severe.
    - ``rbr``: ``dNBR / (NBR before + 1.001)``: the same, without the root that goes to 0.

    The last two have no classes that hold everywhere: give `breaks`. So do those of dNBR not: they come from
    forests of the western United States; compare with field plots where there are some.

    Reads two bands of reflectance ``(time, y, x)``. Writes `metric`, float32, units 1, unscaled (multiply
    by 1000 to compare with tables in whole numbers), and `name`, uint8, with CF ``flag_values``,
    ``flag_meanings`` and ``flag_colors``, 0 for no data; both ``(y, x)``. NaN and 0 where either date has no
    data, or something is divided by 0. Computes in float64. Mask clouds before: a cloud after the fire
    looks like a severe burn.

    Looks along time only. The dimension ``time`` is gone afterwards, with all variables and coordinates along
    it. The tile's attributes ``start_datetime`` and ``end_datetime`` name the two dates.

    Parameters
    ----------
    before, after : int or str
        A position along time (−1 is the last), or a date, ISO 8601 in UTC, as of `Difference`.
    metric : {"dnbr", "rdnbr", "rbr"}
        Which number.
    breaks : sequence of float, optional
        Limits of the classes, rising; needed for ``rdnbr`` and ``rbr``.
    names : sequence of str, optional
        Names of the classes of `breaks`, one more than those; by default the limits.
    colors : sequence of str, optional
        Their colours, ``#rrggbb``.
    nir, swir22 : str
        Roles of the bands. ``nir="nir08"`` takes the narrow band of Sentinel-2 (B8A), of the pixel
        size of ``swir22``.
    name : str
        Name of the map of classes.
    max_days : float
        How far from a given date a scene may lie.

    Raises
    ------
    TileError
        If there is no ``time`` dimension, no scene near enough to a date, several on one day, or the same
        date twice.
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched or holds digital numbers with an offset.
    ParameterError
        If breaks are missing or do not rise, or names and colours are not one for each class.

    References
    ----------
    Key, C. H., Benson, N. C. (2006). Landscape assessment. In FIREMON: Fire effects monitoring and inventory
    system. USDA Forest Service, RMRS-GTR-164-CD (dNBR and its classes; colours as UN-SPIDER draws them).
    Miller, J. D., Thode, A. E. (2007). Quantifying burn severity in a heterogeneous landscape with a relative
    version of the delta Normalized Burn Ratio (dNBR). Remote Sensing of Environment 109, 66–80. Parks, S. A.,
    Dillon, G. K., Miller, C. (2014). A new metric for quantifying burn severity: the relativized burn ratio.
    Remote Sensing 6, 1827–1844.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import BurnSeverity
    >>> burnt = BurnSeverity("2024-06-01", "2024-06-11")(contract_tile((4, 4), times=3))
    >>> burnt.dnbr.dtype, burnt.severity.dtype, burnt.severity.attrs["flag_meanings"].split()[-1]
    (dtype('float32'), dtype('uint8'), 'high_severity')
    """

    before: int | str = 0
    after: int | str = -1
    metric: Literal["dnbr", "rdnbr", "rbr"] = "dnbr"
    breaks: tuple[float, ...] | None = None
    names: tuple[str, ...] | None = None
    colors: tuple[str, ...] | None = None
    nir: Role = "nir"
    swir22: Role = "swir22"
    name: str = "severity"
    max_days: float = 0.0

    def validate(self) -> None:
        """Check dates and classes."""
        label = type(self).__name__
        check_dates(self.before, self.after, self.max_days)
        if self.breaks is None:
            if self.metric != "dnbr":
                raise ParameterError(
                    f"metric={self.metric!r} without breaks",
                    expected="limits of its classes: there are none that hold everywhere",
                    fix="take them from field plots of the region, breaks=(…)",
                )
            if self.names is not None or self.colors is not None:
                raise ParameterError("names or colors without breaks", fix="give breaks too")
        if self.name == self.metric:
            raise ParameterError(f"name={self.name!r} is the metric's own", expected="another name")
        check_classes(*self._classes(), label)

    def plan(self, tile: TileSpec) -> Plan:
        """Find the two dates, make the number and its classes."""
        label = type(self).__name__
        bands = tuple(tile.find(role, label) for role in (self.nir, self.swir22))
        stacked_bands(tile, bands, label)
        notes = require_physical(tile, bands, label)
        before, after = two_positions(tile, self.before, self.after, self.max_days, label)
        breaks, names, colors = self._classes()
        attrs: dict[str, Any] = {"long_name": _METRICS[self.metric], "units": "1", "quantity": "index"}
        text = f"burn severity by {self.metric}"
        writes = {
            self.metric: VarSpec(("y", "x"), attrs=attrs),
            self.name: class_spec(("y", "x"), text, breaks, names, colors),
        }
        nodata = tuple(tile.variables[name].nodata_scalar for name in bands)
        args = (*nodata, before, after, tuple(_METRICS).index(self.metric))
        calls = (
            Call(bands, (self.metric,), severity, args),
            Call((self.metric,), (self.name,), classify, (float("nan"), breaks)),
        )
        gone = tuple(n for n, v in tile.variables.items() if "time" in v.dims and n not in writes)
        return Plan(
            writes=writes,
            calls=calls,
            drops=gone,
            footprint=Footprint(time=ALL),
            coords={"time": None},
            attrs=interval_attrs(tile, before, after),
            notes=notes,
        )

    def _classes(self) -> tuple[tuple[float, ...], tuple[str, ...] | None, tuple[str, ...] | None]:
        if self.breaks is None:
            return _BREAKS, _NAMES, _COLORS
        return self.breaks, self.names, self.colors
