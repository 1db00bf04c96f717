"""A stream that has been compiled: what is read, computed and written, before a pixel is touched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol

from geotoolz.core import (
    CONFIG_HASH_ATTR,
    ExecutorError,
    Operator,
    ParameterError,
    Program,
    TileError,
    TileSpec,
    compile,
)
from geotoolz.core._blocks import blocks
from geotoolz.core._execute import Array, Job
from geotoolz.core._extent import Extent
from geotoolz.core._memory import give_back, parse_bytes, resident
from geotoolz.core._run import _check_window, decide
from geotoolz.core._stream import Clock, Pass, job_inputs, visit
from geotoolz.core._threads import cpus
from geotoolz.io._block_cache import block_cache
from geotoolz.io._reader import SceneReader, open_scene
from geotoolz.io._readers import OpenScene
from geotoolz.io._stream_cog import CogStream
from geotoolz.io._stream_memory import warm_up
from geotoolz.io._stream_plan import READ_CACHE, StreamPlan, Work, fitted, plan_windows
from geotoolz.io._stream_source import SceneInput
from geotoolz.io._stream_zarr import ZarrStream
from geotoolz.io._write import WriteCOG
from geotoolz.io._write_zarr import WriteZarr

WHO = "a stream sees a window at a time"
Progress = Callable[[int, int], None]


class End(Protocol):
    """Where a stream ends."""

    names: tuple[str, ...]
    block: tuple[int, int]
    cache: int
    raw: int

    def __enter__(self) -> Any: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Take a window."""

    def mark(self, marks: Mapping[str, Any]) -> None:
        """Add what assertions say to the tile's attributes."""

    def finish(self, threads: int) -> None:
        """Make everything but visible."""

    def publish(self) -> tuple[str, ...]:
        """Make it visible."""


class Stream:
    """A stream that has been compiled; nothing has been read or written."""

    def __init__(
        self,
        op: Operator,
        source: Any,
        sink: Any,
        outputs: Iterable[str] | str | None,
        read: Mapping[str, Any],
    ) -> None:
        refuse_opaque(op)
        self.op, self.origin = op, source if isinstance(source, str | os.PathLike) else ""
        self.read = dict(read)
        readers = _readers(source, read)
        spec = {name: reader.spec for name, reader in readers.items()}
        asked = None if outputs is None else (outputs,) if isinstance(outputs, str) else tuple(outputs)
        whole = compile(op, spec.get("", spec))
        self.sink = None if asked == () else _sink(whole, sink, asked)
        if len(whole.states) != 1:
            raise ExecutorError(
                f"the graph has several outputs: {', '.join(whole.states)}", fix="stream them one by one"
            )
        self.tile = _output(whole)
        created = whole.created
        names = () if self.sink is None else _chosen(self.sink, self.tile, created)
        self.program = compile(op, spec.get("", spec), names)
        self.program.refuse_unfrozen(WHO)
        slots = {name: self._slot(name) for name in names}
        self.end: End | None = None if self.sink is None else _end(self.sink, self.tile, created, slots)
        self.jobs = tuple(_jobs(self.program))
        if not self.jobs:
            raise ParameterError(
                "outputs=() and the pipeline gathers no statistics",
                expected="something to write or a Reduce step",
                fix="leave outputs out",
            )
        for job in self.jobs:
            refuse_whole(job)
        used = dict.fromkeys(slot for job in self.jobs for slot in job_inputs(job))
        sources = {slot: self.program.sources[slot] for slot in used}
        self.source = SceneInput({s: (readers.get(i, readers.get("")), n) for s, (i, n) in sources.items()})  # type: ignore[misc]
        end = self.end
        block, cache, raw = (end.block, end.cache, end.raw) if end is not None else ((1, 1), 0, 0)
        reads = tuple(dict.fromkeys(n for _, n in sources.values()))
        self.work = Work(self.jobs, self.source, self.sink, block, cache, raw, reads, names)

    def _slot(self, name: str) -> int:
        return next(iter(self.program.states.values())).slots[name]

    def plan(
        self, window: tuple[int, int] | None, threads: int | None, max_memory: int | float | str | None
    ) -> StreamPlan:
        """Choose windows and threads."""
        _check_window(window)
        if window is not None and min(window) < 1:
            raise ExecutorError(f"window {window} is smaller than one pixel", expected="at least (1, 1)")
        if threads is not None and (type(threads) is not int or threads < 1):  # True is an int too
            raise ParameterError(
                f"threads={threads!r}", expected="1 or more", fix="leave it out: one per CPU"
            )
        if 0 in self.tile.shape:
            raise TileError(f"the tile is empty: {self.tile.shape[0]} × {self.tile.shape[1]} pixels")
        limit = None if max_memory is None else parse_bytes(max_memory)
        with block_cache(READ_CACHE):
            warm_up(self.jobs, self.source, self.sink)
        give_back()
        return plan_windows(
            self.work,
            resident(),
            window=window,
            threads=threads or cpus(),
            fixed_threads=threads is not None,
            max_memory=limit,
        )

    def windows(self, plan: StreamPlan, clock: Clock, progress: Progress | None) -> dict[str, Any]:
        """Treat all windows, let every assertion decide, and return the statistics."""
        found: dict[str, Any] = {}
        told = None if progress is None else lambda done: progress(done, plan.windows)
        with block_cache(READ_CACHE):
            for job in self.jobs:
                states = self._visit(job, plan, clock, None, told)
                found.update((r.path, r.op.finish(s)) for r, s in zip(job.reductions, states, strict=True))
                told = None
            for reduction in self.program.reductions:
                is_final = getattr(reduction.op, "is_final", None)
                for _ in range(1, reduction.op.n_passes(reduction.spec)):
                    if is_final is not None and is_final(found[reduction.path]):
                        break
                    job = Job.of(self.program, (), (reduction,), reduction.spec.shape)
                    state = self._visit(job, plan, clock, found[reduction.path], None)[0]
                    found[reduction.path] = reduction.op.finish(state)
        marks = decide(self.program, found)
        if marks and self.end is not None:
            self.end.mark(marks)
        return found

    def _visit(self, job: Job, plan: StreamPlan, clock: Clock, previous: Any, told: Any) -> list[Any]:
        extents = blocks(job, fitted(job, plan.window))
        output = self.end if self.end is not None else _NOWHERE
        return visit(Pass(job, extents, plan.threads, previous), self.source, output, clock, told)


