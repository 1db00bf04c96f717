"""The tiles that runs leave alone because they failed for good: listing them, and letting them out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from geotoolz.io._object_path import Place, place

from ._failure import COMES_BACK, FailureKind
from ._journal import Journal, replay
from ._layout import Layout

__all__ = ["QuarantinedTile", "quarantine", "release"]

_NAME = "journal-released.jsonl"


@dataclass(frozen=True, slots=True)
class QuarantinedTile:
    """A tile in quarantine.

    Attributes
    ----------
    tile_id : str
    kind : FailureKind
    error, message : str
        What it failed with.
    attempts : int
        In its last run.
    run : str
        Id of that run.
    when : float
        Seconds since 1970, as the journal says.
    """

    tile_id: str
    kind: FailureKind
    error: str
    message: str
    attempts: int
    run: str
    when: float


def quarantine(out: str | Place) -> tuple[QuarantinedTile, ...]:
    """Return the tiles of an output folder that a run would leave alone, by id.

    A tile leaves quarantine by itself when its inputs, the pipeline or geotoolz change; that is seen by
    `CatalogPipeline.plan`, which knows them.

    Parameters
    ----------
    out : path
        The output folder of a run.

    Raises
    ------
    BatchError
        If the folder holds no run.
    """
    records = replay(_run_of(out).private)
    return tuple(
        QuarantinedTile(
            name,
            FailureKind(record["kind"]),
            str(record.get("error", "")),
            str(record.get("msg", "")),
            int(record.get("att", 1)),
            str(record.get("run", "")),
            float(record["t"]),
        )
        for name, record in sorted(records.items())
        if record["ev"] == "failed" and not record.get("released") and record.get("kind") in COMES_BACK
    )


def release(out: str | Place, tile_ids: Iterable[str] | None = None) -> tuple[str, ...]:
    """Let tiles out of quarantine: the next run tries them again.

    Parameters
    ----------
    out : path
        The output folder of a run.
    tile_ids : iterable of str, optional
        By default all of them.

    Returns
    -------
    tuple of str
        The tiles that were let out.

    Raises
    ------
    ParameterError
        For a tile that is not in quarantine.
    """
    from geotoolz.core._errors import ParameterError, nearest

    held = {tile.tile_id: tile for tile in quarantine(out)}
    wanted = tuple(held) if tile_ids is None else tuple(dict.fromkeys(tile_ids))
    for name in wanted:
        if name not in held:
            raise ParameterError(
                f"{name!r} is not in quarantine{nearest(name, held)}",
                expected=f"one of {len(held)} tiles" if held else "a tile that failed for good",
                fix="`geotoolz quarantine list` names them",
            )
    if wanted:
        with Journal(_run_of(out).private / _NAME) as journal:
            journal.append("release", tiles=[[name, held[name].run] for name in wanted])
    return wanted


def _run_of(out: str | Place) -> Layout:
    from geotoolz.core._errors import BatchError

    layout = Layout(place(out))
    if not layout.private.is_dir():
        raise BatchError(f"{str(out)!r} holds no run", expected="the output folder of a run")
    return layout
