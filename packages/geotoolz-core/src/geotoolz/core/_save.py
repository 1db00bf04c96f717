"""Pipelines and all that they need, in a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from geotoolz.core._config import REF_TARGET, TARGET, to_config
from geotoolz.core._errors import GeotoolzError, WriteError
from geotoolz.core._frozen_array import FrozenArray
from geotoolz.core._load import escaped
from geotoolz.core._operator import Operator
from geotoolz.core._ref import Ref
from geotoolz.core._whole_file import write_whole
from geotoolz.core._yaml import dump_yaml

FOLDER = "artefacts"


def save(op: Operator, folder: str | os.PathLike[str]) -> Path:
    """Save a pipeline and everything that it refers to into a folder that can be moved.

    Files that a `Ref` names are copied; arrays that an operator holds in memory are written as
    NumPy files. Both are named after their content, so that saving twice gives the same folder.

    Parameters
    ----------
    op : Operator
        The pipeline.
    folder : path
        Made if need be. Gets ``pipeline.yaml`` and ``artefacts/<sha256>…``.

    Returns
    -------
    pathlib.Path
        Of the YAML file; ``load`` of it gives the pipeline with its arrays in files, and saving
        that again gives the same text and hash.

    Raises
    ------
    ConfigError
        If a step cannot be saved (`Tap`).
    ReadError
        If a file is missing or has changed.
    WriteError
        If the folder cannot be written.
    """
    target = Path(folder)
    arrays: dict[str, FrozenArray] = {}

    def bind(array: FrozenArray) -> Ref:
        name = _name(array.sha256, ".npy")
        arrays[name] = array
        return Ref(name, array.sha256)

    config = to_config(op, defaults=False, bind=bind)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            content = array.to_bytes()
            _place(target / name, lambda part, content=content: part.write_bytes(content))  # type: ignore[misc]
        path = target / "pipeline.yaml"
        write_whole(path, dump_yaml(escaped(_collected(config, target, frozenset(arrays)))))
    except OSError as error:
        if isinstance(error, GeotoolzError):
            raise
        raise WriteError(f"{target} cannot be written: {error.strerror}") from error
    return path


def _name(sha256: str, suffix: str) -> str:
    return f"{FOLDER}/{sha256}{suffix}"


def _collected(value: Any, folder: Path, written: frozenset[str]) -> Any:
    """Return a configuration whose files lie in the folder, after copying them there."""
    if isinstance(value, Mapping):
        if value.get(TARGET) == REF_TARGET and value["uri"] not in written:
            source = Ref(value["uri"], value["sha256"]).verify()
            name = _name(value["sha256"], source.suffix)
            if source.resolve() != (folder / name).resolve():
                _place(folder / name, lambda part: shutil.copyfile(source, part))
            return {**value, "uri": name}
        return {k: _collected(v, folder, written) for k, v in value.items()}
    if isinstance(value, list):
        return [_collected(v, folder, written) for v in value]
    return value


def _place(path: Path, write: Callable[[Path], object]) -> None:
    """Make a file so that it is there whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
