"""`acquire`: the files of a catalog brought into a folder, once; afterwards no network is needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._acquired import local_row
from geotoolz.catalog._cache import Cache, Entry
from geotoolz.catalog._catalog import GeoCatalog
from geotoolz.catalog._clip import clip
from geotoolz.catalog._fetch import Remote, changed, fetch
from geotoolz.catalog._rows import Problem, Row, frame_of
from geotoolz.catalog._search_api import Headers
from geotoolz.catalog._search_items import unsigned
from geotoolz.catalog._wish import Wish, wishes_of
from geotoolz.core._errors import CatalogError, GeotoolzError, OutsideError, ParameterError, ReadError
from geotoolz.io._sign import Sign, Signer, signer

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.io import Area


@dataclass(frozen=True)
class AcquireResult:
    """What became of an acquisition.

    Attributes
    ----------
    catalog : GeoCatalog
        The scenes, with local files.
    path : Path
        The catalog's file in the folder.
    files : int
        How many files the scenes have.
    fetched : int
        How many of them came now; the others were there.
    bytes : int
        Bytes of the files that came now.
    """

    catalog: GeoCatalog
    path: Path
    files: int
    fetched: int
    bytes: int


def acquire(
    catalog: GeoCatalog,
    folder: str | Path,
    *,
    aoi: Any = None,
    bands: str | Iterable[str] | None = None,
    resolution: float | None = None,
    sign: Sign = None,
    headers: Headers = None,
    workers: int = 4,
    retries: int = 5,
    timeout: float = 60.0,
    max_bytes: int | None = None,
    revalidate: bool = False,
) -> AcquireResult:
    """Bring the remote files of a catalog into a folder, and return a catalog of the local ones.

    What is there is not fetched again: a second run sends no request. Files that were cut off are gone on
    with. Several runs may share a folder; every file is written by one of them.

    - Without `aoi` files come whole, byte for byte, over ``http(s)``.
    - With `aoi` only the pixels come that the area's bounding box touches, and some around them, on their own
      lattice and as they are stored. ``open_tile(scene, aoi=aoi)`` gives the same pixels as before, at the
      bands' own pixel size and at 2, 3, 4, 6 and 12 times it, and on any ``geobox`` within the area.
    - With `resolution` the bands come as ``open_tile(scene, bands, aoi, resolution)`` reads them.

    Files that are on this machine already stay where they are.

    Parameters
    ----------
    catalog : GeoCatalog
        The scenes, of a `search` or another one.
    folder : path
        Keeps ``catalog.parquet`` and the files.
    aoi : anything that `geotoolz.io.Area.of` takes, optional
        Only this area; scenes that do not touch it are left out.
    bands : str or iterable of str, optional
        Only these bands, as `open_tile` takes them; by default those that it reads.
    resolution : float, optional
        Pixel size in units of the scenes' CRS.
    sign : str or callable, optional
        Signs addresses when they are asked for, as for `open_tile`; kept nowhere.
    headers : mapping or callable, optional
        Sent with whole files to the host of the address, not to those that it redirects to. For parts GDAL
        reads: set ``GDAL_HTTP_HEADERS``.
    workers : int
        Files at a time.
    retries : int
        Further attempts, one after the other, that bring nothing.
    timeout : float
        Seconds without a byte.
    max_bytes : int, optional
        Bound on the files of the folder; what was wanted longest ago makes room.
    revalidate : bool
        Ask whether whole files have changed since they came, and fetch those again.

    Returns
    -------
    AcquireResult
        Scenes of which a file could not be had are left out and named in ``catalog.problems``.

    Raises
    ------
    CatalogError
        If no scene could be had.
    WriteError
        If the folder cannot be written, or what is wanted has more than `max_bytes`.
    ParameterError
        If a parameter cannot be.
    """
    _require_possible(workers, retries, max_bytes, resolution)
    area = _area(aoi)
    chosen = catalog if area is None else catalog.query(geometry=area)
    if not len(chosen):
        raise CatalogError("there is no scene to acquire", expected="one scene at least, over the area")
    cache = Cache(Path(folder).absolute(), max_bytes)
    names = (bands,) if isinstance(bands, str) else None if bands is None else tuple(bands)
    remote = Remote(signer(sign), _headers(headers), retries, timeout)
    rows = list(chosen.iter_rows())
    wishes, problems = wishes_of(chosen, rows, names, area, resolution)
    keep = frozenset(wish.key for wished in wishes.values() for wish in wished)
    take = partial(
        _taken, cache=cache, remote=remote, area=area, resolution=resolution, keep=keep, again=revalidate
    )
    if resolution is not None:  # modules that import each other are not for threads to import first
        import geotoolz.viz._classes  # noqa: F401
    todo = list({wish.key: wish for wished in wishes.values() for wish in wished}.values())
    with ThreadPoolExecutor(workers, thread_name_prefix="geotoolz-acquire") as pool:
        found = dict(zip((wish.key for wish in todo), pool.map(take, todo), strict=True))
    made, more = _rows(rows, wishes, found, cache, chosen, whole=area is None and resolution is None)
    problems += more
    if not made:
        raise CatalogError(
            f"none of {len(rows)} scenes could be had: {problems[0]}", expected="files that can be read"
        )
    path = GeoCatalog(frame_of(made), problems=[*catalog.problems, *problems]).save(
        cache.folder / "catalog.parquet"
    )
    came = [entry for entry, is_new in _entries(found) if is_new]
    return AcquireResult(GeoCatalog.open(path), path, len(todo), len(came), sum(entry.size for entry in came))


def _entries(found: Mapping[str, Any]) -> Iterator[tuple[Entry, bool]]:
    return (one for one in found.values() if isinstance(one, tuple))


def _area(aoi: Any) -> Area | None:
    from geotoolz.io import Area

    return None if aoi is None else Area.of(aoi)


def _headers(headers: Headers) -> Any:
    return headers if callable(headers) else lambda: dict(headers or {})


def _require_possible(workers: int, retries: int, max_bytes: int | None, resolution: float | None) -> None:
    for name, value, least in (("workers", workers, 1), ("retries", retries, 0), ("max_bytes", max_bytes, 1)):
        if value is not None and (type(value) is not int or value < least):
            raise ParameterError(f"{name}={value!r}", expected=f"a whole number of at least {least}")
    if resolution is not None and not 0 < resolution < math.inf:
        raise ParameterError(
            f"resolution={resolution!r}", expected="a pixel size above 0, in units of the CRS"
        )


def _taken(
    wish: Wish,
    *,
    cache: Cache,
    remote: Remote,
    area: Area | None,
    resolution: float | None,
    keep: frozenset[str],
    again: bool,
) -> tuple[Entry, bool] | GeotoolzError:
    """Return a file of the cache, and whether it came now; the error where it cannot be had."""
    from geotoolz.core._errors import WriteError
    from geotoolz.io import close_handles

    try:
        with cache.lock(wish.key):
            held = cache.entry(wish.key)
            if (
                held is not None
                and again
                and wish.part is None
                and changed(wish.href, held.mark, held.size, remote)
            ):
                held = None
            if held is not None:
                cache.used(wish.key)
                return held, False
            mark = _brought(
                wish, cache, remote, area, resolution, partial(cache.make_room, wish.key, keep=keep)
            )
            return cache.keep(wish.key, wish.name, unsigned(wish.href), mark, wish.part), True
    except WriteError:
        raise  # a full folder is nobody's scene
    except GeotoolzError as error:
        return error
    finally:
        close_handles()


def _brought(
    wish: Wish, cache: Cache, remote: Remote, area: Area | None, resolution: float | None, room: Any
) -> str:
    """Write what is wanted to the partial file; return the server's mark of a whole one."""
    target = cache.partial(wish.key)
    if wish.part is None:
        if not wish.href.lower().startswith(("http://", "https://")):
            raise ReadError(
                f"{wish.href} is not behind http",
                expected="http:// or https:// for whole files",
                fix="take a part, which GDAL reads: aoi=…",
            )
        return fetch(wish.href, target, remote, room=room, size=wish.size)
    made = target.with_suffix(".tif")
    if resolution is not None:
        _resampled(wish, made, area, resolution, remote.sign)
    else:
        clip(wish.href, made, area, partial(_declared, wish, remote.sign), remote.sign)
    room(made.stat().st_size)
    made.replace(target)
    return ""


