"""torch, asked for where it is used: it takes seconds to import and is not always installed."""

from __future__ import annotations

import importlib
from typing import Any

from geotoolz.core import MissingDependencyError

_EXTRAS = {
    "torch": "torch",
    "segmentation_models_pytorch": "smp",
    "lightning": "train",
    "torchmetrics": "train",
}


def require(module: str, needed_by: str) -> Any:
    """Return an optional module.

    Parameters
    ----------
    module : str
        Its name: ``"torch"``, ``"segmentation_models_pytorch"``.
    needed_by : str
        Who asks; named in the error.

    Raises
    ------
    MissingDependencyError
        Saying what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        extra = _EXTRAS.get(module.partition(".")[0], "torch")
        raise MissingDependencyError(
            f"{needed_by} needs {error.name}, which is not installed",
            fix=f"pip install 'geotoolz-learn[{extra}]'",
        ) from error


def lazy_name(module: str, name: str) -> Any:
    """Return a name of one of our modules that imports an optional package.

    Raises
    ------
    MissingDependencyError
        If that package is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRAS:
            raise
        require(error.name.partition(".")[0], f"geotoolz.learn.{name}")
        raise
