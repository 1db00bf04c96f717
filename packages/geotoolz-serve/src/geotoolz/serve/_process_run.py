"""A pipeline over a source, and the result in the form that was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from geotoolz.core import (
    ExecutorError,
    MissingVariableError,
    NotFrozenError,
    Operator,
    Program,
    RunResult,
    Sequential,
    TileSpec,
    compile,
    run_detailed,
)
from geotoolz.core._provenance import made_by
from geotoolz.serve import _outputs
from geotoolz.serve._errors import Problem
from geotoolz.serve._jobs import Answer, Job

if TYPE_CHECKING:
    from geotoolz.io import OpenScene
    from geotoolz.serve._settings import ServeSettings
    from geotoolz.serve._sources import Opening

Format: TypeAlias = Literal["cog", "png", "npz", "json"]
HASH_HEADER = "X-Config-Hash"


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Parameters
    ----------
    name : str
        The pipeline's name.
    operator : Operator
        The pipeline, without a sink.
    config_hash : str
    format : str
        ``cog``, ``png``, ``npz`` or ``json``.
    bands : tuple of str, optional
        Variables to return; by default those that the pipeline creates.
    size : int
        Longer side of a picture, at most.
    """

    name: str
    operator: Operator
    config_hash: str
    format: Format = "cog"
    bands: tuple[str, ...] | None = None
    size: int = 1024


def process(settings: ServeSettings, order: Order, opening: Opening, job: Job) -> Answer:
    """Run a pipeline and encode what it gives.

    The work goes through `geotoolz.io.stream`: window by window, in bounded memory, with the pixels that
    ``op(tile)`` has. A pipeline that has to see the whole tile at once runs on the tile in memory.

    Raises
    ------
    Problem
        413 for more pixels than the server allows, before one is read.
    GeotoolzError
        Of the source and the pipeline.
    """
    from geotoolz.io import open_scene

    reader = open_scene(opening.source, **opening.read)
    _check_size(settings, reader.spec, "the source")
    program = compile(order.operator, reader.spec)
    _check_size(settings, program.output, "the result")
    names = _chosen(order, program)
    job.check()
    headers = {HASH_HEADER: order.config_hash}
    if order.format == "json":
        facts = _statistics(order, reader, program, names, job)
        return _outputs.json_answer(job.folder, order.name, facts, headers)
    if not names:
        raise Problem(
            "the pipeline makes no variables", status=422, code="cannot_run", fix="ask for format json"
        )
    files = _files(order, reader, names, job)
    job.check()
    if order.format == "cog":
        return _outputs.cog_answer(job.folder, order.name, files, headers)
    if order.format == "npz":
        return _outputs.npz_answer(job.folder, order.name, files, headers)
    return _outputs.png_answer(job.folder, order.name, files, order.size, headers)


def _chosen(order: Order, program: Program) -> tuple[str, ...]:
    present = program.output.variables
    if order.bands is None:  # as a sink does that names no bands
        return program.created or tuple(present)
    unknown = [name for name in order.bands if name not in present]
    if unknown:
        raise MissingVariableError(f"no variable {unknown[0]!r}", expected=f"some of {', '.join(present)}")
    return order.bands


def _check_size(settings: ServeSettings, spec: TileSpec, what: str) -> None:
    pixels = math.prod(spec.shape)
    if pixels > settings.max_pixels:
        raise Problem(
            f"{what} has {spec.shape[0]} × {spec.shape[1]} pixels",
            status=413,
            code="too_large",
            expected=f"at most {settings.max_pixels}",
            fix="ask for a smaller aoi, or a coarser resolution",
        )
    planes = sum(
        math.prod(spec.sizes[d] for d in v.dims if d not in ("y", "x")) for v in spec.variables.values()
    )
    if planes > settings.max_bands:
        raise Problem(
            f"{what} has {planes} bands",
            status=413,
            code="too_large",
            expected=f"at most {settings.max_bands}",
        )


def _files(order: Order, reader: OpenScene, names: tuple[str, ...], job: Job) -> _outputs.Files:
    """Return one COG per variable, or one for all where they have one dtype and no-data value."""
    from geotoolz.io import WriteCOG, stream

    spec = compile(order.operator, reader.spec, names).output
    groups = {(spec.variables[n].dtype, str(spec.variables[n].nodata)) for n in names}
    template = "result.tif" if len(groups) == 1 else "result_{band}.tif"
    # what is decoded again right away is not worth a strong compression
    level = 3 if order.format == "cog" else 1
    folder = str(job.folder).replace("{", "{{").replace("}", "}}")
    sink = WriteCOG(f"{folder}/{template}", bands=names, level=level, style=None)
    try:
        stream(order.operator, reader, sink, threads=1, progress=job.report)
    except (ExecutorError, NotFrozenError):  # the pipeline has to see the whole tile
        program = compile(order.operator, reader.spec, names)
        result = _in_memory(order.operator, reader, program, names)
        job.check()
        with made_by(order.operator, files=reader.inputs):  # as `stream` does
            sink.write(result.tiles[""], created=names)
    return _outputs.Files(sink.output_paths(spec, names))


def _statistics(
    order: Order, reader: OpenScene, program: Program, names: tuple[str, ...], job: Job
) -> dict[str, Any]:
    """Return what the result is like, in JSON types; no pixel of it is kept."""
    from geotoolz.io import stream
    from geotoolz.radiometry import Extremes, MeanStd, Percentiles

    numbers = tuple(name for name in names if program.output.variables[name].dtype != "bool")
    asked = (Extremes(numbers), MeanStd(numbers), Percentiles(numbers, (2.0, 50.0, 98.0))) if numbers else ()
    whole = Sequential((order.operator, *asked)) if asked else order.operator
    paths = {r.path: type(r.op).__name__ for r in compile(whole, reader.spec).reductions if r.op in asked}
    if not asked and not program.reductions:
        return _outputs.facts(order, program, names, {})
    try:
        found = dict(stream(whole, reader, outputs=(), threads=1, progress=job.report).statistics)
    except (ExecutorError, NotFrozenError):  # the pipeline has to see the whole tile
        found = dict(_in_memory(whole, reader, program, names).statistics)
    ours = {name: found.pop(path) for path, name in paths.items()}
    return _outputs.facts(order, program, names, {**found, "": ours})


def _in_memory(op: Operator, reader: OpenScene, program: Program, names: tuple[str, ...]) -> RunResult:
    """Run on the whole tile; of the source only what is needed is read."""
    tile = reader.read(program.inputs)
    return run_detailed(op, tile, outputs=names, threads=1, write=False, spec=reader.spec)
