"""`WritePolygons`: classes as polygons with statistics, in a file for GIS."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from geotoolz.core import ParameterError, Role, Sink, TileSpec, WriteError
from geotoolz.core._lazy import xr
from geotoolz.io._template import expand, fields_of

if TYPE_CHECKING:
    import geopandas as gpd

_ENDINGS = (".parquet", ".gpkg", ".geojson")


class WritePolygons(Sink):
    """Write the connected areas of a class map as polygons, with statistics of other variables.

    The end of a pipeline, for a tile and, through the batch driver, for a catalog: one file per tile, which
    appears complete or not at all. The ending says the format: GeoParquet, GeoPackage or GeoJSON
    (the latter in longitude and latitude, as its standard wants). Polygons follow the pixels' edges and end
    at the tile's border.

    Parameters
    ----------
    path : str
        Where to write: ``"{item_id}.parquet"``, ``".gpkg"``, ``".geojson"``. Fields as for `WriteCOG`, but
        ``{band}``.
    band : str
        Role or name of the variable with classes (integers or a mask).
    classes : tuple of int or str, optional
        Only these values, or names of ``flag_meanings``; by default all but 0.
    statistics : mapping of str to tuple of str, optional
        ``{"probabilities": ("mean", "max")}``: of ``mean``, ``min``, ``max``, ``sum``, ``count``,
        ``stdev``, as for `geotoolz.vector.vectorize`.
    min_area : float
        Smaller polygons are left out; square metres.
    connectivity : {4, 8}
        Whether pixels that meet in a corner only are one polygon.

    Raises
    ------
    ParameterError
        For another ending, or ``{band}`` in the path.
    MissingVariableError
        If the tile lacks a variable.
    WriteError
        If the file cannot be written; nothing is left behind.

    Notes
    -----
    Columns: ``tile_id``, ``datetime``, those of `geotoolz.vector.vectorize`, ``geometry``. A tile without an
    object gives a file without rows, so that a run tells "nothing found" from "not done".

    Examples
    --------
    >>> from geotoolz.learn import WritePolygons
    >>> WritePolygons("{item_id}.gpkg", statistics={"probabilities": ("mean",)}).path
    '{item_id}.gpkg'
    """

    path: str
    band: Role = "binarized_segmentation"
    classes: tuple[int | str, ...] | None = None
    statistics: Mapping[str, tuple[str, ...]] | None = None
    min_area: float = 0.0
    connectivity: Literal[4, 8] = 4

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept a `Path`, and one statistic without a tuple."""
        if isinstance(values["path"], os.PathLike):
            values["path"] = os.fspath(values["path"])
        if isinstance(values["statistics"], Mapping):
            values["statistics"] = {
                name: (asked,) if isinstance(asked, str) else tuple(asked)
                for name, asked in values["statistics"].items()
            }
        return values

    def validate(self) -> None:
        """Check the path and the statistics."""
        from geotoolz.vector._vectorize import STATISTICS

        if not self.path.lower().endswith(_ENDINGS):
            raise ParameterError(f"path {self.path!r}", expected=f"a name that ends in {', '.join(_ENDINGS)}")
        if "band" in fields_of(self.path):
            raise ParameterError(
                f"path {self.path!r} has {{band}}", expected="one file per tile", fix="leave it out"
            )
        for name, asked in (self.statistics or {}).items():
            unknown = [one for one in asked if one not in STATISTICS]
            if unknown:
                raise ParameterError(
                    f"there is no statistic {unknown[0]!r} (of {name})", expected=", ".join(STATISTICS)
                )

    @property
    def bands(self) -> tuple[str, ...]:
        """The variables that it needs: a batch run computes and keeps no others."""
        return (self.band, *(self.statistics or ()))

    def check_tile(self, tile: TileSpec, created: tuple[str, ...]) -> None:
        """Refuse a tile that lacks a variable, or whose classes are floats."""
        name = tile.find(self.band, "WritePolygons")
        if tile.variables[name].dtype.kind not in "iub":
            raise ParameterError(
                f"{name!r} holds {tile.variables[name].dtype}",
                expected="classes: integers or a mask",
                fix="put Postprocess() before it",
            )
        for one in (name, *(tile.find(other, "WritePolygons") for other in self.statistics or ())):
            if tile.variables[one].dims != ("y", "x"):
                raise ParameterError(
                    f"{one!r} has dims {tile.variables[one].dims}", expected="one date: (y, x)"
                )
        tile.require_geobox("WritePolygons")
        expand(self.path, tile.attrs)

    def polygons(self, tile: xr.Dataset) -> gpd.GeoDataFrame:
        """Return what would be written of a tile."""
        from geotoolz.vector import vectorize

        spec = TileSpec.of(tile)
        name = spec.find(self.band, "WritePolygons")
        frame = vectorize(
            tile, name, connectivity=self.connectivity, min_area=self.min_area,
            statistics=self.statistics, classes=self.classes,
        )  # fmt: skip
        if self.classes is None:
            frame = frame[frame["value"] != 0].reset_index(drop=True)
        frame.insert(0, "tile_id", str(tile.attrs.get("tile_id", "")))
        frame.insert(1, "datetime", str(tile.attrs.get("datetime", "")))
        return frame

    def write(self, tile: xr.Dataset, *, created: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Write the polygons of a tile.

        Parameters
        ----------
        tile : xarray.Dataset
            The finished tile.
        created : tuple of str
            Variables that the pipeline created; the sink writes those that it names.

        Returns
        -------
        tuple of str
            The file.
        """
        self.check_tile(TileSpec.of(tile), created)
        path = expand(self.path, tile.attrs)
        write_frame(self.polygons(tile), path)
        return (path,)


def write_frame(frame: gpd.GeoDataFrame, path: str | Path) -> None:
    """Write a table with geometries under a name that is complete or absent.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    target = Path(path)
    # the ending stays the last: libraries choose by it
    part = target.with_name(f".{target.stem}-{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(frame, part)
        part.replace(target)
    except OSError as error:
        raise WriteError(
            f"{target}: {error.strerror or error}", fix="free space, or another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _write(frame: gpd.GeoDataFrame, path: Path) -> None:
    if path.suffix.lower() == ".parquet":
        frame.to_parquet(path, index=False, write_covering_bbox=True)
        return
    own = frame
    if path.suffix.lower() == ".geojson" and frame.crs is not None:
        own = frame.to_crs("OGC:CRS84")
    driver = {".gpkg": "GPKG", ".geojson": "GeoJSON"}[path.suffix.lower()]
    more: dict[str, Any] = {"geometry_type": "MultiPolygon", "promote_to_multi": True}
    try:
        own.to_file(
            path, driver=driver, engine="pyogrio", layer="objects", **(more if driver == "GPKG" else {})
        )
    except RuntimeError as error:  # what pyogrio makes of GDAL's errors
        raise OSError(str(error)) from error
