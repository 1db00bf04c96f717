"""`search`: ask a STAC API for scenes and keep the answer as a catalog."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._catalog import GeoCatalog
from geotoolz.catalog._search_api import Api, Headers
from geotoolz.catalog._search_cache import kept, looked_up
from geotoolz.catalog._search_items import catalog_of, pages_joined
from geotoolz.catalog._time import iso, parse_interval
from geotoolz.core._errors import ParameterError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geotoolz.io._sign import Sign

_MOST_POINTS = 500  # an area with more is sent as its hull, and the answer is cut to the area here
_PAGE = 200


def search(
    api: str,
    collections: str | Iterable[str] | None = None,
    aoi: Any = None,
    time: object = None,
    *,
    ids: str | Iterable[str] | None = None,
    query: Mapping[str, Any] | None = None,
    filter: str | Mapping[str, Any] | None = None,
    sortby: str | Iterable[str] | None = None,
    limit: int | None = None,
    page_size: int = _PAGE,
    headers: Headers = None,
    sign: Sign = None,
    retries: int = 5,
    timeout: float = 60.0,
    cache: str | Path | None = None,
    refresh: bool = False,
) -> GeoCatalog:
    """Ask a STAC API for scenes; all pages become one catalog.

    A question that the server does not understand is refused before it is asked: ``filter``, ``query`` and
    ``sortby`` are extensions, and a server without them ignores them and answers too much.

    Nothing secret is kept: headers and signatures are in no row, file or message. Addresses of assets that
    come with a signature in them lose it, which `GeoCatalog.problems` says; read them with ``sign=``.

    Parameters
    ----------
    api : str
        The address of the API's landing page.
    collections : str or iterable of str, optional
        Ids of collections; all of them where None.
    aoi : anything that `geotoolz.io.Area.of` takes, optional
        ``(west, south, east, north)`` in degrees, a vector file, GeoJSON, a geometry, an MGRS tile.
    time : str, datetime, or pair, optional
        ``"2023-08"``, ``"2023-08-01/2023-08-31"`` (both days included), ``"2023-08-01/.."``.
    ids : str or iterable of str, optional
        Only items of these ids.
    query : mapping, optional
        The query extension: ``{"eo:cloud_cover": {"lt": 20}}``.
    filter : str or mapping, optional
        The filter extension: CQL2 as text (``"eo:cloud_cover < 20"``) or as JSON.
    sortby : str or iterable of str, optional
        The sort extension: ``"-properties.datetime"``; matters together with `limit`.
    limit : int, optional
        At most so many scenes.
    page_size : int
        Items that the server is asked for at a time.
    headers : mapping or callable, optional
        Sent to the API's own host only (``{"Authorization": "Bearer …"}``); a function is called for every
        request, so that a token can be renewed.
    sign : str or callable, optional
        Signs the API's own addresses, for servers that want a token there; as for `geotoolz.io.open_tile`.
    retries : int
        Further attempts after 429, 5xx and lost connections. The server's ``Retry-After`` is honoured up to a
        minute.
    timeout : float
        Seconds without an answer after which an attempt is given up.
    cache : path, optional
        Folder where answers are kept. A question that was asked before is answered from there, also without
        a network.
    refresh : bool
        Ask again, and keep the new answer.

    Returns
    -------
    GeoCatalog
        One row per scene; empty where nothing matches. What cannot be a row, duplicates that pages or
        collections share, and an answer that was cut off are named in `problems`.

    Raises
    ------
    ReadError
        If the server does not answer, or not as a STAC API.
    CatalogError
        If it lacks what the question needs, or a collection does not exist.
    ParameterError
        If the question cannot be.
    MissingDependencyError
        If pystac-client is not installed.

    Examples
    --------
    >>> from geotoolz.catalog import search
    >>> scenes = search(
    ...     "https://earth-search.aws.element84.com/v1", "sentinel-2-l2a", aoi="33TWL", time="2023-08"
    ... )  # doctest: +SKIP
    """
    area = _area(aoi)
    question = {
        "collections": _listed("collections", collections),
        "ids": _listed("ids", ids),
        "datetime": _interval(time),
        "query": None if query is None else dict(query),
        "filter": filter if filter is None or isinstance(filter, str) else dict(filter),
        "sortby": _listed("sortby", sortby),
        **_sent(area),
    }
    question = {name: value for name, value in question.items() if value is not None}
    _require_whole("limit", limit)
    _require_whole("page_size", page_size, 10_000)

    def ask() -> dict[str, Any]:
        with Api(api, headers=headers, sign=sign, retries=retries, timeout=timeout) as opened:
            pages = opened.pages(question, page_size=page_size, limit=limit)
            return pages_joined(pages, limit, opened.require_collections, question.get("collections"))

    answer = ask() if cache is None else _through(cache, api, {**question, "limit": limit}, refresh, ask)
    found = catalog_of(answer)
    return found if area is None or "bbox" in question else found.query(geometry=area)


def _through(
    cache: str | Path, api: str, question: dict[str, Any], refresh: bool, ask: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return the kept answer to a question, or ask and keep it."""
    held = None if refresh else looked_up(Path(cache), api, question)
    return held if held is not None else kept(Path(cache), api, question, ask())


def _area(aoi: Any) -> BaseGeometry | None:
    from geotoolz.catalog._footprint import area_geometry

    return None if aoi is None else area_geometry(aoi, None)


def _sent(area: BaseGeometry | None) -> dict[str, Any]:
    """Return the area as the request says it: a box where it is one, else its shape or its hull."""
    import shapely
    from shapely.geometry import box, mapping

    if area is None:
        return {}
    if area.geom_type == "Polygon" and area.equals(box(*area.bounds)):
        return {"bbox": list(area.bounds)}
    if shapely.get_num_coordinates(area) > _MOST_POINTS:
        # hull by hull: one around both sides of the antimeridian would go around the globe
        sides = [area.intersection(box(*side)) for side in ((-180, -90, 0, 90), (0, -90, 180, 90))]
        area = shapely.union_all([side.convex_hull for side in sides if not side.is_empty])
    import json

    return {"intersects": json.loads(json.dumps(mapping(area)))}


def _listed(name: str, value: str | Iterable[str] | None) -> list[str] | None:
    if value is None:
        return None
    found: list[Any] = [value] if isinstance(value, str) else list(value)
    if not found or not all(isinstance(one, str) and one for one in found):
        raise ParameterError(f"{name}={value!r}", expected="names, at least one", fix="leave it out for all")
    return list(dict.fromkeys(found))


def _interval(time: object) -> str | None:
    if time is None:
        return None
    ends = parse_interval(time)
    return "/".join(".." if end is None else iso(end) for end in ends)


def _require_whole(name: str, value: int | None, most: int = sys.maxsize) -> None:
    if value is not None and (type(value) is not int or not 1 <= value <= most):
        raise ParameterError(f"{name}={value!r}", expected=f"a whole number from 1 to {most}")
