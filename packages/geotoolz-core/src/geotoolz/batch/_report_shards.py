"""The reports of the shards of one job, taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._report import BatchReport

__all__ = ["together"]


def together(reports: Sequence[BatchReport]) -> BatchReport:
    """Return the report that was written last; of a shard, with those of the others of as many shards.

    Parameters
    ----------
    reports : sequence of BatchReport
        All that lie in an output folder; one at least.

    Returns
    -------
    BatchReport
        Of several shards it says what each of them said: every tile, the longest time, a reason to stop.
    """
    last = max(reports, key=lambda report: report.started)
    if last.shard is None:
        return last
    many = last.shard[1]
    parts = sorted(
        (report for report in reports if report.shard is not None and report.shard[1] == many),
        key=lambda report: report.shard or (0, 0),
    )
    if len(parts) == 1:
        return last
    stopped = next((part for part in parts if part.stopped is not None), last)
    return replace(
        last,
        rows=tuple(row for part in parts for row in part.rows),
        seconds=max(part.seconds for part in parts),
        stopped=stopped.stopped,
        over_limit=any(part.over_limit for part in parts),
        orphans=max(part.orphans for part in parts),
        started=min(part.started for part in parts),
        why=stopped.why,
        left_out=tuple(dict.fromkeys(one for part in parts for one in part.left_out)),
        shard=None,
        parts=tuple(part.shard for part in parts if part.shard is not None),
    )
