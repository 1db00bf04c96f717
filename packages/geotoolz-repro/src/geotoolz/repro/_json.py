"""JSON whose bytes depend on its values alone (RFC 8785), and a reader for that of strangers."""

from __future__ import annotations

import json
from typing import Any

from geotoolz.repro._errors import ArtifactError


def canonical(value: Any) -> bytes:
    """Return a value in the canonical form of RFC 8785.

    Examples
    --------
    >>> canonical({"b": 1.0, "a": (True, None)})
    b'{"a":[true,null],"b":1}'
    """
    import rfc8785

    from geotoolz.core._config import normalised

    return rfc8785.dumps(normalised(value))


def parsed(data: bytes, name: str) -> dict[str, Any]:
    """Return the object that a member holds.

    Raises
    ------
    ArtifactError
        If it is none.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{name} is no JSON: {error}", expected="an artefact that `save` wrote"
        ) from error
    if not isinstance(found, dict):
        raise ArtifactError(f"{name} holds a {type(found).__name__}", expected="an object")
    return found


def differing(old: Any, new: Any, path: str = "") -> list[tuple[str, str, str]]:
    """Return where two JSON values differ: path, old, new.

    Examples
    --------
    >>> differing({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3], "c": 0})
    [('b[1]', '2', '3'), ('c', 'nothing', '0')]
    """
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            here = f"{path}.{key}" if path else str(key)
            found += differing(old.get(key, ...), new.get(key, ...), here)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            one
            for i, (a, b) in enumerate(zip(old, new, strict=True))
            for one in differing(a, b, f"{path}[{i}]")
        ]
    return [] if old == new and type(old) is type(new) else [(path, _short(old), _short(new))]


def _short(value: Any) -> str:
    if value is ...:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
