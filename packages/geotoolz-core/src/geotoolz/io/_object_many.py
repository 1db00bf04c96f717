"""Reading many small files, several at a time where they are objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from geotoolz.io._object_path import ObjectPath, Place

#: objects that are read at the same time
_READERS = 16


def read_many(folder: Place, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield names with the bytes of their files, in order; a file that cannot be read is left out.

    Raises
    ------
    StoreError
        If an object store does not answer.
    """
    if isinstance(folder, ObjectPath):
        yield from _read_objects(folder, names)
        return
    for name in names:
        try:
            yield name, (folder / name).read_bytes()
        except OSError:
            continue


def _read_objects(folder: ObjectPath, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Read several objects at a time: most of a small one's time is the way there and back."""

    def read(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            return None

    with ThreadPoolExecutor(_READERS) as readers:
        for some in _batched(names, 50 * _READERS):
            for name, data in zip(some, readers.map(read, some), strict=True):
                if data is not None:
                    yield name, data


def _batched(names: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    """Yield names in groups, so that not all of what they hold is kept at once."""
    source = iter(names)
    while some := tuple(islice(source, size)):
        yield some
