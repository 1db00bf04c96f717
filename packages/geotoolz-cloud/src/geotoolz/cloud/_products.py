"""What the quality layers of products mean.

The numbers of SCL, QA60 and QA_PIXEL are those of `geotoolz.io.flag_attrs`; here stands which of a product's
own terms a flag name gathers. Products that the reader does not know yet are described here in the
same form (CF ``flag_masks``, ``flag_values``, ``flag_meanings``).

Sources: Sentinel-2 Products Specification Document (SCL; QA60 as distributed by Google Earth
Engine); Landsat 8-9 Collection 2 Level 2 Science Product Guide, LSDS-1619 (QA_PIXEL); MOD09 User's Guide,
Collection 6, "1 km State QA" (state_1km); HLS Product User Guide, version 2.0 (Fmask); Planet, UDM2
specification (bands of the usable data mask).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, VarSpec
from geotoolz.io import flag_attrs

CLASSES = -1
"""Mask of a layer that holds class numbers: the whole value counts."""

Code = tuple[int, int]
"""Bits to look at, and the number that they have to make."""

_CF = ("flag_masks", "flag_values", "flag_meanings")
DEFAULT_FLAGS = ("cloud", "cirrus", "shadow")

# What says something of the ground rather than of the observation: never claimed of a fill value.
_GROUND = frozenset(
    {"water", "snow", "snow_mod35", "snow_internal", "land", "coast", "clear", "vegetation", "bare", "dark"}
)
_SET: tuple[Code, ...] = ((CLASSES, 1),)
_ALL_8: tuple[Code, ...] = ((0xFF, 0xFF),)
_ALL_16: tuple[Code, ...] = ((0xFFFF, 0xFFFF),)
_LEVELS = {"low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True, slots=True)
class QualityLayer:
    """One kind of quality layer.

    Parameters
    ----------
    role : str
        Its name, which is also the usual name of its variable.
    flags : mapping of str to tuple of (mask, value)
        Codes of every flag name; any of them sets the flag.
    names : tuple of str
        Other names of its variable.
    confidences : mapping of str to int
        Two-bit confidences by flag: position of the lower bit.
    fill : int, optional
        A value that is no code but means that there is no data.
    nodata : tuple of (mask, value)
        Codes of pixels that were not observed.
    per_band : mapping of str to tuple of str
        Where every flag is a variable of its own: possible names of it.
    unflagged : tuple of str
        Further variables of such a product, which are no flags.
    """

    role: str
    flags: Mapping[str, tuple[Code, ...]]
    names: tuple[str, ...] = ()
    confidences: Mapping[str, int] = field(default_factory=dict)
    fill: int | None = None
    nodata: tuple[Code, ...] = ()
    per_band: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unflagged: tuple[str, ...] = ()

    @property
    def holds_classes(self) -> bool:
        """Whether pixels hold one class number each."""
        return any(mask == CLASSES for codes in self.flags.values() for mask, _ in codes)

    @property
    def coding(self) -> str:
        """``"classes"``, ``"bits"``, or ``"variables"`` where every flag has one of its own."""
        return "variables" if self.per_band else "classes" if self.holds_classes else "bits"

    def describe(self, flag: str) -> str:
        """Return which numbers set a flag, as the docs say it.

        Examples
        --------
        >>> SCL.describe("cloud"), QA60.describe("cirrus"), STATE_1KM.describe("cloud")
        ('8 or 9', 'bit 11', 'bits 0–1 = 1 or 2')
        """
        if self.per_band:
            return " or ".join(f"`udm2_{name}`" for name in self.per_band.get(flag, ()))
        parts: dict[str, list[str]] = {}
        for mask, value in self.flags[flag]:
            low, high = (mask & -mask).bit_length() - 1, mask.bit_length() - 1
            if mask == CLASSES:
                parts.setdefault("", []).append(str(value))
            elif value == self.fill:
                parts.setdefault("", []).append(f"the value {value}")
            elif low == high:
                parts.setdefault("bit ", []).append(str(low))
            else:
                parts.setdefault(f"bits {low}–{high} = ", []).append(str(value >> low))
        return ", ".join(front + " or ".join(numbers) for front, numbers in parts.items())

    def codes(self, flags: tuple[str, ...], min_confidence: str | None) -> tuple[Code, ...]:
        """Return the codes of several flags; with a confidence where the product has one."""
        found: dict[Code, None] = {}
        for flag in flags:
            shift = self.confidences.get(flag)
            if min_confidence is None or shift is None:
                found.update(dict.fromkeys(self.flags[flag]))
            else:
                levels = range(_LEVELS[min_confidence], 4)
                found.update(dict.fromkeys((3 << shift, level << shift) for level in levels))
        return tuple(found)


def flags_fill(flags: tuple[str, ...]) -> bool:
    """Whether a mask of these flags is set where the layer has no data.

    Yes as soon as one of them says that a pixel is not to be trusted; a fill value is never called water.

    Examples
    --------
    >>> flags_fill(("cloud", "water")), flags_fill(("water",))
    (True, False)
    """
    return any(flag not in _GROUND for flag in flags)


def layer_of_attrs(name: str, spec: VarSpec) -> QualityLayer:
    """Return the coding that a variable's own attributes tell, as the CF conventions have it.

    Its flags are the words of ``flag_meanings``, its fill value is the variable's no-data value.

    Raises
    ------
    ParameterError
        If they do not tell it, or contradict themselves.
    """
    attrs = {key: spec.attrs[key] for key in _CF if key in spec.attrs}
    if "flag_meanings" not in attrs or len(attrs) == 1:
        raise ParameterError(
            f"the coding of {name!r} is not known",
            expected=f"layer= one of {', '.join(LAYERS)}, or the attributes {', '.join(_CF)} (CF)",
            fix=f"MaskFromQABits(qa={name!r}, bits=…) reads the bits of any layer",
        )
    words = str(attrs["flag_meanings"]).split()
    numbers = {key: np.atleast_1d(value) for key, value in attrs.items() if key != "flag_meanings"}
    for key, given in numbers.items():
        if given.dtype.kind not in "iu" or given.shape != (len(words),):
            raise ParameterError(
                f"{name!r} has {given.size} {key} ({given.dtype}) and {len(words)} flag_meanings",
                expected="an integer for every word",
            )
    flags: dict[str, tuple[Code, ...]] = {}
    for word, code in _terms({"flag_meanings": " ".join(words), **_listed(numbers)}):
        flags[word] = (*flags.get(word, ()), code)
    if spec.nodata is None or spec.nodata != spec.nodata:
        return QualityLayer(name, flags)
    fill = int(spec.nodata)
    return QualityLayer(name, flags, fill=fill, nodata=((CLASSES, fill),))


def _listed(numbers: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, list[int]]:
    return {key: values.tolist() for key, values in numbers.items()}


def _terms(attrs: Mapping[str, Any]) -> list[tuple[str, Code]]:
    """Return the product's own terms with their codes."""
    names = str(attrs["flag_meanings"]).split()
    masks = attrs.get("flag_masks", [CLASSES] * len(names))
    values = attrs.get("flag_values", masks)
    return [(name, (mask, value)) for name, mask, value in zip(names, masks, values, strict=True)]


