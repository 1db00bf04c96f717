"""What scenes a folder holds: STAC items, products and their archives, sets of single-band files, rasters."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from geotoolz.catalog._made_of import is_ours, parts_of
from geotoolz.catalog._names import split_band
from geotoolz.catalog._probe import probe
from geotoolz.catalog._products import group_row, mtl_row, product_row, raster_row
from geotoolz.catalog._rows import Problem, Row
from geotoolz.catalog._stac import is_item, item_row, local_files, localised
from geotoolz.core._errors import CatalogError, GeotoolzError

RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
# Of these, readers are asked whether they are a product: an archive of one scene, or a kind that is refused.
PRODUCTS = (".zip", ".tar", ".tgz", ".gz", ".hdf", ".nc", ".nc4", ".h5", ".he5")
# Readers of folders that are one scene; those of Landsat and Sentinel-2 are told by their metadata files.
_FOLDERS = ("hls", "sentinel-1-rtc", "planetscope", "enmap-l2a", "cf")
# Items and product metadata are small; a gigabyte of GeoJSON labels is not one.
_MAX_JSON = 32 * 2**20


@dataclass
class Scan:
    """Rows and problems, collected while a folder is walked."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    collections: set[Path] = field(default_factory=set)  # folders whose collection.json lists their items
    _found: list[tuple[Row, list[Problem], bool]] = field(default_factory=list)

    def add(self, row: Row, problems: list[Problem], named: bool = False) -> None:
        """Take a row; `named` where its id is only a file's name, which other folders may have too."""
        self._found.append((row, problems, named))

    def finish(self, root: Path) -> None:
        """Give every row an id of its own, and put them in order."""
        count = Counter(str(row["id"]) for row, _, _ in self._found)
        first: dict[str, str] = {}
        for row, problems, named in self._found:
            name, source = str(row["id"]), str(row.get("source"))
            if named and count[name] > 1:
                row["id"] = name = _long_name(root, Path(source))
            if name in first:
                reason = f"has the id {name!r} that {first[name]} has already"
                self.problems.append(Problem(source, reason, harmless=True))
                continue
            first[name] = source
            self.rows.append(row)
            self.problems.extend(problems)
        self.rows.sort(key=lambda row: str(row["id"]))

    def fail(self, path: Path | str, error: Exception) -> None:
        """Note what could not be read."""
        reason = error.found if isinstance(error, GeotoolzError) else f"{type(error).__name__}: {error}"
        self.problems.append(Problem(str(path), reason.removeprefix(f"{path} ")))


def scan_folder(root: Path, pattern: str | None) -> Scan:
    """Walk a folder and return what it holds.

    Parameters
    ----------
    root : Path
        The folder.
    pattern : str or None
        Take only files whose path below `root`, or name, matches this glob.
    """
    scan = Scan()
    # items name their files absolutely; resolve() would follow links, which were given on purpose
    root = Path(os.path.abspath(root))  # noqa: PTH100
    folders = []
    claimed: set[Path] = set()
    items: dict[Path, int] = {}
    for folder, files in _walk(root, pattern, scan):
        if _is_product(folder, files):
            _product(scan, folder)
            continue
        folders.append((folder, files))
        items[folder] = _described(scan, folder, files, claimed)
    # an item may name files in other folders, so rasters are looked at when all items are known
    rasters = {folder: [p for p in files if p.suffix.lower() in RASTERS] for folder, files in folders}
    every = frozenset(path for paths in rasters.values() for path in paths)
    for folder, paths in rasters.items():
        listed = any(one in scan.collections for one in (folder, *folder.parents))
        known = [p for p in paths if p in claimed]
        free = [p for p in paths if p not in claimed]
        if known and items[folder] == 1:
            continue  # a product's own folder: what its item does not name is auxiliary
        if known and listed:  # outputs of a run: what its items do not name was made of them
            free = [p for p in free if not is_ours(p)]
        _rasters(scan, folder, free, every)
    scan.finish(root)
    return scan


