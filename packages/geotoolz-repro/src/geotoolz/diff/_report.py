"""What an A/B found."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geotoolz.batch import ExitCode
from geotoolz.core import ConfigError, MissingVariableError, nearest
from geotoolz.core._whole_file import write_whole
from geotoolz.diff._config_diff import ConfigDiff
from geotoolz.diff._tolerances import Tolerances, Verdict
from geotoolz.diff._variable_report import VariableReport


class UnjudgedError(ConfigError):
    """The tolerances do not fit what was found.

    Attributes
    ----------
    report : ABReport
        What was found, without a verdict.
    """

    report: ABReport


@dataclass(frozen=True)
class ABReport:
    """What an A/B found.

    Attributes
    ----------
    variables : mapping of str to VariableReport
    tiles : tuple of str
        The tiles that were compared, in the order of the catalog.
    failed : mapping of str to str
        Tiles on which a pipeline failed, and why; the path of the step begins with ``a.`` or ``b.``.
    different : mapping of str to mapping of str to str
        Tiles with variables that cannot be compared, and why: other grids, dimensions, kinds of values.
    only_a, only_b : mapping of str to int
        Variables that one pipeline makes alone, and of how many tiles.
    notes : mapping of str to int
        What differs in how values are stored, or was warned of, and on how many tiles.
    diff : ConfigDiff
        What differs between the pipelines.
    confidence : float
    verdict : Verdict or None
        On the tolerances, where there are any.
    interrupted : bool
    """

    variables: Mapping[str, VariableReport]
    tiles: tuple[str, ...]
    failed: Mapping[str, str]
    different: Mapping[str, Mapping[str, str]]
    only_a: Mapping[str, int]
    only_b: Mapping[str, int]
    notes: Mapping[str, int]
    diff: ConfigDiff = field(repr=False)
    confidence: float = 0.95
    verdict: Verdict | None = None
    interrupted: bool = False

    def __getitem__(self, variable: str) -> VariableReport:
        if variable not in self.variables:
            raise MissingVariableError(
                f"{variable!r} was not compared{nearest(variable, self.variables)}",
                expected=f"one of {', '.join(self.variables) or 'none'}",
            )
        return self.variables[variable]

    @property
    def passed(self) -> bool:
        """Whether the tolerances are kept; without any, whether every tile could be compared."""
        if self.verdict is not None:
            return self.verdict.passed and not self.interrupted
        return not (self.failed or self.different or self.interrupted)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that ends with this report: 4 where the tolerances are not kept."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.verdict is not None:
            return ExitCode.DONE if self.verdict.passed else ExitCode.STOPPED
        return ExitCode.FAILED_TILES if self.failed else ExitCode.DONE

    def judged(self, tolerances: str | os.PathLike[str] | Mapping[str, Any] | Tolerances) -> ABReport:
        """Return the report with a verdict on tolerances."""
        verdict = Tolerances.load(tolerances).judge(self)
        return ABReport(**{**vars(self), "verdict": verdict})

    def summary(self) -> str:
        """Return the report as text."""
        from geotoolz.diff._report_text import report_text

        return report_text(self)

    def __str__(self) -> str:
        return self.summary()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values; pictures are left out."""
        verdict = None
        if self.verdict is not None:
            checks = [{**vars(check), "passed": check.passed} for check in self.verdict.checks]
            free = list(self.verdict.unlimited)
            verdict = {"passed": self.verdict.passed, "checks": checks, "no_limit": free}
        return {
            "passed": self.passed,
            "exit_code": int(self.exit_code),
            "tiles": list(self.tiles),
            "failed": dict(self.failed),
            "different": {tile: dict(why) for tile, why in self.different.items()},
            "only_a": dict(self.only_a),
            "only_b": dict(self.only_b),
            "notes": dict(self.notes),
            "confidence": self.confidence,
            "variables": {name: one.to_dict() for name, one in self.variables.items()},
            "verdict": verdict,
            "pipelines": self.diff.to_dict(),
        }

    def to_json(self) -> str:
        """Return the report as JSON; numbers that are not finite as text."""
        return json.dumps(_finite(self.to_dict()), indent=1, ensure_ascii=False)

    def to_html(self) -> str:
        """Return a page with numbers and pictures; it needs nothing from elsewhere."""
        from geotoolz.diff._report_html import page

        return page(self)

    def _repr_html_(self) -> str:
        from geotoolz.diff._report_html import body

        return body(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a file: ``.html``, ``.json``, else text.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        out = Path(path)
        texts = {".html": self.to_html, ".json": self.to_json}
        write_whole(out, texts.get(out.suffix.lower(), self.summary)() + "\n")
        return out


def _finite(value: Any) -> Any:
    """Return plain values that JSON can say."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
