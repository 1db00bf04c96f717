"""Applying masks to bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.cloud import _kernels
from geotoolz.cloud._decode import listed
from geotoolz.core import (
    Call,
    Operator,
    Plan,
    QuantityError,
    State,
    TileError,
    TileOperator,
    TileSpec,
    VarSpec,
    chosen_bands,
    join_path,
)

if TYPE_CHECKING:
    from geotoolz.core import Builder


def fill_value(name: str, spec: VarSpec, needed_by: str) -> np.generic[Any]:
    """Return a band's no-data value in its own dtype.

    Raises
    ------
    QuantityError
        For an integer band without one: there is nothing to write into masked pixels.
    """
    if spec.nodata is None:
        raise QuantityError(
            f"{needed_by} masks {name!r}, which is {spec.dtype} and has no no-data value",
            fix="put ToFloat32 or DNToReflectance first, or declare one: ds[name].rio.write_nodata(…)",
        )
    fill: np.generic[Any]
    try:
        fill = spec.dtype.type(spec.nodata)
    except OverflowError as error:
        raise QuantityError(
            f"{needed_by} masks {name!r}, whose no-data value {spec.nodata} does not fit {spec.dtype}",
            fix="correct its _FillValue, or put ToFloat32 or DNToReflectance first",
        ) from error
    return fill


def mask_calls(
    tile: TileSpec, bands: tuple[str, ...], mask: str, needed_by: str
) -> tuple[dict[str, VarSpec], tuple[Call, ...]]:
    """Return what is written, and the calls that write it, when `mask` is laid on bands."""
    writes = {name: tile.variables[name] for name in bands}
    calls = tuple(
        Call((name, mask), (name,), _kernels.fill_where, (fill_value(name, spec, needed_by),))
        for name, spec in writes.items()
    )
    return writes, calls


class ApplyMask(TileOperator):
    """Set bands to no-data where a mask is True.

    Writes the chosen bands in their own dtype, with their own no-data value. A mask that an
    operator makes is used and not kept.

    Parameters
    ----------
    mask : str or Operator
        Name of a bool variable, or an operator that adds one (`MaskFromSCL`, `MaskFromQABits`).
    bands : str or sequence of str, optional
        By default all bands that hold measurements.

    Raises
    ------
    QuantityError
        If the mask is not bool, or an integer band has no no-data value.
    TileError
        If the operator does not add exactly one variable.

    Examples
    --------
    >>> from geotoolz.cloud import ApplyMask, MaskFromSCL
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.3)
    >>> bool(ApplyMask(MaskFromSCL())(tile).red.isnull().any())
    True
    """

    mask: str | Operator
    bands: tuple[str, ...] | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one band."""
        return listed(values, "bands")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the mask's operator if there is one, then fill the bands."""
        bands = chosen_bands(state.spec, self.bands, type(self).__name__)
        if isinstance(self.mask, str):
            return builder.apply(self, self._plan(state.spec, bands, self.mask), state, path)
        after = builder.emit(self.mask, state, join_path(path, "mask"))
        after.require_grid_of(state, type(self.mask).__name__)
        made = [n for n, slot in after.slots.items() if state.slots.get(n) != slot]
        if len(made) != 1:
            raise TileError(
                f"{type(self.mask).__name__} writes {', '.join(made) or 'nothing'}",
                expected="exactly one mask",
            )
        masked = builder.apply(self, self._plan(after.spec, bands, made[0]), after, path)
        # the tile may have had a variable of the mask's name: it stays what it was
        homes = {n: state if n == made[0] else masked for n in state.spec.variables}
        variables = {n: home.spec.variables[n] for n, home in homes.items()}
        return State(
            masked.spec.evolve(variables), {n: home.slots[n] for n, home in homes.items()}, masked.home
        )

    def _plan(self, tile: TileSpec, bands: tuple[str, ...], mask: str) -> Plan:
        label = type(self).__name__
        name = tile.find(mask, label)
        if tile.variables[name].dtype != np.dtype(bool):
            raise QuantityError(
                f"{label} got the mask {name!r} of {tile.variables[name].dtype}",
                expected="bool, True where pixels are masked",
                fix="make one with MaskFromFlags, MaskFromQABits or MaskFromSCL",
            )
        own = tile.variables[name].dims
        for band in bands:
            dims = tile.variables[band].dims
            if own not in (dims, dims[-2:]):
                raise QuantityError(f"{label}: the mask {name!r} has dims {own} and {band!r} has {dims}")
        writes, calls = mask_calls(tile, bands, name, label)
        return Plan(writes=writes, calls=calls)
