"""From digital numbers to reflectance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from geotoolz.core import Call, Map, ParameterError, Plan, QuantityError, TileSpec, VarSpec, chosen_bands
from geotoolz.radiometry import _kernels
from geotoolz.radiometry._calibration import (
    RAW_ATTRS,
    band_of,
    bands_with_numbers,
    calibration,
    number_of,
    stored_nodata,
)
from geotoolz.radiometry._product_scale import Scaling, scaling_of_product, straddles_offset
from geotoolz.radiometry._sensor_constants import RADIANCE_UNITS

_SURFACE = ("L2A", "L2SP", "L2SR")
_TOP = ("L1C", "L1TP", "L1GT", "L1GS", "L1T", "L1G")
_PER_DATE_SOURCES = ("baseline", "product metadata", "acquisition date")
_THERMAL_ATTRS = frozenset({"k1_constant", "k2_constant"})


class ToFloat32(Map):
    """Turn bands into float32 with NaN for no-data; the values stay as they are.

    Digital numbers remain digital numbers: use `DNToReflectance` for physical values.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import ToFloat32
    >>> ToFloat32()(simulate_scene((8, 8), bands=("red",), raw=True)).red.dtype
    dtype('float32')
    """

    bands: tuple[str, ...] | None = None

    def plan(self, tile: TileSpec) -> Plan:
        """Convert every band."""
        writes, calls = {}, []
        for name in chosen_bands(tile, self.bands, type(self).__name__):
            spec = tile.variables[name]
            writes[name] = VarSpec(spec.dims, attrs=spec.attrs)
            calls.append(Call((name,), (name,), _kernels.to_float32, (spec.nodata_scalar,)))
        return Plan(writes=writes, calls=tuple(calls))


class DNToReflectance(Map):
    """Turn digital numbers into reflectance: ``ρ = DN · scale + offset``.

    Reads the chosen bands, writes them as float32, units 1, NaN for no-data. No-data is tested on
    the digital number, before the offset. What a tile opened with ``raw=True`` becomes is what
    `geotoolz.open_tile` returns without it: Level-2 surface temperatures and Level-1 thermal bands
    turn into kelvin. Bands without a scale (flags, masks) pass unchanged.

    Scale and offset are, in this order,

    1. the parameters;
    2. the band's ``scale_factor`` and ``add_offset``, which the reader fills in for the product and
       its processing baseline (1 and 0 on a known product say nothing: many readers write them);
    3. those of the product, by the tile's ``platform``, ``processing_level``,
       ``processing_baseline`` (compared as a number), ``boa_offset_applied``, ``collection``
       ("harmonized" ones are shifted already), ``sun_elevation``, and the band's
       ``reflectance_mult`` and ``reflectance_add`` (`assign_mtl`). In a stack each of these may
       differ from date to date, as a coordinate on ``time``.

    Sentinel-2: ``(DN − 1000) / 10000`` from baseline 04.00 on, ``DN / 10000`` before. Landsat
    Collection 2 Level 2: ``2.75e-5 · DN − 0.2``. Level 1: ``(2e-5 · DN − 0.1) / sin(elevation)`` of
    Landsat 8 and 9, or with the coefficients of the MTL file. What had to be assumed stands in the
    plan's notes.

    Parameters
    ----------
    scale, offset : float, optional
        Override the metadata, for all chosen bands; the offset in reflectance. Give both or none.
    bands : sequence of str, optional
        By default all bands that hold digital numbers and say how they are scaled.
    saturated : {"keep", "nodata"}
        What becomes of the largest number of an unsigned type (65535; 255 of Landsat TM), which
        stands for a saturated detector: a value like any other, or no-data.

    Raises
    ------
    QuantityError
        If a band holds reflectance already, if nothing says its scale, or if the sun is below the
        horizon; names the missing field and where to give it.
    ParameterError
        If only one of scale and offset is given, if the scale is 0, or the offset is no reflectance.

    References
    ----------
    Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD (radiometric offset from
    processing baseline 04.00; 0 no-data, 65535 saturated); Landsat 8-9 Collection 2 Level 2 Science
    Product Guide, LSDS-1619 (2.75e-5, −0.2); Landsat 8 Data Users Handbook, LSDS-1574, section 5.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import DNToReflectance
    >>> raw = simulate_scene((8, 8), bands=("red",), raw=True)
    >>> DNToReflectance()(raw).red.attrs["quantity"]
    'surface_reflectance'
    """

    scale: float | None = None
    offset: float | None = None
    bands: tuple[str, ...] | None = None
    saturated: Literal["keep", "nodata"] = "keep"

    version: ClassVar[int] = 2  # 2: scales by product, thermal bands of Level 1 in kelvin

    def validate(self) -> None:
        """Check that scale and offset come together."""
        if (self.scale is None) != (self.offset is None):
            raise ParameterError(
                f"scale={self.scale}, offset={self.offset}",
                expected="both or none",
                fix="offset=0.0 if there is none",
            )
        if self.scale == 0:
            raise ParameterError("scale=0", expected="a number other than 0")

    def plan(self, tile: TileSpec) -> Plan:
        """Scale every band."""
        writes, calls = {}, []
        notes: list[str] = []
        for name, scaling in self._scalings(tile).items():
            spec = tile.variables[name]
            nodata, doubts = stored_nodata(tile, name)
            notes += [*scaling.notes, *doubts]
            gone = RAW_ATTRS | _THERMAL_ATTRS if scaling.thermal else RAW_ATTRS
            attrs = {k: v for k, v in spec.attrs.items() if k not in gone}
            attrs |= {"units": scaling.units, "quantity": scaling.quantity}
            if scaling.said_by:
                attrs["offset_source"] = scaling.said_by
            writes[name] = VarSpec(spec.dims, attrs=attrs)
            calls.append(_call(name, scaling, nodata, self._saturated(spec)))
        return Plan(writes=writes, calls=tuple(calls), notes=tuple(dict.fromkeys(notes)))

    def _scalings(self, tile: TileSpec) -> dict[str, Scaling]:
        names = bands_with_numbers(tile, self.bands, type(self).__name__)
        if not names:
            listed = ", ".join(chosen_bands(tile, None, type(self).__name__)) or "no bands"
            raise QuantityError(
                f"no band of the tile holds digital numbers ({listed})",
                expected="a tile opened with raw=True",
                fix="leave DNToReflectance out: open_tile returns reflectance",
            )
        found: dict[str, Scaling] = {}
        refused: dict[str, QuantityError] = {}
        for name in names:
            try:
                found[name] = self._scaling(tile, name)
            except QuantityError as error:
                band = band_of(tile, name)
                if self.bands is not None or (band is not None and band.kind == "reflectance"):
                    raise
                refused[name] = error
        if not found:
            raise next(iter(refused.values()))
        left = tuple(f"{name!r} is left as it is: {error.found}" for name, error in refused.items())
        first = next(iter(found))
        found[first] = replace(found[first], notes=(*found[first].notes, *left))
        return found

    def _scaling(self, tile: TileSpec, name: str) -> Scaling:
        spec = tile.variables[name]
        units = str(spec.attrs.get("scaled_units", "1"))
        quantity = str(spec.attrs.get("scaled_quantity") or _quantity(tile))
        if self.scale is not None and self.offset is not None:
            if "reflectance" in quantity and abs(self.offset) >= 1:
                raise ParameterError(
                    f"offset={self.offset:g} for {name!r}",
                    expected="an offset in reflectance, which is added after scaling (−0.1)",
                    fix=f"offset={self.offset * self.scale:g} if {self.offset:g} is in digital numbers",
                )
            return Scaling((self.scale,), (self.offset,), units, quantity, notes=self._differs(spec, name))
        if not _tells(tile, name):
            return scaling_of_product(tile, name)
        factor, offset = number_of(spec, "scale_factor", name), number_of(spec, "add_offset", name)
        k1, k2 = number_of(spec, "k1_constant", name), number_of(spec, "k2_constant", name)
        if quantity == "radiance":
            if k1 is not None and k2 is not None:
                quantity, units = "brightness_temperature", "K"
            else:
                units = RADIANCE_UNITS
        thermal = (k1, k2) if quantity == "brightness_temperature" and k1 and k2 else None
        _refuse_one_offset_for_all(tile, spec, name)
        return Scaling((factor or 1.0,), (offset or 0.0,), units, quantity, thermal)

    def _differs(self, spec: VarSpec, name: str) -> tuple[str, ...]:
        told = (spec.attrs.get("scale_factor"), spec.attrs.get("add_offset"))
        if told[0] is None or told == (self.scale, self.offset):
            return ()
        return (
            f"{name!r} says scale_factor {told[0]} and add_offset {told[1]}, and scale={self.scale}, "
            f"offset={self.offset} are taken",
        )

    def _saturated(self, spec: VarSpec) -> Any:
        if self.saturated == "nodata" and spec.dtype.kind == "u":
            return spec.dtype.type(np.iinfo(spec.dtype).max)
        return None


def _call(name: str, scaling: Scaling, nodata: Any, saturated: Any) -> Call:
    if scaling.thermal is None:
        return calibration(name, nodata, saturated, scaling.factors, scaling.offsets)
    constants = (nodata, scaling.factors[0], scaling.offsets[0], *scaling.thermal)
    return Call((name,), (name,), _kernels.temperature, constants)


def _quantity(tile: TileSpec) -> str:
    level = str(tile.attrs.get("processing_level", "")).upper()
    if level in _SURFACE:
        return "surface_reflectance"
    return "toa_reflectance" if level in _TOP else "reflectance"


def _tells(tile: TileSpec, name: str) -> bool:
    """Whether a band's own attributes tell its scale.

    Readers that know no scale write 1 and 0: on a known product that says nothing.
    """
    attrs = tile.variables[name].attrs
    if "scale_factor" not in attrs:
        return False
    return (attrs["scale_factor"], attrs.get("add_offset", 0.0)) != (1.0, 0.0) or band_of(tile, name) is None


def _refuse_one_offset_for_all(tile: TileSpec, spec: VarSpec, name: str) -> None:
    """Refuse one offset for dates of several baselines: putting dates into a stack keeps the first's."""
    source = str(spec.attrs.get("offset_source", ""))
    if source.startswith(_PER_DATE_SOURCES) and straddles_offset(tile, spec):
        raise QuantityError(
            f"{name!r} has one add_offset ({spec.attrs.get('add_offset')}, by {source}), and the stack holds "
            "dates before and after processing baseline 04.00",
            expected="an offset for each date",
            fix="take scale_factor and add_offset out of the band's attributes: each date's "
            "'processing_baseline' tells them; or convert the dates before putting them together",
        )
