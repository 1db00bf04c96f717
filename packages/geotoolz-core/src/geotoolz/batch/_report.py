"""What a run did: numbers, one row per tile, an exit code; as JSON and as a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from geotoolz.io._object_errors import StoreError
from geotoolz.io._object_path import Place, place

from ._commit import write_atomic
from ._driver import StopReason
from ._exit_codes import ExitCode
from ._layout import REPORT, Layout

__all__ = ["BatchReport", "TileRow"]


@dataclass(frozen=True, slots=True)
class TileRow:
    """One tile in a report.

    Attributes
    ----------
    tile_id : str
    status : str
        "done" (in this run), "fresh" (before), "failed", "quarantined" (failed before, left alone),
        "not-run" (the run ended first).
    reason : str
        Why it was made, or left alone.
    kind, error, message : str
        Of the failure; empty where there is none.
    seconds : mapping
        describe, read, run, write.
    outputs : tuple of str
        Paths below the output folder.
    warnings : tuple of str
    valid_share : mapping
    masked_share : float or None
    attempts : tuple of mapping
        Every attempt: worker, seconds, kind and message of its failure.
    usage : mapping
        cpu_seconds, peak_bytes, read_bytes, written_bytes of the attempt that made it.
    footprint : tuple of (float, float)
        Corners in degrees, longitude first.
    """

    tile_id: str
    status: str
    reason: str = ""
    kind: str = ""
    error: str = ""
    message: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    valid_share: Mapping[str, float] = field(default_factory=dict)
    masked_share: float | None = None
    attempts: tuple[Mapping[str, Any], ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    footprint: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class BatchReport:
    """The result of a run.

    Attributes
    ----------
    out : Path or ObjectPath
    engine : str
    rows : tuple of TileRow
        All tiles of the run, also those that needed nothing.
    seconds : float
        From start to end.
    stopped : StopReason or None
        Why it ended early.
    over_limit : bool
        Whether more tiles failed than ``max_failures`` allows.
    orphans : int
        Tiles in the output folder that the catalog does not have.
    started : str
        ISO 8601, UTC.
    max_failures, config_hash : str
    why : str
        What ended it early, where `stopped` alone does not say it: the repeated error, the budget's bound.
    shard : (int, int) or None
        Which part of the catalog it was about. Every shard has a report of its own.
    parts : tuple of (int, int)
        The shards whose reports were taken together to this one.
    left_out : tuple of str
        Files that the catalog could not describe when it was built, with the reason: no tile stands for them.
    """

    out: Place
    engine: str
    rows: tuple[TileRow, ...]
    seconds: float
    stopped: StopReason | None = None
    over_limit: bool = False
    orphans: int = 0
    started: str = ""
    max_failures: str = ""
    config_hash: str = ""
    why: str = ""
    shard: tuple[int, int] | None = None
    parts: tuple[tuple[int, int], ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def pages(self) -> tuple[Place, ...]:
        """Where its page lies; of shards that were taken together, that of each."""
        layout = Layout(self.out)
        return tuple(layout.report(part, ".html") for part in self.parts or (self.shard,))

    @property
    def counts(self) -> dict[str, int]:
        """Tiles per status, always in one order."""
        found = Counter(row.status for row in self.rows)
        return dict(sorted(found.items(), key=lambda one: (_ORDER.get(one[0], len(_ORDER)), one[0])))

    @property
    def failures(self) -> dict[str, int]:
        """Failed tiles per kind of failure."""
        return dict(Counter(row.kind for row in self.rows if row.kind))

    @property
    def failed(self) -> tuple[TileRow, ...]:
        """The tiles that failed in this run or are quarantined."""
        return tuple(row for row in self.rows if row.status in ("failed", "quarantined"))

    @property
    def ok(self) -> bool:
        """Whether every tile is done."""
        return self.exit_code is ExitCode.DONE

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that ends with this report."""
        if self.stopped is StopReason.INTERRUPTED:
            return ExitCode.INTERRUPTED
        if self.stopped is not None or self.over_limit:
            return ExitCode.STOPPED
        return ExitCode.FAILED_TILES if self.failed or self.left_out else ExitCode.DONE

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items()) or "no tiles"
        text = f"{counts} in {self.seconds:.1f} s ({self.engine})"
        if self.left_out:
            text += f"; {len(self.left_out)} left out, because nobody can tell what they are"
        if self.stopped is StopReason.INTERRUPTED:
            return f"{text}; interrupted, run again to go on"
        if self.stopped is not None:
            told = _STOPPED[self.stopped].format(limit=self.max_failures, why=self.why)
            return f"{text}; stopped: {told}"
        if self.over_limit:
            failed = self.counts.get("failed", 0)
            tried = failed + self.counts.get("done", 0)
            allowed = f"max_failures={self.max_failures} allows"
            return f"{text}; {failed} of the {tried} tiles of this run failed, more than {allowed}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return {**self._head(), "tiles": [_row_dict(row) for row in self.rows]}

    def _json(self) -> bytes:
        """Return the values as JSON, made row by row: all rows at once would be most of a driver's memory."""
        head = json.dumps(self._head(), indent=1, default=str)
        text = bytearray(head.removesuffix("\n}").encode() + b',\n "tiles": [')
        for number, row in enumerate(self.rows):
            text += b",\n  " if number else b"\n  "
            text += json.dumps(_row_dict(row), default=str).encode()
        text += b"\n ]\n}\n"
        return bytes(text)

    def _head(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "engine": self.engine,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "config_hash": self.config_hash,
            "max_failures": self.max_failures,
            "exit_code": int(self.exit_code),
            "stopped": self.stopped.value if self.stopped else None,
            "over_limit": self.over_limit,
            "why": self.why,
            "counts": self.counts,
            "failures": self.failures,
            "orphans": self.orphans,
            **({"left_out": list(self.left_out)} if self.left_out else {}),
            **({} if self.shard is None else {"shard": list(self.shard)}),
        }

    def save(self) -> tuple[Place, Place]:
        """Write ``report.json`` and ``report.html`` into the output folder and return their paths.

        Those of shard 3 of 16 are called ``report-3-of-16.json`` and so on. Where there are items, their
        ``collection.json`` is written too.
        """
        from geotoolz.core._errors import BatchError, GeotoolzError, WriteError

        from ._collection import write_collection
        from ._html import render

        layout = Layout(self.out)
        as_json, as_html = layout.report(self.shard), layout.report(self.shard, ".html")
        try:
            write_atomic(as_json, self._json())
            write_atomic(as_html, render(self).encode())
        except GeotoolzError:
            raise
        except OSError as exc:
            raise WriteError(
                f"the report in {str(self.out)!r}: {exc.strerror or exc}",
                expected="free space and the right to write",
            ) from exc
        with suppress(BatchError):  # no tile was finished
            write_collection(self.out)
        return as_json, as_html

    @classmethod
    def load(cls, out: str | Place) -> BatchReport:
        """Read the report of the last run in an output folder.

        Where that was a shard, the last reports of all shards beside it are taken together.

        Raises
        ------
        BatchError
            If there is none.
        """
        from geotoolz.core._errors import BatchError

        from ._report_shards import together

        folder = place(out)
        try:
            paths = [path for path in folder.glob("report*.json") if REPORT.fullmatch(path.name)]
            if not paths:
                raise FileNotFoundError("report.json")
            return together([cls._read(folder, json.loads(path.read_bytes())) for path in paths])
        except StoreError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as exc:
            what = "no report" if isinstance(exc, FileNotFoundError) else "no report that can be read"
            raise BatchError(
                f"{what} in {str(out)!r}",
                expected="the output folder of `geotoolz run`",
                fix="units (`run-unit`, orchestrators) keep a journal, no report: see `geotoolz status`",
            ) from exc

    @classmethod
    def _read(cls, out: Place, told: Mapping[str, Any]) -> BatchReport:
        shard = told.get("shard")
        return cls(
            out,
            told["engine"],
            tuple(_row_of(row) for row in told["tiles"]),
            told["seconds"],
            StopReason(told["stopped"]) if told["stopped"] else None,
            told["over_limit"],
            told["orphans"],
            told["started"],
            told["max_failures"],
            told["config_hash"],
            told.get("why", ""),
            None if shard is None else (shard[0], shard[1]),
            left_out=tuple(told.get("left_out", ())),
        )


#: statuses as they are told
_ORDER = {name: n for n, name in enumerate(("done", "fresh", "failed", "quarantined", "not-run"))}

_STOPPED = {
    StopReason.MAX_FAILURES: "more failures than max_failures={limit} allows",
    StopReason.ON_ERROR: "the first failure ends the run (on_error='raise')",
    StopReason.BUDGET: "the budget is used up ({why}), run again to go on",
    StopReason.SAME_ERROR: "{why}",
    StopReason.OUTPUT: "the output folder cannot be written",
}


def _row_dict(row: TileRow) -> dict[str, Any]:
    values = {name: value for name, value in asdict(row).items() if value not in ("", (), {}, None)}
    values["id"] = values.pop("tile_id")
    if "seconds" in values:
        values["seconds"] = {name: round(value, 4) for name, value in values["seconds"].items()}
    return values


def _row_of(values: Mapping[str, Any]) -> TileRow:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name != "id"
    }
    fields["footprint"] = tuple((x, y) for x, y in fields.get("footprint", ()))
    return TileRow(tile_id=values["id"], **fields)
