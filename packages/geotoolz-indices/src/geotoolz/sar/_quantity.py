"""What backscatter is measured in: linear power or decibels, never guessed from the pixels."""

from __future__ import annotations

from typing import Literal

from geotoolz.core import MissingVariableError, QuantityError, TileSpec, chosen_bands

POLARISATIONS = ("vv", "vh", "hh", "hv")
Scale = Literal["linear", "dB"]
_DECIBEL = ("db", "decibel", "decibels")
_LINEAR = ("1", "", "linear", "power", "intensity")


def is_backscatter(tile: TileSpec, name: str) -> bool:
    """Whether a variable is said to be backscatter, by its quantity or, without one, by its name."""
    spec = tile.variables[name]
    named = spec.quantity is None and name.lower() in POLARISATIONS
    return spec.dtype.kind in "iuf" and (spec.quantity == "backscatter" or named)


def backscatter_bands(
    tile: TileSpec, bands: tuple[str, ...] | None, scale: Scale | None, needed_by: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the bands that an operator treats, and doubts about them.

    Parameters
    ----------
    tile : TileSpec
        The tile.
    bands : tuple of str or None
        Those named by the user; None for all backscatter.
    scale : {"linear", "dB"} or None
        What they must be measured in; None for either.
    needed_by : str
        The operator.

    Raises
    ------
    MissingVariableError
        If a band is missing, or none is named and the tile has no backscatter.
    QuantityError
        If a band is no backscatter, or is measured in the other scale.
    """
    if bands is None:
        bands = tuple(name for name in tile.variables if is_backscatter(tile, name))
        if not bands:
            have = ", ".join(tile.variables) or "no variables"
            raise MissingVariableError(
                f"{needed_by} reads backscatter, and the tile has {have}",
                expected="variables vv, vh, hh or hv, or some with quantity 'backscatter'",
                fix=f"name them: {needed_by}(bands=[…])",
            )
    names = chosen_bands(tile, bands, needed_by)
    doubts = tuple(_doubt(tile, name, scale, needed_by) for name in names)
    return names, tuple(doubt for doubt in doubts if doubt)


def _doubt(tile: TileSpec, name: str, scale: Scale | None, needed_by: str) -> str:
    """Raise if a band is measured in something else; return a doubt where it is not said."""
    spec = tile.variables[name]
    if spec.quantity not in (None, "backscatter"):
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds {spec.quantity}",
            expected="calibrated backscatter",
            fix="calibrate digital numbers first; name the bands that hold backscatter: bands=[…]",
        )
    units = spec.attrs.get("units")
    if scale is None:
        return ""
    if units is None:
        if scale == "dB":
            raise QuantityError(
                f"{needed_by} reads {name!r}, which does not say its units",
                expected="units 'dB'",
                fix=f"ds[{name!r}].attrs['units'] = 'dB', if that is what they are",
            )
        return f"{name!r} does not say its units; taken as linear power, where values below 0 are no data"
    found = str(units).strip().lower()
    if found in (_DECIBEL if scale == "dB" else _LINEAR):
        return ""
    if found in _DECIBEL:
        fix = "put DBToLinear first" if needed_by != "LinearToDB" else "leave LinearToDB out"
    elif found in _LINEAR:
        fix = "leave DBToLinear out"
    else:
        fix = f"ds[{name!r}].attrs['units'] = {'dB' if scale == 'dB' else '1'!r}, if that is what they are"
    expected = "decibels (units 'dB')" if scale == "dB" else "linear power (units '1')"
    raise QuantityError(
        f"{needed_by} reads {name!r}, which is measured in {units!r}", expected=expected, fix=fix
    )
