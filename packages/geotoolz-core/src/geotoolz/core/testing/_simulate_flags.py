"""Quality bands of the simulated scenes, coded as the products code them, and the truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from geotoolz.core.testing import _simulate_spectra as spectra
from geotoolz.core.testing._simulate_ground import Ground
from geotoolz.core.testing._simulate_sky import CIRRUS_FROM, CLOUD_FROM, HIGH_FROM, RIM_FROM, Sky

Mask = npt.NDArray[np.bool_]

FLAG_ATTRS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "scl": {
            "long_name": "scene classification",
            "quantity": "flags",
            "flag_values": list(range(12)),
            "flag_meanings": "no_data saturated_or_defective dark_area cloud_shadow vegetation not_vegetated "
            "water unclassified cloud_medium_probability cloud_high_probability thin_cirrus snow_or_ice",
        },
        "qa60": {
            "long_name": "cloud mask",
            "quantity": "flags",
            "flag_masks": [1024, 2048],
            "flag_meanings": "opaque_cloud cirrus_cloud",
        },
        "qa_pixel": {
            "long_name": "pixel quality assessment",
            "quantity": "flags",
            "flag_masks": [1, 2, 4, 8, 16, 32, 64, 128],
            "flag_meanings": "fill dilated_cloud cirrus cloud cloud_shadow snow clear water",
        },
        "truth_class": {
            "long_name": "simulated land cover",
            "quantity": "flags",
            "flag_values": list(range(len(spectra.CLASSES))),
            "flag_meanings": " ".join(spectra.CLASSES),
        },
        "truth_cloud": {"long_name": "simulated cloud or cirrus", "quantity": "mask"},
        "truth_shadow": {"long_name": "simulated cloud shadow outside clouds", "quantity": "mask"},
    }
)
FLAG_NODATA: MappingProxyType[str, int] = MappingProxyType({"scl": 0, "qa_pixel": 1, "truth_class": 0})
FLAG_DTYPE: MappingProxyType[str, str] = MappingProxyType(
    {
        "scl": "uint8", "qa60": "uint16", "qa_pixel": "uint16", "truth_class": "uint8", "truth_cloud": "bool",
        "truth_shadow": "bool",
    }
)  # fmt: skip

# Values of Landsat Collection 2 as seen in real scenes: every confidence that is not high is "low" (01).
_CLEAR, _WATER, _DILATED, _CLOUD, _SHADOW, _CIRRUS, _BOTH = 21824, 21952, 21762, 22280, 23888, 54596, 55052


def encode_flags(name: str, ground: Ground, sky: Sky, outside: Mask) -> npt.NDArray[Any]:
    """Return one of the quality or truth bands of a block."""
    return _ENCODERS[name](ground, sky, outside)


def _masks(sky: Sky) -> tuple[Mask, Mask, Mask, Mask]:
    """Return cloud, cirrus beside it, shadow beside both, and the hazy rim of clouds beside all."""
    cloud = sky.cloud >= np.float32(CLOUD_FROM)
    cirrus = (sky.cirrus >= np.float32(CIRRUS_FROM)) & ~cloud
    shadow = (sky.shadow >= np.float32(CLOUD_FROM)) & ~cloud & ~cirrus
    rim = (sky.cloud >= np.float32(RIM_FROM)) & ~cloud & ~cirrus & ~shadow
    return cloud, cirrus, shadow, rim


def _scl(ground: Ground, sky: Sky, outside: Mask) -> npt.NDArray[np.uint8]:
    cloud, cirrus, shadow, rim = _masks(sky)
    green = (ground.green > np.float32(0.45)) | (ground.cover == spectra.NEEDLELEAF)
    out = np.where(green, np.uint8(4), np.uint8(5))
    out[ground.cover == spectra.WATER] = 6
    out[rim] = 7
    out[shadow] = 3
    out[cirrus] = 10
    out[cloud] = 8
    out[cloud & (sky.cloud >= np.float32(HIGH_FROM))] = 9
    out[outside] = 0
    return out


def _qa60(ground: Ground, sky: Sky, outside: Mask) -> npt.NDArray[np.uint16]:
    cloud, cirrus, _, _ = _masks(sky)
    out = np.where(cloud, np.uint16(1 << 10), np.uint16(0))
    out[cirrus] = 1 << 11
    out[outside] = 0
    return out


def _qa_pixel(ground: Ground, sky: Sky, outside: Mask) -> npt.NDArray[np.uint16]:
    cloud, cirrus, shadow, rim = _masks(sky)
    out = np.where(ground.cover == spectra.WATER, np.uint16(_WATER), np.uint16(_CLEAR))
    out[rim] = _DILATED
    out[shadow] = _SHADOW
    out[cirrus] = _CIRRUS
    out[cloud] = _CLOUD
    out[cloud & (sky.cirrus >= np.float32(CIRRUS_FROM))] = _BOTH
    out[outside] = 1
    return out


def _truth_class(ground: Ground, sky: Sky, outside: Mask) -> npt.NDArray[np.uint8]:
    out = spectra.TRUTH_CODE[ground.cover]
    out[outside] = 0
    return out


def _truth_cloud(ground: Ground, sky: Sky, outside: Mask) -> Mask:
    cloud, cirrus, _, _ = _masks(sky)
    return (cloud | cirrus) & ~outside


def _truth_shadow(ground: Ground, sky: Sky, outside: Mask) -> Mask:
    return _masks(sky)[2] & ~outside


_ENCODERS: MappingProxyType[str, Callable[[Ground, Sky, Mask], npt.NDArray[Any]]] = MappingProxyType(
    {
        "scl": _scl,
        "qa60": _qa60,
        "qa_pixel": _qa_pixel,
        "truth_class": _truth_class,
        "truth_cloud": _truth_cloud,
        "truth_shadow": _truth_shadow,
    }
)
