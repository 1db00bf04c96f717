"""Maps, APIs and a workbench in the browser from the pipelines that ran in the batch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz.serve._app import app_from_environment, create_app
    from geotoolz.serve._litserve import PipelineAPI
    from geotoolz.serve._settings import (
        LayerSettings,
        PipelineSettings,
        SandboxSettings,
        ServeSettings,
        SettingsError,
        load_settings,
    )

__all__ = [
    "LayerSettings",
    "PipelineAPI",
    "PipelineSettings",
    "SandboxSettings",
    "ServeSettings",
    "SettingsError",
    "app_from_environment",
    "create_app",
    "load_settings",
]

# The command line lists this package: it must not import a web framework for that.
_WHERE = {"create_app": "_app", "app_from_environment": "_app", "PipelineAPI": "_litserve"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"geotoolz.serve.{_WHERE.get(name, '_settings')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
