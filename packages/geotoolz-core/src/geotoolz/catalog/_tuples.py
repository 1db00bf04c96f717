"""Rows as named tuples, fast."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

# Objects of a million rows at once keep the garbage collector busy for ten seconds.
_CHUNK = 10_000


def tuples_of(frame: Any) -> Iterator[Any]:
    """Yield a frame's rows as named tuples of plain Python objects; missing values are None (floats: NaN)."""
    # lists of Python objects: iterating pandas' nullable arrays is five times slower
    from collections import namedtuple

    kind = namedtuple("Row", list(frame.columns))  # type: ignore[misc]
    for start in range(0, len(frame), _CHUNK):
        part = frame.iloc[start : start + _CHUNK]
        columns = [_objects(part[name]) for name in frame.columns]
        yield from map(kind._make, zip(*columns, strict=True))


def _objects(series: Any) -> list[Any]:
    import numpy as np

    kind = str(series.dtype)
    if kind in ("string", "Int64", "boolean"):
        return list(series.to_numpy(object, na_value=None))
    if kind.startswith("datetime64"):
        values = series.dt.tz_localize(None).to_numpy("datetime64[us]").tolist()
        return [None if v is None else v.replace(tzinfo=UTC) for v in values]
    return list(np.asarray(series, object))
