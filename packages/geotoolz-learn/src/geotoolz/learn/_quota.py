"""How many rows every chip gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geotoolz.core import ParameterError

Array = np.ndarray[Any, Any]


def shared_out(available: Array, total: int, seed: int = 0) -> Array:
    """Share a number of rows out over chips, as evenly as what they have allows.

    Every chip gives the same number, or all that it has; what one lacks, the others make up for. The few
    rows by which the number cannot be even fall to chips drawn by the seed.

    Parameters
    ----------
    available : array of int
        Rows that every chip has.
    total : int
        Rows that are wanted.
    seed : int
        Draws who gives one more.

    Returns
    -------
    array of int
        Rows that every chip gives; their sum is `total`, or all that there is.

    Examples
    --------
    >>> shared_out(np.array([100, 2, 100]), 30).tolist()
    [14, 2, 14]
    >>> shared_out(np.array([3, 2]), 30).tolist()
    [3, 2]
    """
    have = np.asarray(available, np.int64)
    if total >= have.sum():
        return have.copy()
    low, high = 0, int(have.max())  # the largest even number whose sum is not too large
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(have, middle).sum() <= total else (low, middle - 1)
    given = np.minimum(have, low)
    more = np.flatnonzero(have > low)
    extra = np.random.default_rng([seed, 7]).permutation(more)[: total - int(given.sum())]
    given[extra] += 1
    return given


def class_targets(
    counts: Mapping[Any, int], total: int, balance: str | Mapping[Any, float]
) -> dict[Any, int]:
    """Return how many rows every class is to give.

    Parameters
    ----------
    counts : mapping
        Rows that every class has.
    total : int
        Rows that are wanted.
    balance : "equal" or mapping
        The same number of every class, or its share (of their sum).

    Raises
    ------
    ParameterError
        If shares are not positive, or name a class that there is not.
    """
    if balance == "equal":
        shares = dict.fromkeys(counts, 1 / max(len(counts), 1))
    elif isinstance(balance, Mapping):
        shares = {label: float(share) for label, share in balance.items()}
        unknown = [label for label in shares if label not in counts]
        if unknown:
            raise ParameterError(
                f"balance names the class {unknown[0]!r}", expected=f"one of {', '.join(map(str, counts))}"
            )
        if min(shares.values(), default=0) <= 0:
            raise ParameterError(f"balance={dict(balance)}", expected="positive shares")
        whole_share = sum(shares.values())
        shares = {label: share / whole_share for label, share in shares.items()}
    else:
        raise ParameterError(f"balance={balance!r}", expected="'equal', or a share per class")
    exact = {label: share * total for label, share in shares.items()}
    whole = {label: int(value) for label, value in exact.items()}
    rest = total - sum(whole.values())
    for label in sorted(exact, key=lambda one: whole[one] - exact[one])[:rest]:
        whole[label] += 1
    return whole
