"""What can be known of a job before its first tile: room for the outputs, models, the right to write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._configs import described
from ._planner import overwritten
from ._preview import spread
from ._sinks import default_sink, split, wanted_by
from ._source import open_source

if TYPE_CHECKING:
    from geotoolz.core import Finding, Operator, TileSpec

    from ._pipeline import CatalogPipeline
    from ._task import TileTask

__all__ = ["apart_from_tiles", "check_job", "examined"]

#: images compress to between a half and a tenth of their pixels' bytes; less room than that is too little
_DENSEST = 10
_GB = 1e9


def check_job(job: CatalogPipeline, some: int | None = None) -> tuple[Finding, ...]:
    """Check every tile of a job against its pipeline, and what is nobody's tile: disk, models, rights.

    Parameters
    ----------
    job : CatalogPipeline
    some : int, optional
        Only so many tiles, spread evenly over the catalog.

    Returns
    -------
    tuple of Finding
        Errors first.
    """
    from geotoolz.core import Finding, GeotoolzError

    try:
        plan = job.plan()
    except GeotoolzError as error:  # two tiles with one path, a store that does not answer
        return (Finding("error", "", "", str(error)),)
    tasks = [tile.task for tile in plan.tiles if tile.task is not None]
    chosen = tasks if some is None else [tasks[place] for place in spread(len(tasks), some)]
    findings, specs = examined(job.op, chosen)
    return ranked([*apart_from_tiles(job, specs, len(plan.todo)), *findings])


def examined(op: Operator, tasks: Iterable[TileTask]) -> tuple[tuple[Finding, ...], list[TileSpec]]:
    """Describe tiles and check the pipeline on them; no pixel is read.

    A tile that cannot be described is an error of that tile (operator ``""``).

    Returns
    -------
    tuple of Finding
        Errors first.
    list of TileSpec
        Of the tiles that can be described.
    """
    from geotoolz.core import Finding, GeotoolzError, check

    found: list[Finding] = []
    specs: list[TileSpec] = []
    for task in tasks:
        try:
            specs.append(open_source(task).spec)
        except GeotoolzError as error:
            found.append(Finding("error", "", "", str(error), task.tile_id))
            continue
        told = check(op, specs[-1])
        found.extend(told)
        if not any(finding.level == "error" for finding in told):
            found.extend(_unwritable(op, specs[-1]))
    return ranked(found), specs


def _unwritable(op: Operator, spec: TileSpec) -> list[Finding]:
    """Say what the sink that a run adds could not write; one that the pipeline has is checked with it."""
    from geotoolz.core import Finding, GeotoolzError, compile

    if split(op)[1] is not None:
        return []
    sink = default_sink()
    try:
        program = compile(op, spec)
        sink.check_tile(program.output, tuple(program.created))
    except GeotoolzError as error:
        label = str(spec.attrs.get("tile_id", ""))
        return [Finding("error", "", type(sink).__name__, str(error), label)]
    return []


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings once each, errors first."""
    order = ("error", "warning", "note")
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: order.index(finding.level)))


def apart_from_tiles(job: CatalogPipeline, specs: Sequence[TileSpec], count: int) -> list[Finding]:
    """Check models, the output folder, and the room in it.

    Parameters
    ----------
    job : CatalogPipeline
    specs : sequence of TileSpec
        Some of its tiles, described; the room that is needed is reckoned from them.
    count : int
        How many tiles would be written.
    """
    found = [*_models(job.op), *_place(job)]
    if specs and count and isinstance(job.out, Path):
        found += _room(job.op, job.out, specs, count)
    return found


def _plain_sizes(op: Operator, specs: Iterable[TileSpec]) -> list[int]:
    """Return the bytes of what would be written of every tile, before compression.

    A tile that the pipeline does not fit is left out: that is told elsewhere.
    """
    from geotoolz.core import GeotoolzError, compile

    body, sink = split(op)
    sizes = []
    for spec in specs:
        try:
            program = compile(body, spec)
            written = wanted_by(
                sink or default_sink(), tuple(program.created), tuple(program.output.variables)
            )
            height, width = program.output.shape[-2:]
        except GeotoolzError:
            continue
        sizes.append(sum(program.output.variables[name].dtype.itemsize for name in written) * height * width)
    return sizes


def _room(op: Operator, out: Path, specs: Sequence[TileSpec], count: int) -> list[Finding]:
    from geotoolz.core import Finding

    sizes = _plain_sizes(op, specs)
    if not sizes:
        return []
    needed, free = sum(sizes) / len(sizes) * count, shutil.disk_usage(_existing(out)).free
    if free >= needed:
        return []
    told = (
        f"{free / _GB:.3g} GB are free at {out}, and the outputs of {count} tiles have {needed / _GB:.3g} GB "
        "before compression"
    )
    if free >= needed / _DENSEST:
        return [Finding("warning", "", "", f"{told}; `geotoolz plan --preview 3` measures them")]
    return [Finding("error", "", "", f"{told}; free space, choose another folder, or say --limit N")]


def _models(op: Operator) -> list[Finding]:
    from geotoolz.core import Finding

    from ._changes import files_of
    from ._fingerprint import local_path

    config = described(op)
    told = overwritten(config)
    found = [Finding("error", "", "", f"{told}; restore it, or bind it with Ref.of(path)")] if told else []
    for path, uri, _ in files_of(config):
        place = local_path(uri)
        if place is not None and not Path(place).exists():
            found.append(Finding("error", "", "", f"the file {place} does not exist, at {path}"))
    return found


def _place(job: CatalogPipeline) -> list[Finding]:
    """See that outputs can be written: bucket and credentials, or folder and rights."""
    from geotoolz.core import Finding
    from geotoolz.io._object_path import probe_store

    if not isinstance(job.out, Path):
        wrong = probe_store(job.out)
        return [Finding("error", "", "", f"{job.out} cannot be written: {wrong}")] if wrong else []
    place = _existing(job.out)
    if not place.is_dir():
        return [Finding("error", "", "", f"{place} is no folder, and {job.out} is to lie there")]
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return [Finding("error", "", "", f"{place}: Read-only file system; choose another folder")]
    if not os.access(place, os.W_OK | os.X_OK):
        return [Finding("error", "", "", f"{place} cannot be written by this user")]
    return []


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())
