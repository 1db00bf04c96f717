"""GeoCatalog: one row per scene."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.catalog import _build
from geotoolz.catalog._footprint import as_geometry, bbox_geometry
from geotoolz.catalog._hrefs import absolute, is_uri
from geotoolz.catalog._index import RowIndex
from geotoolz.catalog._rows import ALIASES, Problem, frame_of, typed
from geotoolz.catalog._slicing import slices_of, source_item
from geotoolz.catalog._time import parse_interval
from geotoolz.catalog._tuples import tuples_of
from geotoolz.catalog._where import column_of, condition_of, parse_where
from geotoolz.core._errors import CatalogError, ParameterError, nearest

if TYPE_CHECKING:
    import geopandas as gpd
    import pystac
    from shapely.geometry.base import BaseGeometry

    from geotoolz.catalog._scan import Scan
    from geotoolz.catalog._slice import GeoSlice


class GeoCatalog:
    """Scenes in space and time: one row each, kept as GeoParquet.

    Make one with `from_folder`, `from_items`, `from_stac`, `from_rows`, `build` or `open`. Every selection
    gives a new catalog; none changes the one that it came from.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        Rows with at least ``id``, ``source``, ``kind``, ``datetime`` and ``geometry`` in EPSG:4326.
    base : str or Path, optional
        Folder that relative sources start from: that of the catalog's file.
    problems : iterable of Problem
        What could not be read while it was built.
    """

    def __init__(
        self, frame: gpd.GeoDataFrame, base: str | Path | None = None, problems: Iterable[Problem] = ()
    ) -> None:
        self._frame = typed(frame, "the frame")
        self.base = base
        self.problems = tuple(problems)
        self._index: RowIndex | None = None

    # ---- making --------------------------------------------------------------------------------------------

    @classmethod
    def from_folder(cls, path: str | Path, pattern: str | None = None) -> GeoCatalog:
        """Catalog a folder and everything below it.

        STAC items beside their assets, Landsat products with their MTL, SAFE products, scenes whose bands
        are files of their own, and single rasters become one row each. What cannot be read is in `problems`.

        Parameters
        ----------
        path : str or Path
            The folder.
        pattern : str, optional
            Take only files whose name, or path below the folder, matches this glob (``"*_VV.tif"``).

        Raises
        ------
        ReadError
            If there is no such folder.
        CatalogError
            If it holds no scene; the message says what it does hold.
        """
        return cls._of_scan(_build.rows_of_folder(path, pattern))

    @classmethod
    def from_items(cls, items: object, base: str | Path | None = None) -> GeoCatalog:
        """Catalog STAC items.

        Parameters
        ----------
        items : path, pystac.ItemCollection, pystac.Item, mapping, or iterable of items
            A path is that of a JSON file with a FeatureCollection or an item.
        base : str or Path, optional
            Folder that relative hrefs start from.
        """
        return cls._of_scan(_build.rows_of_items(items, base))

    @classmethod
    def from_stac(cls, href: str | Path) -> GeoCatalog:
        """Catalog the items of a static STAC catalog or collection, however deep."""
        return cls._of_scan(_build.rows_of_stac(href))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], base: str | Path | None = None) -> GeoCatalog:
        """Make a catalog of rows.

        Parameters
        ----------
        rows : iterable of mapping
            ``id``, ``source``, and ``geometry`` (shapely or GeoJSON, EPSG:4326) or ``crs`` with ``left``,
            ``bottom``, ``right``, ``top``; any other column, STAC names (``eo:cloud_cover``) included.
            Columns of your own are kept, can be filtered by, and become attributes of the tiles.
        base : str or Path, optional
            Folder that relative sources start from; the working directory where None.

        Raises
        ------
        CatalogError
            If there are no rows, or one lacks something.
        """
        folder = Path(base or ".").absolute()
        done = [_build.completed_row(row, folder) for row in rows]
        if not done:
            raise CatalogError("there are no rows", expected="at least one")
        return cls(frame_of(done))

    @classmethod
    def build(cls, path: str | Path, pattern: str | None = None) -> GeoCatalog:
        """Catalog what is at a path: a folder, items as JSON, a static catalog, a catalog file, a raster."""
        text = str(path)
        if text.lower().endswith((".parquet", ".geoparquet")):
            return cls.open(path)
        if text.lower().endswith((".json", ".geojson")):
            return cls.from_stac(path)  # reads single items and FeatureCollections, too
        local = Path(path).absolute()
        if is_uri(text) or local.is_dir():
            root = local / "catalog.json"
            return (
                cls.from_stac(root) if pattern is None and root.is_file() else cls.from_folder(path, pattern)
            )
        if local.is_file():
            from geotoolz.catalog._products import raster_row

            row, problems = raster_row(local)
            return cls(frame_of([row]), problems=problems)
        return cls.from_folder(path, pattern)  # says that there is nothing

    @classmethod
    def open(cls, path: str | Path, bbox: object = None, time: object = None) -> GeoCatalog:
        """Open a catalog file.

        Parameters
        ----------
        path : str or Path
            The Parquet file.
        bbox, time : optional
            As in `query`; of a large file only what may match is then read.
        """
        from geotoolz.catalog._store import read_frame

        area = bbox_geometry(bbox) if bbox is not None else None
        interval = parse_interval(time) if time is not None else None
        catalog = cls(*read_frame(path, area, interval))
        return catalog if area is None and interval is None else catalog.query(bbox=bbox, time=time)

    @classmethod
    def _of_scan(cls, scan: Scan) -> GeoCatalog:
        return cls(frame_of(scan.rows), problems=scan.problems)

    # ---- looking -------------------------------------------------------------------------------------------

    @property
    def frame(self) -> gpd.GeoDataFrame:
        """The rows as a GeoDataFrame; a copy, without copying the values."""
        return self._frame.copy(deep=False)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of everything.

        Raises
        ------
        CatalogError
            If the catalog is empty.
        """
        if not len(self):
            raise CatalogError("the catalog is empty", expected="at least one row")
        west, south, east, north = map(float, self._frame.total_bounds)
        return (west, south, east, north)

    def __len__(self) -> int:
        return len(self._frame)

    def __contains__(self, tile_id: object) -> bool:
        return bool((self._frame["id"] == tile_id).any())

    def __iter__(self) -> Iterator[GeoSlice]:
        return self.tiles()

    def __getitem__(self, tile_id: str) -> GeoSlice:
        """Return the slice of a scene by its id."""
        found = self._frame[(self._frame["id"] == tile_id).to_numpy(bool)]
        if not len(found):
            known = self._frame["id"].head(10_000)
            raise CatalogError(
                f"there is no row {tile_id!r}{nearest(tile_id, known)}", expected="an id of the catalog"
            )
        return next(slices_of(tuples_of(found), found.columns, self.base))

    def __repr__(self) -> str:
        if not len(self):
            return "GeoCatalog(0 rows)"
        known = self.summary()
        platforms = ", ".join(known["platforms"]) or "unknown platform"
        span = f"{known['first']} … {known['last']}" if known["first"] else "no times"
        return f"GeoCatalog({len(self)} rows; {platforms}; {span})"

    def summary(self) -> dict[str, Any]:
        """Return counts and extents as plain JSON types."""
        from geotoolz.catalog._summary import summary

        return summary(self._frame, self.problems)

    # ---- selecting -----------------------------------------------------------------------------------------

    def filter(
        self, where: str | Callable[[gpd.GeoDataFrame], Any] | None = None, /, **conditions: Any
    ) -> GeoCatalog:
        """Keep the rows that meet every condition.

        Parameters
        ----------
        where : str or callable, optional
            A condition such as ``"cloud_cover < 20 and platform = sentinel-2a"`` (parsed, never evaluated as
            Python), or a function that gets the frame and returns a boolean per row.
        **conditions
            By column: a value (equal), a list or set (one of them), a pair such as ``("<", 20)`` or
            ``("not in", [...])``, None (no value), or a function of the column. A row without a value meets
            only None.

        Raises
        ------
        ParameterError
            If a column does not exist, or holds another type.
        """
        import numpy as np

        mask = np.ones(len(self), bool)
        if isinstance(where, str):
            mask &= parse_where(where).mask(self._frame)
        elif where is not None:
            mask &= self._called(where, self.frame, "the function")
        for name, wanted in conditions.items():
            if callable(wanted):
                mask &= self._called(wanted, column_of(self._frame, name), f"the function for {name!r}")
            else:
                mask &= condition_of(name, wanted).mask(self._frame)
        return self._taken(np.flatnonzero(mask))

    def _called(self, function: Callable[[Any], Any], argument: Any, who: str) -> Any:
        import numpy as np
        import pandas as pd

        answer = pd.Series(function(argument)).fillna(False).to_numpy()
        if answer.shape != (len(self),) or answer.dtype != np.bool_:
            raise ParameterError(
                f"{who} returned {answer.dtype} of shape {answer.shape}", expected=f"{len(self)} booleans"
            )
        return answer

    def query(self, bbox: object = None, time: object = None, geometry: object = None) -> GeoCatalog:
        """Keep the scenes that touch an area and a time.

        Parameters
        ----------
        bbox : tuple of float, optional
            West, south, east, north in degrees; west > east crosses the antimeridian.
        time : str, datetime, or pair, optional
            ``"2023-08"``, ``"2023-08-01/2023-08-31"`` (both days included), ``"2023-08-01/.."``. Scenes
            without a time do not match.
        geometry : shapely geometry, GeoJSON or GeoDataFrame, optional
            In longitude and latitude.
        """
        import shapely

        area: BaseGeometry | None = bbox_geometry(bbox) if bbox is not None else None
        if geometry is not None:
            shape = as_geometry(geometry)
            area = shape if area is None else shapely.intersection(area, shape)
        interval = parse_interval(time) if time is not None else None
        if self._index is None:
            self._index = RowIndex(self._frame)
        return self._taken(self._index.select(area, interval))

    def sample(self, n: int, seed: int = 0) -> GeoCatalog:
        """Draw rows without replacement.

        A row's rank depends on its id and the seed alone: the same scenes are drawn in any order of rows and
        on any machine, and drawing more keeps those drawn before.

        Parameters
        ----------
        n : int
            How many, at most as many as there are.
        seed : int
            Another seed, another draw.
        """
        import numpy as np

        if type(n) is not int or not 0 <= n <= len(self):
            raise ParameterError(f"n is {n!r}", expected=f"a whole number from 0 to {len(self)}")
        key = str(int(seed)).encode()
        ranks = [
            hashlib.blake2b(str(i).encode(), key=key[:64], digest_size=8).digest() for i in self._frame["id"]
        ]
        return self._taken(
            np.argsort(np.array(ranks, dtype="S8" if not ranks else object), kind="stable")[:n]
        )

    def _taken(self, positions: Any) -> GeoCatalog:
        made = object.__new__(
            GeoCatalog
        )  # the rows are a catalog's already: checking them again takes a millisecond
        made._frame = self._frame.iloc[positions].reset_index(drop=True)
        made.base, made.problems, made._index = self.base, self.problems, None
        return made

    # ---- going through -------------------------------------------------------------------------------------

    def iter_rows(self) -> Iterator[Any]:
        """Yield rows as named tuples (`row.id`, `row.cloud_cover`, …)."""
        return tuples_of(self._frame)

    def tiles(self) -> Iterator[GeoSlice]:
        """Yield one slice per scene, on its native grid."""
        return slices_of(self.iter_rows(), self._frame.columns, self.base)

    def slices_for_date(self, day: str | date) -> Iterator[GeoSlice]:
        """Yield the slices of the scenes of one day (UTC)."""
        return self.query(time=day).tiles()

    def slice_of(self, row: Any) -> GeoSlice:
        """Return the slice of a row that `iter_rows` yielded."""
        return next(slices_of((row,), self._frame.columns, self.base))

    def source_of(self, row: Any) -> str | dict[str, Any]:
        """Return what `open_tile` takes for a row: an absolute path, a URI, or the item that it keeps."""
        item = source_item(row, self.base)
        return item if item is not None else absolute(row.source, self.base)

    # ---- out -----------------------------------------------------------------------------------------------

    def to_items(self) -> list[dict[str, Any]]:
        """Return every scene as a STAC item with absolute hrefs."""
        from geotoolz.catalog._export import item_of

        return [item_of(row, self.base) for row in self.iter_rows()]

    def to_item_collection(self) -> pystac.ItemCollection:
        """Return every scene in a `pystac.ItemCollection`.

        Raises
        ------
        CatalogError
            If a scene has no time: STAC asks for one.
        """
        import pystac

        undated = self._frame["id"][self._frame["start_datetime"].isna()]
        if len(undated):
            raise CatalogError(
                f"{len(undated)} rows have no time, such as {undated.iloc[0]!r}",
                expected="a datetime in every row, as STAC asks",
                fix='leave them out: filter("start_datetime is not null")',
            )

        return pystac.ItemCollection([pystac.Item.from_dict(item) for item in self.to_items()])

    def assign(self, **columns: Any) -> GeoCatalog:
        """Return the catalog with columns of your own set; a function gets the frame."""
        for name in columns:
            if (
                name in ("id", "geometry")
                or name in ALIASES
                or not name.isidentifier()
                or name.startswith("_")
            ):
                raise ParameterError(f"column {name!r} cannot be set", expected="a column of your own")
        return GeoCatalog(self.frame.assign(**columns), self.base, self.problems)

    def save(self, path: str | Path) -> Path:
        """Write the catalog as GeoParquet 1.1 and return its path.

        Sources below the file's folder are kept relative to it, so that the two can move together.

        Raises
        ------
        WriteError
            If it cannot be written; a file that was there is then unchanged.
        """
        from geotoolz.catalog._store import write_frame

        return write_frame(self._frame, path, self.base, self.problems)
