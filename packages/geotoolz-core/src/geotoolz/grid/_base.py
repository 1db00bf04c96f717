"""What all operators that resample onto another grid have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Call, Map, Plan, TileError, TileSpec, VarSpec, is_flags
from geotoolz.grid._warp import Method, Warp, resampled

_COARSE = 2.0  # source pixels per target pixel from which single pixels say too little


class Regrid(Map, abstract=True):
    """Base of operators that resample every variable of a tile onto another grid.

    Subclasses have the fields ``method`` and ``fill`` and say where the tile goes.
    """

    if TYPE_CHECKING:  # declared by the subclasses, after their own fields

        @property
        def method(self) -> Method:
            """How measured values are resampled."""

        @property
        def fill(self) -> Mapping[str, float] | None:
            """No-data values of variables that have none."""

    def warp(self, tile: TileSpec) -> Warp:
        """Return the change of the grid."""
        raise NotImplementedError(f"{type(self).__name__} does not say to which grid")

    def plan(self, tile: TileSpec) -> Plan:
        """Resample every variable in a call of its own."""
        label = type(self).__name__
        change = self.warp(tile)
        fills = {tile.find(name, label): value for name, value in (self.fill or {}).items()}
        calls, writes = [], {}
        for name, spec in tile.variables.items():
            writes[name], value = self._filled(name, spec, change, fills)
            args = (change, self._method_of(name, spec), spec.nodata_scalar, value)
            calls.append(Call((name,), (name,), resampled, args))
        return Plan(writes=writes, calls=tuple(calls), notes=self._notes(change), grid=change)

    def _method_of(self, name: str, spec: VarSpec) -> Method:
        """Classes, flags and masks are never mixed."""
        if not is_flags(name, spec):
            return self.method
        return "mode" if self.method in ("average", "mode") else "nearest"

    def _filled(
        self, name: str, spec: VarSpec, change: Warp, fills: Mapping[str, float]
    ) -> tuple[VarSpec, float | int]:
        """Return the variable afterwards, and what stands where it has no data."""
        label = type(self).__name__
        if spec.dims[-2:] != ("y", "x") or spec.dtype.kind not in "biuf" or spec.dtype == np.float16:
            raise TileError(
                f"{label} cannot resample {name!r}, which is {spec.dtype} with dims {spec.dims}",
                expected="integers, float32, float64 or bool with the last dims (y, x)",
                fix=f"leave it out with SelectBands, or convert it first: ds[{name!r}].astype('float32')",
            )
        nodata = fills.get(name, spec.nodata)
        if nodata is None and spec.dtype == np.bool_:
            return spec, 0
        if nodata is None and change.covered:
            return spec, 0
        if nodata is None:
            raise TileError(
                f"{label} reaches beyond the tile, and {name!r} ({spec.dtype}) has no no-data value",
                expected="a value for what lies outside",
                fix=f"{label}(…, fill={{{name!r}: 0}}), or ds[{name!r}].rio.write_nodata(…)",
            )
        if spec.dtype.kind in "iu" and not _fits(nodata, spec.dtype):
            raise TileError(
                f"fill {nodata!r} of {name!r} does not fit {spec.dtype}", fix="choose a value that fits"
            )
        new = spec if spec.nodata is not None else VarSpec(spec.dims, spec.dtype, nodata, spec.attrs)
        return new, nodata if spec.nodata is None else spec.nodata

    def _notes(self, change: Warp) -> tuple[str, ...]:
        scale = min(change.scale)
        if scale < _COARSE or self.method in ("average", "mode"):
            return ()
        return (
            f"the new pixels are {scale:.1f} times as large: {self.method} looks at few of the old ones; "
            "method='average' takes all of them",
        )


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    if dtype == np.bool_:
        return value in (0, 1)
    info = np.iinfo(dtype)
    return math.isfinite(value) and value == int(value) and info.min <= value <= info.max
