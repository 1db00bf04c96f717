"""What a stack says of itself: its variables, its attributes, and what differs from date to date."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.catalog._stack_groups import instant_of
from geotoolz.core._coord import Coord
from geotoolz.core._errors import MissingVariableError, QuantityError, TileError
from geotoolz.core._specs import VarSpec

if TYPE_CHECKING:
    from geotoolz.catalog._stack_pixels import Placed

DIMS = ("time", "y", "x")
_TEXTS = ("platform", "processing_baseline")
_COMMON = ("platform", "instrument", "processing_level", "processing_baseline")
_MEANING = ("quantity", "units", "scale_factor", "add_offset", "scaled_quantity")
"""Attributes of a variable that must be the same in every scene: else the numbers mean different things."""

Facts = Mapping[str, Any]


def stacked_variables(scenes: Sequence[Placed]) -> dict[str, VarSpec]:
    """Return the variables of a stack: those of its scenes, with a dimension of time.

    Attributes that differ between scenes (the file, the baseline's offset) are left out.

    Raises
    ------
    MissingVariableError
        If a scene has other variables than the first.
    QuantityError
        If the numbers of one variable mean different things.
    TileError
        If a variable has several data types or no-data values.
    """
    first = scenes[0]
    found: dict[str, VarSpec] = {}
    for name, spec in first.reader.spec.variables.items():
        attrs = dict(spec.attrs)
        for scene in scenes[1:]:
            other = _same_variables(first, scene)[name]
            _require_same(name, spec, other, first.name, scene.name)
            attrs = {k: v for k, v in attrs.items() if k in other.attrs and _equal(other.attrs[k], v)}
        found[name] = VarSpec(("time", *spec.dims), spec.dtype, spec.nodata, attrs)
    return found


def _equal(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other))


def _same_variables(first: Placed, scene: Placed) -> Mapping[str, VarSpec]:
    wanted, have = first.reader.spec.variables, scene.reader.spec.variables
    if list(wanted) != list(have) and set(wanted) != set(have):
        raise MissingVariableError(
            f"scene {scene.name!r} has {', '.join(have)}, and {first.name!r} has {', '.join(wanted)}",
            expected="the same variables in every scene of a stack",
            fix='say bands=[…]; for sensors with other names bands={"nir": "nir", …} gives one name',
        )
    return have


def _require_same(name: str, one: VarSpec, other: VarSpec, first: str, second: str) -> None:
    for key in _MEANING:
        if not _equal(one.attrs.get(key), other.attrs.get(key)):
            raise QuantityError(
                f"{name!r} has {key} {one.attrs.get(key)!r} in {first!r} and {other.attrs.get(key)!r} in "
                f"{second!r}",
                expected="one meaning of the numbers in a stack",
                fix="read values (raw=False), or make a stack of each kind: catalog.filter(…)",
            )
    same = one.nodata == other.nodata or (one.nodata != one.nodata and other.nodata != other.nodata)
    if one.dtype != other.dtype or not same:
        raise TileError(
            f"{name!r} is {one.dtype} (no-data {one.nodata}) in {first!r} and {other.dtype} "
            f"(no-data {other.nodata}) in {second!r}",
            expected="one data type and no-data value in a stack",
            fix="make a stack of each kind: catalog.filter(…)",
        )


def facts_of(row: Any, attrs: Facts) -> dict[str, Any]:
    """Return what is known of a scene: by its reader, else by its row."""
    found = {}
    for name in (*_COMMON, "sun_elevation", "sun_azimuth"):
        value = attrs.get(name)
        if value in (None, ""):
            value = getattr(row, name, None)
        missing = value is None or value != value or type(value).__name__ == "NAType"
        found[name] = None if missing else value
    return found


def coords_of_dates(groups: Sequence[Sequence[Any]], facts: Sequence[Sequence[Facts]]) -> dict[str, Coord]:
    """Return the coordinates along time.

    Parameters
    ----------
    groups : sequence of sequences of named tuples
        The rows of each date.
    facts : sequence of sequences of mapping
        What `facts_of` says of them.

    Returns
    -------
    dict of str to Coord
        ``time``: of the first scene of a date. ``tile_ids``: all scenes of a date in their order, with
        blanks between. ``platform`` and ``processing_baseline``: joined by ``/`` where the scenes of a date
        differ. ``sun_elevation``, ``sun_azimuth``: mean of the scenes of a date, NaN where none says. A
        coordinate that no scene knows is left out.
    """
    starts = [instant_of(rows[0]).replace(tzinfo=None) for rows in groups]
    found = {
        "time": Coord("time", np.array(starts, "datetime64[ns]"), {"long_name": "time (UTC)"}),
        "tile_ids": _texts([" ".join(str(row.id) for row in rows) for rows in groups]),
    }
    for name in _TEXTS:
        told = ["/".join(_values(each, name)) for each in facts]
        if any(told):
            found[name] = _texts(told)
    for name, mean in (("sun_elevation", _mean), ("sun_azimuth", _mean_angle)):
        angles = [mean([float(f[name]) for f in each if f[name] is not None]) for each in facts]
        if not all(map(math.isnan, angles)):
            found[name] = Coord("time", np.array(angles), {"units": "degree"})
    return found


def _texts(values: list[str]) -> Coord:
    return Coord("time", np.array(values, dtype=np.str_))


def _values(facts: Iterable[Facts], name: str) -> list[str]:
    return sorted({str(each[name]) for each in facts if each[name] is not None})


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _mean_angle(values: list[float]) -> float:
    """Return the mean direction: 359° and 1° are 0° on the mean, not 180°."""
    if len(set(values)) < 2:
        return values[0] if values else math.nan
    east = math.fsum(math.sin(math.radians(v)) for v in values)
    north = math.fsum(math.cos(math.radians(v)) for v in values)
    return math.degrees(math.atan2(east, north)) % 360.0


def attrs_of_stack(facts: Sequence[Sequence[Facts]], times: Any) -> dict[str, Any]:
    """Return a stack's attributes: what all its scenes share, and the interval that they span.

    A platform of one family (Sentinel-2A and -2B) is told by the first scene's: names of bands are looked
    up by it; which date is whose stands in the coordinate.
    """
    every = [each for group in facts for each in group]
    attrs: dict[str, Any] = {}
    for name in _COMMON:
        values = _values(every, name)
        if len(values) == 1 and all(each[name] is not None for each in every):
            attrs[name] = every[0][name]
        elif name == "platform" and values and len({_family(v) for v in values}) == 1:
            attrs[name] = values[0]
    start, end = (np.datetime_as_string(t, unit="s") + "Z" for t in (times.min(), times.max()))
    attrs |= {"datetime": str(start), "start_datetime": str(start), "end_datetime": str(end)}
    return attrs


def _family(platform: str) -> str:
    """Return the platform without the unit's letter: ``sentinel-2`` of ``sentinel-2a``."""
    return platform[:-1] if platform[-1:].isalpha() and platform[-2:-1].isdigit() else platform
