"""Pointer files by which DVC takes data over."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from geotoolz.core import ReadError, WriteError
from geotoolz.core._yaml import dump_yaml
from geotoolz.repro._parts import Part


def write_dvc(path: str | os.PathLike[str]) -> Path:
    """Write the pointer that ``dvc add`` writes for a file or folder; the data stay where they are.

    In a repository of git the data are named in the ``.gitignore`` beside them, too, as ``dvc add`` does: git
    holds the pointer, DVC the data.

    The pointer goes into git, ``dvc commit`` takes the data into DVC's store, and ``dvc status`` then tells
    what has changed. DVC knows contents by MD5: good for noticing a change, not against somebody who forges
    one; for that there are the SHA-256 of an artefact.

    Parameters
    ----------
    path : path
        An artefact, a raster, a product's folder, the output folder of a run.

    Returns
    -------
    pathlib.Path
        ``path.dvc``, beside it. Equal content gives equal bytes.

    Raises
    ------
    ReadError
        If there is nothing, or it cannot be read.
    WriteError
        If the pointer or the ``.gitignore`` cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from geotoolz.repro import write_dvc
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_bytes(b"hi")
    >>> print(write_dvc(folder / "a.txt").read_text(), end="")
    outs:
    - md5: 49f68a5c8493ec2c0bf489821c21fc3b
      size: 2
      hash: md5
      path: a.txt
    """
    target = Path(path)
    try:
        entry = _folder(target) if target.is_dir() else _file(target)
    except OSError as error:
        raise ReadError(f"{target} cannot be read: {error.strerror}", expected="a file or folder") from error
    pointer = target.with_name(f"{target.name}.dvc")
    try:
        pointer.write_text(
            dump_yaml({"outs": [{**entry, "hash": "md5", "path": target.name}]}), encoding="utf-8"
        )
        _ignore(target)
    except OSError as error:
        raise WriteError(f"{error.filename} cannot be written: {error.strerror}") from error
    return pointer


def _ignore(path: Path) -> None:
    """Add a file or folder to the ``.gitignore`` beside it, once, where it lies in a repository."""
    folder = path.absolute().parent
    if not any((one / ".git").exists() for one in (folder, *folder.parents)):
        return
    place, line = folder / ".gitignore", f"/{path.name}"
    held = place.read_text("utf-8") if place.exists() else ""
    if line not in held.splitlines():
        ended = held if not held or held.endswith("\n") else f"{held}\n"
        place.write_text(f"{ended}{line}\n", encoding="utf-8")


def _file(path: Path) -> dict[str, Any]:
    part = Part.of_file(path)
    return {"md5": _md5(part), "size": part.size}


def _folder(path: Path) -> dict[str, Any]:
    """Describe a folder by the list of its files, as DVC writes it into its store."""
    files = sorted((one.relative_to(path).as_posix(), one) for one in path.rglob("*") if one.is_file())
    parts = [(name, Part.of_file(one)) for name, one in files]
    listed = json.dumps([{"md5": _md5(part), "relpath": name} for name, part in parts])
    whole = hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()
    return {"md5": f"{whole}.dir", "size": sum(part.size for _, part in parts), "nfiles": len(parts)}


def _md5(part: Part) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in part.chunks():
        digest.update(chunk)
    return digest.hexdigest()
