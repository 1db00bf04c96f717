"""GeoCell: a cell of a tiling and the scenes over it, without their pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from geotoolz.catalog._stack_groups import GroupBy
from geotoolz.catalog.tiling import Cell
from geotoolz.core._errors import CatalogError, ParameterError

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog._catalog import GeoCatalog
    from geotoolz.catalog._stack_reader import StackReader
    from geotoolz.io._sign import Sign

_FIELDS = ("bounds", "crs", "resolution", "shape", "tile_id", "catalog", "scenes", "bands", "groupby")


@dataclass(frozen=True)
class GeoCell:
    """The scenes over one cell of a tiling; opens as a stack ``(time, y, x)`` on the cell's grid.

    Small: scenes are named by their ids in a catalog's file, so that 10⁵ cells fit into a driver's memory.
    `GeoCatalog.by_cell` makes them; `geotoolz.batch.CatalogPipeline` and `geotoolz.core.freeze` take them.

    Parameters
    ----------
    cell : Cell
        Name and grid.
    catalog : str
        The catalog's file.
    scenes : tuple of str
        Ids of its rows that touch the cell.
    bands : tuple of str, optional
        Bands to read; all of them where None.
    groupby : {"solar_day", "time"} or None
        What makes one date, as for `GeoCatalog.stack`.
    sources : tuple of str
        What a change of makes results stale: files, addresses, hashes of items.
    """

    cell: Cell
    catalog: str
    scenes: tuple[str, ...]
    bands: tuple[str, ...] | None = None
    groupby: GroupBy = "solar_day"
    sources: tuple[str, ...] = ()

    #: no STAC item of its own, no attributes: what a task asks of a slice
    item = None
    attrs = ()

    @property
    def tile_id(self) -> str:
        """The cell's name; outputs are called after it."""
        return self.cell.id

    @property
    def geobox(self) -> GeoBox:
        """The cell's grid."""
        return self.cell.geobox

    def open(self, *, sign: Sign = None) -> StackReader:
        """Open the scenes as a stack; headers are read, no pixel is.

        Parameters
        ----------
        sign : str or callable, optional
            As for `geotoolz.io.open_tile`.

        Raises
        ------
        CatalogError
            If the catalog has lost scenes.
        """
        from geotoolz.catalog._stack import open_stack

        return open_stack(self._rows(), self.geobox, self.bands, groupby=self.groupby, sign=sign)

    def load(self, *, sign: Sign = None) -> xr.Dataset:
        """Read the whole stack."""
        return self.open(sign=sign).load()

    def _rows(self) -> GeoCatalog:
        path = Path(self.catalog)
        stat = path.stat() if path.is_file() else None
        held = _opened(self.catalog, stat and (stat.st_mtime_ns, stat.st_size))
        found = held.filter(id=list(self.scenes))
        if len(found) != len(self.scenes):
            raise CatalogError(
                f"{self.catalog} has {len(found)} of the {len(self.scenes)} scenes of cell {self.tile_id}",
                expected="the catalog that the cells were made from",
                fix="make them again: catalog.by_cell(…)",
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        out: dict[str, Any] = {
            "bounds": list(self.cell.bounds),
            "crs": self.cell.crs,
            "resolution": self.cell.resolution,
            "shape": list(self.cell.shape),
            "tile_id": self.cell.id,
            "catalog": self.catalog,
            "scenes": list(self.scenes),
            "groupby": self.groupby,
        }
        if self.bands is not None:
            out["bands"] = list(self.bands)
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GeoCell:
        """Make a cell of what `to_dict` gave.

        Raises
        ------
        ParameterError
            If it is something else.
        """
        missing = [name for name in _FIELDS if name not in data and name != "bands"]
        unknown = [name for name in data if name not in _FIELDS]
        if missing or unknown:
            raise ParameterError(f"keys {sorted(data)}", expected=f"those of a cell: {', '.join(_FIELDS)}")
        rows, cols = data["shape"]
        left, bottom, right, top = map(float, data["bounds"])
        cell = Cell(
            data["tile_id"],
            data["crs"],
            (left, bottom, right, top),
            data["resolution"],
            (int(rows), int(cols)),
        )
        bands = data.get("bands")
        return cls(
            cell,
            data["catalog"],
            tuple(data["scenes"]),
            None if bands is None else tuple(bands),
            data["groupby"],
        )


def marks(cell: Cell, bands: tuple[str, ...] | None, groupby: GroupBy) -> str:
    """Return an address that changes with the grid and the way of reading."""
    text = json.dumps([cell.id, cell.crs, cell.bounds, cell.resolution, cell.shape, bands, groupby])
    return f"geotoolz-cell://{hashlib.sha256(text.encode()).hexdigest()}"


def require_groupby(groupby: object) -> None:
    """Raise a ParameterError unless this says what makes one date."""
    known = [value for arg in get_args(GroupBy) for value in (get_args(arg) or (arg,))]
    if groupby is not None and groupby not in known:
        raise ParameterError(f"groupby={groupby!r}", expected="'solar_day', 'time' or None")


@lru_cache(maxsize=2)
def _opened(path: str, _stamp: Any) -> GeoCatalog:
    """Open a catalog once per process, not once per cell."""
    from geotoolz.catalog._catalog import GeoCatalog

    return GeoCatalog.open(path)
