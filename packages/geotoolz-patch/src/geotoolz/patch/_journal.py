"""A folder that remembers finished chips, so that a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import BatchError, ParameterError, TileSpec, WriteError, config_hash
from geotoolz.core import check as check_operator
from geotoolz.patch._code import code_hash
from geotoolz.patch._source import Array, DatasetSource, Source

_PLAN = "plan.json"


class Journal:
    """Finished chips on disk, one file each, written completely or not at all.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    plan : str
        What tells this run from others; see `plan_key`.

    Raises
    ------
    BatchError
        If the folder holds the chips of another plan.
    WriteError
        If it cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], plan: str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = self.folder / _PLAN
            if held.exists():
                self._require(held, plan)
            else:
                _written(held, json.dumps({"plan": plan}).encode())
        except OSError as error:
            raise WriteError(f"the journal {self.folder} cannot be written: {error}") from error

    def _require(self, held: Path, plan: str) -> None:
        try:
            found = json.loads(held.read_text("utf-8"))["plan"]
        except (ValueError, KeyError, TypeError):
            found = "something unreadable"
        if found != plan:
            raise BatchError(
                f"{self.folder} is the journal of another plan ({str(found)[:12]}…)",
                expected=f"{plan[:12]}…: the same operator, function code, chips and scene",
                fix="take another folder, or delete this one",
            )

    def load(self, number: int) -> dict[str, Array] | None:
        """Return a finished chip, or None; a file that is broken counts as none."""
        path = self._path(number)
        try:
            with np.load(path, allow_pickle=False) as held:
                return {name: held[name] for name in held.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, zipfile.BadZipFile, EOFError):
            return None

    def save(self, number: int, chip: Mapping[str, Array]) -> None:
        """Keep a finished chip."""
        import io

        held = io.BytesIO()
        named: dict[str, Any] = dict(chip)
        np.savez(held, **named)
        try:
            _written(self._path(number), held.getvalue())
        except OSError as error:
            raise WriteError(f"chip {number} cannot be written to {self.folder}: {error}") from error

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:07d}.npz"


def _written(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.write_bytes(data)
    temporary.replace(path)


def plan_key(op: Any, source: Source) -> str:
    """Return the SHA-256 of an operator's configuration, of its functions' code, and of what a scene is.

    A scene in memory counts with its pixels, one of files with their time and size, a lazy one with its grid
    and variables only.

    Raises
    ------
    ParameterError
        If the operator exists in memory only.
    """
    notes = [f for f in check_operator(op, []) if "cannot be saved" in f.message]
    if notes:
        raise ParameterError(
            f"the journal cannot tell this operator from others: {notes[0].message}",
            fix="a function that can be imported, or no journal",
        )
    found = hashlib.sha256(config_hash(op).encode())
    found.update(code_hash(op).encode())
    found.update(_described(source.spec).encode())
    found.update(repr(sorted(getattr(source, "stamps", {}).items())).encode())
    if isinstance(source, DatasetSource):
        for name, array in sorted(source.held.items()):
            found.update(name.encode())
            found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _described(spec: TileSpec) -> str:
    box = spec.geobox
    grid = None if box is None else (tuple(box.affine)[:6], str(box.crs))
    variables = {n: (v.dims, str(v.dtype), repr(v.nodata)) for n, v in spec.variables.items()}
    return repr((grid, spec.offset, sorted(spec.sizes.items()), variables))
