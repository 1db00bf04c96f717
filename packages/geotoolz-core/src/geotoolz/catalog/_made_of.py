"""Rasters that are made of others beside them: a mosaic is a view of its parts, and no scene of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from geotoolz.catalog._probe import probe
from geotoolz.core._errors import ReadError
from geotoolz.io._tags import ATTRS_TAG, MOSAIC_TAG

_MOST = 64 * 2**20  # bytes of a virtual raster that is looked into


def parts_of(path: Path, tags: Mapping[str, str] | None = None) -> frozenset[Path]:
    """Return the local files that a raster is made of; none for one with pixels of its own.

    Parameters
    ----------
    path : Path
        A virtual raster (its sources), or a GeoTIFF (what `build_mosaic` noted in it).
    tags : mapping, optional
        The file's tags, where they were read already.
    """
    if path.suffix.lower() == ".vrt":
        return _of_vrt(path)
    if tags is None:
        try:
            tags = probe(path).tags
        except ReadError:  # said where its row is made
            return frozenset()
    try:
        names = json.loads(tags.get(MOSAIC_TAG, "[]"))
        return frozenset(_beside(path, str(name)) for name in names)
    except (ValueError, TypeError):
        return frozenset()


def _of_vrt(path: Path) -> frozenset[Path]:
    try:
        if path.stat().st_size > _MOST:
            return frozenset()
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return frozenset()
    found = set()
    for source in root.iter("SourceFilename"):
        name = source.text or ""
        if name.startswith("/vsi") or "://" in name:
            return frozenset()
        found.add(_beside(path, name) if source.get("relativeToVRT") == "1" else Path(name))
    return frozenset(found)


def _beside(path: Path, name: str) -> Path:
    return Path(os.path.normpath(path.parent / name))


def is_ours(path: Path) -> bool:
    """Tell whether geotoolz wrote a raster; no for one that cannot be opened, which is said elsewhere."""
    try:
        return ATTRS_TAG in probe(path).tags
    except ReadError:
        return False