def _declared(wish: Wish, sign: Signer | None) -> GeoBox:
    """Return the grid of a file that does not say where it lies, as `open_tile` finds it."""
    from geotoolz.io._gdal import read_header
    from geotoolz.io._item import from_item
    from geotoolz.io._reader import _grid

    return _grid(wish.band, read_header(wish.href, sign), from_item(wish.item), [])


def _resampled(wish: Wish, made: Path, area: Area | None, resolution: float, sign: Signer | None) -> None:
    from geotoolz.io import open_tile, write_tile

    write_tile(open_tile(dict(wish.item), wish.asset, area, resolution, sign=sign), made)


def _rows(
    rows: list[Any],
    wishes: Mapping[str, list[Wish]],
    found: Mapping[str, Any],
    cache: Cache,
    catalog: GeoCatalog,
    whole: bool,
) -> tuple[list[Row], list[Problem]]:
    """Return the rows with their local files, and why scenes are left out."""
    made, problems = [], []
    for row in rows:
        wished = wishes.get(row.id)
        if wished is None:
            continue
        failed = next((e for w in wished if isinstance(e := found[w.key], GeotoolzError)), None)
        if isinstance(failed, OutsideError):
            problems.append(Problem(str(row.id), "its files do not touch the area", harmless=True))
        elif failed is not None:
            problems.append(Problem(str(row.id), str(failed)))
        else:
            files = {w.asset: (found[w.key][0], w.href) for w in wished}
            made.append(local_row(row, catalog.base, cache.folder, files, whole))
    return made, problems
