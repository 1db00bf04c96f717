"""Problem answers: what a client is told when something is wrong, and what it is not told."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from geotoolz.core import (
    CatalogError,
    ConfigError,
    GeotoolzError,
    MissingDependencyError,
    OutsideError,
    ReadError,
    UntrustedOperatorError,
    WriteError,
)

_log = logging.getLogger("geotoolz.serve")


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str
    message: str
    fix: str = ""
    request_id: str = ""


class ErrorAnswer(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorBody


class Problem(GeotoolzError, RuntimeError):  # noqa: N818 - RFC 9457 calls it so
    """A request that is answered with a status other than success.

    Parameters
    ----------
    found : str
        What was found; shown to the client as it is, so no paths.
    status : int
        HTTP status.
    code : str
        A word for programs: ``unknown_pipeline``.
    expected, fix : str
        As in all errors of geotoolz.
    headers : mapping of str to str or sequence of str, optional
        Further headers of the answer; a sequence gives one line per value.
    """

    def __init__(
        self,
        found: str,
        *,
        status: int = 400,
        code: str = "bad_request",
        expected: str = "",
        fix: str = "",
        headers: Mapping[str, str | Sequence[str]] | None = None,
    ) -> None:
        super().__init__(found, expected=expected, fix=fix)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    @property
    def message(self) -> str:
        """What was found and what was expected."""
        return f"{self.found}; expected {self.expected}" if self.expected else self.found


def problem_answer(problem: Problem, request_id: str = "") -> JSONResponse:
    """Return the answer to a problem."""
    body = {
        "code": problem.code,
        "message": problem.message,
        "fix": problem.fix,
        "request_id": request_id,
    }
    answer = JSONResponse({"error": body}, status_code=problem.status, headers={"Cache-Control": "no-store"})
    for name, value in problem.headers.items():
        for line in [value] if isinstance(value, str) else value:
            answer.headers.append(name, line)
    return answer


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of statuses that an operation may answer with."""
    return {status: {"model": ErrorAnswer, "description": _CODES[status][1]} for status in statuses}


_CODES = {
    400: ("bad_request", "The request is wrong."),
    401: ("unauthorized", "A key is needed."),
    403: ("forbidden", "This source may not be read."),
    404: ("not_found", "There is no such thing."),
    405: ("method_not_allowed", "This method is not supported here."),
    406: ("not_acceptable", "This format is not offered."),
    409: ("conflict", "The job is in another state."),
    413: ("too_large", "The request or its answer would be too large."),
    415: ("unsupported_media_type", "This content is not read."),
    422: ("invalid", "The request does not say what it has to."),
    429: ("too_many_requests", "Too many requests of this client."),
    500: ("internal_error", "An error of the server."),
    502: ("source_unreadable", "The source could not be read."),
    503: ("busy", "The server has too much to do."),
    504: ("timeout", "The run took too long."),
}


def install(app: FastAPI) -> None:
    """Make an application answer every error in the one form."""
    app.add_exception_handler(GeotoolzError, _on_geotoolz)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)


def as_problem(error: GeotoolzError) -> Problem:
    """Return what a client may be told of an error.

    The message of an error about files names them: it goes to the log, and the client gets a sentence. All
    others speak of the pipeline and the tile.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, UntrustedOperatorError):
        return Problem(error.found, status=422, code="operator_not_allowed", fix=error.fix)
    if isinstance(error, OutsideError):
        return Problem("the area lies outside of the scene", status=422, code="outside")
    if isinstance(error, ReadError):
        return Problem("the source could not be read", status=502, code="source_unreadable")
    if isinstance(error, CatalogError):
        return Problem("the catalog has no such scene", status=404, code="not_found")
    if isinstance(error, WriteError | MissingDependencyError):
        return Problem("the server cannot do this at the moment", status=500, code="internal_error")
    code = "invalid_pipeline" if isinstance(error, ConfigError) else "cannot_run"
    found, expected = without_paths(error.found), without_paths(error.expected)
    return Problem(found, status=422, code=code, expected=expected, fix=without_paths(error.fix))


_PATH = re.compile(
    r"(?<![\w<.])(?:[A-Za-z]:)?(?:[\\/][^\s\\/'\":;,()]+){2,}[\\/]?|/vsi\S+|(?:file|s3|gs)://\S+"
)


def without_paths(text: str) -> str:
    """Return a message without the paths in it.

    Examples
    --------
    >>> without_paths("'/srv/data/x.tif': no band 'nir'")
    "'…': no band 'nir'"
    """
    return _PATH.sub("…", text)


def request_id(request: Request) -> str:
    """Return the id under which a request stands in the log."""
    return str(request.scope.get("geotoolz.request_id", ""))


async def _on_geotoolz(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, GeotoolzError):
        raise error
    problem = as_problem(error)
    if problem is not error:
        _log.info("refused: %s", error, extra={"request_id": request_id(request)})
    return problem_answer(problem, request_id(request))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code, text = _CODES.get(error.status_code, ("error", "The request failed."))
    problem = Problem(text, status=error.status_code, code=code, headers=error.headers)
    return problem_answer(problem, request_id(request))


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    clauses = []
    for one in error.errors()[:10]:
        place = ".".join(str(part) for part in one["loc"])
        clauses.append(f"{place}: {one['msg']}"[:300])
    problem = Problem("; ".join(clauses), status=422, code="invalid")
    return problem_answer(problem, request_id(request))
