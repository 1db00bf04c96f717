"""What a release may change: limits from a file, and the verdict on a report."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core import ConfigError, ReadError, nearest
from geotoolz.core._yaml import parse
from geotoolz.diff._kinds import COMMON, HIGHER_IS_BETTER, METRICS

if TYPE_CHECKING:
    from geotoolz.diff._report import ABReport
    from geotoolz.diff._variable_report import VariableReport

ANY = "*"
_CLASS_METRICS = ("shift", "iou")
_SECTIONS: dict[str, tuple[str, ...]] = {
    "pooled": tuple(dict.fromkeys([*(n for names in METRICS.values() for n in names), *COMMON])),
    "per_tile": tuple(dict.fromkeys([*(n for names in METRICS.values() for n in names), *COMMON])),
    "per_class": (*_CLASS_METRICS, *(n for names in METRICS.values() for n in names if n != "shift")),
}
_AT_LEAST = HIGHER_IS_BETTER | {"iou"}
Limits = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Check:
    """One limit and what was found.

    Attributes
    ----------
    what : str
        "ndvi rmse", "ndvi rmse of tile T1", …
    value : float
    low, high : float
        The limits.
    """

    what: str
    value: float
    low: float
    high: float

    @property
    def passed(self) -> bool:
        """Whether the value lies within the limits; an unknown one (NaN) does not."""
        return self.low <= self.value <= self.high

    def __str__(self) -> str:
        word = "ok  " if self.passed else "FAIL"
        return f"{word} {self.what}: {self.value:.6g} ({self._limits()})"

    def _limits(self) -> str:
        if self.low == -self.high:
            return f"size at most {self.high:g}"
        ends = []
        if self.low > -math.inf:
            ends.append(f"at least {self.low:g}")
        if self.high < math.inf:
            ends.append(f"at most {self.high:g}")
        return " and ".join(ends)


@dataclass(frozen=True)
class Verdict:
    """Whether a report keeps to the tolerances.

    Attributes
    ----------
    checks : tuple of Check
    unlimited : tuple of str
        Variables that were compared and that nothing limits.
    """

    checks: tuple[Check, ...]
    unlimited: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True)
class Rules:
    """The limits of one variable."""

    pooled: Limits = field(default_factory=dict)
    per_tile: Limits = field(default_factory=dict)
    per_class: Limits = field(default_factory=dict)
    two_groups: bool = True


@dataclass(frozen=True)
class Tolerances:
    """Limits that an A/B has to keep.

    Attributes
    ----------
    variables : mapping of str to Rules
        By name; ``"*"`` holds for all others.
    failed_tiles, different_tiles : int
        How many tiles may fail, and may have variables that cannot be compared.
    other_variables : bool
        Whether one pipeline may make variables that the other does not.
    by_interval : bool
        Whether the worse end of a metric's interval is judged instead of its value.
    """

    variables: Mapping[str, Rules]
    failed_tiles: int = 0
    different_tiles: int = 0
    other_variables: bool = False
    by_interval: bool = False

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Mapping[str, Any] | Tolerances) -> Tolerances:
        """Read tolerances from a YAML file, or a mapping of the same form.

        Raises
        ------
        ConfigError
            For an unknown key, with the nearest; for a limit that is none.
        """
        if isinstance(source, Tolerances):
            return source
        if isinstance(source, Mapping):
            return _read(source)
        try:
            text = Path(source).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ReadError(
                f"{source} cannot be read: {error}", expected="a YAML file with tolerances"
            ) from error
        try:
            return _read(parse(text).value)
        except ConfigError as error:
            raise error.prefixed(str(source)) from error

    def judge(self, report: ABReport) -> Verdict:
        """Compare a report with the limits."""
        free = [name for name, found in report.variables.items() if not any(self._of_variable(found))]
        return Verdict(tuple(self._checks(report)), tuple(free))

    def require_metrics(self, kinds: Mapping[str, str]) -> None:
        """Raise where a limit is of a metric that a variable does not have; no pixel is needed for that.

        Parameters
        ----------
        kinds : mapping of str to str
            Variable → what it holds.

        Raises
        ------
        ConfigError
        """
        for name, kind in kinds.items():
            rules = self.variables.get(name, Rules())
            for metric in (*rules.pooled, *rules.per_tile):
                _require_metric(metric, name, kind, (*METRICS[kind], *COMMON))

    def _checks(self, report: ABReport) -> Iterator[Check]:
        yield Check("tiles that failed", float(len(report.failed)), -math.inf, float(self.failed_tiles))
        different = float(len(report.different))
        yield Check("tiles that cannot be compared", different, -math.inf, float(self.different_tiles))
        if not self.other_variables:
            alone = float(len({*report.only_a, *report.only_b}))
            yield Check("variables that one pipeline makes alone", alone, -math.inf, 0.0)
        for name, rules in self.variables.items():
            if name != ANY and name not in report.variables:
                # nothing was found where something had to be
                yield from (Check(f"{name} {m}", math.nan, *ends) for m, ends in rules.pooled.items())
        for found in report.variables.values():
            yield from self._of_variable(found)

    def _of_variable(self, found: VariableReport) -> Iterator[Check]:
        if found.name in self.variables:
            yield from self._of(found, self.variables[found.name], strict=True)
        elif ANY in self.variables:
            yield from self._of(found, self.variables[ANY], strict=False)

    def _of(self, found: VariableReport, rules: Rules, *, strict: bool) -> Iterator[Check]:
        for metric, ends in rules.pooled.items():
            if _fits(found, metric, strict):
                yield Check(f"{found.name} {metric}", self._judged(found, metric, ends), *ends)
        for metric, ends in rules.per_tile.items():
            if _fits(found, metric, strict):
                for row in found.tiles:
                    yield Check(f"{found.name} {metric} of tile {row.tile_id}", row.metrics[metric], *ends)
        for metric, ends in rules.per_class.items():
            for name, value in _per_class(found, metric):
                yield Check(f"{found.name} {metric} of class {name}", value, *ends)
        if not rules.two_groups:
            yield Check(f"{found.name} two groups of tiles", float(found.bimodality.flagged), -math.inf, 0.0)

    def _judged(self, found: VariableReport, metric: str, ends: tuple[float, float]) -> float:
        """Return the value that is judged: of an interval, the end that lies further out."""
        value = found.metrics[metric]
        if not self.by_interval or metric not in found.intervals:
            return value
        return max(found.intervals[metric], key=lambda end: max(end - ends[1], ends[0] - end))


def _per_class(found: VariableReport, metric: str) -> Iterator[tuple[str, float]]:
    """Yield what became of every class; of other metrics, those for each class that was told apart."""
    if metric in _CLASS_METRICS:
        yield from ((row.name, float(getattr(row, metric))) for row in found.classes)
    else:
        yield from ((name, held[metric]) for name, held in found.by.items() if metric in held)


def _fits(found: VariableReport, metric: str, strict: bool) -> bool:
    if strict:
        _require_metric(metric, found.name, found.kind, found.metrics)
    return metric in found.metrics


def _require_metric(metric: str, name: str, kind: str, known: Collection[str]) -> None:
    if metric not in known:
        raise ConfigError(
            f"the tolerances limit {metric!r} of {name!r}, which holds {kind} values",
            expected=f"one of {', '.join(known)}",
        )


def _read(value: Any) -> Tolerances:
    top = _mapping(value, "the tolerances")
    keys = ("variables", "failed_tiles", "different_tiles", "other_variables", "judge")
    _refuse_unknown(top, keys, "the tolerances")
    rules = {
        str(n): _rules(r, f"variables.{n}") for n, r in _mapping(top.get("variables"), "variables").items()
    }
    if not rules:
        raise ConfigError("the tolerances limit nothing", expected="'variables:' with limits, '*' for all")
    return Tolerances(
        rules,
        _count(top.get("failed_tiles", 0), "failed_tiles"),
        _count(top.get("different_tiles", 0), "different_tiles"),
        _choice(top.get("other_variables", "refuse"), "other_variables", ("refuse", "allow")) == "allow",
        _choice(top.get("judge", "value"), "judge", ("value", "interval")) == "interval",
    )


def _rules(value: Any, where: str) -> Rules:
    held = _mapping(value, where)
    _refuse_unknown(held, (*_SECTIONS, "two_groups"), where)
    limits = {
        section: {
            metric: _limit(metric, limit, f"{where}.{section}.{metric}")
            for metric, limit in _known(held.get(section, {}), known, f"{where}.{section}").items()
        }
        for section, known in _SECTIONS.items()
    }
    groups = _choice(held.get("two_groups", "allow"), f"{where}.two_groups", ("refuse", "allow"))
    return Rules(**limits, two_groups=groups == "allow")


def _known(value: Any, known: tuple[str, ...], where: str) -> Mapping[str, Any]:
    held = _mapping(value, where)
    _refuse_unknown(held, known, where)
    return held


def _limit(metric: str, value: Any, where: str) -> tuple[float, float]:
    """Return lowest and highest value: one number is the largest size, of agreements the least."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value)):
        if value[0] > value[1]:
            raise ConfigError(f"{where} is {value}", expected="[lowest, highest]")
        return float(value[0]), float(value[1])
    if not _is_number(value):
        raise ConfigError(f"{where} is {value!r}", expected="a number, or [lowest, highest]")
    if metric in _AT_LEAST:
        return float(value), math.inf
    if value < 0:
        raise ConfigError(f"{where} is {value}", expected="0 or more, or [lowest, highest]")
    return -float(value), float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {'nothing' if value is None else repr(value)}", expected="a mapping")
    return value


def _refuse_unknown(value: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in value:
        if key not in known:
            hint = nearest(str(key), known)
            raise ConfigError(f"{where} has {key!r}{hint}", expected=f"some of {', '.join(known)}")


def _count(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"{where} is {value!r}", expected="a whole number, 0 or more")
    return value


def _choice(value: Any, where: str, known: tuple[str, str]) -> str:
    if value not in known:
        raise ConfigError(f"{where} is {value!r}", expected=" or ".join(known))
    return str(value)
