"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from geotoolz.core import WriteError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, after a power cut too.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror or error}", fix="free space") from error
