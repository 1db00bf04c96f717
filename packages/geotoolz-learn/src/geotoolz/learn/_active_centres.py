"""Points that are far apart, and the best of many."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def best(scored: Iterable[tuple[float, int]], count: int) -> list[tuple[float, int]]:
    """Return the highest scores with their numbers, best first; of equal ones the lowest number.

    NaN is no score. Not more than `count` are held, however many come.
    """
    heap: list[tuple[float, int]] = []
    for score, number in scored:
        if score != score:
            continue
        entry = (score, -number)
        if len(heap) < count:
            heapq.heappush(heap, entry)
        elif entry > heap[0]:
            heapq.heapreplace(heap, entry)
    return [(score, -number) for score, number in sorted(heap, reverse=True)]


def k_centres(features: Array, count: int, known: Array | None = None) -> list[int]:
    """Return rows that are far apart: each is the one furthest from all that were chosen before.

    The first is row 0, or where there are `known` rows the one furthest from these. Of equally far rows
    the first is taken. Columns are brought to unit variance first. No set of as many rows leaves the others
    less than half as far (Gonzalez 1985).
    """
    rows = len(features)
    table = features if known is None else np.concatenate([features, known])
    spread = table.std(axis=0)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    table = (table - table.mean(axis=0)) * scale
    own, others = table[:rows], table[rows:]
    nearest = np.full(rows, np.inf)
    for other in others:
        nearest = np.minimum(nearest, _squares(own, other))
    chosen: list[int] = []
    while len(chosen) < min(count, rows):
        nearest[chosen] = -1.0
        one = int(np.argmax(nearest))
        chosen.append(one)
        nearest = np.minimum(nearest, _squares(own, own[one]))
    return chosen


def _squares(rows: Array, row: Array) -> Array:
    found: Array = ((rows - row) ** 2).sum(axis=1)
    return found
