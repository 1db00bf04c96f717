"""Rows of scenes that come without a STAC item."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._footprint import footprint_of_bounds
from geotoolz.catalog._names import facts_of_name, split_band
from geotoolz.catalog._native import Grid, native_grid
from geotoolz.catalog._probe import Probe, probe
from geotoolz.catalog._rows import Problem, Row, dump_json
from geotoolz.catalog._time import iso, parse_instant
from geotoolz.core._errors import CatalogError, ParameterError, ReadError
from geotoolz.core._sensors import common_name, sensor_of

if TYPE_CHECKING:
    from geotoolz.io._readers import Reader
    from geotoolz.io._scene import SceneInfo

_MTL_LINE = re.compile(r'^\s*(\w+)\s*=\s*"?([^"\n]*?)"?\s*$', re.M)
_MGRS = re.compile(r"_T(\d\d[A-Z]{3})(?=_|$)")
_TAGS = ("datetime", "platform", "instrument", "processing_level", "processing_baseline")


def raster_row(path: Path, found: Probe | None = None) -> tuple[Row, list[Problem]]:
    """Return the row of one raster.

    Parameters
    ----------
    path : Path
        The raster.
    found : Probe, optional
        Its header, where it was read already.

    Raises
    ------
    CatalogError
        If it has no CRS or no transform: nobody can tell where it is.
    """
    found = probe(path) if found is None else found
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
    try:
        tags = probe(members[0][1]).tags
    except ReadError:  # said with the grid
        tags = {}
    return _files_row(name, members, _when(name, tags))


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


def product_row(path: Path, reader: Reader) -> tuple[Row, list[Problem]]:
    """Return the row of a product that a reader recognises; a zip or tar is not unpacked.

    Parameters
    ----------
    path : Path
        A folder, an archive or a file that is one scene.
    reader : Reader
        The one that recognises it.

    Raises
    ------
    GeotoolzError
        If the product is incomplete, or of a kind that is refused.
    CatalogError
        If it cannot be placed.
    """
    scene = reader.scene(path)
    product = scene.product
    grid, problems = _product_grid(scene)
    if grid is None:
        grid = _opened_grid(path)
    if grid is None:
        reasons = "; ".join(problem.reason for problem in problems[:3]) or "it has no CRS or no transform"
        raise CatalogError(f"{path} cannot be placed: {reasons}", expected="a georeferenced product")
    name = product.tile_id or path.name
    instant = parse_instant(product.when) if product.when else None
    tile = facts_of_name(name).get("tile") or (match[1] if (match := _MGRS.search(name)) else None)
    row: Row = {
        "id": name,
        "kind": "folder",
        "source": str(path),
        "datetime": instant,
        "start_datetime": instant,
        "end_datetime": instant,
        "platform": product.platform or None,
        "instrument": product.instrument or None,
        "processing_level": product.level or None,
        "processing_baseline": product.baseline or None,
        "cloud_cover": product.extra.get("cloud_cover"),
        "sun_azimuth": product.sun_azimuth,
        "sun_elevation": product.sun_elevation,
        "tile": tile,
        **grid.columns(),
    }
    row["geometry"] = footprint_of_bounds(grid.bounds, grid.crs)
    return row, problems


def _product_grid(scene: SceneInfo) -> tuple[Grid | None, list[Problem]]:
    """Return the grid of the finest band that can be opened, and what is wrong with the files."""
    problems = [
        Problem(asset.path, "is missing", kept=True)
        for asset in scene.assets
        if asset.default and not asset.path.startswith("/vsi") and not Path(asset.path).exists()
    ]
    gone = {problem.path for problem in problems}
    bands = [a for a in scene.assets if a.default and a.name != "pan" and a.path not in gone]
    for asset in sorted(bands, key=lambda a: (a.band and a.band.resolution) or math.inf):
        try:
            found = probe(asset.path)
        except ReadError as err:
            problems.append(Problem(asset.path, err.found.removeprefix(f"{asset.path} "), kept=True))
            continue
        if found.fault:
            problems.append(Problem(asset.path, found.fault, kept=True))
        grid = Grid.of_probe(found)
        product, extent = scene.product, asset.extent or scene.product.extent
        if grid is None and extent is not None and product.crs:
            left, top, right, bottom = extent
            rows, cols = found.shape
            size = ((right - left) / cols, (top - bottom) / rows)
            grid = Grid((left, bottom, right, top), product.crs, size, found.shape)
        if grid is not None:
            return grid, problems
    return None, problems


def _opened_grid(path: Path) -> Grid | None:
    """Return the grid of a product whose reader opens it itself, such as a cube in a netCDF file."""
    from geotoolz.io import describe

    box = describe(path).geobox
    if box is None or box.crs is None:
        return None
    left, bottom, right, top = map(float, box.boundingbox.bbox)
    size = (abs(float(box.affine.a)), abs(float(box.affine.e)))
    return Grid((left, bottom, right, top), str(box.crs), size, (int(box.shape[0]), int(box.shape[1])))


def file_row(path: Path) -> tuple[Row, list[Problem]]:
    """Return the row of one file: an archive or another product that a reader knows, else a raster."""
    from geotoolz.io._readers import reader_for

    reader = reader_for(path)
    return raster_row(path) if reader is None else product_row(path, reader)
