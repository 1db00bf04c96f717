"""Values as small integers, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from geotoolz.core import (
    Call,
    Map,
    ParameterError,
    Plan,
    QuantityError,
    TileSpec,
    VarSpec,
    chosen_bands,
    flat_view,
    is_flags,
)
from geotoolz.radiometry import _kernels, _packing_kernels
from geotoolz.radiometry._calibration import RAW_ATTRS, number_of
from geotoolz.radiometry._packing import Packing, packing_of, without_defaults
from geotoolz.radiometry._sensor_constants import RADIANCE_UNITS, is_radiance_unit

Outside = Literal["clip", "nodata", "raise"]
Parameter = str | int | float | tuple[int, int] | None


class Encode(Map):
    """Pack values into small integers: ``number = round((value − offset) / scale)``.

    Halves are rounded to the even number, as CF writers (xarray) do. What was packed comes back
    within half a step: by `Decode`, by `DNToReflectance`, and by every reader that knows
    ``scale_factor`` and ``add_offset`` (rioxarray with ``mask_and_scale=True``, xarray, GDAL). The
    caller's tile is not changed.

    Values that would fall on the no-data number are moved to its neighbour: a scaled NDVI of −1
    would be 0, no-data, and becomes 1. Values further outside the packing's valid range are limited
    to it, or become no-data, or are refused.

    Reads the chosen bands, writes them with the packing's type and no-data, ``quantity`` "dn" with
    ``scale_factor``, ``add_offset`` and ``valid_range``; ``units`` are those of the values, as CF has
    it, and ``scaled_quantity`` keeps what they are.

    Parameters
    ----------
    packing : str, Packing or mapping
        A name of `PACKINGS`, or the parameters of a `Packing`.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    outside : {"clip", "nodata", "raise"}
        What becomes of values outside the valid range.

    Raises
    ------
    ParameterError
        If there is no such packing.
    QuantityError
        If a band holds stored numbers or flags; while pixels are computed, if a value lies outside
        and ``outside="raise"``, or is missing and the packing has neither no-data nor fill.

    References
    ----------
    NetCDF Climate and Forecast (CF) Metadata Conventions 1.11, section 8.1 (packed data) and 2.5.1
    (valid range).

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Decode, Encode
    >>> tile = simulate_scene((8, 8), bands=("red",))
    >>> packed = Encode("reflectance_uint16")(tile)
    >>> packed.red.dtype, packed.red.attrs["scale_factor"], packed.red.attrs["_FillValue"]
    (dtype('uint16'), 0.0001, 0)
    >>> bool(abs(Decode()(packed).red - tile.red).max() <= 0.5e-4)
    True
    """

    packing: str | Mapping[str, Parameter]
    bands: tuple[str, ...] | None = None
    outside: Outside = "clip"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept a `Packing`, and spell equal packings alike."""
        packing = values["packing"]
        if isinstance(packing, Packing):
            values["packing"] = packing.config()
        elif isinstance(packing, Mapping):
            values["packing"] = without_defaults(packing)
        return values

    def validate(self) -> None:
        """Check the packing."""
        packing = self.resolved
        if self.outside == "nodata" and packing.nodata is None and packing.fill is None:
            raise ParameterError(
                f"outside='nodata' with the packing {self.packing!r}, which has no no-data",
                fix="nodata=… or fill=… in the packing",
            )

    @property
    def resolved(self) -> Packing:
        """The packing that the parameter means."""
        return packing_of(self.packing)

    def plan(self, tile: TileSpec) -> Plan:
        """Pack every band."""
        packing = self.resolved
        writes, calls = {}, []
        for name in chosen_bands(tile, self.bands, type(self).__name__):
            spec = tile.variables[name]
            _require_values(name, spec)
            attrs = {k: v for k, v in spec.attrs.items() if k not in RAW_ATTRS}
            attrs |= {
                "quantity": "dn",
                "scale_factor": packing.scale,
                "add_offset": packing.offset,
                "valid_range": list(packing.limits),
                "scaled_units": spec.attrs.get("units", "1"),
            }
            if spec.quantity is not None:
                attrs["scaled_quantity"] = spec.quantity
            writes[name] = VarSpec(spec.dims, np.dtype(packing.dtype), packing.nodata, attrs)
            args = (spec.nodata_scalar, packing, self.outside, name)
            calls.append(Call((name,), (name,), _encoded, args))
        return Plan(writes=writes, calls=tuple(calls))


def _require_values(name: str, spec: VarSpec) -> None:
    if is_flags(name, spec):
        raise QuantityError(
            f"Encode reads {name!r}, which holds flags or a mask",
            expected="values",
            fix="leave it out: flags are integers already",
        )
    if spec.quantity == "dn" or "scale_factor" in spec.attrs:
        raise QuantityError(
            f"Encode reads {name!r}, which holds stored numbers (scale_factor "
            f"{spec.attrs.get('scale_factor', 'not told')})",
            expected="values",
            fix="put Decode or DNToReflectance first",
        )


