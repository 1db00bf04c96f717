"""Several dates into one: what composites and regular time steps share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from geotoolz.core import Call, Footprint, ParameterError, TileError, TileSpec, VarSpec, require_physical
from geotoolz.temporal import _bin_kernels as kernels
from geotoolz.temporal._score_kernels import all_valid, ndvi
from geotoolz.temporal._spectral import geometric_medians, medoid_dates
from geotoolz.temporal._times import date_order, require_measurements, require_nodata, stacked_bands

Method = Literal["median", "mean", "max_ndvi", "geomedian", "medoid"]
CHOOSING = ("max_ndvi", "medoid", "best_pixel")
"""Methods whose result is one of the observations: data types stay, and the date can be told."""

_VALID, _SCORE, _INDEX = "~valid", "~score", "~index"
_ROUNDS = 100


@dataclass(frozen=True)
class Collapse:
    """How the dates of each bin become one, on a tile.

    Parameters
    ----------
    tile : TileSpec
        The stack.
    label : str
        The operator, for messages.
    method : str
        One of `Method`, or ``"best_pixel"`` with calls that score the dates.
    bands : tuple of str
        Variables to treat.
    bins : tuple of (int, int)
        First date of each bin and the one after its last.
    flat : bool
        Whether the dimension goes (there is one bin).
    order : tuple of int
        Positions from the earliest date to the latest, within their bins: of equal observations the
        first is taken.
    """

    tile: TileSpec
    label: str
    method: str
    bands: tuple[str, ...]
    bins: kernels.Bins
    flat: bool
    order: tuple[int, ...]

    @classmethod
    def of(
        cls, tile: TileSpec, label: str, method: str, bands: tuple[str, ...] | None, bins: kernels.Bins | None
    ) -> Collapse:
        """Find the bands and check them; without bins all dates become one."""
        found = stacked_bands(tile, bands, label)
        if method not in ("max_ndvi", "best_pixel"):
            require_measurements(tile, found, label)
        if method == "geomedian" and len(found) < 2:
            raise TileError(
                f"{label} got one band for the geometric median",
                expected="two or more",
                fix="method='median'",
            )
        order = date_order(tile, label)
        return cls(tile, label, method, found, bins or ((0, tile.sizes["time"]),), bins is None, order)

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions of what is written."""
        return ("y", "x") if self.flat else ("time", "y", "x")

    @property
    def nodata(self) -> tuple[Any, ...]:
        """No-data of the bands, for kernels."""
        return tuple(self.tile.variables[name].nodata_scalar for name in self.bands)

    def drops(self, writes: Mapping[str, VarSpec]) -> tuple[str, ...]:
        """Return the variables along time that are not written: they would lose their dates."""
        return tuple(n for n, v in self.tile.variables.items() if "time" in v.dims and n not in writes)

    def writes(self, count: str | None, date: str | None = None) -> dict[str, VarSpec]:
        """Return the variables after: the bands, and what is told of the observations."""
        found = {}
        for name in self.bands:
            spec = self.tile.variables[name]
            if self.method in CHOOSING:
                require_nodata(name, spec, self.label)
                found[name] = VarSpec(self.dims, spec.dtype, spec.nodata, spec.attrs)
            else:
                found[name] = VarSpec(self.dims, kernels.float_type(spec.dtype), attrs=spec.attrs)
        for new in (count, date):
            if new is not None and (new in self.tile.variables or new in self.tile.sizes):
                raise ParameterError(f"the tile has {new!r} already", fix="give count= or date= another name")
        # flags and not measurements: later steps must not take them for bands
        if count is not None:
            attrs: dict[str, Any] = {"long_name": "number of observations", "units": "1", "quantity": "flags"}
            found[count] = VarSpec(self.dims, np.dtype(np.uint16), None, attrs)
        if date is not None:
            found[date] = VarSpec(self.dims, np.dtype(np.int16), -1, self._date_attrs())
        return found

    def _date_attrs(self) -> dict[str, Any]:
        attrs: dict[str, Any] = {"long_name": "position of the chosen date", "quantity": "flags"}
        known = self.tile.coords.get("time")
        if known is not None and known.values.dtype.kind == "M":
            attrs["flag_values"] = list(range(known.size))
            attrs["flag_meanings"] = " ".join(np.datetime_as_string(known.values, unit="D").tolist())
        return attrs

    def calls(
        self,
        count: str | None,
        date: str | None,
        red: str,
        nir: str,
        tolerance: float,
        scoring: tuple[Call, ...] = (),
    ) -> tuple[Call, ...]:
        """Return the kernel calls of the method."""
        if self.method in ("median", "mean"):
            return self._each_band(count)
        if self.method == "geomedian":
            dtypes = tuple(kernels.float_type(self.tile.variables[name].dtype) for name in self.bands)
            settings = (self.nodata, self.bins, self.flat, dtypes, tolerance, _ROUNDS)
            return (Call(self.bands, (*self.bands, count or "~count"), geometric_medians, settings),)
        if self.method == "medoid":
            found = (_INDEX, count or "~count")
            args = (self.nodata, self.bins, self.flat, self.order)
            first = Call(self.bands, found, medoid_dates, args)
            return (first, *self._taken(date))
        score = self._vegetation(red, nir) if self.method == "max_ndvi" else scoring
        best = Call((_SCORE, _VALID), (_INDEX,), kernels.best, (self.bins, self.order))
        counted = Call((_VALID,), (count,), kernels.counted, (self.bins, self.flat)) if count else None
        return (*score, best, *((counted,) if counted else ()), *self._taken(date))

    def _each_band(self, count: str | None) -> tuple[Call, ...]:
        kernel = kernels.medians if self.method == "median" else kernels.averages
        numbers = tuple(f"~count {name}" for name in self.bands)
        calls = [
            Call((name,), (name, number), kernel, (nodata, self.bins, self.flat))
            for name, number, nodata in zip(self.bands, numbers, self.nodata, strict=True)
        ]
        if count is not None:
            calls.append(Call(numbers, (count,), kernels.largest))
        return tuple(calls)

    def valid(self, *more: str) -> Call:
        """Return the call that finds the dates on which all bands, and `more`, have data."""
        names = tuple(dict.fromkeys((*self.bands, *more)))
        nodata = tuple(self.tile.variables[name].nodata_scalar for name in names)
        return Call(names, (_VALID,), all_valid, (nodata,))

    def _vegetation(self, red: str, nir: str) -> tuple[Call, ...]:
        names = (self.tile.find(red, self.label), self.tile.find(nir, self.label))
        stacked_bands(self.tile, names, self.label)
        require_physical(self.tile, names, self.label)
        return self.valid(*names), Call((_VALID, *names), (_SCORE, _VALID), ndvi)

    def score(
        self, quality: tuple[str, ...], args: tuple[Any, ...], footprint: Footprint
    ) -> tuple[Call, ...]:
        """Return the calls that score the dates by `scores`, with its arguments."""
        from geotoolz.temporal._score_kernels import scores

        return self.valid(*quality), Call((_VALID, *quality), (_SCORE,), scores, args, footprint)

    def _taken(self, date: str | None) -> tuple[Call, ...]:
        calls = []
        if date is not None:
            calls.append(Call((_INDEX,), (date,), kernels.named, (self.flat,)))
        for name in self.bands:
            empty = require_nodata(name, self.tile.variables[name], self.label)
            calls.append(Call((name, _INDEX), (name,), kernels.taken, (empty, self.flat)))
        return tuple(calls)


def check_method(method: str, tolerance: float, count: str | None, date: str | None = None) -> None:
    """Check the parameters that composites and time steps share."""
    if not 0 < tolerance < 1:
        raise ParameterError(f"tolerance={tolerance}", expected="a share between 0 and 1")
    if date is not None and method not in CHOOSING:
        raise ParameterError(
            f"date={date!r} with method={method!r}, which chooses no date", expected=f"{', '.join(CHOOSING)}"
        )
    if "" in (count, date) or (count is not None and count == date):
        raise ParameterError(f"count={count!r}, date={date!r}", expected="two names")


METHODS: tuple[str, ...] = get_args(Method)
