"""Looking at every output again, byte by byte; taking away what is damaged, and what no tile owns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from geotoolz.io._object_errors import StoreError
from geotoolz.io._object_path import Place, place

from ._journal import replay
from ._judge import record_of_item, scan
from ._layout import Layout
from ._lease import Lease
from ._plan import BatchPlan, TileState

__all__ = ["remove_orphans", "verify"]


def verify(out: str | Place, *, heal: bool = False) -> dict[str, str]:
    """Compare every finished tile's files with the checksums they were written with.

    A plan compares sizes, which costs milliseconds; this reads every byte.

    Parameters
    ----------
    out : path
        The output folder of a run.
    heal : bool
        Delete damaged files: their tiles are partial then, and the next run makes them again.

    Returns
    -------
    dict
        Path below the folder to what is wrong with it; empty where all is well.

    Raises
    ------
    BatchError
        If the folder holds no run, or one is under way that is to be healed.
    """
    layout = _run_of(out)
    found: dict[str, str] = {}
    for path, size, sha256 in _written(layout):
        problem = _problem(layout.out / path, size, sha256)
        if problem:
            found[path] = problem
    if heal and found:
        layout.make()
        with Lease(layout, None):
            for path in found:
                (layout.out / path).unlink(missing_ok=True)
    return found


def remove_orphans(plan: BatchPlan) -> tuple[str, ...]:
    """Delete what a run wrote for tiles that the catalog does not have any more.

    Only files that an item or the journal names are deleted, and only as they were written: one that has
    another size since is somebody's work, and stays.

    Parameters
    ----------
    plan : BatchPlan
        Of the whole catalog: with ``tiles=``, ``limit=`` or ``shard=`` the others are no orphans either.

    Returns
    -------
    tuple of str
        What was deleted, as paths below the output folder.

    Raises
    ------
    BatchError
        If a run is under way.
    """
    layout, gone = Layout(plan.out), []
    orphans = [tile for tile in plan.tiles if tile.state is TileState.ORPHAN]
    kept = {entry[0] for tile in plan.tiles if tile not in orphans for entry in tile.record.get("out", ())}
    layout.make()
    with Lease(layout, None):
        for tile in orphans:
            record = tile.record or record_of_item(layout, tile.tile_id)
            for name, size, *_ in record.get("out", ()):
                path = layout.out / str(name)
                if name not in kept and path.is_file() and path.stat().st_size == int(size):
                    path.unlink()
                    gone.append(str(name))
            if record:
                layout.item(tile.tile_id).unlink(missing_ok=True)
                layout.quicklook(tile.tile_id).unlink(missing_ok=True)
                gone.append(f"items/{layout.item(tile.tile_id).name}")
    return tuple(gone)


def _run_of(out: str | Place) -> Layout:
    from geotoolz.core._errors import BatchError

    layout = Layout(place(out))
    if not layout.private.is_dir() and not layout.items.is_dir():
        raise BatchError(f"{str(out)!r} holds no run", expected="the output folder of a run")
    return layout


def _written(layout: Layout) -> Iterator[tuple[str, int, str]]:
    """Yield what the journal, or where it is silent the item, says of every file."""
    told = replay(layout.private)
    records = {tile_id: record for tile_id, record in told.items() if record["ev"] == "done"}
    known = {layout.item(tile_id).name for tile_id in records}
    for record in records.values():
        yield from ((str(path), int(size), str(sha)) for path, size, sha in record.get("out", ()))
    for name in scan(layout):
        if name.startswith("items/") and Path(name).name not in known:
            record = record_of_item(layout, Path(name).stem)
            yield from ((str(path), int(size), str(sha)) for path, size, sha in record.get("out", ()))


def _problem(path: Place, size: int, sha256: str) -> str:
    try:
        if path.stat().st_size != size:
            return f"{path.stat().st_size} bytes, {size} were written"
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return "missing"
    except StoreError:  # a store that does not answer says nothing of the file
        raise
    except OSError as exc:
        return exc.strerror or str(exc)
    return "" if same else "other content than was written"
