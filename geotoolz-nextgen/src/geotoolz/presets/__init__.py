"""Pipelines with a version in their name, and whole processing chains from scenes to scores.

A preset such as `S2_L2A_RGB_v1` is a pipeline that does not change: its name says what it computes, a test
holds its configuration's hash, another result gets another version. ``geotoolz run s2-l2a-rgb-v1 scene out/``
takes the same file, with the step that writes. `EndToEnd` is one run of many stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz.core import Operator
    from geotoolz.presets._chain_report import ChainReport
    from geotoolz.presets._chain_scores import Evaluation
    from geotoolz.presets._end_to_end import EndToEnd

    LANDSAT_C2L2_FALSE_COLOR_v1: Operator
    LANDSAT_C2L2_NDVI_v1: Operator
    LANDSAT_C2L2_RGB_v1: Operator
    S1_RTC_DB_v1: Operator
    S2_L2A_FALSE_COLOR_v1: Operator
    S2_L2A_NDVI_v1: Operator
    S2_L2A_RGB_v1: Operator

__all__ = [
    "ChainReport",
    "EndToEnd",
    "Evaluation",
    "LANDSAT_C2L2_FALSE_COLOR_v1",
    "LANDSAT_C2L2_NDVI_v1",
    "LANDSAT_C2L2_RGB_v1",
    "S1_RTC_DB_v1",
    "S2_L2A_FALSE_COLOR_v1",
    "S2_L2A_NDVI_v1",
    "S2_L2A_RGB_v1",
]

_CLASSES = {
    "ChainReport": "geotoolz.presets._chain_report",
    "EndToEnd": "geotoolz.presets._end_to_end",
    "Evaluation": "geotoolz.presets._chain_scores",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load what is asked for: the command line lists the presets' names without an operator."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in _CLASSES:
            from importlib import import_module

            value = getattr(import_module(_CLASSES[name]), name)
        else:
            from geotoolz.core import preset

            value = preset(name.lower().replace("_", "-"))
        globals()[name] = value
        return value
