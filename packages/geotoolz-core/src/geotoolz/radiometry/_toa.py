"""From radiance to reflectance at the top of the atmosphere."""

from __future__ import annotations

import math
from collections.abc import Mapping

from geotoolz.core import Map, ParameterError, Plan, QuantityError, TileSpec, VarSpec, chosen_bands
from geotoolz.core._sensors import sensor_of
from geotoolz.radiometry._calibration import band_of, calibration, given_or, number_of, platform_of
from geotoolz.radiometry._sensor_constants import ESUN, RADIANCE_UNITS, for_platform, is_radiance_unit
from geotoolz.radiometry._sun import sun_distances, sun_elevations


class RadianceToReflectance(Map):
    """Turn spectral radiance into reflectance at the top of the atmosphere: ``ρ = π L d² / (ESUN sin h)``.

    h is the sun's elevation (its sine the cosine of the zenith angle), d the distance of the earth
    from the sun in astronomical units. The atmosphere stays in: this is no surface reflectance.

    Reads the chosen bands in W m⁻² sr⁻¹ µm⁻¹, writes them as float32, units 1, NaN for no-data.
    ESUN is the parameter, the band's attribute ``esun`` (`assign_mtl`), or the platform's table:
    Landsat 4, 5, 7 (Chander 2009) and Sentinel-2A and 2B. The elevation is the parameter, the
    coordinate ``sun_elevation`` along ``time``, or the tile's attribute; the distance the parameter,
    ``earth_sun_distance`` there, or that of the date (`earth_sun_distance`).

    Parameters
    ----------
    esun : float or mapping of str to float, optional
        Solar irradiance outside the atmosphere, W m⁻² µm⁻¹, for all chosen bands or by band.
    sun_elevation : float, optional
        Degrees above the horizon.
    distance : float, optional
        Distance of the earth from the sun, in astronomical units.
    bands : sequence of str, optional
        By default all bands that hold radiance and reflect sunlight.

    Raises
    ------
    QuantityError
        If a band is no radiance or has other units, if its ESUN is not known, or if the sun is
        below the horizon.
    TileError
        If elevation or date are missing; names the field and where to give it.

    References
    ----------
    Chander, G., Markham, B. L., Helder, D. L. (2009). Summary of current radiometric calibration
    coefficients for Landsat MSS, TM, ETM+, and EO-1 ALI sensors. Remote Sensing of Environment 113,
    893–903, equation 2 and tables 3–6. Sentinel-2 Products Specification Document,
    ``SOLAR_IRRADIANCE`` of the product metadata.

    Examples
    --------
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import DNToRadiance, RadianceToReflectance
    >>> raw = simulate_scene((8, 8), bands=("red",), raw=True)
    >>> steps = [DNToRadiance(0.01, 0.0), RadianceToReflectance(esun=1536.0, sun_elevation=49.8)]
    >>> Sequential(steps)(raw).red.attrs["quantity"]
    'toa_reflectance'
    """

    esun: float | Mapping[str, float] | None = None
    sun_elevation: float | None = None
    distance: float | None = None
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the irradiances."""
        for value in self.esun.values() if isinstance(self.esun, Mapping) else [self.esun]:
            if value is not None and not value > 0:
                raise ParameterError(f"esun={value}", expected="a positive number, W m⁻² µm⁻¹")

    def plan(self, tile: TileSpec) -> Plan:
        """Scale every band, date by date where the sun differs."""
        writes, calls = {}, []
        notes: list[str] = []
        label = type(self).__name__
        for name, esun in self._irradiances(tile).items():
            spec = tile.variables[name]
            elevations, doubts = sun_elevations(tile, spec, self.sun_elevation, label)
            distances = sun_distances(tile, spec, self.distance, label)
            dates = max(len(elevations), len(distances))
            factors = tuple(
                math.pi * d * d / (esun * math.sin(math.radians(h)))
                for d, h in zip(_for(distances, dates), _for(elevations, dates), strict=True)
            )
            notes += doubts
            attrs = {**spec.attrs, "units": "1", "quantity": "toa_reflectance"}
            attrs = {k: v for k, v in attrs.items() if k not in ("esun", "standard_name")}
            writes[name] = VarSpec(spec.dims, attrs=attrs)
            nodata = spec.nodata_scalar
            calls.append(calibration(name, nodata, None, factors, (0.0,) * dates))
        return Plan(writes=writes, calls=tuple(calls), notes=tuple(dict.fromkeys(notes)))

    def _irradiances(self, tile: TileSpec) -> dict[str, float]:
        label = type(self).__name__
        named = self.bands
        if named is None and isinstance(self.esun, Mapping):
            named = tuple(self.esun)
        names = chosen_bands(tile, named, label)
        if named is None:
            names = tuple(
                n for n in names if tile.variables[n].quantity == "radiance" and not _is_thermal(tile, n)
            )
            if not names:
                listed = ", ".join(tile.variables) or "no variables"
                raise QuantityError(
                    f"no band of the tile holds the radiance of reflected sunlight ({listed})",
                    expected="bands with the quantity 'radiance'",
                    fix="put DNToRadiance first, or set ds[band].attrs['quantity'] = 'radiance'",
                )
        return {name: self._irradiance(tile, name) for name in names}

    def _irradiance(self, tile: TileSpec, name: str) -> float:
        require_radiance(tile.variables[name], name, type(self).__name__)
        esun = given_or(self.esun, tile, name, type(self).__name__)
        if esun is None:
            esun = number_of(tile.variables[name], "esun", name)
        if esun is None:
            band = band_of(tile, name)
            known = for_platform(ESUN, sensor_of(tile.attrs))
            value = known.get(band.name if band is not None else name)
            esun = float(value) if isinstance(value, int | float) else None
        if esun is None or not esun > 0:
            platform = platform_of(tile) or "no platform"
            raise QuantityError(
                f"the solar irradiance of {name!r} is not known ({platform}: {esun})",
                expected="ESUN in W m⁻² µm⁻¹",
                fix=f"esun={{{name!r}: …}}, ds[{name!r}].attrs['esun'] = …, or for Landsat 8 and 9 "
                "geotoolz.radiometry.assign_mtl(ds, path)",
            )
        return esun


def require_radiance(spec: VarSpec, name: str, needed_by: str) -> None:
    """Refuse a band that is no radiance in W m⁻² sr⁻¹ µm⁻¹.

    Raises
    ------
    QuantityError
        With what the band holds.
    """
    if spec.quantity not in ("radiance", None):
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds {spec.quantity}",
            expected="radiance",
            fix="put DNToRadiance first" if spec.quantity == "dn" else f"leave {needed_by} out for this band",
        )
    units = spec.attrs.get("units")
    if (units is None and spec.quantity is None) or not is_radiance_unit(str(units or RADIANCE_UNITS)):
        raise QuantityError(
            f"{needed_by} reads {name!r}, whose units are {units!r}",
            expected=f"{RADIANCE_UNITS!r} (or 'mW m-2 sr-1 nm-1', which is the same number)",
            fix="convert it and set its units; 1 µW cm⁻² sr⁻¹ nm⁻¹ and 1 mW cm⁻² sr⁻¹ µm⁻¹ are 10 of them",
        )


def _is_thermal(tile: TileSpec, name: str) -> bool:
    band = band_of(tile, name)
    return (band is not None and band.kind == "thermal") or "k1_constant" in tile.variables[name].attrs


def _for(values: tuple[float, ...], dates: int) -> tuple[float, ...]:
    return values * dates if len(values) == 1 else values
