"""Which classes a map of classes has: told by the user, by CF attributes, or by what the product is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, QuantityError, VarSpec
from geotoolz.viz._colors import QUALITATIVE, rgba

Class = tuple[int, str, str]
"""Value, name, colour."""

LARGEST_SPAN = 65_536
_MASK: tuple[Class, ...] = ((0, "false", "transparent"), (1, "true", "#d62728"))


def spelt_out(classes: Any) -> tuple[Class, ...]:
    """Return classes as triples, from any of the forms in which people have them.

    Examples
    --------
    >>> spelt_out({1: ("water", "#0000ff"), 2: "forest"})
    ((1, 'water', '#0000ff'), (2, 'forest', '#ff7f0e'))
    >>> spelt_out([{"value": 1, "name": "water", "color_hint": "0000FF"}])
    ((1, 'water', '#0000FF'),)
    """
    items = list(classes.items()) if isinstance(classes, Mapping) else list(classes)
    found: list[Any] = []
    for i, item in enumerate(items):
        own = QUALITATIVE[i % len(QUALITATIVE)]
        if isinstance(item, Mapping):  # as STAC's classification:classes has them
            colour = f"#{hint}" if (hint := item.get("color_hint")) else own
            found.append((item.get("value"), item.get("name", item.get("title", "")), colour))
            continue
        value, rest = (item[0], item[1:]) if not isinstance(classes, Mapping) else item
        rest = (rest,) if isinstance(rest, str) else tuple(rest)
        found.append((value, *rest, own) if len(rest) == 1 else (value, *rest))
    return tuple(found)


def check_classes(classes: Sequence[Class], who: str) -> None:
    """Raise unless values are different, near enough for a table, and colours are colours."""
    values = [value for value, _, _ in classes]
    if not values:
        raise ParameterError(f"{who}: there is no class", expected="one at least")
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ParameterError(
            f"{who}: the value{'s' if len(twice) > 1 else ''} {', '.join(map(str, twice))} "
            f"{'stand' if len(twice) > 1 else 'stands'} for two classes"
        )
    if max(values) - min(values) >= LARGEST_SPAN:
        raise ParameterError(
            f"{who}: classes from {min(values)} to {max(values)}",
            expected=f"values within a range of {LARGEST_SPAN}",
            fix="number the classes anew first",
        )
    for _, _, colour in classes:
        rgba(colour)


def classes_of(name: str, spec: VarSpec, needed_by: str) -> tuple[Class, ...]:
    """Return the classes that a variable is known to have.

    Raises
    ------
    QuantityError
        If it holds measurements, bit flags, or classes that nobody has told.
    """
    attrs = spec.attrs
    if "flag_masks" in attrs or name in ("qa60", "qa_pixel"):
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds bit flags: one pixel may have several",
            expected="a map of classes",
            fix=f"make a mask of the flags first (geotoolz.cloud), or tell the values: "
            f"{needed_by}({name!r}, classes={{…}})",
        )
    found = _told(attrs) or _known(name, spec)
    if found:
        return found
    raise QuantityError(
        f"the classes of {name!r} are not known ({_why_not(attrs)})",
        expected="the attributes flag_values and flag_meanings, or scl, or a mask",
        fix=f"{needed_by}({name!r}, classes={{1: ('water', '#0000ff'), 2: 'forest'}})",
    )


def _told(attrs: Mapping[str, Any]) -> tuple[Class, ...]:
    """Return the classes of CF attributes, with ``flag_colors`` where they are there."""
    if "flag_values" not in attrs:
        return ()
    values = [int(value) for value in np.atleast_1d(np.asarray(attrs["flag_values"])).tolist()]
    names = str(attrs.get("flag_meanings", "")).split()
    if len(names) != len(values):
        return ()
    colours = str(attrs.get("flag_colors", "")).replace(",", " ").split()
    if len(colours) != len(values):
        known = {value: colour for value, _, colour in _scl()} if _is_scl(values, names) else {}
        colours = [known.get(v, QUALITATIVE[i % len(QUALITATIVE)]) for i, v in enumerate(values)]
    return tuple(zip(values, names, colours, strict=True))


def _known(name: str, spec: VarSpec) -> tuple[Class, ...]:
    """Return the classes of what the product is known to hold."""
    if name.lower() == "scl":
        return _scl()
    if spec.dtype == np.bool_ or spec.quantity == "mask":
        return _MASK
    return ()


def _scl() -> tuple[Class, ...]:
    """Return Sentinel-2's scene classification in the colours of ESA's own legend."""
    from geotoolz.io._flags import SCL_CLASSES

    return tuple((value, name, f"#{colour}") for value, name, colour in SCL_CLASSES)


def _is_scl(values: list[int], names: list[str]) -> bool:
    return values == list(range(12)) and "vegetation" in names and "thin_cirrus" in names


def _why_not(attrs: Mapping[str, Any]) -> str:
    if "flag_values" not in attrs:
        return "it has no attribute flag_values"
    n = len(str(attrs.get("flag_meanings", "")).split())
    return f"{len(np.atleast_1d(attrs['flag_values']))} flag_values and {n} flag_meanings"
