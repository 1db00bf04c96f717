"""A place for outputs: a folder of this machine, or an address on an object store."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

from geotoolz.core._errors import GeotoolzError, ParameterError
from geotoolz.io._object_pieces import Pieces
from geotoolz.io._object_store import SCHEMES, ObjectStamp, ObjectStore

__all__ = ["ObjectPath", "Place", "absolute_place", "is_object", "place", "probe_store"]

#: folders that are listed one by one
_FOLDERS = 8


class ObjectPath:
    """An object, or what its name begins with: the part of `pathlib.Path` that outputs need.

    It is no `os.PathLike` on purpose: a function that expects a file of this machine refuses it, instead of
    making a folder called ``s3:``.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, ``gs://``, ``az://`` (the container), ``memory://`` (this process only).

    Examples
    --------
    >>> item = ObjectPath("memory://bucket/out") / "items" / "a.json"
    >>> item.write_bytes(b"{}"), item.name, str(item.parent), item.exists()
    (2, 'a.json', 'memory://bucket/out/items', True)
    """

    __slots__ = ("_key", "store")

    def __init__(self, url: str) -> None:
        scheme, mark, rest = url.partition("://")
        bucket, _, key = rest.partition("/")
        parts = key.split("/") if key else []
        if not mark or ".." in parts or any(sign in key for sign in "?#"):
            raise ParameterError(
                f"the address {url!r}", expected="s3://bucket/prefix, without '..', '?', '#'"
            )
        self.store: ObjectStore = ObjectStore(scheme.lower(), bucket)
        self._key = PurePosixPath(*(part for part in parts if part not in ("", ".")))

    @property
    def key(self) -> str:
        """The name within the bucket; empty for the bucket."""
        return "" if self._key == PurePosixPath() else self._key.as_posix()

    @property
    def name(self) -> str:
        """The last part of the name; of a bucket, the bucket's."""
        return self._key.name or self.store.bucket

    @property
    def stem(self) -> str:
        """The last part without its ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The ending."""
        return self._key.suffix

    @property
    def parent(self) -> ObjectPath:
        """One level up."""
        return self._at(self._key.parent)

    def _at(self, key: PurePosixPath) -> ObjectPath:
        made = object.__new__(ObjectPath)
        made.store, made._key = self.store, key
        return made

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(f"{self}/{name}")

    def __str__(self) -> str:
        return self.store.url(self.key)

    def __repr__(self) -> str:
        return f"ObjectPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __lt__(self, other: ObjectPath) -> bool:
        return str(self) < str(other)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ObjectPath, (str(self),))

    def as_posix(self) -> str:
        """Return the address."""
        return str(self)

    def as_uri(self) -> str:
        """Return the address."""
        return str(self)

    def absolute(self) -> ObjectPath:
        """Return the same: addresses are absolute."""
        return self

    def relative_to(self, other: ObjectPath) -> PurePosixPath:
        """Return the name below another.

        Raises
        ------
        ValueError
            If it does not lie there.
        """
        if self.store.url() != other.store.url():
            raise ValueError(f"{self} is not below {other}")
        return self._key.relative_to(other._key)

    # ---- what stands there

    def exists(self) -> bool:
        """Say whether there is such an object, or one below."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Say whether there is such an object."""
        return bool(self.key) and self.store.stamp(self.key) is not None

    def is_dir(self) -> bool:
        """Say whether there are objects below; stores know no folders."""
        objects, folders = self.store.list_folder(self.key)
        return bool(objects or folders)

    def stamp(self) -> ObjectStamp | None:
        """Return size, ETag and time of the object, None where there is none."""
        return self.store.stamp(self.key)

    def stat(self) -> os.stat_result:
        """Return size and time, as `pathlib.Path.stat` does.

        Raises
        ------
        FileNotFoundError
        """
        found = self.stamp()
        if found is None:
            raise FileNotFoundError(f"{self} does not exist")
        when = int(found.modified.timestamp())
        return os.stat_result((0o100644, 0, 0, 1, 0, 0, found.size, when, when, when))

    def sizes(self, without: str = "") -> dict[str, int]:
        """Return all objects below, by their name below, with their bytes; one folder may be left out."""
        return {name: stamp.size for name, stamp in self.stamps(without).items()}

    def stamps(self, without: str = "") -> dict[str, ObjectStamp]:
        """Return all objects below, by their name below; one folder may be left out."""
        start = f"{self.key}/" if self.key else ""
        found = self._listed(start + without) if without else self.store.list(self.key)
        skipped = f"{start}{without}/" if without else "/"
        return {
            key[len(start) :]: stamp
            for key, stamp in found.items()
            if key.startswith(start) and not key.startswith(skipped)
        }

    def _listed(self, skipped: str) -> dict[str, ObjectStamp]:
        """List without asking for what lies in one folder, where that takes fewer requests."""
        found, folders = self.store.list_folder(self.key)
        if len(folders) > _FOLDERS:
            return self.store.list(self.key)
        for folder in folders:
            if folder.rstrip("/") != skipped:
                found |= self.store.list(folder.rstrip("/"))
        return found

    def glob(self, pattern: str) -> Iterator[ObjectPath]:
        """Yield the objects directly below whose name matches, in order."""
        for key in sorted(self.store.list_folder(self.key)[0]):
            found = PurePosixPath(key)
            if fnmatchcase(found.name, pattern):
                yield self._at(found)

    # ---- bytes

    def read_bytes(self) -> bytes:
        """Return the bytes.

        Raises
        ------
        FileNotFoundError, StoreError
        """
        return self.store.read(self.key)

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the text."""
        return self.read_bytes().decode(encoding)

    def open(self, mode: Literal["rb"] = "rb") -> io.BufferedReader:
        """Open for reading from the first byte to the last, without keeping them all."""
        return io.BufferedReader(Pieces(self.store.stream(self.key)), 2**20)

    def write_bytes(self, data: bytes) -> int:
        """Write the object whole, see that it arrived, and return its size."""
        self.store.write(self.key, data)
        return len(data)

    def write_text(self, text: str, encoding: str = "utf-8") -> int:
        """Write the object."""
        return self.write_bytes(text.encode(encoding))

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        if not missing_ok and not self.is_file():
            raise FileNotFoundError(f"{self} does not exist")
        self.store.delete([self.key])

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: stores have no folders."""


