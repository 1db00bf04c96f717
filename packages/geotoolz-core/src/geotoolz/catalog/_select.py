"""Which rows of a frame a condition or a draw selects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from geotoolz.catalog._where import column_of, condition_of, parse_where
from geotoolz.core._errors import ParameterError


def matching(frame: Any, where: str | Callable[[Any], Any] | None, conditions: Mapping[str, Any]) -> Any:
    """Return the positions of the rows that meet every condition of `GeoCatalog.filter`."""
    import numpy as np

    mask = np.ones(len(frame), bool)
    if isinstance(where, str):
        mask &= parse_where(where).mask(frame)
    elif where is not None:
        mask &= _called(where, frame.copy(deep=False), len(frame), "the function")
    for name, wanted in conditions.items():
        if callable(wanted):
            mask &= _called(wanted, column_of(frame, name), len(frame), f"the function for {name!r}")
        else:
            mask &= condition_of(name, wanted).mask(frame)
    return np.flatnonzero(mask)


def _called(function: Callable[[Any], Any], argument: Any, rows: int, who: str) -> Any:
    import numpy as np
    import pandas as pd

    answer = pd.Series(function(argument)).fillna(False).to_numpy()
    if answer.shape != (rows,) or answer.dtype != np.bool_:
        raise ParameterError(
            f"{who} returned {answer.dtype} of shape {answer.shape}", expected=f"{rows} booleans"
        )
    return answer


def drawn(ids: Any, n: int, seed: int) -> Any:
    """Return the positions of `n` rows whose ids have the lowest ranks under a seed."""
    import numpy as np

    if type(n) is not int or not 0 <= n <= len(ids):
        raise ParameterError(f"n is {n!r}", expected=f"a whole number from 0 to {len(ids)}")
    key = str(int(seed)).encode()
    ranks = [hashlib.blake2b(str(i).encode(), key=key[:64], digest_size=8).digest() for i in ids]
    return np.argsort(np.array(ranks, dtype="S8" if not ranks else object), kind="stable")[:n]
