"""Inputs of a pipeline: files by address, size and content."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from geotoolz.core import ParameterError, ReadError
from geotoolz.repro._json import canonical
from geotoolz.repro._parts import Part

ALONE = "scene"
READ_OPTIONS = frozenset({"aoi", "bands", "offset", "raw", "resolution"})
_MULTIHASH = "1220"  # a SHA-256 in STAC's file:checksum


@dataclass(frozen=True)
class Source:
    """One input: where it is, and how it is read.

    Parameters
    ----------
    uri : str
        A raster, a product's folder, a STAC item; a path or a URL.
    sha256 : str, optional
        Its content, where somebody has told it; checked as soon as the input can be reached.
    read : mapping
        ``resolution``, ``aoi``, ``bands``, ``raw``, ``offset`` of `geotoolz.open_tile`, as JSON has them.

    Examples
    --------
    >>> Source("S2A_T33TWL.SAFE", read={"resolution": 20}).read["resolution"]
    20
    """

    uri: str
    sha256: str | None = None
    read: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_options(self.read)


@dataclass(frozen=True)
class File:
    """One file of an input.

    Attributes
    ----------
    path : str
        Below the input's folder, with ``/``; the whole address where it lies elsewhere.
    size : int
    sha256 : str
    """

    path: str
    size: int
    sha256: str

    @property
    def inside(self) -> bool:
        """Whether the file lies below the input's folder."""
        return "://" not in self.path and not self.path.startswith(("/", "..")) and ":" not in self.path


def refuse_options(read: Mapping[str, Any]) -> None:
    """Raise for options that are no plain description of what is read: one that signs names code.

    Raises
    ------
    ParameterError
    """
    other = sorted(set(read) - READ_OPTIONS)
    if other:
        raise ParameterError(
            f"read has {', '.join(other)}", expected=f"some of {', '.join(sorted(READ_OPTIONS))}"
        )


def sources_of(given: Any, names: tuple[str, ...]) -> dict[str, Source]:
    """Return the inputs by name.

    Parameters
    ----------
    given : path, Source, or mapping
        Of names to paths or sources; ``{"scene_uri": …, "scene_sha256": …}`` is one source called ``scene``.
    names : tuple of str
        The pipeline's own names; a single unnamed input may be called anything.

    Raises
    ------
    ParameterError
        If the names are others than the pipeline's.
    """
    made = _spelt_out(given)
    if names in (("",), ()):
        if len(made) != 1:
            raise ParameterError(
                f"{len(made)} inputs: {', '.join(made)}", expected="one: the pipeline has one input"
            )
        return made
    if set(made) != set(names):
        raise ParameterError(
            f"inputs={sorted(made)}", expected=f"those of the pipeline: {', '.join(sorted(names))}"
        )
    return {name: made[name] for name in names}


def _spelt_out(given: Any) -> dict[str, Source]:
    if isinstance(given, Source):
        return {ALONE: given}
    if isinstance(given, str | os.PathLike):
        return {ALONE: Source(os.fspath(given))}
    if not isinstance(given, Mapping):
        raise ParameterError(
            f"inputs is a {type(given).__name__}",
            expected="a path, or names and paths",
            fix="write a tile that is in memory with geotoolz.io.write_tile first",
        )
    sums = {k.removesuffix("_sha256"): v for k, v in given.items() if k.endswith("_sha256")}
    made = {}
    for key, value in given.items():
        if key.endswith("_sha256") and f"{key.removesuffix('_sha256')}_uri" in given:
            continue
        name = key.removesuffix("_uri") if isinstance(value, str) else key
        if isinstance(value, Source):
            made[name] = value
        elif isinstance(value, str | os.PathLike):
            made[name] = Source(os.fspath(value), sums.get(name))
        else:
            raise ParameterError(
                f"the input {key!r} is a {type(value).__name__}", expected="a path or a Source"
            )
    if not made:
        raise ParameterError("inputs is empty", expected="at least one input")
    return made


def is_local(uri: str) -> bool:
    """Tell whether a URI is a path on this machine."""
    from geotoolz.batch._fingerprint import local_path

    return local_path(uri) is not None


def place_of(uri: str, beside: Path | None = None) -> Path:
    """Return the path of a local URI; a relative one is looked up here, then beside the artefact."""
    from geotoolz.batch._fingerprint import local_path

    path = Path(local_path(uri) or uri)
    if beside is not None and not path.is_absolute() and not path.exists() and (beside / path).exists():
        return beside / path
    return path


def base_of(place: Path) -> Path:
    """Return the folder that an input's files are named from."""
    return place if place.is_dir() else place.parent


def files_of(source: Source, beside: Path | None = None) -> tuple[File, ...]:
    """Hash every file of an input.

    Raises
    ------
    ReadError
        If a file is missing or cannot be reached.
    """
    return tuple(File(name, part.size, digest) for name, part, digest in _hashed(source, beside))


def _hashed(source: Source, beside: Path | None) -> Iterator[tuple[str, Part, str]]:
    from geotoolz.batch import fingerprint

    if not is_local(source.uri):
        size, digest = fetch_digest(source.uri)
        yield source.uri, Part(size), digest
        return
    place = place_of(source.uri, beside)
    base = base_of(place)
    for stamp in fingerprint([str(place)]):
        if stamp.size == -2:  # an asset that lies elsewhere
            told = stamp.mark.removeprefix(_MULTIHASH) if stamp.mark.startswith(_MULTIHASH) else ""
            size, digest = (-1, told) if told else fetch_digest(stamp.path)
            yield stamp.path, Part(size), digest
            continue
        path = Path(stamp.path)
        if stamp.size == -1:
            if path == place:
                raise ReadError(f"{path} does not exist", expected="the input of the pipeline")
            continue  # an asset of the item that is not on this machine: it cannot have been read
        part = Part.of_file(path)
        yield relative(path, base), part, part.sha256()


def relative(path: Path, base: Path) -> str:
    """Return a path below a folder with ``/``, or the whole path of a file that lies elsewhere."""
    path, base = path.absolute(), base.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def digest_of(files: tuple[File, ...]) -> str:
    """Return one SHA-256 of an input: the file's own, or that of the list of its files.

    Examples
    --------
    >>> digest_of((File("a.tif", 1, "aa"),))
    'aa'
    """
    import hashlib

    if len(files) == 1:
        return files[0].sha256
    listed = sorted(
        [one.path if one.inside else PurePosixPath(one.path).name, one.size, one.sha256] for one in files
    )
    return hashlib.sha256(canonical(listed)).hexdigest()


def fetch_digest(uri: str) -> tuple[int, str]:
    """Return size and SHA-256 of what a URL answers; the bytes are not kept.

    Raises
    ------
    ReadError
        If it does not answer, or is of a kind that is not read here.
    """
    import hashlib
    import urllib.error
    import urllib.request
    from urllib.parse import urlsplit

    scheme = urlsplit(uri).scheme
    if scheme not in ("http", "https"):
        raise ReadError(
            f"{uri} cannot be hashed here",
            expected="a local path, http or https",
            fix='say what it holds: Source(uri, sha256="…")',
        )
    digest, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(uri, timeout=60) as answer:
            while chunk := answer.read(2**18):
                digest.update(chunk)
                size += len(chunk)
    except urllib.error.HTTPError as error:
        error.close()
        raise ReadError(f"{uri} answers {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        raise ReadError(f"{uri} does not answer: {getattr(error, 'reason', error)}") from error
    return size, digest.hexdigest()
