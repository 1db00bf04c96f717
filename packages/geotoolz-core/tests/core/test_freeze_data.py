"""What statistics are gathered from: whole tiles, pieces, streams, catalogs; always the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.catalog import GeoCatalog
from geotoolz.core import ParameterError, Sequential, Switch, TileError, TileSpec, freeze
from geotoolz.core.testing import contract_tile
from geotoolz.io import open_scene, open_tile, write_tile
from geotoolz.radiometry import (
    BoxMean,
    MinMax,
    Moments,
    PercentileClip,
    Percentiles,
    SelectBands,
    Standardize,
)

Make = Callable[..., xr.Dataset]
STEPS = (PercentileClip(3, 97), PercentileClip(3, 97, sample_cell=2), MinMax(), Standardize())


class Reader:
    """A tile behind a window: counts what is asked of it."""

    def __init__(self, tile: xr.Dataset) -> None:
        self.tile = tile
        self.spec = TileSpec.of(tile)
        self.largest = 0
        self.names: set[str] = set()
        self.opened = 0

    def arrays(self, names: Iterable[str], rows: slice, cols: slice) -> dict[str, Any]:
        found = {n: self.tile[n].values[..., rows, cols].copy() for n in names}
        self.names |= set(found)
        self.largest = max(self.largest, *(a.size for a in found.values()))
        return found

    def open(self) -> Reader:
        self.opened += 1
        return self


class LoadsTiles:
    """Like an iterable of a catalog's slices, and nothing else."""

    def __init__(self, tiles: list[xr.Dataset]) -> None:
        self.all = tiles

    def tiles(self) -> Iterable[Reader]:
        return iter(Reader(t) for t in self.all)

    def __len__(self) -> int:
        return len(self.all)

    def sample(self, n: int, seed: int = 0) -> LoadsTiles:
        return LoadsTiles(self.all[seed : seed + n])


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_every_way_of_cutting_gives_the_same_bits(step: Any) -> None:
    tile = contract_tile((64, 72), seed=3)[["red", "nir"]]
    op = Sequential([step, MinMax()])
    expected = freeze(op, tile)
    pieces = [tile.isel(y=slice(y, y + 25), x=slice(x, x + 31)) for y in (0, 25, 50) for x in (0, 31, 62)]
    for threads in (1, 2, 3):
        assert freeze(op, tile, threads=threads) == expected
        for order in (pieces, pieces[::-1], [pieces[i] for i in (4, 1, 8, 0, 7, 2, 3, 6, 5)]):
            assert freeze(op, order, threads=threads) == expected
        for window in ((1, 72), (64, 1), (13, 7), (1024, 1024)):
            assert freeze(op, Reader(tile), window=window, threads=threads) == expected
    assert freeze(op, [Reader(p) for p in pieces]) == expected
    assert freeze(op, tile, window=(5, 9)) == expected
    assert freeze(op, tile).config_hash() == expected.config_hash()


def test_neighbourhoods_before_a_statistic_are_read_with_their_halo() -> None:
    tile = contract_tile((64, 72), seed=3)[["red", "nir"]]
    op = Sequential([BoxMean(2), Standardize()])
    assert freeze(op, Reader(tile), window=(9, 11), threads=2) == freeze(op, tile)


def test_readers_are_read_in_windows_and_by_band() -> None:
    tile = contract_tile((600, 700))
    reader = Reader(tile)
    frozen = freeze(
        Sequential([SelectBands(("red", "nir")), PercentileClip(), Standardize(("red",))]), reader
    )
    assert reader.names == {"red", "nir"}
    assert frozen[2].moments.keys() == {"red"}  # type: ignore[attr-defined]
    small = Reader(tile)
    freeze(PercentileClip(bands=("red",)), small, window=(100, 50))
    assert small.names == {"red"}
    assert small.largest == 5000
    large = Reader(contract_tile((1100, 1030)))
    freeze(MinMax(("red",)), large)
    assert large.largest == 1024 * 1024


def test_things_that_open_are_opened_and_things_that_load_are_loaded(make: Make) -> None:
    tiles = [make((8, 9), seed=s) for s in range(3)]
    expected = freeze(MinMax(), tiles)
    readers = [Reader(t) for t in tiles]
    assert freeze(MinMax(), readers) == expected

    class Opens:
        def __init__(self, reader: Reader) -> None:
            self.reader = reader

        def open(self) -> Reader:
            return self.reader.open()

        def load(self) -> xr.Dataset:
            raise AssertionError("opened, not loaded")

    assert freeze(MinMax(), [Opens(r) for r in readers]) == expected
    assert all(r.opened for r in readers)
    assert freeze(MinMax(), (lambda r=r: r for r in readers)) == expected
    assert freeze(MinMax(), Opens(readers[0])) == freeze(MinMax(), tiles[0])
    assert freeze(MinMax(), lambda: tiles[0]) == freeze(MinMax(), tiles[0])
    assert freeze(MinMax(), LoadsTiles(tiles)) == expected


