"""Rows of scenes that come without a STAC item."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from geotoolz.catalog._footprint import footprint_of_bounds
from geotoolz.catalog._names import facts_of_name, split_band
from geotoolz.catalog._native import Grid, native_grid
from geotoolz.catalog._probe import probe
from geotoolz.catalog._rows import Problem, Row, dump_json
from geotoolz.catalog._time import iso, parse_instant
from geotoolz.core._errors import CatalogError, ParameterError
from geotoolz.core._sensors import common_name, sensor_of

_MTL_LINE = re.compile(r'^\s*(\w+)\s*=\s*"?([^"\n]*?)"?\s*$', re.M)
_TAGS = ("datetime", "platform", "instrument", "processing_level", "processing_baseline")


def raster_row(path: Path) -> tuple[Row, list[Problem]]:
    """Return the row of one raster.

    Raises
    ------
    CatalogError
        If it has no CRS or no transform: nobody can tell where it is.
    """
    found = probe(path)
    grid = Grid.of_probe(found)
    if grid is None:
        lacks = "CRS" if found.crs is None else "transform"
        raise CatalogError(
            f"{path} has no {lacks}",
            expected="a georeferenced raster",
            fix=f"write its {lacks} into the file",
        )
    row = {
        "id": path.stem,
        "kind": "raster",
        "source": str(path),
        **_when(path.stem, found.tags),
        **grid.columns(),
    }
    row["geometry"] = footprint_of_bounds(grid.bounds, grid.crs)
    return row, [Problem(str(path), found.fault, kept=True)] if found.fault else []


def _when(name: str, tags: dict[str, str]) -> Row:
    """Return facts of the file's own tags, else of its name."""
    facts: Row = facts_of_name(name)
    facts |= {key: tags[key] for key in _TAGS if tags.get(key)}
    try:
        instant = parse_instant(facts["datetime"]) if facts.get("datetime") else None
    except ParameterError:
        instant = facts_of_name(name).get("datetime")
    return {**facts, "datetime": instant, "start_datetime": instant, "end_datetime": instant}


def group_row(name: str, members: list[tuple[str, Path]]) -> tuple[Row, list[Problem]]:
    """Return the row of a scene whose bands are files of their own; the row keeps an item that names them."""
    facts = _when(name, {})
    return _files_row(name, members, facts)


def _files_row(name: str, members: list[tuple[str, Path]], facts: Row) -> tuple[Row, list[Problem]]:
    assets: dict[str, Any] = {}
    for band, path in members:
        common = common_name(band, sensor_of(facts)) or band.lower()
        assets[common] = {
            "href": str(path),
            "roles": ["data"],
            "eo:bands": [{"name": band, "common_name": common}],
        }
    item: dict[str, Any] = {"type": "Feature", "stac_version": "1.0.0", "id": name, "links": []}
    item |= {"properties": _properties(facts), "assets": assets}
    grid, faults = native_grid(item, assets, None)
    if grid is None:
        found = (
            "; ".join(f"{Path(p).name} {reason}" for p, reason in faults)
            or "its files have no CRS or no transform"
        )
        raise CatalogError(f"scene {name!r} cannot be placed: {found}", expected="georeferenced rasters")
    geometry = footprint_of_bounds(grid.bounds, grid.crs)
    item["geometry"] = geometry.__geo_interface__
    item["bbox"] = list(geometry.bounds)
    item["properties"]["proj:code"] = grid.crs if grid.crs.startswith("EPSG:") else None
    row = {"id": name, "kind": "item", "source": str(members[0][1]), **facts, **grid.columns()}
    row |= {"geometry": geometry, "item": dump_json(item)}
    return row, [Problem(path, reason, kept=True) for path, reason in faults]


def _properties(facts: Row) -> dict[str, Any]:
    out: dict[str, Any] = {"datetime": iso(facts["datetime"]) if facts.get("datetime") else None}
    if facts.get("platform"):
        out["platform"] = facts["platform"]
    if facts.get("instrument"):
        out["instruments"] = [facts["instrument"]]
    names = {"processing_level": "processing:level", "processing_baseline": "s2:processing_baseline"}
    names |= {
        "cloud_cover": "eo:cloud_cover",
        "sun_azimuth": "view:sun_azimuth",
        "sun_elevation": "view:sun_elevation",
    }
    out |= {stac: facts[name] for name, stac in names.items() if facts.get(name) is not None}
    return out


