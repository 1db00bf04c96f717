"""CF NetCDF files and Zarr folders: tiles and stacks on a regular grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._coord import Coord
from geotoolz.core._errors import ReadError
from geotoolz.core._lazy import xr
from geotoolz.io._notices import warn_once
from geotoolz.io._product import Product, iso_utc
from geotoolz.io._radiometry import Radiometry
from geotoolz.io._readers._array_scene import (
    ArrayScene,
    Contents,
    Layered,
    layered,
    refuse_offset,
)
from geotoolz.io._readers._base import OpenScene, Reader
from geotoolz.io._readers._blocks import Blocks, BlockSource
from geotoolz.io._readers._cf_grid import SpatialDims, grid_of, spatial_dims
from geotoolz.io._readers._netcdf import is_netcdf, is_zarr, open_store
from geotoolz.io._resample import Array
from geotoolz.io._scene import Asset, BandRequest, SceneInfo
from geotoolz.io._tags import PROVENANCE_TAG

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.io._variables import Offset

_LEADS = ("time", "wavelength")
# What the reader turns into the variable's own no-data, scale and grid.
_TAKEN = {
    *("_FillValue", "missing_value", "scale_factor", "add_offset", "grid_mapping", "coordinates"),
    *("scaled_units", "scaled_quantity", "_Unsigned"),
}


class CF(Reader):
    """NetCDF-4 files and Zarr folders whose variables lie on one regular grid ``(y, x)``.

    Variables may have one dim more: ``time`` (a stack) or ``wavelength`` (a cube). Dims of latitude and
    longitude, or named otherwise by ``axis`` and ``standard_name``, become ``y`` and ``x``. Packed integers
    become float32 by ``scale_factor`` and ``add_offset`` (``raw=True`` keeps them), ``_FillValue`` is
    no-data.
    A file that begins in the south (ascending `y` or latitude) is read with its northern row first.
    The reference system is that of the CF grid mapping; latitudes and longitudes without one are taken as
    WGS 84, and it is said. Grids that are not regular are refused.

    References
    ----------
    NetCDF Climate and Forecast (CF) Metadata Conventions 1.11: grid mappings, packed data.
    """

    name = "cf"
    title = "CF NetCDF files and Zarr folders on a regular grid"

    def recognises(self, path: Path) -> bool:
        """Tell by the name, or by the files of a Zarr folder."""
        return is_netcdf(path) or is_zarr(path)

    def scene(self, path: Path) -> SceneInfo:
        """Say which variables there are."""
        contents = _contents(path, raw=False)
        product = Product(
            tile_id=str(contents.attrs["tile_id"]), when=str(contents.attrs.get("datetime", ""))
        )
        return SceneInfo(
            str(path), product, tuple(Asset(name, str(path), key=name) for name in contents.variables)
        )

    def open(
        self,
        path: Path,
        bands: BandRequest,
        aoi: Any,
        resolution: float | None,
        raw: bool,
        offset: Offset,
        geobox: GeoBox | None,
    ) -> OpenScene:
        """Open the variables on their grid, or on the wanted one."""
        refuse_offset(offset, str(path))
        return ArrayScene(_contents(path, raw), bands, aoi, resolution, geobox)


class Stored(Blocks):
    """A variable of a store.

    Parameters
    ----------
    variable : xarray.Variable
        With dims ``(y, x)`` last, not read yet.
    turned : bool
        Whether its first row is the southern one.
    dtype : numpy.dtype, optional
        What the bytes are to be taken for: NetCDF-3 has no unsigned integers (``_Unsigned``).
    """

    def __init__(
        self, variable: xr.Variable, turned: bool = False, dtype: np.dtype[Any] | None = None
    ) -> None:
        count = 1 if variable.ndim == 2 else int(variable.shape[0])
        self._stored = variable.dtype.newbyteorder("=")
        super().__init__(count, self._stored if dtype is None else dtype)
        self._variable, self._turned = variable, turned

    def read(self, layers: slice, row: int, col: int, height: int, width: int) -> Array:
        """Read a window of some layers."""
        first = int(self._variable.shape[-2]) - row - height if self._turned else row
        window = (slice(first, first + height), slice(col, col + width))
        flat = self._variable.ndim == 2
        part = self._variable[window] if flat else self._variable[(layers, *window)]
        values = np.asarray(part.values).astype(self._stored, copy=False).view(self.dtype)
        values = values[..., ::-1, :] if self._turned else values
        return values[None] if flat else values


def _contents(path: Path, raw: bool) -> Contents:
    """Describe a store.

    Raises
    ------
    ReadError
        If it has no variable on a regular grid.
    """
    store = open_store(path)
    notes: list[str] = []
    dims = spatial_dims(store, path)
    variables: dict[str, Layered] = {}
    left: list[str] = []
    grids: dict[str, tuple[GeoBox, bool]] = {}
    shared = _shared_mapping(store, dims)
    for name, array in store.data_vars.items():
        lead = _lead(array, dims)
        if lead is None:
            if {dims.y, dims.x} <= {*array.dims}:
                left.append(f"{name} {array.dims}")
            continue
        mapping = _mapping(array) or shared
        if mapping not in grids:
            grids[mapping] = grid_of(store, dims, mapping, path, notes)
        variables[str(name)] = _variable(str(name), array, lead, dims, *grids[mapping], path, raw)
    if left:
        notes.append(f"left out, because they have other dims than time or wavelength: {', '.join(left)}")
    if not variables:
        raise ReadError(
            f"{path} has no variable on its grid ({dims.y}, {dims.x})" + (f": {notes[-1]}" if left else ""),
            expected="variables (y, x), (time, y, x) or (wavelength, y, x)",
            fix="choose one level or band with xarray (ds.isel(…)) and write it again",
        )
    attrs = _attrs(store, path)
    if notes:
        attrs["metadata_notes"] = "; ".join(dict.fromkeys(notes))
        warn_once(str(path), attrs["metadata_notes"])
    return Contents(str(path), variables, _coords(store, dims, path), attrs, (str(path),))


def _mapping(array: xr.DataArray) -> str:
    return str(array.encoding.get("grid_mapping") or array.attrs.get("grid_mapping") or "")


def _shared_mapping(store: xr.Dataset, dims: SpatialDims) -> str:
    """Return the grid mapping of variables that name none: quality layers often do not."""
    named = {_mapping(array) for array in store.data_vars.values() if _lead(array, dims) is not None} - {""}
    return named.pop() if len(named) == 1 else ""


def _lead(array: xr.DataArray, dims: SpatialDims) -> tuple[str, ...] | None:
    """Return the dims before y and x that stay, None for a variable that is no tile's."""
    if not {dims.y, dims.x} <= {*array.dims} or array.dtype.kind not in "iufb":
        return None
    others = tuple(str(d) for d in array.dims if d not in (dims.y, dims.x))
    kept = tuple(d for d in others if dims.lead(d) in _LEADS or array.sizes[d] > 1)
    if len(kept) > 1 or any(dims.lead(d) not in _LEADS for d in kept):
        return None
    return kept