def _long_name(root: Path, path: Path) -> str:
    """Return the path below the root as a name."""
    below = path.relative_to(root) if path.is_relative_to(root) else path
    return "_".join(part for part in below.with_suffix("").parts if part not in ("/", ".."))


def _walk(root: Path, pattern: str | None, scan: Scan) -> Iterator[tuple[Path, list[Path]]]:
    for where, folders, names in os.walk(root):
        folder = Path(where)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if _is_product(folder, [folder / name for name in names]):
            # the product is one scene, whatever lies in it
            files = sorted(p for p in folder.rglob("*") if p.is_file())
            folders.clear()
        else:
            files = sorted(folder / name for name in names if not name.startswith("."))
        scan.seen.update(path.suffix.lower() or path.name for path in files)
        if pattern is not None:
            files = [p for p in files if _matches(p, root, pattern)]
        if files:
            yield folder, files


def _is_product(folder: Path, files: list[Path]) -> bool:
    """Tell a SAFE product, a granule of one, one that was renamed, or the folder of one other scene."""
    named = folder.name.upper().endswith(".SAFE") or folder.parent.name == "GRANULE"
    if named or any(path.parent == folder and path.name.startswith("MTD_MSIL") for path in files):
        return True
    return _is_scene(folder)


def _is_scene(folder: Path) -> bool:
    """Tell a folder that a reader of one's own knows, or whose files' names say that they are one scene.

    A folder of many scenes is looked into.
    """
    from geotoolz.io._readers import own_reader_for, reader_for

    if own_reader_for(folder) is not None:
        return True
    reader = reader_for(folder)
    if reader is None or reader.name not in _FOLDERS:
        return False
    try:
        return bool(reader.scene(folder).assets)
    except GeotoolzError:  # several scenes, or what is wrong is said of its files
        return False


def _product(scan: Scan, path: Path) -> None:
    """Take a product by the reader that recognises it; of a SAFE of several granules, every granule."""
    from geotoolz.io._readers import reader_for

    inside = path / "GRANULE"
    granules = sorted(one for one in inside.iterdir() if one.is_dir()) if inside.is_dir() else []
    for one in granules if len(granules) > 1 else [path]:
        reader = reader_for(one)
        if reader is not None:
            _try(scan, one, product_row, one, reader)
        elif path.is_dir():
            scan.fail(one, CatalogError("is no product that is known", expected="a product in SAFE format"))


def _matches(path: Path, root: Path, pattern: str) -> bool:
    below = path.relative_to(root).as_posix()
    return (
        fnmatchcase(path.name, pattern)
        or fnmatchcase(below, pattern.removeprefix("**/"))
        or fnmatchcase(below, pattern)
    )


def _described(scan: Scan, folder: Path, files: list[Path], claimed: set[Path]) -> int:
    """Take what metadata describe, claim its files, and return the number of STAC items."""
    from geotoolz.io._readers import own_reader_for

    for path in files:
        if own_reader_for(path) is not None:
            _product(scan, path)
            claimed.add(path)
    _landsat(scan, folder, files, claimed)
    for path in files:
        if path.suffix.lower() in PRODUCTS and path not in claimed:
            _product(scan, path)
    items = 0
    for path in files:
        if path.suffix.lower() in (".json", ".geojson") and path not in claimed:
            items += _item(scan, folder, path, claimed)
    return items


def _rasters(scan: Scan, folder: Path, free: list[Path], every: frozenset[Path]) -> None:
    """Take the rasters that no metadata describe; what is made of `every` other is no scene."""
    free = [p for p in free if p.suffix.lower() != ".vrt" or not _made_of(parts_of(p), every)]
    for name, members in _groups(free).items():
        first = members[0][1]
        if len(members) == 1 and name:
            _try(scan, first, _single, first, every, named=True)
        elif len(members) > 1 or not _made_of(parts_of(first), every):
            _try(scan, folder, group_row, name or folder.name, members)


