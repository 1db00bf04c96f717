"""Between linear power and decibels."""

from __future__ import annotations

from geotoolz.core import Call, Map, Plan, TileSpec, VarSpec
from geotoolz.sar import _kernels
from geotoolz.sar._quantity import Scale, backscatter_bands


class _Conversion(Map, abstract=True):
    """Base of the two conversions: bands of one scale in, the same bands in the other out."""

    bands: tuple[str, ...] | None = None

    def _converted(self, tile: TileSpec, scale: Scale, units: str) -> Plan:
        kernel = _kernels.to_linear if scale == "dB" else _kernels.to_decibel
        names, notes = backscatter_bands(tile, self.bands, scale, type(self).__name__)
        writes, calls = {}, []
        for name in names:
            spec = tile.variables[name]
            writes[name] = VarSpec(spec.dims, attrs={**spec.attrs, "units": units, "quantity": "backscatter"})
            calls.append(Call((name,), (name,), kernel, (spec.nodata_scalar,)))
        return Plan(writes=writes, calls=tuple(calls), notes=notes)


class LinearToDB(_Conversion):
    """Backscatter in decibels: ``10 · log10(power)``.

    Reads linear power (units 1), for example gamma nought or sigma nought, and writes the same
    bands as float32 in dB, dims as they were. No-data, values of 0 or less and infinities, which have no
    logarithm, become NaN: all of a band of decibels that does not say its units, which is taken as power
    (with a note in the plan). Looks at one pixel. A band that is in decibels already is refused, so that
    nothing is converted twice.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all backscatter: variables with that quantity, and ``vv``, ``vh``, ``hh``, ``hv``.

    Raises
    ------
    MissingVariableError
        If the tile has no backscatter, or lacks a band.
    QuantityError
        If a band is in decibels already, or is no backscatter.

    References
    ----------
    ISO 80000-1:2022 and IEC 60027-3: the decibel of a power ratio is ``10 · log10``.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.sar import LinearToDB
    >>> tile = contract_tile((4, 4), gaps=False)[["red"]].rename(red="vv")
    >>> tile.vv.attrs["quantity"] = "backscatter"
    >>> tile.vv[0, 0] = 0.1
    >>> db = LinearToDB()(tile).vv
    >>> float(db[0, 0]), db.attrs["units"]
    (-10.0, 'dB')
    """

    def plan(self, tile: TileSpec) -> Plan:
        """Convert every band in a call of its own."""
        return self._converted(tile, "linear", "dB")


class DBToLinear(_Conversion):
    """Backscatter as linear power: ``10 ** (dB / 10)``.

    Reads decibels (units dB) and writes the same bands as float32 with units 1, dims as they were.
    No-data and infinities become NaN. Looks at one pixel. A band that is linear already, or does not
    say its units, is refused.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all backscatter: variables with that quantity, and ``vv``, ``vh``, ``hh``, ``hv``.

    Raises
    ------
    MissingVariableError
        If the tile has no backscatter, or lacks a band.
    QuantityError
        If a band is linear already, does not say its units, or is no backscatter.

    References
    ----------
    ISO 80000-1:2022 and IEC 60027-3: the decibel of a power ratio is ``10 · log10``.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.sar import DBToLinear
    >>> tile = contract_tile((4, 4), gaps=False)[["red"]].rename(red="vv")
    >>> tile.vv.attrs.update(quantity="backscatter", units="dB")
    >>> tile.vv[0, 0] = -10
    >>> power = DBToLinear()(tile).vv
    >>> round(float(power[0, 0]), 6), power.attrs["units"]
    (0.1, '1')
    """

    def plan(self, tile: TileSpec) -> Plan:
        """Convert every band in a call of its own."""
        return self._converted(tile, "dB", "1")
