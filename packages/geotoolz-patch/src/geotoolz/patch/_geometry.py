"""Geometries: what a chip covers."""

from __future__ import annotations

from typing import Any

from geotoolz.core import ParameterError
from geotoolz.patch._axis import Axis, pair


class Geometry(Axis, abstract=True):
    """Base of what a chip covers; a sampler says where."""


class Rectangle(Geometry):
    """Chips of a fixed number of rows and columns, and perhaps dates.

    Parameters
    ----------
    size : int or tuple of int
        Rows and columns in pixels; one number for both.
    time : int, optional
        Number of dates; by default all that there are.

    Raises
    ------
    ParameterError
        If there is less than one pixel or date.

    Examples
    --------
    >>> from geotoolz.patch import Rectangle
    >>> Rectangle(256), Rectangle((128, 64), time=4)
    (Rectangle(size=(256, 256)), Rectangle(size=(128, 64), time=4))
    """

    size: tuple[int, int]
    time: int | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one number for rows and columns."""
        return {**values, "size": pair(values["size"], "size")}

    def validate(self) -> None:
        """Check the number of dates."""
        if self.time is not None and self.time < 1:
            raise ParameterError(f"time={self.time}", expected="1 date or more", fix="leave it out for all")


class PointCentred(Geometry):
    """Chips of a fixed size with a point in their middle: the pixel that holds it is pixel ``size // 2``.

    Parameters
    ----------
    size : int or tuple of int
        Rows and columns in pixels.

    Examples
    --------
    >>> from geotoolz.patch import PointCentred
    >>> PointCentred(33).size
    (33, 33)
    """

    size: tuple[int, int]

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one number for rows and columns."""
        return {"size": pair(values["size"], "size")}


class PolygonCentred(Geometry):
    """Chips around polygons: the pixels of their bounds and some more, or a fixed size about their middle.

    Parameters
    ----------
    margin : int
        Pixels beyond the bounds, on every side.
    size : int or tuple of int, optional
        Rows and columns of all chips, about the middle of the bounds; a larger polygon is cut off.

    Raises
    ------
    ParameterError
        If the margin is negative, or stands beside a size.

    Examples
    --------
    >>> from geotoolz.patch import PolygonCentred
    >>> PolygonCentred(margin=8)
    PolygonCentred(margin=8)
    """

    margin: int = 0
    size: tuple[int, int] | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one number for rows and columns."""
        return {**values, "size": pair(values["size"], "size")}

    def validate(self) -> None:
        """Check the margin."""
        if self.margin < 0:
            raise ParameterError(f"margin={self.margin}", expected="0 pixels or more")
        if self.margin and self.size is not None:
            raise ParameterError(
                f"margin={self.margin} beside size={self.size}", expected="one of both", fix="leave one out"
            )


def as_geometry(value: Any) -> Any:
    """Return a number of pixels, or two, as a `Rectangle`; leave everything else."""
    both = pair(value, "size")
    return Rectangle(tuple(both)) if isinstance(both, tuple | list) else value
