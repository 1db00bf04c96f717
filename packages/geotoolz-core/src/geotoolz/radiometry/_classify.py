"""Values to classes, by thresholds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from geotoolz.core import (
    Call,
    Map,
    ParameterError,
    Plan,
    Role,
    TileSpec,
    VarSpec,
    chosen_bands,
    require_physical,
)
from geotoolz.radiometry import _kernels

_MOST = 254
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def classify(values: Any, nodata: Any, breaks: tuple[float, ...]) -> Any:
    """Return the class of every value: 1 below the first break, 2 from it on, …; 0 for no data.

    Breaks are rounded to the values' own type first: a stored 0.44 is not below a break of 0.44.
    """
    dtype = values.dtype if values.dtype.kind == "f" else np.float64
    return _kernels.classify(values, nodata, np.asarray(breaks, dtype))


def check_classes(
    breaks: Sequence[float], names: Sequence[str] | None, colors: Sequence[str] | None, who: str
) -> None:
    """Raise unless breaks rise, and each class has one name of one word and one colour."""
    if not 1 <= len(breaks) <= _MOST or not all(math.isfinite(value) for value in breaks):
        raise ParameterError(f"{who}: breaks={list(breaks)}", expected=f"1 to {_MOST} finite numbers")
    if any(b <= a for a, b in pairwise(breaks)):
        raise ParameterError(f"{who}: breaks={list(breaks)}", expected="each larger than the one before")
    for what, given in (("names", names), ("colors", colors)):
        if given is not None and len(given) != len(breaks) + 1:
            raise ParameterError(
                f"{who}: {len(given)} {what} for {len(breaks)} breaks",
                expected=f"{len(breaks) + 1}: one for each class",
            )
    for name in names or ():
        if not name or name.split() != [name] or list(names or ()).count(name) > 1:
            raise ParameterError(
                f"{who}: the class name {name!r}", expected="different names without spaces", fix="use _"
            )
    for color in colors or ():
        if not _COLOR.fullmatch(color):
            raise ParameterError(f"{who}: the colour {color!r}", expected="#rrggbb")


def class_spec(
    dims: tuple[str, ...],
    long_name: str,
    breaks: Sequence[float],
    names: Sequence[str] | None,
    colors: Sequence[str] | None,
) -> VarSpec:
    """Return how a map of the classes 1, 2, … is written: uint8 with names and colours, 0 for no data."""
    shown = tuple(names) if names is not None else _by_limits(breaks)
    attrs: dict[str, Any] = {
        "long_name": long_name,
        "quantity": "flags",
        "flag_values": list(range(1, len(shown) + 1)),
        "flag_meanings": " ".join(shown),
    }
    if colors is not None:
        attrs["flag_colors"] = " ".join(colors)
    return VarSpec(dims, np.dtype(np.uint8), 0, attrs)


def _by_limits(breaks: Sequence[float]) -> tuple[str, ...]:
    between = (f"{a:g}_to_{b:g}" for a, b in pairwise(breaks))
    return (f"below_{breaks[0]:g}", *between, f"{breaks[-1]:g}_and_above")


class ClassifyByThresholds(Map):
    """A map of classes from values and thresholds.

    A value below the first break is of class 1, from the first break to below the second of class 2, and so
    on: a value that equals a break belongs to the class above it. Breaks are rounded to the variable's
    own type first. Infinite values are of the first or the last class.

    Reads one variable, of integers or floats; adds one of uint8 with CF ``flag_values``,
    ``flag_meanings`` and, with `colors`, ``flag_colors``, so that its file opens with names and colours. 0
    is no data. The dims stay. Looks at single pixels.

    Parameters
    ----------
    band : str
        Role or name of the variable.
    breaks : sequence of float
        Thresholds, rising.
    names : sequence of str, optional
        A name for each class, one more than breaks; by default the limits (``0.1_to_0.27``).
    colors : sequence of str, optional
        A colour for each class, ``#rrggbb``.
    name : str, optional
        Name of the new variable; by default ``{band}_class``.

    Raises
    ------
    ParameterError
        If breaks do not rise, or names and colours are not one for each class.
    MissingVariableError
        If the tile lacks the variable.
    QuantityError
        If it holds flags or a mask, was stretched, or holds digital numbers with an offset to be applied.

    References
    ----------
    CF Metadata Conventions, section 3.5, Flags. As ``numpy.digitize(values, breaks) + 1``.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import ClassifyByThresholds
    >>> bright = ClassifyByThresholds("nir", (0.1, 0.3), names=("dark", "medium", "bright"))
    >>> bright(simulate_scene((8, 8))).nir_class.attrs["flag_meanings"]
    'dark medium bright'
    """

    band: Role
    breaks: tuple[float, ...]
    names: tuple[str, ...] | None = None
    colors: tuple[str, ...] | None = None
    name: str | None = None

    def validate(self) -> None:
        """Check breaks, names and colours."""
        check_classes(self.breaks, self.names, self.colors, type(self).__name__)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the values, write the classes."""
        label = type(self).__name__
        (band,) = chosen_bands(tile, (self.band,), label)
        spec = tile.variables[band]
        notes = require_physical(tile, (band,), label)
        name = self.name or f"{band}_class"
        made = class_spec(spec.dims, f"classes of {band}", self.breaks, self.names, self.colors)
        args = (spec.nodata_scalar, self.breaks)
        return Plan(writes={name: made}, calls=(Call((band,), (name,), classify, args),), notes=notes)
