"""The errors that geotoolz raises on purpose.

Every error says what was found, what was expected and what to do about it, and is both a
`GeotoolzError` and the builtin that it specialises, so ``except KeyError`` keeps working.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import takewhile


class GeotoolzError(Exception):
    """Base class of every error that geotoolz raises on purpose.

    Parameters
    ----------
    found : str
        What was found, with names and numbers.
    expected : str, optional
        What was expected instead.
    fix : str, optional
        What the reader can do about it.
    """

    def __init__(self, found: str, *, expected: str = "", fix: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.fix:
            parts.append(self.fix)
        return "; ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments do not survive the default reduction of exceptions
        return (_rebuild, (type(self), self.found, self.expected, self.fix, self.__dict__))

    def prefixed(self, where: str) -> GeotoolzError:
        """Return the same error with a place (a step's path, a file) in front."""
        copy = type(self)(f"{where}: {self.found}", expected=self.expected, fix=self.fix)
        copy.__dict__.update({k: v for k, v in self.__dict__.items() if k != "found"})
        return copy


def _rebuild(
    cls: type[GeotoolzError], found: str, expected: str, fix: str, state: dict[str, object]
) -> GeotoolzError:
    error = cls(found, expected=expected, fix=fix)
    error.__dict__.update(state)
    return error


class ParameterError(GeotoolzError, ValueError):
    """A parameter of an operator or function has a value that it cannot have."""


class ConfigError(GeotoolzError, ValueError):
    """A pipeline's text or mapping cannot be turned into an operator."""


class UnknownOperatorError(ConfigError, LookupError):
    """A ``_target_`` names no known operator."""


class UntrustedOperatorError(ConfigError, PermissionError):
    """A ``_target_`` is not allowed in the sandbox."""


class MissingVariableError(GeotoolzError, KeyError):
    """A tile lacks a variable or role that an operator reads."""


class TileError(GeotoolzError, ValueError):
    """An object is not a tile, or not the tile that was asked for."""


class GridMismatchError(TileError):
    """Variables or tiles lie on different grids."""


class MissingCRSError(TileError):
    """A tile or file has no coordinate reference system where one is needed."""


class QuantityError(GeotoolzError, ValueError):
    """Values mean something else than the operator needs (DN, stretched values, …)."""


class NotFrozenError(GeotoolzError, RuntimeError):
    """A step needs statistics of the whole scene that have not been frozen."""


class ExecutorError(GeotoolzError, RuntimeError):
    """A driver cannot honour what a step asks for."""


class RaisedError(GeotoolzError, RuntimeError):
    """A ``Raise`` step was reached."""


class QCError(GeotoolzError, ValueError):
    """A quality-control assertion failed."""


class QCWarning(UserWarning):
    """A quality-control assertion failed and was told to warn only."""


class ReadError(GeotoolzError, OSError):
    """A source cannot be read."""


class OutsideError(ReadError, ValueError):
    """A window or area lies outside the scene."""


class WriteError(GeotoolzError, OSError):
    """An output cannot be written."""


class CatalogError(GeotoolzError, ValueError):
    """A catalog is empty, broken or asked for something that it does not hold."""


class BatchError(GeotoolzError, RuntimeError):
    """A batch run cannot start or go on."""


class MissingDependencyError(GeotoolzError, ImportError):
    """An optional package is needed and absent."""

    path: str | None = None  # in place of ImportError's own slot, which pickling would lose


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the closest known name, or an empty string.

    Examples
    --------
    >>> nearest("reed", ["red", "nir"])
    " (did you mean 'red'?)"
    >>> nearest("NDIV", ["NDWI", "NDVI"])
    " (did you mean 'NDVI'?)"
    >>> nearest("ndvvi", ["NDWI", "NDVI"])
    " (did you mean 'NDVI'?)"
    >>> nearest("ndvy", ["NDYI", "NDVI"])
    " (did you mean 'NDVI'?)"
    >>> nearest("completely_else", ["red", "nir"])
    ''
    """
    names = list(known)
    match, given = difflib.get_close_matches(name, names, n=5, cutoff=0.6), name
    if not match:  # small letters for capitals are further apart than a slip
        small = {one.lower(): one for one in reversed(names)}
        given = name.lower()
        match = [small[one] for one in difflib.get_close_matches(given, small, n=5, cutoff=0.6)]
    if not match:
        return ""
    spelt = {other: other if given is name else other.lower() for other in match}

    def distance(other: str) -> tuple[bool, float, int]:
        """Letters that changed places before others; of equals what begins alike."""
        one = spelt[other]
        alike = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, given, strict=False))))
        return sorted(one) != sorted(given), -difflib.SequenceMatcher(None, one, given).ratio(), -alike

    return f" (did you mean {min(match, key=distance)!r}?)"
