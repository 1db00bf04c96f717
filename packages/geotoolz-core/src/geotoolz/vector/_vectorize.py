"""Classes as polygons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import MissingCRSError, ParameterError, TileSpec, nearest
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    import geopandas as gpd
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]
STATISTICS = ("mean", "min", "max", "sum", "count", "stdev")


def vectorize(
    source: Any,
    band: str | None = None,
    *,
    connectivity: Literal[4, 8] = 4,
    min_area: float = 0.0,
    statistics: Mapping[str, Sequence[str] | str] | None = None,
    classes: Sequence[int | str] | None = None,
) -> gpd.GeoDataFrame:
    """Return the connected areas of equal value as polygons that follow the pixels' edges.

    Parameters
    ----------
    source : Dataset, or what `open_tile` takes
        A tile.
    band : str, optional
        Variable with classes (integers or a mask); needed where the tile has several.
    connectivity : 4 or 8
        Whether pixels that meet in a corner only are connected.
    min_area : float
        Smaller areas are left out; in square metres (of the ellipsoid, where the grid is in degrees).
    statistics : mapping of str to str or sequence of str, optional
        Other variables of the tile, and what of their pixels is wanted: ``{"ndvi": ("mean", "stdev")}``, of
        mean, min, max, sum, count and stdev. Whole pixels; NaN and no-data are left out.
    classes : sequence of int or str, optional
        Only these values, or names of ``flag_meanings``.

    Returns
    -------
    geopandas.GeoDataFrame
        A polygon per area, in the order of their first pixels: ``value``, ``name`` (where the variable has
        ``flag_meanings``), ``pixels``, ``area_m2``, ``{variable}_{statistic}``. Pixels without data and
        False have no polygon.

    Raises
    ------
    ParameterError
        For floats, an unknown statistic, or a tile with several variables and no `band`.
    MissingVariableError
        If the tile lacks a variable.

    Notes
    -----
    In a projected CRS an area is pixels × pixel area, exact. In degrees it is the sum of the pixels' areas
    on the ellipsoid, row by row.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.vector import rasterize, vectorize
    >>> tile = simulate_scene((40, 60), bands=("red",))
    >>> burnt = rasterize(geobox_of(tile)[10:20, 20:40], tile)
    >>> vectorize(burnt)[["value", "name", "pixels", "area_m2"]].values.tolist()
    [[1, 'labelled', 200, 20000.0]]
    """
    tile, name = _tile(source, band, tuple(statistics or ()))
    if connectivity not in (4, 8):
        raise ParameterError(f"connectivity={connectivity!r}", expected="4 or 8")
    if not (math.isfinite(min_area) and min_area >= 0):
        raise ParameterError(f"min_area={min_area!r}", expected="square metres, 0 or more")
    spec = TileSpec.of(tile)
    grid = spec.require_geobox("vectorize")
    values, valid = _classes(tile, spec, name, classes)
    shapes, found, ids = _polygons(values, valid, connectivity)
    columns: dict[str, Any] = {"value": found}
    meanings = _meanings(tile[name].attrs)
    if meanings:
        columns["name"] = [meanings.get(int(value), "") for value in found]
    counts = np.bincount(ids[ids > 0], minlength=len(found) + 1)[1:]
    columns["pixels"] = counts
    columns["area_m2"] = _areas(ids, grid, len(found))
    for other, asked in (statistics or {}).items():
        columns.update(_statistics(tile, spec, spec.find(other, "vectorize"), asked, ids, len(found)))
    return _table(shapes, columns, grid, min_area)


def _tile(source: Any, band: str | None, others: tuple[str, ...]) -> tuple[xr.Dataset, str]:
    """Return the tile and the name of its classes."""
    if not isinstance(source, xr.Dataset):
        from geotoolz.io import open_tile

        source = open_tile(source, None if band is None else [band, *others])
    spec = TileSpec.of(source)
    if band is None:
        whole = [n for n, v in spec.variables.items() if v.dtype.kind in "iub" and n not in others]
        if len(whole) != 1:
            raise ParameterError(
                f"the tile has {len(whole)} variables of classes: {', '.join(whole) or 'none'}",
                expected="one",
                fix="say band=…",
            )
        return source, whole[0]
    return source, spec.find(band, "vectorize")


def _classes(
    tile: xr.Dataset, spec: TileSpec, name: str, classes: Sequence[int | str] | None
) -> tuple[Array, Array]:
    """Return the values and where there are any."""
    own = spec.variables[name]
    if own.dims != ("y", "x"):
        raise ParameterError(f"{name!r} has dims {own.dims}", expected="(y, x)", fix="tile.isel(time=…)")
    if own.dtype.kind not in "iub":
        raise ParameterError(
            f"{name!r} holds {own.dtype}",
            expected="classes: integers or a mask",
            fix="make classes of it first: (tile > 0.3)",
        )
    values = np.asarray(tile.variables[name].values)
    valid = values if own.dtype.kind == "b" else np.ones(values.shape, bool)
    values = values.astype(np.uint8) if own.dtype.kind == "b" else values
    if own.nodata is not None:
        valid = valid & (values != own.nodata)
    if classes is not None:
        valid = valid & np.isin(values, _numbers(classes, tile[name].attrs, name))
    return values, valid


def _numbers(classes: Sequence[int | str], attrs: Mapping[Any, Any], name: str) -> Array:
    """Return the numbers of classes that may be named."""
    known = {meaning: value for value, meaning in _meanings(attrs).items()}
    found = []
    for one in classes:
        if isinstance(one, str) and one not in known:
            raise ParameterError(
                f"{name!r} has no class {one!r}{nearest(one, known)}",
                expected=f"a number, or one of {', '.join(known)}" if known else "numbers: it has no names",
            )
        found.append(known[one] if isinstance(one, str) else int(one))
    return np.asarray(found, np.int64)


def _polygons(values: Array, valid: Array, connectivity: int) -> tuple[list[Any], Array, Array]:
    """Return polygons in pixel coordinates, their values, and every pixel's polygon (from 1; 0 for none)."""
    import shapely
    from rasterio.features import rasterize, shapes

    kinds, codes = np.unique(values, return_inverse=True)
    codes = codes.reshape(values.shape).astype(np.int32)
    if not valid.any():
        return [], kinds[:0], np.zeros(values.shape, np.int32)
    traced = [(shape, int(code)) for shape, code in shapes(codes, valid, connectivity)]
    burnt = rasterize(
        ((shape, k) for k, (shape, _) in enumerate(traced, 1)), values.shape, fill=0, dtype=np.int32
    )
    burnt[~valid] = 0
    first = np.full(len(traced) + 1, values.size, np.int64)
    np.minimum.at(first, burnt.ravel(), np.arange(values.size))
    order = np.argsort(first[1:], kind="stable")
    rank = np.zeros(len(traced) + 1, np.int32)
    rank[order + 1] = np.arange(1, len(traced) + 1)
    outlines = [shapely.geometry.shape(traced[k][0]) for k in order]
    return outlines, kinds[[traced[k][1] for k in order]], rank[burnt]


