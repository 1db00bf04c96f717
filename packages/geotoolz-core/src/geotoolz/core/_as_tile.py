"""Turning what other libraries make into a tile."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._errors import TileError
from geotoolz.core._grid import GRID_MAPPING, crs_label, geobox_of, grid_label, spatial_coords
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

_X_NAMES = ("x", "longitude", "lon", "easting", "X")
_Y_NAMES = ("y", "latitude", "lat", "northing", "Y")


class TileChangedWarning(UserWarning):
    """`as_tile` changed something and says what."""


def as_tile(
    obj: Any,
    *,
    names: tuple[str, ...] | None = None,
    crs: Any = None,
    geobox: GeoBox | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Return a tile made of what other libraries give.

    Accepts datasets of odc-stac (``latitude``/``longitude``), arrays of rioxarray (dimension
    ``band``), datasets with other names or another order of the spatial dimensions, and plain
    NumPy arrays ``(y, x)`` or ``(band, y, x)`` with `names` and `geobox`. Everything that is
    changed is told in one `TileChangedWarning`; an object that is a tile already comes back as it
    is.

    Parameters
    ----------
    obj : xarray.Dataset, xarray.DataArray or numpy.ndarray
        What to turn into a tile; not changed.
    names : tuple of str, optional
        Names for the bands of an array. By default the array's own descriptions (``long_name``),
        else ``band_1``, ``band_2``, …
    crs : object, optional
        A CRS for an object that has none. One that contradicts the object's is refused.
    geobox : GeoBox, optional
        Grid for an object without coordinates.
    attrs : mapping, optional
        Tile attributes to add (``platform``, ``processing_level``, …).

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    TileError
        If the object has no two spatial dimensions, or its CRS is another one.
    """
    said: list[str] = []
    ds = _dataset(obj, names, geobox, said)
    ds = _renamed(ds, said)
    ds = _ordered(ds, said)
    ds = _placed(ds, crs, geobox, said)
    if attrs:
        ds = ds.assign_attrs(dict(attrs))
    if said:
        warnings.warn("as_tile: " + "; ".join(said), TileChangedWarning, stacklevel=2)
    return ds


def _dataset(obj: Any, names: tuple[str, ...] | None, geobox: GeoBox | None, said: list[str]) -> xr.Dataset:
    if isinstance(obj, xr.Dataset):
        if names is not None:
            raise TileError("names= is for arrays; the Dataset has names already")
        return obj
    if isinstance(obj, xr.DataArray):
        return _split_bands(obj, names, said)
    if isinstance(obj, np.ndarray):
        if geobox is None or obj.ndim not in (2, 3):
            raise TileError(
                f"a NumPy array of shape {obj.shape}", expected="(y, x) or (band, y, x), and geobox=…"
            )
        planes = obj[None] if obj.ndim == 2 else obj
        labels = _labels(names, len(planes))
        coords = spatial_coords(geobox)
        if planes.shape[-2:] != tuple(geobox.shape):
            raise TileError(
                f"the array has shape {obj.shape}", expected=f"the geobox's {tuple(geobox.shape)}"
            )
        return xr.Dataset({n: (("y", "x"), p) for n, p in zip(labels, planes, strict=True)}, coords=coords)
    raise TileError(
        f"cannot make a tile of {type(obj).__name__}", expected="an xarray object or a NumPy array"
    )


def _labels(names: tuple[str, ...] | None, count: int) -> list[str]:
    if names is None:
        return [f"band_{i + 1}" for i in range(count)]
    if len(names) != count:
        raise TileError(f"{len(names)} names for {count} bands")
    return list(names)


def _split_bands(array: xr.DataArray, names: tuple[str, ...] | None, said: list[str]) -> xr.Dataset:
    if "band" not in array.dims:
        name = names[0] if names else str("band_1" if array.name is None else array.name)
        return array.to_dataset(name=name)
    described = array.attrs.get("long_name")
    if names is None and isinstance(described, tuple | list) and len(described) == array.sizes["band"]:
        names = tuple(map(str, described))
    labels = _labels(names, array.sizes["band"])
    said.append(f"the dimension 'band' became the variables {', '.join(labels)}")
    attrs = {k: v for k, v in array.attrs.items() if k != "long_name"}
    found = {}
    for index, label in enumerate(labels):
        plane = array.isel(band=index, drop=True)
        plane.attrs = attrs
        found[label] = plane
    return xr.Dataset(found)


