"""One mask of several."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from geotoolz.cloud import _combine_kernels
from geotoolz.cloud._decode import listed, mask_spec
from geotoolz.core import Map, ParameterError, Plan, QuantityError, TileSpec

_WORDS = {"any": "any of", "all": "all of", "not": "none of"}


def _combined(*args: Any) -> np.ndarray[Any, Any]:
    """Fold the masks from left to right."""
    *arrays, nodatas, how = args
    unknown = how != "not"  # what is not known is flagged, whichever way round
    fold = _combine_kernels.both if how == "all" else _combine_kernels.either
    out = _combine_kernels.truth(arrays[0], nodatas[0], unknown)
    for array, nodata in zip(arrays[1:], nodatas[1:], strict=True):
        out = fold(out, _combine_kernels.truth(array, nodata, unknown))
    if how == "not":
        out = _combine_kernels.inverse(out)
    result: np.ndarray[Any, Any] = out
    return result


class CombineMasks(Map):
    """One mask of several: any of them, all of them, or none of them.

    Reads bool masks, and numbers that stand for one (0 is False); adds a bool mask. NaN and no-data mean
    that a mask does not know. A pixel is flagged unless what is known clears it: ``any`` and ``all``
    take an unknown value for True, and ``not`` (None of the masks is set: the way from a mask of valid
    pixels to one of those to be masked) flags it too. Looks at one pixel at a time.

    Parameters
    ----------
    masks : str or sequence of str
        Names of the variables, on one grid and with the same dims.
    how : {"any", "all", "not"}
        Flag a pixel where any mask is set, where all are, or where none is.
    name : str
        Name of the result.

    Raises
    ------
    MissingVariableError
        If a mask is not in the tile.
    QuantityError
        If a variable holds classes or bit flags, or has other dims.
    ParameterError
        If no mask is named.

    References
    ----------
    Kleene's three-valued logic, with "unknown" flagged at the end.

    Examples
    --------
    >>> from geotoolz.cloud import CombineMasks, MaskFromSCL
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.2)
    >>> both = [MaskFromSCL(("cloud",), name="cloud"), MaskFromSCL(("shadow",), name="shadow")]
    >>> out = Sequential([*both, CombineMasks(("cloud", "shadow"))])(tile)
    >>> bool((out.mask == (out.cloud | out.shadow)).all())
    True
    """

    masks: tuple[str, ...]
    how: Literal["any", "all", "not"] = "any"
    name: str = "mask"

    kernel = staticmethod(_combined)

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one mask."""
        return listed(values, "masks")

    def validate(self) -> None:
        """Check that there is something to combine."""
        if not self.masks:
            raise ParameterError("CombineMasks got no masks", expected="names of one or more")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the masks, write one."""
        label = type(self).__name__
        names = tuple(dict.fromkeys(tile.find(name, label) for name in self.masks))
        first = tile.variables[names[0]]
        for name in names:
            spec = tile.variables[name]
            if spec.dtype.kind not in "biuf" or "flag_meanings" in spec.attrs or spec.quantity == "flags":
                raise QuantityError(
                    f"{label} got the mask {name!r}, which holds {spec.quantity or spec.dtype}",
                    expected="bool, or numbers of which 0 is False",
                    fix="make masks of flags with MaskFromFlags or MaskFromQABits",
                )
            if spec.dims != first.dims:
                raise QuantityError(f"{names[0]!r} has dims {first.dims} and {name!r} {spec.dims}")
        text = f"{_WORDS[self.how]} {', '.join(names)}"
        nodatas = tuple(tile.variables[name].nodata_scalar for name in names)
        return Plan(names, {self.name: mask_spec(first, text)}, (nodatas, self.how))
