"""Archives whose bytes depend on their content alone, and a reader that trusts none of them.

Plain USTAR without compression: compressors change between versions, and a member can be hashed where it
lies. Times, owners and modes are constants. The reader walks over the headers, follows nothing, and takes
members as ranges of bytes: what is no plain file with a plain name becomes a finding.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._findings import Finding, Kind, Weight
from geotoolz.repro._parts import Part

BLOCK = 512
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"  # of the manifest's bytes: finds damage; against forgery there is the id
_MOST_MEMBERS = 100_000
_EXTENDED = {b"x": "a pax header", b"g": "a pax header", b"L": "a GNU long name", b"K": "a GNU long link"}
_UNSAFE = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


@dataclass
class Listing:
    """What a walk over an archive found."""

    members: dict[str, Part] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def say(self, kind: Kind, subject: str, found: str, expected: str = "", *, note: bool = False) -> None:
        """Add a finding."""
        weight = Weight.NOTE if note else Weight.DIFFERENCE
        self.findings.append(Finding(kind, subject, found, expected, weight))


def header(name: str, size: int) -> bytes:
    """Return the header of a member.

    Raises
    ------
    ArtifactError
        If the name is longer, or the member larger, than USTAR takes (8 GiB).
    """
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
    except ValueError as error:  # a name that cannot be split, a number that has no room
        raise ArtifactError(
            f"{name!r} with {size} bytes cannot be a member: {error}",
            expected="a path of at most 255 bytes, at most 8 GiB",
            fix="embed less: embed_below=…",
        ) from error


def write_archive(members: Mapping[str, Part]) -> Iterator[bytes | memoryview]:
    """Yield the bytes of an archive: the manifest first, the others by name.

    Raises
    ------
    ArtifactError
        If a file has become shorter since it was looked at.
    """
    for name in ordered(members):
        part = members[name]
        yield header(name, part.size)
        left = part.size
        for chunk in part.chunks():
            left -= len(chunk)
            yield chunk
        if left:
            raise ArtifactError(f"{part.path} has become shorter while it was embedded")
        yield bytes(-part.size % BLOCK)
    yield bytes(2 * BLOCK)


def ordered(names: Mapping[str, Part] | list[str]) -> list[str]:
    """Return names in the order of the archive."""
    return sorted(names, key=lambda name: (name != MANIFEST, name))


def is_plain(name: str) -> bool:
    r"""Tell whether a member's name stays below the folder that it is put into, on every system.

    Examples
    --------
    >>> [is_plain(name) for name in ("inputs/scene/B04.tif", "../x", "/etc/x", "a\\b", "c:x")]
    [True, False, False, False, False]
    """
    if not name or name.startswith("/") or any(c in '\\:*?"<>|' or ord(c) < 32 for c in name):
        return False
    return str(PurePosixPath(name)) == name and ".." not in PurePosixPath(name).parts and name != "."


def read_listing(path: Path) -> Listing:
    """Walk over an archive; nothing is extracted, no link is followed.

    Raises
    ------
    ArtifactError
        If the file is no tar archive at all.
    """
    length = path.stat().st_size
    listing = Listing()
    with io.FileIO(path) as file:
        if file.read(2) == b"\x1f\x8b":
            raise ArtifactError(
                f"{path} is compressed",
                expected="an artefact as it was saved",
                fix=f"gunzip a copy of {path}",
            )
        _walk(file, path, length, listing)
    if not listing.members and not listing.findings:
        raise ArtifactError(f"{path} is empty", expected="an artefact that `save` wrote")
    names = list(listing.members)
    if names != ordered(names) and Kind.REPACKED not in {one.kind for one in listing.findings}:
        listing.say(Kind.REPACKED, path.name, "the members stand in another order", note=True)
    return listing


def _walk(file: io.FileIO, path: Path, length: int, listing: Listing) -> None:
    place = repacked = 0
    for _ in range(_MOST_MEMBERS):
        file.seek(place)
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            listing.say(Kind.TRUNCATED, path.name, f"{length} bytes, and no end of the archive")
            break
        if not any(block):
            _look_behind(file, place, length, path, listing)
            break
        info = _parsed(block, place, path, listing)
        if info is None:
            break
        start = place + BLOCK
        if start + info.size > length:
            has = max(0, length - start)
            listing.say(Kind.TRUNCATED, info.name, f"{has} bytes are there", f"{info.size} bytes")
            break
        repacked += _take(info, Part(info.size, path=path, offset=start), block, listing)
        place = start + info.size + -info.size % BLOCK
    else:
        listing.say(Kind.OVERSIZED, path.name, "too many members", f"at most {_MOST_MEMBERS}")
    if repacked:
        listing.say(
            Kind.REPACKED, path.name, f"{repacked} headers are not those that `save` writes", note=True
        )


def _parsed(block: bytes, place: int, path: Path, listing: Listing) -> tarfile.TarInfo | None:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        if place == 0:
            raise ArtifactError(
                f"{path} is no tar archive", expected="an artefact that `save` wrote"
            ) from error
        listing.say(Kind.TAMPERED, path.name, f"the header at byte {place} is damaged")
        return None
    if info.size < 0:
        listing.say(Kind.TAMPERED, path.name, f"the header at byte {place} says {info.size} bytes")
        return None
    return info


def _take(info: tarfile.TarInfo, part: Part, block: bytes, listing: Listing) -> int:
    """Take a member, or say what is wrong with it; return 1 where the header is somebody else's."""
    name = info.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if info.type in _EXTENDED:
        return 1
    if info.type in _UNSAFE:
        listing.say(Kind.UNSAFE_MEMBER, name, f"{_UNSAFE[info.type]} to {info.linkname!r}", "a plain file")
    elif info.isdir():
        return 1
    elif not info.isreg():
        listing.say(Kind.UNSAFE_MEMBER, name, f"a member of type {info.type!r}", "a plain file")
    elif not is_plain(name):
        listing.say(Kind.UNSAFE_MEMBER, name, "its path leads elsewhere", "a relative path without ..")
    elif name in listing.members:
        listing.say(Kind.UNSAFE_MEMBER, name, "it is there twice", "one member of a name")
    else:
        listing.members[name] = part
        return int(block != header(name, info.size))
    return 0


def _look_behind(file: io.FileIO, place: int, length: int, path: Path, listing: Listing) -> None:
    """Look at what stands behind the end: nothing, the padding of another program, or something hidden."""
    file.seek(place)
    rest = Part(length - place, path=path, offset=place)
    if length - place < 2 * BLOCK:
        listing.say(Kind.TRUNCATED, path.name, "half of the archive's end is missing")
    elif any(any(chunk) for chunk in rest.chunks()):
        listing.say(Kind.FOREIGN_MEMBER, path.name, f"bytes behind the archive's end at {place}", "nothing")
    elif length - place > 2 * BLOCK:
        listing.say(Kind.REPACKED, path.name, "padding behind the archive's end", note=True)