def _renamed(ds: xr.Dataset, said: list[str]) -> xr.Dataset:
    wanted: dict[str, str] = {}
    for target, candidates in (("x", _X_NAMES), ("y", _Y_NAMES)):
        if target in ds.dims:
            continue
        found = next((n for n in candidates if n in ds.dims), None)
        if found is None:
            raise TileError(
                f"no {target} dimension among {tuple(map(str, ds.dims))}",
                expected=f"one of {', '.join(candidates)}",
            )
        wanted[found] = target
    if wanted:
        said.append("renamed " + ", ".join(f"{old} → {new}" for old, new in wanted.items()))
        ds = ds.rename(wanted)
    return ds


def _ordered(ds: xr.Dataset, said: list[str]) -> xr.Dataset:
    wrong = [
        str(n) for n, v in ds.data_vars.items()
        if "x" in v.dims and "y" in v.dims and v.dims[-2:] != ("y", "x")
    ]  # fmt: skip
    if wrong:
        said.append(f"transposed {', '.join(wrong)} to (…, y, x)")
        ds = ds.transpose(..., "y", "x")
    return ds


def _placed(ds: xr.Dataset, crs: Any, geobox: GeoBox | None, said: list[str]) -> xr.Dataset:
    """Give the tile pixel-centre coordinates and a grid mapping of the standard name."""
    if geobox is not None and ("x" not in ds.coords or "y" not in ds.coords):
        if (ds.sizes["y"], ds.sizes["x"]) != tuple(geobox.shape):
            raise TileError(f"the tile has {dict(ds.sizes)}", expected=f"the geobox's {tuple(geobox.shape)}")
        return ds.assign_coords(spatial_coords(geobox))
    known = _known_crs(ds)
    if crs is not None:
        from odc.geo.crs import CRS

        wanted = CRS(crs)
        if known is not None and known != wanted:
            raise TileError(
                f"the object's CRS is {crs_label(known)} and crs={crs_label(wanted)} was given",
                fix="reproject it; a CRS is never relabelled",
            )
        known = wanted
    if GRID_MAPPING in ds.coords and crs is None and "GeoTransform" in ds.coords[GRID_MAPPING].attrs:
        _require_same(geobox_of(ds), geobox)
        return ds
    box = geobox_of(ds)
    from odc.geo.geobox import GeoBox

    box = GeoBox(box.shape, box.affine, known)
    _require_same(box, geobox)
    before = set(ds.coords)
    ds = ds.assign_coords({GRID_MAPPING: spatial_coords(box)[GRID_MAPPING]})
    if GRID_MAPPING not in before:
        said.append(f"wrote the grid mapping {GRID_MAPPING!r} ({crs_label(known)})")
    return ds


def _require_same(box: GeoBox, wanted: GeoBox | None) -> None:
    if wanted is not None and box != wanted:
        raise TileError(
            f"the object has a grid of its own, {grid_label(box)}, and geobox= says {grid_label(wanted)}",
            fix="leave geobox= out, or reproject; a grid is never relabelled",
        )


def _known_crs(ds: xr.Dataset) -> Any:
    """Return the CRS of the standard grid mapping, of the one that variables name, or of any."""
    from odc.geo.crs import CRS

    named = [v.encoding.get("grid_mapping", v.attrs.get("grid_mapping")) for v in ds.data_vars.values()]
    for name in (GRID_MAPPING, *named, *ds.coords):
        attrs = ds.coords[name].attrs if name in ds.coords else {}
        wkt = attrs.get("crs_wkt") or attrs.get("spatial_ref")
        if wkt:
            return CRS(wkt)
    return None
