"""GeoCatalog: one row per scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from geotoolz.catalog._footprint import area_geometry, bbox_geometry
from geotoolz.catalog._hrefs import absolute
from geotoolz.catalog._index import RowIndex
from geotoolz.catalog._making import Making
from geotoolz.catalog._rows import ALIASES
from geotoolz.catalog._select import drawn, matching
from geotoolz.catalog._slicing import slices_of, source_item
from geotoolz.catalog._time import parse_interval
from geotoolz.catalog._tuples import tuples_of
from geotoolz.core._errors import CatalogError, ParameterError, nearest

if TYPE_CHECKING:
    import geopandas as gpd
    import pystac
    import xarray as xr
    from odc.geo.geobox import GeoBox
    from shapely.geometry.base import BaseGeometry

    from geotoolz.catalog._by_cell import Cells
    from geotoolz.catalog._slice import GeoSlice
    from geotoolz.catalog._stack_groups import GroupBy
    from geotoolz.catalog.tiling import Tiling
    from geotoolz.io._object_path import ObjectPath
    from geotoolz.io._scene import BandRequest
    from geotoolz.io._sign import Sign
    from geotoolz.io._variables import Offset


class GeoCatalog(Making):
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

    def _repr_html_(self) -> str:
        from geotoolz.catalog._html import table_of

        return table_of(self)

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
        return self._taken(matching(self._frame, where, conditions))

    def query(self, bbox: object = None, time: object = None, geometry: object = None) -> GeoCatalog:
        """Keep the scenes that touch an area and a time.

        Parameters
        ----------
        bbox : tuple of float, optional
            West, south, east, north in degrees; west > east crosses the antimeridian.
        time : str, datetime, or pair, optional
            ``"2023-08"``, ``"2023-08-01/2023-08-31"`` (both days included), ``"2023-08-01/.."``. Scenes
            without a time do not match.
        geometry : anything that `geotoolz.io.Area.of` takes, optional
            A vector file, GeoJSON, a GeoDataFrame, a tile's id, a shapely geometry in longitude and latitude.
        """
        import shapely

        area: BaseGeometry | None = bbox_geometry(bbox) if bbox is not None else None
        if geometry is not None:
            shape = area_geometry(geometry, self)
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
        return self._taken(drawn(self._frame["id"], n, seed))

    def _taken(self, positions: Any) -> GeoCatalog:
        made = object.__new__(
            GeoCatalog
        )  # the rows are a catalog's already: checking them again takes a millisecond
        made._frame = self._frame.iloc[positions].reset_index(drop=True)
        made.base, made.problems, made._index, made.file = self.base, self.problems, None, self.file
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

    def stack(
        self,
        geobox: GeoBox,
        bands: BandRequest = None,
        *,
        groupby: GroupBy = "solar_day",
        raw: bool = False,
        offset: Offset = None,
        sign: Sign = None,
        lazy: bool = True,
        chunks: int | tuple[int, int] | None = None,
    ) -> xr.Dataset:
        """Lay the scenes of all tiles and zones that touch a grid onto it, date by date.

        Each scene is read as `open_tile` reads it: reflectance by its own metadata, so baselines may be
        mixed; pixels on the grid's own lattice are copied, measurements on others interpolated (averaged
        where the grid is coarser), flags take the pixel under the centre. Where scenes of one date overlap,
        the first valid pixel wins, band by band, in the order of time and then of id; no pixel is made of
        two scenes.

        Parameters
        ----------
        geobox : odc.geo.geobox.GeoBox
            The grid, north-up; `stack_grid` makes one of an area and a pixel size.
        bands : str, iterable of str, or mapping, optional
            As for `open_tile`; every scene must have them.
        groupby : {"solar_day", "time"} or None
            What makes one date: the day by the sun at the grid's centre (UTC + ``trunc(longitude / 15°)``
            hours, as odc-stac), equal times, or every scene by itself.
        raw : bool
            Digital numbers, for scenes of one scale and offset only.
        offset : float or mapping of str to float, optional
            In DN, instead of what the metadata says.
        sign : str or callable, optional
            Signs addresses when files are opened, as `open_tile` says.
        lazy : bool
            Dask arrays, one task per band, date and block; no pixel is read. False reads it all now.
        chunks : int or (int, int), optional
            Rows and columns of a block of a lazy stack, 1024 by default.

        Returns
        -------
        xarray.Dataset
            A stack ``(time, y, x)`` with the coordinates ``time``, ``tile_ids``, and where known
            ``platform``, ``processing_baseline``, ``sun_elevation``, ``sun_azimuth`` along time. What all
            scenes share stands in its attributes.

        Raises
        ------
        CatalogError
            If the catalog is empty, or a row has no time.
        OutsideError
            If no scene has a pixel on the grid.
        MissingCRSError, TileError
            If the grid has no CRS, is rotated, or runs over ±180° in degrees.
        MissingVariableError, QuantityError
            If a scene lacks a band, or its numbers mean something else than the others'.
        """
        from geotoolz.catalog._stack import chunk_size, lazy_stack, open_stack

        chunk = chunk_size(chunks, lazy)
        reader = open_stack(self, geobox, bands, groupby=groupby, raw=raw, offset=offset, sign=sign)
        return lazy_stack(reader, chunk) if lazy else reader.load()

    def by_cell(
        self,
        tiling: Tiling,
        aoi: Any = None,
        *,
        bands: str | Iterable[str] | None = None,
        groupby: GroupBy = "solar_day",
    ) -> Cells:
        """Return the cells of a tiling that scenes lie over; each opens as a stack on its own grid.

        A batch run takes them as a catalog: composites, stacks and features per cell, on any engine,
        resumable. Cells name their scenes by id in the catalog's file: 10⁵ of them stay small.

        Parameters
        ----------
        tiling : geotoolz.catalog.tiling.Tiling
            `MGRS`, `UTMGrid`, `WebMercator`, `Lattice`, or one of your own.
        aoi : anything that `geotoolz.io.Area.of` takes, optional
            Only cells that touch this area; by default all that scenes touch.
        bands : str or iterable of str, optional
            Bands to read, as for `stack`.
        groupby : {"solar_day", "time"} or None
            What makes one date, as for `stack`.

        Raises
        ------
        CatalogError
            If the catalog is empty, or was not opened from a file.
        ParameterError
            If this is no tiling.
        """
        from geotoolz.catalog._by_cell import by_cell

        return by_cell(self, tiling, aoi, bands, groupby)

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

    @overload
    def save(self, path: Path) -> Path: ...

    @overload
    def save(self, path: str | ObjectPath) -> Path | ObjectPath: ...

    def save(self, path: str | Path | ObjectPath) -> Path | ObjectPath:
        """Write the catalog as GeoParquet 1.1 and return its path; ``s3://bucket/name.parquet`` too.

        Sources below the file's folder are kept relative to it, so that the two can move together.

        Raises
        ------
        WriteError
            If it cannot be written; a file that was there is then unchanged.
        """
        from geotoolz.catalog._store import write_frame

        return write_frame(self._frame, path, self.base, self.problems)
