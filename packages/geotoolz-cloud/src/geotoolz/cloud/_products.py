"""What the quality layers of products mean.

Sources: Sentinel-2 Products Specification Document (SCL, QA60 as distributed by Google Earth Engine
after MSK_CLOUDS); Landsat 8-9 Collection 2 Level 2 Science Product Guide (QA_PIXEL).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class QualityLayer:
    """One kind of quality layer.

    Parameters
    ----------
    role : str
        Role of its variable.
    coding : {"classes", "bits"}
        Whether pixels hold a class number or bit flags.
    flags : mapping of str to tuple of int
        Class numbers or bit positions of every flag name.
    """

    role: str
    coding: str
    flags: Mapping[str, tuple[int, ...]]


SCL = QualityLayer(
    "scl",
    "classes",
    MappingProxyType(
        {
            "nodata": (0,),
            "saturated": (1,),
            "dark": (2,),
            "shadow": (3,),
            "vegetation": (4,),
            "bare": (5,),
            "water": (6,),
            "unclassified": (7,),
            "cloud": (8, 9),
            "cloud_medium": (8,),
            "cloud_high": (9,),
            "cirrus": (10,),
            "snow": (11,),
        }
    ),
)
QA60 = QualityLayer("qa60", "bits", MappingProxyType({"cloud": (10,), "cirrus": (11,)}))
QA_PIXEL = QualityLayer(
    "qa_pixel",
    "bits",
    MappingProxyType(
        {
            "fill": (0,),
            "dilated": (1,),
            "cirrus": (2,),
            "cloud": (3,),
            "shadow": (4,),
            "snow": (5,),
            "clear": (6,),
            "water": (7,),
        }
    ),
)

LAYERS: Mapping[str, QualityLayer] = MappingProxyType({q.role: q for q in (SCL, QA_PIXEL, QA60)})
"""Known quality layers by role, the most telling first."""
