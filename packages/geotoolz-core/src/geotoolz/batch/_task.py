"""One tile, from its sources to its committed outputs, in one process."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core._provenance import made_by
from geotoolz.core._reduce import QC_FAILED
from geotoolz.io._object_path import Place, place

from ._commit import OutputFile, commit, staging_folder, typed, write_atomic
from ._fingerprint import Stamp, refuse_changed
from ._footprint import Corners, corners
from ._item import build_item
from ._layout import Layout
from ._sinks import split
from ._tile_log import TileLog, tile_log
from ._usage import measured

if TYPE_CHECKING:
    from geotoolz.core import Operator

    from ._compute import Made

__all__ = ["TileResult", "TileTask", "run_tile"]

_log = logging.getLogger("geotoolz.batch")


@dataclass(frozen=True, slots=True)
class TileTask:
    """What a worker needs to make one tile: paths and text, no pixels.

    Attributes
    ----------
    tile_id : str
    key : str
        See `task_key`; recorded in the output, decides whether it is fresh later.
    source : str or dict
        A path or URI (raster, folder, STAC item), a STAC item, or what ``GeoSlice.to_dict`` gives.
    pipeline : str
        YAML text.
    config_hash : str
    out : str
        Output folder, or an address on an object store.
    stamps : tuple of Stamp
        The inputs as the driver saw them.
    facts : tuple of (str, scalar)
        What the catalog knows of the tile; set where the reader did not find it.
    read : tuple of (str, value)
        Further arguments of `geotoolz.io.open_tile` (resolution, aoi).
    quicklook : bool
        Whether a small picture is made.
    owned : tuple of (str, int)
        Files that an earlier run wrote for this tile, with their bytes; these may be replaced.
    sink : str
        Hash of the sink's configuration.
    """

    tile_id: str
    key: str
    source: str | dict[str, Any]
    pipeline: str
    config_hash: str
    out: str
    stamps: tuple[Stamp, ...] = ()
    facts: tuple[tuple[str, Any], ...] = ()
    read: tuple[tuple[str, Any], ...] = ()
    quicklook: bool = True
    owned: tuple[tuple[str, int], ...] = ()
    sink: str = ""


@dataclass(frozen=True, slots=True)
class TileResult:
    """What became of one tile.

    Attributes
    ----------
    tile_id, key : str
    status : str
        "done"; a tile that fails raises.
    outputs : tuple of OutputFile
        Paths below the output folder, sizes, hashes.
    seconds : dict
        describe, read, run, write.
    warnings : tuple of str
    valid_share : dict
        Share of valid pixels per written variable.
    masked_share : float or None
        Share of the pixels valid in the input that are no-data in the output.
    statistics : dict
        What the pipeline's statistics and quality checks found, by step, as far as JSON can say it.
    usage : dict
        cpu_seconds, peak_bytes, read_bytes, written_bytes; what the system does not tell is left out.
    footprint : tuple of (float, float)
        Corners in degrees, longitude first; empty for a tile that lies nowhere.
    """

    tile_id: str
    key: str
    status: str = "done"
    outputs: tuple[OutputFile, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    valid_share: Mapping[str, float] = field(default_factory=dict)
    masked_share: float | None = None
    statistics: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    footprint: tuple[tuple[float, float], ...] = ()


def run_tile(task: TileTask) -> TileResult:
    """Describe, compile, read only what is needed, run, write, commit.

    Parameters
    ----------
    task : TileTask

    Returns
    -------
    TileResult

    Raises
    ------
    GeotoolzError
        Typed, with what was found and what to do; nothing half-written is left.
    """
    layout = Layout(place(task.out))
    with tile_log(task.tile_id, layout.log(task.tile_id)) as log:
        log.say("INFO", f"start {task.key} from {_short_source(task.source)}")
        with measured() as usage:
            result = _run(task, layout, log)
        written = sum(file.size for file in result.outputs)
        result = replace(result, usage={**usage.values, "written_bytes": written})
        spent = ", ".join(f"{name} {value:.3f} s" for name, value in result.seconds.items())
        log.say("INFO", f"done: {', '.join(file.path for file in result.outputs)} ({spent})")
        return result


def _run(task: TileTask, layout: Layout, log: TileLog) -> TileResult:
    from ._compute import compute_tile

    clock = TileClock()
    made = compute_tile(pipeline_of(task.pipeline), task, clock)
    statistics = _json_able(made.statistics)
    facts = _facts(made, statistics, log)
    with clock.time("write"), staging_folder(layout, task.tile_id) as staged:
        files, place = _write(task, layout, made, facts, staged)
    return TileResult(
        task.tile_id,
        task.key,
        "done",
        files,
        clock.seconds,
        tuple(log.warnings),
        made.valid_share,
        made.masked_share,
        statistics,
        footprint=place,
    )


def _write(
    task: TileTask, layout: Layout, made: Made, facts: Mapping[str, Any], staged: Path
) -> tuple[tuple[OutputFile, ...], Corners]:
    """Write a tile's files below `staged` and commit them; return them, and where the tile lies."""
    read = {name: value for name, value in task.read if name != "sign"}  # who signs is nobody else's business
    told = made_by(pipeline_of(task.pipeline), source=task.source, read=read, files=made.files)
    with typed(layout.out), told:
        # the sink's path is relative, so that it does not matter below what it stands
        bands = made.write(layout.out if isinstance(layout.out, Path) else staged, staged)
    picture = layout.quicklook(task.tile_id)
    drawn = task.quicklook and _draw(made.tile, made.names, picture)
    place: Corners = ()

    def make_item(files: tuple[OutputFile, ...]) -> dict[str, Any]:
        nonlocal place
        item = build_item(
            made.tile,
            task.tile_id,
            files,
            key=task.key,
            config_hash=task.config_hash,
            stamps=task.stamps,
            facts=facts,
            source=task.source if isinstance(task.source, str) else "",
            bands=bands,
            pipeline=split(pipeline_of(task.pipeline))[0],
            read=read,
            files_read=made.files,
            picture=f"../.geotoolz/quicklooks/{picture.name}" if drawn else "",
            collection=layout.collection_id,
        )
        place = corners(item["geometry"])
        return item

    refuse_changed(task.stamps)
    return commit(layout, task.tile_id, staged, dict(task.owned), make_item), place


