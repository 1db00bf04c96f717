"""Connected components by runs, in three steps: integers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def find_runs(mask: Any, value: Any) -> Any:
    """Return the runs of `value` in a plane: first column, one past the last, the first run of every row."""
    height, width = mask.shape
    count = 0
    for i in range(height):
        for j in range(width):
            count += (mask[i, j] == value) & ((j == 0) or (mask[i, j - 1] != value))
    start = np.empty(count, np.int32)
    stop = np.empty(count, np.int32)
    rows = np.empty(height + 1, np.int64)
    run = 0
    for i in range(height):
        rows[i] = run
        for j in range(width):
            here = mask[i, j] == value
            before = (j > 0) and (mask[i, j - 1] == value)
            if here and not before:
                start[run] = j
            if before and not here:
                stop[run] = j
                run += 1
        if width > 0 and mask[i, width - 1] == value:
            stop[run] = width
            run += 1
    rows[height] = run
    return start, stop, rows


@kernel
def join_runs(start: Any, stop: Any, rows: Any, diagonal: Any) -> Any:
    """Return every run's parent, and at the roots the number of pixels of the component.

    Runs are joined with those of the row above that they touch; `diagonal` is 1 if corners count. The root is
    the component's first run.
    """
    parent = np.arange(start.size)
    size = (stop - start).astype(np.int64)
    for i in range(1, rows.size - 1):
        above = rows[i - 1]
        for here in range(rows[i], rows[i + 1]):
            while above < rows[i] and stop[above] + diagonal <= start[here]:
                above += 1
            other = above
            while other < rows[i] and start[other] < stop[here] + diagonal:
                a, b = here, other
                while parent[a] != a:
                    parent[a] = parent[parent[a]]  # half the way each time: paths stay short
                    a = parent[a]
                while parent[b] != b:
                    parent[b] = parent[parent[b]]
                    b = parent[b]
                if a != b:
                    low, high = min(a, b), max(a, b)
                    parent[high] = low
                    size[low] += size[high]
                other += 1
    return parent, size


@kernel
def invert_small(out: Any, start: Any, stop: Any, rows: Any, parent: Any, size: Any, least: Any) -> None:
    """Invert the pixels of all components that are too small, in place."""
    for i in range(rows.size - 1):
        for run in range(rows[i], rows[i + 1]):
            root = run
            while parent[root] != root:
                root = parent[root]
            if size[root] < least:
                for j in range(start[run], stop[run]):
                    out[i, j] = not out[i, j]
