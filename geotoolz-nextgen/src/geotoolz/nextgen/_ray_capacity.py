"""How many tasks a Ray cluster holds at a time: it changes as nodes join and leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["slots"]

#: Ray counts resources in ten-thousandths; 1.0 // 0.1 would be 9
_GRAIN = 10_000


def slots(nodes: Iterable[Mapping[str, Any]], need: Mapping[str, float]) -> int:
    """Return how many tasks the living nodes can hold at a time.

    Parameters
    ----------
    nodes : iterable of mapping
        What ``ray.nodes()`` gives.
    need : mapping
        Resources of one task by Ray's names, above 0.

    Examples
    --------
    >>> node = {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0}}
    >>> slots([node, node], {"CPU": 2.0}), slots([node, node], {"CPU": 2.0, "GPU": 0.5})
    (8, 4)
    >>> slots([node], {"CPU": 0.1}), slots([node], {"spot": 1.0}), slots([], {"CPU": 1.0})
    (80, 0, 0)
    """
    return sum(_on_node(node["Resources"], need) for node in nodes if node["Alive"])


def _on_node(has: Mapping[str, float], need: Mapping[str, float]) -> int:
    grains = {name: max(round(amount * _GRAIN), 1) for name, amount in need.items()}
    return min(round(has.get(name, 0.0) * _GRAIN) // grain for name, grain in grains.items())
