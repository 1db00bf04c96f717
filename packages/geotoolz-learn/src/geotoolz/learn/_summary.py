"""What a model remembers of the rows that it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geotoolz.learn._training import TrainingRows, moved

Extent = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Rows without the rows: features, extent, dates, numbers.

    Attributes
    ----------
    features : tuple of str
        Names of the features.
    dtype : str
        Their type.
    n_rows : int
        How many rows.
    targets : tuple of str
        Names of what is predicted.
    class_names : mapping
        Label → name.
    quantities, target_units : mapping of str to str
        As `TrainingRows`.
    extent : tuple of float or None
        West, south, east, north in degrees.
    dates : tuple of str or None
        First and last time.
    seen : str
        The pixels, as `geotoolz.learn._seen.places_of` tells them; not kept when summaries are merged.
    """

    features: tuple[str, ...]
    dtype: str
    n_rows: int = 0
    targets: tuple[str, ...] = ("label",)
    class_names: Mapping[Any, str] = field(default_factory=dict)
    quantities: Mapping[str, str] = field(default_factory=dict)
    target_units: Mapping[str, str] = field(default_factory=dict)
    extent: Extent | None = None
    dates: tuple[str, str] | None = None
    seen: str = ""

    @classmethod
    def of(cls, rows: TrainingRows) -> Summary:
        """Return the summary of rows."""
        return cls(
            features=rows.features, dtype=rows.X.dtype.name, n_rows=len(rows), targets=rows.targets,
            class_names=rows.class_names, quantities=rows.quantities, target_units=rows.target_units,
            extent=_extent(rows), dates=_dates(rows),
        )  # fmt: skip

    def merged(self, other: Summary) -> Summary:
        """Return the summary of both; features are those of the first."""
        return Summary(
            features=self.features, dtype=self.dtype, n_rows=self.n_rows + other.n_rows, targets=self.targets,
            class_names={**self.class_names, **other.class_names}, quantities=self.quantities,
            target_units=self.target_units, extent=_around(self.extent, other.extent),
            dates=_spanned(self.dates, other.dates),
        )  # fmt: skip


def _extent(rows: TrainingRows) -> Extent | None:
    if rows.xy is None or rows.crs is None or not len(rows):
        return None
    lonlat = moved(rows.xy, rows.crs, "EPSG:4326")
    west, south = lonlat.min(axis=0).tolist()
    east, north = lonlat.max(axis=0).tolist()
    return (west, south, east, north)


def _dates(rows: TrainingRows) -> tuple[str, str] | None:
    span = None if rows.span is None else (_iso(rows.span[0]), _iso(rows.span[1]))
    if rows.times is None:
        return span
    known = rows.times[~np.isnat(rows.times)]
    if not known.size:
        return span
    return _spanned(span, (_iso(known.min()), _iso(known.max())))


def _iso(instant: Any) -> str:
    return f"{np.datetime_as_string(instant, unit='s')}Z"


def _around(a: Extent | None, b: Extent | None) -> Extent | None:
    if a is None or b is None:
        return a or b
    return (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


def _spanned(a: tuple[str, str] | None, b: tuple[str, str] | None) -> tuple[str, str] | None:
    if a is None or b is None:
        return a or b
    return (min(a[0], b[0]), max(a[1], b[1]))
