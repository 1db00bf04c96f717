"""What the numbers of class maps mean."""

from __future__ import annotations

import numpy as np

from geotoolz.core import QuantityError, TileSpec, VarSpec


def meanings(spec: VarSpec) -> dict[int, str]:
    """Return the names of a variable's classes by number, where it says them."""
    values = [int(value) for value in np.ravel(spec.attrs.get("flag_values", ()))]
    return dict(zip(values, str(spec.attrs.get("flag_meanings", "")).split(), strict=False))


def require_same_meanings(tile: TileSpec, names: tuple[str, str]) -> None:
    """Raise if two variables call one number by two names.

    Raises
    ------
    QuantityError
        Naming the numbers and both names of each.
    """
    one, two = (meanings(tile.variables[name]) for name in names)
    other = [(v, one[v], two[v]) for v in sorted(one.keys() & two.keys()) if one[v].lower() != two[v].lower()]
    if other:
        first, second = names
        told = "; ".join(f"{value} is {a!r} in {first} and {b!r} in {second}" for value, a, b in other[:5])
        raise QuantityError(
            f"the classes of {names[0]} and {names[1]} do not mean the same: {told}",
            expected="the same name for each number in both",
            fix="renumber one of the maps, or correct flag_values and flag_meanings of the one that is wrong",
        )
