"""Targets of detectors on the bands of a cube."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from geotoolz.core import FrozenArray, ParameterError, Ref, TileError
from geotoolz.core._lazy import xr
from geotoolz.hyperspectral._cube import DIM, Cube, grid_label, listed, same_grid
from geotoolz.hyperspectral._library import in_nanometres, parse_spectrum
from geotoolz.hyperspectral._weights import gaussian, linear, spacing

Array = np.ndarray[Any, Any]
Resampling = Literal["linear", "gaussian"]


def prepared(values: dict[str, Any], field: str = "spectrum") -> dict[str, Any]:
    """Accept a list, or a DataArray along ``wavelength``, for the array that a field holds."""
    given = values[field]
    if isinstance(given, xr.DataArray):
        if given.dims != (DIM,):
            raise ParameterError(
                f"{field} is a DataArray with dims {given.dims}",
                expected=f"({DIM!r},)",
                fix="take one pixel: cube.isel(y=…, x=…)",
            )
        held = given.values
        if DIM in given.coords:
            held = np.column_stack([given[DIM].values, held])
        values[field] = np.asarray(held, np.float64)
    elif isinstance(given, list | tuple):
        values[field] = np.asarray(given, np.float64)
    return values


def check_target(target: FrozenArray | Ref | None, needed_by: str) -> None:
    """Raise unless a parameter can be a spectrum; files are not touched."""
    if target is None:
        raise ParameterError(f"{needed_by} has no target", expected="a spectrum")
    if isinstance(target, Ref):
        if target.path.suffix.lower() in (".sli", ".hdr"):
            raise ParameterError(
                f"{needed_by}: the target {target.uri} is one of two files",
                fix="give read_spectrum(path, name); save(pipeline, folder) keeps it",
            )
        return
    shape = target.shape
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 2)) or not shape[0]:
        raise ParameterError(
            f"{needed_by}: the target has shape {shape}",
            expected="one value per band, or columns wavelength (nm) and value",
        )


def target_on(target: FrozenArray | Ref, cube: Cube, resample: Resampling | None, needed_by: str) -> Array:
    """Return the target's value in every band of a cube.

    Raises
    ------
    TileError
        If it is of another length or on other wavelengths, and no resampling was asked for.
    """
    found = _spectrum(target)
    if found.ndim == 1:
        if found.size != cube.wavelengths.size:
            raise TileError(
                f"{needed_by}: the target has {found.size} values, and {cube.name!r} "
                f"{grid_label(cube.wavelengths)}",
                expected="one value per band",
                fix="give columns wavelength and value, and resample='linear'",
            )
        return found
    wavelengths, values = found[:, 0], found[:, 1]
    if same_grid(wavelengths, cube.wavelengths):
        return values
    mine, theirs = np.argsort(wavelengths, kind="stable"), np.argsort(cube.wavelengths, kind="stable")
    if same_grid(wavelengths[mine], cube.wavelengths[theirs]):  # the same bands, in another order
        ordered = np.empty_like(values)
        ordered[theirs] = values[mine]
        return ordered
    if resample is None:
        raise TileError(
            f"{needed_by}: the target lies on {grid_label(wavelengths)}",
            expected=f"the wavelengths of {cube.name!r}: {grid_label(cube.wavelengths)}",
            fix="resample='linear', or 'gaussian' for a target of finer resolution",
        )
    return _resampled(wavelengths, values, cube, resample)


def require_finite(values: Array, wavelengths: Array, needed_by: str) -> None:
    """Raise if a target has no value in a band that is used."""
    bad = ~np.isfinite(values)
    if bad.any():
        raise TileError(
            f"{needed_by}: the target has no value at {listed(wavelengths[bad])} nm",
            expected="a value in every band that is used",
            fix="leave these bands out with ranges=",
        )


def _resampled(wavelengths: Array, values: Array, cube: Cube, how: Resampling) -> Array:
    """Return a spectrum on a cube's bands; NaN where it does not reach."""
    valid = np.isfinite(wavelengths) & np.isfinite(values)
    source, held = wavelengths[valid], values[valid]
    out = np.full(cube.wavelengths.size, np.nan)
    widths = spacing(cube.wavelengths) if cube.fwhm is None else cube.fwhm
    for band, centre in enumerate(cube.wavelengths):
        found = linear(source, centre) if how == "linear" else gaussian(source, centre, widths[band])
        if found is not None:
            out[band] = math.fsum(w * float(held[k]) for k, w in zip(*found, strict=True))
    return out


def _spectrum(target: FrozenArray | Ref) -> Array:
    if isinstance(target, Ref):
        return _of_file(target)
    values = target.values.astype(np.float64)
    return values if values.ndim == 1 else in_nanometres(values)


@lru_cache(maxsize=16)
def _of_file(ref: Ref) -> Array:
    found = parse_spectrum(ref.read_bytes(), ref.uri)
    return found.astype(np.float64)