def _facts(made: Made, statistics: Mapping[str, Any], log: TileLog) -> dict[str, Any]:
    """Return what the item says of the run; failed assertions that only tag are warnings too."""
    failed = [str(text) for text in made.tile.attrs.get(QC_FAILED, ())]
    for text in failed:
        log.say("WARNING", f"tagged: {text}")
        log.warnings.append(f"tagged: {text}")
    facts: dict[str, Any] = {
        "valid_share": made.valid_share,
        "masked_share": made.masked_share,
        "statistics": statistics,
        QC_FAILED: failed,
    }
    return {name: value for name, value in facts.items() if value} | {"warnings": log.warnings}


class TileClock:
    """Seconds by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@lru_cache(maxsize=8)
def pipeline_of(text: str) -> Operator:
    """Load a pipeline once per worker, not once per tile."""
    from geotoolz.core import load

    return load(text)


def _draw(tile: Any, names: tuple[str, ...], path: Place) -> bool:
    """Write the picture and tell whether there is one; its lack is no reason to fail a tile."""
    from geotoolz.viz import quicklook

    drawable = [n for n in names if n in tile and tile[n].size and tile[n].dtype.kind in "fiub"]
    if not drawable:
        return False
    try:
        write_atomic(path, quicklook(tile[drawable], size=128, background="#eeeeee"), check=False)
    except (OSError, ValueError) as exc:
        _log.warning("no quicklook: %s", exc)
        return False
    return True


def _json_able(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what JSON can say; a histogram object stays in the process."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        plain = plain.to_dict() if hasattr(plain, "to_dict") else plain
        try:
            json.dumps(plain, allow_nan=False)
        except (TypeError, ValueError):
            continue
        kept[name or "result"] = plain
    return kept


def _short_source(source: str | dict[str, Any]) -> str:
    if isinstance(source, str):
        return source
    return str(source.get("id") or source.get("sources") or source.get("tile_id") or "an item")
