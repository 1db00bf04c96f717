"""Ways of cutting the work that no driver would choose: the law holds for them too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from geotoolz.core._build import build_dataset
from geotoolz.core._compile import compile
from geotoolz.core._execute import Job
from geotoolz.core._extent import Extent
from geotoolz.core._graph import Graph
from geotoolz.core._operator import Operator
from geotoolz.core._run import array_fetch, compute
from geotoolz.core._specs import TileSpec

Tiles = xr.Dataset | Mapping[str, xr.Dataset]


def random_parts(shape: tuple[int, int], rng: np.random.Generator, depth: int = 4) -> list[Extent]:
    """Split a rectangle at random, again and again, into rectangles of all sizes that cover it once."""
    parts = [Extent(0, shape[0], 0, shape[1])]
    for _ in range(depth):
        parts = [half for part in parts for half in _split(part, rng)]
    return parts


def _split(part: Extent, rng: np.random.Generator) -> list[Extent]:
    y0, y1, x0, x1 = part
    ways = [axis for axis, size in enumerate(part.shape) if size > 1]
    if not ways or rng.random() < 0.15:
        return [part]
    if rng.choice(ways) == 0:
        at = int(rng.integers(y0 + 1, y1))
        return [Extent(y0, at, x0, x1), Extent(at, y1, x0, x1)]
    at = int(rng.integers(x0 + 1, x1))
    return [Extent(y0, y1, x0, at), Extent(y0, y1, at, x1)]


def random_cut(seed: int, workers: int = 3) -> Any:
    """Return a cut as `compute` takes it: random rectangles in random order, dealt out at random."""
    rng = np.random.default_rng(seed)

    def cut(job: Job) -> list[list[Extent]]:
        height, width = job.shape
        if job.needs_whole is not None:
            return [[Extent(0, height, 0, width)]]
        along_y, along_x = job.whole_axes
        parts = random_parts((1 if along_y else height, 1 if along_x else width), rng)
        parts = [
            Extent(*((0, height) if along_y else part[:2]), *((0, width) if along_x else part[2:]))
            for part in parts
        ]
        order = rng.permutation(len(parts))
        shares: list[list[Extent]] = [[] for _ in range(workers)]
        for index in order:
            shares[int(rng.integers(workers))].append(parts[index])
        return [share for share in shares if share]

    return cut


def run_cut(op: Operator, tile: Tiles, seed: int) -> tuple[dict[str, xr.Dataset], dict[str, Any]]:
    """Run a pipeline cut at random.

    Parameters
    ----------
    op : Operator
        With its data-dependent steps frozen.
    tile : xarray.Dataset or mapping of str to xarray.Dataset
        The tile.
    seed : int
        Of the cut.

    Returns
    -------
    tiles : dict of str to xarray.Dataset
        The outputs by name.
    statistics : dict of str to object
        Results of the Reduce steps by path; assertions have not decided on them.
    """
    tiles: Mapping[str, xr.Dataset] = {"": tile} if isinstance(tile, xr.Dataset) else tile
    specs = {name: TileSpec.of(one) for name, one in tiles.items()}
    program = compile(op, next(iter(specs.values())) if len(specs) == 1 else specs)
    if isinstance(op, Graph) and len(tiles) == 1:
        tiles = {op.inputs[0]: next(iter(tiles.values()))}
    arrays, statistics = compute(program, array_fetch(program, tiles), cut=random_cut(seed))
    return build_dataset(program, tiles, arrays), statistics


def random_chunks(shape: tuple[int, int], seed: int) -> dict[str, Any]:
    """Return irregular dask chunks for the dims ``y`` and ``x``."""
    rng = np.random.default_rng(seed)
    return {dim: _lengths(size, rng) for dim, size in zip(("y", "x"), shape, strict=True)}


def _lengths(size: int, rng: np.random.Generator) -> tuple[int, ...]:
    ends: Sequence[int] = sorted({*map(int, rng.integers(1, max(size, 2), 3)), size})
    ends = [end for end in ends if 0 < end <= size] or [size]
    return tuple(int(n) for n in np.diff([0, *ends]))
