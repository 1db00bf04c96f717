"""What a stage promises to hand on."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from geotoolz.core._specs import TileSpec, VarSpec


@dataclass(frozen=True, slots=True)
class VarSchema:
    """What is promised of a variable.

    Parameters
    ----------
    dtype : str
        Name of the data type.
    nodata : float, int or None
        No-data value; None if there is none.
    attrs : tuple of str
        Attributes that must be there.
    valid_range : tuple of float, optional
        Smallest and largest valid value.
    required : bool
        Whether the variable must be there.
    note : str
        For the documentation.
    """

    dtype: str
    nodata: float | int | None = None
    attrs: tuple[str, ...] = ()
    valid_range: tuple[float, float] | None = None
    required: bool = True
    note: str = ""

    def problems(self, name: str, spec: VarSpec) -> list[str]:
        """Return what is wrong with a variable."""
        found = []
        if spec.dtype != np.dtype(self.dtype):
            found.append(f"{name} has dtype {spec.dtype}, expected {self.dtype}")
        if not _same(spec.nodata, self.nodata):
            found.append(f"{name} has no-data {spec.nodata}, expected {self.nodata}")
        missing = [a for a in self.attrs if a not in spec.attrs]
        if missing:
            found.append(f"{name} lacks the attribute(s) {', '.join(missing)}")
        if spec.dims[-2:] != ("y", "x"):
            found.append(f"{name} has dims {spec.dims}, expected (…, y, x)")
        return found


@dataclass(frozen=True, slots=True)
class TileSchema:
    """Names, dtypes, no-data values and attributes of a stage's output.

    Parameters
    ----------
    name : str
        Name of the stage.
    variables : mapping of str to VarSchema
        By name; ``*`` in a name stands for any text.

    Examples
    --------
    >>> from geotoolz.core import PREPROCESSED
    >>> PREPROCESSED.variables["slope"].dtype
    'float32'
    """

    name: str
    variables: Mapping[str, VarSchema] = field(default_factory=dict)

    def problems(self, tile: TileSpec) -> list[str]:
        """Return everything that is wrong with a tile; variables not in the schema may be there."""
        found = []
        for pattern, schema in self.variables.items():
            names = fnmatch.filter(tile.variables, pattern) if "*" in pattern else [pattern]
            present = [n for n in names if n in tile.variables]
            if schema.required and not present:
                found.append(f"{pattern} is missing")
            for name in present:
                found.extend(schema.problems(name, tile.variables[name]))
        return found

    def including(self, name: str, **variables: VarSchema) -> TileSchema:
        """Return a schema with further variables."""
        return TileSchema(name, {**self.variables, **variables})

    def to_markdown(self) -> str:
        """Return the schema as a table for the documentation."""
        head = "| variable | dtype | no-data | attrs | note |\n| --- | --- | --- | --- | --- |\n"
        rows = [
            f"| `{name}`{'' if v.required else ' (optional)'} | {v.dtype} | {_shown(v.nodata)} | "
            f"{', '.join(v.attrs)} | {v.note} |"
            for name, v in self.variables.items()
        ]
        return head + "\n".join(rows) + "\n"


def _same(a: float | int | None, b: float | int | None) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or (math.isnan(a) and math.isnan(b))


def _shown(value: float | int | None) -> str:
    return "–" if value is None else str(value)


_DESCRIBED = ("data_source", "long_name")
_WITH_UNITS = (*_DESCRIBED, "units")
_BAND = VarSchema("uint16", 0, _WITH_UNITS)
_BYTE = VarSchema("uint8", None, _DESCRIBED)
_MASK = VarSchema("bool", None, _DESCRIBED)

PREPROCESSED = TileSchema(
    "preprocessed",
    {
        "blue": _BAND,
        "green": _BAND,
        "red": _BAND,
        "nir": _BAND,
        "ndvi": VarSchema("uint16", 0, _DESCRIBED, (1, 20_000), note="(value + 1) · 10⁴; −1 is kept as 1"),
        "relative_elevation": VarSchema("int16", 0, _WITH_UNITS),
        "slope": VarSchema("float32", math.nan, _DESCRIBED),
        "tc_brightness": _BYTE,
        "tc_greenness": _BYTE,
        "tc_wetness": _BYTE,
        "valid_data_mask": _MASK,
        "quality_data_mask": _MASK,
    },
)
"""What preprocessing hands on."""

_PROBABILITY = VarSchema("float32", math.nan, ("long_name",), (0.0, 1.0))

SEGMENTED = PREPROCESSED.including(
    "segmented",
    **{
        "probabilities": _PROBABILITY,
        "probabilities-model-*": VarSchema(
            "float32",
            math.nan,
            ("long_name",),
            (0.0, 1.0),
            required=False,
            note="one per model of an ensemble",
        ),
    },
)
"""What segmentation or an ensemble hands on."""

POSTPROCESSED = PREPROCESSED.including(
    "postprocessed",
    probabilities_percent=VarSchema("uint8", 255, ("long_name", "units"), (0, 100), note="values 0–100"),
    binarized_segmentation=VarSchema("uint8", None, ("long_name",)),
)
"""What postprocessing hands on."""
