"""Temperatures from thermal bands."""

from __future__ import annotations

from typing import Any

from geotoolz.core import Call, Map, ParameterError, Plan, QuantityError, TileSpec, VarSpec, chosen_bands
from geotoolz.core._sensors import sensor_of
from geotoolz.radiometry import _kernels
from geotoolz.radiometry._calibration import (
    RAW_ATTRS,
    band_of,
    calibration,
    number_of,
    platform_of,
    stored_nodata,
)
from geotoolz.radiometry._radiance import radiance_scale
from geotoolz.radiometry._sensor_constants import THERMAL, for_platform
from geotoolz.radiometry._toa import require_radiance

_TEMPERATURES = ("brightness_temperature", "surface_temperature")
_SURFACE_TEMPERATURE = (0.00341802, 149.0, "surface_temperature")
_GONE = RAW_ATTRS | {
    "k1_constant",
    "k2_constant",
    "radiance_mult",
    "radiance_add",
    "offset_source",
    "standard_name",
}


class BrightnessTemperature(Map):
    """Turn thermal bands into temperatures in kelvin: ``T = K2 / ln(K1 / L + 1)``.

    Reads the chosen bands, writes them as float32, units K, NaN for no-data and where the radiance
    is 0 or less. By what a band holds:

    - radiance L (`DNToRadiance`), in W m⁻² sr⁻¹ µm⁻¹: the formula;
    - digital numbers with a radiance scale (Landsat Level 1): radiance first, in one step;
    - digital numbers of Landsat Collection 2 Level 2 (``ST``): ``0.00341802 · DN + 149.0``. That is
      the surface temperature of the product, corrected for atmosphere and emissivity; a brightness
      temperature is that of a black body seen through the atmosphere. The attribute ``quantity`` says
      which of the two is written.

    K1 and K2 are the parameters, the band's attributes ``k1_constant`` and ``k2_constant``
    (`geotoolz.open_tile` and `assign_mtl` put those of the MTL file there), or the platform's table.

    Parameters
    ----------
    k1, k2 : float, optional
        W m⁻² sr⁻¹ µm⁻¹ and K, for all chosen bands. Give both or none.
    bands : sequence of str, optional
        By default all thermal bands.

    Raises
    ------
    QuantityError
        If a band holds temperatures already or is not thermal, or nothing says its gain or its
        constants; names the field and where to give it.
    ParameterError
        If only one of k1 and k2 is given, or one is not positive.

    References
    ----------
    Chander, G., Markham, B. L., Helder, D. L. (2009). Summary of current radiometric calibration
    coefficients for Landsat MSS, TM, ETM+, and EO-1 ALI sensors. Remote Sensing of Environment 113,
    893–903, equation 3 and table 7 (TM, ETM+). Landsat 8 Data Users Handbook, LSDS-1574, section
    5.3, and the MTL files of Landsat 8 and 9 (TIRS). Landsat 8-9 Collection 2 Level 2 Science
    Product Guide, LSDS-1619 (ST).

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core import geobox_of, tile_from_arrays
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import BrightnessTemperature
    >>> attrs = {"lwir": {"quantity": "radiance", "units": "W m-2 sr-1 um-1"}}
    >>> one = geobox_of(simulate_scene((8, 8)))[:1, :1]
    >>> tile = tile_from_arrays({"lwir": np.array([[9.0]], "f4")}, one, var_attrs=attrs)
    >>> warm = BrightnessTemperature()(tile.assign_attrs(platform="landsat-5"))
    >>> round(float(warm.lwir[0, 0]), 2), warm.lwir.attrs["units"]
    (298.2, 'K')
    """

    k1: float | None = None
    k2: float | None = None
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check that the constants come together."""
        if (self.k1 is None) != (self.k2 is None):
            raise ParameterError(f"k1={self.k1}, k2={self.k2}", expected="both or none")
        for name, value in (("k1", self.k1), ("k2", self.k2)):
            if value is not None and not value > 0:
                raise ParameterError(f"{name}={value}", expected="a positive number")

    def plan(self, tile: TileSpec) -> Plan:
        """Choose a way for every band."""
        writes, calls = {}, []
        notes: list[str] = []
        for name in self._chosen(tile):
            spec = tile.variables[name]
            nodata, doubts = stored_nodata(tile, name)
            call, quantity, title = self._way(tile, name, nodata)
            notes += doubts
            calls.append(call)
            attrs = {k: v for k, v in spec.attrs.items() if k not in _GONE}
            attrs |= {"units": "K", "quantity": quantity, "long_name": title}
            writes[name] = VarSpec(spec.dims, attrs=attrs)
        return Plan(writes=writes, calls=tuple(calls), notes=tuple(notes))

    def _chosen(self, tile: TileSpec) -> tuple[str, ...]:
        names = chosen_bands(tile, self.bands, type(self).__name__)
        if self.bands is None:
            names = tuple(n for n in names if _is_thermal(tile, n))
        for name in names:
            quantity = tile.variables[name].quantity
            if quantity not in ("dn", "radiance", None):
                raise QuantityError(
                    f"{name!r} holds {quantity}",
                    expected="radiance, or the digital numbers of a thermal band",
                    fix="leave BrightnessTemperature out: open_tile returns kelvin"
                    if quantity in _TEMPERATURES
                    else "name a thermal band",
                )
        if not names:
            raise QuantityError(
                f"the tile has no thermal band ({', '.join(tile.variables) or 'no variables'})",
                expected="lwir, lwir11 or lwir12, or a band with the attribute 'k1_constant'",
                fix="read that band too, or name it: bands=…, k1=…, k2=…",
            )
        return names

    def _way(self, tile: TileSpec, name: str, nodata: Any) -> tuple[Call, str, str]:
        spec = tile.variables[name]
        if spec.quantity != "radiance":
            found = _temperature_scale(tile, name)
            if found is not None:
                factor, offset, quantity = found
                call = calibration(name, nodata, None, (factor,), (offset,))
                return call, quantity, quantity.replace("_", " ").capitalize()
        gain, bias = self._radiance(spec, name)
        constants = self._constants(tile, name)
        call = Call((name,), (name,), _kernels.temperature, (nodata, gain, bias, *constants))
        return call, "brightness_temperature", f"Brightness temperature of {name}"

    def _radiance(self, spec: VarSpec, name: str) -> tuple[float, float]:
        if spec.quantity == "dn":
            pair = radiance_scale(spec, name)
            if pair is None:
                raise QuantityError(
                    f"{name!r} holds digital numbers, and nothing says their radiance: no attributes "
                    "'radiance_mult' and 'radiance_add'",
                    expected="RADIANCE_MULT_BAND_n and RADIANCE_ADD_BAND_n of the scene's MTL file",
                    fix="geotoolz.radiometry.assign_mtl(ds, path), or DNToRadiance(gain=…, bias=…) first",
                )
            return pair
        require_radiance(spec, name, type(self).__name__)
        return 1.0, 0.0

    def _constants(self, tile: TileSpec, name: str) -> tuple[float, float]:
        if self.k1 is not None and self.k2 is not None:
            return self.k1, self.k2
        spec, band = tile.variables[name], band_of(tile, name)
        k1, k2 = number_of(spec, "k1_constant", name), number_of(spec, "k2_constant", name)
        if k1 is not None and k2 is not None:
            return k1, k2
        known = for_platform(THERMAL, sensor_of(tile.attrs)).get(band.name if band else name)
        if isinstance(known, tuple):
            return known
        raise QuantityError(
            f"the thermal constants of {name!r} are not known ({platform_of(tile) or 'no platform'})",
            expected="K1 in W m⁻² sr⁻¹ µm⁻¹ and K2 in K (K1_CONSTANT_BAND_n of a Landsat MTL file)",
            fix=f"k1=…, k2=…, or ds[{name!r}].attrs['k1_constant'] and ['k2_constant'], or "
            "geotoolz.radiometry.assign_mtl(ds, path)",
        )


def _is_thermal(tile: TileSpec, name: str) -> bool:
    band, spec = band_of(tile, name), tile.variables[name]
    if spec.quantity not in ("dn", "radiance", None):
        return False
    return (band is not None and band.kind == "thermal") or "k1_constant" in spec.attrs


def _temperature_scale(tile: TileSpec, name: str) -> tuple[float, float, str] | None:
    """Return scale and offset of a band that holds the numbers of a temperature, and of which."""
    spec, band = tile.variables[name], band_of(tile, name)
    meant = spec.attrs.get("scaled_quantity")
    if meant in _TEMPERATURES and "scale_factor" in spec.attrs:
        factor, offset = number_of(spec, "scale_factor", name), number_of(spec, "add_offset", name)
        return factor or 1.0, offset or 0.0, str(meant)
    level = str(tile.attrs.get("processing_level", "")).upper()
    is_landsat = platform_of(tile).startswith("landsat") and band is not None and band.kind == "thermal"
    return _SURFACE_TEMPERATURE if is_landsat and level.startswith("L2") else None
