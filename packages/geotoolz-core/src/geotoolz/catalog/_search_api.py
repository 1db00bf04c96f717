"""A STAC API: what it can be asked, its pages, patience with it, and who is told the credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from geotoolz.core._errors import (
    CatalogError,
    GeotoolzError,
    MissingDependencyError,
    ParameterError,
    ReadError,
    nearest,
)
from geotoolz.io._sign import Sign, redacted, signed, signer, without_query

Headers = Mapping[str, str] | Callable[[], Mapping[str, str]] | None

#: parts of a question that are extensions, and what a server says that has them
EXTENSIONS = {"query": "QUERY", "filter": "FILTER", "sortby": "SORT"}
_AGAIN = (429, 500, 502, 503, 504)
_LONGEST = 60.0  # seconds that a server may make us wait before an attempt


class Api:
    """A STAC API that was opened: its landing page is known.

    Parameters
    ----------
    url : str
        Address of the landing page.
    headers, sign, retries, timeout
        As `search` takes them.

    Raises
    ------
    ReadError
        If nobody answers, or no STAC API.
    CatalogError
        If it is a static catalog, or cannot search.
    """

    def __init__(
        self, url: str, *, headers: Headers = None, sign: Sign = None, retries: int = 5, timeout: float = 60.0
    ) -> None:
        client, io = _libraries()
        self.url = without_query(url)
        self._host = urlsplit(url)[:2]
        self._headers, self._sign = headers, signer(sign)
        if self._host[0] not in ("http", "https") or not self._host[1]:
            raise ReadError(
                f"{self.url!r} is no address of a STAC API",
                expected="http:// or https://",
                fix="a static catalog or a file: GeoCatalog.build(path)",
            )
        self._io = io(max_retries=_patience(retries))
        # from_file and not open, which warns instead of saying what is missing; it sets what is handed to it
        self._client = self._told(
            lambda: client.from_file(url, self._io, request_modifier=self._modified, timeout=timeout)
        )
        if not self._client.conforms_to("ITEM_SEARCH"):
            known = ", ".join(self._client.get_conforms_to()) or "nothing"
            raise CatalogError(
                f"{self.url} cannot be searched; it conforms to {known}",
                expected="a STAC API with item-search",
                fix="a static catalog: GeoCatalog.from_stac(url)",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._io.session.close()

    def pages(self, question: Mapping[str, Any], *, page_size: int, limit: int | None) -> Iterator[Any]:
        """Yield the pages of an answer as FeatureCollections.

        Raises
        ------
        CatalogError
            If the server lacks an extension that the question needs.
        """
        from pystac_client import ItemSearch

        for name, needed in EXTENSIONS.items():
            if name in question and not self._client.conforms_to(needed):
                raise CatalogError(
                    f"{self.url} has no {needed} extension: it would ignore {name}= and answer too much",
                    expected=f"a server whose conformsTo names item-search#{needed.lower()}",
                    fix=f"leave {name}= out and select afterwards: search(…).filter('cloud_cover < 20')",
                )
        method = self._method(question)
        lang = None
        if "filter" in question:
            lang = "cql2-text" if isinstance(question["filter"], str) else "cql2-json"
        asked = ItemSearch(
            self._client._search_href(),  # where the landing page says
            method=method,
            client=self._client,
            stac_io=self._io,
            limit=min(page_size, limit or page_size),
            filter_lang=lang,
            **question,
        )
        pages = iter(asked.pages_as_dicts())
        while (page := self._told(lambda: next(pages, None))) is not None:
            yield page

    def require_collections(self, names: list[str]) -> None:
        """Raise a CatalogError if a collection does not exist; asked where an answer is empty."""
        if not (self._client.conforms_to("COLLECTIONS") or self._client.conforms_to("FEATURES")):
            return
        known = [one.id for one in self._told(lambda: list(self._client.get_collections()))]
        for name in names:
            if name not in known:
                raise CatalogError(
                    f"{self.url} has no collection {name!r}{nearest(name, known)}",
                    expected=f"one of {', '.join(known[:20])}{' …' if len(known) > 20 else ''}",
                )

    def _method(self, question: Mapping[str, Any]) -> str:
        links = self._client.get_links("search")
        offered = {str(link.extra_fields.get("method") or "GET").upper() for link in links}
        if "GET" in offered and isinstance(question.get("filter"), str):
            return "GET"  # CQL2 as text belongs into an address
        return "POST" if "POST" in offered or not offered else "GET"

    def _modified(self, request: Any) -> Any:
        """Add credentials to a request, if it goes to the API's own host: links may lead elsewhere."""
        if urlsplit(request.url)[:2] != self._host:
            return request
        if self._sign is not None:
            request.url = signed(request.url, self._sign)
        own = self._headers() if callable(self._headers) else self._headers
        request.headers = {**(request.headers or {}), **(own or {})}
        return request

    def _told(self, call: Callable[[], Any]) -> Any:
        """Call, and turn what pystac-client raises into an error that says what to do."""
        from pystac.errors import STACError
        from pystac_client.errors import ClientTypeError
        from pystac_client.exceptions import APIError

        try:
            return call()
        except APIError as error:
            status = getattr(error, "status_code", None)
            text = redacted(" ".join(str(error).split()))[:300]
            raise ReadError(
                f"{self.url} answered {status}: {text}" if status else f"{self.url} does not answer: {text}",
                expected="a STAC API",
                fix=_FIXES.get(status or 0, "check the address, the network, and whether the service is up"),
            ) from error
        except GeotoolzError:
            raise
        except (ClientTypeError, STACError, ValueError, KeyError, TypeError) as error:
            raise ReadError(
                f"{self.url} answers, but not as a STAC API: {redacted(str(error))[:300]}",
                expected="the landing page of a STAC API as JSON",
                fix="check the address: it often ends in /v1 or /stac",
            ) from error


_FIXES = {
    400: "the server does not accept the question: check the names in query= or filter=",
    401: "give credentials: headers={'Authorization': …}",
    403: "give credentials: headers={'Authorization': …}",
    404: "check the address: it often ends in /v1 or /stac",
    429: "the server wants fewer requests: try later, or raise retries=",
}


def _libraries() -> tuple[Any, Any]:
    try:
        from pystac_client import Client
        from pystac_client.stac_api_io import StacApiIO
    except ImportError as error:
        raise MissingDependencyError(
            "a search needs pystac-client, which is not installed", fix="pip install 'geotoolz-core[stac]'"
        ) from error
    return Client, StacApiIO


def _patience(retries: int) -> Any:
    """Return how often and how long to wait: doubling pauses, and what the server asks for up to a minute."""
    from urllib3.util import Retry

    if type(retries) is not int or retries < 0:
        raise ParameterError(f"retries={retries!r}", expected="a whole number, 0 for one attempt only")

    class Bounded(Retry):
        def get_retry_after(self, response: Any) -> float | None:
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, _LONGEST)

    return Bounded(
        total=retries,
        status_forcelist=_AGAIN,
        allowed_methods=None,  # a search by POST changes nothing, so it may be repeated
        backoff_factor=0.5,
        backoff_max=_LONGEST,
        raise_on_status=False,
    )
