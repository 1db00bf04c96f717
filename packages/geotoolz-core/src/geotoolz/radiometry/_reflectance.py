"""From digital numbers to physical values."""

from __future__ import annotations

from geotoolz.core import (
    Call,
    Map,
    ParameterError,
    Plan,
    QuantityError,
    TileSpec,
    VarSpec,
    chosen_bands,
)
from geotoolz.radiometry import _kernels

_SURFACE = ("L2A", "L2SP", "L2SR")
# what a raw band says about itself and what it will be
_RAW_ATTRS = frozenset({"scale_factor", "add_offset", "scaled_units", "scaled_quantity"})
_TOP = ("L1C", "L1TP", "L1GT", "L1GS")


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

    Scale and offset come from each band's own metadata (``scale_factor``, ``add_offset``, which
    `geotoolz.open_tile(…, raw=True)` fills in for the product and its processing baseline), unless
    they are given. No-data is tested on the digital number, before the offset. Bands without a
    scale (flags, masks) pass unchanged.

    Reads the chosen bands, writes them as float32, units 1, NaN for no-data.

    Parameters
    ----------
    scale, offset : float, optional
        Override the metadata, for all chosen bands. Give both or none.
    bands : sequence of str, optional
        By default all bands that hold digital numbers.

    Raises
    ------
    QuantityError
        If a band holds reflectance already, or nothing says its scale.
    ParameterError
        If only one of scale and offset is given, or the scale is 0.

    References
    ----------
    Sentinel-2 Products Specification Document, issue 14.9 (radiometric offset from processing
    baseline 04.00); Landsat 8-9 Collection 2 Level 2 Science Product Guide (scale 2.75e-5, offset
    −0.2).

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
        level = str(tile.attrs.get("processing_level", "")).upper()
        quantity = (
            "surface_reflectance"
            if level in _SURFACE
            else "toa_reflectance"
            if level in _TOP
            else "reflectance"
        )
        writes, calls = {}, []
        for name in self._chosen(tile):
            spec = tile.variables[name]
            factor, offset = self._coefficients(name, spec)
            attrs = {k: v for k, v in spec.attrs.items() if k not in _RAW_ATTRS}
            attrs["units"] = spec.attrs.get("scaled_units", "1")
            attrs["quantity"] = spec.attrs.get("scaled_quantity", quantity)
            writes[name] = VarSpec(spec.dims, attrs=attrs)
            args = (spec.nodata_scalar, factor, offset)
            calls.append(Call((name,), (name,), _kernels.scale, args))
        return Plan(writes=writes, calls=tuple(calls))

    def _chosen(self, tile: TileSpec) -> tuple[str, ...]:
        names = chosen_bands(tile, self.bands, type(self).__name__)
        if self.bands is not None:
            return names
        numbers = tuple(n for n in names if tile.variables[n].quantity in ("dn", None))
        if not numbers:
            raise QuantityError(
                f"no band of the tile holds digital numbers ({', '.join(names) or 'no bands'})",
                expected="a tile opened with raw=True",
                fix="leave DNToReflectance out: open_tile returns reflectance",
            )
        if self.scale is not None:
            return numbers
        scaled = tuple(n for n in numbers if "scale_factor" in tile.variables[n].attrs)
        return scaled or numbers

    def _coefficients(self, name: str, spec: VarSpec) -> tuple[float, float]:
        if spec.quantity not in ("dn", None):
            raise QuantityError(
                f"{name!r} holds {spec.quantity}, not digital numbers",
                fix="leave DNToReflectance out for this band",
            )
        if self.scale is not None and self.offset is not None:
            return self.scale, self.offset
        if "scale_factor" not in spec.attrs:
            raise QuantityError(
                f"nothing says how {name!r} is scaled: it has no attribute 'scale_factor'",
                fix="give scale= and offset=, or open the scene with geotoolz.open_tile(…, raw=True)",
            )
        return float(spec.attrs["scale_factor"]), float(spec.attrs.get("add_offset", 0.0))
