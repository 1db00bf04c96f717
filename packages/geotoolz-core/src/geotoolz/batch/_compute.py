"""From a task to the finished tile in memory, reading only the bands that lead to what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ._sinks import default_sink, split, staged_sink, wanted_by
from ._source import OpenedTile, open_source
from ._valid import Mask, is_measured, masked_share, valid_mask, valid_share

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    import xarray as xr

    from geotoolz.core import Extent, Operator, Program, Sink

    from ._task import TileTask

__all__ = ["Made", "compute_tile"]

#: bytes of input above which a tile is read and computed in strips; outputs are held whole in any case
STREAM_ABOVE = 256 * 2**20
#: rows of a strip; a multiple of the blocks that providers use
STRIP_ROWS = 1024


class Clock(Protocol):
    """Takes times by name."""

    def time(self, name: str) -> AbstractContextManager[None]:
        """Time what happens inside."""


@dataclass(frozen=True)
class Made:
    """A finished tile, not written yet.

    Attributes
    ----------
    tile : xarray.Dataset
    names : tuple of str
        Variables that will be written.
    created : tuple of str
        Variables that the pipeline created (or changed).
    sink : Sink
    statistics : mapping
        Results of Reduce steps by path.
    valid_share : mapping
    masked_share : float or None
    files : tuple of str
        The files that pixels were read from.
    """

    tile: xr.Dataset
    names: tuple[str, ...]
    created: tuple[str, ...]
    sink: Sink
    statistics: Mapping[str, Any]
    valid_share: Mapping[str, float]
    masked_share: float | None
    files: tuple[str, ...] = ()

    def write(self, out: Path, staged: Path) -> dict[str, tuple[str, ...]]:
        """Let the sink write below `staged`, in the tree that it asked for below `out`.

        Returns
        -------
        dict
            Path below `out` to the variables in that file, as far as the sink tells.
        """
        tile = self.tile.copy()
        tile.attrs = {name: value for name, value in tile.attrs.items() if not _of_the_source(name)}
        sink = staged_sink(self.sink, out, staged)
        sink.write(tile, created=self.created)
        tell = getattr(sink, "output_paths", None)
        held: dict[str, tuple[str, ...]] = {}
        for name, path in (tell(tile, self.created) if tell is not None else {}).items():
            below = Path(path).relative_to(staged).as_posix()
            held[below] = (*held.get(below, ()), name)
        return held


def _of_the_source(name: str) -> bool:
    """Whether an attribute describes the input's files: its extensions' fields, its ground distance."""
    return name == "gsd" or (":" in name and not name.startswith("geotoolz:"))


def compute_tile(op: Operator, task: TileTask, clock: Clock) -> Made:
    """Describe the source, compile, read, run.

    Parameters
    ----------
    op : Operator
        The pipeline, with or without a sink at its end.
    task : TileTask
    clock : Clock

    Returns
    -------
    Made
    """
    from geotoolz.core import compile

    body, sink = split(op)
    sink = sink or default_sink()
    if any(getattr(step, "opaque", False) for _, step in body.walk()):
        return _opaque(body, sink, task, clock)
    with clock.time("describe"):
        source = open_source(task)
        program = compile(body, source.spec)
        created = tuple(program.created)
        wanted = wanted_by(sink, created, tuple(program.output.variables))
        sink.check_tile(program.output, created)
        program = compile(body, source.spec, wanted)
    if _streams(source, program):
        with clock.time("run"):
            tile, statistics, masked = _in_strips(program, source, wanted)
    else:
        tile, statistics, masked = _whole(body, program, source, wanted, clock)
    valid = {name: valid_share(tile[name].variable) for name in wanted}
    return Made(tile, wanted, created, sink, statistics, valid, masked, source.files(program.inputs))


def _whole(
    body: Operator, program: Program, source: OpenedTile, wanted: tuple[str, ...], clock: Clock
) -> tuple[xr.Dataset, Mapping[str, Any], float | None]:
    """Read the bands that are needed and run on them."""
    from geotoolz.core import run_detailed

    with clock.time("read"):
        tile = source.read(program.inputs)
    with clock.time("run"):
        result = run_detailed(body, tile, outputs=wanted, write=False, spec=source.spec)
        made = next(iter(result.tiles.values()))
        inputs = [v.variable for v in tile.data_vars.values() if is_measured(v.attrs)]
        masked = masked_share(inputs, made[wanted[0]].variable) if wanted and inputs else None
    return made, result.statistics, masked


def _opaque(body: Operator, sink: Sink, task: TileTask, clock: Clock) -> Made:
    """Run a pipeline with steps that cannot be planned: everything is read, the whole tile is run."""
    from geotoolz.core import TileSpec, run

    with clock.time("describe"):
        source = open_source(task)
    with clock.time("read"):
        tile = source.read(source.spec.variables)
    with clock.time("run"):
        result = run(body, tile)
        made: xr.Dataset = next(iter(result.values())) if isinstance(result, dict) else result
    present = tuple(str(name) for name in made.data_vars)
    created = tuple(name for name in present if name not in tile) or present
    wanted = wanted_by(sink, created, present)
    sink.check_tile(TileSpec.of(made), created)
    valid = {name: valid_share(made[name].variable) for name in wanted}
    return Made(made, wanted, created, sink, {}, valid, None, source.files(source.spec.variables))


def _streams(source: OpenedTile, program: Program) -> bool:
    """Say whether a tile is large enough for strips, and its pipeline allows them."""
    from geotoolz.core._execute import Job

    if not source.in_windows or program.unfrozen or len(program.inputs_spec) != 1 or len(program.states) != 1:
        return False
    rows, cols = source.spec.shape
    bytes_in = sum(source.spec.variables[name].dtype.itemsize for name in program.inputs) * rows * cols
    if bytes_in <= STREAM_ABOVE or len(dict.fromkeys(program.shapes)) != 1:
        return False
    return Job.of(program, program.wanted, program.reductions, source.spec.shape).needs_whole is None


def _in_strips(
    program: Program, source: OpenedTile, wanted: Sequence[str]
) -> tuple[xr.Dataset, Mapping[str, Any], float | None]:
    """Read and compute strip by strip; the bits are those of the whole tile (one law)."""
    import numpy as np

    from geotoolz.core._build import build_dataset
    from geotoolz.core._run import compute, decide, marked

    shape = source.spec.shape
    had: Mask = np.ones(shape, dtype=bool)
    measured = 0

    def fetch(slot: int, extent: Extent) -> np.ndarray[Any, Any]:
        nonlocal measured
        name = program.sources[slot][1]
        rows, cols = slice(extent.y0, extent.y1), slice(extent.x0, extent.x1)
        values = source.window(name, rows, cols)
        spec = source.spec.variables[name]
        if is_measured(spec.attrs) and values.ndim == 2:
            had[rows, cols] &= valid_mask(values, spec.nodata)
            measured += 1
        return values

    through = [name for slot, (_, name) in program.sources.items() if slot in program.wanted]
    arrays, statistics = compute(program, fetch, window=(STRIP_ROWS, shape[1]))
    marks = decide(program, statistics)
    base = source.read(through)
    home = next(iter(program.inputs_spec))
    tile = next(iter(build_dataset(program, {home: base}, arrays, tuple(wanted)).values()))
    tile.attrs = marked(tile.attrs, marks)
    masked = masked_share((), tile[wanted[0]].variable, had) if wanted and measured else None
    return tile, statistics, masked
