"""What metrics give: numbers that know how many pixels they rest on."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np


class Score(float):
    """A metric's number; it computes and sorts like any other.

    Attributes
    ----------
    name : str
        Of the metric, ``"rmse"``.
    n : int
        Pixels that counted.
    left_out : int
        Pixels that did not: no-data, NaN or infinite in one of the variables.

    Examples
    --------
    >>> score = Score(0.25, "rmse", n=90, left_out=10)
    >>> f"{score:.3f}", score.left_out, score.to_dict()["n"]
    ('0.250', 10, 90)
    """

    name: str
    n: int
    left_out: int

    def __new__(cls, value: float, name: str = "", n: int = 0, left_out: int = 0) -> Score:
        """Make one of a number and what is known of it."""
        made = super().__new__(cls, value)
        made.name, made.n, made.left_out = name, n, left_out
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return (Score, (float(self), self.name, self.n, self.left_out))

    def __repr__(self) -> str:
        return f"Score({float(self)!r}, {self.name!r}, n={self.n}, left_out={self.left_out})"

    def to_dict(self) -> dict[str, Any]:
        """Return the score as plain values; what is not finite is None, as JSON knows no NaN."""
        return {"metric": self.name, "value": plain(float(self)), "n": self.n, "left_out": self.left_out}


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value


class Numbers:
    """A frozen dataclass whose fields are numbers, or tuples of them."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values; what is not finite is None, as JSON knows no NaN."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: plain(getattr(self, field.name)) for field in fields}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Return all numbers in one row."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        parts = [np.ravel(np.asarray(getattr(self, field.name), np.float64)) for field in fields]
        return np.concatenate(parts).astype(dtype or np.float64)