def _made_of(parts: frozenset[Path], every: frozenset[Path]) -> bool:
    """Tell whether all parts of a raster are there, as rasters of their own."""
    return bool(parts) and parts <= every


def _single(path: Path, every: frozenset[Path]) -> tuple[Row, list[Problem]] | None:
    """Return the row of a raster, None for a mosaic of others that are there."""
    found = probe(path)
    return None if _made_of(parts_of(path, found.tags), every) else raster_row(path, found)


def _try(scan: Scan, path: Path, make: Any, *args: Any, named: bool = False) -> None:
    try:
        made = make(*args)
    except (GeotoolzError, OSError, ValueError, KeyError) as err:  # one bad file must not hide the others
        scan.fail(path, err)
        return
    if made is not None:
        row, problems = made
        scan.add(row, problems, named)


def _landsat(scan: Scan, folder: Path, files: list[Path], claimed: set[Path]) -> None:
    """Take Landsat products by their MTL file; their STAC items name remote files and share one id."""
    metadata: dict[str, Path] = {}
    for path in files:
        if path.name.endswith(("_MTL.json", "_MTL.txt")):
            metadata.setdefault(path.name.rsplit("_MTL", 1)[0], path)
    for product, mtl in sorted(metadata.items()):
        mine = [p for p in files if p.name.startswith(product)]
        rasters = [p for p in mine if p.suffix.lower() in RASTERS]
        if not rasters:
            continue  # an item beside it may say more
        claimed.update(mine)
        _try(scan, mtl, mtl_row, product, mtl, rasters, len(metadata) == 1)


def read_json(path: Path) -> Any:
    """Return a small JSON file's content.

    Raises
    ------
    CatalogError
        If it is empty, too large, or no JSON.
    """
    size = path.stat().st_size
    if size == 0:
        raise CatalogError(f"{path} has 0 bytes", expected="JSON")
    if size > _MAX_JSON:
        raise CatalogError(f"{path} has {size} bytes", expected=f"at most {_MAX_JSON} for an item")
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as err:
        raise CatalogError(f"{path} is no JSON: {err}", expected="a STAC item") from err


def _item(scan: Scan, folder: Path, path: Path, claimed: set[Path]) -> bool:
    """Take a STAC item and tell whether the file is one."""
    try:
        data = read_json(path)
        if not is_item(data):
            if _lists_items(data):
                scan.collections.add(folder)
            return False  # a collection, a catalog, labels
        beside = localised(data, folder)
        claimed.update(Path(os.path.normpath(p)) for p in local_files(beside or data, folder))
        scan.add(*item_row(beside or data, None if beside else str(path), folder))
    except (
        GeotoolzError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ) as err:  # one bad file must not hide the others
        scan.fail(path, err)
        return False
    return True


def _lists_items(data: Any) -> bool:
    """Tell whether JSON is a STAC collection that links items."""
    links = data.get("links") if isinstance(data, dict) and data.get("type") == "Collection" else None
    return any(isinstance(link, dict) and link.get("rel") == "item" for link in links or ())


def _groups(rasters: list[Path]) -> dict[str, list[tuple[str, Path]]]:
    """Group single-band files of one scene by what stands before the band's name."""
    groups: dict[str, list[tuple[str, Path]]] = {}
    for path in rasters:
        split = split_band(path.stem)
        scene, band = split if split else (path.stem, "")
        groups.setdefault(scene, []).append((band, path))
    out: dict[str, list[tuple[str, Path]]] = {}
    for scene, members in groups.items():
        bands = [band.lower() for band, _ in members]
        if len(members) == 1 and scene:
            out[members[0][1].stem] = members
        elif "" in bands or len(set(bands)) != len(bands):
            out.update({path.stem: [(band, path)] for band, path in members})
        else:
            out[scene] = members
    return out
