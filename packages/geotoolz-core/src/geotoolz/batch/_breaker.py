"""Stopping a run in which every tile fails for the same reason."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from ._failure import Failure

__all__ = ["CircuitBreaker", "ErrorWatch", "shape_of"]

_LONGEST = 300
#: what differs between two messages of one cause, and what is put in its place; in this order
_PARTS = (
    (re.compile(r"(['\"]).*?\1"), "'…'"),
    (re.compile(r"\w+://\S+"), "…"),
    (re.compile(r"\S*/\S*"), "…"),
    (re.compile(r"\b(?=\w*\d)\w+(?:[._-]\w+)*"), "#"),
    (re.compile(r"\s+"), " "),
)


def shape_of(failure: Failure) -> str:
    """Return what failures of one cause have in common: the error's type, and its message without names.

    Quoted text, paths, addresses and words with digits differ from tile to tile and are taken out.

    Examples
    --------
    >>> from geotoolz.batch import FailureKind
    >>> told = [Failure(FailureKind.BAD_DATA, "ReadError", f"'/in/{n}.tif': HTTP {n}") for n in (401, 402)]
    >>> shape_of(told[0])
    "ReadError: '…': HTTP #"
    >>> shape_of(told[0]) == shape_of(told[1])
    True
    """
    text = failure.message[:_LONGEST]
    for pattern, instead in _PARTS:
        text = pattern.sub(instead, text)
    return f"{failure.error}: {text.strip()}"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """When one repeated error ends a run: expired credentials, an unmounted disk, a wrong pipeline.

    Tiles that fail one after the other with one and the same error say that something is wrong around them.
    The run stops, and those tiles are not put into quarantine: the next run tries them again.

    Parameters
    ----------
    in_a_row : int
        The same error (type, and message without names and numbers) that many times in a row, with no
        finished tile and no other error between.
    share : float
        The same error on that share of all tiles that have ended, ...
    sample : int
        ... once so many have.

    Examples
    --------
    >>> CircuitBreaker.of(5).in_a_row
    5
    >>> print(CircuitBreaker.of(None), CircuitBreaker.of(0))
    None None
    """

    in_a_row: int = 20
    share: float = 0.5
    sample: int = 100

    def __post_init__(self) -> None:
        from geotoolz.core._errors import ParameterError

        for name in ("in_a_row", "sample"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ParameterError(f"{name}={value!r}", expected="a whole number of at least 1")
        if not 0.0 < self.share <= 1.0:
            raise ParameterError(f"share={self.share!r}", expected="more than 0, at most 1")

    @classmethod
    def of(cls, value: CircuitBreaker | int | None) -> CircuitBreaker | None:
        """Make a breaker from what a user writes: a number of errors in a row; None or 0 for none."""
        if value is None or isinstance(value, CircuitBreaker):
            return value
        if type(value) is int and value == 0:
            return None
        if type(value) is int and value > 0:
            return cls(in_a_row=value)
        from geotoolz.core._errors import ParameterError

        raise ParameterError(
            f"breaker={value!r}",
            expected="how many times in a row the same error ends the run, such as 20",
            fix="0 takes the breaker out",
        )


class ErrorWatch:
    """Counts the errors of one run for a `CircuitBreaker`.

    Parameters
    ----------
    breaker : CircuitBreaker or None
        None never trips.

    Attributes
    ----------
    shape : str
        What the repeated errors have in common; empty while the breaker has not tripped.
    told : str
        Why it tripped, as a sentence.
    """

    def __init__(self, breaker: CircuitBreaker | None) -> None:
        self.breaker = breaker
        self.shape: str = ""
        self.told: str = ""
        self._last = ""
        self._row = 0
        self._ended = 0
        self._counts: Counter[str] = Counter()

    def see(self, failure: Failure | None) -> bool:
        """Count a tile that ended (None: well) and say whether the run has to stop."""
        self._ended += 1
        if failure is None:
            self._row = 0
            return False
        shape = shape_of(failure)
        self._row = self._row + 1 if shape == self._last else 1
        self._last = shape
        self._counts[shape] += 1
        if self.breaker is None:
            return False
        if self._row >= self.breaker.in_a_row:
            how = f"{self._row} times in a row"
        elif self._ended >= self.breaker.sample and self._counts[shape] >= self.breaker.share * self._ended:
            how = f"on {self._counts[shape]} of {self._ended} tiles"
        else:
            return False
        self.shape = shape
        self.told = f"the same error {how}: {failure.error}: {failure.message}"
        return True
