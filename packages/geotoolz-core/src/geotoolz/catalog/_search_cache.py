"""Answers of STAC APIs, kept in a folder: one file per question."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from geotoolz.core._errors import ReadError, WriteError
from geotoolz.io._sign import without_query


def _place(folder: Path, api: str, question: dict[str, Any]) -> Path:
    text = json.dumps([without_query(api).rstrip("/"), question], sort_keys=True, separators=(",", ":"))
    return folder / "searches" / f"{hashlib.sha256(text.encode()).hexdigest()}.json.gz"


def looked_up(folder: Path, api: str, question: dict[str, Any]) -> dict[str, Any] | None:
    """Return the kept answer to a question, or None.

    Raises
    ------
    ReadError
        If there is one that cannot be read.
    """
    path = _place(folder, api, question)
    try:
        held = json.loads(gzip.decompress(path.read_bytes()))
        return {"items": held["items"], "notes": held["notes"]}
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"{path} cannot be read: {error}", expected="a kept answer", fix="say refresh=True, or delete it"
        ) from error


def kept(folder: Path, api: str, question: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Keep an answer, completely or not at all, and return it.

    Raises
    ------
    WriteError
        If the folder cannot be written.
    """
    path = _place(folder, api, question)
    told = {"api": without_query(api), "question": question, **answer}
    data = gzip.compress(json.dumps(told, separators=(",", ":")).encode(), mtime=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error}", expected="a writable folder") from error
    return answer
