"""The command line.

Light to import: only the argument parser is loaded here, everything heavy inside the commands.
"""

from __future__ import annotations

from geotoolz._cli._app import app, main
from geotoolz._cli._main import group_app, run_app

__all__ = ["app", "group_app", "main", "run_app"]
