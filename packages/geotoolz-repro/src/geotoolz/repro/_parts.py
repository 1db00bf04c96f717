"""The bytes of a member, wherever they lie: in memory, in a file, inside an archive."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geotoolz.repro._errors import ArtifactError

BUFFER = 2**18  # what hashlib.file_digest takes, too
#: a member that is read into memory (manifest, configuration, descriptions) has at most so many bytes
TEXT_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class Part:
    """A run of bytes.

    Attributes
    ----------
    size : int
    data : bytes, optional
        The bytes, where they are in memory.
    path : Path, optional
        The file that holds them otherwise, from byte `offset` on.
    offset : int
    """

    size: int
    data: bytes | None = None
    path: Path | None = None
    offset: int = 0

    @classmethod
    def of(cls, data: bytes) -> Part:
        """Return the part that holds these bytes."""
        return cls(len(data), data)

    @classmethod
    def of_file(cls, path: Path) -> Part:
        """Return the part that is a whole file."""
        return cls(path.stat().st_size, path=path)

    def chunks(self) -> Iterator[memoryview]:
        """Yield the bytes; a chunk is valid until the next is asked for. Ends early where the file does."""
        if self.path is None:
            yield memoryview(self.data or b"")
            return
        room = memoryview(bytearray(min(BUFFER, max(self.size, 1))))
        left = self.size
        with io.FileIO(self.path) as file:
            file.seek(self.offset)
            while left:
                count = file.readinto(room[: min(left, len(room))])
                if not count:
                    return
                left -= count
                yield room[:count]

    def sha256(self) -> str:
        """Return the SHA-256 in hexadecimal, without holding the bytes."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()

    def read(self, limit: int = TEXT_LIMIT) -> bytes:
        """Return the bytes.

        Raises
        ------
        ArtifactError
            If there are more than `limit`.
        """
        if self.size > limit:
            raise ArtifactError(
                f"a member of {self.size} bytes", expected=f"at most {limit} to be read at once"
            )
        return b"".join(bytes(chunk) for chunk in self.chunks())
