"""Formulas: text to a checked syntax tree, and never to code.

A formula is parsed by Python's own parser and rebuilt node by node from a short list of what is allowed;
everything else is refused by column. What comes out are tuples of operation and operands, in the order
in which they were written, so that results equal what any other evaluator gives.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from geotoolz.core._errors import ParameterError, nearest

MAX_LENGTH = 1000
MAX_DEPTH = 64
MAX_NODES = 500
MAX_LITERAL = 1e15
MAX_EXPONENT = 16.0

Tree = tuple[Any, ...]
"""``("num", value)``, ``("name", text)``, or an operation and its operands."""

FUNCTIONS: Mapping[str, tuple[int, int]] = {
    "abs": (1, 1),
    "exp": (1, 1),
    "log": (1, 1),
    "log10": (1, 1),
    "max": (2, 8),
    "min": (2, 8),
    "sqrt": (1, 1),
    "where": (3, 3),
}
"""Functions that a formula may call, with how many arguments they take."""

_ARITHMETIC: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
}
_COMPARE: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}
_CONDITIONS = frozenset({*_COMPARE.values(), "and", "or", "not"})
_ALLOWED = "numbers, names, + - * / **, parentheses and " + ", ".join(f"{name}()" for name in FUNCTIONS)
_INSTEAD: Mapping[str, str] = {
    "^": "use ** for powers",
    "&": "use and between conditions: where(a > 0 and b > 0, 1, 0)",
    "|": "use or between conditions: where(a > 0 or b > 0, 1, 0)",
}
"""What other languages write, and what is written here."""
_FOLDED: Mapping[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "neg": lambda a: -a,
}


@dataclass(frozen=True)
class Expression:
    """A checked formula.

    Parameters
    ----------
    text : str
        The formula as it was written.
    tree : tuple
        Its syntax tree.
    """

    text: str
    tree: Tree

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the formula, in the order of their first use."""
        return tuple(dict.fromkeys(names_in(self.tree)))


def names_in(tree: Tree) -> Iterator[str]:
    """Yield the names of a tree, in the order in which they were written."""
    if tree[0] == "name":
        yield tree[1]
    elif tree[0] != "num":
        for child in tree[1:]:
            yield from names_in(child)


def parse(text: str, definitions: Mapping[str, str] | None = None) -> Expression:
    """Check a formula and return it as a syntax tree.

    Parameters
    ----------
    text : str
        The formula: numbers, names, ``+ - * / **``, parentheses, the functions `FUNCTIONS`, and
        comparisons with ``and``, ``or``, ``not`` as the condition of ``where``.
    definitions : mapping of str to str, optional
        Formulas that stand for names.

    Returns
    -------
    Expression

    Raises
    ------
    ParameterError
        Naming the column, for whatever else stands there, and for formulas that are too long, too
        deep or hold numbers too large.

    Examples
    --------
    >>> parse("(nir - red) / (nir + red)").names
    ('nir', 'red')
    >>> parse("nir.__class__")
    Traceback (most recent call last):
    geotoolz.core._errors.ParameterError: formula 'nir.__class__', column 1: an attribute of 'nir'; ...
    """
    return _parsed(text, tuple((definitions or {}).items()))


@lru_cache(maxsize=1024)
def _parsed(text: str, definitions: tuple[tuple[str, str], ...]) -> Expression:
    known = {name: _parsed(formula, ()).tree for name, formula in definitions}
    return Expression(text, _Reader(text, known).read())


