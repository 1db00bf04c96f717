"""Stretching values for display or for a model's input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from geotoolz.core import Call, Freezable, ParameterError, Plan, Reduce, TileSpec, VarSpec, chosen_bands
from geotoolz.radiometry import _kernels
from geotoolz.radiometry._percentiles import Percentiles, check_sample_cell
from geotoolz.radiometry._statistics import Extremes

Scope = Literal["tile", "catalog"]
Limits = Mapping[str, tuple[float, float]]


def _check_limits(name: str, limits: Limits | None) -> None:
    for band, (low, high) in (limits or {}).items():
        if low > high:
            raise ParameterError(f"{name}: the limits of {band!r} are ({low}, {high})", expected="low ≤ high")


def plan_stretch(op: Any, tile: TileSpec, limits: Limits | None, kernel: Any, *more: Any) -> Plan:
    """Plan one call per band with its limits; without limits the arguments follow at freezing."""
    name = type(op).__name__
    if limits is None:
        bands = chosen_bands(tile, op.bands, name)
    else:
        bands = tuple(tile.find(band, name) for band in limits)
        if len(set(bands)) < len(bands):
            raise ParameterError(f"{name}: two of the limits {', '.join(limits)} are for one band")
    label = f"{name}({op.p_min:g}, {op.p_max:g})" if hasattr(op, "p_min") else name
    writes: dict[str, VarSpec] = {}
    calls = []
    for band, pair in zip(bands, limits.values() if limits else [(0.0, 1.0)] * len(bands), strict=True):
        spec = tile.variables[band]
        attrs = {
            k: v for k, v in spec.attrs.items() if k not in ("scale_factor", "add_offset", "standard_name")
        }
        writes[band] = VarSpec(
            spec.dims, attrs={**attrs, "units": "1", "quantity": "stretched", "stretch": label}
        )
        calls.append(Call((band,), (band,), kernel, (spec.nodata_scalar, *map(float, pair), *more)))
    return Plan(writes=writes, calls=tuple(calls))


class PercentileClip(Freezable):
    """Limit each band to the values between two of its percentiles.

    For display, and before `MinMax` for a model's input. The result is marked as stretched, and
    what needs physical values (indices, masks by threshold) refuses it.

    Reads the chosen bands, writes them as float32 with NaN for no-data; no-data pixels do not
    count in the percentiles. The percentiles are exact (linear interpolation) unless ``sample_cell``
    asks for a sample, whose error `Percentiles` states.

    Parameters
    ----------
    p_min, p_max : float
        Percentiles, 0 to 100.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    limits : mapping of str to (low, high), optional
        Frozen percentiles per band. Set by `geotoolz.core.freeze`.
    scope : {"tile", "catalog"}
        ``"tile"`` lets an unfrozen step take the percentiles of the very tile, in two visits of
        its pixels; neighbouring tiles then do not match. ``"catalog"`` refuses to run unfrozen.
    sample_cell : int
        Take the percentiles of one pixel of every ``sample_cell × sample_cell`` pixels; a power of
        two. 1 takes every pixel. Does not matter once limits are bound.

    Raises
    ------
    ParameterError
        If the percentiles are not in order, or the cell's side is no power of two.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import PercentileClip
    >>> tile = simulate_scene((64, 64), bands=("red", "nir"))
    >>> PercentileClip(2, 98)(tile).red.attrs["stretch"]
    'PercentileClip(2, 98)'
    """

    p_min: float = 2.0
    p_max: float = 98.0
    bands: tuple[str, ...] | None = None
    limits: Mapping[str, tuple[float, float]] | None = None
    scope: Scope = "tile"
    sample_cell: int = 1

    def validate(self) -> None:
        """Check the order of the percentiles and limits."""
        check_sample_cell(self.sample_cell)
        if not 0 <= self.p_min < self.p_max <= 100:
            raise ParameterError(
                f"p_min={self.p_min}, p_max={self.p_max}", expected="0 ≤ p_min < p_max ≤ 100"
            )
        _check_limits(type(self).__name__, self.limits)

    @property
    def is_frozen(self) -> bool:
        """Whether the limits are known."""
        return self.limits is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the percentiles to gather."""
        bands = chosen_bands(tile, self.bands, type(self).__name__)
        return Percentiles(bands, (self.p_min, self.p_max), self.sample_cell)

    def freeze(self, result: Mapping[str, tuple[float, ...]]) -> PercentileClip:
        """Return the step with its limits bound."""
        return self.replace(limits={band: tuple(values) for band, values in result.items()})

    def plan(self, tile: TileSpec) -> Plan:
        """Clip every band."""
        return plan_stretch(self, tile, self.limits, _kernels.clip)


class MinMax(Freezable):
    """Scale each band so that its smallest value becomes 0 and its largest 1.

    Reads the chosen bands, writes them as float32 with NaN for no-data. A band without any spread
    becomes no-data (0/0).

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.
    limits : mapping of str to (low, high), optional
        Frozen limits per band. Set by `geotoolz.core.freeze`, or given.
    clip : bool
        Limit results to 0 … 1; matters where the limits come from elsewhere.
    scope : {"tile", "catalog"}
        As for `PercentileClip`.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import MinMax
    >>> red = MinMax()(simulate_scene((64, 64), bands=("red",))).red
    >>> float(red.min()), float(red.max())
    (0.0, 1.0)
    """

    bands: tuple[str, ...] | None = None
    limits: Mapping[str, tuple[float, float]] | None = None
    clip: bool = False
    scope: Scope = "tile"

    def validate(self) -> None:
        """Check the order of the limits."""
        _check_limits(type(self).__name__, self.limits)

    @property
    def is_frozen(self) -> bool:
        """Whether the limits are known."""
        return self.limits is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the extremes to gather."""
        return Extremes(chosen_bands(tile, self.bands, type(self).__name__))

    def freeze(self, result: Mapping[str, tuple[float, float]]) -> MinMax:
        """Return the step with its limits bound."""
        return self.replace(limits=dict(result))

    def plan(self, tile: TileSpec) -> Plan:
        """Scale every band."""
        return plan_stretch(self, tile, self.limits, _kernels.stretch, self.clip)
