"""The grid of a CF dataset: which dims are y and x, their spacing, and the reference system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import MissingCRSError, ReadError, TileError
from geotoolz.core._grid import GRID_MAPPING, geobox_of
from geotoolz.core._lazy import xr
from geotoolz.io._lattice import north_up

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

_X = ("x", "lon", "longitude", "easting", "xc")
_Y = ("y", "lat", "latitude", "northing", "yc")
_X_STANDARD = ("projection_x_coordinate", "longitude")
_Y_STANDARD = ("projection_y_coordinate", "latitude")
_REGRID = (
    "put it on a regular grid first: gdalwarp -geoloc for a swath, cdo remapbil or xesmf for a model grid"
)


@dataclass(frozen=True)
class SpatialDims:
    """Which dims of a dataset are what.

    Parameters
    ----------
    y, x : str
        The dataset's own names.
    others : mapping of str to str
        Dim → ``time`` or ``wavelength``, where it is one.
    """

    y: str
    x: str
    others: Mapping[str, str]

    def lead(self, dim: str) -> str:
        """Return the tile's name of another dim; its own where it is neither time nor wavelength."""
        return self.others.get(dim, dim)


def spatial_dims(store: xr.Dataset, path: Path) -> SpatialDims:
    """Find y and x.

    Raises
    ------
    ReadError
        If the coordinates have two dims (a swath, a rotated model grid), or there are none.
    """
    x = _named(store, _X, _X_STANDARD, "X")
    y = _named(store, _Y, _Y_STANDARD, "Y")
    if x is not None and y is not None:
        others = {str(dim): lead for dim in store.dims if (lead := _lead(store, str(dim)))}
        return SpatialDims(y, x, others)
    curved = [
        str(name)
        for name, v in store.variables.items()
        if v.ndim == 2
        and (v.attrs.get("standard_name") in (*_X_STANDARD, *_Y_STANDARD) or _is(name, _X + _Y))
    ]
    if curved:
        raise ReadError(
            f"{path} is on no regular grid: {', '.join(curved)} have two dims",
            expected="coordinates x and y (or longitude and latitude) of one dim each",
            fix=_REGRID,
        )
    raise ReadError(
        f"{path} has no coordinates x and y (dims {', '.join(map(str, store.dims)) or 'none'})",
        expected="a NetCDF file or Zarr folder after the CF conventions, with its grid in the root group",
        fix="name them: axis = 'X' and 'Y', or standard_name; a group is opened with xarray",
    )


def _is(name: object, names: tuple[str, ...]) -> bool:
    return str(name).lower() in names


def _named(store: xr.Dataset, names: tuple[str, ...], standard: tuple[str, ...], axis: str) -> str | None:
    """Return the dim whose coordinate says what it is, else the one that is called so."""
    ones = [str(d) for d in store.dims if d in store.coords and store[d].ndim == 1]
    for dim in ones:
        attrs = store[dim].attrs
        if attrs.get("standard_name") in standard or str(attrs.get("axis", "")).upper() == axis:
            return dim
    return next((dim for dim in ones if _is(dim, names)), None)


def _lead(store: xr.Dataset, dim: str) -> str:
    attrs = store[dim].attrs if dim in store.coords else {}
    if _is(dim, ("time", "t")) or attrs.get("standard_name") == "time" or attrs.get("axis") == "T":
        return "time"
    if _is(dim, ("wavelength", "wavelengths")) or attrs.get("standard_name") == "radiation_wavelength":
        return "wavelength"
    return ""


def grid_of(
    store: xr.Dataset, dims: SpatialDims, mapping: str, path: Path, notes: list[str]
) -> tuple[GeoBox, bool]:
    """Return the grid of variables that have one grid mapping, north-up, and whether the file begins south.

    Parameters
    ----------
    store : xarray.Dataset
        The dataset.
    dims : SpatialDims
        Its dims.
    mapping : str
        Name of the grid mapping, empty for none.
    path : Path
        For messages.
    notes : list of str
        Takes what is worth a warning.

    Raises
    ------
    ReadError
        If the grid is not regular.
    MissingCRSError
        If nothing gives a reference system.
    """
    y, x = store[dims.y], store[dims.x]
    name = mapping if mapping in store.variables else GRID_MAPPING if GRID_MAPPING in store.variables else ""
    attrs = dict(store.variables[name].attrs) if name else {}
    wkt = _wkt(attrs, path)
    if not wkt and _degrees(y) and _degrees(x):
        wkt = "EPSG:4326"
        notes.append("no grid mapping: latitude and longitude are taken as WGS 84 (EPSG:4326)")
    if not wkt:
        raise MissingCRSError(
            f"{path} has no coordinate reference system",
            expected="a CF grid mapping, or latitude and longitude in degrees",
            fix="write one: ds.rio.write_crs('EPSG:…')",
        )
    held = {"spatial_ref": wkt, "GeoTransform": attrs.get("GeoTransform")}
    coords = {
        "y": ("y", y.values.astype("float64")),
        "x": ("x", x.values.astype("float64")),
        GRID_MAPPING: ((), 0, {key: value for key, value in held.items() if value}),
    }
    try:
        box = geobox_of(xr.Dataset(coords=coords))
    except TileError as error:
        raise ReadError(
            f"{path} is on no regular grid: {error.found}", expected="evenly spaced x and y", fix=_REGRID
        ) from error
    from odc.geo.geobox import GeoBox

    return GeoBox(box.shape, north_up(box.affine, int(box.shape[0])), box.crs), box.affine.e > 0


def _wkt(attrs: Mapping[str, Any], path: Path) -> str:
    """Return the reference system of a grid mapping as text, empty where it says none."""
    text = str(attrs.get("crs_wkt") or attrs.get("spatial_ref") or attrs.get("epsg_code") or "")
    if not text and not attrs.get("grid_mapping_name"):
        return ""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_user_input(text) if text else CRS.from_cf(dict(attrs))
    except (CRSError, KeyError) as error:
        raise MissingCRSError(
            f"{path} has a grid mapping that cannot be read: {error}",
            expected="a CF grid mapping or WKT",
            fix="write it again: ds.rio.write_crs('EPSG:…')",
        ) from error
    code = crs.to_epsg(min_confidence=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _degrees(coord: xr.DataArray) -> bool:
    units = str(coord.attrs.get("units", "")).lower()
    return units.startswith("degree") or coord.attrs.get("standard_name") in ("latitude", "longitude")
