"""Prepared blocks: they compute what `run_window` computes, and leave alone what they cannot do."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import (
    Call,
    Extent,
    Map,
    Plan,
    Sequential,
    TileSpec,
    VarSpec,
    choose,
    compile,
    kernel,
    pixelwise,
    run,
    run_detailed,
)
from geotoolz.core import _run as runner
from geotoolz.core._execute import Job, run_window
from geotoolz.core._replay import Replay
from geotoolz.core._run import array_fetch
from geotoolz.radiometry import BandMath, BoxMean, Extremes, MinMax, PercentileClip, ToFloat32

Make = Callable[..., xr.Dataset]
LIMITS = {"red": (0.1, 0.4), "nir": (0.1, 0.5), "sum": (0.0, 1.0)}
CHAIN = Sequential([
    ToFloat32(), BandMath("red + nir", "sum"), PercentileClip(limits=LIMITS), MinMax(limits=LIMITS),
])  # fmt: skip


@pixelwise(np.float32, arrays=2)
def _twice(out: Any, a: Any, b: Any) -> None:
    for i in range(out.size):
        out[i] = 2 * a[i] + b[i]


class Twice(Map):
    """2 · red + nir."""

    def plan(self, tile: TileSpec) -> Plan:
        call = Call(("red", "nir"), ("made",), _twice)
        return Plan(("red", "nir"), {"made": VarSpec(("y", "x"))}, calls=(call,))


def scene(shape: tuple[int, int] = (37, 29), seed: int = 0) -> xr.Dataset:
    from geotoolz.core.testing import simulate_scene

    tile = simulate_scene(shape, seed=seed)
    return tile[["red", "nir", "green"]]


def job_of(op: Any, tile: xr.Dataset) -> tuple[Job, Any]:
    program = compile(op, TileSpec.of(tile))
    slots = [s for s in program.wanted if s not in program.sources]
    job = Job.of(program, slots, program.reductions, (tile.sizes["y"], tile.sizes["x"]))
    return job, array_fetch(program, {"": tile})


def empty_outputs(job: Job) -> dict[int, Any]:
    return {slot: np.zeros((*job.program.leads[slot], *job.shape), np.float32) for slot in job.wanted}


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 30), st.integers(0, 25))
def test_a_block_is_what_run_window_gives(height: int, width: int, y: int, x: int):
    tile = scene()
    extent = Extent(y, min(y + height, 37), x, min(x + width, 29))
    job, fetch = job_of(CHAIN, tile)
    replay = Replay.of(job)
    assert replay is not None
    into = empty_outputs(job)
    assert replay.run(fetch, extent, [], into)
    for slot, expected in run_window(job, fetch, extent).items():
        np.testing.assert_array_equal(extent.of(into[slot]), expected)
        rest = into[slot].copy()
        extent.of(rest)[...] = 0
        assert not rest.any(), "pixels beyond the window were written"


def test_blocks_of_changing_size_share_their_buffers():
    tile, op = scene((64, 32)), CHAIN
    job, fetch = job_of(op, tile)
    replay = Replay.of(job)
    into = empty_outputs(job)
    for extent in (Extent(0, 5, 0, 32), Extent(5, 40, 0, 32), Extent(40, 41, 0, 32), Extent(41, 64, 3, 17)):
        assert replay.run(fetch, extent, [], into)
        for slot, expected in run_window(job, fetch, extent).items():
            np.testing.assert_array_equal(extent.of(into[slot]), expected)
    held = [b for b in replay._buffers if b is not None]
    assert all(b.size <= 35 * 32 for b in held)
    assert len(held) <= 6, "a buffer of a slot that nobody reads any more was not used again"


def test_the_tile_stays_as_it_is():
    tile = scene()
    before = tile.copy(deep=True)
    run(CHAIN, tile, window=(7, 11), threads=2)
    xr.testing.assert_identical(tile, before)


def test_statistics_see_every_pixel_of_what_the_loops_made():
    tile = scene()
    op = Sequential([ToFloat32(), BandMath("red + nir", "sum"), Extremes(("sum", "red"))])
    whole = run_detailed(op, tile)
    cut = run_detailed(op, tile, window=(5, 7), threads=2)
    assert whole.statistics and whole.statistics == cut.statistics
    for name in ("sum", "red"):
        np.testing.assert_array_equal(whole.tiles[""][name], cut.tiles[""][name])


def test_an_input_of_another_dtype_is_left_to_run_window():
    tile = scene()
    job, fetch = job_of(CHAIN, tile)
    replay, extent = Replay.of(job), Extent(0, 4, 0, 29)

    def other(slot: int, where: Extent) -> Any:
        return fetch(slot, where).astype(np.float64)

    assert not replay.run(other, extent, [], empty_outputs(job))


def test_what_is_no_loop_over_pixels_is_not_prepared():
    tile = scene()
    assert Replay.of(job_of(Sequential([ToFloat32(), BoxMean(1)]), tile)[0]) is None

    class Plain(Map):
        def plan(self, tile: TileSpec) -> Plan:
            call = Call(("red",), ("made",), lambda a: a.astype(np.float32))
            return Plan(("red",), {"made": VarSpec(("y", "x"))}, calls=(call,))

    assert Replay.of(job_of(Plain(), tile)[0]) is None
    assert Replay.of(job_of(Twice(), tile)[0]) is not None


def test_a_loop_that_breaks_its_promise_is_still_caught():
    class Liar(Map):
        def plan(self, tile: TileSpec) -> Plan:
            call = Call(("red", "nir"), ("made",), _twice)
            return Plan(("red", "nir"), {"made": VarSpec(("y", "x"), np.uint8)}, calls=(call,))

    tile = scene()
    assert Replay.of(job_of(Liar(), tile)[0]) is None
    with pytest.raises(Exception, match="as its plan says"):
        run(Liar(), tile, window=(8, 8))


def test_the_runner_uses_it(monkeypatch):
    used = []
    plain = Replay.run

    def counted(self: Replay, *args: Any) -> bool:
        used.append(1)
        return plain(self, *args)

    monkeypatch.setattr(runner.Replay, "run", counted)
    run(CHAIN, scene(), window=(10, 10), threads=1)
    assert len(used) == 4 * 3


# ---- choose ----


@pixelwise(np.float32, arrays=2)
def _chosen(out: Any, mask: Any, a: Any) -> None:
    for i in range(out.size):
        out[i] = choose(mask[i] != 0, a[i], np.nan)


def test_choose_is_a_conditional_expression():
    mask = np.array([[1, 0, 2]], np.uint8)
    np.testing.assert_array_equal(_chosen(mask, np.array([[4, 5, 6]], np.uint16)), [[4.0, np.nan, 6.0]])
    np.testing.assert_array_equal(
        _chosen(mask, np.array([[4, np.nan, np.nan]], np.float32)), [[4.0, np.nan, np.nan]]
    )
    assert choose(True, 1, 2) == 1
    assert choose(False, 1, 2) == 2


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="without the compiler it is Python's")
def test_choose_refuses_what_is_no_condition():
    from numba.core.errors import TypingError

    @pixelwise(np.float32)
    def wrong(out, a):
        for i in range(out.size):
            out[i] = choose(a[i], 1.0, 2.0)

    with pytest.raises(TypingError):
        wrong(np.ones(3))

    @kernel
    def arrays(a):
        return choose(True, a, a)

    with pytest.raises(TypingError):
        arrays(np.ones(3))
