"""A product's files, whether they lie in a folder, a zip or a tar: their names, small texts, GDAL's paths."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from geotoolz.core._errors import ReadError

TARS = (".tar", ".tar.gz", ".tgz")
_BROKEN = (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error)


@dataclass(frozen=True)
class Archive:
    """Where a product's files are.

    Parameters
    ----------
    path : Path
        The folder, zip or tar.
    names : tuple of str
        Its files below it, with ``/``, sorted.
    """

    path: Path
    names: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Return ``"folder"``, ``"zip"`` or ``"tar"``."""
        return "folder" if self.path.is_dir() else "tar" if is_tar(self.path) else "zip"

    def read(self, name: str) -> bytes:
        """Return a small file's content.

        Raises
        ------
        ReadError
            If it cannot be read.
        """
        try:
            if self.kind == "folder":
                return (self.path / name).read_bytes()
            if self.kind == "zip":
                with zipfile.ZipFile(self.path) as held:
                    return held.read(name)
            return _tar_text(str(self.path), _stamp(self.path), name)
        except (*_BROKEN, KeyError, RuntimeError) as error:  # an encrypted zip raises RuntimeError
            raise _broken(self.path, error, name) from error

    def stamp(self, name: str) -> tuple[int, int]:
        """Return what tells whether a file is still the same: size and time of it, or of its archive."""
        return _stamp(self.path / name if self.kind == "folder" else self.path)

    def gdal_path(self, name: str) -> str:
        """Return the path by which GDAL reads a file: nothing is unpacked."""
        if self.kind == "folder":
            return str(self.path / name)
        whole = os.path.abspath(self.path)  # noqa: PTH100 - resolve() would follow links
        return f"/vsi{self.kind}/{whole}/{name}"


def open_archive(path: Path) -> Archive:
    """List what a folder, zip or tar holds.

    Raises
    ------
    ReadError
        If it is missing, truncated or none of these.
    """
    if path.is_dir():
        return Archive(path, tuple(_below(path)))
    try:
        return Archive(path, _members(str(path), _stamp(path)))
    except _BROKEN as error:
        raise _broken(path, error) from error


def is_tar(path: Path) -> bool:
    """Tell by its name whether a file is a tar."""
    return path.name.lower().endswith(TARS)


def first_names(path: Path) -> tuple[str, ...]:
    """Return names that tell what an archive holds: all of a zip, the first of a tar; () if it is none."""
    try:
        if is_tar(path):
            with tarfile.open(path) as held:
                first = held.next()
            return (first.name,) if first is not None else ()
        return _members(str(path), _stamp(path))
    except _BROKEN:
        return ()  # whoever opens it says what is wrong


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _below(folder: Path) -> list[str]:
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(root).relative_to(folder).as_posix()
        found += [name if below == "." else f"{below}/{name}" for name in files if not name.startswith(".")]
    return sorted(found)


@lru_cache(maxsize=256)
def _members(path: str, stamp: tuple[int, int]) -> tuple[str, ...]:
    """Return the files in a zip or tar; to list a tar that is compressed, all of it is decompressed."""
    if is_tar(Path(path)):
        with tarfile.open(path) as held:
            return tuple(sorted(one.name.removeprefix("./") for one in held.getmembers() if one.isfile()))
    with zipfile.ZipFile(path) as zipped:
        return tuple(sorted(name for name in zipped.namelist() if not name.endswith("/")))


@lru_cache(maxsize=32)
def _tar_text(path: str, stamp: tuple[int, int], name: str) -> bytes:
    with tarfile.open(path) as held:
        for one in held:
            if one.name.removeprefix("./") == name:
                content = held.extractfile(one)
                if content is not None:
                    return content.read()
    raise KeyError(name)


def _broken(path: Path, error: BaseException, name: str = "") -> ReadError:
    if not path.exists():
        return ReadError(f"{path} does not exist", expected="a folder, a zip or a tar", fix="check the path")
    inside = f"{name} in {path}" if name else str(path)
    return ReadError(
        f"{inside} cannot be read: {error}",
        expected="a complete archive",
        fix="the download may have been cut off: download it again",
    )
