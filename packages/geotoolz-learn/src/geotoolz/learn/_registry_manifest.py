"""What a folder of models says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from geotoolz.core import ParameterError, ReadError
from geotoolz.core._whole_file import write_whole

MANIFEST = "manifest.json"
_LAYOUT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ModelEntry:
    """What the manifest says of a model; its file is not read for it.

    Attributes
    ----------
    name : str
        What the model is called.
    file : str
        Name of its file in the folder.
    sha256 : str
        Of the file.
    kind : str
        ``"classifier"``, ``"regressor"``, …
    features : tuple of str
        The features, in order.
    classes : tuple
        Labels of a classifier.
    dates : tuple of str, optional
        First and last time of the training pixels.
    n_rows : int
        Rows that it was fitted on.
    pipeline_hash : str, optional
        Of the pipeline that made the features.
    metrics : mapping
        What was measured, plain JSON values.
    """

    name: str
    file: str
    sha256: str
    kind: str
    features: tuple[str, ...]
    classes: tuple[Any, ...] = ()
    dates: tuple[str, str] | None = None
    n_rows: int = 0
    pipeline_hash: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(folder: Path) -> dict[str, ModelEntry]:
    """Return the models of a folder by name; none where there is no manifest.

    Raises
    ------
    ReadError
        If there is one that cannot be read, or that names files elsewhere.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} cannot be read: {error}") from error
    try:
        held = json.loads(text)
        if held["layout"] != _LAYOUT:
            raise ReadError(f"{path} has the layout {held['layout']!r}", expected=str(_LAYOUT))
        return {name: _entry(name, known) for name, known in held["models"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(
            f"{path} is no manifest of models: {error}", expected="a file that ModelRegistry wrote"
        ) from error


def write_manifest(folder: Path, entries: Mapping[str, ModelEntry]) -> None:
    """Write the manifest, whole or not at all.

    Raises
    ------
    WriteError
        If the folder cannot be written to.
    """
    path = folder / MANIFEST
    models = {
        name: {k: v for k, v in asdict(entries[name]).items() if k != "name"} for name in sorted(entries)
    }
    text = json.dumps({"layout": _LAYOUT, "models": models}, indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(path, text + "\n")


def check_name(name: Any) -> None:
    """Raise `ParameterError` for a name that no file can have."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ParameterError(f"name={name!r}", expected="letters, digits, '.', '-' and '_'")


def plain_metrics(metrics: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return metrics as JSON keeps them; raise `ParameterError` for what it cannot keep."""
    try:
        found: dict[str, Any] = json.loads(json.dumps(metrics, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"the metrics of {name!r} are no JSON: {error}", expected="plain, finite values"
        ) from error
    return found


def _entry(name: str, known: Mapping[str, Any]) -> ModelEntry:
    made = ModelEntry(name=name, **known)
    if Path(made.file).name != made.file or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is in {made.file!r}, and not in the folder")
    dates = None if made.dates is None else (str(made.dates[0]), str(made.dates[1]))
    return ModelEntry(
        name, made.file, made.sha256, made.kind, tuple(made.features), tuple(made.classes), dates,
        made.n_rows, made.pipeline_hash, dict(made.metrics),
    )  # fmt: skip
