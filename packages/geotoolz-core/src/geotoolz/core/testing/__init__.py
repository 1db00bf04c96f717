"""Tools for testing operators and pipelines: simulated scenes, hypothesis strategies, real data."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz.core.testing._contract import Case, ContractSuite, case
    from geotoolz.core.testing._data import data_path
    from geotoolz.core.testing._law import LawBrokenError, assert_law, assert_same
    from geotoolz.core.testing._reference import Reference, ReferenceSuite
    from geotoolz.core.testing._simulate import simulate_scene
    from geotoolz.core.testing._simulate_landsat import write_landsat
    from geotoolz.core.testing._simulate_safe import write_safe
    from geotoolz.core.testing._simulate_series import simulate_series
    from geotoolz.core.testing._simulate_write import write_scene
    from geotoolz.core.testing._strategies import geoboxes, tiles, windows
    from geotoolz.core.testing._tiles import adversaries, contract_tile

__all__ = [
    "Case",
    "ContractSuite",
    "LawBrokenError",
    "Reference",
    "ReferenceSuite",
    "adversaries",
    "assert_law",
    "assert_same",
    "case",
    "contract_tile",
    "data_path",
    "geoboxes",
    "simulate_scene",
    "simulate_series",
    "tiles",
    "windows",
    "write_landsat",
    "write_safe",
    "write_scene",
]

# Loaded on first use: hypothesis and pytest are optional (the extra "testing"), rasterio and PROJ are heavy.
_HOMES = {
    "Case": "_contract",
    "ContractSuite": "_contract",
    "LawBrokenError": "_law",
    "Reference": "_reference",
    "ReferenceSuite": "_reference",
    "adversaries": "_tiles",
    "assert_law": "_law",
    "assert_same": "_law",
    "case": "_contract",
    "contract_tile": "_tiles",
    "data_path": "_data",
    "geoboxes": "_strategies",
    "simulate_scene": "_simulate",
    "simulate_series": "_simulate_series",
    "tiles": "_strategies",
    "windows": "_strategies",
    "write_landsat": "_simulate_landsat",
    "write_safe": "_simulate_safe",
    "write_scene": "_simulate_write",
}

_SUITES = ("_contract", "_reference")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            if _HOMES[name] in _SUITES and f"{__name__}.{_HOMES[name]}" not in sys.modules:
                import pytest

                # without this a failing check says AssertionError and nothing more
                pytest.register_assert_rewrite(f"{__name__}.{_HOMES[name]}")
            module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
        except ModuleNotFoundError as err:
            if err.name not in ("hypothesis", "pytest"):
                raise
            from geotoolz.core._errors import MissingDependencyError

            raise MissingDependencyError(
                f"geotoolz.core.testing.{name} needs {err.name}, which is not installed",
                fix="pip install 'geotoolz-core[testing]'",
            ) from err
        value = getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
