"""Things that a pipeline needs and that are too large for its text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.request import url2pathname

from geotoolz.core._errors import ConfigError, ReadError


@dataclass(frozen=True)
class Ref:
    """A file outside the configuration, pinned by its content.

    Models, spectra, legends and look-up tables stand in a configuration as a `Ref`: where the file
    is, and the SHA-256 of its bytes. The hash of a pipeline depends on the content, not the place.

    Parameters
    ----------
    uri : str
        A path; relative ones are resolved against the configuration file when it is loaded.
    sha256 : str
        Hexadecimal digest of the bytes.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "target.csv"
    >>> _ = path.write_text("2300,0.1")
    >>> ref = Ref.of(path)
    >>> ref.read_bytes()
    b'2300,0.1'
    """

    uri: str
    sha256: str

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ConfigError(
                f"Ref({self.uri!r}) has sha256={self.sha256!r}",
                expected="64 hexadecimal digits in lower case",
                fix="make it with Ref.of(path)",
            )

    @classmethod
    def of(cls, path: str | Path) -> Ref:
        """Return the reference to a file, with the hash of its present content."""
        return cls(str(path), digest(Path(path)))

    @property
    def path(self) -> Path:
        """The file's path."""
        if self.uri.startswith("file://"):
            return Path(url2pathname(self.uri.removeprefix("file://")))
        return Path(self.uri)

    def verify(self) -> Path:
        """Return the path after checking that the content is the one that was pinned.

        Raises
        ------
        ReadError
            If the file is missing or has other content; names the file and both hashes.
        """
        self._require(digest(self.path))
        return self.path

    def read_bytes(self) -> bytes:
        """Return the verified content; what is returned is what was checked."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        self._require(hashlib.sha256(content).hexdigest())
        return content

    def _require(self, found: str) -> None:
        if found != self.sha256:
            raise ReadError(
                f"{self.uri} has sha256 {found[:12]}…",
                expected=f"{self.sha256[:12]}…, as the pipeline says",
                fix="restore the file, or bind the new one with Ref.of(path)",
            )

    def resolved(self, folder: Path) -> Ref:
        """Return the reference with a relative path made absolute from a folder."""
        if "://" in self.uri or Path(self.uri).is_absolute():
            return self
        return Ref(str((folder / self.uri).resolve()), self.sha256)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ReadError:
    return ReadError(f"{path.absolute()} cannot be read: {error.strerror}")