def _variable(
    name: str,
    array: xr.DataArray,
    lead: tuple[str, ...],
    dims: SpatialDims,
    grid: GeoBox,
    turned: bool,
    path: Path,
    raw: bool,
) -> Layered:
    variable = array.variable
    single = {d: 0 for d in variable.dims if d not in (*lead, dims.y, dims.x)}
    variable = variable.isel(single).transpose(*lead, dims.y, dims.x)
    attrs = dict(array.attrs)
    blocks = Stored(variable, turned, _meant(variable.dtype, attrs))
    fill = attrs.get("_FillValue", attrs.get("missing_value"))
    nodata = None if fill is None else _plain(fill, blocks.dtype)
    flags = "flag_meanings" in attrs or blocks.dtype.kind == "b" or attrs.get("quantity") in ("flags", "mask")
    radiometry = Radiometry(
        scale=float(attrs.get("scale_factor", 1.0)),
        add=float(attrs.get("add_offset", 0.0)),
        nodata=nodata,
        units=str(attrs.get("scaled_units", attrs.get("units", ""))),
        quantity=str(attrs.get("scaled_quantity", attrs.get("quantity", ""))),
        said_by=str(attrs.get("offset_source", "")),
    )
    kept = {key: value for key, value in attrs.items() if key not in _TAKEN}
    source = BlockSource(str(path), 1, grid, blocks.dtype, nodata, nearest=flags, blocks=blocks)
    own = (*(dims.lead(d) for d in lead), "y", "x")
    return layered(name, source, radiometry, own, kept, raw or flags)


def _meant(stored: np.dtype[Any], attrs: Mapping[str, Any]) -> np.dtype[Any]:
    """Return what stored integers are meant to be: ``_Unsigned`` says so (NetCDF User Guide, conventions)."""
    told = str(attrs.get("_Unsigned", "")).lower()
    kind = {("i", "true"): "u", ("u", "false"): "i"}.get((stored.kind, told), stored.kind)
    return np.dtype(f"{kind}{stored.itemsize}") if kind in "iu" else stored.newbyteorder("=")


def _plain(fill: Any, dtype: np.dtype[Any]) -> float | int | None:
    value = np.asarray(fill).ravel()[:1].astype(np.float64)
    if not value.size:
        return None
    if dtype.kind == "u" and value[0] < 0:  # the bytes of a signed number, as those of the pixels
        value = value + 2.0 ** (8 * dtype.itemsize)
    return int(value[0]) if dtype.kind in "iu" and float(value[0]).is_integer() else float(value[0])


def _coords(store: xr.Dataset, dims: SpatialDims, path: Path) -> dict[str, Coord]:
    """Return what runs along time and wavelength."""
    found: dict[str, Coord] = {}
    for name, coord in store.coords.items():
        if coord.ndim != 1 or dims.lead(str(coord.dims[0])) not in _LEADS:
            continue
        lead = dims.lead(str(coord.dims[0]))
        if coord.dtype.kind == "O":
            raise ReadError(
                f"{path}: the coordinate {name!r} cannot be read as times or numbers",
                expected="times in the standard calendar",
                fix="convert it with ds.convert_calendar('standard') and write it again",
            )
        own = lead if name == coord.dims[0] else str(name)
        found[own] = Coord(lead, coord.values, dict(coord.attrs))
    return found


def _attrs(store: xr.Dataset, path: Path) -> dict[str, Any]:
    """Return the tile's attributes: the store's plain ones, an id, the time."""
    held = {name: value for name, value in store.attrs.items() if name != PROVENANCE_TAG}
    attrs = {str(key): value for key, value in held.items() if isinstance(value, str | int | float)}
    attrs.setdefault("tile_id", path.name.removesuffix(path.suffix) if path.suffix else path.name)
    when = ""
    if "time" in store.coords and store["time"].ndim == 0 and store["time"].dtype.kind == "M":
        when = iso_utc(str(store["time"].values.astype("datetime64[us]")))
    when = when or iso_utc(attrs.get("time_coverage_start"))
    if when and "datetime" not in attrs:
        attrs["datetime"] = when
    return attrs