def mtl_row(product: str, mtl: Path, rasters: list[Path], alone: bool) -> tuple[Row, list[Problem]]:
    """Return the row of a Landsat product.

    Parameters
    ----------
    product : str
        The product's id.
    mtl : Path
        Its metadata file, JSON or text.
    rasters : list of Path
        Its bands.
    alone : bool
        Whether the folder holds nothing else; the row then names the folder.
    """
    facts = _mtl_facts(product, mtl)
    members = [
        (split[1] if (split := split_band(p.stem)) else p.stem.removeprefix(f"{product}_"), p)
        for p in rasters
    ]
    row, problems = _files_row(product, members, facts)
    if alone:
        row |= {"kind": "folder", "source": str(mtl.parent), "item": None}
    return row, problems


def _mtl_facts(product: str, mtl: Path) -> Row:
    text = mtl.read_text("utf-8")
    values: dict[str, str] = {}
    if mtl.suffix == ".json":
        try:
            _flatten(json.loads(text), values)
        except ValueError as err:
            raise CatalogError(f"{mtl} is no JSON: {err}", expected="Landsat metadata") from err
    else:
        for key, value in _MTL_LINE.findall(text):
            values.setdefault(key, value)
    if "DATE_ACQUIRED" not in values:
        raise CatalogError(f"{mtl} has no DATE_ACQUIRED", expected="Landsat metadata")
    clock = values.get("SCENE_CENTER_TIME", "").rstrip("Z")
    instant = parse_instant(values["DATE_ACQUIRED"] + (f"T{clock}Z" if clock else ""))
    facts: Row = {
        **facts_of_name(product),
        "datetime": instant,
        "start_datetime": instant,
        "end_datetime": instant,
    }
    facts["platform"] = (
        values.get("SPACECRAFT_ID", facts.get("platform") or "").lower().replace("_", "-") or None
    )
    facts["processing_level"] = values.get("PROCESSING_LEVEL") or facts.get("processing_level")
    for column, key in (
        ("cloud_cover", "CLOUD_COVER"),
        ("sun_azimuth", "SUN_AZIMUTH"),
        ("sun_elevation", "SUN_ELEVATION"),
    ):
        facts[column] = float(values[key]) if key in values else None
    return facts


def _flatten(node: Any, into: dict[str, str]) -> None:
    """Collect leaves; the first one of a name counts, as the product's own group stands first."""
    for key, value in node.items():
        if isinstance(value, dict):
            _flatten(value, into)
        else:
            into.setdefault(key, str(value))


def safe_row(folder: Path, files: list[Path]) -> tuple[Row, list[Problem]]:
    """Return the row of a Sentinel-2 product in SAFE format.

    Raises
    ------
    CatalogError
        If it has no band at its finest resolution.
    """
    bands = [p for p in files if p.suffix.lower() in (".jp2", ".tif") and "IMG_DATA" in p.parts]
    bands = [p for p in bands if re.search(r"_B0[248](_10m)?$", p.stem)]
    if not bands:
        raise CatalogError(
            f"{folder} has no 10 m band below IMG_DATA", expected="a Sentinel-2 product in SAFE format"
        )
    found = probe(bands[0])
    grid = Grid.of_probe(found)
    if grid is None:
        raise CatalogError(f"{bands[0]} has no CRS or no transform", expected="a Sentinel-2 band")
    row = {
        "id": folder.stem,
        "kind": "folder",
        "source": str(folder),
        **_when(folder.stem, {}),
        **grid.columns(),
    }
    row["geometry"] = footprint_of_bounds(grid.bounds, grid.crs)
    product = next((p for p in files if p.parent == folder and p.name.startswith("MTD_MSI")), None)
    match = (
        re.search(r"<Cloud_Coverage_Assessment>([\d.]+)<", product.read_text("utf-8")) if product else None
    )
    row["cloud_cover"] = float(match[1]) if match else None
    return row, [Problem(str(bands[0]), found.fault, kept=True)] if found.fault else []