def _areas(ids: Array, grid: GeoBox, count: int) -> Array:
    """Return square metres."""
    a = grid.affine
    if grid.crs is None or not grid.crs.geographic:
        unit = abs(a.a * a.e - a.b * a.d) * _square_metre(grid)
        return np.asarray(np.bincount(ids.ravel(), minlength=count + 1)[1:] * unit)
    edges = a.f + a.e * np.arange(ids.shape[0] + 1)
    per_row = np.abs(np.diff(_zone(np.radians(edges), grid)) * math.radians(a.a))
    weight = np.broadcast_to(per_row[:, None], ids.shape)
    return np.bincount(ids.ravel(), weights=weight.ravel(), minlength=count + 1)[1:]


def _zone(latitude: Array, grid: GeoBox) -> Array:
    """Return the ellipsoid's area from the equator to latitudes, per radian of longitude.

    Snyder, J. P. (1987), Map projections: a working manual, equation 3-12.
    """
    ellipsoid = grid.crs.proj.ellipsoid if grid.crs is not None else None
    if ellipsoid is None:
        raise MissingCRSError("the tile's CRS has no ellipsoid")
    axis, sine = ellipsoid.semi_major_metre, np.sin(latitude)
    e2 = 1.0 - (ellipsoid.semi_minor_metre / axis) ** 2
    if e2 == 0:
        return np.asarray(axis * axis * sine)
    e = math.sqrt(e2)
    q = (1.0 - e2) * (sine / (1.0 - e2 * sine * sine) + np.arctanh(e * sine) / e)
    return np.asarray(axis * axis * q / 2.0)


