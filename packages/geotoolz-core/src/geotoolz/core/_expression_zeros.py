"""Which denominators of a formula have to be looked at, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator

from geotoolz.core._expression import Tree

_CARRIES = ("abs", "add", "log", "log10", "mul", "neg", "sqrt", "sub")
_LOSES = ("exp", "max", "min")


def is_arithmetic(tree: Tree) -> bool:
    """Return whether NaN anywhere in a tree is NaN in its value: nothing is compared or chosen.

    Examples
    --------
    >>> from geotoolz.core._expression import parse
    >>> is_arithmetic(parse("exp(a) / b").tree), is_arithmetic(parse("where(a > b, 1, 2)").tree)
    (True, False)
    """
    if tree[0] in ("num", "name"):
        return True
    known = tree[0] in (*_CARRIES, *_LOSES, "div", "pow")
    return known and all(is_arithmetic(child) for child in tree[1:])


def hidden_zeros(tree: Tree, hidden: bool = False) -> Iterator[Tree]:
    """Yield the denominators whose zeros would leave a finite value behind.

    A division by 0 is infinite or NaN. It stays one of the two in sums, products, powers and numerators,
    and what is not finite is written as no data. It is lost in a denominator (a / (b / 0) is 0), in an
    exponential, and beside another value in min and max.

    Parameters
    ----------
    tree : Tree
        A formula that `is_arithmetic`, with numbers as exponents.
    hidden : bool
        Whether what is around this part could make something finite of it.

    Examples
    --------
    >>> from geotoolz.core._expression import parse
    >>> list(hidden_zeros(parse("(a - b) / (a + b)").tree))
    []
    >>> list(hidden_zeros(parse("a / (1 + b / c)").tree))
    [('name', 'c')]
    """
    kind = tree[0]
    if kind in ("num", "name"):
        return
    if kind == "div":
        yield from hidden_zeros(tree[1], hidden)
        yield from hidden_zeros(tree[2], True)
        if hidden:
            yield tree[2]
    elif kind == "pow":
        exponent = tree[2][1]
        yield from hidden_zeros(tree[1], hidden or exponent < 0)
        if hidden and exponent < 0:
            yield ("pow", tree[1], ("num", -exponent))
    else:
        for child in tree[1:]:
            yield from hidden_zeros(child, hidden or kind in _LOSES)
