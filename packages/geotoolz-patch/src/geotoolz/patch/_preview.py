"""A picture of where chips lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.patch._catalog import CatalogPatches
from geotoolz.patch._chip import Chip, chip_dataset, chip_spec
from geotoolz.patch._grid import PatchGrid
from geotoolz.patch._sampler import chip_at
from geotoolz.patch._source import Array, Source
from geotoolz.viz._picture import View, choose, on_background, render
from geotoolz.viz._png import encode_png

_COLOURS = ((230, 25, 75), (0, 130, 200), (245, 130, 48), (60, 180, 75), (145, 30, 180), (240, 50, 230))
_STRIP = 512
_GAP = 4
_LINES = 300  # that many lines would fill a picture


def draw_chips(patches: PatchGrid | CatalogPatches, *, size: int = 1024) -> bytes:
    """Return a picture of the scene with the outlines of its chips, as PNG.

    Neighbouring outlines have different colours; chips made for a class or a polygon have its colour.

    Parameters
    ----------
    patches : PatchGrid or CatalogPatches
        The chips; their bands are drawn as `geotoolz.viz.quicklook` draws them. The scenes of a catalog
        stand side by side, row by row, in their order.
    size : int
        Pixels of the longer side, at most; the scene's pixels are left out, not averaged.

    Returns
    -------
    bytes

    Raises
    ------
    ParameterError
        If the size is less than 16 pixels, for every scene of a catalog.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import GridSampler, PatchGrid, draw_chips
    >>> draw_chips(PatchGrid(simulate_scene((64, 64)), GridSampler(16)), size=64)[1:4]
    b'PNG'
    """
    columns = math.ceil(math.sqrt(len(patches.grids)))
    each = (size - _GAP * (columns - 1)) // columns
    if each < 16:
        share = f" for {len(patches.grids)} scenes" if columns > 1 else ""
        raise ParameterError(
            f"size={size}{share}",
            expected="16 pixels or more"
            if columns == 1
            else f"{16 * columns + _GAP * (columns - 1)} or more",
            fix="" if columns == 1 else "or draw a scene: draw_chips(patches.grids[0])",
        )
    pictures = [_drawn(grid, each) for grid in patches.grids]
    if len(pictures) == 1:
        return encode_png(pictures[0])
    height, width = max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures)
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = (number // columns) * (height + _GAP), (number % columns) * (width + _GAP)
        sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return encode_png(sheet)


def _drawn(grid: PatchGrid, size: int) -> Array:
    """Return the picture of one scene."""
    step = max(-(-max(grid.source.spec.shape) // size), 1)
    tile = _thinned(grid, step)
    picture = on_background(
        render(tile, View(choose(tile, None), None, None, None, None, -1, 1.0)), (255, 255, 255, 255)
    )
    canvas = np.ascontiguousarray(picture[..., :3])
    for number, patch in enumerate(grid):
        chip = patch.chip
        colour = _COLOURS[(chip.origin if chip.origin >= 0 else number) % len(_COLOURS)]
        _outline(canvas, chip, step, colour)
    return canvas


def _thinned(grid: PatchGrid, step: int) -> Any:
    """Return every `step`-th pixel of a scene, read in strips."""
    spec = grid.source.spec
    names = grid.bands
    strips: dict[str, list[Array]] = {name: [] for name in names}
    rows = -(-_STRIP // step) * step
    for first in range(0, spec.shape[0], rows):
        part = _read(grid.source, names, slice(first, min(first + rows, spec.shape[0])))
        for name, pixels in part.items():
            strips[name].append(pixels[..., ::step, ::step].copy())
    arrays = {name: np.concatenate(parts, axis=-2) for name, parts in strips.items()}
    shape = next(iter(arrays.values())).shape[-2:]
    return chip_dataset(chip_spec(spec, chip_at(0, 0, shape), names), arrays)


def _read(source: Source, names: tuple[str, ...], rows: slice) -> dict[str, Array]:
    return source.arrays(names, rows, slice(0, source.spec.shape[1]))


def _outline(canvas: Array, chip: Chip, step: int, colour: tuple[int, int, int]) -> None:
    """Draw a chip's edge, thicker in large pictures, towards its inside."""
    height, width = canvas.shape[:2]
    e = chip.extent
    for inset in range(max(max(height, width) // _LINES, 1)):
        top, bottom = _within(e.y0 // step + inset, height), _within((e.y1 - 1) // step - inset, height)
        left, right = _within(e.x0 // step + inset, width), _within((e.x1 - 1) // step - inset, width)
        if bottom < top or right < left:
            return
        canvas[[top, bottom], left : right + 1] = colour
        canvas[top : bottom + 1, [left, right]] = colour


def _within(place: int, size: int) -> int:
    return min(max(place, 0), size - 1)
