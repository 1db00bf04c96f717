"""What is wrong with a pipeline that somebody is typing: every problem, with line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from geotoolz.core import (
    ConfigError,
    GeotoolzError,
    Limits,
    Operator,
    TileSpec,
    check,
    from_config,
    load_sandboxed,
)
from geotoolz.core._config import REF_TARGET, TARGET
from geotoolz.core._load import interpolate, sandbox_find
from geotoolz.core._operator import join
from geotoolz.core._yaml import parse

Severity = Literal["error", "warning", "note"]

_LINE = re.compile(r"^line (\d+)(?:, [^:]*)?: ")
_ITEM = re.compile(r" cannot be made: \w+\.(\w+)[.=]")
_MOST = 50  # problems that are told of one text
_FAILED = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a text, and where.

    Attributes
    ----------
    line, column : int
        Where it starts, from 1; columns count characters.
    end_column : int
        Column behind its last character, on the same line.
    severity : {"error", "warning", "note"}
        An error keeps the pipeline from running.
    message, fix : str
        What was found and expected; what to do.
    """

    line: int
    column: int
    end_column: int
    severity: Severity
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to say about a text.

    Attributes
    ----------
    problems : tuple of Problem
        In the order of the text.
    operator : Operator or None
        The pipeline, if no problem is an error.
    """

    problems: tuple[Problem, ...]
    operator: Operator | None = None


def validate(
    text: str, *, limits: Limits | None = None, max_steps: int = 100, tile: TileSpec | None = None
) -> Verdict:
    r"""Return all problems of a pipeline's text, by the rules of the sandbox; nothing is imported or run.

    Parameters
    ----------
    text : str
        YAML, by a stranger.
    limits : Limits, optional
        Bounds of the text.
    max_steps : int
        Largest number of operators.
    tile : TileSpec, optional
        What it will run on; missing bands, wrong units and the like are then problems too.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> for problem in validate("_target_: geotoolz.core.Riase\nmessage: stop").problems:
    ...     print(problem.line, problem.column, problem.message)
    1 11 operator 'geotoolz.core.Riase' is not in the public registry (did you mean 'geotoolz.core.Raise'?)
    """
    limits = limits or Limits()
    places = _Places(text)
    try:
        document = parse(text, limits=limits)
    except GeotoolzError as error:
        return Verdict((places.syntax(error),))
    places.read()
    reader = _Reader(places)
    reader.build(document.value, "")
    op = None
    if not reader.problems:
        try:  # the sandbox has the last word
            op = load_sandboxed(text, limits=limits, max_steps=max_steps)
        except GeotoolzError as error:
            reader.problems.append(places.problem(error, ""))
    if op is not None and tile is not None:
        reader.problems.extend(_on_tile(op, tile, places))
    found = sorted(dict.fromkeys(reader.problems), key=lambda p: (p.line, p.column))[:_MOST]
    failed = any(problem.severity == "error" for problem in found)
    return Verdict(tuple(found), None if failed else op)


def _on_tile(op: Operator, tile: TileSpec, places: _Places) -> list[Problem]:
    """Return what `check` finds, at the steps' places."""
    problems = []
    for finding in check(op, tile):
        message = finding.message
        for prefix in (f"{finding.path} ({finding.operator}): ", f"{finding.operator}: "):
            message = message.removeprefix(prefix)
        problems.append(Problem(*places.of(finding.path), finding.level, message))
    return problems


class _Reader:
    """Builds a document object by object, going on after what is wrong."""

    def __init__(self, places: _Places) -> None:
        self.places = places
        self.problems: list[Problem] = []

    def build(self, value: Any, path: str) -> Any:
        """Return a value with its operators made, or `_FAILED`."""
        if isinstance(value, Mapping):
            if TARGET in value:
                return self._object(value, path)
            return _whole({k: self.build(v, f"{path}[{k}]") for k, v in value.items()}) if path else value
        if isinstance(value, list):
            return _whole([self.build(item, f"{path}[{i}]") for i, item in enumerate(value)])
        if not isinstance(value, str):
            return value
        try:
            return interpolate(value, {}, env=False, line_of=lambda _: None)
        except GeotoolzError as error:
            return self._failed(error, path)

    def _object(self, value: Mapping[str, Any], path: str) -> Any:
        own = {k: self.build(v, join(path, str(k))) for k, v in value.items()}
        target = own[TARGET]
        if target == REF_TARGET:
            return self._failed(GeotoolzError(f"{REF_TARGET} is not allowed here (reads_files)"), path)
        if target is _FAILED:
            return _FAILED
        given = {name: value for name, value in own.items() if value is not _FAILED}
        while True:
            whole = len(given) == len(own)
            try:
                made = from_config(given, find=sandbox_find)
                return made if whole else _FAILED
            except GeotoolzError as error:
                parameter = getattr(error, "parameter", None)
                # of an object without its wrong values, only what is said of one other value holds
                if whole or parameter is not None or isinstance(error, ConfigError):
                    self._failed(error, path)
                if parameter not in given:
                    return _FAILED
                del given[parameter]

    def _failed(self, error: GeotoolzError, path: str) -> Any:
        self.problems.append(self.places.problem(error, path))
        return _FAILED


