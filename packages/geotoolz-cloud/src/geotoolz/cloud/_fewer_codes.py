"""Fewer tests for the same codes: each is a pass over the pixels."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

Pattern = tuple[int, int]


def fewer(patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """Return patterns that the same numbers match: for two that differ in one bit, one without it.

    Parameters
    ----------
    patterns : iterable of (mask, value)
        A number matches where ``number & mask == value``; no mask is negative.

    Returns
    -------
    tuple of (mask, value)
        The prime implicants of the patterns, or the patterns themselves where those are no fewer.

    References
    ----------
    Quine, W. V. (1952). The problem of simplifying truth functions. American Mathematical Monthly 59,
    521–531.

    Examples
    --------
    Medium or high, of a field of two bits: its upper bit is set. Scene classes 8, 9 and 10:

    >>> fewer([(0b11, 0b10), (0b11, 0b11)])
    ((2, 2),)
    >>> fewer([(255, 8), (255, 9), (255, 10)])
    ((254, 8), (253, 8))
    """
    given = left = tuple(dict.fromkeys(patterns))
    primes: dict[Pattern, None] = {}
    while left:
        joined: dict[Pattern, None] = {}
        used: set[Pattern] = set()
        for one, other in combinations(left, 2):
            bit = one[1] ^ other[1]
            if one[0] == other[0] and bit.bit_count() == 1:
                joined[one[0] & ~bit, one[1] & ~bit] = None
                used |= {one, other}
        primes |= dict.fromkeys(pattern for pattern in left if pattern not in used)
        left = tuple(joined)
    return tuple(primes) if len(primes) < len(given) else given