def _square_metre(grid: GeoBox) -> float:
    if grid.crs is None:
        raise MissingCRSError("the tile has no CRS")
    factor = grid.crs.proj.axis_info[0].unit_conversion_factor
    return float(factor * factor) if factor else 1.0


def _statistics(
    tile: xr.Dataset, spec: TileSpec, name: str, asked: Sequence[str] | str, ids: Array, count: int
) -> dict[str, Array]:
    """Return statistics of a variable's valid pixels per polygon, in float64."""
    wanted = [asked] if isinstance(asked, str) else list(asked)
    for each in wanted:
        if each not in STATISTICS:
            raise ParameterError(
                f"there is no statistic {each!r}{nearest(each, STATISTICS)}", expected=", ".join(STATISTICS)
            )
    values = np.asarray(tile.variables[name].values)
    if values.shape != ids.shape:
        raise ParameterError(f"{name!r} has the shape {values.shape}", expected=f"{ids.shape}")
    nodata = spec.variables[name].nodata
    good = (ids > 0) & ~np.isnan(values) if values.dtype.kind == "f" else ids > 0
    if nodata is not None and nodata == nodata:
        good &= values != nodata
    where, pixels = ids[good], values[good].astype(np.float64)
    number = np.bincount(where, minlength=count + 1)[1:]
    total = np.bincount(where, weights=pixels, minlength=count + 1)[1:]
    mean = np.divide(total, number, out=np.full(count, np.nan), where=number > 0)
    out: dict[str, Array] = {"count": number, "sum": total, "mean": mean}
    if "stdev" in wanted:  # from the deviations: squares of large values would cancel
        off = pixels - mean[where - 1]
        squares = np.bincount(where, weights=off * off, minlength=count + 1)[1:]
        out["stdev"] = np.sqrt(np.divide(squares, number, out=np.full(count, np.nan), where=number > 0))
    for key, ufunc, start in (("min", np.minimum, np.inf), ("max", np.maximum, -np.inf)):
        if key in wanted:
            found = np.full(count + 1, start)
            ufunc.at(found, where, pixels)
            out[key] = np.where(number > 0, found[1:], np.nan)
    return {f"{name}_{key}": out[key] for key in wanted}


def _meanings(attrs: Mapping[Any, Any]) -> dict[int, str]:
    if "flag_values" not in attrs or "flag_meanings" not in attrs:
        return {}
    values = np.atleast_1d(np.asarray(attrs["flag_values"])).tolist()
    names = str(attrs["flag_meanings"]).split()
    return dict(zip(map(int, values), names, strict=False))


def _table(shapes: list[Any], columns: dict[str, Any], grid: GeoBox, min_area: float) -> gpd.GeoDataFrame:
    import shapely

    from geotoolz.core._grid import crs_label
    from geotoolz.vector._features import need_geopandas

    a = grid.affine
    pixels = np.empty(len(shapes), object)
    pixels[:] = shapes
    pixels = shapely.make_valid(pixels)  # with 8 neighbours an outline may touch itself in a corner
    placed = shapely.transform(
        pixels,
        lambda cr: np.column_stack(
            [a.c + a.a * cr[:, 0] + a.b * cr[:, 1], a.f + a.d * cr[:, 0] + a.e * cr[:, 1]]
        ),
    )
    crs = str(grid.crs) if crs_label(grid.crs) == str(grid.crs) else grid.crs.to_wkt() if grid.crs else None
    frame = need_geopandas().GeoDataFrame(columns, geometry=placed, crs=crs)
    return frame[frame["area_m2"] >= min_area].reset_index(drop=True)
