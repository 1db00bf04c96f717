"""Inputs of a pipeline: files by address, size and content."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from geotoolz.core import ParameterError, ReadError
from geotoolz.repro._json import canonical
from geotoolz.repro._parts import Part
from geotoolz.repro._remote import fetch_digest, plain_address
from geotoolz.repro._several import described, files_named, opened, title

if TYPE_CHECKING:
    from geotoolz.batch._fingerprint import Stamp

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
    several : mapping, optional
        Several scenes in words that JSON has: a slice, a stack, a STAC item; `uri` is then their title.
    named : tuple of str
        The files that count, where they are known: of `several`, or of a STAC item, which names more
        files than a pipeline reads. All by default.

    Examples
    --------
    >>> Source("S2A_T33TWL.SAFE", read={"resolution": 20}).read["resolution"]
    20
    """

    uri: str
    sha256: str | None = None
    read: Mapping[str, Any] = field(default_factory=dict)
    several: Mapping[str, Any] | None = None
    named: tuple[str, ...] = ()

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
    given : path, Source, GeoSlice, stack, STAC item, or mapping
        Of names to these; ``{"scene_uri": …, "scene_sha256": …}`` is one source called ``scene``.
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
    if (told := described(given)) is not None:
        return {ALONE: Source(title(told), several=told)}
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
        elif (told := described(value)) is not None:
            made[name] = Source(title(told), several=told)
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
    """Return the path of a local URI; a relative one is looked up beside the artefact, then here."""
    from geotoolz.batch._fingerprint import local_path

    path = Path(local_path(uri) or uri)
    if beside is not None and not path.is_absolute() and (beside / path).exists():
        return beside / path
    return path


def is_item(uri: str) -> bool:
    """Tell whether a URI is the file of a STAC item on this machine."""
    return is_local(uri) and uri.endswith((".json", ".geojson"))


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


def names_of(uri: str, beside: Path | None = None) -> dict[str, Stamp]:
    """Return the files of a local input by the names that an artefact keeps; nothing is hashed or fetched."""
    from geotoolz.batch import fingerprint

    place = place_of(uri, beside)
    base = base_of(place)
    return {
        stamp.path if stamp.size == -2 else relative(Path(stamp.path), base): stamp
        for stamp in fingerprint([str(place)])
    }


def with_files_read(source: Source, scene: Any, names: Iterable[str]) -> Source:
    """Return the source with the files that count when a pipeline reads some variables of it.

    Of a STAC item these are the item, the files on this machine, which have to be there when it is
    opened, and what is read from elsewhere: an item names much more. Of anything else all files count.
    """
    from geotoolz.io import SceneReader

    alone = source.several is not None and source.several["kind"] == "item"
    if not (alone or (source.several is None and is_item(source.uri))) or not isinstance(scene, SceneReader):
        return source
    read = scene.files_of(names)
    if alone:
        return replace(source, named=tuple(sorted(read)))
    wanted = set(map(_plain, read))
    kept = [
        name
        for name, stamp in names_of(source.uri).items()
        if stamp.size >= 0 or (stamp.size == -2 and _plain(stamp.path) in wanted)
    ]
    return replace(source, named=tuple(kept))


def _plain(path: str) -> str:
    """Return an address without its query, or an absolute path."""
    return plain_address(path).partition("?")[0] if not is_local(path) else str(place_of(path).absolute())


def _hashed(source: Source, beside: Path | None) -> Iterator[tuple[str, Part, str]]:
    if source.several is not None:
        for name in source.named or files_named(opened(source.several, source.read)):
            yield _hashed_file(name)
        return
    if not is_local(source.uri):
        size, digest = fetch_digest(source.uri)
        yield source.uri, Part(size), digest
        return
    place = place_of(source.uri, beside)
    for name, stamp in names_of(source.uri, beside).items():
        if source.named and name not in source.named:
            continue
        if stamp.size == -2:  # an asset that lies elsewhere
            told = stamp.mark.removeprefix(_MULTIHASH) if stamp.mark.startswith(_MULTIHASH) else ""
            size, digest = (-1, told) if told else fetch_digest(stamp.path)
            yield stamp.path, Part(size), digest
            continue
        path = Path(stamp.path)
        if stamp.size == -1:
            if path == place:
                raise ReadError(f"{path.absolute()} does not exist", expected="the input of the pipeline")
            continue  # an asset of the item that is not on this machine: it cannot have been read
        part = Part.of_file(path)
        yield name, part, part.sha256()


def _hashed_file(name: str) -> tuple[str, Part, str]:
    if not is_local(name):
        size, digest = fetch_digest(name)
        return name.partition("?")[0], Part(size), digest
    path = place_of(name)
    if not path.is_file():
        raise ReadError(f"{path} does not exist", expected="an input of the pipeline")
    part = Part.of_file(path)
    return path.absolute().as_posix(), part, part.sha256()


def open_source(source: Source) -> Any:
    """Open an input for reading."""
    from geotoolz.io import open_scene

    if source.several is not None:
        return opened(source.several, source.read)
    return open_scene(source.uri, **source.read)


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
