"""Products that are told by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from geotoolz.core._errors import ReadError, TileError


def matching(path: Path, pattern: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
    """Return the files of a folder, or the one file, whose names match; sorted, empty where nothing is there.

    Parameters
    ----------
    path : Path
        A file or folder.
    pattern : re.Pattern
        Must match the whole name.
    """
    if path.is_dir():
        files: Iterable[Path] = (p for p in sorted(path.iterdir()) if p.is_file())
    else:
        files = (path,)
    return [(file, match) for file in files if (match := pattern.fullmatch(file.name))]


def one_scene(path: Path, names: Iterable[str]) -> str:
    """Return the only name of a product that a folder's files have.

    Raises
    ------
    TileError
        If the folder holds several.
    """
    found = list(dict.fromkeys(names))
    if len(found) > 1:
        listed = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise TileError(
            f"{path} holds {len(found)} scenes: {listed}",
            expected="one scene",
            fix="give the files of one scene as a list, or build a catalog of the folder",
        )
    return found[0]


def tagged(path: Path, *names: str) -> dict[str, str]:
    """Return some of a raster's own tags; none where it cannot be read: that is said when it is."""
    from geotoolz.io._gdal import read_header

    try:
        tags = read_header(str(path)).file_tags
    except ReadError:
        return {}
    return {name: tags[name] for name in names if tags.get(name)}


def number(text: object) -> float | None:
    """Return a tag as a number, None where it is none."""
    try:
        return float(str(text))
    except ValueError:
        return None
