"""Other names for variables."""

from __future__ import annotations

from collections.abc import Mapping

from geotoolz.core import ParameterError, Plan, TileError, TileSpec
from geotoolz.core._map import Map

_RESERVED = frozenset({"x", "y", "spatial_ref", "time", "wavelength", "band"})


class RenameBands(Map):
    """Give variables other names; no pixel is touched.

    Reads and writes no pixels. Order, attributes, CRS and coordinates stay, and so does every
    variable that is not named. Two variables may exchange their names.

    Parameters
    ----------
    names : mapping of str to str
        Old name (or role, or sensor's name: ``"B04"``) to new name.

    Raises
    ------
    MissingVariableError
        If the tile lacks a variable.
    TileError
        If a new name is taken by a variable, a dimension or a coordinate.
    ParameterError
        If two variables would get one name, or nothing is renamed.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import RenameBands
    >>> list(RenameBands({"B04": "rot", "nir": "nah"})(simulate_scene((8, 8), bands=("red", "nir"))))
    ['rot', 'nah']
    """

    names: Mapping[str, str]

    def validate(self) -> None:
        """Check the new names among each other."""
        if not self.names:
            raise ParameterError("RenameBands renames nothing", expected="{'old': 'new'}")
        new = list(self.names.values())
        twice = sorted({name for name in new if new.count(name) > 1})
        if twice:
            raise ParameterError(
                f"two variables would be called {twice[0]!r}", expected="another name for each"
            )
        wrong = [name for name in new if not name.strip() or name in _RESERVED]
        if wrong:
            raise ParameterError(
                f"{wrong[0]!r} is no name for a variable", expected="a name that no dimension has"
            )

    def plan(self, tile: TileSpec) -> Plan:
        """Look the variables up, and whether the new names are free."""
        found: dict[str, str] = {}
        for old, new in self.names.items():
            name = tile.find(old, "RenameBands")
            if name in found:
                raise ParameterError(f"{old!r} is {name!r}, which is renamed to {found[name]!r} already")
            found[name] = new
        renames = {old: new for old, new in found.items() if old != new}
        for old, new in renames.items():
            stays = new in tile.variables and new not in renames
            if stays or new in tile.sizes or new in tile.coords:
                raise TileError(
                    f"RenameBands would call {old!r} {new!r}, and the tile has a {new!r} already",
                    expected="a name that is free",
                    fix="choose another name, or take the other variable out first (SelectBands)",
                )
        return Plan(renames=renames)
