"""Masks from quality layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from geotoolz.cloud import _qa60
from geotoolz.cloud._decode import (
    check_choice,
    check_flags,
    chosen_flags,
    decode_calls,
    find_layer,
    layer_calls,
    listed,
    mask_spec,
)
from geotoolz.cloud._products import SCL, flags_fill
from geotoolz.core import Map, ParameterError, Plan, QuantityError, Role, State, TileSpec

if TYPE_CHECKING:
    from geotoolz.core import Builder

Confidence = Literal["low", "medium", "high"]


class MaskFromFlags(Map):
    """Make a mask from the product's own quality layer: True where any of the named flags is set.

    Knows Sentinel-2's ``scl`` and ``qa60``, Landsat Collection 2's ``qa_pixel`` with its two-bit
    confidences, the ``fmask`` of HLS version 2, MODIS ``state_1km`` and Planet's UDM2 (one variable per
    flag: ``udm2_cloud`` or ``cloud``, …). The layer is found in the tile, the most telling first.

    Reads the layer, adds one bool variable. A pixel without a code (NaN in a float layer, 255 in Fmask,
    65535 in state_1km) is flagged, unless all flags are about the ground (``water``, ``snow``, …): a fill
    value is never called water. Looks at one pixel at a time.

    Parameters
    ----------
    flags : str or sequence of str, optional
        By default those of ``cloud``, ``cirrus`` and ``shadow`` that the product has. Further ``snow``,
        ``water``, ``nodata``, and what the product offers: ``dilated``, ``clear`` (QA_PIXEL), ``adjacent``,
        ``high_aerosol`` (Fmask, state_1km), ``haze``, ``haze_light``, ``haze_heavy`` (UDM2), ``cloud_high``,
        ``saturated``, … (SCL). A flag that the product does not have is an error that names those that
        it has.
    qa : str, optional
        Name of the layer's variable, if several could be meant or its name is another one; of UDM2 what
        the names of its variables begin with. The flags of a layer of another product, named here, are the
        words of its CF attributes ``flag_masks``, ``flag_values`` and ``flag_meanings``.
    layer : str, optional
        The layer's coding, if its variable has another name: ``scl``, ``qa_pixel``, ``fmask``,
        ``state_1km``, ``qa60`` or ``udm2``.
    min_confidence : {"low", "medium", "high"}, optional
        For flags of which the product tells a confidence (QA_PIXEL: cloud, shadow, snow, cirrus; state_1km:
        cirrus, whose small, average and high count as low, medium, high), take this one or a higher one
        instead of the flag's bit. QA_PIXEL gives shadow, snow and cirrus no medium.
    name : str
        Name of the mask.

    Raises
    ------
    MissingVariableError
        If the tile has no quality layer.
    ParameterError
        For a flag that the product does not have, or a confidence of a product without.
    QuantityError
        If the layer's data type cannot hold the product's bits.

    References
    ----------
    Sentinel-2 Products Specification Document (SCL, QA60); Landsat 8-9 Collection 2 Level 2 Science
    Product Guide (QA_PIXEL); HLS Product User Guide 2.0 (Fmask); MOD09 User's Guide (state_1km); Planet
    UDM2 product specification. CF conventions 1.11, section 3.5 (flags).

    Examples
    --------
    >>> from geotoolz.cloud import MaskFromFlags
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.3, sensor="landsat-8")
    >>> likely = MaskFromFlags(("cloud",), min_confidence="medium")(tile).mask
    >>> bool(0 < likely.mean() < 1)
    True
    """

    flags: tuple[str, ...] | None = None
    qa: str | None = None
    layer: str | None = None
    min_confidence: Confidence | None = None
    name: str = "mask"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one flag."""
        return listed(values, "flags")

    def validate(self) -> None:
        """Check flags and layer."""
        check_choice(self.flags, self.qa, self.layer, type(self).__name__)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the layer, write the mask."""
        label = type(self).__name__
        found = find_layer(tile, self.qa, self.layer, label)
        flags, notes = chosen_flags(found, self.flags, self.min_confidence)
        text = f"{', '.join(flags)} by {', '.join(found.names)}"
        return Plan(
            writes={self.name: mask_spec(tile.variables[found.names[0]], text)},
            calls=decode_calls(tile, found, flags, self.min_confidence, self.name, label),
            notes=notes + _qa60.note(tile, found),
        )

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Add the calls, and the watch over QA60 layers that were never filled."""
        _qa60.watch(find_layer(state.spec, self.qa, self.layer, type(self).__name__), builder, state, path)
        return super().emit(builder, state, path)


