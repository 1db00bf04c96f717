"""What operators of this room refuse, and the attributes that they write."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, QuantityError, TileSpec, VarSpec, chosen_bands, is_flags

CHANNELS = ("red", "green", "blue", "alpha")
REFLECTANCES = ("toa_reflectance", "surface_reflectance", "reflectance")


def unit_of(crs: Any) -> str:
    """Return the unit of a CRS's axes, short where there is a sign for it."""
    if crs.geographic:
        return "°"
    unit = str(crs.units[0])
    return {"metre": "m", "meter": "m"}.get(unit, unit)


def is_picture(spec: VarSpec) -> bool:
    """Whether a variable is one channel of a picture already."""
    return "color_interp" in spec.attrs


def refuse_picture(name: str, spec: VarSpec, needed_by: str) -> None:
    """Raise for a variable that is one channel of a picture."""
    if is_picture(spec):
        raise QuantityError(
            f"{needed_by} reads {name!r}, which is a channel of a picture already "
            f"({spec.attrs.get('stretch', 'made earlier')})",
            expected="values that have a meaning",
            fix=f"put {needed_by} before that step, or give the picture's channels other names (names=…)",
        )


def measured_band(tile: TileSpec, role: str, needed_by: str) -> str:
    """Return the variable of a role; raise for a picture, for classes and for dtypes that kernels refuse."""
    (name,) = chosen_bands(tile, (role,), needed_by)
    spec = tile.variables[name]
    refuse_picture(name, spec, needed_by)
    if is_flags(name, spec):
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds flags or a mask",
            expected="measurements",
            fix=f"CategoricalColormap({name!r}) paints classes",
        )
    return name


def reflectance_band(tile: TileSpec, role: str, needed_by: str) -> str:
    """Return the variable of a role that holds reflectance; raise for stored numbers and stretched values."""
    name = measured_band(tile, role, needed_by)
    spec = tile.variables[name]
    if spec.quantity == "dn" or (spec.quantity is None and spec.dtype.kind in "iu"):
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds stored numbers ({spec.dtype})",
            expected="reflectance, to which its limits apply",
            fix="open the tile without raw=True, or put DNToReflectance first",
        )
    if spec.quantity == "stretched":
        raise QuantityError(
            f"{needed_by} reads {name!r}, which was stretched already "
            f"({spec.attrs.get('stretch', 'earlier')})",
            expected="reflectance",
            fix=f"leave that step out; {needed_by}(percentiles=(2, 98)) stretches, once",
        )
    if spec.quantity is not None and spec.quantity not in REFLECTANCES:
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds {spec.quantity}",
            expected="reflectance",
            fix=f"Colormap({name!r}, vmin=…, vmax=…) paints one band of any quantity",
        )
    return name


def check_limits(vmin: float | None, vmax: float | None, who: str) -> None:
    """Raise unless limits are finite and in order."""
    for label, value in (("vmin", vmin), ("vmax", vmax)):
        if value is not None and not math.isfinite(value):
            raise ParameterError(f"{who}: {label}={value}", expected="a finite number")
    if vmin is not None and vmax is not None and not vmin < vmax:
        raise ParameterError(
            f"{who}: vmin={vmin:g}, vmax={vmax:g}",
            expected="vmin < vmax",
            fix="name the map with _r for the reverse (cmap='viridis_r')" if vmin > vmax else "",
        )


def check_gamma(gamma: float, who: str) -> None:
    """Raise for a gamma that is no sensible one (0 and negative ones turn a picture round)."""
    if not 0.1 <= gamma <= 10:
        raise ParameterError(
            f"{who}: gamma={gamma:g}", expected="a number from 0.1 to 10; above 1 brightens dark pixels"
        )


def check_percentiles(pair: tuple[float, float], who: str) -> None:
    """Raise unless two percentiles are in order."""
    low, high = pair
    if not 0 <= low < high <= 100:
        raise ParameterError(f"{who}: percentiles={pair}", expected="0 ≤ low < high ≤ 100")


def check_names(names: tuple[str, ...], n: int, who: str) -> None:
    """Raise unless there are as many different names as planes are written."""
    if len(names) != n or len(set(names)) != n or not all(names):
        raise ParameterError(f"{who}: names={names}", expected=f"{n} different names")


def channels(names: tuple[str, ...], dims: tuple[str, ...], of: str, how: str) -> dict[str, VarSpec]:
    """Return the four variables of a picture."""
    specs = {}
    for name, channel in zip(names, CHANNELS, strict=True):
        specs[name] = VarSpec(dims, np.dtype(np.uint8), None, picture_attrs(channel, of, how))
    return specs


def picture_attrs(channel: str, of: str, how: str) -> dict[str, Any]:
    """Return the attributes of one channel; ``color_interp`` is what GDAL calls it."""
    return {
        "long_name": f"{channel} of a picture of {of}",
        "units": "1",
        "quantity": "stretched",
        "stretch": how,
        "color_interp": channel,
    }
