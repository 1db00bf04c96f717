"""Settings from a file, and the environment above it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from geotoolz.core import GeotoolzError, ReadError, nearest
from geotoolz.core._load import interpolate
from geotoolz.core._yaml import parse
from geotoolz.serve._settings_models import (
    LayerSettings,
    PipelineSettings,
    SandboxSettings,
    ServeSettings,
)

__all__ = [
    "CONFIG_ENV",
    "ENV_PREFIX",
    "LayerSettings",
    "PipelineSettings",
    "SandboxSettings",
    "ServeSettings",
    "SettingsError",
    "load_settings",
]

ENV_PREFIX = "GEOTOOLZ_SERVE_"
CONFIG_ENV = ENV_PREFIX + "CONFIG"
"""Names the settings file for `geotoolz.serve.app_from_environment`."""


class SettingsError(GeotoolzError, ValueError):
    """The settings of a server cannot be what they are."""


def load_settings(
    source: ServeSettings | Mapping[str, Any] | str | os.PathLike[str],
    *,
    environ: Mapping[str, str] | None = None,
) -> ServeSettings:
    """Return settings from a YAML or JSON file, a mapping, or settings.

    What the environment says in ``GEOTOOLZ_SERVE_…`` comes above a file or mapping: ``GEOTOOLZ_SERVE_TITLE``,
    ``GEOTOOLZ_SERVE_SANDBOX__MEMORY_MB`` (two underscores go into a group); values are YAML. In a file,
    ``${env:NAME}`` is replaced, and relative paths are relative to the file.

    Parameters
    ----------
    source : ServeSettings, mapping or path
        Settings are returned as they are.
    environ : mapping, optional
        By default the environment of the process.

    Returns
    -------
    ServeSettings

    Raises
    ------
    SettingsError
        With the path of every setting that is wrong.
    ReadError
        If the file cannot be read.

    Examples
    --------
    >>> from geotoolz.serve import load_settings
    >>> load_settings({"title": "Maps"}, environ={"GEOTOOLZ_SERVE_SANDBOX__CPU_S": "3"}).sandbox.cpu_s
    3.0
    """
    if isinstance(source, ServeSettings):
        return source
    label, folder = "", Path()
    if isinstance(source, Mapping):
        found: Any = dict(source)
    else:
        path = Path(source)
        label, folder = str(path), path.resolve().parent
        found = _read(path)
    found = _with_environment(found, os.environ if environ is None else environ)
    try:
        return _anchored(ServeSettings.model_validate(found), folder)
    except ValidationError as error:
        raise _told(error, label) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ReadError(
            f"{path} cannot be read: {reason}", expected="a file with settings", fix="check the path"
        ) from error
    try:
        document = parse(text)
        value = interpolate(document.value, {}, env=True, line_of=document.line_of)
    except GeotoolzError as error:
        raise error.prefixed(str(path)) from error
    if not isinstance(value, dict):
        raise SettingsError(
            f"{path} holds no mapping", expected="settings: pipelines, layers, …", fix="see the guide 'Serve'"
        )
    return value


def _with_environment(found: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Lay the environment over a mapping."""
    found = dict(found)
    for name, text in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name == CONFIG_ENV:
            continue
        *groups, last = name.removeprefix(ENV_PREFIX).lower().split("__")
        place = found
        for group in groups:
            inner = place.get(group)
            place[group] = dict(inner) if isinstance(inner, dict) else {}
            place = place[group]
        place[last] = parse(text).value
    return found


def _anchored(settings: ServeSettings, folder: Path) -> ServeSettings:
    """Return settings whose relative paths start at the settings' folder."""

    def source(text: str) -> str:
        return text if "://" in text else str(folder / text)

    return settings.model_copy(
        update={
            "pipelines": [
                one.model_copy(update={"config": folder / one.config})
                if isinstance(one.config, Path)
                else one
                for one in settings.pipelines
            ],
            "layers": [one.model_copy(update={"source": source(one.source)}) for one in settings.layers],
            "catalogs": {name: folder / path for name, path in settings.catalogs.items()},
            "disk_cache": folder / settings.disk_cache if settings.disk_cache is not None else None,
        }
    )


def _known(group: str) -> Iterable[str]:
    groups: dict[str, type[BaseModel]] = {
        "layers": LayerSettings,
        "pipelines": PipelineSettings,
        "sandbox": SandboxSettings,
    }
    return list(groups.get(group, ServeSettings).model_fields)


def _told(error: ValidationError, label: str) -> SettingsError:
    """Return what is wrong in words, one clause per setting."""
    clauses = []
    for one in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in one["loc"])
        text = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            text = f"there is no such setting{nearest(str(one['loc'][-1]), _known(str(one['loc'][0])))}"
        clauses.append(f"{place}: {text}" if place else text)
    shown = "; ".join(clauses)
    return SettingsError(f"{label}: {shown}" if label else shown, fix="see the guide 'Serve'")
