"""What stands in ``manifest.json``: a table of contents that everything else is checked against."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._findings import Kind
from geotoolz.repro._json import canonical, parsed
from geotoolz.repro._sources import Source, is_item, refuse_options

FORMAT = "geotoolz-artifact"
VERSION = 1
CONFIG, CANONICAL = "config.yaml", "config.canonical.json"
ENVIRONMENT, METADATA, LOCK = "environment.json", "metadata.json", "deps.lock"
PROCESSING, CRATE = "processing.json", "ro-crate-metadata.json"
ANY = "*"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, le=2**53)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MemberEntry(_Model):
    """A member of the archive."""

    size: Size
    sha256: Digest


class PipelineEntry(_Model):
    """The pipeline: its hash is the SHA-256 of the canonical form."""

    hash: Digest
    operators: dict[str, int]


class FileEntry(_Model):
    """A file of an input; `size` is -1 where only its hash was told."""

    path: str
    size: Annotated[int, Field(ge=-1, le=2**53)]
    sha256: Digest
    member: str | None = None


class InputEntry(_Model):
    """An input: address, content, and the pixels that it gave.

    `several` describes an input of several scenes; `uri` is its title then.
    """

    uri: str
    read: dict[str, Any] = {}
    sha256: Digest
    files: list[FileEntry]
    pixels: dict[str, Digest] = {}
    several: dict[str, Any] | None = None

    @field_validator("read")
    @classmethod
    def _plain(cls, read: dict[str, Any]) -> dict[str, Any]:
        """Refuse options that could name code."""
        refuse_options(read)
        return read

    @property
    def source(self) -> Source:
        """Where it lay, and how it is read."""
        known = self.several is not None or is_item(self.uri)
        named = tuple(one.path for one in self.files) if known else ()
        return Source(self.uri, read=self.read, several=self.several, named=named)

    @property
    def size(self) -> int:
        """Bytes of all files; -1 where that is not known."""
        sizes = [one.size for one in self.files]
        return -1 if -1 in sizes else sum(sizes)

    @property
    def embedded(self) -> bool:
        """Whether the artefact holds all of it."""
        return all(one.member is not None for one in self.files)


class ReferenceEntry(_Model):
    """A model, spectrum, table that the pipeline refers to."""

    uri: str
    sha256: Digest
    size: Size
    member: str | None = None


class OutputEntry(_Model):
    """An output's pixels: hash, hashes of 256² blocks, figures."""

    dtype: str
    shape: list[Size]
    sha256: Digest
    blocks: list[str]
    nodata: float | None = None
    valid: int | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    member: str | None = None


class StatisticEntry(_Model):
    """What a step that gathers statistics found, as JSON has it."""

    operator: str
    value: Any


class ToleranceEntry(_Model):
    """A stated tolerance of one variable, or of all (``*``)."""

    atol: float = 0.0
    rtol: float = 0.0
    share: float = 0.0


class Manifest(_Model):
    """The table of contents."""

    format: str = FORMAT
    version: int = VERSION
    pipeline: PipelineEntry
    inputs: dict[str, InputEntry]
    references: list[ReferenceEntry] = []
    outputs: dict[str, OutputEntry] = {}
    statistics: dict[str, StatisticEntry] = {}
    tolerance: dict[str, ToleranceEntry] = {}
    lock: str | None = None
    members: dict[str, MemberEntry]

    def to_bytes(self) -> bytes:
        """Return the canonical JSON; its SHA-256 is the artefact's id."""
        held = self.model_dump(mode="json", exclude_none=True)
        if not self.statistics:
            del held["statistics"]  # artefacts without any are those that there were before
        return canonical(held)

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest, of this version, with all that it must have.

    Raises
    ------
    ArtifactError
        If it is of another format or version, or wrong anywhere.
    """
    found = parsed(data, "manifest.json")
    if found.get("format") != FORMAT:
        raise ArtifactError(f"the manifest's format is {found.get('format')!r}", expected=FORMAT)
    if found.get("version") != VERSION:
        raise ArtifactError(
            f"format version {found.get('version')!r}",
            expected=f"version {VERSION}",
            fix="use the version of geotoolz-repro that made it, or a newer one",
        ).of_kind(Kind.UNKNOWN_VERSION)
    try:
        made = Manifest.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactError(f"the manifest is wrong at {where}: {first['msg']}") from error
    if made.to_bytes() != data:
        raise ArtifactError("the manifest is not in canonical form", expected="the bytes that `save` wrote")
    return made
