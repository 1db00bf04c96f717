"""Checking scenes against a pipeline, and telling what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from geotoolz._cli._console import say

if TYPE_CHECKING:
    from geotoolz.core import Finding, Operator


def examine(op: Operator, sources: Iterable[tuple[str, Any]], read: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Describe scenes and check the pipeline on them; no pixel is read.

    A scene that cannot be described is an error of that scene (operator ``""``).
    """
    from geotoolz.core import Finding, check
    from geotoolz.core._errors import GeotoolzError
    from geotoolz.io import describe

    options = {name: value for name, value in read.items() if value is not None}
    found: list[Finding] = []
    for tile_id, source in sources:
        try:
            spec = describe(source, **options)
        except GeotoolzError as error:
            found.append(Finding("error", "", "", str(error), tile_id))
            continue
        known = spec.evolve(spec.variables, {**spec.attrs, "tile_id": tile_id})
        found.extend(check(op, known))
    order = ("error", "warning", "note")
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.level)))


def grouped(findings: Iterable[Finding]) -> dict[tuple[str, str], list[str]]:
    """Return findings that differ by the tile only as (level, text) → tiles."""
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        groups.setdefault((finding.level, _text(finding)), []).append(finding.tile)
    return groups


def _text(finding: Finding) -> str:
    if not finding.operator:
        return finding.message
    where = f"{finding.path} ({finding.operator})" if finding.path else finding.operator
    return f"{where}: {finding.message.removeprefix(f'{where}: ')}"


def lines(findings: Iterable[Finding], total: int) -> list[str]:
    """Return one line per finding, with the scenes that it holds for."""
    out = []
    for (level, text), tiles in grouped(findings).items():
        named = [tile for tile in tiles if tile]
        if not named:
            where = ""
        elif len(named) == total and total > 1:
            where = f" [all {total} scenes]"
        else:
            more = f" and {len(named) - 3} more" if len(named) > 3 else ""
            where = f" [{', '.join(named[:3])}{more}]"
        out.append(f"{level}: {text}{where}")
    return out


def print_findings(findings: Iterable[Finding], total: int) -> None:
    """Print them as a result."""
    for line in lines(findings, total):
        say(line)
