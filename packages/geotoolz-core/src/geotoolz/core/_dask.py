"""Lazy tiles: one adapter from program to dask graph. Kernels never see dask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from geotoolz.core._build import build_dataset
from geotoolz.core._compile import compile
from geotoolz.core._errors import ExecutorError, MissingDependencyError
from geotoolz.core._execute import Job, native, run_window
from geotoolz.core._extent import Extent
from geotoolz.core._footprint import ALL
from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator
from geotoolz.core._run import _named, _new_states, _spec, decide, merge_states

LAZY = "a lazy (dask) tile is treated chunk by chunk"


def run_lazy(
    op: Operator, tile: xr.Dataset | Mapping[str, xr.Dataset], outputs: Iterable[str] | None = None
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Build the lazy result of a pipeline; nothing is computed.

    Every chunk of the result is one task that runs the whole pipeline on the pixels that the
    chunk depends on. Assertions decide when the result is computed: all its chunks wait for them.

    Parameters
    ----------
    op : Operator
        The pipeline.
    tile : xarray.Dataset or mapping of str to xarray.Dataset
        With dask arrays.
    outputs : iterable of str, optional
        As for `run`.
    """
    wanted = None if outputs is None else tuple(outputs)
    tiles: Mapping[str, xr.Dataset] = {"": tile} if isinstance(tile, xr.Dataset) else tile
    program = compile(op, _spec(tile), wanted)
    program.refuse_unfrozen(LAZY)
    if program.sinks:
        raise ExecutorError(
            "a lazy tile cannot be written by a sink", fix="call .compute() on the result and write it"
        )
    marking = next((r for r in program.reductions if getattr(r.op, "is_marking", False)), None)
    if marking is not None:
        who = marking.path or type(marking.op).__name__
        raise ExecutorError(
            f"{who} marks the tile once its pixels are seen, and {LAZY}",
            fix="let it raise or warn, or call it on tile.compute()",
        )
    tiles = _named(program, tiles)
    arrays: dict[int, Any] = {}
    verdicts: list[Any] = []
    for shape in dict.fromkeys(program.shapes):
        slots = [s for s in program.wanted if s not in program.sources and program.shapes[s] == shape]
        reductions = [r for r in program.reductions if r.spec.shape == shape]
        if slots or reductions:
            job = Job.of(program, slots, reductions, shape)
            found, verdict = _lazy_blocks(job, tiles)
            arrays.update(found)
            verdicts.extend(verdict)
    built = build_dataset(program, tiles, arrays, wanted)
    if verdicts:
        built = {name: _bound(ds, verdicts) for name, ds in built.items()}
    return built.get("", built)


def _import_dask() -> Any:
    try:
        import dask.array as da
    except ImportError as error:
        raise MissingDependencyError(
            "lazy tiles need dask", fix="pip install 'geotoolz-core[dask]'"
        ) from error
    return da


def _lazy_blocks(job: Job, tiles: Mapping[str, xr.Dataset]) -> tuple[dict[int, Any], list[Any]]:
    from dask.base import tokenize
    from dask.delayed import delayed

    da = _import_dask()
    sources = {slot: _dask_array(da, tiles, where) for slot, where in job.program.sources.items()
               if _is_read(job, slot)}  # fmt: skip
    rows, cols = _chunks(job, sources)
    token = tokenize(_signature(job), [a.name for a in sources.values()], job.wanted, rows, cols)
    grid: dict[int, list[list[Any]]] = {slot: [] for slot in job.wanted}
    states: list[Any] = []
    for i, (y0, y1) in enumerate(_bounds(rows)):
        line: dict[int, list[Any]] = {slot: [] for slot in job.wanted}
        for j, (x0, x1) in enumerate(_bounds(cols)):
            extent = Extent(y0, y1, x0, x1)
            needed = job.input_extents(extent)
            parts = {
                slot: array[..., e.y0 : e.y1, e.x0 : e.x1]
                for slot, array in sources.items()
                if (e := needed.get(slot)) is not None
            }
            block = delayed(_run_block, pure=True)(
                _Held(job), parts, {s: needed[s] for s in parts}, extent,
                dask_key_name=f"geotoolz-block-{token}-{i}-{j}",
            )  # fmt: skip
            states.append(block[1])
            for slot in job.wanted:
                spec = job.program.slots[slot]
                shape = (*job.program.leads[slot], *extent.shape)
                line[slot].append(da.from_delayed(block[0][slot], shape, spec.dtype))
        for slot in job.wanted:
            grid[slot].append(line[slot])
    arrays = {slot: _assemble(da, blocks) for slot, blocks in grid.items()}
    return arrays, [_verdict(job, states, token)] if job.reductions else []


def _signature(job: Job) -> list[Any]:
    """Return what makes the chunks of a job what they are: kernels, arguments, no-data, statistics."""
    calls = [(_code(s.kernel), s.reads, s.writes, s.args, repr(s.footprint), repr(s.change))
             for s in job.instructions]  # fmt: skip
    slots = [(str(spec.dtype), spec.dims, repr(spec.nodata)) for spec in job.program.slots]
    reductions = [(r.path, r.reads, repr(type(r.op)), repr(r.op)) for r in job.reductions]
    return [calls, slots, reductions]


