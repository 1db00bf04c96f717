"""One bucket of an object store: whole objects in, whole objects out, what was written is checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from geotoolz.core._errors import ParameterError
from geotoolz.io._object_client import client_of, require_obstore, typed_as
from geotoolz.io._object_errors import StoreDamagedError

#: what an address may begin with
SCHEMES = ("s3", "gs", "az", "memory")
#: one PUT up to this size; above, parts, which also appear together at the end
_ONE_PUT = 64 * 2**20
_PART = 16 * 2**20
#: an object's own metadata: the tile it was written for (providers differ in whether they take "_" and "-")
OWNER = "geotoolztile"
_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".tiff": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
    ".log": "text/plain; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class ObjectStamp:
    """What a store says of an object: bytes, ETag (empty where it has none), time of the last change."""

    size: int
    etag: str
    modified: datetime


class ObjectStore:
    """A bucket. Every call is one request, plus retries; errors are typed.

    Parameters
    ----------
    scheme : str
        "s3", "gs", "az", "memory".
    bucket : str

    Raises
    ------
    ParameterError
        For another scheme, or an address without a bucket.
    MissingDependencyError
        If obstore is not installed.
    """

    def __init__(self, scheme: str, bucket: str) -> None:
        if scheme not in SCHEMES or not bucket:
            raise ParameterError(
                f"{scheme}://{bucket}", expected=" or ".join(f"{name}://bucket/prefix" for name in SCHEMES)
            )
        require_obstore(scheme)
        self.scheme: str = scheme
        self.bucket: str = bucket

    def url(self, key: str = "") -> str:
        """Return the address of an object."""
        return f"{self.scheme}://{self.bucket}/{key}".rstrip("/")

    def probe(self) -> None:
        """Ask once whether endpoint, bucket and credentials are there; an answer comes in seconds.

        Raises
        ------
        StoreError
        """
        import obstore

        store = client_of(self.scheme, self.bucket, quick=True)
        with typed_as(self.url()):
            next(iter(obstore.list(store, ".geotoolz-is-it-there", chunk_size=1)), None)

    def list(self, prefix: str = "") -> dict[str, ObjectStamp]:
        """Return every object below a prefix (a folder: no half names), a thousand a request."""
        import obstore

        with typed_as(self.url(prefix)):
            pages = obstore.list(self._client, prefix or None, chunk_size=1000)
            return {str(meta["path"]): _stamp(meta) for page in pages for meta in page}

    def list_folder(self, prefix: str) -> tuple[dict[str, ObjectStamp], tuple[str, ...]]:
        """Return the objects directly in a folder, and the folders in it."""
        import obstore

        with typed_as(self.url(prefix)):
            found = obstore.list_with_delimiter(self._client, prefix or None)
        objects = {str(meta["path"]): _stamp(meta) for meta in found["objects"]}
        return objects, tuple(str(name) for name in found["common_prefixes"])

    def stamp(self, key: str) -> ObjectStamp | None:
        """Return size, ETag and time of an object, None where there is none."""
        import obstore

        with typed_as(self.url(key)):
            try:
                return _stamp(obstore.head(self._client, key))
            except FileNotFoundError:
                return None

    def owner(self, key: str) -> str:
        """Return for which tile an object was written; empty for an object of somebody else."""
        import obstore

        with typed_as(self.url(key)):
            try:
                found = obstore.get(self._client, key, options={"head": True}).attributes
            except FileNotFoundError:
                return ""
        return str({str(name).lower(): value for name, value in found.items()}.get(OWNER, ""))

    def read(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises
        ------
        FileNotFoundError
            If there is none.
        StoreError
        """
        return b"".join(self.stream(key))

    def stream(self, key: str, size: int = 8 * 2**20) -> Iterator[bytes]:
        """Yield an object's bytes in pieces; fewer than the store announced are an error."""
        import obstore

        with typed_as(self.url(key)):
            answer = obstore.get(self._client, key)
            expected, got = int(answer.meta["size"]), 0
            for piece in answer.stream(min_chunk_size=size):
                got += len(piece)
                yield bytes(piece)
        if got != expected:
            raise StoreDamagedError(
                f"{self.url(key)}: {got} of {expected} bytes arrived", expected="the whole object"
            )

    def write(self, key: str, data: bytes | Path, *, owner: str = "", check: bool = True) -> None:
        """Write an object, in place of an older one; it appears whole or not at all.

        Parameters
        ----------
        key : str
        data : bytes or Path
            Or the local file that holds them.
        owner : str
            The tile that it is written for.
        check : bool
            Ask afterwards what stands there: one more request.

        Raises
        ------
        StoreDamagedError
            If the store holds another size or ETag than was sent.
        StoreError
        """
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        told = self._put(key, data, owner, size)
        if not check:
            return
        try:
            self._check(key, size, told)
        except StoreDamagedError:  # once more
            self._check(key, size, self._put(key, data, owner, size))

    def _put(self, key: str, data: bytes | Path, owner: str, size: int) -> Mapping[str, Any]:
        import obstore

        with typed_as(self.url(key)):
            told: Mapping[str, Any] = obstore.put(
                self._client,
                key,
                data,
                attributes=_attributes(key, owner),
                use_multipart=size > _ONE_PUT,
                chunk_size=_PART,
            )
        return told

    def create(self, key: str, data: bytes | Path, *, owner: str = "", check: bool = True) -> bool:
        """Write an object unless there is one of that name; returns whether it was written.

        A store that cannot promise that (not S3, GCS, Azure, MinIO) is asked first, and then written to.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, NotSupportedError

        size = data.stat().st_size if isinstance(data, Path) else len(data)
        if size > _ONE_PUT:  # parts know no condition
            return self.stamp(key) is None and self._written(key, data, owner, check)
        with typed_as(self.url(key)):
            try:
                told = obstore.put(
                    self._client,
                    key,
                    data,
                    attributes=_attributes(key, owner),
                    mode="create",
                    use_multipart=False,
                )
            except AlreadyExistsError:
                return False
            except NotSupportedError:
                told = None
        if told is None:
            return self.stamp(key) is None and self._written(key, data, owner, check)
        if check:
            try:
                self._check(key, size, told)
            except StoreDamagedError:  # it is ours now
                self.write(key, data, owner=owner)
        return True

    def _written(self, key: str, data: bytes | Path, owner: str, check: bool) -> bool:
        self.write(key, data, owner=owner, check=check)
        return True

    def exchange(self, key: str, data: bytes, etag: str) -> str | None:
        """Write an object if it still has this ETag; returns the new one, None where somebody was faster."""
        import obstore
        from obstore.exceptions import NotSupportedError, PreconditionError

        with typed_as(self.url(key)):
            try:
                told = obstore.put(self._client, key, data, mode={"e_tag": etag}, use_multipart=False)
            except (PreconditionError, FileNotFoundError):
                return None
            except NotSupportedError:  # asked first, then written
                found = self.stamp(key)
                if found is None or found.etag != etag:
                    return None
                told = obstore.put(self._client, key, data, use_multipart=False)
        return str(told["e_tag"] or "")

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; what is not there is no error."""
        import obstore

        names = list(keys)
        if not names:
            return
        with typed_as(self.url(names[0])):
            try:
                obstore.delete(self._client, names)
            except FileNotFoundError:
                return

    def _check(self, key: str, size: int, told: Mapping[str, Any]) -> None:
        """See that what stands there is what was sent.

        The bytes themselves the store has compared already: their hash is part of the signed request.
        """
        found = self.stamp(key)
        etag = str(told["e_tag"] or "")
        if found is None:
            raise StoreDamagedError(
                f"{self.url(key)} was written and is not there", expected=f"an object of {size} bytes"
            )
        if found.size != size:
            raise StoreDamagedError(f"{self.url(key)} has {found.size} bytes", expected=f"{size} as sent")
        if etag and found.etag and found.etag != etag:
            raise StoreDamagedError(
                f"{self.url(key)} has the ETag {found.etag}",
                expected=f"{etag}: somebody else writes there, or the answer was wrong",
            )

    @property
    def _client(self) -> Any:
        return client_of(self.scheme, self.bucket)


def _stamp(meta: Any) -> ObjectStamp:
    return ObjectStamp(int(meta["size"]), str(meta["e_tag"] or ""), meta["last_modified"])


def _attributes(key: str, owner: str) -> dict[str, str]:
    """Return what is kept beside an object's bytes."""
    name = f".{key.rpartition('.')[2].lower()}"
    kept = {"Content-Type": _TYPES.get(name, "application/octet-stream")}
    return {**kept, OWNER: owner} if owner else kept
