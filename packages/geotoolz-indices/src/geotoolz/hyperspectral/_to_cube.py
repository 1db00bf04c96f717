"""Cubes from tiles that hold one variable per band."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import Coord, Map, ParameterError, Plan, TileError, TileSpec, VarSpec, chosen_bands
from geotoolz.hyperspectral._cube import DIM

Array = np.ndarray[Any, Any]
_KEPT = ("units", "quantity", "data_source", "scale_factor", "add_offset")


def _stack(*bands: Array) -> Array:
    return np.stack(bands, axis=-3)


class ToCube(Map):
    """Bands as one variable along ``wavelength``: ``cube[i] = band i``.

    `geotoolz.open_tile` gives a file of 224 bands as 224 variables; the operators of this module read
    one cube.

    Reads the chosen bands, which must be of one data type, no-data value and quantity. Replaces them by
    one variable ``(wavelength, y, x)`` (a stack has ``time`` before it) of that type, with the
    coordinate ``wavelength`` in nanometres. Pixels are copied, nothing is computed. Footprint: one
    pixel.

    Parameters
    ----------
    wavelengths : sequence of float, optional
        Centres in nanometres, in the order of the bands; by default each variable's ``wavelength_nm``.
    fwhm : sequence of float, optional
        Full widths at half maximum in nanometres.
    bands : sequence of str, optional
        The variables, in order; by default all that hold measurements.
    name : str
        Name of the cube.

    Raises
    ------
    ParameterError
        If the numbers of bands, wavelengths and widths differ, or wavelengths are not known.
    TileError
        If the bands differ in data type, dims, no-data or quantity.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.hyperspectral import ToCube
    >>> tile = ToCube([665.0, 842.0], bands=["red", "nir"])(simulate_scene((8, 8)))
    >>> tile.cube.dims, tile.wavelength.values.tolist()
    (('wavelength', 'y', 'x'), [665.0, 842.0])
    """

    wavelengths: tuple[float, ...] | None = None
    fwhm: tuple[float, ...] | None = None
    bands: tuple[str, ...] | None = None
    name: str = "cube"

    kernel = staticmethod(_stack)

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept arrays of wavelengths and widths."""
        for field in ("wavelengths", "fwhm"):
            if isinstance(values[field], np.ndarray):
                values[field] = tuple(values[field].astype(np.float64).tolist())
        return values

    def plan(self, tile: TileSpec) -> Plan:
        """Put the bands on top of each other."""
        names = chosen_bands(tile, self.bands, "ToCube")
        centres = self._centres(tile, names)
        coords: dict[str, Any] = {DIM: Coord(DIM, centres, {"units": "nm", "long_name": "wavelength"})}
        if self.fwhm is not None:
            if len(self.fwhm) != len(names):
                raise ParameterError(f"ToCube gets {len(self.fwhm)} widths", expected=f"{len(names)}")
            coords["fwhm"] = Coord(DIM, np.array(self.fwhm), {"units": "nm"})
        first = tile.variables[names[0]]
        for other in names[1:]:
            _require_alike(names[0], first, other, tile.variables[other])
        attrs = {key: first.attrs[key] for key in _KEPT if key in first.attrs}
        dims = (*first.dims[:-2], DIM, *first.dims[-2:])
        cube = VarSpec(dims, first.dtype, first.nodata, {"long_name": "cube", **attrs})
        drops = tuple(name for name in names if name != self.name)
        return Plan(names, {self.name: cube}, drops=drops, coords=coords)

    def _centres(self, tile: TileSpec, names: tuple[str, ...]) -> Array:
        if not names:
            raise ParameterError("ToCube finds no band", expected="variables that hold measurements")
        found: list[Any] = list(self.wavelengths or ())
        if self.wavelengths is None:
            found = [tile.variables[name].attrs.get("wavelength_nm") for name in names]
            unknown = [name for name, centre in zip(names, found, strict=True) if centre is None]
            if unknown:
                raise ParameterError(
                    f"ToCube does not know the wavelength of {', '.join(unknown[:4])}",
                    expected="an attribute wavelength_nm",
                    fix="give wavelengths=[…] in nanometres",
                )
        if len(found) != len(names):
            raise ParameterError(
                f"ToCube gets {len(found)} wavelengths", expected=f"{len(names)}, one per band: {names[0]}, …"
            )
        return np.array(found, np.float64)


def _require_alike(one: str, first: VarSpec, other: str, spec: VarSpec) -> None:
    pairs = [("dtype", first.dtype, spec.dtype), ("dims", first.dims, spec.dims)]
    pairs += [("no-data", repr(first.nodata), repr(spec.nodata))]
    pairs += [(key, repr(first.attrs.get(key)), repr(spec.attrs.get(key))) for key in _KEPT]
    for what, wanted, found in pairs:
        if found != wanted:
            raise TileError(
                f"ToCube: {other!r} has {what} {found}",
                expected=f"{wanted}, as {one!r}",
                fix="name the bands, or bring them to one kind first",
            )
