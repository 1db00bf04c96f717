"""Results by the hash of what was asked for, in bounded memory."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """An encoded result.

    Parameters
    ----------
    body : bytes
    media_type : str
    headers : mapping of str to str
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str]


class ResultCache:
    """Keeps the results that were asked for last.

    Parameters
    ----------
    limit : int
        Bytes.

    Examples
    --------
    >>> cache = ResultCache(10)
    >>> cache.put("a", Result(b"12345678", "text/plain", {}))
    >>> cache.put("b", Result(b"12345678", "text/plain", {}))
    >>> cache.get("a"), cache.get("b").body
    (None, b'12345678')
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._results: OrderedDict[str, Result] = OrderedDict()

    def get(self, key: str) -> Result | None:
        """Return a result, or None."""
        found = self._results.get(key)
        if found is not None:
            self._results.move_to_end(key)
        return found

    def put(self, key: str, result: Result) -> None:
        """Keep a result; the oldest ones make room."""
        if len(result.body) > self.limit:
            return
        old = self._results.pop(key, None)
        self.held += len(result.body) - (len(old.body) if old is not None else 0)
        self._results[key] = result
        while self.held > self.limit:
            self.held -= len(self._results.popitem(last=False)[1].body)


def content_key(*parts: Any) -> str:
    """Return the SHA-256 of JSON values.

    Examples
    --------
    >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
