"""``/process`` and ``/jobs``: a pipeline over a scene, at once or as a job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile

from geotoolz.serve._bodies import (
    PART,
    checked,
    file_of,
    form_options,
    json_body,
    refuse_others,
    save_upload,
    schema_of,
)
from geotoolz.serve._errors import ErrorBody, Problem, responses
from geotoolz.serve._gate import client_of
from geotoolz.serve._jobs import Answer, Job, Jobs, JobState
from geotoolz.serve._process_run import HASH_HEADER, Order, process
from geotoolz.serve._registry import Served
from geotoolz.serve._sources import ReadBody, SourceBody, check_source, open_body, open_upload
from geotoolz.serve._state import State, state_of

process_router = APIRouter(tags=["process"])

Bands: TypeAlias = Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1, max_length=512)]
_POLL_S = 0.5


class OutputBody(ReadBody):
    """What to return of the result, and how."""

    bands: Bands | None = Field(
        None, description="Variables to return; by default what the pipeline creates."
    )
    format: Literal["cog", "png", "npz", "json"] = "cog"
    size: Annotated[int, Field(ge=16, le=2048)] = Field(1024, description="Longer side of a PNG at most.")
    wait: bool = Field(True, description="False returns a job at once.")


class ProcessBody(OutputBody):
    """A run of a pipeline."""

    source: SourceBody


class JobBody(BaseModel):
    """A run: where it stands."""

    id: str
    pipeline: str
    config_hash: str
    state: JobState
    progress: float
    error: ErrorBody | None = None
    links: dict[str, str]


@dataclass(frozen=True)
class _Request:
    """A request whose body has been read."""

    source: SourceBody | None
    upload: UploadFile | None
    output: OutputBody


_FORM = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "A GeoTIFF."},
        "options": {"type": "string", "description": "The other fields as JSON: format, bands, aoi, …"},
    },
    "required": ["file"],
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schema_of(ProcessBody)},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result.",
        "content": {
            "image/tiff; application=geotiff; profile=cloud-optimized": {},
            "application/zip": {},
            "application/x-npz": {},
            "image/png": {},
            "application/json": {"schema": {"type": "object"}},
        },
    },
    202: {"description": "A job: ask `/jobs/{id}`.", "model": JobBody},
    **responses(400, 401, 403, 404, 413, 415, 422, 429, 502, 503),
}


@process_router.post("/process/{name}", response_class=Response, responses=_ANSWERS, openapi_extra=_BODY)
async def run_pipeline(name: str, request: Request) -> Response:
    """Run a pipeline over a scene of a catalog, an allowed address, or an uploaded GeoTIFF.

    The pixels are those of the pipeline on the whole tile. A run that takes longer than the server waits
    becomes a job, as with ``wait: false``.
    """
    state = state_of(request)
    served = state.registry.pipeline(name)
    client = client_of(request.scope)
    state.limits.take("process", client, state.settings.rate_per_minute)
    async with _parsed(request) as asked:
        if asked.source is not None:
            check_source(state.settings, state.registry, asked.source)
        job = state.jobs.open(client, served.name, served.config_hash)
        try:
            if asked.upload is not None:
                await save_upload(asked.upload, job.folder / "upload.tif", state.settings)
        except BaseException:
            state.jobs.remove(job)
            raise
    _start(state, served, asked, job)
    if not asked.output.wait:
        return _accepted(request, job)
    return await _waited(request, state.jobs, job, state.settings.process_wait_s)


def _start(state: State, served: Served, asked: _Request, job: Job) -> None:
    output = asked.output
    read = ReadBody(aoi=output.aoi, resolution=output.resolution)
    bands = None if output.bands is None else tuple(output.bands)
    order = Order(served.name, served.operator, served.config_hash, output.format, bands, output.size)

    def work(job: Job) -> Answer:
        if asked.source is not None:
            opening = open_body(state.settings, state.registry, asked.source, read, job.folder)
        else:
            opening = open_upload(state.settings, job.folder / "upload.tif", read)
        return process(state.settings, order, opening, job)

    state.jobs.start(job, work)


async def _waited(request: Request, jobs: Jobs, job: Job, seconds: float) -> Response:
    """Answer when the job has ended; stop it when the client has gone."""
    waited = 0.0
    while not await jobs.finish(job, _POLL_S):
        waited += _POLL_S
        if await request.is_disconnected():
            jobs.remove(job)
            return Response(status_code=499)
        if waited >= seconds:
            return _accepted(request, job)
    if job.answer is None:
        jobs.remove(job)
        raise job.problem or Problem("the run was cancelled", status=503, code="cancelled")
    return _file(job.answer, BackgroundTask(jobs.remove, job))


def _file(answer: Answer, after: BackgroundTask | None = None) -> FileResponse:
    headers = {**answer.headers, "Cache-Control": "no-store"}
    return FileResponse(
        answer.path,
        media_type=answer.media_type,
        filename=answer.filename,
        headers=headers,
        background=after,
    )


def _accepted(request: Request, job: Job) -> JSONResponse:
    body = _job_body(request, job)
    headers = {"Location": body.links["self"], HASH_HEADER: job.config_hash, "Retry-After": "1"}
    return JSONResponse(body.model_dump(), status_code=202, headers=headers)


def _job_body(request: Request, job: Job) -> JobBody:
    error = None
    if job.problem is not None:
        error = ErrorBody(code=job.problem.code, message=job.problem.message, fix=job.problem.fix)
    links = {"self": str(request.url_for("get_job", job_id=job.id))}
    if job.state == "done":
        links["result"] = str(request.url_for("get_job_result", job_id=job.id))
    return JobBody(
        id=job.id,
        pipeline=job.pipeline,
        config_hash=job.config_hash,
        state=job.state,
        progress=round(job.progress, 4),
        error=error,
        links=links,
    )


@process_router.get("/jobs/{job_id}", responses=responses(401, 404))
async def get_job(job_id: str, request: Request, response: Response) -> JobBody:
    """Tell how far a job is."""
    job = state_of(request).jobs.get(job_id, client_of(request.scope))
    response.headers[HASH_HEADER] = job.config_hash
    response.headers["Cache-Control"] = "no-store"
    return _job_body(request, job)


@process_router.get(
    "/jobs/{job_id}/result",
    response_class=Response,
    responses={200: _ANSWERS[200], **responses(401, 404, 409)},
)
async def get_job_result(job_id: str, request: Request) -> Response:
    """Return the result of a job that is done."""
    job = state_of(request).jobs.get(job_id, client_of(request.scope))
    if job.problem is not None:
        raise job.problem if job.problem.status == 409 else _failed(job.problem)
    if job.answer is None or job.state != "done":
        raise Problem(f"the job is {job.state}", status=409, code="conflict", expected="a job that is done")
    return _file(job.answer)


def _failed(problem: Problem) -> Problem:
    return Problem(f"the job failed: {problem.message}", status=409, code=problem.code, fix=problem.fix)


@process_router.delete("/jobs/{job_id}", status_code=204, responses=responses(401, 404))
async def delete_job(job_id: str, request: Request) -> Response:
    """Cancel a job, whose state says so then; let go of the result of one that has ended."""
    state = state_of(request)
    state.jobs.cancel(state.jobs.get(job_id, client_of(request.scope)))
    return Response(status_code=204)


@asynccontextmanager
async def _parsed(request: Request) -> AsyncIterator[_Request]:
    """Read a body of JSON or a form with a file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        refuse_others(request)
        body = checked(ProcessBody, await json_body(request))
        yield _Request(body.source, None, body)
    elif kind == "multipart/form-data":
        if not state_of(request).settings.uploads:
            raise Problem("this server takes no files", status=403, code="forbidden")
        async with request.form(max_files=1, max_fields=8, max_part_size=PART) as form:
            refuse_others(request, form)
            yield _Request(None, file_of(form), checked(OutputBody, form_options(form)))
    else:
        raise Problem(
            "the body is neither JSON nor a form",
            status=415,
            code="unsupported_media_type",
            expected="application/json or multipart/form-data",
            fix="curl: -H 'content-type: application/json' with JSON, -F file=@FILE for a file",
        )
