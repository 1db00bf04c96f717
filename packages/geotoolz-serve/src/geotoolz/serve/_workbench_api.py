"""The workbench: a page with a map, and what its editor asks while somebody types."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from geotoolz.core import Limits
from geotoolz.serve._completion import completions
from geotoolz.serve._errors import Problem, responses
from geotoolz.serve._painted import painted
from geotoolz.serve._state import state_of
from geotoolz.serve._validate import Severity, validate

workbench_router = APIRouter(tags=["workbench"])

# Everything comes from this server; the picture of a run lies in the page's memory, hence blob:.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_LIMITS = Limits()
_MOST_SIDE = 2048  # columns or rows of a picture that ``/sandbox/run`` makes


class PipelineText(BaseModel):
    """A pipeline that somebody is typing."""

    yaml: Annotated[str, Field(max_length=_LIMITS.size, description="The pipeline's text.")]
    layer: Annotated[
        str | None, Field(max_length=64, description="A layer whose bands it is checked against.")
    ] = None


class ProblemAnswer(BaseModel):
    """Something that is wrong, and where: lines and columns count from 1."""

    line: int
    column: int
    end_column: int
    severity: Severity
    message: str
    fix: str = ""


class VerdictAnswer(BaseModel):
    """Whether a text is a pipeline that the sandbox would run.

    ``measured`` are the variables whose statistics say something, where the pipeline ends with a picture;
    ``legend`` is that picture's.
    """

    valid: bool
    config_hash: str | None = None
    problems: list[ProblemAnswer]
    measured: list[str] | None = None
    legend: dict[str, Any] | None = None


@workbench_router.get("/", include_in_schema=False)
def to_workbench(request: Request) -> RedirectResponse:
    """Lead to the page."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/workbench/")


@workbench_router.get("/workbench", include_in_schema=False)
def to_page(request: Request) -> RedirectResponse:
    """Lead to the page, whose own addresses are relative to its slash."""
    return to_workbench(request)


@workbench_router.get("/workbench/", include_in_schema=False)
def page(request: Request) -> Response:
    """Return the page."""
    return _file(request, "index.html")


@workbench_router.get("/workbench/static/{name:path}", include_in_schema=False)
def static(request: Request, name: str) -> Response:
    """Return a file of the page."""
    return _file(request, name)


@workbench_router.get("/workbench/settings.json")
def settings(request: Request) -> dict[str, Any]:
    """Return what the page has to know of the server."""
    known = state_of(request).settings
    return {
        "title": known.title,
        "sandbox": known.sandbox.enabled,
        "max_pixels": min(known.sandbox.max_pixels, known.max_tile_pixels),
        "max_side": _MOST_SIDE,
    }


@workbench_router.get("/workbench/operators.json")
def operators(request: Request) -> Response:
    """Return the operators that a pipeline may be built from here, with their parameters."""
    body, etag = _operators()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@workbench_router.post("/workbench/validate", responses=responses(404, 422))
def validate_text(request: Request, text: PipelineText) -> VerdictAnswer:
    """Check a pipeline by the rules of the sandbox; every problem comes with its line and column.

    Nothing is run and no pixel is read.
    """
    state = state_of(request)
    tile = None if text.layer is None else state.registry.layer(text.layer).scene.spec
    verdict = validate(text.yaml, limits=_LIMITS, max_steps=state.settings.sandbox.max_steps, tile=tile)
    names = ProblemAnswer.model_fields
    problems = [ProblemAnswer(**{name: getattr(one, name) for name in names}) for one in verdict.problems]
    op = verdict.operator
    if op is None:
        return VerdictAnswer(valid=False, problems=problems)
    measured, legend = (None, None) if tile is None else painted(op, tile)
    return VerdictAnswer(
        valid=True, config_hash=str(op.config_hash()), problems=problems, measured=measured, legend=legend
    )


def _file(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise Problem("there is no such file", status=404, code="not_found")
    body, media_type, etag = found
    headers = {**_HEADERS, "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Return the files of the page by name; names outside of this table do not exist."""
    found: dict[str, tuple[bytes, str, str]] = {}

    def walk(folder: Any, prefix: str) -> None:
        for entry in folder.iterdir():
            name = f"{prefix}{entry.name}"
            if entry.is_dir():
                walk(entry, f"{name}/")
            else:
                body = entry.read_bytes()
                suffix = name[name.rfind(".") :] if "." in entry.name else ""
                found[name] = (body, _TYPES.get(suffix, "text/plain; charset=utf-8"), _etag(body))

    walk(resources.files("geotoolz.serve") / "workbench", "")
    return found


@cache
def _operators() -> tuple[bytes, str]:
    body = bytes(JSONResponse({"operators": completions()}).body)
    return body, _etag(body)


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
