"""Which pixels of a grid an area covers: on the parent lattice, equal for every window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent, ParameterError, ReadError, Ref, TileError, VarSpec
from geotoolz.core._frozen import thawed
from geotoolz.io import Area

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog._label_table import LabelTable

Array = np.ndarray[Any, Any]
AreaParam = Ref | Mapping[str, Any]
"""A field that holds an area: GeoJSON, or a vector file that is pinned by its content."""


def area_field(value: Any) -> Any:
    """Return an area in the form that configurations keep: a `Ref`, or GeoJSON as plain types.

    Raises
    ------
    ParameterError
        If it names a file: a file is pinned with `Ref.of`.
    """
    if isinstance(value, Ref):
        return value
    if isinstance(value, str):
        from geotoolz.io._mgrs import is_tile_id

        if not is_tile_id(value) and not value.lstrip().startswith("{"):
            raise ParameterError(
                f"area={value!r}",
                expected="GeoJSON, a tile such as 33TWL, a geometry, or a Ref",
                fix="a file is pinned by its content: Ref.of('fields.gpkg')",
            )
    return Area.of(thawed(value)).to_json()


def parsed_area(parameter: AreaParam, layer: str | None) -> Area:
    """Return the area of an operator's field; a file's content is checked.

    Raises
    ------
    ParameterError
        If it encloses no ground.
    ReadError
        If the file is missing or was changed.
    """
    area = (
        _of_ref(parameter, layer) if isinstance(parameter, Ref) else _of_json(json.dumps(thawed(parameter)))
    )
    if area.geometry.area == 0:
        raise ParameterError(
            f"{area.origin} is a {area.geometry.geom_type} and encloses no ground",
            expected="a polygon",
            fix="buffer it first",
        )
    return area


@lru_cache(maxsize=16)
def _of_json(text: str) -> Area:
    return Area.of(json.loads(text))


@lru_cache(maxsize=16)
def _of_ref(ref: Ref, layer: str | None) -> Area:
    if "://" in ref.uri and not ref.uri.startswith("file://"):
        raise ReadError(f"{ref.uri} is no local file", expected="a vector file on disk")
    return Area.of(ref.verify(), layer=layer)


@lru_cache(maxsize=32)
def burnt_area(area: Area, crs: str) -> LabelTable:
    """Return the area's outline in a grid's reference system, ready to be burnt: 1 inside."""
    from geotoolz.catalog._label_table import LabelTable, Legend

    shapes = np.empty(1, object)
    shapes[0] = area.in_crs(crs)
    return LabelTable(shapes, np.ones(1, np.int64), crs, Legend((1,), ("inside",), 0))


def inside(table: LabelTable, geobox: GeoBox, all_touched: bool, extent: Extent) -> Array:
    """Return which pixels of an extent, on the lattice of a parent grid, an area covers.

    Pixels left of or above the parent's first are never asked for by a plan that cuts to the tile.
    """
    from geotoolz.catalog._label import burn_window

    window = (extent.y0, extent.x0, *extent.shape)
    covered: Array = burn_window(geobox, table, all_touched, window) == 1
    return covered


def emptied(values: Array, keep: Array, fill: float) -> Array:
    """Return values with `fill` where they are not to be kept."""
    out: Array = np.where(keep, values, values.dtype.type(fill))
    return out


def with_nodata(
    name: str, spec: VarSpec, fills: Mapping[str, float], label: str
) -> tuple[VarSpec, float | int]:
    """Return a variable that can be emptied, and the value for where it is.

    Raises
    ------
    TileError
        If it has no no-data value and none is given.
    """
    if spec.dims[-2:] != ("y", "x"):
        raise TileError(f"{label} cannot treat {name!r} with dims {spec.dims}", expected="(…, y, x)")
    if spec.dtype == np.bool_:
        return spec, 0
    value = spec.nodata if spec.nodata is not None else fills.get(name)
    if value is None:
        raise TileError(
            f"{label} empties pixels, and {name!r} ({spec.dtype}) has no no-data value",
            expected="a value for what lies outside",
            fix=f"{label}(…, fill={{{name!r}: 0}}), or ds[{name!r}].rio.write_nodata(…)",
        )
    if spec.dtype.kind in "iu":
        limits = np.iinfo(spec.dtype)
        if value != int(value) or not limits.min <= value <= limits.max:
            raise TileError(
                f"fill {value!r} of {name!r} does not fit {spec.dtype}", fix="choose one that fits"
            )
    return (spec if spec.nodata is not None else VarSpec(spec.dims, spec.dtype, value, spec.attrs)), value
