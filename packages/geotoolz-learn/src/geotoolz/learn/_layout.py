"""Which plane of which variable is which feature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import MissingVariableError, ParameterError, TileError, TileSpec, is_flags, nearest

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A feature: a plane of a variable (-1: the variable has one plane only)."""

    name: str
    variable: str
    plane: int = -1


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tile becomes rows.

    Attributes
    ----------
    columns : tuple of Column
        The features, in order.
    variables : tuple of str
        The variables that hold them, each once.
    lead : tuple of str
        Dimensions before ``y`` and ``x`` along which every position is a row of its own.
    nodata : tuple of float
        The no-data value of every variable; NaN where it has none.
    has_lead : tuple of bool
        Whether a variable lies along `lead`; one that does not is the same at all its positions.
    """

    columns: tuple[Column, ...]
    variables: tuple[str, ...]
    lead: tuple[str, ...]
    nodata: tuple[float, ...]
    has_lead: tuple[bool, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(column.name for column in self.columns)

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions of what a row per pixel becomes."""
        return (*self.lead, "y", "x")

    def planes(self, arrays: Sequence[Array]) -> list[tuple[Array, float]]:
        """Return the flat pixels of every feature, with their no-data value.

        Parameters
        ----------
        arrays : sequence of array
            Of `variables`, in order.
        """
        held = dict(zip(self.variables, range(len(arrays)), strict=True))
        lengths = [a.shape[0] for a, along in zip(arrays, self.has_lead, strict=True) if along and self.lead]
        flat = []
        for column in self.columns:
            number = held[column.variable]
            array = arrays[number]
            if column.plane >= 0:
                first = 1 if self.has_lead[number] and self.lead else 0
                planes = math.prod(array.shape[first:-2])
                array = array.reshape(*array.shape[:first], planes, *array.shape[-2:])
                array = array[:, column.plane] if first else array[column.plane]
            if self.lead and not self.has_lead[number]:
                array = np.broadcast_to(array, (lengths[0], *array.shape[-2:]))
            flat.append((array.reshape(-1), self.nodata[number]))
        return flat


def find_layout(
    tile: TileSpec,
    wanted: Sequence[str] | None,
    rows_along: Sequence[str],
    needed_by: str,
    *,
    exact: bool = False,
) -> Layout:
    """Return the features of a tile.

    Parameters
    ----------
    tile : TileSpec
        The tile.
    wanted : sequence of str or None
        Variables, roles, or features (``"ndvi_3"``: the fourth plane of ``ndvi``), in order; all
        measurements of the tile where None.
    rows_along : sequence of str
        Dimensions whose positions are rows, not features.
    needed_by : str
        Who asks; named in errors.
    exact : bool
        `wanted` are the features of a model: every plane of a variable must be among them.

    Raises
    ------
    MissingVariableError
        If a feature is missing.
    TileError
        If a variable cannot be a feature, or has another number of planes.
    """
    names = default_features(tile) if wanted is None else tuple(wanted)
    if not names:
        raise TileError(f"{needed_by} finds no feature in the tile", expected="at least one measurement")
    columns: list[Column] = []
    for name in names:
        columns.extend(_columns(tile, name, rows_along, needed_by))
    twice = {c.name for c in columns if [d.name for d in columns].count(c.name) > 1}
    if twice:
        raise ParameterError(f"{needed_by}: the feature {min(twice)!r} is named twice", expected="each once")
    variables = tuple(dict.fromkeys(c.variable for c in columns))
    if exact:
        _require_all_planes(tile, columns, rows_along, needed_by)
    specs = [tile.variables[name] for name in variables]
    lead = tuple(dim for dim in rows_along if any(dim in spec.dims for spec in specs))
    return Layout(
        tuple(columns),
        variables,
        lead,
        tuple(spec.nodata_scalar for spec in specs),
        tuple(bool(set(lead) & set(spec.dims)) for spec in specs),
    )


def feature_dtype(tile: TileSpec, layout: Layout) -> np.dtype[Any]:
    """Return float32 where it holds every feature's values exactly, else float64."""
    return np.result_type(np.float32, *(tile.variables[name].dtype for name in layout.variables))


def default_features(tile: TileSpec) -> tuple[str, ...]:
    """Return a tile's measurements: numbers on its grid that are no flags."""
    return tuple(
        name
        for name, spec in tile.variables.items()
        if spec.dtype.kind in "iuf" and spec.dims[-2:] == ("y", "x") and not is_flags(name, spec)
    )


def _columns(tile: TileSpec, name: str, rows_along: Sequence[str], needed_by: str) -> list[Column]:
    variable = tile.lookup(name)
    if variable is not None:
        planes = _planes(tile, variable, rows_along, needed_by)
        if planes is None:
            return [Column(name, variable)]
        return [Column(f"{name}_{k}", variable, k) for k in range(planes)]
    stem, _, number = name.rpartition("_")
    variable = tile.lookup(stem) if stem and number.isdecimal() else None
    planes = None if variable is None else _planes(tile, variable, rows_along, needed_by)
    if variable is None or planes is None:
        have = ", ".join(tile.variables) or "no variables"
        raise MissingVariableError(
            f"{needed_by} needs the feature {name!r}, and the tile has {have}{nearest(name, tile.variables)}",
            fix="make the features as they were made at fitting",
        )
    if int(number) >= planes:
        raise TileError(
            f"{needed_by} needs the feature {name!r}, and {variable!r} has {planes} planes",
            expected=f"at least {int(number) + 1}",
        )
    return [Column(name, variable, int(number))]


def _planes(tile: TileSpec, variable: str, rows_along: Sequence[str], needed_by: str) -> int | None:
    """Return how many features a variable holds; None for one without further dimensions."""
    spec = tile.variables[variable]
    if spec.dims[-2:] != ("y", "x") or spec.dtype.kind not in "biuf" or spec.dtype == np.float16:
        raise TileError(
            f"{needed_by} reads {variable!r}, which is {spec.dtype} along {spec.dims}",
            expected="numbers with the dims (…, y, x)",
        )
    own = [dim for dim in spec.dims[:-2] if dim not in rows_along]
    along = [dim for dim in spec.dims[:-2] if dim in rows_along]
    if spec.dims[: len(along)] != tuple(along):
        raise TileError(f"{variable!r} has dims {spec.dims}", expected=f"{(*along, *own, 'y', 'x')}")
    return math.prod(tile.sizes[dim] for dim in own) if own else None


def _require_all_planes(
    tile: TileSpec, columns: Sequence[Column], rows_along: Sequence[str], needed_by: str
) -> None:
    """Raise where a tile has more dates or bands than the model was fitted on: they would be mistaken."""
    for variable in dict.fromkeys(c.variable for c in columns if c.plane >= 0):
        used = [c for c in columns if c.variable == variable]
        planes = _planes(tile, variable, rows_along, needed_by)
        if planes != len(used):
            raise TileError(
                f"{variable!r} has {planes} planes, and the model was fitted on {len(used)}",
                expected="the dates, or bands, that the model was fitted on",
            )


def quantities(tile: TileSpec, layout: Layout) -> Mapping[str, str]:
    """Return what the values of every feature are (reflectance, digital numbers, …), where it is said."""
    found = {c.name: tile.variables[c.variable].quantity for c in layout.columns}
    return {name: what for name, what in found.items() if what is not None}