class MaskFromQABits(Map):
    """Make a mask from a bit-coded quality layer: True where any of the bits is set.

    Adds one bool variable. Works on any bit-coded layer, also on signed integers (bit 15 of int16 is its
    sign), and on floats that a reader made of one: NaN and what is no code are flagged. Looks at one
    pixel at a time. For the products that `MaskFromFlags` knows, flags by name are safer.

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
        If the layer holds neither integers nor floats.
    ParameterError
        If a bit lies outside the layer's data type.

    References
    ----------
    The specification of the product whose bits they are; CF conventions, section 3.5 (flag masks).

    Examples
    --------
    >>> from geotoolz.cloud import MaskFromQABits
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), level="L1C", cloud_cover=0.3)
    >>> MaskFromQABits("qa60", (10, 11))(tile).mask.dtype
    dtype('bool')
    """

    qa: Role
    bits: tuple[int, ...]
    name: str = "mask"

    def validate(self) -> None:
        """Check the bits."""
        if not self.bits or not all(0 <= bit < 63 for bit in self.bits):
            raise ParameterError(f"bits={self.bits}", expected="bit positions from 0 to 62, one at least")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the layer, write the mask."""
        label = type(self).__name__
        qa = tile.find(self.qa, label)
        spec = tile.variables[qa]
        # a float's codes become 32-bit numbers, of which -1 is kept for "no code"
        width = 31 if spec.dtype.kind == "f" else spec.dtype.itemsize * 8
        if max(self.bits) >= width:
            raise ParameterError(f"{label} tests bit {max(self.bits)} of {qa!r}, which is {spec.dtype}")
        text = f"bits {', '.join(map(str, sorted(self.bits)))} of {qa}"
        codes = ((1 << bit, 1 << bit) for bit in sorted(set(self.bits)))
        calls = layer_calls(tile, qa, codes, None, True, self.name, label)
        return Plan(writes={self.name: mask_spec(spec, text)}, calls=calls)


class MaskFromSCL(Map):
    """Make a mask from Sentinel-2's scene classification: True for the named classes.

    Adds one bool variable. Numbers that are no class (lossy copies of SCL hold some) belong to
    none of the flags; NaN in a float layer is flagged, unless all flags are about the ground. Looks at
    one pixel at a time.

    Parameters
    ----------
    flags : str or sequence of str
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

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one flag."""
        return listed(values, "flags")

    def validate(self) -> None:
        """Check the flags."""
        check_flags(self.flags, SCL.flags, type(self).__name__)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the classification, write the mask."""
        label = type(self).__name__
        qa = tile.find(self.qa, label)
        codes = SCL.codes(self.flags, None)
        calls = layer_calls(tile, qa, codes, None, flags_fill(self.flags), self.name, label)
        text = f"{', '.join(self.flags)} by {qa}"
        return Plan(writes={self.name: mask_spec(tile.variables[qa], text)}, calls=calls)


def require_mask(tile: TileSpec, names: Iterable[str], needed_by: str) -> tuple[str, ...]:
    """Return the variables that masks mean, which must be bool.

    Raises
    ------
    QuantityError
        For another type.
    """
    found = tuple(tile.find(name, needed_by) for name in names)
    for name in found:
        if tile.variables[name].dtype.kind != "b":
            raise QuantityError(
                f"{needed_by} got the mask {name!r} of {tile.variables[name].dtype}",
                expected="bool, True where pixels are masked",
                fix="make one with MaskFromFlags or MaskFromQABits, or CombineMasks",
            )
    return found
