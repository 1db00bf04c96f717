"""Formulas as the source of a compiled loop.

The source is written from the checked tree alone: every name in it is one of our own (``x0``, ``c0``,
``t12``), every number is the repr of a float.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from geotoolz.core._errors import ParameterError
from geotoolz.core._expression import Expression, Tree, names_in, require_exponent
from geotoolz.core._expression_zeros import hidden_zeros, is_arithmetic

_BINARY = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_LARGEST = 3.4028234663852886e38
_LOG2E = 1.4426950408889634


@dataclass
class Layout:
    """What a loop takes: bands and constants in order, and one tree per output."""

    bands: tuple[str, ...]
    constants: tuple[str, ...]
    trees: tuple[Tree, ...]


def layout(expressions: Sequence[Expression], bands: Sequence[str], constants: Mapping[str, float]) -> Layout:
    """Return the trees with their exponents fixed, and the constants that remain arguments.

    Exponents become part of the code, where ``x ** 2`` is ``x · x``; all other constants are handed
    in, so that formulas that differ in them share compiled code.
    """
    trees = tuple(_fixed(e.tree, set(bands), constants, e) for e in expressions)
    used = dict.fromkeys(name for tree in trees for name in names_in(tree))
    unknown = [name for name in used if name not in bands and name not in constants]
    if unknown:
        raise ParameterError(f"the formula has the name {unknown[0]!r}", expected=", ".join(bands))
    return Layout(tuple(bands), tuple(n for n in used if n in constants and n not in bands), trees)


def _fixed(tree: Tree, bands: set[str], constants: Mapping[str, float], whole: Expression) -> Tree:
    """Return a tree whose powers have numbers as exponents."""
    if tree[0] in ("num", "name"):
        return tree
    if tree[0] != "pow":
        return (tree[0], *(_fixed(child, bands, constants, whole) for child in tree[1:]))
    exponent = _exponent(tree[2], bands, constants, whole)
    return ("pow", _fixed(tree[1], bands, constants, whole), ("num", exponent))


def _exponent(tree: Tree, bands: set[str], constants: Mapping[str, float], whole: Expression) -> float:
    for name in names_in(tree):
        if name in bands or name not in constants:
            raise ParameterError(
                f"formula {whole.text!r}: the exponent depends on {name!r}",
                expected="exponents of numbers and constants",
            )

    def refuse(place: Any, found: str, expected: str) -> None:
        raise ParameterError(f"formula {whole.text!r}: {found}", expected=expected)

    try:
        value = _number(tree, constants)
    except (ZeroDivisionError, OverflowError, TypeError):
        refuse(None, "the exponent cannot be computed", "a number")
    require_exponent(value, refuse, None)
    return value


def _number(tree: Tree, constants: Mapping[str, float]) -> float:
    """Return what a tree without bands comes to."""
    if tree[0] == "num":
        return float(tree[1])
    if tree[0] == "name":
        return float(constants[tree[1]])
    values = [_number(child, constants) for child in tree[1:]]
    if tree[0] not in _PLAIN:
        raise TypeError(tree[0])
    return float(_PLAIN[tree[0]](*values))


_PLAIN: Mapping[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": abs,
    "min": min,
    "max": max,
}


@dataclass
class _Writer:
    """Writes every operation once, as a line that assigns it to a name of its own."""

    bands: Mapping[str, str]
    constants: Mapping[str, str]
    known: dict[Tree, str] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    fixed: set[str] = field(default_factory=set)
    count: int = 0
    guarded: bool = False  # zeros of every denominator are looked at where the division is

    def term(self, tree: Tree) -> str:
        """Return the name (or number) that holds the value of a tree."""
        if tree[0] == "num":
            return f"({tree[1]!r})"
        if tree[0] == "name":
            return self.bands.get(tree[1]) or self.constants[tree[1]]
        if tree not in self.known:
            self.known[tree] = self.operation(tree)
        return self.known[tree]

    def assign(self, text: str, *operands: str) -> str:
        """Add a line; before the loop where no band takes part."""
        name = f"t{self.count}"
        self.count += 1
        constant = all(o in self.fixed or o.startswith(("(", "c")) for o in operands)
        if constant:
            self.fixed.add(name)
        (self.before if constant else self.lines).append(f"{name} = {text}")
        return name

    def operation(self, tree: Tree) -> str:
        kind = tree[0]
        if kind == "pow":
            if tree[2][1] < 0:
                return self.quotient("(1.0)", self.term(("pow", tree[1], ("num", -tree[2][1]))))
            return self.power(self.term(tree[1]), tree[2][1])
        if kind == "exp" and (rate := _rate(tree[1])):
            square = self.term(tree[1][2])
            return self.assign(f"decay({square}, {rate!r})", square)
        terms = [self.term(child) for child in tree[1:]]
        if kind in _BINARY:
            return self.assign(f"{terms[0]} {_BINARY[kind]} {terms[1]}", *terms)
        if kind in _COMPARE:
            return self.assign(f"{terms[0]} {_COMPARE[kind]} {terms[1]}", *terms)
        if kind == "div":
            return self.quotient(terms[0], terms[1])
        if kind == "neg":
            return self.assign(f"-{terms[0]}", *terms)
        if kind == "not":
            return self.assign(f"{terms[0]} == False", *terms)
        if kind == "where":
            chosen = self.assign(f"choose({terms[0]}, {terms[1]}, {terms[2]})", *terms)
            compared = list(dict.fromkeys(self.term(part) for part in _compared(tree[1]) if part[0] != "num"))
            unknown = " | ".join(f"({term} != {term})" for term in compared) or "False"
            return self.assign(f"choose({unknown}, NAN, {chosen})", chosen, *compared)
        if kind in ("min", "max"):
            a, b = terms
            sign = "<" if kind == "min" else ">"
            # NaN in either is NaN
            return self.assign(f"choose(({a} {sign} {b}) | ({a} != {a}), {a}, {b})", a, b)
        if kind == "log10":
            return self.assign(f"log({terms[0]}) * 0.4342944819032518", *terms)
        function = {"sqrt": "np.sqrt", "abs": "abs"}.get(kind, kind)
        return self.assign(f"{function}({terms[0]})", *terms)

    def quotient(self, above: str, below: str) -> str:
        if below.startswith("(") and below != "(0.0)":
            return self.assign(f"{above} / {below}", above, below)
        ratio = self.assign(f"{above} / np.float64({below})", above, below)
        if not self.guarded:
            return ratio
        return self.assign(f"choose({below} == 0.0, NAN, {ratio})", ratio, below)

    def power(self, base: str, exponent: float) -> str:
        if exponent == 0:
            return self.assign(f"{base} * 0.0 + 1.0", base)
        if exponent == 0.5:
            return self.assign(f"np.sqrt({base})", base)
        if exponent == 1.0 / 3.0:
            return self.assign(f"cbrt({base})", base)
        if exponent == int(exponent):
            return self.whole_power(base, int(exponent))
        return self.assign(f"{'root' if exponent <= 0.9 else 'power'}({base}, {exponent!r})", base)

    def whole_power(self, base: str, exponent: int) -> str:
        if exponent == 1:
            return base
        half = self.whole_power(base, exponent // 2)
        square = self.assign(f"{half} * {half}", half)
        return self.assign(f"{square} * {base}", square, base) if exponent % 2 else square


def source_of(plan: Layout, gaps: Sequence[bool]) -> str:
    """Return the source of ``loop(out0, …, a0, …, n0, …, c0, …)``.

    All outputs are written in one loop: every band is read once, and what formulas have in common is
    computed once.

    Parameters
    ----------
    plan : Layout
        What the loop takes.
    gaps : sequence of bool
        For every band whether pixels may be equal to its no-data value; NaN is equal to nothing.
    """
    count, width = len(plan.trees), len(plan.bands)
    names = [f"out{i}" for i in range(count)]
    names += [f"a{i}" for i in range(width)] + [f"n{i}" for i in range(width)]
    names += [f"c{i}" for i in range(len(plan.constants))]
    bands = {name: f"x{i}" for i, name in enumerate(plan.bands)}
    guarded = not all(is_arithmetic(tree) for tree in plan.trees)
    constants = {name: f"c{i}" for i, name in enumerate(plan.constants)}
    writer = _Writer(bands, constants, guarded=guarded)
    for i, gap in enumerate(gaps):
        writer.lines.append(f"x{i} = np.float64(a{i}[i])")
        if gap:
            writer.lines.append(f"x{i} = choose(a{i}[i] == n{i}, NAN, x{i})")
    for number, tree in enumerate(plan.trees):
        _write_output(writer, number, tree)
    body = [*writer.before, "for i in range(out0.size):", *_indented(writer.lines)]
    return "\n".join([f"def loop({', '.join(names)}):", *_indented(body)])


def _write_output(writer: _Writer, number: int, tree: Tree) -> None:
    """Add the lines that compute one output and write its pixel."""
    result = writer.term(tree)
    if _chooses(tree):  # what is not chosen would not count, and its no-data would be lost
        used = [writer.bands[name] for name in dict.fromkeys(names_in(tree)) if name in writer.bands]
        gone = " | ".join(f"({x} != {x})" for x in used) or "False"
        writer.lines.append(f"g{number} = choose({gone}, NAN, {result})")
        result = f"g{number}"
    writer.lines.append(f"r{number} = np.float64({result})")
    # infinite values are what divisions by nothing, or almost nothing, and infinite bands leave
    fine = [f"abs(r{number}) <= {_LARGEST!r}"]
    if not writer.guarded:
        fine += [f"{below} != 0.0" for below in dict.fromkeys(map(writer.term, hidden_zeros(tree)))]
    condition = " & ".join(f"({part})" for part in fine)
    writer.lines.append(f"r{number} = choose({condition}, r{number}, NAN)")
    writer.lines.append(f"out{number}[i] = np.float32(r{number})")


def _rate(exponent: Tree) -> float | None:
    """Return the rate, in halvings, at which e^(number · square) falls; None where it is something else."""
    if exponent[0] != "mul" or exponent[1][0] != "num" or exponent[2][0] != "pow":
        return None
    rate = float(exponent[1][1])
    return rate * _LOG2E if rate < 0 and exponent[2][2] == ("num", 2.0) else None


def _compared(condition: Tree) -> Iterator[Tree]:
    """Yield what a condition compares: it is not known where one of them has no value."""
    for part in condition[1:]:
        if condition[0] in _COMPARE:
            yield part
        else:
            yield from _compared(part)


def _chooses(tree: Tree) -> bool:
    return tree[0] == "where" or any(_chooses(child) for child in tree[1:] if isinstance(child, tuple))


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