Place: TypeAlias = Path | ObjectPath


def is_object(text: Any) -> bool:
    """Say whether an output stands on an object store.

    Examples
    --------
    >>> is_object("s3://bucket/a"), is_object("out/a"), is_object("C:/out")
    (True, False, False)
    """
    return isinstance(text, ObjectPath) or str(text).lower().startswith(tuple(f"{s}://" for s in SCHEMES))


def place(text: str | os.PathLike[str] | ObjectPath) -> Place:
    """Return where outputs go: a `Path`, or an `ObjectPath` for an address.

    Raises
    ------
    ParameterError
        For an address of another kind.

    Examples
    --------
    >>> place("s3://bucket/out"), place("file:///data/out").as_posix()
    (ObjectPath('s3://bucket/out'), '/data/out')
    """
    if isinstance(text, ObjectPath):
        return text
    name = os.fspath(text)
    if name.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        return Path(unquote(urlsplit(name).path))
    return ObjectPath(name) if "://" in name else Path(name)


def absolute_place(text: str | os.PathLike[str] | ObjectPath) -> Place:
    """Return where outputs go, whatever the current folder will be; links are not followed."""
    found = place(text)
    return Path(os.path.abspath(found)) if isinstance(found, Path) else found  # noqa: PTH100


def probe_store(out: str | os.PathLike[str] | ObjectPath) -> str:
    """Return what is wrong with an address (endpoint, bucket, credentials); empty where nothing is.

    Also empty for a folder of this machine.
    """
    try:
        found = place(out)
        if isinstance(found, ObjectPath):
            found.store.probe()
    except GeotoolzError as error:
        return str(error)
    return ""