def _encoded(
    values: np.ndarray[Any, Any], nodata: float, packing: Packing, outside: Outside, name: str
) -> np.ndarray[Any, Any]:
    """Return the packed numbers; raise for values that the packing has no number for."""
    low, high = packing.limits
    empty = packing.nodata if packing.nodata is not None else packing.fill
    out = np.empty(values.shape, packing.dtype)
    missing, beyond = _packing_kernels.encode(
        out.reshape(-1), flat_view(values), nodata, 1.0 / packing.scale, packing.offset,
        float(low), float(high),
        float(low - (packing.nodata == low - 1)), float(high + (packing.nodata == high + 1)),
        float(low if empty is None else empty), outside != "nodata",
    )  # fmt: skip
    if missing and empty is None:
        raise QuantityError(
            f"{name!r} has {missing} pixels without data, and its packing no number for them",
            fix="nodata=… or fill=… in the packing",
        )
    if beyond and outside == "raise":
        raise QuantityError(
            f"{beyond} values of {name!r} lie outside what {packing.dtype} can hold here",
            expected=f"{packing.smallest:g} … {packing.largest:g}",
            fix="outside='clip' or 'nodata', or another packing",
        )
    return out


class Decode(Map):
    """Unpack stored integers: ``value = number · scale_factor + add_offset``.

    The inverse of `Encode`, and what CF readers do. No-data is tested on the stored number; numbers outside
    ``valid_range`` are no data either.

    Reads the chosen bands, writes them as float32 with NaN for no-data; ``units`` and ``quantity``
    become those of the values (``scaled_units``, ``scaled_quantity``), if they are told. A scale says
    nothing about a sensor's product: for scenes use `DNToReflectance`, which knows baselines and
    the sun.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands with the attribute ``scale_factor``.

    Raises
    ------
    QuantityError
        If a band has no ``scale_factor``, or is flags.

    References
    ----------
    NetCDF Climate and Forecast (CF) Metadata Conventions 1.11, sections 2.5.1 (valid range) and 8.1 (packed
    data).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Decode, Encode
    >>> tile = simulate_scene((8, 8), bands=("red",))
    >>> again = Decode()(Encode("reflectance_int16")(tile)).red
    >>> again.dtype, again.attrs["quantity"]
    (dtype('float32'), 'surface_reflectance')
    """

    version = 2  # 2: numbers outside valid_range are no data

    bands: tuple[str, ...] | None = None

    def plan(self, tile: TileSpec) -> Plan:
        """Unpack every band."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        if self.bands is None:
            names = tuple(n for n in names if "scale_factor" in tile.variables[n].attrs)
            if not names:
                raise QuantityError(
                    f"no band of the tile is packed ({', '.join(tile.variables) or 'no variables'})",
                    expected="bands with the attribute 'scale_factor'",
                    fix="leave Decode out, or set ds[band].attrs['scale_factor'] and ['add_offset']",
                )
        writes, calls = {}, []
        for name in names:
            spec = tile.variables[name]
            factor, offset = number_of(spec, "scale_factor", name), number_of(spec, "add_offset", name)
            if factor is None or is_flags(name, spec):
                raise QuantityError(
                    f"{name!r} is not packed: it has no attribute 'scale_factor', or holds flags",
                    fix=f"leave it out, or set ds[{name!r}].attrs['scale_factor'] and ['add_offset']",
                )
            limits = _valid_range(spec, name)
            args: tuple[Any, ...] = (spec.nodata_scalar, *(limits or ()), factor, offset or 0.0)
            writes[name] = VarSpec(spec.dims, attrs=_unpacked(spec))
            calls.append(Call((name,), (name,), _kernels.unpack if limits else _kernels.scale, args))
        return Plan(writes=writes, calls=tuple(calls))


def _valid_range(spec: VarSpec, name: str) -> tuple[float, float] | None:
    """Return the smallest and the largest stored number that stands for a value, if they are told."""
    told = spec.attrs.get("valid_range")
    if told is None:
        return None
    try:
        low, high = (float(number) for number in told)
    except (TypeError, ValueError):
        raise QuantityError(
            f"{name!r} has the attribute valid_range={told!r}",
            expected="two stored numbers",
            fix="correct 'valid_range'",
        ) from None
    return low, high


def _unpacked(spec: VarSpec) -> dict[str, Any]:
    """Return the attributes of the values."""
    attrs = {k: v for k, v in spec.attrs.items() if k not in RAW_ATTRS}
    attrs["units"] = spec.attrs.get("scaled_units", spec.attrs.get("units", "1"))
    quantity = spec.attrs.get("scaled_quantity")
    if quantity == "radiance" and not is_radiance_unit(str(attrs["units"])):
        attrs["units"] = RADIANCE_UNITS  # readers tell the units of what a thermal band becomes in the end
    if quantity is not None:
        attrs["quantity"] = quantity
    elif attrs.get("quantity") == "dn":
        del attrs["quantity"]
    return attrs
