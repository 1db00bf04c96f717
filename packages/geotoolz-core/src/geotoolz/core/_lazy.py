"""xarray, imported when the first of its names is needed: it brings pandas, and both take seconds.

Whatever looks at pipelines and journals, and not at pixels (``geotoolz pipeline hash``, a run that finds
nothing to do), then never waits for them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["xr"]


class _Module:
    """Stands for a module until a name of it is needed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self._name), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import xarray as xr
else:
    xr = _Module("xarray")
