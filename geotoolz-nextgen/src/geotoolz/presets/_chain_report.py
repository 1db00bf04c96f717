"""What a chain did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geotoolz.batch import BatchReport, ExitCode
from geotoolz.presets._chain_scores import Evaluation

__all__ = ["ChainReport"]


@dataclass(frozen=True)
class ChainReport:
    """The result of a chain.

    Attributes
    ----------
    out : Path
    stages : mapping of str to BatchReport
        Those that were run, in their order.
    evaluation : Evaluation or None
        The scores, where there are labels and the chain came so far.
    objects : int or None
        Polygons in the merged file.
    """

    out: Path
    stages: Mapping[str, BatchReport]
    evaluation: Evaluation | None = None
    objects: int | None = None

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Tiles per stage and status."""
        return {name: report.counts for name, report in self.stages.items()}

    @property
    def exit_code(self) -> ExitCode:
        """That of the first stage that did not end well."""
        codes = (report.exit_code for report in self.stages.values())
        return next((code for code in codes if code is not ExitCode.DONE), ExitCode.DONE)

    @property
    def failed(self) -> dict[str, tuple[str, str]]:
        """Tiles that are missing in the end: id to stage and reason."""
        return {
            row.tile_id: (name, row.message) for name, report in self.stages.items() for row in report.failed
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": str(self.out),
            "stages": {name: report.to_dict() for name, report in self.stages.items()},
            "evaluation": None if self.evaluation is None else self.evaluation.to_dict(),
            "objects": self.objects,
            "exit_code": int(self.exit_code),
        }

    def __str__(self) -> str:
        width = max(map(len, self.stages), default=0)
        lines = [f"{name.ljust(width)}  {report}" for name, report in self.stages.items()]
        if self.objects is not None:
            lines.append(f"{self.objects} objects")
        if self.evaluation is not None:
            lines.append(str(self.evaluation))
        return "\n".join(lines)
