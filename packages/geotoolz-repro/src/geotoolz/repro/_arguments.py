"""What arguments of the command line mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def named_scenes(given: Sequence[str], alone: str = "scene") -> dict[str, str]:
    """Return ``NAME=SCENE`` by name; a path that has a ``=`` itself is one where it exists."""
    from geotoolz.core import ParameterError

    found = {}
    for text in given:
        name, sign, uri = text.partition("=")
        if not sign or not name.isidentifier() or Path(text).exists():
            name, uri = alone, text
        if name in found or not name:
            raise ParameterError(f"{text!r}", expected="NAME=SCENE for each of several inputs")
        found[name] = uri
    return found


def told_metadata(given: Sequence[str]) -> dict[str, Any]:
    """Return what ``--meta`` says: ``KEY=VALUE``, and the content of JSON files."""
    import json

    from geotoolz.core import ParameterError, ReadError

    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if sign and name.isidentifier():
            found[name] = value
            continue
        try:
            told = json.loads(Path(text).read_bytes())
        except OSError as error:
            raise ReadError(
                f"--meta {text}: {error.strerror}", expected="KEY=VALUE or a JSON file"
            ) from error
        except ValueError as error:
            raise ParameterError(
                f"--meta {text} is no JSON: {error}", expected="KEY=VALUE or a JSON file"
            ) from error
        if not isinstance(told, dict):
            raise ParameterError(f"--meta {text} holds a {type(told).__name__}", expected="names and values")
        found.update(told)
    return found
