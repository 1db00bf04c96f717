"""The command line.

Light to import: the argument parser is loaded when it is needed, everything heavy inside the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz._cli._app import app
    from geotoolz._cli._main import group_app, run_app

__all__ = ["app", "group_app", "main", "run_app"]

_HOMES = {
    "app": "geotoolz._cli._app",
    "group_app": "geotoolz._cli._main",
    "run_app": "geotoolz._cli._main",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``geotoolz`` and return its exit code.

    An interrupt counts as one even while the parser is loading.
    """
    try:
        from geotoolz._cli._app import main as run
    except KeyboardInterrupt:
        return 130
    return run(arguments)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first asked for."""
        import importlib

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)
