"""Immutable values for the fields of operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

K = TypeVar("K")
V = TypeVar("V")


class FrozenMapping(Mapping[K, V]):
    """A mapping that cannot be changed, keeps its order, and can be hashed and pickled.

    Examples
    --------
    >>> FrozenMapping({"red": (0.0, 0.4)})
    {'red': (0.0, 0.4)}
    """

    __slots__ = ("_data",)

    def __init__(self, data: Mapping[K, V] | None = None) -> None:
        self._data: dict[K, V] = dict(data or {})

    def __getitem__(self, key: K) -> V:
        return self._data[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __hash__(self) -> int:
        return hash(frozenset(self._data.items()))  # equality does not look at the order either

    def __repr__(self) -> str:
        return repr(self._data)

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenMapping, (self._data,))


def frozen(value: Any) -> Any:
    """Return `value` with lists as tuples and dicts as `FrozenMapping`, all the way down."""
    if isinstance(value, np.generic):  # a number is a number, wherever it was computed
        return value.item()
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if isinstance(value, Mapping):
        return FrozenMapping({key: frozen(item) for key, item in value.items()})
    return value


def thawed(value: Any) -> Any:
    """Return `value` with every `FrozenMapping` as a dict; tuples stay tuples."""
    if isinstance(value, list | tuple):
        return tuple(thawed(item) for item in value)
    if isinstance(value, Mapping):
        return {key: thawed(item) for key, item in value.items()}
    return value