class _Nowhere:
    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Take nothing."""


_NOWHERE = _Nowhere()


def refuse_opaque(op: Operator) -> None:
    """Raise for a step that holds a Python function: nothing is known of what it looks at."""
    for path, step in op.walk():
        if getattr(step, "opaque", False):
            raise ExecutorError(
                f"{path or 'this step'} ({type(step).__name__}) holds a Python function, and {WHO}",
                expected="operators that say what they read and how far they look",
                fix="leave the step out, write it as an operator (Map), or run on whole tiles with run()",
            )


def refuse_whole(job: Job) -> None:
    """Raise for a step that looks at the whole tile."""
    step = job.needs_whole
    if step is not None:
        raise ExecutorError(
            f"{step.path or 'this step'} looks at the whole tile, and {WHO}",
            fix="run it on whole tiles with run(), or replace the step by one with a finite reach",
        )


def _readers(source: Any, read: Mapping[str, Any]) -> dict[str, SceneReader]:
    if isinstance(source, Mapping) and "type" not in source and "assets" not in source:
        return {str(name): _reader(one, read) for name, one in source.items()}
    return {"": _reader(source, read)}


def _reader(source: Any, read: Mapping[str, Any]) -> SceneReader:
    scene = source if isinstance(source, OpenScene) else open_scene(source, **read)
    if not isinstance(scene, SceneReader):
        raise ExecutorError(
            f"{scene.origin} is no set of rasters, and {WHO}",
            fix="run it on whole tiles (run(), `geotoolz run`), or convert it to Zarr or GeoTIFF first",
        )
    if read and scene is source:
        raise ParameterError(
            f"{', '.join(read)} given for a scene that is open", fix="say it to open_scene, or give the path"
        )
    return scene


def _sink(program: Program, given: Any, outputs: tuple[str, ...] | None) -> WriteCOG | WriteZarr:
    """Return the sink: the one given, else the pipeline's own; a path alone keeps the own one's settings."""
    own = next((sink for _, sink in program.sinks), None)
    sink = own if given is None else given
    if sink is None:
        raise ParameterError(
            "the pipeline has no sink",
            expected="a place to write",
            fix='give sink="….tif" or sink="….zarr"; outputs=() gathers statistics only',
        )
    if isinstance(sink, str | os.PathLike):
        kind = WriteZarr if os.fspath(sink).lower().endswith(".zarr") else WriteCOG
        if type(own) is kind:
            sink = own.replace(path=os.fspath(sink))
        else:
            sink = kind(os.fspath(sink), getattr(own, "bands", None))
    if not isinstance(sink, WriteCOG | WriteZarr):
        raise ParameterError(
            f"the sink is {type(sink).__name__}", expected="WriteCOG, WriteZarr, or a path (.tif, .zarr)"
        )
    return sink if outputs is None else sink.replace(bands=outputs)


def _output(program: Program) -> TileSpec:
    """Return the finished tile's description, as a Dataset would show it."""
    output = program.output
    return replace(output, attrs={k: v for k, v in output.attrs.items() if k != CONFIG_HASH_ATTR})


def _chosen(sink: WriteCOG | WriteZarr, tile: TileSpec, created: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(sink, WriteZarr):
        return sink.chosen(tile, created)[1]
    return tuple(sink.output_paths(tile, created))


def _end(
    sink: WriteCOG | WriteZarr, tile: TileSpec, created: tuple[str, ...], slots: Mapping[str, int]
) -> End:
    if isinstance(sink, WriteZarr):
        return ZarrStream(sink, tile, created, slots)
    return CogStream(sink, tile, created, slots)


def _jobs(program: Program) -> Iterable[Job]:
    """Yield one job per grid: what is written first, then statistics of other grids."""
    shapes = dict.fromkeys([*(program.shapes[s] for s in program.wanted), *program.shapes])
    for shape in shapes:
        slots = [slot for slot in program.wanted if program.shapes[slot] == shape]
        reductions = [r for r in program.reductions if r.spec.shape == shape]
        if slots or reductions:
            yield Job.of(program, slots, reductions, shape)
