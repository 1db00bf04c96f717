"""Small files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from geotoolz.core._errors import WriteError


def write_whole(path: Path, content: bytes | str, *, parents: bool = False) -> None:
    """Write a file that is there whole or not at all, after a power cut too.

    Parameters
    ----------
    path : Path
    content : bytes or str
        Text is written as UTF-8.
    parents : bool
        Make missing folders above it.

    Raises
    ------
    WriteError
        If it cannot be written; what was there before is still there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "a", "b.txt"), "text", parents=True)
    ...     print(Path(folder, "a", "b.txt").read_text(), len(list(Path(folder, "a").iterdir())))
    text 1
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror or error}") from error