def _whole(value: Any) -> Any:
    """Return a collection, or `_FAILED` if a member is."""
    members = value.values() if isinstance(value, dict) else value
    return _FAILED if any(one is _FAILED for one in members) else value


@dataclass
class _Places:
    """Where the paths of a document stand in its text."""

    text: str
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)  # start and end, in characters
    values: dict[str, tuple[int, int]] = field(default_factory=dict)

    def read(self) -> None:
        """Find the places; only after `parse` has accepted the text."""
        node = yaml.compose(self.text, Loader=yaml.SafeLoader)
        if node is not None:
            self._walk(node, "")

    def _walk(self, node: yaml.Node, path: str) -> None:
        self.values[path] = (node.start_mark.index, node.end_mark.index)
        if isinstance(node, yaml.SequenceNode):
            for i, item in enumerate(node.value):
                self._walk(item, f"{path}[{i}]")
        elif isinstance(node, yaml.MappingNode):
            is_object = any(key.value == TARGET for key, _ in node.value)
            for key, item in node.value:
                here = join(path, str(key.value)) if is_object else f"{path}[{key.value}]"
                self._walk(item, here)
                self.keys[here] = (key.start_mark.index, key.end_mark.index)
                if is_object and key.value == TARGET:  # an object is marked at its name
                    self.values[path] = self.values[here]

    def problem(self, error: GeotoolzError, path: str) -> Problem:
        """Return an error of the object or value at a path."""
        parameter = getattr(error, "parameter", None)
        where = join(path, parameter) if parameter else path
        item = _ITEM.search(error.found) if parameter else None
        if item is not None:  # of a list, the item that is wrong
            inner = f"{where}[{item[1]}]"
            where = inner if inner in self.values else where
        unknown = parameter is not None and f"no parameter {parameter!r}" in error.found
        span = self.keys.get(where) if unknown else None
        place = self._span(*span) if span else self.of(where if where in self.values else path)
        return Problem(*place, "error", _said(error), error.fix)

    def of(self, path: str) -> tuple[int, int, int]:
        """Return line, column and end column of a path; of what holds it where it is not in the text."""
        while path and path not in self.values:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self._span(*self.values.get(path, (0, 0)))

    def syntax(self, error: GeotoolzError) -> Problem:
        """Return an error of the text itself."""
        mark = getattr(error.__cause__, "problem_mark", None)
        found = _LINE.match(error.found)
        if mark is not None:
            place = self._span(mark.index, mark.index + 1)
        elif found:  # the place is a line: its text is marked
            lines = self.text.split("\n")
            number = min(int(found[1]), len(lines))
            line = lines[number - 1]
            start = len(line) - len(line.lstrip(" -"))
            place = (number, start + 1, max(len(line.rstrip()), start + 1) + 1)
        else:
            place = (1, 1, 2)
        return Problem(*place, "error", _LINE.sub("", _said(error)), error.fix)

    def _span(self, start: int, end: int) -> tuple[int, int, int]:
        start = min(start, len(self.text))
        first = self.text.rfind("\n", 0, start) + 1
        line_end = self.text.find("\n", start)
        line_end = len(self.text) if line_end < 0 else line_end
        column = start - first + 1
        stop = max(min(end, line_end) - first + 1, column + 1)
        return self.text.count("\n", 0, start) + 1, column, stop


def _said(error: GeotoolzError) -> str:
    return f"{error.found}; expected {error.expected}" if error.expected else error.found
