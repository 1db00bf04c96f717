"""What inputs on an object store were made of: bytes and ETag, a folder at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from geotoolz.core._errors import GeotoolzError
from geotoolz.io._object_path import ObjectPath
from geotoolz.io._object_store import ObjectStamp

from ._fingerprint import Stamp

__all__ = ["ObjectStamps"]

_log = logging.getLogger("geotoolz.batch")
_SCHEMES = ("s3://", "gs://", "az://")


class ObjectStamps:
    """Completes the stamps of inputs on object stores; kept for one plan, so that the next sees changes.

    A folder is listed once, however many scenes lie in it. A store that does not answer, or may not be
    listed, is left at what is known: its address.
    """

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, ObjectStamp]] = {}
        self._closed: set[str] = set()

    def completed(self, stamps: Iterable[Stamp]) -> tuple[Stamp, ...]:
        """Return the stamps with size and ETag where nothing but the address was known."""
        return tuple(self._completed(stamp) for stamp in stamps)

    def _completed(self, stamp: Stamp) -> Stamp:
        if stamp.size != -2 or stamp.mark or not stamp.path.lower().startswith(_SCHEMES):
            return stamp
        if _bucket(stamp.path) in self._closed:
            return stamp
        try:
            held = self._listed(ObjectPath(stamp.path))
        except GeotoolzError as error:
            self._closed.add(_bucket(stamp.path))
            _log.warning("changes of inputs there are not seen: %s", error)
            return stamp
        if held is None:
            return Stamp(stamp.path, -1)
        return Stamp(stamp.path, held.size, held.etag.strip('"'))

    def _listed(self, path: ObjectPath) -> ObjectStamp | None:
        folder = str(path.parent)
        if folder not in self._folders:
            if not any(known.startswith(path.store.url()) for known in self._folders):
                path.store.probe()  # seconds, where nobody answers
            self._folders[folder] = path.store.list_folder(path.parent.key)[0]
        return self._folders[folder].get(path.key)


def _bucket(address: str) -> str:
    return "/".join(address.split("/", 3)[:3])
