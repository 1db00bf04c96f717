"""Inputs that lie elsewhere now: paths by name, and several scenes found again one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from geotoolz.core import ParameterError, ReadError
from geotoolz.core._lazy import xr
from geotoolz.repro._parts import Part
from geotoolz.repro._several import described, title
from geotoolz.repro._sources import Source, is_local, names_of, place_of

if TYPE_CHECKING:
    from geotoolz.repro._manifest import FileEntry, InputEntry

_FIX = "name the folder that holds all of them, or a catalog of it"


def moved_inputs(entries: Mapping[str, InputEntry], given: Any) -> dict[str, Source]:
    """Return the inputs that somebody says lie elsewhere now.

    Parameters
    ----------
    entries : mapping of str to InputEntry
        What was frozen.
    given : object, or mapping of names to these
        A path, a `Source`; for several scenes also a folder of them, a catalog or its file, a list of
        scenes, an open stack, a stack that was read, a `geotoolz.catalog.GeoSlice`.

    Raises
    ------
    ParameterError
        For an unknown name, and for what is no input.
    ReadError
        If a scene is not where it should lie now.
    """
    if given is None:
        return {}
    named = _by_name(entries, given)
    unknown = sorted(set(named) - set(entries))
    if unknown:
        raise ParameterError(f"inputs has {', '.join(unknown)}", expected=", ".join(entries))
    return {name: _moved(entries[name], one) for name, one in named.items()}


def _by_name(entries: Mapping[str, InputEntry], given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping) and not isinstance(given, xr.Dataset) and described(given) is None:
        return {str(name): one for name, one in given.items()}
    if len(entries) != 1:
        raise ParameterError("inputs is one input", expected=f"a mapping of {', '.join(entries)}")
    return dict.fromkeys(entries, given)


def _moved(entry: InputEntry, given: Any) -> Source:
    if isinstance(given, Source):
        return given
    if entry.several is not None:
        told = relocated(entry.several, given, entry.files)
        return Source(os.fspath(given)) if told is None else Source(title(told), several=told)
    if isinstance(given, str | os.PathLike):
        return Source(os.fspath(given))
    if (told := described(given)) is not None:
        return Source(title(told), several=told)
    raise ParameterError(f"inputs holds a {type(given).__name__}", expected="the path of a scene")


def relocated(
    several: Mapping[str, Any], given: Any, files: Sequence[FileEntry] = ()
) -> dict[str, Any] | None:
    """Return a description of several scenes whose scenes lie where somebody says.

    A scene is known by its name (the catalog's ``id``), else by the content of its files.

    Parameters
    ----------
    several : mapping
        What was frozen.
    given : object
        As for `moved_inputs`.
    files : sequence of FileEntry
        The frozen files.

    Returns
    -------
    dict or None
        None where `given` is the path of the one scene that a STAC item in no file described.

    Raises
    ------
    ParameterError
        For what holds no scenes.
    ReadError
        If one is not there.
    """
    path = isinstance(given, str | os.PathLike)
    if several["kind"] == "item" and path:
        return None
    if several["kind"] == "slice" and (path or isinstance(given, list | tuple)):
        return _slice_elsewhere(several, [given] if path else given)
    if not path and not isinstance(given, list | tuple) and (told := _described(given)) is not None:
        return told
    rows = list(_rows(given))
    known = {str(row["id"]): row for row in rows}
    return {
        **several,
        "dates": [[known.get(str(row["id"])) or _alike(row, rows, files) for row in rows_of_date]
                  for rows_of_date in several["dates"]],
    }  # fmt: skip


def _described(given: Any) -> dict[str, Any] | None:
    from geotoolz.catalog import GeoCatalog

    return None if isinstance(given, GeoCatalog) else described(given)


def _rows(given: Any) -> Iterable[dict[str, Any]]:
    """Yield the scenes of a folder, a catalog, or a list of these, in words that JSON has."""
    from geotoolz.catalog import GeoCatalog
    from geotoolz.catalog._stack_recipe import row_told

    if isinstance(given, list | tuple):
        for one in given:
            yield from _rows(one)
        return
    if isinstance(given, str | os.PathLike):
        place = place_of(os.fspath(given))
        if not place.exists():
            raise ReadError(f"{place.absolute()} does not exist", expected="a folder of scenes, or a catalog")
        given = GeoCatalog.open(place) if _is_catalog(place) else GeoCatalog.from_folder(_folder(place))
    if not isinstance(given, GeoCatalog):
        raise ParameterError(
            f"inputs holds a {type(given).__name__}",
            expected="a folder of scenes, a catalog, a list of scenes, a stack",
        )
    for row in given.iter_rows():
        yield row_told(given, row)


def _is_catalog(place: Path) -> bool:
    return place.suffix in (".parquet", ".geoparquet")


def _folder(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def _alike(row: Mapping[str, Any], rows: Sequence[dict[str, Any]], files: Sequence[FileEntry]) -> Any:
    """Return the scene that holds the files of one that has another name now."""
    base = str(_base(str(row["source"]))) + "/"
    wanted = {one.sha256 for one in files if one.path.startswith(base)}
    sizes = {one.size for one in files if one.path.startswith(base)}
    for other in rows:
        if wanted and is_local(str(other["source"])):
            held = (stamp for stamp in names_of(str(other["source"])).values() if stamp.size in sizes)
            if wanted <= {Part.of_file(Path(stamp.path)).sha256() for stamp in held}:
                return other
    have = ", ".join(str(other["id"]) for other in rows[:5]) or "nothing"
    raise ReadError(f"the scene {row['id']} is not there: {have}", expected="every frozen scene", fix=_FIX)


def _base(source: str) -> PurePosixPath:
    """Return the folder of a scene that may be gone."""
    place = PurePosixPath(source)
    return place.parent if place.suffix in (".json", ".geojson", ".tif", ".tiff") else place


def _slice_elsewhere(several: Mapping[str, Any], given: Sequence[Any]) -> dict[str, Any]:
    """Find the sources of a slice again by their names."""
    places = [place_of(os.fspath(one)) for one in given]
    found = []
    for source in several.get("sources", ()):
        name = PurePosixPath(str(source)).name
        held = [one for one in places if one.name == name]
        held += [one for place in places if place.is_dir() for one in sorted(place.rglob(name))]
        if not held:
            where = ", ".join(str(place.absolute()) for place in places)
            raise ReadError(f"{name} is not in {where}", expected="every source of the slice", fix=_FIX)
        found.append(str(held[0].absolute()))
    return {**several, "sources": found}
