"""Bytes of a file behind HTTP: resumed where they broke off, checked by size, with bounded patience."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from geotoolz.core._errors import GeotoolzError, ReadError
from geotoolz.io._sign import Signer, signed, without_query

_AGAIN = (408, 429, 500, 502, 503, 504)
_CHUNK = 1 << 20
_LONGEST = 60.0


@dataclass
class Remote:
    """How files are asked for.

    Parameters
    ----------
    sign : callable, optional
        Signs an address, each time that it is asked for.
    headers : callable
        Returns headers for the host that is asked, not for those that it redirects to.
    retries : int
        Further attempts in a row that bring nothing.
    timeout : float
        Seconds without a byte.
    pause : callable
        Waits some seconds; tests do not.
    """

    sign: Signer | None = None
    headers: Callable[[], Mapping[str, str]] = dict
    retries: int = 5
    timeout: float = 60.0
    pause: Callable[[float], None] = field(default=time.sleep)

    def open(self, href: str, method: str = "GET", **headers: str) -> Any:
        """Send one request; the response is closed by the caller."""
        address = href if self.sign is None else signed(href, self.sign)
        request = urllib.request.Request(address, method=method, headers=headers)
        for name, value in self.headers().items():
            request.add_unredirected_header(name, value)
        return urllib.request.urlopen(request, timeout=self.timeout)


def fetch(
    href: str, partial: Path, remote: Remote, *, room: Callable[[int], None], size: int | None = None
) -> str:
    """Bring a whole file.

    Parameters
    ----------
    href : str
        Its address, ``http`` or ``https``.
    partial : Path
        Where it goes; what an earlier attempt left there is gone on with, if the file is still the same.
    remote : Remote
    room : callable
        Called with the number of bytes before they come.
    size : int, optional
        Bytes that somebody said it has.

    Returns
    -------
    str
        What the server says of this version: ETag or time of the last change.

    Raises
    ------
    ReadError
        If it cannot be had, or is not what was said.
    """
    said = partial.with_suffix(".json")
    failures = 0
    while True:
        have = partial.stat().st_size if partial.exists() else 0
        try:
            mark, total = _attempt(href, partial, said, remote, room)
            break
        except GeotoolzError:
            raise  # some are an OSError too: what was found is no trouble of the network
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            _closed(error)
            grown = partial.exists() and partial.stat().st_size > have
            failures = 1 if grown else failures + 1
            if failures > remote.retries or not _passes(error):
                raise _refused(href, error, remote.sign is not None) from error
            remote.pause(_pause(error, failures))
    held = partial.stat().st_size
    if held != total or (size is not None and held != size):
        partial.unlink()
        raise ReadError(
            f"{without_query(href)} has {held} bytes",
            expected=f"{size or total}",
            fix="try again: it was deleted",
        )
    said.unlink(missing_ok=True)
    return mark


def _attempt(
    href: str, partial: Path, said: Path, remote: Remote, room: Callable[[int], None]
) -> tuple[str, int]:
    """Ask for what is missing and append it; return mark and size of the whole file."""
    have, mark, total = _left(partial, said)
    if mark and have == total:
        return mark, total
    # If-Range: a file that has changed in between comes whole
    asked = {"Range": f"bytes={have}-", "If-Range": mark} if have else {}
    with remote.open(href, **asked) as response:
        status, mark = response.status, _mark(response.headers)
        start = have if status == 206 else 0
        length = response.headers.get("Content-Length")
        if length is None:
            raise ReadError(
                f"{without_query(href)} does not say how many bytes it has",
                expected="Content-Length",
                fix="take a part of it instead: aoi=…",
            )
        total = start + int(length)
        room(total - start)
        said.write_text(json.dumps({"mark": mark, "size": total}), encoding="utf-8")
        with partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            _copied(response, file, int(length))
    return mark, total


def _left(partial: Path, said: Path) -> tuple[int, str, int]:
    """Return bytes, mark and size of what an earlier attempt left; nothing where it cannot be used."""
    try:
        told = json.loads(said.read_bytes())
        have, mark, total = partial.stat().st_size, str(told["mark"]), int(told["size"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, "", 0
    # a weak ETag does not promise equal bytes
    return (have, mark, total) if mark and not mark.startswith("W/") and have <= total else (0, "", 0)


def _copied(response: Any, file: Any, length: int) -> None:
    left = length
    while left:
        chunk = response.read(min(_CHUNK, left))
        if not chunk:
            raise http.client.IncompleteRead(b"", left)
        file.write(chunk)
        left -= len(chunk)


def _mark(headers: Any) -> str:
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


def changed(href: str, mark: str, size: int, remote: Remote) -> bool:
    """Ask the server whether a file is another one by now.

    Raises
    ------
    ReadError
        If the server does not answer.
    """
    for attempt in range(remote.retries + 1):
        try:
            with remote.open(href, "HEAD") as response:
                length = response.headers.get("Content-Length")
                return _mark(response.headers) != mark or (length is not None and int(length) != size)
        except GeotoolzError:
            raise
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            _closed(error)
            if attempt == remote.retries or not _passes(error):
                raise _refused(href, error, remote.sign is not None) from error
            remote.pause(_pause(error, attempt + 1))
    raise TypeError("unreachable: the last attempt returns or raises")


def _closed(error: Exception) -> None:
    """Let go of the connection that an answer like 404 keeps open."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()


def _passes(error: Exception) -> bool:
    """Say whether another attempt may help."""
    return not isinstance(error, urllib.error.HTTPError) or error.code in _AGAIN


def _pause(error: Exception, failures: int) -> float:
    """Return the seconds to wait: what the server asks for, else doubling, a minute at most."""
    asked = error.headers.get("Retry-After") if isinstance(error, urllib.error.HTTPError) else None
    try:
        wanted = float(asked) if asked else 0.5 * 2.0 ** (failures - 1)
    except ValueError:
        try:
            wanted = parsedate_to_datetime(str(asked)).timestamp() - time.time()
        except ValueError:
            wanted = _LONGEST
    return max(0.0, min(wanted, _LONGEST))


def _refused(href: str, error: Exception, is_signed: bool) -> ReadError:
    from geotoolz.io._providers import access_hint

    where = without_query(href)
    if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
        hint = access_hint(href) or "say sign=… or headers=… with your credentials"
        fix = "the signature was refused: check the account" if is_signed else hint
        return ReadError(f"{where} answers {error.code}", expected="a file that may be read", fix=fix)
    if isinstance(error, urllib.error.HTTPError):
        return ReadError(f"{where} answers {error.code} {error.reason}", expected="the file")
    return ReadError(f"{where} cannot be fetched: {error}", expected="the whole file", fix="try again later")
