"""Whether the promised variables are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from geotoolz.core import (
    POSTPROCESSED,
    PREPROCESSED,
    SEGMENTED,
    Assertion,
    ParameterError,
    Plan,
    TileSpec,
    nearest,
)
from geotoolz.qc._base import OnFail, fail

_SCHEMAS = {schema.name: schema for schema in (PREPROCESSED, SEGMENTED, POSTPROCESSED)}


class AssertSchema(Assertion):
    """Let a tile pass only if it has the variables that are expected, as they are expected.

    Reads no pixels.

    Parameters
    ----------
    bands : sequence of str
        Variables that must be there; roles and sensor names (``"B04"``) count.
    dtypes : mapping of str to str
        Data types of variables.
    schema : {"preprocessed", "segmented", "postprocessed"}, optional
        One of the stages' schemas, with dtypes, no-data values and attributes.
    on_fail : {"raise", "warn"}
        Raise `QCError`, or warn `QCWarning` and go on.

    Raises
    ------
    QCError
        Naming everything that is wrong.
    ParameterError
        If nothing is asserted, or a data type does not exist.

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
    on_fail: OnFail = "raise"

    def validate(self) -> None:
        """Check that something is asserted."""
        if not (self.bands or self.dtypes or self.schema):
            raise ParameterError("AssertSchema asserts nothing", expected="bands, dtypes or schema")
        for name, dtype in (self.dtypes or {}).items():
            try:
                np.dtype(dtype)
            except TypeError:
                raise ParameterError(f"dtypes[{name!r}]={dtype!r}", expected="a NumPy data type") from None

    def plan(self, tile: TileSpec) -> Plan:
        """Read nothing."""
        return Plan()

    def init(self, tile: TileSpec, previous: Any = None) -> None:
        """Return nothing: there are no pixels to gather."""

    def update(self, state: None, *arrays: Any) -> None:
        """Take nothing in."""

    def merge(self, a: None, b: None) -> None:
        """Merge nothing."""

    def finish(self, state: None) -> None:
        """Return nothing."""

    def decide(self, result: None, tile: TileSpec) -> None:
        """Compare the tile's description."""
        wrong = [f"{n} is missing{nearest(n, tile.variables)}" for n in self.bands if tile.lookup(n) is None]
        for name, dtype in (self.dtypes or {}).items():
            found = tile.lookup(name)
            if found is None:
                wrong.append(f"{name} is missing{nearest(name, tile.variables)}")
            elif tile.variables[found].dtype != np.dtype(dtype):
                wrong.append(f"{name} is {tile.variables[found].dtype} instead of {dtype}")
        if self.schema is not None:
            wrong += _SCHEMAS[self.schema].problems(tile)
        if wrong:
            fail(self, "; ".join(wrong), "the variables of the schema", self.on_fail, tile)
