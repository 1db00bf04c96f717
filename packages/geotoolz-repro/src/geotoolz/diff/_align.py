"""Which steps of two chains belong together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from geotoolz.core import GeotoolzError, Operator, Sequential
from geotoolz.core._config import normalised, to_config
from geotoolz.core._operator import join


@dataclass(frozen=True, slots=True)
class Step:
    """An operator of a chain, and where it stands."""

    path: str
    op: Operator
    key: str
    """Text that is equal for equal operators."""


@dataclass
class Alignment:
    """What became of the steps of a chain.

    Attributes
    ----------
    pairs : list of (Step, Step)
        Steps that stayed in their order.
    moved : list of (Step, Step)
        Steps that stand elsewhere now.
    removed, added : list of Step
    """

    pairs: list[tuple[Step, Step]] = field(default_factory=list)
    moved: list[tuple[Step, Step]] = field(default_factory=list)
    removed: list[Step] = field(default_factory=list)
    added: list[Step] = field(default_factory=list)


def steps_of(op: Operator, path: str = "") -> list[Step]:
    """Return the steps of a chain; chains within chains are taken apart, for they change no pixel."""
    if type(op) is not Sequential:
        return [Step(path, op, key_of(op))]
    return [
        step
        for index, child in enumerate(op.operators)
        for step in steps_of(child, join(path, f"operators[{index}]"))
    ]


def key_of(op: Operator) -> str:
    """Return a text that is equal for operators of equal configuration."""
    try:
        return json.dumps(normalised(to_config(op)), sort_keys=True)
    except GeotoolzError:  # something of it exists in memory only
        return f"{op.target()} {op!r}"


def align(before: Sequence[Step], after: Sequence[Step]) -> Alignment:
    """Pair the steps of two chains.

    The pairs in order are those of the cheapest way from one chain to the other, where leaving a
    step out or putting one in costs 1 and another parameter up to 1 (Needleman & Wunsch 1970).
    What is left on both sides and equal has moved; so has a step whose class is left once on each.

    References
    ----------
    Needleman, S. B., Wunsch, C. D. (1970). A general method applicable to the search for
    similarities in the amino acid sequence of two proteins. Journal of Molecular Biology 48, 443–453.
    """
    found = _in_order(before, after)
    for same in (_equal_left, _only_of_class):
        for one in list(found.removed):
            other = same(one, found)
            if other is not None:
                found.moved.append((one, other))
                found.removed.remove(one)
                found.added.remove(other)
    return found


def _in_order(before: Sequence[Step], after: Sequence[Step]) -> Alignment:
    rows, cols = len(before), len(after)
    cost = [[float(i + j) for j in range(cols + 1)] for i in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, cols + 1):
            ways = [cost[i - 1][j] + 1, cost[i][j - 1] + 1]
            if (change := _change(before[i - 1], after[j - 1])) is not None:
                ways.append(cost[i - 1][j - 1] + change)
            cost[i][j] = min(ways)
    found = Alignment()
    i, j = rows, cols
    while i or j:
        change = _change(before[i - 1], after[j - 1]) if i and j else None
        if change is not None and cost[i][j] == cost[i - 1][j - 1] + change:
            i, j = i - 1, j - 1
            found.pairs.insert(0, (before[i], after[j]))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            found.removed.insert(0, before[i])
        else:
            j -= 1
            found.added.insert(0, after[j])
    return found


def _change(one: Step, other: Step) -> float | None:
    """Return what it costs to make one step from another; None where the operator is another."""
    if one.key == other.key:
        return 0.0
    if type(one.op) is not type(other.op):
        return None
    mine, theirs = one.op.parameters(), other.op.parameters()
    differ = sum(bool(mine[name] != theirs[name]) for name in mine)
    # powers of two: sums of costs compare equal however they were added
    return 1.0 if differ > 1 else 0.5


def _equal_left(one: Step, found: Alignment) -> Step | None:
    return next((other for other in found.added if other.key == one.key), None)


def _only_of_class(one: Step, found: Alignment) -> Step | None:
    """Return the step of the same class, where there is no doubt which it is."""
    left = Counter(type(step.op) for step in found.removed)
    same = [step for step in found.added if type(step.op) is type(one.op)]
    return same[0] if len(same) == 1 and left[type(one.op)] == 1 else None
