"""What variables say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geotoolz.core import Call, Map, ParameterError, Plan, TileSpec, VarSpec

_NOT_HERE = {
    "_FillValue": "no-data is part of the pixels: ds[name].rio.write_nodata(…)",
    "missing_value": "no-data is part of the pixels: ds[name].rio.write_nodata(…)",
    "grid_mapping": "the reference system is the tile's: ds.rio.write_crs(…)",
}


def _same(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values


class AssignAttrs(Map):
    """Set attributes of variables; no pixel is changed.

    For what a later reader needs and an operator cannot know: where the data come from, a better
    title, the meaning of numbers of one's own (``quantity``). Attributes that are not named stay.

    Reads and writes the named variables as they are, with their dims, dtype and no-data.

    Parameters
    ----------
    variables : mapping of str to mapping
        Variable (or role, or sensor's name) to its new attributes: texts and numbers.

    Raises
    ------
    MissingVariableError
        If the tile lacks a variable.
    ParameterError
        If nothing is assigned, or no-data or the grid mapping are.

    References
    ----------
    NetCDF Climate and Forecast (CF) Metadata Conventions 1.11, section 3 (description of the data).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import AssignAttrs
    >>> tile = simulate_scene((8, 8), bands=("red",))
    >>> AssignAttrs({"red": {"data_source": "my archive"}})(tile).red.attrs["data_source"]
    'my archive'
    """

    variables: Mapping[str, Mapping[str, str | int | float]]

    def validate(self) -> None:
        """Refuse what is no mere description."""
        if not self.variables or not all(self.variables.values()):
            raise ParameterError("AssignAttrs assigns nothing", expected="{'variable': {'attribute': value}}")
        for name, attrs in self.variables.items():
            wrong = [key for key in attrs if key in _NOT_HERE]
            if wrong:
                raise ParameterError(
                    f"AssignAttrs would set {wrong[0]!r} of {name!r}",
                    expected="a description",
                    fix=_NOT_HERE[wrong[0]],
                )

    def plan(self, tile: TileSpec) -> Plan:
        """Hand the variables on with more attributes."""
        writes: dict[str, VarSpec] = {}
        calls = []
        for asked, attrs in self.variables.items():
            name = tile.find(asked, type(self).__name__)
            writes[name] = writes.get(name, tile.variables[name]).with_attrs(**attrs)
            calls.append(Call((name,), (name,), _same))
        return Plan(writes=writes, calls=tuple(calls))
