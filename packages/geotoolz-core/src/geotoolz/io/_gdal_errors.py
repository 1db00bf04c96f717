"""What GDAL said, in one line, and what to do about it."""

from __future__ import annotations

import re

from geotoolz.io._providers import access_hint

_LOCAL = "the file may be truncated or corrupt: download or make it again"
_REMOTE = "the file is not here but at a remote address: check the network, or download it beside its item"


def reason_of(error: BaseException) -> str:
    """Return what GDAL said: the message and its causes."""
    said: list[str] = []
    now: BaseException | None = error
    while now is not None and len(said) < 3:
        text = str(now).strip() or type(now).__name__
        unsaid = not any(text in other for other in said)
        if unsaid and "See previous exception" not in text and "context exception" not in text:
            said = [*(other for other in said if other not in text), text]
        now = now.__cause__ or now.__context__
    return "; ".join(said) or str(error)


def fix_of(path: str, reason: str, *, remote: bool, signed: bool) -> str:
    """Return what to do about a raster that cannot be read.

    Parameters
    ----------
    path : str
        File or URL.
    reason : str
        What GDAL said.
    remote : bool
        Whether it is a URL.
    signed : bool
        Whether the URL was signed.

    Examples
    --------
    >>> fix_of("https://host/a.tif", "HTTP response code: 403", remote=True, signed=True)
    'the server refuses a new signature too: check the credentials of the function sign='
    """
    if not remote:
        return _LOCAL
    refused = re.search(r"\b40[13]\b", reason) is not None
    if refused and signed:
        return "the server refuses a new signature too: check the credentials of the function sign="
    if hint := access_hint(path):
        return hint
    if refused:
        return "the address wants a signature that is valid: say sign=…, such as sign='planetary-computer'"
    return _REMOTE
