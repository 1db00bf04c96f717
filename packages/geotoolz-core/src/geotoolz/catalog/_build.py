"""Building catalogs: what there is becomes rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

from geotoolz.catalog._footprint import as_geometry, footprint_of_bounds
from geotoolz.catalog._hrefs import absolute, is_uri, local_path
from geotoolz.catalog._rows import ALIASES, COLUMNS, Row
from geotoolz.catalog._scan import RASTERS, Scan, read_json, scan_folder
from geotoolz.catalog._stac import is_item, item_row
from geotoolz.catalog._time import parse_instant
from geotoolz.core._errors import CatalogError, GeotoolzError, ReadError
from geotoolz.io._object_path import ObjectPath, is_object


def rows_of_folder(path: str | Path, pattern: str | None) -> Scan:
    """Return what a folder holds.

    Raises
    ------
    ReadError
        If there is no such folder.
    CatalogError
        If it holds no scene.
    """
    if is_object(path):
        return _rows_of_objects(str(path), pattern)
    root = Path(path).absolute()
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise ReadError(
            f"{root} {what}", expected="a folder of rasters or STAC items", fix="correct the path"
        )
    scan = scan_folder(root, pattern)
    if not scan.rows:
        raise _empty(root, pattern, scan)
    return scan


def _rows_of_objects(address: str, pattern: str | None) -> Scan:
    from geotoolz.catalog._scan_objects import scan_objects

    root = ObjectPath(address)
    if root.suffix.lower() in RASTERS and root.is_file():
        root, pattern = root.parent, root.name
    scan = scan_objects(root, pattern)
    if not scan.rows:
        raise _empty(root, pattern, scan)
    return scan


def _empty(root: Path | ObjectPath, pattern: str | None, scan: Scan) -> CatalogError:
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in scan.seen.most_common(6)) or "no files"
    found = f"no scene in {root} (pattern {pattern or 'none'}); it holds {kinds}"
    if scan.problems:
        found += "; unreadable: " + "; ".join(str(p) for p in scan.problems[:3])
        if len(scan.problems) > 3:
            found += f" and {len(scan.problems) - 3} more"
    error = CatalogError(
        found,
        expected="georeferenced rasters (.tif, .jp2, .vrt), STAC items (.json), Landsat or SAFE products "
        "(folders, .zip, .tar)",
        fix="name another folder or pattern",
    )
    return error


def rows_of_items(items: object, base: str | Path | None = None) -> Scan:
    """Return the rows of items: a path, a FeatureCollection, pystac objects, or an iterable of items.

    Raises
    ------
    CatalogError
        If there are none.
    """
    scan = Scan()
    shown = type(items).__name__
    if isinstance(items, (str, Path)):
        shown = str(items)
        base = Path(items).absolute().parent
        items = _json_of(str(Path(items).absolute()))
    for number, item in enumerate(_listed(items)):
        name, own_base = f"item {number} of {shown}", base
        if not isinstance(item, Mapping):
            own_base = _self_folder(item) or base
            item = item.to_dict(include_self_link=False, transform_hrefs=False)
        _take(scan, item, name, None, own_base)
    scan.finish(Path("/"))
    if not scan.rows:
        reasons = "; ".join(str(p) for p in scan.problems[:3])
        raise CatalogError(
            f"{shown} holds no item" + (f": {reasons}" if reasons else ""), expected="at least one STAC item"
        )
    return scan


def _take(scan: Scan, item: Any, name: str, source: str | None, base: str | Path | None) -> None:
    try:
        if not is_item(item):
            raise CatalogError("is no STAC item", expected="type Feature with assets")
        scan.add(*item_row(item, source, base))
    except (
        GeotoolzError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ) as err:  # one bad item must not hide the others
        held = item.get("id") if isinstance(item, Mapping) else None
        scan.fail(str(held or name), err)


def _listed(items: Any) -> Iterable[Any]:
    if isinstance(items, Mapping):
        if items.get("type") == "FeatureCollection":
            return cast("Iterable[Any]", items.get("features") or ())
        return (items,)
    if hasattr(items, "to_dict") and not hasattr(items, "__iter__"):
        return (items,)  # one pystac.Item
    if not hasattr(items, "__iter__"):
        raise CatalogError(
            f"got {type(items).__name__}", expected="STAC items, an ItemCollection, or a path to one"
        )
    return cast("Iterable[Any]", items)


def _self_folder(item: Any) -> str | None:
    href = item.get_self_href() if hasattr(item, "get_self_href") else None
    return None if href is None else href.rsplit("/", 1)[0]


def _json_of(href: str) -> Any:
    """Return the JSON at a path or URI."""
    if is_object(href):
        try:
            return json.loads(ObjectPath(href).read_bytes())
        except (FileNotFoundError, ValueError) as err:
            raise ReadError(f"{href} cannot be read: {err}", expected="a STAC document") from err
    if is_uri(href):
        from pystac.stac_io import StacIO

        try:
            return json.loads(StacIO.default().read_text(href))
        except (OSError, ValueError) as err:
            raise ReadError(f"{href} cannot be read: {err}", expected="a STAC document") from err
    path = local_path(href)
    if path is None or not path.is_file():
        raise ReadError(f"{href} does not exist", expected="a JSON file", fix="correct the path")
    return read_json(path)


def rows_of_stac(href: str | Path) -> Scan:
    """Return the items of a static catalog, in every catalog and collection below it.

    Raises
    ------
    CatalogError
        If it holds no item.
    """
    scan = Scan()
    text = str(href)
    start = text if is_uri(text) else str(Path(local_path(text) or text).absolute())
    todo, done = [start], set()
    while todo:
        here = todo.pop()
        if here in done:
            continue
        done.add(here)
        try:
            data = _json_of(here)
        except (GeotoolzError, OSError) as err:
            if here == start:
                raise
            scan.fail(here, err)
            continue
        folder = here.rsplit("/", 1)[0]
        if is_item(data):
            _take(scan, data, here, None if is_uri(here) else here, folder)
            continue
        for feature in data.get("features") or () if isinstance(data, Mapping) else ():
            _take(scan, feature, here, None, folder)
        todo.extend(reversed(_children(data, here)))
    scan.finish(Path("/"))
    if not scan.rows:
        reasons = "; ".join(str(p) for p in scan.problems[:3])
        raise CatalogError(
            f"{start} holds no item" + (f": {reasons}" if reasons else ""), expected="a static STAC catalog"
        )
    return scan


def _children(data: Any, here: str) -> list[str]:
    links = data.get("links") if isinstance(data, Mapping) else None
    found = []
    for link in links or ():
        if (
            isinstance(link, Mapping)
            and link.get("rel") in ("child", "item")
            and isinstance(link.get("href"), str)
        ):
            to = link["href"]
            found.append(
                urljoin(here, to) if here.startswith("http") else absolute(to, here.rsplit("/", 1)[0])
            )
    return found


def completed_row(row: Mapping[str, Any], base: Path) -> Row:
    """Return a user's row with names, times, kind and geometry as a catalog keeps them.

    Raises
    ------
    CatalogError
        If a column's name cannot be one, or there is no way to tell the footprint.
    """
    out: Row = {ALIASES.get(name, name): value for name, value in row.items()}
    for name in out:
        if name not in COLUMNS and name != "geometry" and (not name.isidentifier() or name.startswith("_")):
            raise CatalogError(
                f"a column is called {name!r}", expected="a name of letters, digits and underscores"
            )
    if out.get("source"):
        out["source"] = absolute(str(out["source"]), base)
    if not out.get("kind"):
        out["kind"] = _kind(str(out.get("source") or ""))
    start = out.get("start_datetime") or out.get("datetime")
    end = out.get("end_datetime") or out.get("datetime")
    for name, value in (("datetime", out.get("datetime")), ("start_datetime", start), ("end_datetime", end)):
        out[name] = parse_instant(value) if value is not None and value == value else None
    if out.get("crs") is None and out.get("epsg"):
        out["crs"] = f"EPSG:{int(out['epsg'])}"
    if out.get("geometry") is not None:
        out["geometry"] = as_geometry(out["geometry"])
    elif out.get("crs") and all(out.get(n) is not None for n in ("left", "bottom", "right", "top")):
        bounds = (float(out["left"]), float(out["bottom"]), float(out["right"]), float(out["top"]))
        out["geometry"] = footprint_of_bounds(bounds, out["crs"])
    return out


def _kind(source: str) -> str:
    if source.lower().endswith((".json", ".geojson")):
        return "item"
    path = local_path(source)
    return "folder" if path is not None and path.is_dir() else "raster"
