"""Signed addresses: a function that turns an href into one that may be read, called when a file is opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from geotoolz.core._errors import MissingDependencyError, ParameterError, ReadError, nearest

Signer = Callable[[str], str]
Sign = str | Signer | None

GROUP = "geotoolz.signers"
_BUILT_IN = {"planetary-computer": ("planetary_computer:sign_url", "planetary-computer")}
_QUERY = re.compile(r"(\w+://[^\s'\"?]+)\?[^\s'\",;]+")


def signer_names() -> tuple[str, ...]:
    """Return the names that ``sign=`` knows.

    Examples
    --------
    >>> "planetary-computer" in signer_names()
    True
    """
    return tuple(sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


def signer(sign: Sign) -> Signer | None:
    """Return the function that ``sign=`` means.

    Parameters
    ----------
    sign : str, callable or None
        A registered name (``"planetary-computer"``, or an entry point of the group ``geotoolz.signers``), a
        function as ``"module:name"``, or the function itself: href → href that may be read for a while.

    Returns
    -------
    callable or None

    Raises
    ------
    ParameterError
        If there is no such name or function.
    MissingDependencyError
        If the name's package is not installed.
    """
    if sign is None or callable(sign):
        return sign
    if not isinstance(sign, str):
        raise ParameterError(f"sign={sign!r}", expected="a name, 'module:function', or a function of an href")
    for point in entry_points(group=GROUP, name=sign):
        return _checked(point.load(), sign)
    place, package = _BUILT_IN.get(sign, (sign, ""))
    module, colon, attribute = place.partition(":")
    if not colon:
        raise ParameterError(
            f"sign={sign!r} is not known{nearest(sign, signer_names())}",
            expected=f"one of {', '.join(signer_names())}, or 'module:function'",
        )
    try:
        return _checked(getattr(import_module(module), attribute), sign)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"sign={sign!r} needs {module}, which is not installed", fix=f"pip install {package or module}"
        ) from error
    except AttributeError as error:
        raise ParameterError(f"sign={sign!r}: {error}", expected="a function of that module") from error


def _checked(found: Any, sign: str) -> Signer:
    if not callable(found):
        raise ParameterError(f"sign={sign!r} is {type(found).__name__}", expected="a function: href -> href")
    return found  # type: ignore[no-any-return]


def travelling(sign: Sign) -> Sign:
    """Return what other processes can make the same signer of: its name; the function where it has none.

    Examples
    --------
    >>> from urllib.parse import quote
    >>> travelling(quote), travelling("urllib.parse:quote")
    ('urllib.parse:quote', 'urllib.parse:quote')
    """
    if sign is None or isinstance(sign, str):
        signer(sign)  # a misspelt one is refused before anything is read
        return sign
    module, name = getattr(sign, "__module__", ""), getattr(sign, "__qualname__", "")
    if module in ("", None, "__main__") or not name.isidentifier():
        return sign
    return f"{module}:{name}" if getattr(import_module(module), name, None) is sign else sign


def signed(path: str, sign: Signer) -> str:
    """Sign an address.

    Raises
    ------
    ReadError
        If the signer fails, or returns no address.
    """
    try:
        found = sign(path)
    except Exception as error:  # whatever the caller's function raises: network, credentials, its own errors
        raise ReadError(
            f"{without_query(path)} cannot be signed: {type(error).__name__}: {error}",
            expected="an address from the function sign=",
            fix="check the credentials and the network that it needs",
        ) from error
    if not isinstance(found, str):
        raise ReadError(
            f"{without_query(path)} was signed as {type(found).__name__}",
            expected="an address: sign= is called with an href and returns one",
        )
    return found


def without_query(url: str) -> str:
    """Return an address without its query, where signatures stand; a path as it is.

    Examples
    --------
    >>> without_query("https://host/a.tif?sig=1"), without_query("/data/what?.tif")
    ('https://host/a.tif', '/data/what?.tif')
    """
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def redacted(text: str) -> str:
    """Return a message whose addresses have lost their queries.

    Examples
    --------
    >>> redacted("'/vsicurl/https://host/a.tif?sig=abc' not recognized")
    "'/vsicurl/https://host/a.tif' not recognized"
    """
    return _QUERY.sub(r"\1", text)
