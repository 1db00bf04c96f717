"""Cubes: one variable along ``wavelength``, and what its bands are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import MissingVariableError, ParameterError, TileError, TileSpec, VarSpec, chosen_bands

Array = np.ndarray[Any, Any]
Ranges = tuple[tuple[float, float], ...]

DIM = "wavelength"
SAME = 0.5
"""Band centres of one grid agree within this many nanometres."""
_LONGEST_MICROMETRES = 100.0
_NANOMETRES = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1000.0),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1000.0),
}


@dataclass(frozen=True)
class Cube:
    """A cube without its pixels.

    Attributes
    ----------
    name : str
        The variable.
    spec : VarSpec
        With dims ``(…, "wavelength", "y", "x")``.
    wavelengths : array of float64
        Centres of the bands in nanometres.
    fwhm : array of float64, optional
        Full widths at half maximum in nanometres, from a coordinate ``fwhm`` along ``wavelength``; in its
        own units, or without any in those of ``wavelength``.
    """

    name: str
    spec: VarSpec
    wavelengths: Array
    fwhm: Array | None = None

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of what is left without the bands."""
        return tuple(dim for dim in self.spec.dims if dim != DIM)


def cube_of(tile: TileSpec, cube: str | None, needed_by: str) -> Cube:
    """Return the cube that a parameter means: the one named, or the only one.

    Raises
    ------
    MissingVariableError
        If the tile has no cube.
    ParameterError
        If it has several and none is named.
    TileError
        If the dims, the data type or the wavelengths are wrong.
    """
    if cube is not None:
        name = tile.find(cube, needed_by)
    else:
        there = [n for n, spec in tile.variables.items() if DIM in spec.dims and spec.dtype.kind in "iuf"]
        if not there:
            raise MissingVariableError(
                f"{needed_by} reads a cube, and the tile has {', '.join(tile.variables) or 'no variables'}",
                expected="a variable with dims (wavelength, y, x)",
                fix="xr.concat(bands, 'wavelength') with a coordinate wavelength in nm makes one",
            )
        if len(there) > 1:
            raise ParameterError(
                f"{needed_by} reads one cube, and the tile has {', '.join(there)}", fix="name it with cube="
            )
        name = there[0]
    chosen_bands(tile, (name,), needed_by)  # says what is wrong with the data type
    spec = tile.variables[name]
    if spec.dims[-3:] != (DIM, "y", "x"):
        raise TileError(
            f"{needed_by} reads {name!r} with dims {spec.dims}",
            expected="(wavelength, y, x)",
            fix=f"ds[{name!r}] = ds[{name!r}].transpose(…, 'wavelength', 'y', 'x')",
        )
    values = tile.coordinate(DIM, needed_by)
    coord = tile.coords.get("fwhm")
    factor = _factor(values, tile.coords[DIM].attrs.get("units"), needed_by)
    fwhm = None
    if coord is not None and coord.dim == DIM:
        units = coord.attrs.get("units")
        fwhm = np.asarray(coord.values, np.float64) * (factor if units is None else _known(units, "fwhm"))
    return Cube(name, spec, np.asarray(values, np.float64) * factor, fwhm)


def _factor(values: Array, units: Any, needed_by: str) -> float:
    """Return what turns wavelengths into nanometres."""
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or not (values > 0).all():
        raise TileError(
            f"{needed_by} finds wavelengths {values.tolist()[:4]} …", expected="positive numbers in nm"
        )
    if units is None:
        if values.size and float(values.max()) < _LONGEST_MICROMETRES:
            raise TileError(
                f"{needed_by} finds wavelengths up to {float(values.max()):g} without units",
                expected="nanometres",
                fix="ds.wavelength.attrs['units'] = 'um', if they are micrometres",
            )
        return 1.0
    return _known(units, DIM)


def _known(units: Any, name: str) -> float:
    """Return what turns a coordinate of such units into nanometres."""
    factor = _NANOMETRES.get(str(units).strip().lower())
    if factor is None:
        raise TileError(
            f"the coordinate {name} has units {units!r}",
            expected="nm or um",
            fix=f"ds.{name}.attrs['units'] = 'nm', after converting the values",
        )
    return factor


def check_ranges(ranges: Ranges | None, needed_by: str) -> None:
    """Raise unless every range runs from a shorter to a longer wavelength."""
    for low, high in ranges or ():
        if not 0 <= low < high:
            raise ParameterError(
                f"{needed_by}: ranges has ({low:g}, {high:g})", expected="(shorter, longer) in nanometres"
            )
    if ranges == ():
        raise ParameterError(f"{needed_by}: ranges is empty", expected="one range at least, or None")


def bands_in(wavelengths: Array, ranges: Ranges | None, needed_by: str) -> Array:
    """Return the numbers of the bands whose centres lie in one of the ranges."""
    if ranges is None:
        return np.arange(wavelengths.size)
    inside = np.zeros(wavelengths.size, np.bool_)
    for low, high in ranges:
        inside |= (wavelengths >= low) & (wavelengths <= high)
    if not inside.any():
        raise ParameterError(
            f"{needed_by}: no band lies in {', '.join(f'{a:g}–{b:g} nm' for a, b in ranges)}",
            expected=f"ranges within {grid_label(wavelengths)}",
        )
    return np.flatnonzero(inside)


def grid_label(wavelengths: Array) -> str:
    """Return a wavelength grid in words."""
    if not wavelengths.size:
        return "no bands"
    return f"{wavelengths.size} bands, {wavelengths[0]:.1f}–{wavelengths[-1]:.1f} nm"


def same_grid(a: Array, b: Array) -> bool:
    """Whether two wavelength grids are one."""
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= SAME))


def listed(numbers: Sequence[Any] | Array, most: int = 6) -> str:
    """Return the first of many in words."""
    shown = ", ".join(f"{float(n):.1f}" for n in list(numbers)[:most])
    return shown + (", …" if len(numbers) > most else "")
