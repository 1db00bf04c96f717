"""Features of a vector file, with the errors that users need."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import (
    MissingCRSError,
    MissingDependencyError,
    ParameterError,
    ReadError,
    nearest,
)

if TYPE_CHECKING:
    import geopandas as gpd

_LAYERED = re.compile(r"(?P<path>.+\.(?:gpkg|gdb|sqlite|kml|zip)):(?P<layer>[^/\\]+)", re.I)
_PARQUET = (".parquet", ".geoparquet")
WANTED = "a vector file (GeoPackage, Shapefile, GeoJSON, GeoParquet)"


def split_layer(source: str | Path, layer: str | None = None) -> tuple[Path, str | None]:
    """Return path and layer of ``file.gpkg:layer``.

    Examples
    --------
    >>> split_layer("farm.gpkg:fields")[1], split_layer("farm.gpkg")[1]
    ('fields', None)
    """
    text = os.fspath(source)
    match = None if Path(text).exists() else _LAYERED.fullmatch(text)
    if match is None:
        return Path(text), layer
    if layer is not None and layer != match["layer"]:
        raise ParameterError(f"{text} names a layer, and layer={layer!r} another", expected="one layer")
    return Path(match["path"]), match["layer"]


def read_features(source: str | Path, layer: str | None = None) -> gpd.GeoDataFrame:
    """Read a vector file.

    Parameters
    ----------
    source : str or Path
        GeoPackage, Shapefile, GeoJSON, GeoParquet or what else GDAL reads; ``file.gpkg:layer``.
    layer : str, optional
        The layer of a file that has several.

    Returns
    -------
    geopandas.GeoDataFrame
        With a CRS; features without a geometry, or with an empty one, are left out.

    Raises
    ------
    ReadError
        If the file is missing, unreadable, lacks the layer, or holds no geometry.
    MissingCRSError
        If it does not say its CRS.
    ParameterError
        If it has several layers and none is named.
    """
    path, layer = split_layer(source, layer)
    if not path.exists():
        raise ReadError(f"{path}: no such file", expected=WANTED)
    try:
        import geopandas
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{path} is a vector file, and the module {error.name!r} is not installed",
            fix="pip install 'geotoolz-core[catalog]'",
        ) from error
    try:
        if path.suffix.lower() in _PARQUET:
            frame = geopandas.read_parquet(path)
        else:
            layer = _chosen_layer(path, layer)
            with warnings.catch_warnings():  # odd field types of other columns are nobody's business here
                warnings.simplefilter("ignore")
                frame = geopandas.read_file(path, layer=layer)
    except (OSError, ValueError, RuntimeError) as error:  # pyogrio's errors are RuntimeErrors
        if isinstance(error, ParameterError | ReadError):
            raise
        raise ReadError(f"{path} cannot be read: {error}", expected=WANTED) from error
    return _usable(frame, path)


def _chosen_layer(path: Path, layer: str | None) -> str | None:
    """Return the layer to read; of several one has to be named."""
    import geopandas

    found = geopandas.list_layers(path)
    names = [str(name) for name in found["name"][found["geometry_type"].notna()]]
    if layer is not None and layer not in names:
        raise ReadError(
            f"{path} has no layer {layer!r}{nearest(layer, names)}", expected=", ".join(names) or "a layer"
        )
    if layer is None and len(names) > 1:
        raise ParameterError(
            f"{path} has {len(names)} layers: {', '.join(names)}",
            expected="the name of one",
            fix=f"say {path.name}:{names[0]}",
        )
    return layer or (names[0] if names else None)


def _usable(frame: Any, path: Path) -> gpd.GeoDataFrame:
    geometry = getattr(frame, "geometry", None) if hasattr(frame, "crs") else None
    usable = None if geometry is None else usable_rows(frame)
    if usable is None or not usable.any():
        raise ReadError(f"{path} holds no geometry", expected=WANTED)
    if frame.crs is None:
        raise MissingCRSError(
            f"{path} has no CRS",
            expected="a file that says in which CRS it is",
            fix="ogr2ogr -a_srs EPSG:… says it",
        )
    return frame[usable]


def usable_rows(frame: Any) -> Any:
    """Return which rows of a table, or of a series, have a geometry that is not empty."""
    import numpy as np
    import shapely

    shapes = np.asarray(frame.geometry.values, object)
    return ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
