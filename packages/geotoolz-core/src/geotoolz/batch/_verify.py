"""Looking at every output again, byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ._journal import replay
from ._layout import Layout
from ._plan import record_of_item, scan

__all__ = ["verify"]


def verify(out: str | Path) -> dict[str, str]:
    """Compare every finished tile's files with the checksums they were written with.

    A plan compares sizes, which costs milliseconds; this reads every byte.

    Parameters
    ----------
    out : path
        The output folder of a run.

    Returns
    -------
    dict
        Path below the folder to what is wrong with it; empty where all is well.

    Raises
    ------
    BatchError
        If the folder holds no run.
    """
    from geotoolz.core._errors import BatchError

    layout = Layout(Path(out))
    if not layout.private.is_dir() and not layout.items.is_dir():
        raise BatchError(f"{str(out)!r} holds no run", expected="the output folder of a run")
    found: dict[str, str] = {}
    for path, size, sha256 in _written(layout):
        problem = _problem(layout.out / path, size, sha256)
        if problem:
            found[path] = problem
    return found


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


def _problem(path: Path, size: int, sha256: str) -> str:
    try:
        if path.stat().st_size != size:
            return f"{path.stat().st_size} bytes, {size} were written"
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return "missing"
    except OSError as exc:
        return exc.strerror or str(exc)
    return "" if same else "other content than was written"
