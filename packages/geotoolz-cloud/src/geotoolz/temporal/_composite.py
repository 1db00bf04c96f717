"""Composites: one image of many dates."""

from __future__ import annotations

import math
from typing import Any, Literal

from geotoolz.cloud._metric import check_reach, decimal_distance, pixel_in_metres
from geotoolz.core import ALL, Call, Footprint, Map, ParameterError, Plan, Role, TileSpec
from geotoolz.temporal._collapse import Collapse, check_method
from geotoolz.temporal._times import days, parsed, several_dates_attrs, stacked_bands, times_of


class Composite(Map):
    """One image of all dates of a stack, and how many observations every pixel has.

    The methods:

    - ``median``, ``mean``: each band by itself, over its valid values; of an even number of values the
      median is the mean of the middle two.
    - ``geomedian``: the point of the spectral space with the least sum of distances to the
      observations, ``argmin Σ ‖x − xᵢ‖``. Bands keep their relation to each other. Weiszfeld's
      iteration from the mean, then Newton's method, until the way that is left is shorter than
      `tolerance` × the harmonic mean distance; exact where the median is an observation. Of two
      observations it is their mean.
    - ``medoid``: the observation with the least sum of distances to the others.
    - ``max_ndvi``: the observation of the highest NDVI. A date whose NDVI is not in −1 … 1, or whose
      red and nir sum to 0 or less (noise over dark ground), is no observation of that pixel, and a pixel
      that has only such dates is no-data, with a count of 0.
    - ``best_pixel``: the observation of the highest score. The score is the sum of those terms that are
      asked for: the variable `quality` (its negative with ``prefer="lowest"``);
      ``exp(−½ (days from target_date / date_width)²)``; and ``min(d / clear_distance, 1)`` with the
      distance ``d`` in metres to the nearest pixel without data on that date.

    An observation of the last four is a date with data in all chosen bands (and in those that score it);
    for ``geomedian`` and ``medoid`` infinite values are no data. Of equal ones that of the earliest
    date is taken, and of one date that of the first position. Sums run over the positions in order, in
    float64. Dates may be in any order, and several may be equal; a stack without a coordinate ``time``
    is taken to be in order, and a coordinate that holds no dates is refused, by every method.

    Reads the chosen bands ``(time, y, x)``; writes them as ``(y, x)``: for ``median``, ``mean`` and
    ``geomedian`` as float32 (float64 for bands of float64 and integers of 32 bits and more) with NaN for
    no-data, for the others in their own dtype with their own no-data value, value for value. Units
    stay. Writes `count`, uint16: the number of observations; for ``median`` and ``mean`` of the band that
    has most. With `date` also the position of the chosen date along time, int16, −1 for none, labelled with
    the dates.

    Looks along time; with `clear_distance` also that far in space. The dimension ``time`` is gone
    afterwards, with all coordinates along it and all variables along it that were not chosen. The tile's
    attributes ``start_datetime`` and ``end_datetime`` say which dates it is made of, ``datetime`` is the
    start, and ``tile_id`` ends in ``_`` and the method: a composite does not pass for one of its scenes.
    The attributes ``sun_elevation``, ``sun_azimuth`` and ``processing_baseline`` hold for single dates and
    are gone, and so is ``platform`` where a coordinate of that name tells several along time.

    Parameters
    ----------
    method : {"median", "mean", "geomedian", "medoid", "max_ndvi", "best_pixel"}
        How the dates become one.
    bands : sequence of str, optional
        By default all bands that hold measurements and lie along time.
    count : str, optional
        Name of the number of observations; None leaves it out.
    date : str, optional
        Name for the position of the chosen date; for ``medoid``, ``max_ndvi`` and ``best_pixel``.
    quality : str, optional
        Variable that scores an observation of ``best_pixel``.
    prefer : {"highest", "lowest"}
        Which `quality` is good; ``"lowest"`` for a cloud probability.
    target_date : str, optional
        Day or time, ISO 8601 in UTC; for ``best_pixel``.
    date_width : float
        Days from `target_date` at which its term is ``exp(−½)``.
    clear_distance : float, optional
        Metres to what has no data from which on an observation is as good as can be; for ``best_pixel``.
    red, nir : str
        Roles of the bands of NDVI.
    tolerance : float
        Of ``geomedian``.

    Raises
    ------
    TileError
        If there is no ``time`` dimension, a band does not lie along it or holds flags, an integer band
        from which observations are chosen has no no-data value, the coordinate ``time`` holds
        something else than dates, or `target_date` is given and the stack has no dates.
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If NDVI would be made of stretched values or digital numbers with an offset, or distances in
        metres are asked for on a grid in degrees.
    ParameterError
        If the terms of ``best_pixel`` are given for another method, or none for it.

    References
    ----------
    Roberts, D., Mueller, N., McIntyre, A. (2017). High-dimensional pixel composites from Earth
    observation time series. IEEE Transactions on Geoscience and Remote Sensing 55, 6254-6264
    (geometric median, medoid). Holben, B. N. (1986). Characteristics of maximum-value composite images from
    temporal AVHRR data. International Journal of Remote Sensing 7, 1417-1434. Griffiths, P. et al. (2013). A
    pixel-based Landsat compositing algorithm for large area land cover mapping. IEEE JSTARS 6, 2088-2101 (the
    idea of scores; the terms are those above).

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import Composite
    >>> stack = contract_tile((8, 8), times=5)
    >>> image = Composite("geomedian", bands=("red", "nir"))(stack)
    >>> image.red.dims, int(image["count"].max()), image.attrs["end_datetime"]
    (('y', 'x'), 5, '2024-06-21T00:00:00Z')
    """

    method: Literal["median", "mean", "geomedian", "medoid", "max_ndvi", "best_pixel"] = "median"
    bands: tuple[str, ...] | None = None
    count: str | None = "count"
    date: str | None = None
    quality: str | None = None
    prefer: Literal["highest", "lowest"] = "highest"
    target_date: str | None = None
    date_width: float = 30.0
    clear_distance: float | None = None
    red: Role = "red"
    nir: Role = "nir"
    tolerance: float = 1e-5

    def validate(self) -> None:
        """Check which parameters go together."""
        check_method(self.method, self.tolerance, self.count, self.date)
        terms = {
            "quality": self.quality,
            "target_date": self.target_date,
            "clear_distance": self.clear_distance,
        }
        given = [name for name, value in terms.items() if value is not None]
        if self.method == "best_pixel" and not given:
            raise ParameterError(
                "method='best_pixel' without a score", expected=f"some of {', '.join(terms)}"
            )
        if self.method != "best_pixel" and given:
            raise ParameterError(f"{given[0]} with method={self.method!r}", expected="method='best_pixel'")
        if not (0 < self.date_width < math.inf):
            raise ParameterError(f"date_width={self.date_width}", expected="days, more than 0")
        if self.clear_distance is not None and not 0 < self.clear_distance < math.inf:
            raise ParameterError(f"clear_distance={self.clear_distance}", expected="metres, more than 0")
        if self.target_date is not None:
            parsed(self.target_date, "target_date")

    def plan(self, tile: TileSpec) -> Plan:
        """Collapse all dates into one."""
        label = type(self).__name__
        collapse = Collapse.of(tile, label, self.method, self.bands, None)
        writes = collapse.writes(self.count, self.date)
        scoring = self._scoring(collapse) if self.method == "best_pixel" else ()
        return Plan(
            writes=writes,
            calls=collapse.calls(self.count, self.date, self.red, self.nir, self.tolerance, scoring),
            drops=collapse.drops(writes),
            footprint=Footprint(time=ALL),
            coords={"time": None},
            attrs=several_dates_attrs(tile, self.method),
        )

    def _scoring(self, collapse: Collapse) -> tuple[Call, ...]:
        tile, label = collapse.tile, collapse.label
        by_date = (0.0,) * tile.sizes["time"]
        if self.target_date is not None:
            away = days(times_of(tile, label), parsed(self.target_date, "target_date"))
            by_date = tuple(math.exp(-0.5 * (day / self.date_width) ** 2) for day in away)
        footprint, distance = Footprint(time=ALL), None
        if self.clear_distance is not None:
            pixel, metres = pixel_in_metres(tile, label), decimal_distance(self.clear_distance)
            rows, cols = math.ceil(metres / pixel.height), math.ceil(metres / pixel.width)
            check_reach(max(rows, cols), f"clear_distance={self.clear_distance}")
            footprint = Footprint(rows, cols, ALL)
            distance = (rows, cols, float(pixel.height), float(pixel.width), float(metres))
        quality: tuple[str, ...] = ()
        coding: Any = None
        if self.quality is not None:
            (name,) = stacked_bands(tile, (self.quality,), label)
            quality = (name,)
            factor = 1.0 if self.prefer == "highest" else -1.0
            coding = (tile.variables[name].nodata_scalar, factor)
        return collapse.score(quality, (coding, by_date, distance), footprint)
