"""What scenes lie below an address on an object store: STAC items, sets of single-band files, rasters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from geotoolz.catalog._hrefs import is_uri
from geotoolz.catalog._probe import Probe, _describe
from geotoolz.catalog._products import _properties, _when, raster_row
from geotoolz.catalog._rows import Problem, Row
from geotoolz.catalog._scan import _MAX_JSON, Scan, _groups, _try
from geotoolz.catalog._stac import absolute_item, is_data, is_item, item_row
from geotoolz.core._errors import CatalogError, GeotoolzError
from geotoolz.core._sensors import common_name, sensor_of
from geotoolz.io._object_many import read_many
from geotoolz.io._object_path import ObjectPath

_RASTERS = (".tif", ".tiff", ".jp2")
_PRODUCTS = (".zip", ".tar", ".tgz", ".hdf", ".nc", ".h5", ".he5")


def scan_objects(root: ObjectPath, pattern: str | None) -> Scan:
    """List the objects below an address and return what they hold.

    Items are read, rasters without an item are opened for their header. Products that are archives or
    folders (SAFE, Landsat without an item) are problems: their readers need files.

    Parameters
    ----------
    root : ObjectPath
    pattern : str or None
        Take only objects whose name, or name below `root`, matches this glob.

    Raises
    ------
    StoreError
        If the store cannot be reached, or refuses.
    """
    root.store.probe()
    scan = Scan()
    sizes = {name: size for name, size in root.sizes().items() if _is_meant(name, pattern)}
    scan.seen.update(PurePosixPath(name).suffix.lower() or PurePosixPath(name).name for name in sizes)
    claimed = _items(scan, root, sizes)
    rasters: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for name in sorted(sizes):
        path = PurePosixPath(name)
        inside = [part for part in path.parts if part.upper().endswith(".SAFE")]
        if inside or path.suffix.lower() in _PRODUCTS:
            _refuse(scan, f"{root}/{name.partition(inside[0])[0]}{inside[0]}" if inside else f"{root}/{name}")
        elif path.suffix.lower() in _RASTERS and f"{root}/{name}" not in claimed:
            rasters[path.parent].append(path)
    for folder, paths in rasters.items():
        _rasters(scan, root, folder, paths)
    scan.finish(Path("/"))
    return scan


def _is_meant(name: str, pattern: str | None) -> bool:
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts):
        return False
    return (
        pattern is None or fnmatchcase(path.name, pattern) or fnmatchcase(name, pattern.removeprefix("**/"))
    )


def _refuse(scan: Scan, url: str) -> None:
    if all(problem.path != url for problem in scan.problems):
        error = CatalogError("is a product whose reader needs files", expected="one on this machine")
        scan.fail(url, error)


def _items(scan: Scan, root: ObjectPath, sizes: Mapping[str, int]) -> set[str]:
    """Take the STAC items and return the addresses of the files that they name."""
    claimed: set[str] = set()
    names = [n for n, size in sizes.items() if n.endswith((".json", ".geojson")) and 0 < size <= _MAX_JSON]
    for name, data in read_many(root, sorted(names)):
        folder = f"{root}/{name}".rpartition("/")[0]
        try:
            item = json.loads(data)
            if not is_item(item):
                continue  # a collection, a catalog, labels
            here = absolute_item(_beside(item, root, folder, sizes), folder)
            scan.add(*item_row(here, None, None))
        except (
            GeotoolzError,
            ValueError,
            KeyError,
            TypeError,
        ) as err:  # it must not hide the others
            scan.fail(f"{root}/{name}", err)
            continue
        claimed.update(asset["href"] for asset in here["assets"].values())
    return claimed


def _beside(
    item: Mapping[str, Any], root: ObjectPath, folder: str, sizes: Mapping[str, int]
) -> Mapping[str, Any]:
    """Return the item with addresses elsewhere replaced by objects of that name beside it."""
    assets = dict(item["assets"])
    for key, asset in assets.items():
        href = asset.get("href") if isinstance(asset, Mapping) else None
        if not isinstance(href, str) or not is_uri(href) or not is_data(asset):
            continue
        near = f"{folder}/{href.split('?')[0].rsplit('/', 1)[-1]}"
        if near.removeprefix(f"{root}/") in sizes:
            assets[key] = {**asset, "href": near}
    return {**item, "assets": assets}


def _rasters(scan: Scan, root: ObjectPath, folder: PurePosixPath, paths: list[PurePosixPath]) -> None:
    for name, members in _groups(paths).items():  # type: ignore[arg-type]
        first = root / str(members[0][1])
        if len(members) == 1 and name:
            _try(scan, first, _single, first, named=True)  # type: ignore[arg-type]
        else:
            named = [(band, root / str(path)) for band, path in members]
            _try(scan, first, _set_of_bands, name or folder.name or root.name, named)  # type: ignore[arg-type]


def _single(path: ObjectPath) -> tuple[Row, list[Problem]]:
    return raster_row(path, _header(path))  # type: ignore[arg-type]


def _set_of_bands(name: str, members: list[tuple[str, ObjectPath]]) -> tuple[Row, list[Problem]]:
    """Return the row of a scene whose bands are objects of their own, as an item that names them."""
    headers = [_header(path) for _, path in members]
    facts = _when(name, headers[0].tags)
    assets: dict[str, Any] = {}
    for (band, path), header in zip(members, headers, strict=True):
        common = common_name(band, sensor_of(facts)) or band.lower()
        assets[common] = {
            "href": str(path),
            "roles": ["data"],
            "type": "image/tiff; application=geotiff",
            "eo:bands": [{"name": band, "common_name": common}],
            **_projection(header),
        }
    item = {"type": "Feature", "stac_version": "1.0.0", "id": name, "assets": assets, "links": []}
    return item_row({**item, "properties": _properties(facts)}, None, None)


def _projection(header: Probe) -> dict[str, Any]:
    """Return where a raster lies, as an asset of an item says it."""
    if header.crs is None or header.bounds is None or header.resolution is None:
        return {}
    across, down = header.resolution
    left, _, _, top = header.bounds
    place: dict[str, Any] = {
        "proj:shape": list(header.shape),
        "proj:transform": [across, 0.0, left, 0.0, -down, top],
    }
    return place | ({"proj:code": header.crs} if ":" in header.crs[:8] else {"proj:wkt2": header.crs})


def _header(path: ObjectPath) -> Probe:
    """Read a raster's header through GDAL, with the store's own endpoint and credentials."""
    from geotoolz.io._gdal import opened

    with opened(str(path)) as raster:
        return _describe(raster, Path())
