"""What every request passes: id, host, key, size of its body; and what every answer carries."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geotoolz.core import GeotoolzError
from geotoolz.serve._auth import Auth
from geotoolz.serve._errors import Problem, as_problem, problem_answer
from geotoolz.serve._logging import ACCESS
from geotoolz.serve._state import State

CSP = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_SMALL_BODY = 1 << 20
_TAKES_FILES = ("/process/", "/sandbox/")
_PORT = re.compile(r":[0-9]*$")
_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_log = logging.getLogger("geotoolz.serve")


class Gate:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
    state : State
    auth : Auth
    """

    def __init__(self, app: ASGIApp, state: State, auth: Auth) -> None:
        self.app = app
        self.state = state
        self.auth = auth
        self.in_flight = 0
        state.metrics.gauge("geotoolz_requests_in_flight", lambda: self.in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.state.settings.root_path:
            scope["root_path"] = self.state.settings.root_path
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        scope["geotoolz.request_id"] = asked if _ID.fullmatch(asked) else uuid.uuid4().hex
        answer = _Answer(send, scope["geotoolz.request_id"])
        self.in_flight += 1
        try:
            await self._answered(scope, headers, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last line: whatever it is, the client gets a form
            _log.error("failed", exc_info=error, extra={"request_id": scope["geotoolz.request_id"]})
            if answer.status == 0:
                problem = Problem(
                    "an error of the server", status=500, code="internal_error", fix="report the request id"
                )
                await self._refused(problem, scope, receive, answer)
        finally:
            self.in_flight -= 1
            self._told(scope, answer)

    async def _answered(self, scope: Scope, headers: Headers, receive: Receive, answer: _Answer) -> None:
        try:
            self._check_host(headers)
            limit = self._body_limit(scope["path"])
            _check_length(headers, limit)
            scope["geotoolz.client"] = await self.auth.client(headers, _path(scope), _address(scope))
            await self.app(scope, _bounded(receive, limit), answer)
        except GeotoolzError as error:  # of the checks here; those of the routes have been answered
            if answer.status:
                raise
            await self._refused(as_problem(error), scope, receive, answer)

    async def _refused(self, problem: Problem, scope: Scope, receive: Receive, answer: _Answer) -> None:
        await problem_answer(problem, scope["geotoolz.request_id"])(scope, receive, answer)

    def _check_host(self, headers: Headers) -> None:
        allowed = self.state.settings.trusted_hosts
        host = _PORT.sub("", headers.get("host", ""))
        if "*" not in allowed and host.lower() not in allowed:
            raise Problem("this server does not answer to that name", status=400, code="unknown_host")

    def _body_limit(self, path: str) -> int:
        takes_files = self.state.settings.uploads and any(part in path for part in _TAKES_FILES)
        # a multipart body is a little more than its file
        return self.state.settings.max_upload_mb * 2**20 + _SMALL_BODY if takes_files else _SMALL_BODY

    def _told(self, scope: Scope, answer: _Answer) -> None:
        """Log and count a request."""
        route = getattr(scope.get("route"), "path", None) or "none"
        seconds = time.perf_counter() - answer.begun
        labels = {"method": _method(scope), "route": route}
        self.state.metrics.count("geotoolz_requests_total", {**labels, "status": str(answer.status)})
        self.state.metrics.observe("geotoolz_request_seconds", seconds, labels)
        if ACCESS.isEnabledFor(logging.INFO):
            extra = {
                "request_id": scope["geotoolz.request_id"],
                "client": scope.get("geotoolz.client") or _address(scope),
                "method": scope["method"],
                "path": scope["path"],
                "route": route,
                "status": answer.status,
                "ms": round(seconds * 1000, 2),
                "bytes": answer.bytes,
            }
            ACCESS.info("request", extra=extra)


class _Answer:
    """Sends an answer, with the headers that all have, and remembers its status and size."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.request_id = request_id
        self.status = 0
        self.bytes = 0
        self.begun = time.perf_counter()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in _ALWAYS.items():
                headers.setdefault(name, value)
            if self.status >= 400:  # else a proxy would keep the error
                headers["Cache-Control"] = "no-store"
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self.send(message)


def client_of(scope: Mapping[str, Any]) -> str:
    """Return the name under which the sender of a request is counted."""
    return str(scope.get("geotoolz.client", "unknown"))


def _address(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else "unknown"


def _path(scope: Scope) -> str:
    root = scope.get("root_path", "")
    path: str = scope["path"]
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH")
    return scope["method"] if scope["method"] in known else "other"  # strangers must not make series


def _check_length(headers: Headers, limit: int) -> None:
    told = headers.get("content-length", "0")
    if not told.isdecimal() or int(told) > limit:
        raise _too_large(limit)


def _bounded(receive: Receive, limit: int) -> Receive:
    """Return a receive that ends a body which is longer than it may be."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:  # FastAPI turns any other error in a body into a 400
                raise HTTPException(413)
        return message

    return bounded


def _too_large(limit: int) -> Problem:
    return Problem(
        "the body of the request is too large",
        status=413,
        code="too_large",
        expected=f"at most {limit} bytes",
    )