def _gathered(attrs: Mapping[str, Any], flags: Mapping[str, str]) -> dict[str, tuple[Code, ...]]:
    """Return flag name → codes, from flag name → the product's terms."""
    terms = dict(_terms(attrs))
    return {flag: tuple(terms[t] for t in own.split()) for flag, own in flags.items()}


def _field(shift: int, meanings: str, width: int = 3) -> dict[str, Code]:
    """Return the terms of a field of bits, numbered from 0; ``-`` leaves one out."""
    return {name: (width << shift, n << shift) for n, name in enumerate(meanings.split()) if name != "-"}


def _as_cf(terms: Mapping[str, Code]) -> dict[str, Any]:
    return {
        "flag_masks": [mask for mask, _ in terms.values()],
        "flag_values": [value for _, value in terms.values()],
        "flag_meanings": " ".join(terms),
    }


SCL = QualityLayer(
    "scl",
    _gathered(
        flag_attrs("scl"),
        {
            "nodata": "no_data",
            "saturated": "saturated_or_defective",
            "dark": "dark_area",
            "shadow": "cloud_shadow",
            "vegetation": "vegetation",
            "bare": "bare_soil",
            "water": "water",
            "unclassified": "unclassified",
            "cloud": "cloud_medium_probability cloud_high_probability",
            "cloud_medium": "cloud_medium_probability",
            "cloud_high": "cloud_high_probability",
            "cirrus": "thin_cirrus",
            "snow": "snow_or_ice",
        },
    ),
    nodata=((CLASSES, 0),),
)
QA60 = QualityLayer("qa60", _gathered(flag_attrs("qa60"), {"cloud": "opaque_cloud", "cirrus": "cirrus"}))
QA_PIXEL = QualityLayer(
    "qa_pixel",
    _gathered(
        flag_attrs("qa_pixel"),
        {
            "fill": "fill",
            "nodata": "fill",
            "dilated": "dilated_cloud",
            "cirrus": "cirrus",
            "cloud": "cloud",
            "shadow": "cloud_shadow",
            "snow": "snow",
            "clear": "clear",
            "water": "water",
        },
    ),
    confidences=MappingProxyType({"cloud": 8, "shadow": 10, "snow": 12, "cirrus": 14}),
    nodata=((1, 1),),
)

