"""Regular steps in time."""

from __future__ import annotations

from typing import Literal

import numpy as np

from geotoolz.core import ALL, Coord, Footprint, Map, ParameterError, Plan, Role, TileError, TileSpec
from geotoolz.temporal._calendar import Every
from geotoolz.temporal._collapse import Collapse, check_method
from geotoolz.temporal._times import ordered_times, parsed, several_dates_attrs

_MOST_STEPS = 10_000


class ResampleTime(Map):
    """A stack in regular steps of the calendar: each step a composite of the dates that lie in it.

    Steps begin on Mondays (``"weekly"``, ISO weeks), on the first of a month, or every so many days
    counted from 1970-01-01: never at the stack's first date, so that tiles with other dates get the same
    steps. A step is labelled with its beginning, at 00:00 UTC, and holds the times from there to before
    the next. Steps run without a hole from that of the first date to that of the last, or from `start`
    to `end`; one without a date is no-data with a count of 0.

    The methods are those of `Composite`, with its data types, no-data and observations: ``median``,
    ``mean`` and ``geomedian`` give floats, ``medoid`` and ``max_ndvi`` values of the bands. Sums
    run over the dates in order, in float64.

    Reads and writes the chosen bands ``(time, y, x)`` with their units, and `count` ``(time, y, x)``,
    uint16. Looks along time only. Variables and coordinates along time that are not chosen (flags,
    sun angles of single dates) are gone: they have no value for a step. The tile's attributes become
    those of several dates, as `Composite` says; ``tile_id`` ends in the step and the method.

    Parameters
    ----------
    every : str
        ``"daily"``, ``"weekly"``, ``"monthly"``, ``"yearly"``; days such as ``"10D"``; months
        that divide the year such as ``"3M"``, counted from January.
    method : {"median", "mean", "geomedian", "medoid", "max_ndvi"}
        How the dates of a step become one.
    bands : sequence of str, optional
        By default all bands that hold measurements and lie along time.
    count : str, optional
        Name of the number of observations; None leaves it out.
    start, end : str, optional
        The first and the last step are those that hold these days, ISO 8601; dates outside are left out.
    red, nir : str
        Roles of the bands of NDVI.
    tolerance : float
        Of ``geomedian``.

    Raises
    ------
    TileError
        If there is no ``time`` dimension or no dates along it, if times are unsorted or twice the
        same (the positions are named), if a band does not lie along time or holds flags, if
        no date lies between `start` and `end`, or if ``medoid`` or ``max_ndvi`` has an integer band without
        a no-data value, which an empty step needs.
    MissingVariableError
        If the tile lacks a band.
    ParameterError
        If `every` is no step of the calendar, or `start` lies behind `end`.

    References
    ----------
    ISO 8601 (weeks). As ``pandas`` resamples by ``"W-MON"``, ``"MS"`` and ``"10D"`` with
    ``closed="left", label="left"`` (and ``origin="epoch"``).

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import ResampleTime
    >>> stack = contract_tile((4, 4), times=8)  # every five days from 2024-06-01
    >>> monthly = ResampleTime("monthly", bands=("red",))(stack)
    >>> monthly.time.dt.strftime("%Y-%m-%d").values.tolist(), monthly["count"][:, 0, 0].values.tolist()
    (['2024-06-01', '2024-07-01'], [6, 2])
    """

    every: str = "monthly"
    method: Literal["median", "mean", "geomedian", "medoid", "max_ndvi"] = "median"
    bands: tuple[str, ...] | None = None
    count: str | None = "count"
    start: str | None = None
    end: str | None = None
    red: Role = "red"
    nir: Role = "nir"
    tolerance: float = 1e-5

    def validate(self) -> None:
        """Check step and range."""
        Every.parse(self.every)
        check_method(self.method, self.tolerance, self.count)
        ends = [parsed(t, n) for t, n in ((self.start, "start"), (self.end, "end")) if t is not None]
        if len(ends) == 2 and ends[0] > ends[1]:
            raise ParameterError(f"start={self.start!r} lies behind end={self.end!r}", expected="start first")

    def plan(self, tile: TileSpec) -> Plan:
        """Find the dates of every step, and collapse them."""
        label = type(self).__name__
        times = ordered_times(tile, label)
        if not times.size:
            raise TileError(f"{label} got a stack of 0 dates", expected="one date or more")
        every = Every.parse(self.every)
        found = every.bin_of(times)
        first, last = (
            int(every.bin_of(parsed(text, name)[None])[0]) if text is not None else int(found[position])
            for text, name, position in ((self.start, "start", 0), (self.end, "end", -1))
        )
        steps = every.starts(first, last)
        edges = np.searchsorted(found, np.arange(first, last + 2))
        if not steps.size or edges[0] == edges[-1]:
            raise TileError(
                f"{label} found no date from {self.start or 'the first'} to {self.end or 'the last'} "
                f"among {times[0]} … {times[-1]}",
                expected="some dates in between",
            )
        if steps.size > _MOST_STEPS:
            raise ParameterError(f"every={self.every!r} makes {steps.size} steps", expected="longer steps")
        bins = tuple(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        collapse = Collapse.of(tile, label, self.method, self.bands, bins)
        writes = collapse.writes(self.count)
        known = tile.coords["time"].attrs
        return Plan(
            writes=writes,
            calls=collapse.calls(self.count, None, self.red, self.nir, self.tolerance),
            drops=collapse.drops(writes),
            footprint=Footprint(time=ALL),
            coords={"time": Coord("time", steps, known)},
            attrs=several_dates_attrs(tile, f"{self.every}_{self.method}", slice(edges[0], edges[-1])),
        )
