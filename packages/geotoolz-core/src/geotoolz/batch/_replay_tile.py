"""One tile again, in this process: to look into an error, or to see that it still gives the same bytes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from geotoolz.core._provenance import made_by
from geotoolz.io._object_path import Place, is_object, place

from ._task import TileClock, TileTask, pipeline_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["TileReplay", "replay_task"]

Verdict = Literal["same", "other", "damaged", "missing", "new"]


@dataclass(frozen=True)
class TileReplay:
    """What a tile gives now, beside what stands in the output folder.

    Attributes
    ----------
    tile_id : str
    tile : xarray.Dataset
        The pipeline's result.
    seconds : mapping
        Time per stage: describe, read, run, write.
    files : mapping of str to str
        Path below the output folder to ``"same"`` (byte for byte what stands there), ``"damaged"`` (what
        was written, but no longer what stands there), ``"missing"`` (it was written, and is gone),
        ``"other"``, or ``"new"`` where nothing was written before.
    """

    tile_id: str
    tile: xr.Dataset
    seconds: Mapping[str, float]
    files: Mapping[str, Verdict]

    @property
    def same(self) -> bool:
        """Whether every file is byte for byte what stands in the output folder."""
        return all(verdict == "same" for verdict in self.files.values())

    @property
    def differs(self) -> bool:
        """Whether a file that was written before is another one now, or is not there."""
        return any(verdict not in ("same", "new") for verdict in self.files.values())


def replay_task(task: TileTask, written: Mapping[str, str]) -> TileReplay:
    """Read, run and write a tile once more into a folder that goes away.

    Parameters
    ----------
    task : TileTask
    written : mapping of str to str
        Path below the output folder to the SHA-256 that it was written with.

    Returns
    -------
    TileReplay

    Raises
    ------
    GeotoolzError
        What the tile fails with; nothing stands between the caller (or a debugger) and the step.
    """
    from ._compute import compute_tile

    op, timed = pipeline_of(task.pipeline), TileClock()
    made = compute_tile(op, task, timed)
    with tempfile.TemporaryDirectory(prefix="geotoolz-replay-") as name:
        staged = Path(name)
        read = {name: value for name, value in task.read if name != "sign"}  # as `run_tile` says it
        told = made_by(op, source=task.source, read=read, files=made.files)
        with timed.time("write"), told:
            # the sink's path is relative, so that it does not matter below what it stands
            made.write(staged if is_object(task.out) else Path(task.out), staged)
        files = {
            path.relative_to(staged).as_posix(): path for path in sorted(staged.rglob("*")) if path.is_file()
        }
        out = place(task.out)
        verdicts = {name: _verdict(path, written.get(name), out / name) for name, path in files.items()}
    return TileReplay(task.tile_id, made.tile, dict(timed.seconds), verdicts)


def _verdict(path: Path, written: str | None, there: Place) -> Verdict:
    made = _sha256(path)
    try:
        standing = _sha256(there)
    except FileNotFoundError:
        return "new" if written is None else "missing"
    if made == standing:
        return "same"
    return "damaged" if made == written else "other"


def _sha256(path: Place) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
