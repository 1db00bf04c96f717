"""What a catalog's row is: its columns, their types, and how rows become a frame."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import CatalogError

if TYPE_CHECKING:
    import geopandas as gpd

Row = dict[str, Any]

_TEXT, _TIME, _FLOAT, _INT, _BOOL = "string", "datetime64[us, UTC]", "float64", "Int64", "boolean"

#: Columns that every catalog has, in order, with their pandas types.
COLUMNS: dict[str, str] = {
    "id": _TEXT,
    "datetime": _TIME,
    "start_datetime": _TIME,  # equal to datetime for an instant
    "end_datetime": _TIME,
    "source": _TEXT,  # relative to the catalog file, or an absolute path, or a URI
    "kind": _TEXT,  # "item", "raster" or "folder" (a product: its folder, zip or tar)
    "collection": _TEXT,
    "platform": _TEXT,
    "instrument": _TEXT,
    "processing_level": _TEXT,
    "processing_baseline": _TEXT,
    "boa_offset_applied": _BOOL,
    "cloud_cover": _FLOAT,
    "sun_azimuth": _FLOAT,
    "sun_elevation": _FLOAT,
    "tile": _TEXT,  # the provider's grid: "33TWL", WRS path and row "008059"
    "epsg": _INT,
    "crs": _TEXT,
    "left": _FLOAT,  # the native grid, in `crs`
    "bottom": _FLOAT,
    "right": _FLOAT,
    "top": _FLOAT,
    "res_x": _FLOAT,
    "res_y": _FLOAT,
    "height": _INT,
    "width": _INT,
    "properties": _TEXT,  # JSON: scalar properties that have no column
    "item": _TEXT,  # JSON: the STAC item, where it is in no file
}
KINDS = ("item", "raster", "folder")
REQUIRED = ("id", "source", "kind")

#: Names that STAC uses for what the columns hold; filters accept both.
ALIASES: dict[str, str] = {
    "eo:cloud_cover": "cloud_cover",
    "view:sun_azimuth": "sun_azimuth",
    "view:sun_elevation": "sun_elevation",
    "proj:epsg": "epsg",
    "grid:code": "tile",
    "s2:processing_baseline": "processing_baseline",
    "earthsearch:boa_offset_applied": "boa_offset_applied",
}


@dataclass(frozen=True)
class Problem:
    """Something that could not be read while a catalog was built.

    Parameters
    ----------
    path : str
        The file or URI.
    reason : str
        What is wrong with it.
    kept : bool
        Whether a row stands for it all the same: a scene that can be described stays, so that a run reports
        it; a file that cannot be described has no row.
    harmless : bool
        Whether it is worth knowing only, and no scene is missing for it: one that came twice, one beside the
        area. What is neither kept nor harmless was left out, which a run reports.
    """

    path: str
    reason: str
    kept: bool = False
    harmless: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" + (" (row kept)" if self.kept else "")


def frame_of(rows: Iterable[Mapping[str, Any]]) -> gpd.GeoDataFrame:
    """Return rows as a typed GeoDataFrame in EPSG:4326.

    Raises
    ------
    CatalogError
        If a row lacks what it must have, or an id occurs twice.
    """
    import geopandas as gpd
    import pandas as pd

    listed = [dict(row) for row in rows]
    _check(listed)
    extra = list(
        dict.fromkeys(name for row in listed for name in row if name not in COLUMNS and name != "geometry")
    )
    data = {name: [row.get(name) for row in listed] for name in (*COLUMNS, *extra)}
    plain = pd.DataFrame({name: _column(name, values) for name, values in data.items()})
    geometry = gpd.GeoSeries([row.get("geometry") for row in listed], crs="EPSG:4326")
    return gpd.GeoDataFrame(plain, geometry=geometry, crs="EPSG:4326")


def _column(name: str, values: list[Any]) -> Any:
    import pandas as pd

    kind: Any = COLUMNS.get(name)
    if kind is None:
        if any(isinstance(v, str) for v in values):
            kind = _TEXT
        else:
            return pd.Series(values)
    try:
        if kind == _TIME:
            return pd.Series(pd.to_datetime(pd.Series(values, dtype=object), utc=True)).astype(kind)
        return pd.Series(values, dtype=object).astype(kind)
    except (TypeError, ValueError) as err:
        raise CatalogError(
            f"column {name!r} cannot be {kind}: {err}", expected=f"values of type {kind}"
        ) from err


def _check(rows: list[Row]) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        name = row.get("id")
        missing = [key for key in REQUIRED if not row.get(key) and not (key == "source" and row.get("item"))]
        if missing:
            raise CatalogError(
                f"row {number} ({name!r}) has no {', '.join(missing)}", expected=", ".join(REQUIRED)
            )
        if row["kind"] not in KINDS:
            raise CatalogError(f"row {name!r} has the kind {row['kind']!r}", expected=" or ".join(KINDS))
        if name in seen:
            raise CatalogError(
                f"the id {name!r} occurs twice",
                expected="one row per scene",
                fix="rename one, or leave one out",
            )
        seen.add(str(name))
        geometry = row.get("geometry")
        if geometry is None or geometry.is_empty:
            raise CatalogError(f"row {name!r} has no geometry", expected="a footprint in EPSG:4326")


def typed(frame: gpd.GeoDataFrame, where: str) -> gpd.GeoDataFrame:
    """Check that a frame that was read is a catalog's, and give its columns their types.

    Raises
    ------
    CatalogError
        If a column that every catalog has is missing.
    """
    missing = [name for name in (*REQUIRED, "datetime", "geometry") if name not in frame.columns]
    if missing:
        raise CatalogError(
            f"{where} has no column {', '.join(map(repr, missing))}; it has {', '.join(frame.columns)}",
            expected="a catalog that geotoolz wrote",
            fix="build one with GeoCatalog.build(folder).save(path)",
        )
    frame = frame.copy(deep=False)
    for name, kind in COLUMNS.items():
        if name not in frame.columns:
            frame[name] = _column(name, [None] * len(frame)).set_axis(frame.index)
        elif str(frame[name].dtype) != kind:
            frame[name] = frame[name].astype(kind)
    order = [*COLUMNS, *(c for c in frame.columns if c not in COLUMNS and c != "geometry"), "geometry"]
    return frame[order]


def dump_json(value: object) -> str:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False, default=str)
