"""Percentiles of a sample: the same pixels however the tile is cut, and an error that was promised."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import Extent, ParameterError, TileSpec, freeze, run_detailed
from geotoolz.radiometry import PercentileClip, Percentiles, Quantiles, _radix
from geotoolz.radiometry._percentiles import Draw

One = Callable[..., xr.Dataset]
Array = np.ndarray[Any, Any]


def numbered(one: One, shape: tuple[int, int] = (37, 53), **attrs: Any) -> xr.Dataset:
    """Return a tile whose every pixel is a number of its own, in random order."""
    count = shape[0] * shape[1]
    values = np.random.default_rng(1).permutation(count).astype("f4").reshape(shape)
    return one(values, np.nan, **attrs)


def drawn(tile: xr.Dataset, cell: int = 4, seed: int = 0) -> tuple[set[tuple[int, int]], int]:
    """Return rows and columns that are drawn from a whole tile, and the number of cells."""
    rows, cols = tile.sizes["y"], tile.sizes["x"]
    places = np.arange(rows * cols).reshape(rows, cols)
    found, cells = Draw(TileSpec.of(tile), cell, seed).of(places, Extent(0, rows, 0, cols))
    return {(int(p) // cols, int(p) % cols) for p in found}, cells


def test_one_pixel_of_every_cell(one: One) -> None:
    tile = numbered(one, (40, 48))  # the grid begins 0 pixels down and 0 across, modulo 4
    places, cells = drawn(tile)
    assert len(places) == cells == 10 * 12
    assert len({(y // 4, x // 4) for y, x in places}) == 120
    result = Percentiles(q=(50.0,), sample_cell=4)(tile)["red"]
    values = np.sort([float(tile.red.values[p]) for p in places])
    assert result == (float(np.percentile(values, 50)),)
    assert (result.n, result.cells, result.cell) == (120, 120, 4)


def test_cells_lie_on_the_grid_of_the_world(one: One) -> None:
    tile = numbered(one, (40, 48))
    for y, x in ((1, 0), (3, 5), (2, 47)):
        part = tile.isel(y=slice(y, None), x=slice(x, None))
        expected = {(a - y, b - x) for a, b in drawn(tile)[0] if a >= y and b >= x}
        places, cells = drawn(part)
        assert places == expected
        assert cells == -(-40 // 4 - -(y // 4)) * (12 - x // 4) or cells == (10 - y // 4) * (12 - x // 4)


def test_draws_are_uniform(one: One) -> None:
    counts = np.zeros((4, 4), int)
    for seed in range(20):
        for y, x in drawn(numbered(one, (128, 128)), seed=seed)[0]:
            counts[y % 4, x % 4] += 1
    expected = 20 * 1024 / 16
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_seed_date_tile_and_plane_draw_pixels_of_their_own(one: One) -> None:
    tile = numbered(one)
    sets = [
        drawn(tile)[0],
        drawn(tile, seed=1)[0],
        drawn(tile.assign_attrs(tile_id="b"))[0],
        drawn(tile.assign_attrs(datetime="2024-06-01T10:00:00Z"))[0],
    ]
    for i, a in enumerate(sets):
        for b in sets[:i]:
            assert len(a & b) < len(a) / 4
    draw = Draw(TileSpec.of(tile), 4, 0)
    stack = np.broadcast_to(np.arange(37 * 53).reshape(37, 53), (2, 37, 53))
    both, cells = draw.of(stack, Extent(0, 37, 0, 53))
    first, second = set(both[: len(both) // 2].tolist()), set(both[len(both) // 2 :].tolist())
    assert len(first & second) < len(first) / 4
    assert cells == 2 * drawn(tile)[1]


@pytest.mark.parametrize("cell", [2, 4, 16, 1024])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4", "f8"])
def test_windows_threads_and_pieces_change_nothing(one: One, cell: int, dtype: str) -> None:
    tile = numbered(one)
    tile["red"] = (tile.red.dims, (tile.red.values % 251).astype(dtype), {"_FillValue": 0})
    op = Percentiles(q=(2.0, 50.0, 98.0), sample_cell=cell)
    whole = op(tile)["red"]
    for window in ((1, 53), (37, 1), (7, 11), (64, 64)):
        for threads in (1, 2, 3):
            cut = run_detailed(op, tile, outputs=(), window=window, threads=threads).statistics[""]["red"]
            assert repr(cut) == repr(whole)
            assert (cut.n, cut.cells) == (whole.n, whole.cells)
    pieces = [
        tile.isel(y=slice(a, b), x=slice(c, d)) for a, b in ((20, 37), (0, 20)) for c, d in ((0, 5), (5, 53))
    ]
    clip = PercentileClip(2, 98, sample_cell=cell)
    if whole.n:
        assert freeze(clip, pieces) == freeze(clip, pieces[::-1]) == freeze(clip, tile, threads=2)


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_a_sample_that_is_held_gives_what_one_that_is_counted_gives(
    one: One, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = numbered(one, (90, 91)).astype(dtype)
    op = Percentiles(q=(0.0, 33.3, 100.0), sample_cell=2)
    assert op.is_final(op.finish(_state(op, tile)))
    held = op(tile)["red"]
    monkeypatch.setattr(_radix, "HELD_BYTES", 300)
    assert op.is_final(op.finish(_state(op, tile))) is (dtype == "u2")
    counted = run_detailed(op, tile, outputs=(), window=(13, 17), threads=2).statistics[""]["red"]
    assert counted == held == op(tile)["red"]
    assert counted.n == held.n == len(drawn(tile, 2)[0])


def _state(op: Percentiles, tile: xr.Dataset) -> Any:
    spec = TileSpec.of(tile)
    return op.update(
        op.init(spec), tile.red.values, extent=Extent(0, *tile.red.shape[:1], 0, *tile.red.shape[1:])
    )


def test_workers_that_count_and_workers_that_hold_are_merged(
    one: One, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = numbered(one, (90, 91))
    op, spec = Percentiles(sample_cell=2), TileSpec.of(tile)
    monkeypatch.setattr(_radix, "HELD_BYTES", 3000)
    result: Any = None
    for _ in range(2):
        large, small = op.init(spec, result), op.init(spec, result)
        large = op.update(large, tile.red.values[:70], extent=Extent(0, 70, 0, 91))
        small = op.update(small, tile.red.values[70:], extent=Extent(70, 90, 0, 91))
        result = op.finish(op.merge(small, large))
    assert result == op(tile)


def test_the_bound_by_hand() -> None:
    # sqrt(ln(2/0.05) / (2 · 10000)) + 1/10000 = 0.0135810 + 0.0001
    assert Quantiles((1.0,), 10_000, 10_000, 4).rank_error(0.95) == pytest.approx(0.0136810, abs=1e-7)
    assert Quantiles((1.0,), 10_000, 40_000, 4).rank_error(0.95) == pytest.approx(0.0272620, abs=1e-7)
    assert Quantiles((1.0,), 10_000, 10_000, 1).rank_error() == 0.0
    assert Quantiles((np.nan,), 0, 10_000, 4).rank_error() == 1.0
    for wrong in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ParameterError):
            Quantiles((1.0,)).rank_error(wrong)


@pytest.mark.parametrize("gaps", [0.0, 0.5])
def test_the_bound_holds(one: One, gaps: float) -> None:
    rng = np.random.default_rng(5)
    values = rng.random((128, 160)).astype("f4")  # noise: cells are not alike, so that nothing helps
    values[rng.random(values.shape) < gaps] = np.nan
    tile = one(values)
    ordered = np.sort(values[~np.isnan(values)])
    missed = 0
    for seed in range(150):
        found = Percentiles(q=(2.0, 50.0), sample_cell=4, seed=seed)(tile)["red"]
        for value, q in zip(found, (0.02, 0.5), strict=True):
            rank = np.searchsorted(ordered, value) / len(ordered)
            missed += abs(rank - q) > found.rank_error(0.9)
    assert missed <= 0.1 * 300


def test_real_errors_are_smaller_where_neighbours_are_alike(one: One) -> None:
    y, x = np.mgrid[:256, :256]
    tile = one((np.sin(y / 40) + np.cos(x / 30)).astype("f4"))
    exact, sampled = Percentiles()(tile)["red"], Percentiles(sample_cell=4)(tile)["red"]
    ranks = [np.mean(tile.red.values <= v) for v in sampled]
    assert np.abs(np.array(ranks) - (0.02, 0.98)).max() < sampled.rank_error() / 5
    assert exact.rank_error() == 0.0


@pytest.mark.parametrize("cell", [0, 3, -2, 2048])
def test_cells_are_powers_of_two(cell: int) -> None:
    for make in (Percentiles, PercentileClip):
        with pytest.raises(ParameterError, match="sample_cell"):
            make(sample_cell=cell)


def test_nothing_to_draw(one: One) -> None:
    for values in (np.full((5, 6), np.nan, "f4"), np.zeros((0, 6), "f4")):
        found = Percentiles(sample_cell=4)(one(values))["red"]
        assert np.isnan(found).all()
        assert found.n == 0


def test_a_block_whose_place_is_unknown(one: One) -> None:
    tile = numbered(one)
    op = Percentiles(sample_cell=4)
    with pytest.raises(ParameterError, match="no extent"):
        op.update(op.init(TileSpec.of(tile)), tile.red.values)


def test_sampling_is_part_of_the_identity(one: One) -> None:
    assert PercentileClip().config_hash() != PercentileClip(sample_cell=4).config_hash()
    assert PercentileClip(sample_cell=4).config()["sample_cell"] == 4
    exact, sampled = (freeze(PercentileClip(sample_cell=c), numbered(one)) for c in (1, 4))
    assert exact.limits != sampled.limits


def test_quantiles_survive_pickling() -> None:
    found = Quantiles((1.0, 2.0), 10, 12, 4)
    again = pickle.loads(pickle.dumps(found))
    assert again == found == (1.0, 2.0)
    assert (again.n, again.cells, again.cell) == (10, 12, 4)
