"""How a file came to be: drivers tell it while a sink writes, and sinks keep it in the file."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import ConfigError
from geotoolz.core._hash import _is_sink as is_sink
from geotoolz.core._operator import Operator

if TYPE_CHECKING:
    from geotoolz.core._compile import Program
    from geotoolz.core._lazy import xr

_DISTRIBUTIONS = (
    "geotoolz-core",
    "geotoolz-cloud",
    "geotoolz-indices",
    "geotoolz-learn",
    "geotoolz-patch",
    "geotoolz-qc",
    "geotoolz-repro",
    "geotoolz-serve",
    "geotoolz-nextgen",
    "numpy",
    "xarray",
    "rasterio",
    "odc-geo",
    "numba",
)
#: a larger file is told by name and size alone: hashing it could take longer than reading a window of it
_HASH_BELOW = 256 * 2**20
#: so are files that are larger together: the scenes of a long stack
_HASH_ALL_BELOW = 4 * 2**30

_told: ContextVar[str] = ContextVar("geotoolz_provenance", default="")


@lru_cache(maxsize=1)
def code_versions() -> dict[str, str]:
    """Return the versions that an output is recorded with."""
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def provenance() -> str:
    """Return what the driver tells of the file that is being written, as JSON; empty where nobody does.

    Examples
    --------
    >>> provenance()
    ''
    """
    return _told.get()


@contextmanager
def made_by(
    op: Operator, *, source: Any = "", read: Mapping[str, Any] | None = None, files: Iterable[str] = ()
) -> Iterator[None]:
    """Let sinks that write in here keep how the tile came to be.

    Parameters
    ----------
    op : Operator
        The pipeline.
    source : str or mapping, optional
        What was opened: an address; or, in words that JSON has, a STAC item, a `GeoSlice`, a stack of scenes.
    read : mapping, optional
        How it was read.
    files : iterable of str
        The files that pixels were read from; local ones are hashed.
    """
    several = isinstance(source, Mapping) and bool(source)
    record: dict[str, Any] = {"software": code_versions(), "inputs": inputs_told(files)}
    try:
        record |= {"config_hash": op.config_hash(), "pipeline": _without_sinks(op.config())}
    except ConfigError as error:  # a function, an array in memory: nothing that text could say
        record["unsaved"] = str(error)
    if isinstance(source, str) and source:
        record["source"] = source.partition("?")[0] if "://" in source else source  # no signatures
    elif several:
        record["several"] = _unsigned(source)
    record |= _reading(read or {})
    token = _told.set(json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    try:
        yield
    finally:
        _told.reset(token)


def origin_of(program: Program, sink: Any, tiles: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Return `files`, `source` and `read` for `made_by`, where every band that is read says its file.

    Readers put it into ``encoding["source"]``, that of stacks into ``encoding["several"]`` of the tile; what
    an earlier step has computed says nothing.

    Parameters
    ----------
    program : Program
        Compiled for all variables; only what leads to those that the sink writes counts.
    sink : Sink
    tiles : mapping of str to xarray.Dataset
        The inputs.
    """
    from geotoolz.core._compile import compile

    if len(program.states) != 1:
        return {}
    bands = getattr(sink, "bands", None)
    names = [program.output.find(name, "the sink") for name in bands] if bands else program.created or None
    if len(tiles) == 1 and (found := _several(next(iter(tiles.values())))):
        return found
    specs = program.inputs_spec
    read = compile(program.op, specs.get("", dict(specs)), names).input_slots
    files: dict[str, None] = {}
    for tile, name in read.values():
        held = tiles[tile] if tile in tiles else next(iter(tiles.values()))
        file = held.variables[name].encoding.get("source")
        if file is None:
            return {}
        files[file] = None
    if len(tiles) != 1:
        return {"files": tuple(files)}
    told = next(iter(tiles.values())).encoding
    return {"files": tuple(files), "source": told.get("source", ""), "read": told.get("read")}


def _several(tile: xr.Dataset) -> dict[str, Any]:
    """Return how a stack came to be that is still as it was read; nothing of a part of it."""
    recipe = tile.encoding.get("several")
    if not recipe:
        return {}
    shape = [len(recipe["dates"]), *recipe["shape"]]
    same = [tile.sizes.get(dim) for dim in ("time", "y", "x")] == shape
    return {"source": recipe, "files": tile.encoding["files"]} if same else {}


def inputs_told(files: Iterable[str]) -> list[list[Any]]:
    """Return ``[name, bytes, sha256]`` of files; -1 and empty where that is not known."""
    names = list(files)
    hashed = sum(max(_bytes(name), 0) for name in names) <= _HASH_ALL_BELOW
    return sorted(_input(name, hashed) for name in names)


def _bytes(name: str) -> int:
    try:
        return Path(name).stat().st_size
    except (OSError, ValueError):  # an address, a member of an archive
        return -1


def _unsigned(value: Any) -> Any:
    """Return a description without the queries of its addresses: signatures are nobody's business."""
    if isinstance(value, Mapping):
        return {str(key): _unsigned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unsigned(item) for item in value]
    return value.partition("?")[0] if isinstance(value, str) and "://" in value else value


def _reading(read: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a source was read as far as JSON can say it, and the names of the rest."""
    said, unsaid = {}, []
    for name, value in sorted(read.items()):
        if name == "sign":  # how to get in is no part of what was read
            continue
        try:
            said[name] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError):
            unsaid.append(name)
    return {**({"read": said} if said else {}), **({"read_unsaid": unsaid} if unsaid else {})}


def _without_sinks(value: Any) -> Any:
    """Return a configuration without the steps that write: where a file went is not how it came to be."""
    if isinstance(value, Mapping):
        return {key: _without_sinks(item) for key, item in value.items()}
    return [_without_sinks(item) for item in value if not is_sink(item)] if isinstance(value, list) else value


def _input(name: str, hashed: bool = True) -> list[Any]:
    """Return name, bytes (-1: not known) and SHA-256 (empty: not known) of a file that was read."""
    try:
        seen = Path(name).stat()
    except (OSError, ValueError):  # an address, a member of an archive
        return [name.partition("?")[0], -1, ""]
    small = hashed and seen.st_size <= _HASH_BELOW
    return [Path(name).name, seen.st_size, _sha256(name, seen.st_size, seen.st_mtime_ns) if small else ""]


@lru_cache(maxsize=4096)
def _sha256(name: str, size: int, changed: int) -> str:
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # gone since: the driver itself notices that
        return ""
