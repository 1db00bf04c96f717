"""A scene's own grid: that of its finest band, as the files say it, else as the item says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geotoolz.catalog._hrefs import local_path
from geotoolz.catalog._probe import Probe, probe
from geotoolz.core._errors import ParameterError, ReadError

_PAN = {"pan", "b8.tif", "panchromatic"}


@dataclass(frozen=True)
class Grid:
    """Bounds in a CRS, and what is known of the pixels."""

    bounds: tuple[float, float, float, float]
    crs: str
    resolution: tuple[float, float] | None = None
    shape: tuple[int, int] | None = None

    def columns(self) -> dict[str, Any]:
        """Return the columns of a row."""
        left, bottom, right, top = self.bounds
        code = self.crs.removeprefix("EPSG:")
        out: dict[str, Any] = {"crs": self.crs, "left": left, "bottom": bottom, "right": right, "top": top}
        out["epsg"] = int(code) if code.isdigit() else None
        if self.resolution is not None:
            out["res_x"], out["res_y"] = self.resolution
        if self.shape is not None:
            out["height"], out["width"] = self.shape
        return out

    @classmethod
    def of_probe(cls, found: Probe) -> Grid | None:
        """Return a raster's grid, or None where it is not placed on the earth."""
        if found.crs is None or found.bounds is None:
            return None
        return cls(found.bounds, found.crs, found.resolution, found.shape if found.resolution else None)


def native_grid(
    item: Mapping[str, Any], assets: Mapping[str, Any], base: str | Path | None
) -> tuple[Grid | None, list[tuple[str, str]]]:
    """Return the finest grid among an item's bands, and its local files' faults.

    A file's size counts, not the one that the item declares: cropped and decimated copies keep their item.
    Where a file has no georeference, its pixels are spread over the declared bounds.
    """
    here: list[Grid] = []
    said: list[Grid] = []
    faults: list[tuple[str, str]] = []
    for key, asset in assets.items():
        declared = declared_grid(item, asset)
        path = local_path(asset["href"], base)
        grid, into = declared, said
        if path is not None:
            try:
                grid, into = _of_file(path, declared, faults), here
            except ReadError as err:
                faults.append((str(path), err.found.removeprefix(f"{path} ")))
        if grid is not None and grid.resolution is not None and key.lower() not in _PAN:
            into.append(grid)
    best = min(here or said, key=lambda g: g.resolution or (0.0, 0.0), default=None)
    return best or declared_grid(item, {}), faults


def _of_file(path: Path, declared: Grid | None, faults: list[tuple[str, str]]) -> Grid | None:
    found = probe(path)
    if found.fault:
        faults.append((str(path), found.fault))
    if found.crs is not None and found.bounds is not None:
        return Grid.of_probe(found)
    if declared is None:
        return None
    bounds = found.bounds or declared.bounds
    rows, cols = found.shape
    resolution = ((bounds[2] - bounds[0]) / cols, (bounds[3] - bounds[1]) / rows)
    return Grid(bounds, found.crs or declared.crs, resolution, found.shape)


def declared_grid(item: Mapping[str, Any], asset: Mapping[str, Any]) -> Grid | None:
    """Return the grid that an item's projection extension declares, or None.

    Parameters
    ----------
    item, asset : mapping
        The asset's own fields win over the item's properties.
    """
    properties = item.get("properties") or {}

    def said(name: str) -> Any:
        return asset.get(name) if asset.get(name) is not None else properties.get(name)

    crs = _declared_crs(said)
    if crs is None:
        return None
    transform, shape, bbox = said("proj:transform"), said("proj:shape"), said("proj:bbox")
    rows_cols = (
        (int(shape[0]), int(shape[1])) if isinstance(shape, (list, tuple)) and len(shape) == 2 else None
    )
    if isinstance(transform, (list, tuple)) and len(transform) in (6, 9) and rows_cols:
        a, b, c, d, e, f = map(float, transform[:6])
        if b == 0 and d == 0 and a > 0 and e < 0:
            bounds = (c, f + e * rows_cols[0], c + a * rows_cols[1], f)
            return Grid(bounds, crs, (a, -e), rows_cols)
    if isinstance(bbox, (list, tuple)) and len(bbox) == 4:
        left, bottom, right, top = map(float, bbox)
        resolution = ((right - left) / rows_cols[1], (top - bottom) / rows_cols[0]) if rows_cols else None
        return Grid((left, bottom, right, top), crs, resolution, rows_cols)
    return None


def _declared_crs(said: Any) -> str | None:
    from geotoolz.catalog._slice import crs_text

    code, epsg = said("proj:code"), said("proj:epsg")
    text = code or (f"EPSG:{epsg}" if epsg else None) or said("proj:wkt2")
    if text is None and isinstance(said("proj:projjson"), Mapping):
        import json

        text = json.dumps(said("proj:projjson"))
    if text is None:
        return None
    try:
        return crs_text(str(text))
    except ParameterError:
        return None
