"""What a pipeline can be frozen on: tiles, things that load or open one, catalogs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geotoolz.core._compile import Program
from geotoolz.core._errors import ParameterError
from geotoolz.core._execute import Array, Fetch, native
from geotoolz.core._extent import Extent
from geotoolz.core._lazy import xr
from geotoolz.core._specs import TileSpec

WINDOW = (1024, 1024)
"""Rows and columns of what is read at once; whole blocks of the files that providers make."""


@dataclass(frozen=True)
class Opened:
    """A tile that can be described, and fetched from in windows.

    Attributes
    ----------
    spec : TileSpec, or mapping of str to TileSpec
        Of the tile, or of a graph's inputs.
    fetching : callable
        Returns the `Fetch` for a program.
    window : tuple of int, optional
        What to fetch at once; None where the pixels are in memory.
    """

    spec: TileSpec | dict[str, TileSpec]
    fetching: Callable[[Program], Fetch]
    window: tuple[int, int] | None = None


Opener = Callable[[], Opened]


def openers(
    data: Any, sample: int | None = None, seed: int = 0, window: tuple[int, int] | None = None
) -> list[Opener]:
    """Return a function per tile that opens it; a sample of them if one is asked for.

    Raises
    ------
    ParameterError
        If there is no tile, fewer than the sample, or something that is none.
    """
    if _is_catalog(data):
        chosen = data if sample is None else data.sample(_checked(sample, len(data)), seed)
        items = list(chosen.tiles())
    else:
        items = [data] if _is_tile(data) else list(_iterated(data))
        if sample is not None:
            items = _sampled(items, _checked(sample, len(items)), seed)
    if not items:
        raise ParameterError("there is no tile to freeze on", expected="one tile at least")
    return [_opener(item, window) for item in items]


def _iterated(data: Any) -> Iterable[Any]:
    if callable(getattr(data, "load", None)) or callable(getattr(data, "open", None)) or callable(data):
        return [data]
    if not isinstance(data, Iterable) or isinstance(data, str | bytes):
        raise _no_tile(data)
    return data


def _is_catalog(data: Any) -> bool:
    return callable(getattr(data, "tiles", None)) and callable(getattr(data, "sample", None))


def _is_inputs(data: Any) -> bool:
    """Whether this is a mapping of tiles: the inputs of a graph."""
    return isinstance(data, Mapping) and bool(data) and all(isinstance(v, xr.Dataset) for v in data.values())


def _is_reader(item: Any) -> bool:
    return isinstance(getattr(item, "spec", None), TileSpec) and callable(getattr(item, "arrays", None))


def _is_tile(item: Any) -> bool:
    return isinstance(item, xr.Dataset) or _is_inputs(item) or _is_reader(item)


def _opener(item: Any, window: tuple[int, int] | None) -> Opener:
    if _is_tile(item):
        return lambda: _opened(item, window)
    for name in ("open", "load"):  # what opens is read in windows, what loads as a whole
        make = getattr(item, name, None)
        if callable(make):
            return lambda: _opened(make(), window)
    if callable(item):
        return lambda: _opened(item(), window)
    raise _no_tile(item)


def _no_tile(item: Any) -> ParameterError:
    return ParameterError(
        f"cannot load a tile from {type(item).__name__}",
        expected="a Dataset, a SceneReader, a GeoCatalog, or something with .open() or .load()",
    )


def _opened(tile: Any, window: tuple[int, int] | None) -> Opened:
    from geotoolz.core._run import _named, array_fetch

    if _is_reader(tile):
        return Opened(tile.spec, lambda program: _reading(program, tile), window or WINDOW)
    if isinstance(tile, xr.Dataset):
        spec: TileSpec | dict[str, TileSpec] = TileSpec.of(tile)
        tiles: Mapping[str, xr.Dataset] = {"": tile}
    elif _is_inputs(tile):
        spec, tiles = {name: TileSpec.of(one) for name, one in tile.items()}, tile
    else:
        raise _no_tile(tile)
    return Opened(spec, lambda program: array_fetch(program, _named(program, tiles)), window)


def _reading(program: Program, reader: Any) -> Fetch:
    """Return a fetch that reads each window of each band as it is asked for."""

    def fetch(slot: int, extent: Extent) -> Array:
        name = program.sources[slot][1]
        rows, cols = slice(extent.y0, extent.y1), slice(extent.x0, extent.x1)
        array = native(reader.arrays((name,), rows, cols)[name])
        array.flags.writeable = False
        return array

    return fetch


def _checked(sample: int, there: int) -> int:
    if type(sample) is not int or not 1 <= sample <= there:
        raise ParameterError(
            f"sample={sample!r}", expected=f"a whole number from 1 to {there}: the tiles given"
        )
    return sample


def _sampled(items: Sequence[Any], n: int, seed: int) -> list[Any]:
    """Draw tiles by their ids, whatever their order; by their places where ids are lacking."""
    names = [_id_of(item) for item in items]
    if None in names or len(set(names)) < len(names):
        names = [str(place) for place in range(len(items))]
    key = str(int(seed)).encode()[:64]
    ranks = [hashlib.blake2b(str(name).encode(), key=key, digest_size=8).digest() for name in names]
    chosen = sorted(range(len(items)), key=lambda place: ranks[place])[:n]
    return [items[place] for place in chosen]


def _id_of(item: Any) -> str | None:
    spec = getattr(item, "spec", None)
    attrs = spec.attrs if isinstance(spec, TileSpec) else getattr(item, "attrs", None)
    found = getattr(item, "tile_id", None) or (attrs.get("tile_id") if isinstance(attrs, Mapping) else None)
    return found if isinstance(found, str) and found else None