class _Reader:
    """Rebuilds one formula from Python's syntax tree."""

    def __init__(self, text: str, definitions: Mapping[str, Tree]) -> None:
        self.text = text
        self.definitions = definitions
        self.nodes = 0

    def refuse(self, node: ast.AST | int, found: str, expected: str = _ALLOWED, fix: str = "") -> Any:
        column = node if isinstance(node, int) else self.column(node)
        shown = self.text if len(self.text) <= 80 else f"{self.text[:79]}…"
        raise ParameterError(f"formula {shown!r}, column {column}: {found}", expected=expected, fix=fix)

    def column(self, node: ast.AST) -> int:
        """Return the column of a node, counted in letters of the text as it was given."""
        return self._column_of_byte(getattr(node, "col_offset", 0))

    def _column_of_byte(self, byte: int) -> int:
        lead = len(self.text) - len(self.text.lstrip())
        return lead + len(self.text.lstrip().encode()[:byte].decode(errors="ignore")) + 1

    def refuse_between(self, left: ast.expr, right: ast.expr, expected: str = _ALLOWED) -> Any:
        """Refuse the operator between two operands."""
        begin = left.end_col_offset or 0
        between = self.text.lstrip().encode()[begin : right.col_offset].decode(errors="ignore")
        sign = between.strip("() \t\r\n\f\v")
        column = self._column_of_byte(begin) + between.find(sign)
        return self.refuse(column, f"the operator {sign!r}", expected, _INSTEAD.get(sign, ""))

    def read(self) -> Tree:
        """Return the tree of the whole formula."""
        text = self.text
        if not text.strip():
            raise ParameterError(f"formula {text!r} is empty", expected=_ALLOWED)
        if len(text) > MAX_LENGTH:
            self.refuse(MAX_LENGTH + 1, f"{len(text)} characters", f"{MAX_LENGTH} at most")
        self._require_flat(text)
        try:
            parsed = ast.parse(_one_line(text), mode="eval")
        except SyntaxError as error:
            lead = len(text) - len(text.lstrip())
            self.refuse(lead + (error.offset or 1), f"this is no formula ({error.msg})")
        except (ValueError, RecursionError, MemoryError):  # NUL bytes, what the parser's stack cannot hold
            self.refuse(1, "Python's parser cannot read it")
        tree = self.build(parsed.body, 1)
        if tree[0] in _CONDITIONS:
            self.refuse(parsed.body, "a condition", "a number", f"write where({text.strip()}, 1, 0)")
        return tree

    def _require_flat(self, text: str) -> None:
        """Refuse nesting before the parser meets it."""
        depth = 0
        for column, letter in enumerate(text, 1):
            depth += (letter in "([{") - (letter in ")]}")
            if depth > MAX_DEPTH:
                self.refuse(column, "parentheses nested too deep", f"{MAX_DEPTH} levels at most")

    def build(self, node: ast.expr, depth: int) -> Tree:
        """Return the tree of one node, folded where it is a number."""
        self.nodes += 1
        if depth > MAX_DEPTH:
            self.refuse(node, "nested too deep", f"{MAX_DEPTH} levels at most", "split the formula")
        if self.nodes > MAX_NODES:
            self.refuse(node, "too many terms", f"{MAX_NODES} at most", "split the formula")
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.BinOp):
            return self.binary(node, depth)
        if isinstance(node, ast.UnaryOp):
            return self.unary(node, depth)
        if isinstance(node, ast.Call):
            return self.call(node, depth)
        if isinstance(node, ast.Compare):
            return self.comparison(node, depth)
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(part, depth + 1) for part in node.values]
            return _chained("and" if isinstance(node.op, ast.And) else "or", parts)
        if isinstance(node, ast.Attribute):
            return self.refuse(node, f"an attribute of {ast.unparse(node.value)[:40]!r}")  # type: ignore[no-any-return]
        if isinstance(node, ast.Subscript):
            return self.refuse(node, "square brackets")  # type: ignore[no-any-return]
        return self.refuse(node, f"{ast.unparse(node)[:40]!r}")  # type: ignore[no-any-return]

    def number(self, node: ast.Constant) -> Tree:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.refuse(node, f"{str(value)[:40]!r}, which is no number")  # type: ignore[no-any-return]
        if not abs(value) <= MAX_LITERAL:
            self.refuse(node, "a number too large", f"{MAX_LITERAL:g} at most")
        return ("num", float(value))

    def name(self, node: ast.Name) -> Tree:
        if node.id in FUNCTIONS:
            self.refuse(node, f"the function {node.id!r} without its arguments", f"{node.id}(…)")
        if node.id.startswith("__"):
            self.refuse(node, f"the name {node.id!r}", "the name of a band or constant")
        defined = self.definitions.get(node.id)
        return ("name", node.id) if defined is None else defined

    def value(self, node: ast.expr, depth: int) -> Tree:
        """Return the tree of a node that has to be a number."""
        tree = self.build(node, depth)
        if tree[0] in _CONDITIONS:
            self.refuse(node, "a condition", "a number", "conditions stand in where(condition, then, else)")
        return tree

    def condition(self, node: ast.expr, depth: int) -> Tree:
        """Return the tree of a node that has to be a condition."""
        tree = self.build(node, depth)
        if tree[0] not in _CONDITIONS:
            self.refuse(node, "a number", "a condition, such as nir > 0.2")
        return tree

    def binary(self, node: ast.BinOp, depth: int) -> Tree:
        operation = _ARITHMETIC.get(type(node.op))
        if operation is None:
            return self.refuse_between(node.left, node.right)  # type: ignore[no-any-return]
        left, right = self.value(node.left, depth + 1), self.value(node.right, depth + 1)
        if operation == "pow" and right[0] == "num":
            require_exponent(right[1], self.refuse, node.right)
        return self.folded(node, (operation, left, right))

    def unary(self, node: ast.UnaryOp, depth: int) -> Tree:
        if isinstance(node.op, ast.Not):
            return ("not", self.condition(node.operand, depth + 1))
        if isinstance(node.op, ast.Invert):
            self.refuse(node, "the operator '~'", fix="use not before a condition: where(not a > 0, 1, 0)")
        operand = self.value(node.operand, depth + 1)
        if isinstance(node.op, ast.UAdd):
            return operand
        return self.folded(node, ("neg", operand))

    def call(self, node: ast.Call, depth: int) -> Tree:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            what = f"a call of {ast.unparse(node.func)[:40]!r}{nearest(name, FUNCTIONS)}"
            self.refuse(node, what, ", ".join(f"{known}()" for known in FUNCTIONS))
        least, most = FUNCTIONS[name]
        if node.keywords or not least <= len(node.args) <= most:
            count = f"exactly {least}" if least == most else f"{least} to {most}"
            self.refuse(node, f"{name}() with other arguments", f"{count}, without names")
        if name == "where":
            test, then, other = node.args
            return (
                "where",
                self.condition(test, depth + 1),
                self.value(then, depth + 1),
                self.value(other, depth + 1),
            )
        parts = [self.value(part, depth + 1) for part in node.args]
        return (name, *parts) if len(parts) == 1 else _chained(name, parts)

    def comparison(self, node: ast.Compare, depth: int) -> Tree:
        values = [self.value(part, depth + 1) for part in (node.left, *node.comparators)]
        for op, one, two in zip(node.ops, (node.left, *node.comparators), node.comparators, strict=False):
            if type(op) not in _COMPARE:
                self.refuse_between(one, two, "< <= > >= == !=")
        pairs = zip(node.ops, values[:-1], values[1:], strict=True)
        return _chained("and", [(_COMPARE[type(op)], one, two) for op, one, two in pairs])

    def folded(self, node: ast.expr, tree: Tree) -> Tree:
        """Return the number that an operation on numbers gives, or the tree."""
        if any(child[0] != "num" for child in tree[1:]):
            return tree
        try:
            value = _FOLDED[tree[0]](*(child[1] for child in tree[1:]))
        except (ZeroDivisionError, OverflowError):
            value = math.nan
        if isinstance(value, complex) or not math.isfinite(value):
            self.refuse(node, f"{ast.unparse(node)[:40]!r} is no finite number", "a number")
        return ("num", value)


def _one_line(text: str) -> str:
    """Return a formula on one line, every letter at its place."""
    return "".join(" " if letter.isspace() else letter for letter in text).strip()


def require_exponent(value: float, refuse: Callable[..., Any], place: Any) -> None:
    """Refuse powers that leave every useful range."""
    if not abs(value) <= MAX_EXPONENT:
        refuse(place, f"the exponent {value:g}", f"at most {MAX_EXPONENT:g}, positive or negative")


def _chained(operation: str, parts: list[Tree]) -> Tree:
    tree = parts[0]
    for part in parts[1:]:
        tree = (operation, tree, part)
    return tree
