"""Whether the promised variables are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from geotoolz.core import (
    POSTPROCESSED,
    PREPROCESSED,
    SEGMENTED,
    ParameterError,
    TileSpec,
    nearest,
)
from geotoolz.qc._base import OnFail, PlanAssertion, Verdict

_SCHEMAS = {schema.name: schema for schema in (PREPROCESSED, SEGMENTED, POSTPROCESSED)}


class AssertSchema(PlanAssertion):
    """Let a tile pass only if it has the variables that are expected, as they are expected.

    Decided when the pipeline is planned; no pixel is read, none is changed. Further variables may be
    there. Valid ranges of a stage's schema are documentation: `AssertValueRange` looks at pixels.

    Parameters
    ----------
    bands : sequence of str
        Variables that must be there; roles and sensor names (``"B04"``) count.
    dtypes : mapping of str to str
        Data types of variables.
    schema : {"preprocessed", "segmented", "postprocessed"}, optional
        One of the stages' schemas, with dtypes, no-data values and attributes.
    units : mapping of str to str
        Units of variables, as their attribute ``units`` says.
    on_fail : {"raise", "warn", "tag"}
        Raise `QCError` before the first pixel; warn `QCWarning` and go on; or write the tile
        attribute ``qc_failed``, a list of texts, and go on.

    Raises
    ------
    QCError
        Naming everything that is wrong.
    ParameterError
        If nothing is asserted, or a data type does not exist.

    References
    ----------
    The stages' tables: `geotoolz.core.TileSchema`; band names: STAC ``common_name`` (STAC specification,
    electro-optical extension).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertSchema
    >>> tile = simulate_scene((8, 8))
    >>> AssertSchema(["B04", "nir"], dtypes={"red": "float32"})(tile).equals(tile)
    True
    """

    bands: tuple[str, ...] = ()
    dtypes: Mapping[str, str] | None = None
    schema: Literal["preprocessed", "segmented", "postprocessed"] | None = None
    units: Mapping[str, str] | None = None
    on_fail: OnFail = "raise"

    def validate(self) -> None:
        """Check that something is asserted."""
        if not (self.bands or self.dtypes or self.schema or self.units):
            raise ParameterError("AssertSchema asserts nothing", expected="bands, dtypes, units or schema")
        for name, dtype in (self.dtypes or {}).items():
            try:
                np.dtype(dtype)
            except TypeError:
                raise ParameterError(f"dtypes[{name!r}]={dtype!r}", expected="a NumPy data type") from None

    def judge(self, result: None, tile: TileSpec) -> Verdict:
        """Compare the tile's description."""
        wrong = [missing(tile, n) for n in self.bands if tile.lookup(n) is None]
        for name, dtype in (self.dtypes or {}).items():
            found = tile.lookup(name)
            if found is None:
                wrong.append(missing(tile, name))
            elif tile.variables[found].dtype != np.dtype(dtype):
                wrong.append(f"{name} is {tile.variables[found].dtype} instead of {dtype}")
        for name, unit in (self.units or {}).items():
            found = tile.lookup(name)
            if found is None:
                wrong.append(missing(tile, name))
            elif (has := tile.variables[found].attrs.get("units")) != unit:
                wrong.append(f"{name} has units {has!r} instead of {unit!r}")
        if self.schema is not None:
            wrong += _SCHEMAS[self.schema].problems(tile)
        whole = list(dict.fromkeys(wrong))
        return Verdict(not whole, "; ".join(whole) or "as expected", "the variables of the schema")


def missing(tile: TileSpec, name: str) -> str:
    """Return the text for a variable that is not there."""
    return f"{name} is missing{nearest(name, tile.variables)}"
