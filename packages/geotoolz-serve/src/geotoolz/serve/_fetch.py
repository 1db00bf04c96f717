"""Fetching an allowed address, from the very host that was looked at."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geotoolz.serve._errors import Problem

_ODD = re.compile(r"[\x00-\x20\x7f-\uffff\\]")
_DOTTED = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)|%2f|%5c|%00", re.IGNORECASE)
_PART = 1 << 18
_TIMEOUT = 15.0


def forbidden() -> Problem:
    """Return the one answer to every source that may not be read, whether it exists or not."""
    return Problem(
        "this source may not be read",
        status=403,
        code="forbidden",
        fix="ask for a scene of a catalog, or upload the file",
    )


def check_url(url: str, prefixes: Sequence[str]) -> str:
    """Return the prefix that allows an address.

    Parameters
    ----------
    url : str
    prefixes : sequence of str
        ``https://host/path/``.

    Raises
    ------
    Problem
        403: another scheme or host, user names, dots in the path, odd characters, a fragment.

    Examples
    --------
    >>> check_url("https://data.org/a/b.tif", ["https://data.org/a/"])
    'https://data.org/a/'
    """
    # compared as text: an address that has to be read first to be understood is refused
    allowed = next((prefix for prefix in prefixes if url.startswith(prefix)), None)
    if allowed is None or len(url) > 2048 or _ODD.search(url):
        raise forbidden()
    parts = urlsplit(url)
    if _DOTTED.search(parts.path) or "//" in parts.path or "#" in url or "@" in parts.netloc:
        raise forbidden()
    return allowed


def fetch(url: str, prefixes: Sequence[str], path: Path, *, limit: int, wall_s: float = 120.0) -> None:
    """Copy what an address holds into a file.

    The name is resolved once and the connection goes to the address that was looked at, so a name that
    answers differently the second time gains nothing. A name must lead to a public address; a prefix that
    spells an IP address out allows just that one. Redirects are not followed, proxies of the environment
    are not asked.

    Parameters
    ----------
    url : str
    prefixes : sequence of str
    path : Path
        The file to write.
    limit : int
        Most bytes.
    wall_s : float
        Most seconds.

    Raises
    ------
    Problem
        403 for what may not be read, 413 for too much, 502 where the host does not give it.
    """
    check_url(url, prefixes)
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    deadline = time.monotonic() + wall_s
    connection = _Pinned(parts.hostname or "", parts.port, parts.scheme == "https")
    try:
        connection.request(
            "GET", target or "/", headers={"User-Agent": "geotoolz", "Accept-Encoding": "identity"}
        )
        with connection.getresponse() as answer:
            if 300 <= answer.status < 400:
                raise forbidden()
            if answer.status != 200:
                raise Problem("the source could not be read", status=502, code="source_unreadable")
            _copy(answer, path, limit, deadline)
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        raise Problem("the source could not be read", status=502, code="source_unreadable") from error
    finally:
        connection.close()


def _copy(answer: http.client.HTTPResponse, path: Path, limit: int, deadline: float) -> None:
    taken = 0
    with path.open("wb") as file:
        while part := answer.read(_PART):
            taken += len(part)
            if taken > limit:
                raise Problem(
                    "the source is too large", status=413, code="too_large", expected=f"at most {limit} bytes"
                )
            if time.monotonic() > deadline:
                raise Problem("the source is too slow", status=502, code="source_unreadable")
            file.write(part)


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that has been looked at."""

    def __init__(self, host: str, port: int | None, secure: bool) -> None:
        super().__init__(host, port or (443 if secure else 80), timeout=_TIMEOUT)
        self.secure = secure

    def connect(self) -> None:
        """Connect to the first address of the name, if it may be reached."""
        plain: Any = socket.create_connection((_address(self.host, self.port), self.port), _TIMEOUT)
        self.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
            if self.secure
            else plain
        )


def _address(host: str, port: int) -> str:
    """Return the address to connect to.

    Raises
    ------
    Problem
        403 where a name leads to this machine, this network, or anything else that is not public.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return host  # spelt out by the operator, in the prefix
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not found or not all(_is_public(one) for one in found):
        raise forbidden()
    return found[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is not None and not inner.is_global:
        return False
    return address.is_global and not address.is_multicast