@pytest.mark.parametrize("data", [3, "scene.tif", b"", None, object(), [None], [lambda: 3]])
def test_what_is_no_tile(data: Any) -> None:
    with pytest.raises(ParameterError, match="cannot load a tile from"):
        freeze(MinMax(), data)


def test_samples_are_drawn_by_id_whatever_the_order(make: Make) -> None:
    tiles = [make((4, 4), seed=s, attrs={"tile_id": f"t{s}"}) for s in range(12)]
    three = freeze(MinMax(), tiles, sample=3)
    assert freeze(MinMax(), tiles[::-1], sample=3) == three
    assert freeze(MinMax(), [Reader(t) for t in tiles[5:] + tiles[:5]], sample=3) == three
    assert freeze(MinMax(), tiles, sample=3, seed=1) != three
    assert freeze(MinMax(), tiles, sample=12) == freeze(MinMax(), tiles)
    nameless = [t.drop_attrs() for t in tiles]
    assert freeze(MinMax(), nameless, sample=3) == freeze(MinMax(), nameless, sample=3)
    assert freeze(MinMax(), tiles[0], sample=1) == freeze(MinMax(), tiles[0])
    assert freeze(MinMax(), LoadsTiles(tiles), sample=2, seed=3) == freeze(MinMax(), tiles[3:5])
    for wrong in (0, 13, -1, 2.0, True):
        with pytest.raises(ParameterError, match="from 1 to 12"):
            freeze(MinMax(), tiles, sample=wrong)  # type: ignore[arg-type]
        with pytest.raises(ParameterError, match="from 1 to 12"):
            freeze(MinMax(), LoadsTiles(tiles), sample=wrong)  # type: ignore[arg-type]


def test_scenes_on_disk_and_catalogs(tmp_path: Path) -> None:
    for number in range(3):
        tile = contract_tile((70, 80), seed=number)[["red", "nir"]].assign_attrs(tile_id=f"s{number}")
        (tmp_path / f"s{number}").mkdir()
        for band in ("red", "nir"):
            write_tile(tile[[band]], tmp_path / f"s{number}" / f"s{number}_{band}.tif")
    catalog = GeoCatalog.from_folder(tmp_path)
    assert len(catalog) >= 3
    loaded = [part.load() for part in catalog]
    op = Sequential([Standardize(), PercentileClip(5, 95)])
    if len({tuple(t.data_vars) for t in loaded}) == 1:
        expected = freeze(op, loaded)
        assert freeze(op, catalog, threads=2) == expected
        assert freeze(op, catalog, sample=1, seed=4) == freeze(
            op, [part.load() for part in catalog.sample(1, 4)]
        )
    path = tmp_path / "s0" / "s0_red.tif"
    assert freeze(MinMax(), open_scene(path), window=(33, 21)) == freeze(MinMax(), open_tile(path))
    part = next(iter(catalog))
    assert part.open().spec.attrs == part.load().attrs
    assert repr(part.open().spec.variables) == repr(TileSpec.of(part.load()).variables)
    with pytest.raises(ParameterError, match="no tile"):
        freeze(op, catalog.filter(id=[]))


def test_no_valid_pixel_names_step_and_band(make: Make) -> None:
    tile = make((6, 7))
    tile.nir.values[:] = np.nan
    for step in (PercentileClip(), PercentileClip(sample_cell=2), MinMax(), Standardize()):
        name = type(step).__name__
        with pytest.raises(
            TileError, match=rf"operators\[1\] \({name}\) finds too few valid pixels of nir to"
        ):
            freeze(Sequential([BoxMean(1), step]), tile)
        assert freeze(step.replace(bands=("red",)), tile).is_frozen
        assert step(tile).nir.isnull().all()
    assert Moments()(tile).n == 0


def test_a_switch_meets_its_case_in_any_tile(make: Make) -> None:
    op = Switch("platform", {"b": Standardize()}, SelectBands(["red"]))
    tiles = [Reader(make(seed=i, attrs={"platform": p})) for i, p in enumerate("ab")]
    assert freeze(op, tiles).cases["b"].is_frozen  # type: ignore[attr-defined]


def test_threads_are_checked(make: Make) -> None:
    with pytest.raises(ParameterError, match="threads=0"):
        freeze(MinMax(), make(), threads=0)


def test_a_statistic_whose_first_pass_is_final_makes_no_other(make: Make) -> None:
    reader = Reader(make((40, 40), bands=("red",)))
    calls: list[int] = []
    inner = reader.arrays
    reader.arrays = lambda *a: (calls.append(1), inner(*a))[1]  # type: ignore[method-assign]
    freeze(PercentileClip(sample_cell=4), reader)
    assert len(calls) == 1
    freeze(PercentileClip(), reader)
    assert len(calls) == 3
    assert Percentiles.passes == 2
