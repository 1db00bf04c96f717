"""The polygons of all tiles in one file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.batch import Layout
from geotoolz.learn._objects import write_frame

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["merge_objects"]


def merge_objects(layout: Layout, names: Iterable[str], path: str | os.PathLike[str]) -> int:
    """Put the tiles' polygons into one file, in the order of the tiles; return how many there are.

    Their CRS is the tiles' where all have one, else longitude and latitude.

    Parameters
    ----------
    layout : Layout
        The folder with the tiles' files.
    names : iterable of str
        The files' names.
    path : path
        Ending ``.parquet``, ``.gpkg`` or ``.geojson``.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    import pandas as pd

    frames = [_read(layout.out / name) for name in names]
    systems = {frame.crs for frame in frames}
    if len(systems) > 1:
        frames = [frame.to_crs("OGC:CRS84") for frame in frames]
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    merged: Any = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]
    write_frame(merged, Path(path))
    return len(merged)


def _read(path: Any) -> gpd.GeoDataFrame:
    import geopandas

    if str(path).endswith(".parquet"):
        return geopandas.read_parquet(path)
    return geopandas.read_file(path)
