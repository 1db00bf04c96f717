"""How a tile in memory is cut, and that its workers do every block once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import Map, Operator, Plan, Sequential, TileSpec, VarSpec, compile, run, tile_from_arrays
from geotoolz.core._blocks import BLOCK_PIXELS, blocks, dealt
from geotoolz.core._execute import Job
from geotoolz.core._extent import Extent, check_cover, row_blocks
from geotoolz.radiometry import BandMath, BoxMean, MinMax

NDVI = BandMath({"ndvi": "(nir - red) / (nir + red)"})


def tile(height: int, width: int) -> xr.Dataset:
    box = GeoBox((height, width), Affine(10, 0, 300000, 0, -10, 5200020), "EPSG:32633")
    plane = np.broadcast_to(np.float32(0.25), (height, width))
    return tile_from_arrays({"red": plane, "nir": plane}, box, attrs={"platform": "sentinel-2a"})


def job_of(op: Operator, ds: xr.Dataset, outputs: tuple[str, ...]) -> Job:
    program = compile(op, TileSpec.of(ds), outputs)
    slots = [slot for slot in program.wanted if slot not in program.sources]
    return Job.of(program, slots, (), ds.red.shape)


@given(st.integers(1, 60), st.integers(1, 9), st.randoms(use_true_random=False))
def test_every_block_is_taken_once_in_any_order(count: int, workers: int, random: Any) -> None:
    extents = row_blocks((count, 4), 4)
    left: list[Iterator[Extent]] = [iter(share) for share in dealt(extents, min(workers, count))]
    taken = []
    while left:
        worker = random.choice(left)
        block = next(worker, None)
        if block is None:
            left.remove(worker)
        else:
            taken.append(block)
    assert len(taken) == len(extents)
    check_cover(taken, (count, 4))


def test_every_block_is_taken_once_by_threads() -> None:
    extents = row_blocks((20_000, 4), 4)
    begin = threading.Barrier(4)

    def work(share: Iterator[Extent]) -> list[int]:
        begin.wait(30)
        return [block.y0 for block in share]

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(work, map(iter, dealt(extents, 4))))
    assert sorted(y for rows in taken for y in rows) == list(range(20_000))


def test_workers_begin_far_from_each_other_and_help_from_the_end() -> None:
    extents = row_blocks((80, 10), 100)
    first, second = map(iter, dealt(extents, 2))
    assert [next(first).y0, next(second).y0] == [0, 40]
    assert [block.y0 for block in second] == [50, 60, 70, 30, 20, 10]
    assert next(first, None) is None


@pytest.mark.parametrize(
    ("op", "outputs", "times"),
    [
        (NDVI, ("ndvi",), 4),
        (BandMath({"a": "red - nir", "b": "red / nir"}), ("a", "b"), 4),
        (Sequential([NDVI, MinMax(limits={"ndvi": (0.0, 1.0)}, bands=("ndvi",))]), ("ndvi",), 1),
        (BoxMean(1, ("red",)), ("red",), 1),  # reads beyond its own pixels
    ],
    ids=["one loop", "two outputs", "two loops", "neighbours"],
)
def test_blocks_of_one_loop_are_larger(op: Operator, outputs: tuple[str, ...], times: int) -> None:
    ds = tile(4096, 4096)
    (pixels,) = {block.shape[0] * block.shape[1] for block in blocks(job_of(op, ds, outputs), None)}
    assert pixels == times * BLOCK_PIXELS
    assert len(blocks(job_of(op, ds, outputs), None, threads=32)) >= 4 * 32


def test_windows_that_were_asked_for_stay() -> None:
    ds = tile(1000, 1000)
    assert len(blocks(job_of(NDVI, ds, ("ndvi",)), (256, 256))) == 16


def around(kernel: Any) -> Operator:
    """Return an operator around a kernel of one band."""
    function = kernel

    class Made(Map):
        def plan(self, tile: TileSpec) -> Plan:
            return Plan(("red",), {"out": VarSpec(tile.variables["red"].dims)})

        kernel = staticmethod(function)

    return Made()


def test_the_caller_works_beside_the_threads_it_starts() -> None:
    seen: dict[int, int] = {}
    both = threading.Barrier(2)

    def noted(red: Any) -> Any:
        me = threading.get_ident()
        seen[me] = seen.get(me, 0) + 1
        if seen[me] == 1:
            both.wait(30)  # neither is done with all before the other has begun
        return red + np.float32(1)

    before = threading.active_count()
    out = run(around(noted), tile(64, 64), window=(16, 64), threads=2)
    assert len(seen) == 2
    assert threading.get_ident() in seen
    assert sum(seen.values()) == 4
    assert threading.active_count() == before
    assert (out.out == 1.25).all()


@pytest.mark.parametrize("number", [0, 3])
def test_an_error_in_any_thread_reaches_the_caller(number: int) -> None:
    def failing(red: Any) -> Any:
        if red[0, 0] == number:  # the first block of the caller, or the last of the other
            raise RuntimeError(f"block {number}")
        return red

    ds = tile(64, 64)
    rows = np.repeat(np.arange(4, dtype=np.float32), 16)
    ds["red"] = ds.red.copy(data=np.broadcast_to(rows[:, None], (64, 64)))
    before = threading.active_count()
    with pytest.raises(RuntimeError, match=f"block {number}"):
        run(around(failing), ds, window=(16, 64), threads=2)
    assert threading.active_count() == before


def test_after_an_error_no_thread_begins_another_block() -> None:
    begun: list[float] = []

    def failing(red: Any) -> Any:
        begun.append(float(red[0, 0]))
        if red[0, 0] == 0:
            raise RuntimeError("the first block")
        time.sleep(0.3)  # by then the caller has failed
        return red

    ds = tile(40, 8)
    rows = np.arange(40, dtype=np.float32)
    ds["red"] = ds.red.copy(data=np.broadcast_to(rows[:, None], (40, 8)))
    with pytest.raises(RuntimeError, match="the first block"):
        run(around(failing), ds, window=(1, 8), threads=2)
    assert 0 in begun
    assert len(begun) <= 3
