"""run_chips: from any source to any sink, chip by chip, in memory that is known beforehand."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from geotoolz.core import ExecutorError, ParameterError, TileError
from geotoolz.core._lazy import xr
from geotoolz.core._memory import parse_bytes
from geotoolz.patch._budget import budget, in_memory, require_chips, require_nodata
from geotoolz.patch._chip import chip_dataset
from geotoolz.patch._ends import open_end
from geotoolz.patch._journal import Journal, plan_key
from geotoolz.patch._loop import ChipFailure, Inline, Loop, OnError
from geotoolz.patch._merge import Merger
from geotoolz.patch._opaque import OpaqueWork, work_of
from geotoolz.patch._source import Array, DatasetSource, as_source
from geotoolz.patch._work import Work

if TYPE_CHECKING:
    from geotoolz.patch._apply import ApplyToChips
    from geotoolz.patch._stitcher import Stitcher


@dataclass(frozen=True)
class ChipRun:
    """What `run_chips` gave.

    Attributes
    ----------
    paths : tuple of str
        What was written.
    chips, resumed : int
        How many chips there were, and how many of them came from the journal.
    failures : tuple of ChipFailure
        Chips that failed at least once.
    memory : int
        Bytes that were announced for chips and unfinished rows.
    """

    stitched: xr.Dataset | None
    paths: tuple[str, ...]
    chips: int
    resumed: int
    failures: tuple[ChipFailure, ...]
    memory: int

    @property
    def tile(self) -> xr.Dataset:
        """The stitched tile.

        Raises
        ------
        ExecutorError
            If it was written to a sink.
        """
        if self.stitched is None:
            raise ExecutorError(f"the tile was written to {', '.join(self.paths)}", fix="open it from there")
        return self.stitched


def run_chips(
    op: ApplyToChips,
    source: Any,
    sink: Any = None,
    *,
    workers: int = 1,
    ahead: int = 2,
    on_error: OnError = "raise",
    retries: int = 2,
    journal: str | os.PathLike[str] | None = None,
    max_memory: int | float | str | None = None,
    executor: Executor | None = None,
) -> ChipRun:
    """Apply an operator chip by chip and put the chips together, from any source to any sink.

    Chips are read and computed by workers, some ahead of what is being put together; they are put together
    in the order of the grid, so the result does not depend on the number of workers or on who is done first.

    Parameters
    ----------
    op : ApplyToChips
        Chips, operator, stitcher. Its geometry may cut along time: blocks of dates are then treated one
        after another (scenes in memory or Zarr, no sink).
    source : xarray.Dataset, path, STAC item, GeoSlice, or Source
        The scene; see `as_source`.
    sink : path, WriteCOG or WriteZarr, optional
        Where rows are written as soon as no chip reaches them; by default the tile is returned.
    workers : int
        Threads; operators release the GIL.
    ahead : int
        Chips (or batches) that are read before their turn, beyond one per worker. A single worker takes
        what lies in memory in turn.
    on_error : {"raise", "skip", "mask", "retry"}
        What happens when a chip fails: the run stops; the chip counts as no-data, and others may fill its
        place; its pixels become no-data whatever the others say; it is tried again up to `retries` times.
        A chip fails, too, whose size or type is not that of the others, or whose labels are no class.
    retries : int
        How often, for ``"retry"``.
    journal : path, optional
        A folder that keeps finished chips: after a stop the same call goes on and reads them again. It
        belongs to an operator, the code of the functions in it, and a scene.
    max_memory : int or str, optional
        Raise before anything is read if more would be held.
    executor : concurrent.futures.Executor, optional
        Takes the place of the threads, such as a pool of processes; `workers` is then the number of chips
        in work at a time.

    Returns
    -------
    ChipRun

    Raises
    ------
    ParameterError
        If the chips do not cover the scene, or an option has a value that it cannot have.
    ExecutorError
        If more memory is needed than allowed, or a worker dies.
    BatchError
        If the journal belongs to another plan.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import ApplyToChips, GridSampler, run_chips
    >>> from geotoolz.radiometry import BoxMean
    >>> scene = simulate_scene((100, 80), bands=("red",))
    >>> result = run_chips(ApplyToChips(GridSampler(32), BoxMean(2)), scene, workers=2)
    >>> result.chips, result.failures, result.tile.red.shape
    (12, (), (100, 80))
    """
    if workers < 1 or ahead < 0 or retries < 0:
        raise ParameterError(
            f"workers={workers}, ahead={ahead}, retries={retries}", expected="1 or more, 0 or more, 0 or more"
        )
    require_chips(op, "run_chips")
    if on_error not in ("raise", "skip", "mask", "retry"):
        raise ParameterError(f"on_error={on_error!r}", expected="raise, skip, mask or retry")
    opened = as_source(source)
    run = partial(
        _run, sink=sink, workers=workers, ahead=ahead, policy=(on_error, retries), journal=journal,
        limit=max_memory, executor=executor,
    )  # fmt: skip
    if op.sampler.geometry.time is None:
        return run(op, opened)
    if not isinstance(opened, DatasetSource) or sink is not None or journal is not None:
        raise ExecutorError(
            "chips of some dates are cut from tiles in memory or Zarr, and returned",
            fix="no sink and no journal, or a geometry without time",
        )
    return _by_dates(op, opened, run)


def _by_dates(op: ApplyToChips, source: DatasetSource, run: Callable[..., ChipRun]) -> ChipRun:
    from geotoolz.patch._sampler import date_blocks

    geometry = op.sampler.geometry
    each = op.replace(sampler=op.sampler.replace(geometry=geometry.replace(time=None)))
    whole = op.sampler.boundary == "raise"
    blocks = [b for b in date_blocks(source.spec, geometry.time, whole=False) if b is not None]
    if whole and any(end - first != geometry.time for first, end in blocks):
        raise ParameterError(
            f"chips of {geometry.time} dates do not end with the {source.spec.sizes['time']} dates",
            fix="another number of dates, or another boundary",
        )
    runs = [run(each, DatasetSource(source.itself.isel(time=slice(*block)))) for block in blocks]
    tiles = [one.tile for one in runs]
    if "time" in tiles[0].dims:
        tile = xr.concat(
            tiles, "time", data_vars="minimal", coords="minimal", compat="override", join="override",
            combine_attrs="override",
        )  # fmt: skip
    elif len(tiles) == 1:
        tile = tiles[0]
    else:
        raise TileError("the chip operator drops time, and there are several blocks of dates",
                        fix="a geometry without time")  # fmt: skip
    failures = tuple(f for one in runs for f in one.failures)
    total = sum(one.chips for one in runs)
    return ChipRun(tile, (), total, 0, failures, max(one.memory for one in runs))


def _run(
    op: ApplyToChips,
    source: Any,
    *,
    sink: Any,
    workers: int,
    ahead: int,
    policy: tuple[OnError, int],
    journal: str | os.PathLike[str] | None,
    limit: int | float | str | None,
    executor: Executor | None,
) -> ChipRun:
    work = work_of(op, source)
    memory = budget(op, work, workers, ahead, sink is not None)
    if limit is not None and memory > parse_bytes(limit):
        raise ExecutorError(
            f"the chips take {memory / 1e6:.0f} MB", expected=f"at most {limit}",
            fix="smaller chips, fewer workers, a smaller batch, or a sink",
        )  # fmt: skip
    held = None if journal is None else Journal(journal, plan_key(op, source))
    if policy[0] in ("skip", "mask"):
        require_nodata(work, policy[0])
    loop = Loop(work, op.batch_size, policy, held)
    if executor is not None:
        return stitch(work, op.stitcher, loop, source, sink, executor, workers + ahead, memory)
    if workers == 1 and in_memory(source):
        return stitch(work, op.stitcher, loop, source, sink, Inline(), 1, memory)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="geotoolz-chips")
    try:
        return stitch(work, op.stitcher, loop, source, sink, pool, workers + ahead, memory)
    finally:
        pool.shutdown(cancel_futures=True)


def stitch(
    work: Work,
    stitcher: Stitcher,
    loop: Loop,
    source: Any,
    sink: Any,
    pool: Executor,
    inflight: int,
    memory: int = 0,
) -> ChipRun:
    """Run all chips and put them together, in memory or into a sink."""
    tile: xr.Dataset | None = None
    paths: tuple[str, ...] = ()
    if sink is None:
        merger = Merger(stitcher, work.layers, work.rows, work.cols, copy=work.copy)
        loop.fill(merger, pool, inflight)
        arrays = merger.result()
        loop.mask(0, arrays)
        tile = _tile(work, arrays, source)
    else:
        paths = _written(work, stitcher, loop, sink, pool, inflight)
    return ChipRun(tile, paths, len(work.places()), loop.resumed, tuple(loop.failures), memory)


def _written(
    work: Work, stitcher: Stitcher, loop: Loop, sink: Any, pool: Executor, inflight: int
) -> tuple[str, ...]:
    with open_end(sink, work.out, tuple(work.layers.specs)) as end:

        def put(first: int, rows: dict[str, Array]) -> None:
            loop.mask(first, rows)
            end.write(first, rows)

        merger = Merger(stitcher, work.layers, work.rows, work.cols, put=put, copy=work.copy)
        loop.fill(merger, pool, inflight)
        return end.close()


def _tile(work: Work, arrays: dict[str, Array], source: Any) -> xr.Dataset:
    tile = chip_dataset(work.out, arrays)
    kept = work.same if isinstance(work, OpaqueWork) else ()
    if not kept or work.out.shape != source.spec.shape:
        return tile
    return chip_dataset(
        work.out.evolve({**{n: source.spec.variables[n] for n in kept}, **work.out.variables}),
        {**source.arrays(kept), **arrays},
    )
