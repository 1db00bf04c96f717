"""Which variables an augmentation of values may touch, and in which units they count."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import MissingVariableError, TileSpec, VarSpec, chosen_bands, require_physical
from geotoolz.core._sensors import common_name, sensor_of

REFLECTANCE = frozenset({"surface_reflectance", "toa_reflectance"})
BACKSCATTER = frozenset({"backscatter"})
RADIOMETRIC = REFLECTANCE | BACKSCATTER | {"radiance"}

WAVELENGTHS = {
    "coastal": 443.0, "blue": 490.0, "green": 560.0, "pan": 590.0, "red": 665.0, "rededge": 740.0,
    "rededge071": 705.0, "rededge075": 740.0, "rededge078": 783.0, "nir": 842.0, "nir08": 865.0,
    "nir09": 945.0, "cirrus": 1375.0, "swir16": 1610.0, "swir22": 2190.0,
}  # fmt: skip
"""Centre wavelengths (nm) of bands that do not say their own."""

_POLARISATIONS = frozenset({"vv", "vh", "hh", "hv"})


def radiometric_bands(
    tile: TileSpec, bands: tuple[str, ...] | None, needed_by: str, kinds: frozenset[str] = RADIOMETRIC
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the variables that may be jittered, and doubts about them.

    Those named, or all that hold one of `kinds`: by their ``quantity``; where they say none or ``"dn"``,
    by a band's common name. Classes, masks, elevation and whatever else is in the tile stay as they are.

    Raises
    ------
    MissingVariableError
        If there is none.
    QuantityError
        If a named one holds flags or stretched values, or any stored numbers with an offset.
    """
    if bands is not None:
        names = chosen_bands(tile, bands, needed_by)
    else:
        found = (n for n, v in tile.variables.items() if kind_of(tile, n) in kinds and v.dtype.kind in "iuf")
        names = chosen_bands(tile, tuple(found), needed_by)
        if not names:
            raise MissingVariableError(
                f"{needed_by} finds no band with {' or '.join(sorted(kinds))}; "
                f"the tile has {', '.join(tile.variables) or 'no variables'}",
                fix=f"name the bands: {needed_by}(…, bands=[…])",
            )
    notes = require_physical(tile, names, needed_by)
    doubts = tuple(
        f"{name!r} holds digital numbers without scale_factor; {needed_by} counts in them"
        for name in names
        if tile.variables[name].quantity == "dn" and "scale_factor" not in tile.variables[name].attrs
    )
    return names, (*notes, *doubts)


def kind_of(tile: TileSpec, name: str) -> str | None:
    """Return what a variable's values are; stored numbers and bands that say nothing go by their name."""
    quantity = tile.variables[name].quantity
    if quantity not in (None, "dn"):
        return quantity
    common = common_band(tile, name)
    if common in _POLARISATIONS:
        return "backscatter"
    return "surface_reflectance" if common in WAVELENGTHS else None


def common_band(tile: TileSpec, name: str) -> str:
    """Return the common name of a sensor's band."""
    platform = sensor_of(tile.attrs)
    return (common_name(name, platform) if platform else None) or name


def wavelength_of(tile: TileSpec, name: str) -> float | None:
    """Return a band's centre wavelength in nanometres, if it is known."""
    told = tile.variables[name].attrs.get("wavelength_nm")
    return float(told) if told is not None else WAVELENGTHS.get(common_band(tile, name))


def stored_per_unit(spec: VarSpec) -> float:
    """Return how many stored numbers make one unit of what a band measures: 10000 for packed reflectance."""
    scale = spec.attrs.get("scale_factor", 1.0) if spec.quantity == "dn" else 1.0
    return 1.0 / float(scale)


def as_stored(result: np.ndarray[Any, Any], like: np.ndarray[Any, Any], nodata: Any) -> np.ndarray[Any, Any]:
    """Return float64 results in a band's own type: rounded, cut to its range, never a valid no-data value."""
    if like.dtype.kind == "f":
        return result
    info = np.iinfo(like.dtype)
    rounded = np.clip(np.rint(result), max(info.min, -(2**53)), min(info.max, 2**53))
    if nodata == nodata:
        rounded[rounded == nodata] = float(nodata) + (1 if nodata < info.max else -1)
    stored = rounded.astype(like.dtype)
    return np.where(like == nodata, like, stored)


def room_for(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array for a kernel's results: of the band's own type, or float64 for integers."""
    return np.empty(values.shape, values.dtype if values.dtype.kind == "f" else np.float64)
