"""Choose the variables of a tile."""

from __future__ import annotations

from typing import Any

from geotoolz.core._errors import ParameterError
from geotoolz.core._map import Map
from geotoolz.core._specs import Plan, TileSpec


class SelectBands(Map):
    """Keep some variables, in the order given.

    Reads and writes no pixels; attributes, CRS and coordinates stay.

    Parameters
    ----------
    names : sequence of str
        Variables, roles (``"nir"`` finds ``nir08`` on Landsat) or sensor names (``"B04"``). The
        variables keep the names that they have.

    Raises
    ------
    MissingVariableError
        If the tile lacks one.

    Examples
    --------
    >>> from geotoolz.radiometry import SelectBands
    >>> from geotoolz.core.testing import simulate_scene
    >>> list(SelectBands(["nir", "B04"])(simulate_scene((8, 8))).data_vars)
    ['nir', 'red']
    """

    names: tuple[str, ...]

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        names = values["names"]
        return {"names": (names,) if isinstance(names, str) else names}

    def validate(self) -> None:
        """Refuse an empty choice."""
        if not self.names:
            raise ParameterError("SelectBands keeps no variable", expected="one name at least")

    def plan(self, tile: TileSpec) -> Plan:
        """Drop what is not named."""
        kept = list(dict.fromkeys(tile.find(name, type(self).__name__) for name in self.names))
        return Plan(drops=tuple(name for name in tile.variables if name not in kept), order=tuple(kept))
