"""From a job to its plan: every tile of the catalog gets its task, and is judged."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._changes import files_of
from ._configs import described
from ._fingerprint import Stamp, fingerprint, local_path, task_key
from ._journal import replay
from ._judge import State, scan
from ._plan import BatchPlan, PlannedTile, TileState
from ._preflight import refuse_collisions
from ._rows import TileSource
from ._select import all_sources, selected
from ._store_stamps import ObjectStamps
from ._task import TileTask

if TYPE_CHECKING:
    from ._pipeline import CatalogPipeline

__all__ = ["judged", "overwritten", "plan_of", "state_of"]


def plan_of(job: CatalogPipeline) -> BatchPlan:
    """Look what is new, fresh, stale, partial, quarantined, orphan, and why; nothing is written."""
    with _without_collecting():
        state = state_of(job)
        sources = all_sources(job.catalog)
        mine = selected(
            sources, job.catalog, tiles=job.tiles, slice=job.slice, shard=job.shard, limit=job.limit
        )
        tiles = list(judged(job, state, mine))
        refuse_collisions(job.op, job.out, tiles, state.files)
        tiles.extend(state.orphans(source.tile_id for source in sources))
    return BatchPlan(job.out, tuple(tiles), job.retry_failed, job.only_failed)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Hold the cyclic garbage collector back: it goes through the records of 10^5 tiles again and again.

    They refer to nothing that refers to them, so it finds nothing; it takes a third of a plan's time.
    """
    held_back = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if held_back:
            gc.enable()


def state_of(job: CatalogPipeline) -> State:
    """Read what the output folder and its journals say."""
    layout, config = job.layout, described(job.op)
    layout.reach()
    return State(
        layout,
        replay(layout.private),
        scan(layout),
        job.stale_on,
        config=config,
        overwritten=overwritten(config),
    )


def overwritten(config: Mapping[str, Any]) -> str:
    """Say which file behind a `Ref` has other content than the pipeline pins; empty where none.

    A file that is not there is left to whoever runs the tile: on another machine it may be.
    """
    from geotoolz.core._ref import digest

    for path, uri, sha256 in files_of(config):
        place = local_path(uri)
        if place is None:
            continue
        try:
            found = digest(Path(place))
        except OSError:
            continue
        if found != sha256:
            told = f"the file {place} was overwritten since the pipeline pinned it"
            return f"{told} ({sha256[:8]} → {found[:8]}), at {path}"
    return ""


def judged(job: CatalogPipeline, state: State, sources: Iterable[TileSource]) -> Iterator[PlannedTile]:
    """Give every tile its task, and judge it against what stands in the output folder."""
    config_hash, sink = job.config_hash, job.sink_hash
    text, out = job.pipeline_text(), str(job.out)
    read = tuple(sorted(job.read.items()))
    keyed = {name: value for name, value in job.read.items() if name != "sign"}  # no pixel differs
    objects = ObjectStamps()
    for source in sources:
        record = state.record(source.tile_id)
        known = [Stamp(path, size, mark) for path, size, mark in record.get("in", ())]
        stamps = objects.completed(fingerprint(source.files, item=source.item, known=known))
        owned = tuple((str(entry[0]), int(entry[1])) for entry in record.get("out", ()))
        task = TileTask(
            source.tile_id,
            task_key(config_hash, stamps, read=keyed, sink=sink),
            source.source,
            text,
            config_hash,
            out,
            stamps,
            source.facts,
            read,
            job.quicklook,
            owned,
            sink,
        )
        tile = state.judge(task, record)
        if tile.state is TileState.FRESH and isinstance(record, dict):
            record.pop("in", None)  # said twice in a plan of 10^5 tiles: the task has it, too
        yield tile
