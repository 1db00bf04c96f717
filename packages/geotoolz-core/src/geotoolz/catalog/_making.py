"""Making catalogs: what `GeoCatalog` is built from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from geotoolz.catalog import _build
from geotoolz.catalog._footprint import bbox_geometry
from geotoolz.catalog._hrefs import is_uri
from geotoolz.catalog._index import RowIndex
from geotoolz.catalog._rows import Problem, frame_of, typed
from geotoolz.catalog._time import parse_interval
from geotoolz.core._errors import CatalogError

if TYPE_CHECKING:
    import geopandas as gpd

    from geotoolz.catalog._scan import Scan


class Making:
    """The rows of a catalog, and the ways to make one; `GeoCatalog` adds what is done with them.

    Attributes
    ----------
    file : Path or None
        The file that the catalog, or the one that it was selected from, was opened from.
    """

    if TYPE_CHECKING:  # `open` selects what `GeoCatalog.query` would

        def query(self, bbox: object = None, time: object = None, geometry: object = None) -> Any:
            """Keep the scenes that touch an area and a time."""

    def __init__(
        self, frame: gpd.GeoDataFrame, base: str | Path | None = None, problems: Iterable[Problem] = ()
    ) -> None:
        self._frame = typed(frame, "the frame")
        self.base = base
        self.problems = tuple(problems)
        self._index: RowIndex | None = None
        self.file: Path | None = None

    @classmethod
    def from_folder(cls, path: str | Path, pattern: str | None = None) -> Self:
        """Catalog a folder and everything below it.

        STAC items beside their assets, Landsat products with their MTL, SAFE products, scenes whose bands
        are files of their own, and single rasters become one row each; so do products that lie there as
        zip or tar, which are not unpacked. What cannot be read is in `problems`.

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
    def from_items(cls, items: object, base: str | Path | None = None) -> Self:
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
    def from_stac(cls, href: str | Path) -> Self:
        """Catalog the items of a static STAC catalog or collection, however deep."""
        return cls._of_scan(_build.rows_of_stac(href))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], base: str | Path | None = None) -> Self:
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
    def build(cls, path: str | Path, pattern: str | None = None) -> Self:
        """Catalog what is at a path: a folder, an archive, a raster, items, a STAC or a saved catalog."""
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
            from geotoolz.catalog._products import file_row

            row, problems = file_row(local)
            return cls(frame_of([row]), problems=problems)
        return cls.from_folder(path, pattern)  # says that there is nothing

    @classmethod
    def open(cls, path: str | Path, bbox: object = None, time: object = None) -> Self:
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
        catalog.file = None if is_uri(str(path)) else Path(path).absolute()
        return catalog if area is None and interval is None else catalog.query(bbox=bbox, time=time)

    @classmethod
    def _of_scan(cls, scan: Scan) -> Self:
        return cls(frame_of(scan.rows), problems=scan.problems)
