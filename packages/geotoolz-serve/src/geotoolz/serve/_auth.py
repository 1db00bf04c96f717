"""Who may ask: keys, or a function of the operator's."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from geotoolz.serve._errors import Problem
from geotoolz.serve._settings import ServeSettings, SettingsError

Hook: TypeAlias = Callable[[Mapping[str, str], str], "Awaitable[str | None] | str | None"]
"""``hook(headers, path)`` returns the client's name, or None for a stranger; it may be a coroutine."""

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered without a key: probes have none."""

# a line each: of several in one line Chromium sees the first alone, and never asks for the password
_SCHEMES = ("Bearer", 'Basic realm="geotoolz", charset="UTF-8"')


class Auth:
    """Tells who sent a request.

    A key comes as ``Authorization: Bearer KEY``, as ``X-API-Key: KEY``, or as the password of HTTP Basic,
    which browsers ask for by themselves. Keys are compared in constant time.

    Parameters
    ----------
    settings : ServeSettings

    Raises
    ------
    SettingsError
        If the hook cannot be imported.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in settings.api_keys]
        self._hook = _imported(settings.auth_hook) if settings.auth_hook else None

    @property
    def required(self) -> bool:
        """Whether strangers are refused."""
        return bool(self._digests) or self._hook is not None

    async def client(self, headers: Mapping[str, str], path: str, address: str) -> str:
        """Return the name under which a client is counted.

        Raises
        ------
        Problem
            401.
        """
        if not self.required or path in OPEN_PATHS:
            return address
        name = self._by_key(headers)
        if name is None and self._hook is not None:
            found = self._hook(headers, path)
            name = await found if inspect.isawaitable(found) else found
        if name is None:
            raise Problem(
                "this server needs a key",
                status=401,
                code="unauthorized",
                fix="send Authorization: Bearer KEY, X-API-Key: KEY, or the key as password of HTTP Basic",
                headers={"WWW-Authenticate": _SCHEMES},
            )
        return str(name)

    def _by_key(self, headers: Mapping[str, str]) -> str | None:
        for key in _keys(headers):
            digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
            # all of them are compared: the time says nothing about which one it was
            found = [hmac.compare_digest(digest, known) for known in self._digests]
            if any(found):
                return f"key-{digest.hex()[:8]}"
        return None


def _keys(headers: Mapping[str, str]) -> list[str]:
    found = [headers["x-api-key"]] if "x-api-key" in headers else []
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(value.strip())
    elif scheme.lower() == "basic":
        try:
            text = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return found
        found.append(text.partition(":")[2])
    return found


def _imported(path: str) -> Hook:
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"auth_hook: {path!r} cannot be imported: {error}", expected="'module:function'"
        ) from error
    if not callable(found):
        raise SettingsError(f"auth_hook: {path!r} is no function", expected="'module:function'")
    hook: Hook = found
    return hook
