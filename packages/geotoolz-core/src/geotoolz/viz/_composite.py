"""Three bands as one picture."""

from __future__ import annotations

from collections.abc import Mapping

from geotoolz.core import Call, Freezable, ParameterError, Plan, Reduce, Role, TileSpec
from geotoolz.radiometry import Percentiles
from geotoolz.viz import _kernels
from geotoolz.viz._checks import (
    CHANNELS,
    channels,
    check_gamma,
    check_limits,
    check_names,
    check_percentiles,
    reflectance_band,
)
from geotoolz.viz._colormap import Scope

Triple = tuple[float, float, float]


def triple(value: float | Triple) -> Triple:
    """Return one number for each channel."""
    if isinstance(value, tuple):
        return value
    return (float(value), float(value), float(value))


class Composite(Freezable, abstract=True):
    """Base of pictures of three reflectance bands."""

    red: Role = "red"
    green: Role = "green"
    blue: Role = "blue"
    vmin: float | tuple[float, float, float] = 0.0
    vmax: float | tuple[float, float, float] = 0.3
    gamma: float = 1.0
    percentiles: tuple[float, float] | None = None
    limits: Mapping[str, tuple[float, float]] | None = None
    names: tuple[str, ...] = CHANNELS
    scope: Scope = "catalog"

    def validate(self) -> None:
        """Check limits, gamma and names."""
        who = type(self).__name__
        for low, high in zip(triple(self.vmin), triple(self.vmax), strict=True):
            check_limits(low, high, who)
        check_gamma(self.gamma, who)
        if self.percentiles is not None:
            check_percentiles(self.percentiles, who)
        for band, (low, high) in (self.limits or {}).items():
            if low > high:
                raise ParameterError(
                    f"{who}: the limits of {band!r} are ({low}, {high})", expected="low ≤ high"
                )
        check_names(self.names, 4, who)

    @property
    def is_frozen(self) -> bool:
        """Whether the limits are known; without `percentiles` they always are."""
        return self.percentiles is None or self.limits is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the percentiles to gather."""
        return Percentiles(tuple(dict.fromkeys(self._bands(tile))), self.percentiles or (0.0, 100.0))

    def freeze(self, result: Mapping[str, tuple[float, ...]]) -> Composite:
        """Return the step with its limits bound."""
        return self.replace(limits={band: tuple(values) for band, values in result.items()})

    def plan(self, tile: TileSpec) -> Plan:
        """Read three bands, write the picture."""
        bands = self._bands(tile)
        specs = [tile.variables[band] for band in bands]
        low, high = triple(self.vmin), triple(self.vmax)
        if self.limits is not None:
            known = {tile.find(band, type(self).__name__): pair for band, pair in self.limits.items()}
            lacking = [band for band in bands if band not in known]
            if lacking:
                raise ParameterError(
                    f"{type(self).__name__}: the limits name {', '.join(self.limits)}",
                    expected=f"limits of {', '.join(lacking)} too",
                    fix="freeze it again, on the bands that it is to show",
                )
            low, high = zip(*(known[band] for band in bands), strict=True)
        how = f"{type(self).__name__}({_shown(low)}, {_shown(high)}, gamma {self.gamma:g})"
        writes = channels(self.names, specs[0].dims, " ".join(bands), how)
        nodata = tuple(spec.nodata_scalar for spec in specs)
        args = (nodata, tuple(map(float, low)), tuple(map(float, high)), self.gamma)
        return Plan(writes=writes, calls=(Call(bands, tuple(writes), _kernels.composite, args),))

    def _bands(self, tile: TileSpec) -> tuple[str, str, str]:
        who = type(self).__name__
        red, green, blue = (reflectance_band(tile, role, who) for role in (self.red, self.green, self.blue))
        return red, green, blue


def _shown(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else "/".join(f"{v:g}" for v in values)


class TrueColor(Composite):
    """Picture in natural colours: ``255 · ((ρ − vmin) / (vmax − vmin))^(1/gamma)`` of red, green, blue.

    Reads three bands of reflectance (surface or top of atmosphere); looks at the pixel alone.
    Writes four uint8 variables, ``red``, ``green``, ``blue`` and ``alpha``: 0 … 255, values beyond
    the limits cut off, rounded to the nearest (half up). Where one of the bands has no data all four
    are 0, elsewhere ``alpha`` is 255. The bands of reflectance of those names are replaced unless
    `names` says otherwise; indices refuse the picture. `WriteCOG` writes all four,
    in the tile's order; red first with ``WriteCOG(path, bands=("red", "green", "blue", "alpha"))``.

    The limits are fixed, so tiles and dates match. With `percentiles` they come from the data: from
    a sample, by `geotoolz.core.freeze`; per tile only if ``scope="tile"`` says so.

    Parameters
    ----------
    red, green, blue : str
        Roles of the bands.
    vmin, vmax : float or (float, float, float)
        Reflectance that becomes 0 and 255; one for all, or one for each channel.
    gamma : float
        Above 1 brightens dark pixels; 1 is linear.
    percentiles : (float, float), optional
        Take the limits of each band from its percentiles instead; needs freezing.
    limits : mapping of str to (low, high), optional
        Frozen limits per band. Set by `geotoolz.core.freeze`.
    names : sequence of str
        Names of the four variables that are written.
    scope : {"tile", "catalog"}
        ``"tile"`` lets an unfrozen step take the percentiles of the tile; ``"catalog"`` refuses to
        run unfrozen. Matters with `percentiles` only.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band holds stored numbers, was stretched already, or is no reflectance.
    ParameterError
        If limits are not in order or gamma is out of range.

    References
    ----------
    Poynton, C. (1999). Frequently Asked Questions about Gamma (gamma correction).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import TrueColor
    >>> picture = TrueColor(names=("r", "g", "b", "a"))(simulate_scene((8, 8)))
    >>> picture.r.dtype, picture.red.dtype
    (dtype('uint8'), dtype('float32'))
    """


class FalseColor(Composite):
    """Picture of any three reflectance bands, by default near infrared, red, green.

    The same as `TrueColor` with other bands and limits: vegetation is red by default;
    ``FalseColor("swir16", "nir", "red")`` shows fields, ``FalseColor("swir22", "swir16", "blue")``
    burnt ground. Reads, writes, footprint and no-data are those of `TrueColor`.

    Parameters
    ----------
    red, green, blue : str
        Roles of the bands that are shown in red, green and blue.
    vmin, vmax : float or (float, float, float)
        Reflectance that becomes 0 and 255; one for all, or one for each channel.
    gamma : float
        Above 1 brightens dark pixels; 1 is linear.
    percentiles : (float, float), optional
        Take the limits of each band from its percentiles instead; needs freezing.
    limits : mapping of str to (low, high), optional
        Frozen limits per band. Set by `geotoolz.core.freeze`.
    names : sequence of str
        Names of the four variables that are written.
    scope : {"tile", "catalog"}
        As for `TrueColor`.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band holds stored numbers, was stretched already, or is no reflectance.
    ParameterError
        If limits are not in order or gamma is out of range.

    References
    ----------
    Poynton, C. (1999). Frequently Asked Questions about Gamma (gamma correction).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import FalseColor
    >>> picture = FalseColor("swir16", "nir", "red")(simulate_scene((8, 8)))
    >>> picture.red.attrs["long_name"]
    'red of a picture of swir16 nir red'
    """

    red: Role = "nir"
    green: Role = "red"
    blue: Role = "green"
    vmax: float | tuple[float, float, float] = 0.4
