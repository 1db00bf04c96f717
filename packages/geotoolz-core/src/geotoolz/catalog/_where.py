"""Conditions on columns: a small language for the command line, parsed, never evaluated as Python.

::

    cloud_cover < 20 and platform in (sentinel-2a, sentinel-2b)
    datetime >= 2023-08-10 and not (tile = '33TWL' or epsg is null)
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from geotoolz.catalog._rows import ALIASES
from geotoolz.catalog._time import parse_instant, parse_interval
from geotoolz.core._errors import ParameterError, nearest

_OPS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
OPERATORS = (*_OPS, "in", "not in", "is null", "is not null")


@dataclass(frozen=True)
class Compare:
    """One comparison of a column with a value; a row without a value in that column never matches."""

    column: str
    op: str
    value: Any = None

    def mask(self, frame: Any) -> Any:
        """Return which rows match, as a boolean array."""
        series = column_of(frame, self.column)
        if self.op in ("is null", "is not null"):
            null = series.isna()
            return (null if self.op == "is null" else ~null).to_numpy(bool)
        if self.op in ("in", "not in"):
            if isinstance(self.value, str) or not isinstance(self.value, Collection):
                raise ParameterError(f"{self.column} {self.op} {self.value!r}", expected="a list of values")
            hit = series.isin([_fitted(series, self.column, v) for v in self.value])
            return (hit if self.op == "in" else ~hit & series.notna()).to_numpy(bool)
        if self.op not in _OPS:
            raise ParameterError(f"{self.op!r} is no comparison", expected=", ".join(OPERATORS))
        if _is_time(series) and isinstance(self.value, str):
            return _compare_time(series, self.op, self.value)
        found = _OPS[self.op](series, _fitted(series, self.column, self.value))
        return found.fillna(False).to_numpy(bool) & series.notna().to_numpy(bool)


@dataclass(frozen=True)
class Not:
    """The other rows."""

    part: Any

    def mask(self, frame: Any) -> Any:
        """Return which rows match."""
        return ~self.part.mask(frame)


@dataclass(frozen=True)
class Both:
    """Rows that match both (``and``) or one (``or``)."""

    op: str
    left: Any
    right: Any

    def mask(self, frame: Any) -> Any:
        """Return which rows match."""
        left, right = self.left.mask(frame), self.right.mask(frame)
        return left & right if self.op == "and" else left | right


def condition_of(name: str, wanted: Any) -> Compare:
    """Return the comparison that a keyword of `GeoCatalog.filter` means."""
    if wanted is None:
        return Compare(name, "is null")
    if isinstance(wanted, tuple) and len(wanted) == 2 and isinstance(wanted[0], str):
        op = {"=": "==", "<>": "!="}.get(wanted[0], wanted[0])
        return Compare(name, op, wanted[1])
    if isinstance(wanted, (list, set, frozenset, tuple)):
        return Compare(name, "in", tuple(wanted))
    return Compare(name, "==", wanted)


def column_of(frame: Any, name: str) -> Any:
    """Return a column by its own name, its STAC name, or a property that has no column.

    Raises
    ------
    ParameterError
        With the nearest name, if there is no such column.
    """
    import pandas as pd

    name = ALIASES.get(name, name)
    if name in frame.columns and name not in ("geometry", "properties", "item"):
        return frame[name]
    values = [json.loads(text).get(name) if isinstance(text, str) else None for text in frame["properties"]]
    if any(value is not None for value in values) or len(frame) == 0:
        return pd.Series(values, index=frame.index).convert_dtypes()
    known = [c for c in frame.columns if c not in ("geometry", "properties", "item")]
    raise ParameterError(
        f"the catalog has no column {name!r}{nearest(name, known)}", expected=f"one of {', '.join(known)}"
    )


def _is_time(series: Any) -> bool:
    return str(series.dtype).startswith("datetime64")


def _fitted(series: Any, column: str, value: Any) -> Any:
    """Return a value as the column's type, or say that the two cannot be compared."""
    import pandas as pd

    if _is_time(series):
        return pd.Timestamp(parse_instant(value))
    is_text = pd.api.types.is_string_dtype(series.dtype)
    numeric = pd.api.types.is_numeric_dtype(series.dtype)
    if is_text and isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ParameterError(
            f"column {column!r} holds text, and {value!r} is a number", fix=f"quote it: '{value}'"
        )
    if numeric and isinstance(value, str):
        raise ParameterError(f"column {column!r} holds numbers, and {value!r} is text", expected="a number")
    return value


