"""Results of the steps that gather statistics: as JSON, and compared."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geotoolz.core import Operator
from geotoolz.repro import _manifest as m
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._findings import Finding, Kind, Weight
from geotoolz.repro._json import canonical, differing
from geotoolz.repro._tolerance import Tolerance

ALONE = "statistic"
"""What the result of a pipeline that is one statistic is called."""


def recorded(op: Operator, found: Mapping[str, Any]) -> dict[str, m.StatisticEntry]:
    """Return the results of a run by the path of their step.

    Parameters
    ----------
    op : Operator
        The pipeline; says which operator stands at a path.
    found : mapping of str to object
        As `geotoolz.core.run_detailed` returns them.

    Raises
    ------
    ArtifactError
        If a result is nothing that JSON could hold.
    """
    targets = {path: type(step).target() for path, step in op.walk()}
    made = {}
    for path, value in sorted(found.items()):
        plain = json.loads(canonical(as_json(value, path or ALONE)))
        made[path or ALONE] = m.StatisticEntry(operator=targets.get(path, ""), value=plain)
    return made


def as_json(value: Any, where: str) -> Any:
    """Return a result as plain values: its fields, its own ``to_dict``, its numbers.

    Examples
    --------
    >>> as_json({"red": np.float32(0.5), "bins": np.arange(3)}, "step")
    {'red': 0.5, 'bins': [0, 1, 2]}

    Raises
    ------
    ArtifactError
        If it is made of other things.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str):
        return "none" if value is None else value  # a manifest has no null
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return as_json(named, where)
    if hasattr(value, "to_dict"):
        return as_json(value.to_dict(), where)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): as_json(one, where) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(one, where) for one in value]
    raise ArtifactError(
        f"the statistic {where} gives a {type(value).__name__}",
        expected="numbers, text, lists, mappings, dataclasses, or a to_dict() of these",
    )


def compare_statistics(
    name: str, expected: m.StatisticEntry, found: m.StatisticEntry | None, tolerance: Tolerance
) -> list[Finding]:
    """Compare a statistic with the one that was frozen.

    Parameters
    ----------
    name : str
        The path of its step.
    expected, found
        What was frozen, what a rerun gave.
    tolerance : Tolerance
        ``atol`` and ``rtol`` of every number, ``share`` of the numbers that may lie outside.

    Returns
    -------
    list of Finding
        Empty where every digit is the same.
    """
    if found is None:
        return [Finding(Kind.STATISTIC_MISSING, name, "the pipeline has no such step", expected.operator)]
    if canonical(found.value) == canonical(expected.value):
        return []
    told = differing(expected.value, found.value)
    old, new = _numbers(expected.value), _numbers(found.value)
    alike = old.keys() == new.keys() and all(path in old for path, *_ in told)
    apart = {path: abs(new[path] - old[path]) for path, *_ in told} if alike else {}
    outside = sum(gap > tolerance.atol + tolerance.rtol * abs(old[path]) for path, gap in apart.items())
    within = alike and outside <= tolerance.share * len(old) and tolerance != Tolerance()
    facts: dict[str, Any] = {"values": len(told), "of": len(old)}
    if apart:
        facts |= {"outside": outside, "largest": max(apart.values())}
    text = "; ".join(f"{path or 'value'}: {was} → {now}" for path, was, now in told[:10])
    limits = f"at most {tolerance.atol:g} + {tolerance.rtol:g} × value"
    return [
        Finding(
            Kind.STATISTIC,
            name,
            text,
            "the same numbers" if tolerance == Tolerance() else limits,
            Weight.TOLERATED if within else Weight.DIFFERENCE,
            facts,
        )
    ]


def _numbers(value: Any, path: str = "") -> dict[str, float]:
    """Return the numbers of a JSON value by their paths, which are those of `differing`."""
    if isinstance(value, Mapping):
        pairs = [(f"{path}.{key}" if path else str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{path}[{i}]", one) for i, one in enumerate(value)]
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return {path: float(value)}
    else:
        return {}
    return {name: number for here, one in pairs for name, number in _numbers(one, here).items()}
