"""Between a Dataset's coordinates and a GeoBox, exactly."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from affine import Affine

from geotoolz.core._errors import GridMismatchError, TileError
from geotoolz.core._lazy import xr

if TYPE_CHECKING:  # odc-geo brings dask and rasterio, half a second that most plans never need
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

GRID_MAPPING = "spatial_ref"
# Coordinates are rebuilt in float64; a thousandth of a pixel is far above their rounding and far
# below any shift that matters.
_TOLERANCE = 1e-3


def geobox_of(ds: xr.Dataset | xr.DataArray) -> GeoBox:
    """Return the grid of a tile.

    The affine transform kept in ``spatial_ref`` (``GeoTransform``) is used where the ``x`` and
    ``y`` coordinates agree with it up to a shift of whole pixels, so a crop by ``isel`` keeps its
    parent's exact lattice; otherwise the grid is derived from the coordinates.

    Parameters
    ----------
    ds : xarray.Dataset or xarray.DataArray
        A tile with dims ``y`` and ``x``.

    Returns
    -------
    odc.geo.geobox.GeoBox
        Its CRS is None where the tile has none.

    Raises
    ------
    TileError
        If ``x`` or ``y`` is missing, empty without a transform, or not regularly spaced.
    """
    from odc.geo.geobox import GeoBox

    height, width = _size(ds, "y"), _size(ds, "x")
    crs, kept = _reference(ds)
    if "x" not in ds.coords or "y" not in ds.coords:
        if kept is None:
            raise TileError(
                "the tile has no x and y coordinates", fix="give it a grid: as_tile(ds, geobox=…)"
            )
        return GeoBox((height, width), kept, crs)
    x, y = ds.coords["x"].values, ds.coords["y"].values
    if kept is not None and (height == 0 or width == 0):  # nothing to compare it with
        return GeoBox((height, width), kept, crs)
    transform = _shifted(kept, x, y) if kept is not None else None
    if transform is None:
        transform = _from_coords(x, y, kept)
    return GeoBox((height, width), transform, crs)


def _size(ds: xr.Dataset | xr.DataArray, dim: str) -> int:
    if dim not in ds.sizes:
        raise TileError(
            f"the tile has no dimension {dim!r} (found {tuple(map(str, ds.sizes))})",
            expected="dims (y, x) or (time, y, x)",
            fix="bring it into shape with geotoolz.core.as_tile(ds)",
        )
    return int(ds.sizes[dim])


def _reference(ds: xr.Dataset | xr.DataArray) -> tuple[CRS | None, Affine | None]:
    """Read CRS and transform from the grid-mapping coordinate."""
    name: Hashable = GRID_MAPPING
    if name not in ds.coords:
        return None, None
    attrs = ds.coords[name].attrs
    wkt = attrs.get("crs_wkt") or attrs.get("spatial_ref")
    crs = _crs(wkt) if wkt else None
    text = attrs.get("GeoTransform")
    return crs, _parse_transform(text) if isinstance(text, str) else None


@lru_cache(maxsize=256)
def _crs(wkt: str) -> CRS:
    from odc.geo.crs import CRS

    return CRS(wkt)


@lru_cache(maxsize=1024)
def _parse_transform(text: str) -> Affine | None:
    parts = text.split()
    return Affine.from_gdal(*map(float, parts)) if len(parts) == 6 else None


def _shifted(kept: Affine, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> Affine | None:
    """Return `kept` moved by whole pixels so that it fits the coordinates, or None."""
    if kept.b != 0 or kept.d != 0 or kept.a == 0 or kept.e == 0 or x.size == 0 or y.size == 0:
        return None
    col, row = (x[0] - kept.c) / kept.a - 0.5, (y[0] - kept.f) / kept.e - 0.5
    if not np.isfinite(col) or not np.isfinite(row):
        return None
    c, r = round(float(col)), round(float(row))
    cols, rows = (x - kept.c) / kept.a - 0.5 - np.arange(c, c + x.size), (y - kept.f) / kept.e - 0.5
    rows -= np.arange(r, r + y.size)
    if not (np.abs(cols).max() <= _TOLERANCE and np.abs(rows).max() <= _TOLERANCE):
        return None
    # written out: affine's own operators change their spelling between versions 2 and 3
    return Affine(kept.a, 0.0, kept.c + c * kept.a, 0.0, kept.e, kept.f + r * kept.e)


def _from_coords(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], kept: Affine | None) -> Affine:
    dx, dy = _spacing(x, "x", kept.a if kept else None), _spacing(y, "y", kept.e if kept else None)
    return Affine(dx, 0.0, float(x[0]) - dx / 2, 0.0, dy, float(y[0]) - dy / 2)


def _spacing(values: np.ndarray[Any, Any], dim: str, known: float | None) -> float:
    if values.size < 2:
        if known is None or values.size == 0:
            raise TileError(
                f"{values.size} {dim} coordinate(s) and no transform do not make a grid",
                fix="give the tile a GeoTransform: ds.rio.write_transform(…)",
            )
        return float(known)
    step = (float(values[-1]) - float(values[0])) / (values.size - 1)
    regular = bool(np.isfinite(values).all()) and step != 0
    if regular:
        wanted = float(values[0]) + step * np.arange(values.size)
        regular = bool(np.abs(values - wanted).max() <= abs(step) * 0.01)
    if not regular:
        raise TileError(f"the {dim} coordinates are not regularly spaced", expected="one affine grid")
    return step


@lru_cache(maxsize=64)
def _crs_attrs(crs: CRS) -> dict[str, Any]:
    """Return the CF attributes of a CRS; computing them costs more than a small kernel.

    They are those of ``odc.geo.xr``, which cannot be imported without dask.
    """
    with suppress(ImportError):
        import odc.geo.xr  # noqa: F401 - every tile has the accessor ``.odc``, where that is possible
    cf = crs.proj.to_cf()
    return {"spatial_ref": cf.get("crs_wkt") or crs.wkt, **cf}


def spatial_coords(geobox: GeoBox) -> dict[str, xr.Variable]:
    """Return the coordinates ``y``, ``x`` and ``spatial_ref`` of a grid.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        A north-up (or axis-aligned) grid.

    Returns
    -------
    dict of str to xarray.Variable
        Pixel centres in float64, and the CF grid mapping with ``GeoTransform``.
    """
    transform = geobox.affine
    if transform.b != 0 or transform.d != 0:
        raise TileError("the grid is rotated", expected="an axis-aligned grid", fix="reproject it first")
    height, width = geobox.shape
    attrs: dict[str, Any] = dict(_crs_attrs(geobox.crs)) if geobox.crs is not None else {}
    attrs["GeoTransform"] = " ".join(map(repr, transform.to_gdal()))
    geographic = geobox.crs is not None and geobox.crs.geographic
    x_attrs = _axis_attrs("x", geographic)
    y_attrs = _axis_attrs("y", geographic)
    x = transform.c + transform.a * (np.arange(width, dtype=np.float64) + 0.5)
    y = transform.f + transform.e * (np.arange(height, dtype=np.float64) + 0.5)
    return {
        "y": xr.Variable(("y",), y, y_attrs),
        "x": xr.Variable(("x",), x, x_attrs),
        GRID_MAPPING: xr.Variable((), np.int64(0), attrs),
    }


def crs_label(crs: CRS | None) -> str:
    """Return the shortest text that names a CRS."""
    if crs is None:
        return "no CRS"
    return f"EPSG:{crs.epsg}" if crs.epsg is not None else str(crs)


def grid_label(geobox: GeoBox | None) -> str:
    """Return a grid as one line: shape, corner, pixel size, CRS."""
    if geobox is None:
        return "no grid"
    t, (height, width) = geobox.affine, geobox.shape
    corner = f"({t.c:.10g}, {t.f:.10g})"
    return f"{height} × {width} pixels of ({t.a:g}, {t.e:g}) from {corner} in {crs_label(geobox.crs)}"


def _axis_attrs(axis: str, geographic: bool) -> dict[str, str]:
    if geographic:
        name, units = ("longitude", "degrees_east") if axis == "x" else ("latitude", "degrees_north")
        return {"axis": axis.upper(), "long_name": name, "standard_name": name, "units": units}
    standard = f"projection_{axis}_coordinate"
    return {
        "axis": axis.upper(),
        "long_name": f"{axis} coordinate of projection",
        "standard_name": standard,
        "units": "metre",
    }


def tile_from_arrays(
    arrays: Mapping[str, Any],
    geobox: GeoBox,
    *,
    attrs: Mapping[str, Any] | None = None,
    var_attrs: Mapping[str, Mapping[str, Any]] | None = None,
    nodata: Mapping[str, float | int | None] | None = None,
    coords: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Build a tile from arrays on one grid.

    Parameters
    ----------
    arrays : mapping of str to array or (dims, array)
        The variables. A bare two-dimensional array has dims ``(y, x)``, a bare
        three-dimensional one ``(time, y, x)``.
    geobox : odc.geo.geobox.GeoBox
        Grid of the tile.
    attrs : mapping, optional
        Attributes of the Dataset.
    var_attrs : mapping of str to mapping, optional
        Attributes per variable.
    nodata : mapping of str to number, optional
        No-data value per variable, kept as ``_FillValue``.
    coords : mapping, optional
        Further coordinates (``time``, ``wavelength``).

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    GridMismatchError
        If an array's last two dimensions differ from the grid's shape.

    Examples
    --------
    >>> import numpy as np
    >>> from odc.geo.geobox import GeoBox
    >>> from affine import Affine
    >>> box = GeoBox((2, 3), Affine(10, 0, 500000, 0, -10, 5100000), "EPSG:32633")
    >>> tile = tile_from_arrays({"red": np.zeros((2, 3), "f4")}, box, nodata={"red": np.nan})
    >>> tile.x.values
    array([500005., 500015., 500025.])
    """
    shape = tuple(map(int, geobox.shape))
    variables: dict[Hashable, xr.Variable] = {}
    for name, value in arrays.items():
        dims, data = value if isinstance(value, tuple) else (None, value)
        dims = dims or (("y", "x") if data.ndim == 2 else ("time", "y", "x"))
        if tuple(data.shape[-2:]) != shape:
            raise GridMismatchError(
                f"variable {name!r} has shape {data.shape}", expected=f"(…, {shape[0]}, {shape[1]})"
            )
        own = dict((var_attrs or {}).get(name, {}))
        fill = (nodata or {}).get(name)
        if fill is not None:
            own["_FillValue"] = fill
        variables[name] = xr.Variable(dims, data, own)
    every = {**spatial_coords(geobox), **dict(coords or {})}
    ds = xr.Dataset(variables, coords=cast("Any", every), attrs=dict(attrs or {}))
    for label in variables:
        ds[label].encoding["grid_mapping"] = GRID_MAPPING
    return ds
