"""Masks from quality layers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from geotoolz.cloud import _kernels
from geotoolz.cloud._products import SCL
from geotoolz.core import (
    Map,
    ParameterError,
    Plan,
    QuantityError,
    Role,
    TileSpec,
    VarSpec,
    nearest,
)


def bit_pattern(bits: Iterable[int]) -> np.int64:
    """Return the number with these bits set."""
    return np.int64(sum(1 << bit for bit in set(bits)))


def require_integers(tile: TileSpec, name: str, needed_by: str) -> VarSpec:
    """Return the description of a quality layer, which must hold integers.

    Raises
    ------
    QuantityError
        For floats: a NaN has no bits, and casting it is undefined.
    """
    spec = tile.variables[name]
    if spec.dtype.kind not in "iu":
        raise QuantityError(
            f"{needed_by} reads the quality layer {name!r}, which is {spec.dtype}",
            expected="integers",
            fix="read it unscaled and unmasked (open_tile keeps quality layers as they are)",
        )
    return spec


def mask_spec(like: VarSpec, text: str) -> VarSpec:
    """Return the description of a mask: True where the pixel is to be masked."""
    return VarSpec(like.dims, np.dtype(bool), None, {"long_name": text, "quantity": "mask"})


class MaskFromQABits(Map):
    """Make a mask from a bit-coded quality layer: True where any of the bits is set.

    Adds one bool variable. Works on any bit-coded layer (QA60, QA_PIXEL, state_1km, Fmask), also
    on signed integers.

    Parameters
    ----------
    qa : str
        Role or name of the quality layer.
    bits : sequence of int
        Bit positions from 0.
    name : str
        Name of the mask.

    Raises
    ------
    QuantityError
        If the layer does not hold integers.
    ParameterError
        If a bit lies outside the layer's data type.

    Examples
    --------
    >>> from geotoolz.cloud import MaskFromQABits
    >>> from geotoolz.core.testing import simulate_scene
    >>> mask = MaskFromQABits("qa60", (10, 11))(simulate_scene((64, 64), level="L1C")).mask
    >>> mask.dtype
    dtype('bool')
    """

    qa: Role
    bits: tuple[int, ...]
    name: str = "mask"

    kernel = staticmethod(_kernels.any_bit)

    def validate(self) -> None:
        """Check the bits."""
        if not self.bits or not all(0 <= bit < 63 for bit in self.bits):
            raise ParameterError(f"bits={self.bits}", expected="bit positions from 0 to 62, one at least")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the layer, write the mask."""
        label = type(self).__name__
        qa = tile.find(self.qa, label)
        spec = require_integers(tile, qa, label)
        width = spec.dtype.itemsize * 8
        if max(self.bits) >= width:
            raise ParameterError(f"{label} tests bit {max(self.bits)} of {qa!r}, which is {spec.dtype}")
        text = f"bits {', '.join(map(str, sorted(self.bits)))} of {qa}"
        return Plan((qa,), {self.name: mask_spec(spec, text)}, (bit_pattern(self.bits),))


class MaskFromSCL(Map):
    """Make a mask from Sentinel-2's scene classification: True for the named classes.

    Adds one bool variable. Numbers that are no class (lossy copies of SCL hold some) belong to
    none of the flags.

    Parameters
    ----------
    flags : sequence of str
        ``cloud`` (8 and 9), ``cloud_medium``, ``cloud_high``, ``cirrus``, ``shadow``, ``snow``,
        ``water``, ``dark``, ``saturated``, ``vegetation``, ``bare``, ``unclassified``, ``nodata``.
    qa : str
        Role or name of the classification.
    name : str
        Name of the mask.

    Raises
    ------
    ParameterError
        For an unknown flag.

    References
    ----------
    Sentinel-2 Products Specification Document, scene classification classes of Level-2A.

    Examples
    --------
    >>> from geotoolz.cloud import MaskFromSCL
    >>> from geotoolz.core.testing import simulate_scene
    >>> MaskFromSCL(("cloud", "shadow"))(simulate_scene((64, 64))).mask.dtype
    dtype('bool')
    """

    flags: tuple[str, ...] = ("cloud", "cirrus", "shadow")
    qa: Role = "scl"
    name: str = "mask"

    kernel = staticmethod(_kernels.in_classes)

    def validate(self) -> None:
        """Check the flags."""
        check_flags(self.flags, SCL.flags, type(self).__name__)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the classification, write the mask."""
        label = type(self).__name__
        qa = tile.find(self.qa, label)
        spec = require_integers(tile, qa, label)
        classes = [number for flag in self.flags for number in SCL.flags[flag]]
        return Plan(
            (qa,), {self.name: mask_spec(spec, f"{', '.join(self.flags)} by {qa}")}, (bit_pattern(classes),)
        )


def check_flags(flags: tuple[str, ...], known: Iterable[str], label: str) -> None:
    """Raise `ParameterError` for an unknown or missing flag."""
    names = tuple(known)
    if not flags:
        raise ParameterError(f"{label} got no flags", expected=f"some of {', '.join(names)}")
    for flag in flags:
        if flag not in names:
            raise ParameterError(
                f"{label} does not know the flag {flag!r}{nearest(flag, names)}",
                expected=f"some of {', '.join(names)}",
            )
