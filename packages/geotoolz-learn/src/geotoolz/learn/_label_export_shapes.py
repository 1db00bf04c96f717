"""Areas of equal code as polygons on the pixel grid, as annotation tools take them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def areas(codes: Array, wanted: set[int]) -> Iterator[tuple[int, Any, int]]:
    """Yield code, outline in pixels (x to the right, y down) and number of pixels of every connected area."""
    import shapely
    from rasterio.features import shapes

    if not codes.size:
        return
    mask = np.isin(codes, list(wanted))
    for outline, code in shapes(codes.astype(np.int32), mask, connectivity=4):
        polygon = shapely.geometry.shape(outline)
        yield int(code), polygon, round(polygon.area)


def without_holes(polygon: Any) -> list[Any]:
    """Cut a polygon on the pixel grid into parts that have no holes; together they cover the same pixels."""
    import shapely

    if not polygon.interiors:
        return [polygon]
    left, low, right, high = polygon.bounds
    at = polygon.interiors[0].bounds[0]  # along the left edge of a hole: a whole number, and the hole is open
    parts: list[Any] = []
    for part in (shapely.box(left, low, at, high), shapely.box(at, low, right, high)):
        cut = shapely.intersection(polygon, part)
        for one in shapely.get_parts(cut):
            if one.geom_type == "Polygon" and one.area > 0:
                parts += without_holes(one)
    return parts


def ring(polygon: Any) -> list[float]:
    """Return an outline as COCO has it: ``[x, y, x, y, …]``, without the closing point."""
    points = list(polygon.exterior.coords)[:-1]
    return [float(value) for point in points for value in point[:2]]
