"""From the pages of an answer to a catalog: duplicates, signatures, what cannot be a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from geotoolz.catalog._catalog import GeoCatalog
from geotoolz.catalog._rows import Problem, Row, frame_of
from geotoolz.catalog._stac import absolute_item, is_item, item_row
from geotoolz.core._errors import CatalogError, GeotoolzError
from geotoolz.io._sign import without_query

#: parameters of addresses that are a signature or a key
_SECRET = frozenset(
    {"sig", "signature", "x-amz-signature", "x-amz-security-token", "x-goog-signature", "token",
     "access_token", "api_key", "apikey", "subscription-key", "awsaccesskeyid"}
)  # fmt: skip
#: parameters that belong to a signature where there is one: Azure, CloudFront, S3, Google
_BESIDE = frozenset(
    {"se", "sp", "sv", "sr", "st", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks", "skv", "expires",
     "policy", "key-pair-id"}
)  # fmt: skip
_ROUND = 3  # pages without a new item, one after the other, that a server may give


def pages_joined(
    pages: Iterable[Mapping[str, Any]],
    limit: int | None,
    require_collections: Callable[[list[str]], None],
    collections: list[str] | None,
) -> dict[str, Any]:
    """Return the items of all pages, each once, and what was noticed on the way.

    Returns
    -------
    dict
        ``items``, and ``notes``: pairs of an id or place and a sentence.

    Raises
    ------
    CatalogError
        If the server gives the same page again and again, or a collection does not exist.
    """
    seen: dict[tuple[str, str], Any] = {}
    matched, twice, stale = None, 0, 0
    for page in pages:
        matched = _matched(page) if matched is None else matched
        before = len(seen)
        for item in page.get("features", ()):
            key = (str(item.get("collection") or ""), str(item.get("id") or ""))
            twice += key in seen
            seen.setdefault(key, item)
        stale = stale + 1 if len(seen) == before else 0
        if stale >= _ROUND:
            raise CatalogError(
                f"the server gives the same page again and again ({len(seen)} items so far)",
                expected="pages that end",
                fix="limit=…, or a smaller area or time",
            )
        if limit is not None and len(seen) >= limit:
            break
    if not seen and collections:
        require_collections(collections)
    items = list(seen.values())[:limit]
    notes = []
    if twice:
        notes.append(["the server", f"{twice} items came twice, on several pages: kept once"])
    if matched is not None and len(items) < min(matched, limit or matched):
        notes.append(["the server", f"says that {matched} items match, and gave {len(items)}"])
    bare = [_bare(item) for item in items]
    signed = sum(had for _, had in bare)
    if signed:
        notes.append(["the server", f"{signed} items came with signed addresses: signatures are not kept"])
    return {"items": [item for item, _ in bare], "notes": notes}


def _matched(page: Mapping[str, Any]) -> int | None:
    found = page.get("numberMatched", (page.get("context") or {}).get("matched"))
    return found if isinstance(found, int) else None


def _bare(item: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return an item without signatures in its assets' addresses, and whether there were some."""
    assets = item.get("assets") or {}
    if not isinstance(assets, Mapping):
        return dict(item), False
    plain = {
        key: {**asset, "href": unsigned(asset["href"])}
        if isinstance(asset, Mapping) and isinstance(asset.get("href"), str)
        else asset
        for key, asset in assets.items()
    }
    return {**item, "assets": plain}, plain != assets


def unsigned(href: str) -> str:
    """Return an address without the parameters that are a signature; others are part of the address.

    Examples
    --------
    >>> unsigned("https://host/a.tif?version=2&X-Amz-Signature=ab"), unsigned("/data/a?.tif")
    ('https://host/a.tif?version=2', '/data/a?.tif')
    """
    if "://" not in href or "?" not in href:
        return href
    parts = urlsplit(href)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    if not any(name.lower() in _SECRET for name, _ in pairs):
        return href
    kept = [(name, value) for name, value in pairs if not _is_secret(name.lower())]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def _is_secret(name: str) -> bool:
    return name in _SECRET or name in _BESIDE or name.startswith(("x-amz-", "x-goog-"))


def catalog_of(answer: Mapping[str, Any]) -> GeoCatalog:
    """Return an answer as a catalog.

    Ids that several collections have get the collection's in front.
    """
    items = answer["items"]
    count = Counter(str(item.get("id")) for item in items)
    rows: list[Row] = []
    problems = [Problem(place, reason, harmless=True) for place, reason in answer["notes"]]
    for item in items:
        name = str(item.get("id"))
        try:
            row, faults = _row(item)
        except (GeotoolzError, ValueError, KeyError, TypeError, AttributeError) as error:
            # one bad item must not hide the others
            problems.append(
                Problem(name, getattr(error, "found", None) or f"{type(error).__name__}: {error}")
            )
            continue
        if count[name] > 1:
            row["id"] = f"{item.get('collection')}_{name}"
        rows.append(row)
        problems.extend(faults)
    return GeoCatalog(frame_of(rows), problems=problems)


def _row(item: Mapping[str, Any]) -> tuple[Row, list[Problem]]:
    if not is_item(item):
        raise CatalogError("is no STAC item", expected="type Feature with assets")
    own = [
        link for link in item.get("links") or () if isinstance(link, Mapping) and link.get("rel") == "self"
    ]
    origin = without_query(str(own[0].get("href") or "")) if own else ""
    # whose item it is stands in its links; what it came from is said in the words of STAC
    via = [{"rel": "via", "href": origin, "type": "application/geo+json"}] if origin else []
    base = origin.rsplit("/", 1)[0] if "/" in origin else None
    return item_row(absolute_item({**item, "links": via}, base), None, None)
