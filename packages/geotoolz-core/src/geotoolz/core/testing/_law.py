"""The one law as a test: any way of cutting the work gives the bits of the whole tile."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np
import xarray as xr

from geotoolz.core._compile import compile
from geotoolz.core._errors import GeotoolzError, TileError
from geotoolz.core._footprint import ALL
from geotoolz.core._freeze import freeze
from geotoolz.core._operator import Operator
from geotoolz.core._reduce import Reduce
from geotoolz.core._run import decide, run, run_detailed
from geotoolz.core._specs import TileSpec
from geotoolz.core.testing._cuts import random_chunks, run_cut
from geotoolz.core.testing._tiles import adversaries


class LawBrokenError(GeotoolzError, AssertionError):
    """A cut of the work changed the result."""


def assert_same(a: xr.Dataset, b: xr.Dataset, what: str = "the results") -> None:
    """Raise if two tiles differ in a bit, a dtype, a dimension, a name or an attribute.

    Parameters
    ----------
    a, b : xarray.Dataset
        The tiles.
    what : str
        What is compared, for the message.

    Raises
    ------
    LawBrokenError
        Naming the variable and the first pixel that differs.
    """
    if list(a.data_vars) != list(b.data_vars):
        raise LawBrokenError(f"{what}: variables {list(a.data_vars)} and {list(b.data_vars)}")
    if not _same_attrs(a.attrs, b.attrs):
        raise LawBrokenError(f"{what}: tile attributes {a.attrs} and {b.attrs}")
    for name in a.data_vars:
        one, two = a.variables[name], b.variables[name]
        if one.dims != two.dims or one.shape != two.shape or one.dtype != two.dtype:
            raise LawBrokenError(
                f"{what}: {name!r} is {one.dtype} {one.dims} {one.shape} and "
                f"{two.dtype} {two.dims} {two.shape}"
            )
        if not _same_attrs(one.attrs, two.attrs):
            raise LawBrokenError(f"{what}: attributes of {name!r}: {one.attrs} and {two.attrs}")
        _same_bits(np.ascontiguousarray(one.values), np.ascontiguousarray(two.values), f"{what}: {name!r}")
    for name in a.coords:
        if name not in b.coords or not a.coords[name].equals(b.coords[name]):
            raise LawBrokenError(f"{what}: the coordinate {name!r} differs")


def _same_attrs(a: Any, b: Any) -> bool:
    return {k: repr(v) for k, v in a.items()} == {k: repr(v) for k, v in b.items()}


def _same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], what: str) -> None:
    if a.tobytes() == b.tobytes():
        return
    width = a.dtype.itemsize
    differ = (a.view(np.uint8).reshape(-1, width) != b.view(np.uint8).reshape(-1, width)).any(axis=1)
    first = np.unravel_index(int(np.argmax(differ)), a.shape)
    raise LawBrokenError(
        f"{what} differs in {int(differ.sum())} of {a.size} pixels, first at {tuple(map(int, first))}: "
        f"{a[first]} and {b[first]}"
    )


def cuts(shape: tuple[int, int], seed: int = 0, count: int = 4) -> list[tuple[int, int]]:
    """Return window sizes: single rows and columns, larger than the tile, and random ones."""
    rng = np.random.default_rng(seed)
    height, width = max(shape[0], 1), max(shape[1], 1)
    drawn = [(int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1))) for _ in range(count)]
    return [(1, width), (height, 1), (height + 5, width + 7), (7, 11), *drawn]


def assert_law(
    op: Operator,
    tile: xr.Dataset,
    *,
    windows: Iterable[tuple[int, int]] | None = None,
    threads: Iterable[int] = (1, 3),
    adversarial: bool = True,
    seed: int = 0,
) -> None:
    """Raise unless an operator gives the same bits however the tile is cut.

    Every window is computed from the pixels that the operator's plan asks for and no others, so a
    footprint that is too small shows as soon as a pixel outside it matters. Besides windows of one
    size and threads, the tile is cut into random rectangles that come in random order to several
    workers, and into irregular dask chunks.

    Parameters
    ----------
    op : Operator
        A Map, a pipeline or a Reduce. Data-dependent steps are frozen on the tile first.
    tile : xarray.Dataset
        The tile.
    windows : iterable of (rows, columns), optional
        Window sizes; by default single rows and columns, one larger than the tile, random ones.
    threads : iterable of int
        Numbers of threads: each with every window on the tile itself, by turns on the adversarial ones.
    adversarial : bool
        Also try tiles with one bright pixel, a cross of no-data, plateaus, infinite values, and no
        data at all.
    seed : int
        Seed of the random windows.

    Raises
    ------
    LawBrokenError
        Naming cut, variable and pixel.

    Examples
    --------
    >>> from geotoolz.core.testing import assert_law, contract_tile
    >>> from geotoolz.radiometry import BoxMean
    >>> assert_law(BoxMean(radius=2), contract_tile((17, 19)))
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy kernels meet infinite values here
        tiles = {"random": tile, **(adversaries(tile) if adversarial else {})}
        counts = tuple(threads)
        for turn, (label, one) in enumerate(tiles.items()):
            frozen = _frozen(op, one, tile)
            whole = _outcome(frozen, one, None, 1)
            sizes = list(windows) if windows is not None else cuts((one.sizes["y"], one.sizes["x"]), seed)
            for number, size in enumerate(sizes):
                # threads matter to how windows are dealt out, not to what their pixels hold
                in_turn = (counts[(turn + number) % len(counts)],)
                for n in counts if one is tile else in_turn:
                    what = f"{label} tile, windows of {size}, {n} thread(s)"
                    _compare(whole, _outcome(frozen, one, size, n), what)
            for n in (seed, seed + 1):
                _compare(whole, _cut(frozen, one, n), f"{label} tile, cut at random (seed {n})")
        _lazy(_frozen(op, tile, tile), tile, seed)


