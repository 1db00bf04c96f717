"""An A/B as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from geotoolz.diff._drift import Drift
from geotoolz.diff._kinds import HIGHER_IS_BETTER

if TYPE_CHECKING:
    from geotoolz.diff._config_diff import ConfigDiff
    from geotoolz.diff._report import ABReport
    from geotoolz.diff._variable_report import VariableReport

_MOST_CLASSES = 20
_MOST_TILES = 8


def report_text(report: ABReport) -> str:
    """Return a report as lines."""
    return "\n".join(_lines(report))


def _lines(report: ABReport) -> Iterator[str]:
    yield f"A/B on {_tiles(len(report.tiles))}: {difference_count(report.diff)}"
    for variable in report.variables.values():
        yield ""
        yield from variable_lines(variable, report.confidence)
    for side, alone in (("first", report.only_a), ("second", report.only_b)):
        for name, count in alone.items():
            yield f"only the {side} pipeline makes {name} ({_tiles(count)})"
    for tile, why in report.different.items():
        yield from (f"not compared: {tile} {name}: {text}" for name, text in why.items())
    yield from (f"failed: {tile}: {text}" for tile, text in report.failed.items())
    yield from (f"note: {text} ({_tiles(count)})" for text, count in report.notes.items())
    if report.interrupted:
        yield "interrupted: not all tiles were looked at"
    if report.verdict is not None:
        yield ""
        yield "tolerances kept" if report.verdict.passed else "tolerances NOT kept"
        yield from map(str, report.verdict.failures)
        yield from (f"{name}: no limit" for name in report.verdict.unlimited)


def difference_count(diff: ConfigDiff) -> str:
    """Say how many differences there are."""
    if diff.equal:
        return "the same pipeline"
    return "1 difference" if len(diff) == 1 else f"{len(diff)} differences"


def variable_lines(found: VariableReport, confidence: float) -> Iterator[str]:
    """Yield what is to be said of a variable."""
    yield f"{found.name} ({found.kind}), {found.n} pixels in both, tiles ranked by {found.metric}"
    for name, value in found.metrics.items():
        yield f"  {name:<15} {value:.6g}{_interval(found, name, confidence)}"
    spread = ", ".join(f"{name} {value:.6g}" for name, value in found.distribution.items())
    yield f"  {found.metric} of tiles: {spread or 'none has a pixel in both'}"
    yield from (f"  {line}" for line in group_lines(found))
    yield from (f"  {drift_line(one)}" for one in found.drifts)
    if found.worst:
        told = ", ".join(f"{one.tile_id} {one.value:.6g}" for one in found.worst)
        yield f"  worst tiles: {told}"
    for name, metrics in found.by.items():
        yield f"  in {name}: {metrics['pixels']:.0f} pixels, {found.metric} {metrics[found.metric]:.6g}"
    for row in found.classes[:_MOST_CLASSES]:
        shares = f"{row.share_a:.3%} → {row.share_b:.3%}"
        yield f"  class {row.name}: {shares}, intersection over union {row.iou:.4g}"
    if len(found.classes) > _MOST_CLASSES:
        yield f"  and {len(found.classes) - _MOST_CLASSES} classes more"


def group_lines(found: VariableReport) -> Iterator[str]:
    """Yield the warning of two groups of tiles."""
    groups = found.bimodality
    if not groups.flagged:
        return
    shown = ", ".join(groups.worse[:_MOST_TILES])
    more = f" and {len(groups.worse) - _MOST_TILES} more" if len(groups.worse) > _MOST_TILES else ""
    side = "below" if found.metric in HIGHER_IS_BETTER else "above"
    yield (
        f"two groups of tiles (bimodality coefficient {groups.coefficient:.3f} > 5/9): "
        f"{found.metric} {side} {groups.split:.6g} in {shown}{more}"
    )


def drift_line(one: Drift) -> str:
    """Say how a metric changes along time or space."""
    clear = "" if one.is_clear else ", not clear"
    return (
        f"drift along {one.along}: {one.slope:+.4g} per {one.unit} [{one.low:+.4g}, {one.high:+.4g}]{clear}"
    )


def _interval(found: VariableReport, name: str, confidence: float) -> str:
    if name not in found.intervals:
        return ""
    low, high = found.intervals[name]
    return f"  [{low:.6g}, {high:.6g}] at {confidence:.0%}"


def _tiles(count: int) -> str:
    return f"{count} tile" if count == 1 else f"{count} tiles"
