"""A lost journal, written again from what the STAC items say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from geotoolz.io._object_path import Place, place

from ._commit import read_item
from ._journal import Journal, replay
from ._judge import record_of_item, scan
from ._layout import Layout
from ._lease import Lease

__all__ = ["rebuild_journal"]


def rebuild_journal(out: str | Place) -> tuple[str, ...]:
    """Write a record for every finished tile that the journal says nothing of.

    Nothing is lost with a journal but time: a plan asks the items where it is silent, one file per tile.
    Failures are in the journal only; tiles that were quarantined are tried once more.

    Parameters
    ----------
    out : path
        The output folder of a run.

    Returns
    -------
    tuple of str
        The tiles.

    Raises
    ------
    BatchError
        If the folder holds no item of a run, or a run is under way.
    """
    from geotoolz.core._errors import BatchError

    layout = Layout(place(out))
    if not layout.items.is_dir():
        raise BatchError(f"{str(out)!r} holds no items", expected="the output folder of a run")
    layout.make()
    with Lease(layout, None):
        found = list(_untold(layout))
        if found:
            with Journal(layout.journal(None)) as journal:
                for record in found:
                    told = {name: value for name, value in record.items() if name not in ("ev", "t")}
                    journal.append("done", run="rebuilt", **told)
    return tuple(str(record["id"]) for record in found)


def _untold(layout: Layout) -> Iterator[dict[str, Any]]:
    known = {layout.item(tile_id).name for tile_id in replay(layout.private)}
    for name in sorted(scan(layout)):
        path = PurePosixPath(name)
        if path.parts[:1] != ("items",) or path.suffix != ".json" or path.name in known:
            continue
        record = record_of_item(layout, path.stem)
        item, _ = read_item(layout, path.stem)
        if record and item is not None:
            yield {**record, "id": str(item["id"])}
