"""A task's source, opened: what it would be as a tile, and its pixels whole or in windows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from geotoolz.core import TileSpec

    from ._task import TileTask

__all__ = ["OpenedTile", "open_source", "plain_read"]


class OpenedTile(Protocol):
    """Something that can be described, read whole, and perhaps read in windows."""

    spec: TileSpec
    in_windows: bool

    def read(self, names: Iterable[str]) -> xr.Dataset:
        """Read whole variables."""

    def window(self, name: str, rows: slice, cols: slice) -> np.ndarray[Any, Any]:
        """Read a window of one variable."""

    def files(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the files that hold variables, as far as that is known."""


def plain_read(read: Mapping[str, Any] | None, catalog: Any) -> dict[str, Any]:
    """Return the arguments of `open_tile` as JSON types that travel in a task; None is left out.

    An area in any spelling that is not plain already becomes GeoJSON; a file is read here, once. A function
    that signs becomes its name; one without a name stays, and can be called in this process only.
    """
    plain = {name: value for name, value in (read or {}).items() if value is not None}
    _refuse_impossible(plain.get("resolution"))
    if "sign" in plain:
        from geotoolz.io._sign import travelling

        plain["sign"] = travelling(plain["sign"])
    area = plain.get("aoi")
    if area is not None:
        from geotoolz.io import Area

        # an area that cannot be is refused here, and not once per tile
        checked = Area.of(area, catalog=catalog if hasattr(catalog, "frame") else None)
        plain["aoi"] = area if isinstance(area, tuple | list | dict) else checked.outline()
    return plain


def _refuse_impossible(resolution: Any) -> None:
    """Refuse a pixel size that no tile can have, before anything is written."""
    from geotoolz.core._errors import ParameterError

    if resolution is not None and not 0 < resolution < math.inf:
        raise ParameterError(
            f"resolution={resolution!r}", expected="a pixel size above 0, in units of the scenes' CRS"
        )


def open_source(task: TileTask) -> OpenedTile:
    """Open what a task names; no pixel is read (but for slices of several sources).

    Parameters
    ----------
    task : TileTask

    Returns
    -------
    OpenedTile
        With the row's id, and what the catalog knows besides, in its attributes.
    """
    options = dict(task.read)
    source: Any = task.source
    if isinstance(source, dict) and "scenes" in source:
        return _Scene(_cell(source, options), task)
    if isinstance(source, dict) and "bounds" in source and "crs" in source:
        from geotoolz.catalog import GeoSlice

        piece = GeoSlice.from_dict(source)
        if piece.item is None and len(piece.sources) != 1:
            return _Loaded(piece.load(**options), task)
        options["geobox"] = piece.geobox
        options.setdefault("bands", piece.bands)
        source = json.loads(piece.item) if piece.item is not None else piece.sources[0]
    from geotoolz.io import open_scene

    return _Scene(open_scene(source, **options), task)


def _cell(source: Mapping[str, Any], options: dict[str, Any]) -> Any:
    """Open the scenes over a cell of a tiling as a stack on the cell's grid."""
    from geotoolz.catalog import GeoCell
    from geotoolz.core._errors import ParameterError

    sign = options.pop("sign", None)
    if options:
        raise ParameterError(
            f"read={options!r} for a cell of a tiling",
            expected="sign= only: grid and bands are the cell's",
            fix="say them where the cells are made: catalog.by_cell(tiling, bands=…)",
        )
    return GeoCell.from_dict(source).open(sign=sign)


def _attrs(found: Mapping[str, Any], task: TileTask) -> dict[str, Any]:
    """Return the tile's attributes: the reader's, the catalog's where it found none, the row's id."""
    merged = {**dict(task.facts), **{name: value for name, value in found.items() if value not in (None, "")}}
    merged["tile_id"] = task.tile_id
    return merged


class _Scene:
    """A scene behind a reader: every window has the bits of the same part of the whole."""

    in_windows = True

    def __init__(self, reader: Any, task: TileTask) -> None:
        self._reader = reader
        self._attrs = _attrs(reader.spec.attrs, task)
        self.spec: TileSpec = reader.spec.evolve(reader.spec.variables, self._attrs)

    def read(self, names: Iterable[str]) -> xr.Dataset:
        from geotoolz.io._variables import name_suspicious

        tile: xr.Dataset = self._reader.read(list(names))
        name_suspicious(tile, self._reader.origin)
        return tile.assign_attrs(self._attrs)

    def window(self, name: str, rows: slice, cols: slice) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self._reader.arrays([name], rows, cols)[name]
        return array

    def files(self, names: Iterable[str]) -> tuple[str, ...]:
        from geotoolz.io import SceneReader

        if not isinstance(self._reader, SceneReader):
            return tuple(self._reader.inputs)
        return self._reader.files_of(names)


class _Loaded:
    """A tile that had to be read to be described."""

    in_windows = False

    def __init__(self, tile: xr.Dataset, task: TileTask) -> None:
        from geotoolz.core import TileSpec

        self._tile = tile.assign_attrs(_attrs(tile.attrs, task))
        self.spec = TileSpec.of(self._tile)

    def read(self, names: Iterable[str]) -> xr.Dataset:
        chosen: xr.Dataset = self._tile[list(names)]
        return chosen

    def window(self, name: str, rows: slice, cols: slice) -> np.ndarray[Any, Any]:
        values: np.ndarray[Any, Any] = self._tile[name].values[..., rows, cols]
        return values

    def files(self, names: Iterable[str]) -> tuple[str, ...]:
        told = (self._tile.variables[name].encoding.get("source") for name in names)
        return tuple(dict.fromkeys(file for file in told if file is not None))
