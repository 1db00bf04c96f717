"""What SOURCE means: one scene, a folder of scenes, or a catalog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geotoolz._cli._console import told

_CATALOG = (".parquet", ".geoparquet")


class Scenes:
    """The scenes of a source, as rows that a batch run takes.

    Parameters
    ----------
    rows : GeoCatalog or list of dict
        A catalog; without geopandas the one row of a scene.
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def catalog(self) -> Any:
        """The catalog, or None for a scene that was opened without one."""
        return None if isinstance(self.rows, list) else self.rows

    def sources(self) -> Iterator[tuple[str, Any]]:
        """Yield id and what `geotoolz.io.open_tile` takes, scene by scene."""
        if isinstance(self.rows, list):
            yield from ((row["id"], row["source"]) for row in self.rows)
            return
        for row in self.rows.iter_rows():
            yield row.id, self.rows.source_of(row)


def open_scenes(source: str, aoi: Any = None) -> Scenes:
    """Open a source.

    Parameters
    ----------
    source : str
        A raster, a product's folder, a STAC item or catalog, a folder of scenes, a Parquet file.
    aoi : box or GeoJSON, optional
        Only scenes that touch this area.

    Raises
    ------
    GeotoolzError
        If there is nothing, or nothing of the area.
    """
    from geotoolz.core._errors import CatalogError, MissingDependencyError

    try:
        catalog = _catalog(source)
    except ModuleNotFoundError as error:
        if error.name not in ("geopandas", "pyarrow", "pystac", "shapely", "pandas"):
            raise
        return _single(
            source,
            MissingDependencyError(
                f"{source} is a catalog or a folder, and the module {error.name!r} is not installed",
                fix="pip install 'geotoolz-core[catalog]'",
            ),
        )
    for problem in catalog.problems:
        told(f"warning: {problem}")
    if aoi is None:
        return Scenes(catalog)
    chosen = catalog.query(**({"bbox": aoi} if isinstance(aoi, tuple) else {"geometry": aoi}))
    if not len(chosen):
        from geotoolz.catalog._elsewhere import probably_meant, within
        from geotoolz.catalog._footprint import area_geometry

        bounds = aoi if isinstance(aoi, tuple) else area_geometry(aoi, catalog).bounds
        lies = ",".join(f"{value:.4f}" for value in bounds)
        raise CatalogError(
            f"none of {counted(len(catalog), 'scene')} touches the area of --aoi, "
            f"which lies in {lies} (degrees)",
            expected=f"an area within {within(catalog)}",
            fix=probably_meant(catalog, aoi)
            or "where that is not the place that was meant, the file names a wrong CRS",
        )
    if len(chosen) < len(catalog):
        told(f"{len(catalog) - len(chosen)} of {counted(len(catalog), 'scene')} left out: outside the area")
    return Scenes(chosen)


def _catalog(source: str) -> Any:
    from geotoolz.catalog import GeoCatalog

    if source.lower().endswith(_CATALOG):
        return GeoCatalog.open(source)
    return GeoCatalog.build(source)


def _single(source: str, otherwise: Exception) -> Scenes:
    """Take the source as one scene, for installations without the catalog's libraries."""
    from geotoolz.core._errors import GeotoolzError, ReadError
    from geotoolz.io import describe

    if source.lower().endswith(_CATALOG):
        raise otherwise
    if "://" not in source and not Path(source).exists():
        raise ReadError(f"{source} does not exist", expected="a scene, a folder of scenes, or a catalog")
    try:
        spec = describe(source)
    except GeotoolzError:
        if Path(source).is_dir():
            raise otherwise from None
        raise
    return Scenes([{"id": str(spec.attrs.get("tile_id") or Path(source).stem), "source": source}])


def need_catalog(source: str) -> Any:
    """Return a source as a catalog, or say what is missing."""
    scenes = open_scenes(source)
    if scenes.catalog is None:
        from geotoolz.core._errors import MissingDependencyError

        raise MissingDependencyError(
            f"{source} can only be read as a single scene: geopandas is not installed",
            fix="pip install 'geotoolz-core[catalog]'",
        )
    return scenes.catalog


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "scene"), counted(12, "scene")
    ('1 scene', '12 scenes')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