_LAND_WATER = (
    "shallow_ocean land coastline shallow_inland_water ephemeral_water deep_inland_water "
    "moderate_ocean deep_ocean"
)
STATE_1KM_ATTRS = _as_cf(
    {
        **_field(0, "- cloudy mixed"),
        "cloud_shadow": (4, 4),
        **_field(3, _LAND_WATER, 7),
        **_field(6, "- low_aerosol average_aerosol high_aerosol"),
        **_field(8, "- small_cirrus average_cirrus high_cirrus"),
        **{
            name: (1 << bit, 1 << bit)
            for bit, name in enumerate(
                ["internal_cloud", "fire", "mod35_snow", "adjacent", "brdf", "internal_snow"], 10
            )
        },
    }
)
STATE_1KM = QualityLayer(
    "state_1km",
    _gathered(
        STATE_1KM_ATTRS,
        {
            "cloud": "cloudy mixed",
            "cloudy": "cloudy",
            "mixed": "mixed",
            "shadow": "cloud_shadow",
            "cirrus": "small_cirrus average_cirrus high_cirrus",
            "adjacent": "adjacent",
            "internal_cloud": "internal_cloud",
            "fire": "fire",
            "snow": "mod35_snow internal_snow",
            "snow_mod35": "mod35_snow",
            "snow_internal": "internal_snow",
            "high_aerosol": "high_aerosol",
            "land": "land",
            "coast": "coastline",
            "water": "shallow_ocean shallow_inland_water deep_inland_water moderate_ocean deep_ocean",
        },
    )
    | {"nodata": _ALL_16},
    names=("state_1km_1", "sur_refl_state_500m", "StateQA"),
    confidences=MappingProxyType({"cirrus": 8}),
    fill=0xFFFF,
    nodata=_ALL_16,
)
FMASK_ATTRS = _as_cf(
    {
        **{
            name: (1 << bit, 1 << bit)
            for bit, name in enumerate(["cloud", "adjacent", "cloud_shadow", "snow_ice", "water"], 1)
        },
        **_field(6, "- low_aerosol moderate_aerosol high_aerosol"),
    }
)
FMASK = QualityLayer(
    "fmask",
    _gathered(
        FMASK_ATTRS,
        {
            "cloud": "cloud",
            "adjacent": "adjacent",
            "shadow": "cloud_shadow",
            "snow": "snow_ice",
            "water": "water",
            "high_aerosol": "high_aerosol",
        },
    )
    | {"nodata": _ALL_8},
    names=("Fmask", "FMASK"),
    fill=0xFF,
    nodata=_ALL_8,
)
UDM2 = QualityLayer(
    "udm2",
    MappingProxyType(
        dict.fromkeys(("clear", "snow", "shadow", "haze", "haze_light", "haze_heavy", "cloud"), _SET)
    ),
    per_band=MappingProxyType(
        {
            "clear": ("clear",),
            "snow": ("snow",),
            "shadow": ("shadow",),
            "haze_light": ("haze_light", "light_haze"),
            "haze_heavy": ("haze_heavy", "heavy_haze"),
            "cloud": ("cloud",),
        }
    ),
    unflagged=("confidence", "udm1", "unusable"),
)

LAYERS: Mapping[str, QualityLayer] = MappingProxyType(
    {q.role: q for q in (SCL, QA_PIXEL, QA60, FMASK, STATE_1KM, UDM2)}
)
"""Known quality layers by role, the most telling first."""

ALL_FLAGS = tuple(dict.fromkeys(flag for layer in LAYERS.values() for flag in layer.flags))
CONFIDENT = tuple(layer.role for layer in LAYERS.values() if layer.confidences)
