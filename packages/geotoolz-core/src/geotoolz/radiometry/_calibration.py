"""Calibration that differs from date to date, and where a band's numbers say what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Call, QuantityError, TileSpec, VarSpec, chosen_bands
from geotoolz.core._sensors import sensor_of
from geotoolz.radiometry import _kernels

if TYPE_CHECKING:
    from geotoolz.io import BandDef

RAW_ATTRS = frozenset({"scale_factor", "add_offset", "scaled_units", "scaled_quantity", "valid_range"})
"""What a band of stored numbers says about itself, and what is wrong of its values."""


def calibration(
    name: str, nodata: Any, saturated: Any, factors: tuple[float, ...], offsets: tuple[float, ...]
) -> Call:
    """Return the call that writes ``value · factor + offset`` over a band.

    There is one pair of numbers, or one for each date. `saturated` is None where no number stands for a
    saturated detector.
    """
    if len(factors) > 1:
        return Call((name,), (name,), _by_date, (nodata, saturated, factors, offsets))
    if saturated is None:
        return Call((name,), (name,), _kernels.scale, (nodata, factors[0], offsets[0]))
    return Call((name,), (name,), _kernels.calibrate, (nodata, saturated, factors[0], offsets[0]))


def _by_date(
    values: np.ndarray[Any, Any],
    nodata: Any,
    saturated: Any,
    factors: tuple[float, ...],
    offsets: tuple[float, ...],
) -> np.ndarray[Any, Any]:
    out = np.empty(values.shape, np.float32)
    for date, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
        if saturated is None:
            out[date] = _kernels.scale(values[date], nodata, factor, offset)
        else:
            out[date] = _kernels.calibrate(values[date], nodata, saturated, factor, offset)
    return out


def platform_of(tile: TileSpec) -> str:
    """Return the tile's platform as geotoolz writes it, empty where unknown."""
    return str(tile.attrs.get("platform") or "").lower().replace("_", "-")


def _sensor_of(tile: TileSpec) -> str:
    """Return whose band names the tile has; HLS calls them as the satellite it stands for."""
    product = str(tile.attrs.get("tile_id") or "").upper()
    if product.startswith("HLS."):
        return "landsat-8" if product.startswith("HLS.L30") else "sentinel-2"
    return sensor_of(tile.attrs)


def band_of(tile: TileSpec, name: str) -> BandDef | None:
    """Return the sensor's band that a variable holds, if its platform is known."""
    from geotoolz.io._bands import bands_of_platform, identify  # the readers: not needed to import this room

    platform = _sensor_of(tile)
    sensor_band = tile.variables[name].attrs.get("sensor_band")
    return (
        bands_of_platform(platform).get(name)
        or (identify(str(sensor_band), platform) if sensor_band else None)
        or identify(name, platform)
    )


def stored_nodata(tile: TileSpec, name: str) -> tuple[float, tuple[str, ...]]:
    """Return the stored number that means no data, for kernels, and a doubt.

    Sentinel-2 and Landsat fill with 0; a reader that does not say so must not turn it into a value.
    """
    spec = tile.variables[name]
    if spec.nodata is not None or spec.dtype.kind not in "iu" or band_of(tile, name) is None:
        return spec.nodata_scalar, ()
    if str(tile.attrs.get("tile_id") or "").upper().startswith("HLS."):
        if spec.dtype.kind == "u":
            return spec.nodata_scalar, ()
        fill: float = spec.dtype.type(-9999)
        return fill, (f"{name!r} has no _FillValue: -9999 is taken as no-data, as HLS fills",)
    zero: float = spec.dtype.type(0)
    return zero, (f"{name!r} has no _FillValue: 0 is taken as no-data, as {platform_of(tile)} fills",)


def number_of(spec: VarSpec, attr: str, name: str) -> float | None:
    """Return an attribute of a band as a number, or None where it is not there."""
    value = spec.attrs.get(attr)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise QuantityError(
            f"{name!r} has the attribute {attr}={value!r}", expected="a number", fix=f"correct {attr!r}"
        ) from None


def given_or(value: float | Any | None, tile: TileSpec, name: str, needed_by: str) -> float | None:
    """Return what a parameter (one number, or a mapping by band) says of a band, or None."""
    if value is None or isinstance(value, int | float):
        return value
    by_name = {tile.find(band, needed_by): float(number) for band, number in value.items()}
    return by_name.get(name)


def bands_with_numbers(tile: TileSpec, bands: tuple[str, ...] | None, needed_by: str) -> tuple[str, ...]:
    """Return the chosen bands that may hold stored numbers; named ones that do not are refused."""
    names = chosen_bands(tile, bands, needed_by)
    if bands is None:
        return tuple(n for n in names if tile.variables[n].quantity in ("dn", None))
    for name in names:
        quantity = tile.variables[name].quantity
        if quantity not in ("dn", None):
            raise QuantityError(
                f"{name!r} holds {quantity}, not digital numbers",
                fix=f"leave {needed_by} out for this band",
            )
    return names
