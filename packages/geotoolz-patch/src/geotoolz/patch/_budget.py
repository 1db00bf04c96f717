"""What a run of chips will hold, and what it can be asked to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geotoolz.core import Operator, ParameterError
from geotoolz.patch._merge import merger_bytes
from geotoolz.patch._opaque import work_of
from geotoolz.patch._source import DatasetSource, as_source
from geotoolz.patch._work import Work, bytes_of

if TYPE_CHECKING:
    from geotoolz.patch._apply import ApplyToChips


def memory_bytes(
    op: ApplyToChips, source: Any, *, workers: int = 1, ahead: int = 2, sink: bool = True
) -> int:
    """Return the bytes that `run_chips` will hold: chips in work, unfinished rows, the result without a sink.

    Parameters
    ----------
    op, source, workers, ahead
        As for `run_chips`.
    sink : bool
        Whether rows are written as they are finished.
    """
    require_chips(op, "memory_bytes")
    return budget(op, work_of(op, as_source(source)), workers, ahead, sink)


def require_chips(op: Any, who: str) -> None:
    """Raise for what is no `ApplyToChips`."""
    from geotoolz.patch._apply import ApplyToChips

    if isinstance(op, ApplyToChips):
        return
    inside = op.walk() if isinstance(op, Operator) else ()
    steps = [path for path, child in inside if isinstance(child, ApplyToChips)]
    fix = f"{who}(ApplyToChips(GridSampler(256), op), scene)"
    if steps:
        fix = f"hand over its step {steps[0]}; the whole pipeline runs by pipeline(tile), or geotoolz.stream"
    raise ParameterError(
        f"{who} got {type(op).__name__}", expected="ApplyToChips(sampler, operator)", fix=fix
    )


def budget(op: ApplyToChips, work: Work, workers: int, ahead: int, sink: bool) -> int:
    """Return the bytes that chips in work, unfinished rows and a result without a sink take."""
    held = merger_bytes(op.stitcher, work.layers, work.rows, work.cols, work.copy)
    if not sink:
        held += bytes_of(work.out.variables, work.out.sizes, work.out.shape)
    return work.chip_bytes() * op.batch_size * (workers + ahead) + held


def in_memory(source: Any) -> bool:
    """Whether all pixels of a source are in memory: nothing is to be read ahead."""
    return isinstance(source, DatasetSource) and len(source.held) == len(source.spec.variables)


def require_nodata(work: Work, policy: str) -> None:
    """Raise where the pixels of a chip that failed would have no value."""
    for name, spec in work.out.variables.items():
        if spec.nodata is None:
            raise ParameterError(
                f"on_error={policy!r}, and {name!r} ({spec.dtype}) has no value for no-data",
                expected='a no-data value for every output, or on_error="raise" or "retry"',
            )
