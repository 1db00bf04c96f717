"""From a quality layer to the calls that decode it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.cloud import _combine_kernels, _kernels
from geotoolz.cloud._fewer_codes import fewer
from geotoolz.cloud._products import (
    ALL_FLAGS,
    CLASSES,
    CONFIDENT,
    DEFAULT_FLAGS,
    LAYERS,
    Code,
    QualityLayer,
    flags_fill,
    layer_of_attrs,
)
from geotoolz.core import (
    Call,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileSpec,
    VarSpec,
    nearest,
)

_CODES = "~codes"


@dataclass(frozen=True, slots=True)
class Found:
    """A quality layer of a tile: what it is, and the variables that hold it (by flag, if several)."""

    layer: QualityLayer
    variables: dict[str, str]
    beside: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The variables."""
        return tuple(dict.fromkeys(self.variables.values()))

    @property
    def reserved(self) -> frozenset[str]:
        """Variables that are no measurements, whatever their data type: they are never masked."""
        return frozenset({*self.names, *self.beside})

    @property
    def title(self) -> str:
        """What to call it in a message."""
        return repr(self.names[0]) if "" in self.variables else "the UDM2 bands"


def listed(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return raw parameters in which one name alone is a list of one."""
    return {key: (one,) if key in names and isinstance(one, str) else one for key, one in values.items()}


def check_flags(flags: tuple[str, ...], known: Iterable[str], label: str, fix: str = "") -> None:
    """Raise `ParameterError` for an unknown or missing flag."""
    names = tuple(known)
    if not flags:
        raise ParameterError(f"{label} got no flags", expected=f"some of {', '.join(names)}")
    for flag in flags:
        if flag not in names:
            raise ParameterError(
                f"{label} does not know the flag {flag!r}{nearest(flag, names)}",
                expected=f"some of {', '.join(names)}",
                fix=fix,
            )


def check_choice(flags: tuple[str, ...] | None, qa: str | None, layer: str | None, label: str) -> None:
    """Check flags and layer as far as that is possible without a tile.

    A layer that is named may say its flags itself.
    """
    if layer is not None and layer not in LAYERS:
        raise ParameterError(f"layer={layer!r}", expected=f"one of {', '.join(LAYERS)}")
    if flags is not None and (layer is not None or qa is None or not flags):
        other = "" if layer is not None else "a flag of another product's layer needs qa=, its variable"
        check_flags(flags, ALL_FLAGS if layer is None else LAYERS[layer].flags, label, other)


def find_layer(tile: TileSpec, qa: str | None, layer: str | None, label: str) -> Found:
    """Return the tile's quality layer: the one named, or the most telling of those that are there.

    Raises
    ------
    MissingVariableError
        If there is none.
    ParameterError
        If the coding of the variable `qa` is not known, and its attributes do not tell it.
    """
    if qa is not None and layer != "udm2":
        name = tile.find(qa, label)
        coding = layer or next((q.role for q in LAYERS.values() if _lookup(tile, q) == name), None)
        if coding is None:
            return Found(layer_of_attrs(name, tile.variables[name]), {"": name})
        return Found(LAYERS[coding], {"": name})
    for role, known in LAYERS.items():
        if layer not in (None, role):
            continue
        if known.per_band:
            bands, beside = _bands(tile, known, qa)
            # "cloud" alone may be anything; beside "clear" it is UDM2
            if "cloud" in bands and (layer == role or "clear" in bands):
                return Found(known, bands, beside)
        elif (name_ := _lookup(tile, known)) is not None:
            return Found(known, {"": name_})
    fix = "read it with the bands, or name it with qa= and layer="
    for name, spec in tile.variables.items():
        if "flag_meanings" in spec.attrs:
            fix = (
                f"name it: qa={name!r}, whose flags are {', '.join(str(spec.attrs['flag_meanings']).split())}"
            )
    raise MissingVariableError(
        f"{label} found no quality layer among {', '.join(tile.variables)}",
        expected=f"one of {', '.join(LAYERS)}",
        fix=fix,
    )


def _lookup(tile: TileSpec, layer: QualityLayer) -> str | None:
    names = (tile.lookup(layer.role), *(name for name in layer.names if name in tile.variables))
    return next((name for name in names if name is not None), None)


def _bands(tile: TileSpec, layer: QualityLayer, prefix: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return flag → variable of a product with one variable per flag, and its variables without a flag."""
    fronts = ("udm2_", "") if prefix is None else (f"{prefix}_", prefix)

    def held(names: tuple[str, ...]) -> str | None:
        return next((f + n for f in fronts for n in names if f + n in tile.variables), None)

    bands = {flag: name for flag, names in layer.per_band.items() if (name := held(names))}
    beside = tuple(name for other in layer.unflagged if (name := held((other,))))
    return bands, beside


def chosen_flags(
    found: Found, flags: tuple[str, ...] | None, min_confidence: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the flags to decode and what to tell.

    Raises
    ------
    ParameterError
        For a flag that the product does not have, naming those that it has; for a confidence of a
        product without confidences.
    """
    layer = found.layer
    own = tuple(layer.flags) if "" in found.variables else _udm2_flags(found)
    notes = []
    if flags is None:
        flags = tuple(flag for flag in DEFAULT_FLAGS if flag in own)
        notes = [f"{found.title} has no flag {f!r}: not masked" for f in DEFAULT_FLAGS if f not in own]
        if not flags:
            raise ParameterError(
                f"{found.title} has none of {', '.join(DEFAULT_FLAGS)}",
                expected=f"flags= some of {', '.join(own)}",
            )
    unknown = [flag for flag in flags if flag not in own]
    if unknown:
        raise ParameterError(
            f"{found.title} ({layer.role}) has no flag {', '.join(map(repr, unknown))}"
            f"{nearest(unknown[0], own)}",
            expected=f"some of {', '.join(own)}",
        )
    if min_confidence is not None:
        graded = [flag for flag in flags if flag in layer.confidences]
        if not graded:
            raise ParameterError(
                f"min_confidence={min_confidence!r}, and {layer.role} has no confidence of "
                f"{', '.join(flags)}",
                expected=f"{', '.join(layer.confidences) or f'one of the products {CONFIDENT}'}",
                fix="leave min_confidence out",
            )
        if layer.role == "qa_pixel" and min_confidence == "low":
            notes.append("QA_PIXEL gives clear pixels a low confidence of every flag: this masks nearly all")
    return flags, tuple(notes)


def _udm2_flags(found: Found) -> tuple[str, ...]:
    held = tuple(found.variables)
    return (*held, "haze") if {"haze_light", "haze_heavy"} <= {*held} else held


def decode_calls(
    tile: TileSpec, found: Found, flags: tuple[str, ...], min_confidence: str | None, out: str, label: str
) -> tuple[Call, ...]:
    """Return the calls that write the bool mask `out` from the layer's variables."""
    if "" in found.variables:
        codes = found.layer.codes(flags, min_confidence)
        return layer_calls(tile, found.names[0], codes, found.layer.fill, flags_fill(flags), out, label)
    split = [part for f in flags for part in (("haze_light", "haze_heavy") if f == "haze" else (f,))]
    calls: list[Call] = []
    held = [found.variables[flag] for flag in dict.fromkeys(split)]
    for number, name in enumerate(held):
        part = out if len(held) == 1 else f"{out}{number}"
        calls += layer_calls(tile, name, ((CLASSES, 1),), None, flags_fill(flags), part, label)
        if number:
            last = out if number == len(held) - 1 else f"{out}_{number}"
            calls.append(
                Call(
                    (f"{out}0" if number == 1 else f"{out}_{number - 1}", part),
                    (last,),
                    _combine_kernels.either,
                )
            )
    return tuple(calls)


def layer_calls(
    tile: TileSpec,
    name: str,
    codes: Iterable[Code],
    fill: int | None,
    at_fill: bool,
    out: str,
    label: str,
) -> tuple[Call, ...]:
    """Return the calls that decode one variable, integers or floats."""
    spec = tile.variables[name]
    if spec.dtype.kind in "iu":
        return (
            Call((name,), (out,), _kernels.decode, decoder(codes, fill, at_fill, spec.dtype, name, label)),
        )
    if spec.dtype.kind == "b":
        return (
            Call(
                (name,), (out,), _kernels.decode, decoder(codes, None, at_fill, np.dtype("u1"), name, label)
            ),
        )
    if spec.dtype.kind != "f":
        raise QuantityError(
            f"{label} reads the quality layer {name!r}, which is {spec.dtype}", expected="integers"
        )
    # floats: what a reader made of a layer with a no-data value; NaN is no code, and is not cast
    args = decoder(codes, -1, at_fill, np.dtype(np.int32), name, label)
    empty = math.nan if fill is None else float(fill)
    codes_name = f"{_CODES}{out}"
    return (
        Call((name,), (codes_name,), _kernels.to_codes, (float(2**31 - 1), empty)),
        Call((codes_name,), (out,), _kernels.decode, args),
    )


def decoder(
    codes: Iterable[Code], fill: int | None, at_fill: bool, dtype: np.dtype[Any], name: str, label: str
) -> tuple[Any, ...]:
    """Return the arguments of the kernel, as numbers of the layer's own type.

    Bit 15 of a signed 16-bit number is its sign: the patterns are made unsigned and looked at as the
    layer's type, so no comparison has to care.
    """
    width = dtype.itemsize * 8
    unsigned = np.dtype(f"u{dtype.itemsize}")
    patterns = []
    for mask, value in codes:
        if mask != CLASSES and mask >> width:
            raise QuantityError(
                f"{label} tests bit {mask.bit_length() - 1} of {name!r}, which is {dtype}",
                expected="a layer as the product stores it",
                fix="read it unscaled (open_tile keeps quality layers as they are)",
            )
        if mask != CLASSES or not value >> width:  # else a class number that the type cannot hold
            patterns.append((mask % (1 << width), value))
    bits, masks, targets = 0, [], []
    for mask, value in fewer(patterns):
        if mask == value and mask.bit_count() == 1:
            bits |= mask
        else:
            masks.append(mask)
            targets.append(value)
    fills = [] if fill is None or (fill >= 0 and fill >> width) else [fill % (1 << width)]

    def own(numbers: list[int]) -> np.ndarray[Any, Any]:
        return np.array(numbers, unsigned).view(dtype)

    return own([bits])[0], own(masks), own(targets), own(fills), at_fill


def mask_spec(like: VarSpec, text: str) -> VarSpec:
    """Return the description of a mask: True where the pixel is to be masked."""
    return VarSpec(like.dims, np.dtype(bool), None, {"long_name": text, "quantity": "mask"})
