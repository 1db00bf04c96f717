"""Reading several bands of one window: those of one file together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from geotoolz.io._lattice import Target
from geotoolz.io._pixels import Source, read_together
from geotoolz.io._resample import Array
from geotoolz.io._variables import Band, band_values, values_of

_ROWS = 512  # at a time: a multiple of the blocks that providers use, and little memory for the raw pixels


def values_together(bands: Sequence[Band], part: Target) -> dict[str, Array]:
    """Read bands on a window and return their values by name.

    Files that hold several of them may keep all bands in every block: read one after the other, each block
    would be decoded as often as there are bands. They are read together, in rows.
    """
    found: dict[str, Array] = {}
    for group in _groups(bands, part):
        if len(group) == 1:
            found[group[0].name] = band_values(group[0], part)
        else:
            found.update(_in_rows(group, part))
    return {band.name: found[band.name] for band in bands}


def _groups(bands: Sequence[Band], part: Target) -> list[list[Band]]:
    """Gather bands whose pixels are copied from one place in one file."""
    groups: dict[object, list[Band]] = {}
    for band in bands:
        place = band.source.place(part)
        key = band.name if place is None else (band.source.path, band.source.dtype, place)
        groups.setdefault(key, []).append(band)
    return list(groups.values())


def _in_rows(bands: Sequence[Band], part: Target) -> dict[str, Array]:
    source = bands[0].source
    made = {band.name: np.empty((part.height, part.width), band.spec.dtype) for band in bands}
    raw = np.empty((len(bands), min(_ROWS, part.height), part.width), source.dtype)
    for rows in _steps(source, part):
        piece = part.cut(rows, slice(None))
        place = source.place(piece)
        pixels = raw[:, : piece.height]
        if place is not None:  # the whole is inside: all its parts are
            read_together(source.path, [band.source.index for band in bands], place, pixels, source.sign)
        for band, plane in zip(bands, pixels, strict=True):
            made[band.name][rows] = values_of(band, plane, None)
    return made


def _steps(source: Source, part: Target) -> Iterator[slice]:
    """Yield rows of the window that end where rows of blocks end in the file: no block is decoded twice."""
    place = source.place(part)
    start = 0
    while start < part.height:
        into = 0 if place is None else (place[0] + start) % _ROWS
        stop = min(start + _ROWS - into, part.height)
        yield slice(start, stop)
        start = stop
