"""From digital numbers to radiance."""

from __future__ import annotations

from collections.abc import Mapping

from geotoolz.core import Map, ParameterError, Plan, QuantityError, TileSpec, VarSpec
from geotoolz.radiometry._calibration import (
    RAW_ATTRS,
    bands_with_numbers,
    calibration,
    given_or,
    number_of,
    platform_of,
    stored_nodata,
)
from geotoolz.radiometry._sensor_constants import RADIANCE_UNITS

Numbers = float | Mapping[str, float] | None


class DNToRadiance(Map):
    """Turn digital numbers into spectral radiance at the sensor: ``L = gain · DN + bias``.

    Reads the chosen bands, writes them as float32 in W m⁻² sr⁻¹ µm⁻¹, NaN for no-data, which is
    tested on the digital number. Gain and bias are, in this order, the parameters; the band's
    attributes ``radiance_mult`` and ``radiance_add`` (the names of the MTL file; `assign_mtl` puts
    them there); ``scale_factor`` and ``add_offset`` of a band whose ``scaled_quantity`` is radiance.

    The radiance scales of a Landsat scene belong to its Level-1 numbers. Level-2 numbers, and those
    of Sentinel-2, are reflectance: they are refused.

    Parameters
    ----------
    gain, bias : float or mapping of str to float, optional
        For all chosen bands, or by band: ``RADIANCE_MULT_BAND_n`` and ``RADIANCE_ADD_BAND_n``. Give
        both or none.
    bands : sequence of str, optional
        By default all bands that hold digital numbers and have a gain.

    Raises
    ------
    QuantityError
        If a band holds no digital numbers, or nothing says its gain; names the field and where to
        give it.
    ParameterError
        If only one of gain and bias is given for a band, or a gain is not positive.

    References
    ----------
    Chander, G., Markham, B. L., Helder, D. L. (2009). Summary of current radiometric calibration
    coefficients for Landsat MSS, TM, ETM+, and EO-1 ALI sensors. Remote Sensing of Environment 113,
    893–903. Landsat 8 Data Users Handbook, LSDS-1574, section 5.1.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import DNToRadiance
    >>> raw = simulate_scene((8, 8), bands=("red",), raw=True)
    >>> DNToRadiance(gain=1.044, bias=-2.21398)(raw).red.attrs["units"]
    'W m-2 sr-1 um-1'
    """

    gain: float | Mapping[str, float] | None = None
    bias: float | Mapping[str, float] | None = None
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check that gain and bias come together."""
        if _keys(self.gain) != _keys(self.bias):
            raise ParameterError(
                f"gain={self.gain}, bias={self.bias}",
                expected="both or none, for the same bands",
                fix="bias=0.0 if there is none",
            )
        for value in self.gain.values() if isinstance(self.gain, Mapping) else [self.gain]:
            if value is not None and not value > 0:
                raise ParameterError(f"gain={value}", expected="a positive number")

    def plan(self, tile: TileSpec) -> Plan:
        """Scale every band."""
        writes, calls = {}, []
        notes: list[str] = []
        for name, (gain, bias) in self._gains(tile).items():
            spec = tile.variables[name]
            nodata, doubts = stored_nodata(tile, name)
            notes += doubts
            gone = RAW_ATTRS | {"radiance_mult", "radiance_add", "offset_source", "standard_name"}
            attrs = {k: v for k, v in spec.attrs.items() if k not in gone}
            writes[name] = VarSpec(
                spec.dims, attrs={**attrs, "units": RADIANCE_UNITS, "quantity": "radiance"}
            )
            calls.append(calibration(name, nodata, None, (gain,), (bias,)))
        return Plan(writes=writes, calls=tuple(calls), notes=tuple(notes))

    def _gains(self, tile: TileSpec) -> dict[str, tuple[float, float]]:
        bands = self.bands
        if bands is None and isinstance(self.gain, Mapping):
            bands = tuple(self.gain)
        found = {}
        names = bands_with_numbers(tile, bands, type(self).__name__)
        for name in names:
            pair = self._gain(tile, name)
            if pair is not None:
                found[name] = pair
            elif bands is not None:
                raise _no_gain(tile, name)
        if not found:
            if names:
                raise _no_gain(tile, names[0])
            raise QuantityError(
                f"no band of the tile holds digital numbers ({', '.join(tile.variables) or 'no variables'})",
                expected="a tile opened with raw=True",
            )
        return found

    def _gain(self, tile: TileSpec, name: str) -> tuple[float, float] | None:
        spec = tile.variables[name]
        gain, bias = (given_or(value, tile, name, "DNToRadiance") for value in (self.gain, self.bias))
        if gain is None or bias is None:
            gain, bias = radiance_scale(spec, name) or (None, None)
        return None if gain is None or bias is None else (gain, bias)


def radiance_scale(spec: VarSpec, name: str) -> tuple[float, float] | None:
    """Return gain and bias of a band by its attributes, or None."""
    gain, bias = number_of(spec, "radiance_mult", name), number_of(spec, "radiance_add", name)
    if gain is None and spec.attrs.get("scaled_quantity") == "radiance":
        gain, bias = number_of(spec, "scale_factor", name), number_of(spec, "add_offset", name) or 0.0
    return None if gain is None or bias is None else (gain, bias)


def _no_gain(tile: TileSpec, name: str) -> QuantityError:
    level = str(tile.attrs.get("processing_level", "")).upper()
    if platform_of(tile).startswith("sentinel-2") or level.startswith("L2"):
        return QuantityError(
            f"{name!r} holds the numbers of a reflectance ({platform_of(tile)} {level}), not of a radiance",
            fix="use DNToReflectance; or give gain= and bias= if you know better",
        )
    return QuantityError(
        f"nothing says the gain of {name!r}: it has no attributes 'radiance_mult' and 'radiance_add'",
        expected="RADIANCE_MULT_BAND_n and RADIANCE_ADD_BAND_n of the scene's MTL file",
        fix="geotoolz.radiometry.assign_mtl(ds, path), or give gain= and bias=",
    )


def _keys(value: Numbers) -> frozenset[str] | bool:
    return frozenset(value) if isinstance(value, Mapping) else value is None
