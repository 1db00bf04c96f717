"""What all checks of a run have found, on one tile or many."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from geotoolz.core import Operator, ParameterError

Result = Literal["passed", "failed", "error"]
_RESULTS: tuple[Result, ...] = ("passed", "failed", "error")
SCHEMA = "geotoolz-qc-report/1"


@dataclass(frozen=True, slots=True)
class QCEntry:
    """One check on one tile.

    Attributes
    ----------
    tile : str
        The tile's id, or what it was read from.
    path : str
        Path of the step in the pipeline, ``"operators[0]"``.
    check : str
        Name of the check, ``"AssertValidFraction"``.
    result : {"passed", "failed", "error"}
        ``"error"`` if the check could not be made: a variable or a file is missing.
    found, expected : str
        In numbers and names.
    on_fail : str
        What the check would do in a run: ``"raise"``, ``"warn"`` or ``"tag"``.
    """

    tile: str
    path: str
    check: str
    result: Result
    found: str
    expected: str = ""
    on_fail: str = "raise"

    def __str__(self) -> str:
        expected = f"; expected {self.expected}" if self.expected and self.result != "passed" else ""
        return f"{self.tile}: {self.check} {self.result}: {self.found}{expected}"

    def to_dict(self) -> dict[str, str]:
        """Return the entry as plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class QCReport:
    """All checks of a run: what each found, and whether it passed.

    Reports of several tiles are added: ``report + other``, ``QCReport.merged(reports)``.

    Attributes
    ----------
    entries : tuple of QCEntry
        In the order of tiles and steps.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertCRSEquals, AssertValidFraction, run_checks
    >>> report = run_checks([AssertCRSEquals("EPSG:4326"), AssertValidFraction(0.9)], simulate_scene((8, 8)))
    >>> report.passed, report.counts
    (False, {'passed': 1, 'failed': 1, 'error': 0})
    >>> print(report.problems[0].found)
    EPSG:32633
    """

    entries: tuple[QCEntry, ...] = ()

    @classmethod
    def collect(cls, op: Operator, data: Any, *, threads: int = 1) -> QCReport:
        """Run all checks of a pipeline and go on after failures; see `collect_report`."""
        from geotoolz.qc._collect import collect_report

        return collect_report(op, data, threads=threads)

    @classmethod
    def merged(cls, reports: Iterable[QCReport]) -> QCReport:
        """Return one report of several."""
        return cls(tuple(entry for report in reports for entry in report.entries))

    def __add__(self, other: QCReport) -> QCReport:
        if not isinstance(other, QCReport):
            return NotImplemented
        return QCReport(self.entries + other.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[QCEntry]:
        return iter(self.entries)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count) or "no checks"
        lines = [f"{len(self.tiles)} tile(s): {counts}", *(str(entry) for entry in self.problems)]
        return "\n".join(lines)

    @property
    def passed(self) -> bool:
        """Whether there is no problem; true of an empty report."""
        return not self.problems

    @property
    def stops(self) -> bool:
        """Whether a run would have stopped: a check failed that raises, or could not be made."""
        return any(e.result == "error" or e.on_fail == "raise" for e in self.problems)

    @property
    def problems(self) -> tuple[QCEntry, ...]:
        """The entries that did not pass."""
        return tuple(entry for entry in self.entries if entry.result != "passed")

    @property
    def tiles(self) -> tuple[str, ...]:
        """The tiles' ids, each once."""
        return tuple(dict.fromkeys(entry.tile for entry in self.entries))

    @property
    def counts(self) -> dict[str, int]:
        """Number of entries by result."""
        found = Counter(entry.result for entry in self.entries)
        return {name: found[name] for name in _RESULTS}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "schema": SCHEMA,
            "passed": self.passed,
            "counts": self.counts,
            "tiles": len(self.tiles),
            "entries": [entry.to_dict() for entry in self.entries],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> QCReport:
        """Return the report that `to_dict` made.

        Raises
        ------
        ParameterError
            If this is no such report.
        """
        if values.get("schema") != SCHEMA:
            raise ParameterError(f"schema {values.get('schema')!r}", expected=f"a report of {SCHEMA!r}")
        names = {field.name for field in dataclasses.fields(QCEntry)}
        entries = values.get("entries")
        if not isinstance(entries, list) or any(not _is_entry(one, names) for one in entries):
            raise ParameterError("the entries are damaged", expected=f"a list of {', '.join(sorted(names))}")
        return cls(tuple(QCEntry(**entry) for entry in entries))

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> QCReport:
        """Return the report that `to_json` made."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ParameterError(f"no JSON: {error}", expected="a report of to_json") from error
        if not isinstance(values, dict):
            raise ParameterError(f"JSON of {type(values).__name__}", expected="a report of to_json")
        return cls.from_dict(values)

    def to_html(self) -> str:
        """Return the report as one page that loads nothing from anywhere."""
        from geotoolz.qc._report_html import page

        return page(self)

    def _repr_html_(self) -> str:
        from geotoolz.qc._report_html import body

        return body(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report; the name ends in ``.json`` or ``.html``.

        Raises
        ------
        ParameterError
            If the name ends in something else.
        """
        target = Path(path)
        makers = {".json": self.to_json, ".html": self.to_html}
        if target.suffix.lower() not in makers:
            name = os.fspath(path)
            raise ParameterError(f"the report {name!r}", expected="a name ending in .json or .html")
        text = makers[target.suffix.lower()]()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target


def _is_entry(value: Any, names: set[str]) -> bool:
    return isinstance(value, dict) and set(value) == names and value["result"] in _RESULTS
