"""Flags and classes as CF attributes, with colours for class maps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# Sentinel-2 scene classification: value, CF meaning, colour as in ESA's own legend.
SCL_CLASSES: tuple[tuple[int, str, str], ...] = (
    (0, "no_data", "000000"),
    (1, "saturated_or_defective", "ff0000"),
    (2, "dark_area", "2f2f2f"),
    (3, "cloud_shadow", "643200"),
    (4, "vegetation", "00a000"),
    (5, "bare_soil", "ffe65a"),
    (6, "water", "0000ff"),
    (7, "unclassified", "808080"),
    (8, "cloud_medium_probability", "c0c0c0"),
    (9, "cloud_high_probability", "ffffff"),
    (10, "thin_cirrus", "64c8ff"),
    (11, "snow_or_ice", "ff96ff"),
)

# Landsat Collection 2 QA_PIXEL: single bits, then four two-bit confidences.
_QA_PIXEL_BITS = ("fill", "dilated_cloud", "cirrus", "cloud", "cloud_shadow", "snow", "clear", "water")
_CONFIDENCES = (("cloud", 8), ("cloud_shadow", 10), ("snow_ice", 12), ("cirrus", 14))
_LEVELS = ("low", "medium", "high")

CLASS_COLORS: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {"scl": MappingProxyType({value: colour for value, _, colour in SCL_CLASSES})}
)


def scl_attrs() -> dict[str, Any]:
    """Return the CF attributes of the Sentinel-2 scene classification."""
    return {
        "flag_values": [value for value, _, _ in SCL_CLASSES],
        "flag_meanings": " ".join(name for _, name, _ in SCL_CLASSES),
    }


def qa60_attrs() -> dict[str, Any]:
    """Return the CF attributes of Sentinel-2 QA60."""
    return {"flag_masks": [1 << 10, 1 << 11], "flag_meanings": "opaque_cloud cirrus"}


def qa_pixel_attrs() -> dict[str, Any]:
    """Return the CF attributes of Landsat Collection 2 QA_PIXEL."""
    masks = [1 << bit for bit in range(len(_QA_PIXEL_BITS))]
    values, meanings = list(masks), list(_QA_PIXEL_BITS)
    for name, shift in _CONFIDENCES:
        for level, word in enumerate(_LEVELS, start=1):
            masks.append(3 << shift)
            values.append(level << shift)
            meanings.append(f"{name}_confidence_{word}")
    return {"flag_masks": masks, "flag_values": values, "flag_meanings": " ".join(meanings)}


def fmask_attrs() -> dict[str, Any]:
    """Return the CF attributes of Fmask of Harmonized Landsat Sentinel-2, version 2.0."""
    bits = {"cloud": 1, "adjacent": 2, "cloud_shadow": 3, "snow_ice": 4, "water": 5}
    masks = [1 << bit for bit in bits.values()]
    values = [*masks, *(level << 6 for level in (1, 2, 3))]
    meanings = [*bits, "low_aerosol", "moderate_aerosol", "high_aerosol"]
    return {
        "flag_masks": [*masks, *[3 << 6] * 3],
        "flag_values": values,
        "flag_meanings": " ".join(meanings),
    }


def rtc_mask_attrs() -> dict[str, Any]:
    """Return the CF attributes of the mask of OPERA RTC-S1."""
    return {"flag_values": [0, 1, 2, 3], "flag_meanings": "valid shadow layover layover_and_shadow"}


def flag_attrs(name: str) -> dict[str, Any]:
    """Return the CF flag attributes of a variable by its name, empty for one without flags.

    Examples
    --------
    >>> flag_attrs("qa60")["flag_masks"]
    [1024, 2048]
    >>> flag_attrs("red")
    {}
    """
    known = {
        "scl": scl_attrs,
        "qa60": qa60_attrs,
        "qa_pixel": qa_pixel_attrs,
        "fmask": fmask_attrs,
        "rtc_mask": rtc_mask_attrs,
    }
    return known[name]() if name in known else {}