def _code(fn: Any) -> tuple[Any, ...]:
    inner = getattr(fn, "fn", fn)
    code = getattr(inner, "__code__", None)
    name = (getattr(inner, "__module__", ""), getattr(inner, "__qualname__", ""))
    return (*name, inner) if code is None else (*name, code.co_code, code.co_names)


class _Held:
    """Hides a job from dask, which would otherwise walk through its dataclass."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __dask_tokenize__(self) -> str:
        return repr(self.job.program.op)


def _run_block(
    held: _Held, parts: Mapping[int, Any], extents: Mapping[int, Extent], extent: Extent
) -> tuple[dict[int, Any], list[Any]]:
    states = _new_states(held.job, None)

    def fetch(slot: int, asked: Extent) -> Any:
        return Extent(*extents[slot]).cut(native(np.asarray(parts[slot])), asked)

    return run_window(held.job, fetch, Extent(*extent), states), states


def _verdict(job: Job, states: list[Any], token: str) -> Any:
    from dask.delayed import delayed

    for reduction in job.reductions:
        if reduction.op.n_passes(reduction.spec) > 1:
            raise ExecutorError(f"{reduction.path} visits the pixels more than once, and {LAZY}")
    return delayed(_judge, pure=True)(_Held(job), states, dask_key_name=f"geotoolz-verdict-{token}")


def _judge(held: _Held, states: list[list[Any]]) -> bool:
    job = held.job
    merged = merge_states(job.reductions, states)
    results = {r.path: r.op.finish(s) for r, s in zip(job.reductions, merged, strict=True)}
    decide(job.program, results)
    return True


def _bound(ds: xr.Dataset, verdicts: list[Any]) -> xr.Dataset:
    """Let every chunk of every variable wait for the verdicts."""
    da = _import_dask()
    gates = [da.from_delayed(verdict, shape=(), dtype=bool) for verdict in verdicts]
    bound = {}
    for name, variable in ds.variables.items():
        if name in ds.data_vars and variable.ndim:
            array = (
                variable.data if hasattr(variable.data, "dask") else da.from_array(variable.data, chunks=-1)
            )
            meta = np.empty((0,) * array.ndim, array.dtype)
            bound[name] = variable.copy(
                data=da.map_blocks(_gate, array, *gates, dtype=array.dtype, meta=meta)
            )
    return ds.assign(bound)


def _gate(block: Any, *verdicts: Any) -> Any:
    """Return the block; that the verdicts came in at all is what counts."""
    return block


def _is_read(job: Job, slot: int) -> bool:
    return any(slot in s.reads for s in job.instructions) or any(slot in r.reads for r in job.reductions)


def _dask_array(da: Any, tiles: Mapping[str, xr.Dataset], where: tuple[str, str]) -> Any:
    source, name = where
    data = tiles[source].variables[name].data
    return data if hasattr(data, "dask") else da.from_array(data, chunks=data.shape)


def _chunks(job: Job, sources: Mapping[int, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the rows and columns of the result's chunks: those of the first chunked input.

    On another grid the chunks have the size of the input's first chunk.
    """
    height, width = job.shape
    _require_whole_axes(job, sources)
    chunked = [a for a in sources.values() if a.npartitions > 1] or list(sources.values())
    if not chunked:
        return (height,), (width,)
    rows, cols = tuple(chunked[0].chunks[-2]), tuple(chunked[0].chunks[-1])
    if any(step.change is not None for step in job.instructions) or (sum(rows), sum(cols)) != job.shape:
        rows, cols = _regular(height, max(rows)), _regular(width, max(cols))
    along_y, along_x = job.whole_axes
    return (height,) if along_y else rows, (width,) if along_x else cols


def _require_whole_axes(job: Job, sources: Mapping[int, Any]) -> None:
    """Raise if a dimension that some step sees whole comes in several chunks.

    Joining them unasked could need more memory than there is; xarray's `apply_ufunc` refuses it too.
    """
    for dim, axis, whole in (("y", -2, job.whole_axes[0]), ("x", -1, job.whole_axes[1])):
        pieces = max((len(a.chunks[axis]) for a in sources.values()), default=1)
        if whole and pieces > 1:
            step = next(s for s in job.instructions if (s.footprint.y, s.footprint.x)[axis + 2] == ALL)
            raise ExecutorError(
                f"{step.path or 'this step'} looks along all of {dim!r}, which comes in {pieces} chunks",
                expected=f"one chunk along {dim!r}",
                fix=f"tile.chunk({dim}=-1), or tile.compute()",
            )


def _regular(size: int, chunk: int) -> tuple[int, ...]:
    full, rest = divmod(size, max(chunk, 1))
    return (*[chunk] * full, *([rest] if rest else [])) or (0,)


def _bounds(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    ends = np.cumsum(sizes)
    return [(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]


def _assemble(da: Any, blocks: list[list[Any]]) -> Any:
    rows = [da.concatenate(line, axis=-1) if len(line) > 1 else line[0] for line in blocks]
    return da.concatenate(rows, axis=-2) if len(rows) > 1 else rows[0]