def _frozen(op: Operator, tile: xr.Dataset, other: xr.Dataset) -> Operator:
    """Return the operator frozen on a tile, or on another where that has no data to freeze on."""
    try:
        return freeze(op, tile)
    except TileError:
        return freeze(op, other)


def _compare(whole: Any, cut: Any, what: str) -> None:
    if not isinstance(whole, list):
        if repr(whole) != repr(cut):
            raise LawBrokenError(f"{what}: the statistic is {cut!r}, of the whole tile {whole!r}")
        return
    for one, two in zip(whole, cut, strict=True):
        assert_same(one, two, what)


def _outcome(op: Operator, tile: xr.Dataset, size: tuple[int, int] | None, threads: int) -> Any:
    """Return the output tiles; of a Reduce the statistic, or the text of the assertion that it fails."""
    if not isinstance(op, Reduce):
        result = run(op, tile, window=size, threads=threads)
        return [result] if isinstance(result, xr.Dataset) else list(result.values())
    try:
        return run_detailed(op, tile, outputs=(), window=size, threads=threads).statistics
    except GeotoolzError as error:
        return str(error)


def _cut(op: Operator, tile: xr.Dataset, seed: int) -> Any:
    """Return the same of a run whose windows, order and workers are drawn at random."""
    if not isinstance(op, Reduce):
        return list(run_cut(op, tile, seed)[0].values())
    try:
        program, statistics = compile(op, TileSpec.of(tile)), run_cut(op, tile, seed)[1]
        decide(program, statistics)
    except GeotoolzError as error:
        return str(error)
    return statistics


def _lazy(op: Operator, tile: xr.Dataset, seed: int) -> None:
    """Compare with a lazy run in irregular chunks."""
    if isinstance(op, Reduce) or 0 in (tile.sizes["y"], tile.sizes["x"]) or find_spec("dask") is None:
        return
    chunks = random_chunks((tile.sizes["y"], tile.sizes["x"]), seed)
    reach = compile(op, TileSpec.of(tile)).footprint
    chunks = {dim: -1 if getattr(reach, dim) == ALL else sizes for dim, sizes in chunks.items()}
    lazy = run(op, tile.chunk(chunks))
    parts = [lazy] if isinstance(lazy, xr.Dataset) else list(lazy.values())
    computed = [part.compute(scheduler="synchronous") for part in parts]
    _compare(_outcome(op, tile, None, 1), computed, f"random tile, lazy in chunks of {chunks}")
