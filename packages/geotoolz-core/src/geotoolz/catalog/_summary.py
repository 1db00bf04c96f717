"""What a catalog holds, in a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._rows import Problem
from geotoolz.catalog._time import iso, parse_instant

if TYPE_CHECKING:
    import geopandas as gpd


def summary(frame: gpd.GeoDataFrame, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return counts and extents.

    Returns
    -------
    dict
        ``rows``; ``platforms``, ``levels``, ``epsg``, ``kinds`` and ``collections`` (value → count, rows
        without one left out); ``first`` and ``last`` (ISO 8601) and ``days`` (distinct); ``bbox``;
        ``cloud_cover`` (least, median, most, or None); ``undated``; ``problems`` and
        ``problems_without_row``.
    """
    times = frame["start_datetime"]
    dated = times.notna()
    last = frame["end_datetime"].max() if dated.any() else None
    cover = frame["cloud_cover"].dropna()
    return {
        "rows": len(frame),
        "platforms": _counts(frame["platform"]),
        "levels": _counts(frame["processing_level"]),
        "epsg": _counts(frame["epsg"]),
        "kinds": _counts(frame["kind"]),
        "collections": _counts(frame["collection"]),
        "first": iso(parse_instant(times.min())) if dated.any() else None,
        "last": iso(parse_instant(last)) if last is not None else None,
        "days": int(times.dropna().dt.floor("D").nunique()),
        "undated": int((~dated).sum()),
        "bbox": [float(v) for v in frame.total_bounds] if len(frame) else None,
        "cloud_cover": [float(v) for v in (cover.min(), cover.median(), cover.max())] if len(cover) else None,
        "problems": len(problems),
        "problems_without_row": sum(not p.kept for p in problems),
    }


def _counts(series: Any) -> dict[str, int]:
    counted = series.dropna().value_counts()
    return {
        str(value): int(count)
        for value, count in sorted(counted.items(), key=lambda kv: (-kv[1], str(kv[0])))
    }
