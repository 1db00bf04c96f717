"""Angles per pixel of Sentinel-2: the grids of 5 km in the granule metadata, as rasters that GDAL reads."""

from __future__ import annotations

import hashlib
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine

from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._product import Product
from geotoolz.io._radiometry import Declared
from geotoolz.io._scene import Asset

Grid = npt.NDArray[np.float32]

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "sun_zenith": "Sun zenith angle",
        "sun_azimuth": "Sun azimuth angle",
        "view_zenith": "View zenith angle, mean over bands and detectors",
    }
)
_STEP = 5000.0
_ROOM = "/vsimem/geotoolz-angles-"
# kept until the process ends, some kilobytes each: a scene may be read long after it was opened
_files: dict[str, Any] = {}
_lock = threading.Lock()


def angle_assets(key: str) -> list[Asset]:
    """Return the layers as bands that are read by name; their rasters are made when they are.

    Parameters
    ----------
    key : str
        What tells this granule metadata from all others: path and stamp.
    """
    room = f"{_ROOM}{hashlib.sha256(key.encode()).hexdigest()[:24]}"
    return [
        Asset(name, f"{room}/{name}.tif", key=name, default=False, declared=Declared(units="degree"))
        for name in LAYERS
    ]


def make_rasters(paths: Iterable[str], root: ET.Element, product: Product) -> None:
    """Make the rasters of the layers among these paths, in memory.

    The nodes of a grid are at the tile's corner and every 5 km from there, so they are the centres of
    pixels that begin half a step before it.

    Parameters
    ----------
    paths : iterable of str
        Paths of bands; those of other bands are left alone.
    root : Element
        The granule metadata.
    product : Product
        Its CRS and extent.
    """
    wanted = [path for path in paths if path.startswith(_ROOM) and path not in _files]
    if not wanted or product.extent is None:
        return
    right, down = (
        float(root.findtext(f".//Sun_Angles_Grid/Zenith/{tag}") or _STEP) for tag in ("COL_STEP", "ROW_STEP")
    )
    left, top, _, _ = product.extent
    place = Affine(right, 0.0, left - right / 2, 0.0, -down, top + down / 2)
    for path in wanted:
        name = path.rsplit("/", 1)[-1].removesuffix(".tif")
        _write(path, angle_grid(root, name), place, product.crs, LAYERS[name])


def angle_grid(root: ET.Element, layer: str) -> Grid:
    """Return a layer's values at the nodes in degrees, NaN where no detector looked.

    Azimuths are continuous: where north lies within the grid, they go on beyond 360 or below 0.

    Parameters
    ----------
    root : Element
        The granule metadata.
    layer : str
        One of `LAYERS`.
    """
    if layer == "view_zenith":
        every = np.stack(
            [_values(node) for node in root.iterfind(".//Viewing_Incidence_Angles_Grids/Zenith")]
        )
        seen = np.isfinite(every)
        count = seen.sum(axis=0)
        total = np.where(seen, every, 0.0).sum(axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    node = root.find(f".//Sun_Angles_Grid/{'Zenith' if layer == 'sun_zenith' else 'Azimuth'}")
    values = _values(node) if node is not None else np.full((1, 1), np.nan)
    if layer == "sun_azimuth":
        start = values.flat[0]
        values = start + (values - start + 180.0) % 360.0 - 180.0
    return values.astype(np.float32)


def _values(node: ET.Element) -> npt.NDArray[np.float64]:
    return np.array([[float(v) for v in (row.text or "").split()] for row in node.iter("VALUES")])


def _write(path: str, values: Grid, place: Affine, crs: str, title: str) -> None:
    from rasterio.io import MemoryFile

    profile: dict[str, Any] = {
        "driver": "GTiff", "count": 1, "dtype": "float32", "height": values.shape[0],
        "width": values.shape[1], "crs": crs, "transform": place, "nodata": float("nan"),
    }  # fmt: skip
    folder, name = path.removeprefix("/vsimem/").split("/")
    with _lock:
        if path in _files:
            return
        file = MemoryFile(dirname=folder, filename=name)
        with gdal_env(), file.open(**profile) as raster:
            raster.write(values, 1)
            raster.set_band_description(1, title)
        _files[path] = file