def _compare_time(series: Any, op: str, text: str) -> Any:
    """Compare with a period: after it is after its last instant, equal is inside it."""
    import pandas as pd

    start, end = (pd.Timestamp(t) if t is not None else None for t in parse_interval(text))
    if start is None or end is None:
        raise ParameterError(f"{text!r} is open", expected="an instant or a period")
    tests = {
        "<": lambda: series < start,
        "<=": lambda: series <= end,
        ">": lambda: series > end,
        ">=": lambda: series >= start,
        "==": lambda: (series >= start) & (series <= end),
        "!=": lambda: (series < start) | (series > end),
    }
    return tests[op]().to_numpy(bool)


# ---- the language ------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<op><=|>=|==|!=|<>|<|>|=|\(|\)|,)
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w:.\-/+]))
    | (?P<word>[\w][\w\-.:+/]*)
    )""",
    re.X,
)
_SAME = {"=": "==", "<>": "!="}
_MAX_LENGTH = 10_000
_MAX_DEPTH = 50


def parse_where(text: str) -> Any:
    """Parse a condition.

    Parameters
    ----------
    text : str
        Comparisons with ``< <= > >= = == !=``, ``in (…)``, ``not in (…)``, ``is null``, ``is not null``,
        joined by ``and``, ``or``, ``not`` and parentheses. Text needs quotes only where it has blanks or
        other signs.

    Raises
    ------
    ParameterError
        With the place, if it cannot be parsed.

    Examples
    --------
    >>> parse_where("cloud_cover < 20")
    Compare(column='cloud_cover', op='<', value=20)
    """
    if len(text) > _MAX_LENGTH:
        raise ParameterError(f"the condition has {len(text)} characters", expected=f"at most {_MAX_LENGTH}")
    return _Parser(text).parse()


class _Parser:
    """Recursive descent over the tokens: or < and < not < comparison."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        self.depth = 0
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                rest = len(text) - len(text[place:].lstrip())
                raise self._error(rest, f"{text[rest]!r}", "a column, an operator or a value")
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            place = match.end()

    def _error(self, place: int, found: str, expected: str) -> ParameterError:
        return ParameterError(f"found {found} at character {place + 1} of {self.text!r}", expected=expected)

    def _here(self, expected: str) -> ParameterError:
        if self.at < len(self.tokens):
            _, value, place = self.tokens[self.at]
            return self._error(place, repr(value), expected)
        return self._error(len(self.text), "the end", expected)

    def _take(self, *wanted: str) -> str | None:
        """Take the next token if it is one of the words or signs."""
        if self.at < len(self.tokens):
            kind, value, _ = self.tokens[self.at]
            low = value.lower() if kind == "word" else value
            if kind != "string" and low in wanted:
                self.at += 1
                return low
        return None

    def parse(self) -> Any:
        if not self.tokens:
            raise ParameterError("the condition is empty", expected="a comparison such as cloud_cover < 20")
        node = self._or()
        if self.at < len(self.tokens):
            raise self._here("'and', 'or' or the end")
        return node

    def _or(self) -> Any:
        node = self._and()
        while self._take("or"):
            node = Both("or", node, self._and())
        return node

    def _and(self) -> Any:
        node = self._not()
        while self._take("and"):
            node = Both("and", node, self._not())
        return node

    def _not(self) -> Any:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self._here(f"at most {_MAX_DEPTH} levels")
        try:
            if self._take("not"):
                return Not(self._not())
            if self._take("("):
                node = self._or()
                if not self._take(")"):
                    raise self._here("')'")
                return node
            return self._comparison()
        finally:
            self.depth -= 1

    def _comparison(self) -> Any:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] not in ("word", "string"):
            raise self._here("a column")
        kind, name, _ = self.tokens[self.at]
        self.at += 1
        column = _unquoted(name) if kind == "string" else name
        sign = self._take(*_OPS, *_SAME)
        if sign:
            return Compare(column, _SAME.get(sign, sign), self._value())
        if self._take("is"):
            negated = self._take("not")
            if not self._take("null"):
                raise self._here("'null'")
            return Compare(column, "is not null" if negated else "is null")
        negated = self._take("not")
        if self._take("in"):
            return Compare(column, "not in" if negated else "in", self._values())
        raise self._here("a comparison: " + " ".join(OPERATORS))

    def _values(self) -> tuple[Any, ...]:
        if not self._take("("):
            raise self._here("'('")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if not self._take(")"):
            raise self._here("',' or ')'")
        return tuple(values)

    def _value(self) -> Any:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] == "op":
            raise self._here("a value")
        kind, value, _ = self.tokens[self.at]
        self.at += 1
        if kind == "string":
            return _unquoted(value)
        if kind == "number":
            return float(value) if any(c in value for c in ".eE") else int(value)
        return {"true": True, "false": False}.get(value.lower(), value)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
