"""What an address answers, as size and SHA-256; the bytes are not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from geotoolz.core import GeotoolzError, ReadError

_WEB = ("http", "https")
_BUCKETS = ("s3", "gs", "az", "memory")
_PIECE = 2**18
_FIX = "try again where it answers, or name a copy that lies on this machine"
_VSI = {"/vsis3/": "s3", "/vsigs/": "gs", "/vsiaz/": "az", "/vsicurl/": ""}


def fetch_digest(uri: str) -> tuple[int, str]:
    """Return size and SHA-256 of what an address answers now.

    Objects of ``s3://``, ``gs://`` and ``az://`` are read with the credentials and the endpoint of the
    environment, as when their pixels are read.

    Raises
    ------
    ReadError
        If it does not answer, holds nothing, or is of a kind that is not read here.
    MissingDependencyError
        If it is in a bucket and obstore is not installed.
    """
    address = plain_address(uri)
    scheme = urlsplit(address).scheme
    if scheme in _WEB:
        pieces = _web(address)
    elif scheme in _BUCKETS:
        pieces = _object(address)
    else:
        raise ReadError(
            f"{uri} cannot be hashed here",
            expected=f"a local path, or {', '.join((*_WEB, *_BUCKETS[:3]))}",
            fix='say what it holds: Source(uri, sha256="…")',
        )
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def plain_address(uri: str) -> str:
    """Return the URL that GDAL's spelling of an address means.

    Examples
    --------
    >>> plain_address("/vsis3/bucket/a.tif"), plain_address("/vsicurl/https://x/a.tif")
    ('s3://bucket/a.tif', 'https://x/a.tif')
    """
    for prefix, scheme in _VSI.items():
        if uri.startswith(prefix):
            rest = uri.removeprefix(prefix)
            return f"{scheme}://{rest}" if scheme else rest
    return uri


def _web(url: str) -> Iterator[bytes]:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            while piece := answer.read(_PIECE):
                yield piece
    except urllib.error.HTTPError as error:
        error.close()
        raise ReadError(f"{_shown(url)} answers {error.code} {error.reason}", fix=_FIX) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise ReadError(f"{_shown(url)} does not answer: {why}", fix=_FIX) from error


def _object(url: str) -> Iterator[bytes]:
    from geotoolz.io._object_store import ObjectStore

    parts = urlsplit(url)
    try:
        yield from ObjectStore(parts.scheme, parts.netloc).stream(parts.path.lstrip("/"), _PIECE)
    except FileNotFoundError as error:
        raise ReadError(f"{url} does not exist", expected="the object that was frozen", fix=_FIX) from error
    except OSError as error:
        found = error.found if isinstance(error, GeotoolzError) else str(error)
        raise ReadError(f"{url} does not answer: {found}", fix=_FIX) from error


def _shown(url: str) -> str:
    """Return an address without its query: signatures are nobody's business."""
    return url.partition("?")[0]
