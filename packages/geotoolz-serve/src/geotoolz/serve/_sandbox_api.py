"""``/sandbox``: pipelines that users send."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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
from geotoolz.serve._errors import Problem, responses
from geotoolz.serve._gate import client_of
from geotoolz.serve._process_api import Bands
from geotoolz.serve._process_run import HASH_HEADER
from geotoolz.serve._result_cache import Result, content_key
from geotoolz.serve._sources import Finite, ReadBody, SourceBody, check_source, open_body, open_upload
from geotoolz.serve._state import State, state_of

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.serve._sandbox_source import Part

sandbox_router = APIRouter(tags=["sandbox"])

_MEDIA = {
    "png": "image/png",
    "json": "application/json",
    "cog": "image/tiff; application=geotiff",
    "npz": "application/x-npz",
}
_MERCATOR = 85.05
_POLL_S = 0.5
Side = Annotated[int, Field(ge=1, le=2048)]


class PipelineText(BaseModel):
    """A pipeline as YAML."""

    model_config = ConfigDict(extra="forbid")

    yaml: Annotated[str, Field(max_length=64 * 1024)]


class RunBody(PipelineText):
    """A pipeline, and what it is run on: a layer's source, a scene of a catalog, or an allowed address."""

    layer: Annotated[str, Field(max_length=64)] | None = None
    source: SourceBody | None = None
    bbox: tuple[Finite, Finite, Finite, Finite] | None = Field(
        None, description="West, south, east, north in EPSG:4326."
    )
    size: Side | tuple[Side, Side] = Field(512, description="Columns and rows of a PNG, or its longer side.")
    time: Annotated[str, Field(max_length=64)] | None = None
    bands: Bands | None = None
    rescale: tuple[Finite, Finite] | None = Field(
        None,
        description="Values of the first and the last colour; by default percentiles 2 and 98 of the view.",
    )
    colormap: Annotated[str, Field(max_length=64)] | None = None
    format: Literal["png", "json", "cog", "npz"] = "png"

    @field_validator("bbox")
    @classmethod
    def _in_degrees(cls, value: Any) -> Any:
        if value is not None:
            west, south, east, north = value
            if not (-180 <= west < east <= 180 and -_MERCATOR <= south < north <= _MERCATOR):
                raise ValueError(
                    "give west, south, east, north in degrees of a web map, each below its other"
                )
        return value

    @model_validator(mode="after")
    def _at_most_one(self) -> RunBody:
        if self.layer is not None and self.source is not None:
            raise ValueError("give a layer or a source, not both")
        return self


class CheckAnswer(BaseModel):
    """A pipeline that the sandbox would run."""

    ok: bool
    config_hash: str
    steps: list[str]


_UPLOAD = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "A GeoTIFF."},
        "options": {"type": "string", "description": "The other fields as JSON: yaml, format, …"},
    },
    "required": ["file", "options"],
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schema_of(RunBody)},
            "multipart/form-data": {"schema": _UPLOAD},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result.",
        "content": {
            "image/png": {},
            "application/json": {"schema": {"type": "object"}},
            "application/x-npz": {},
        },
    },
    **responses(400, 401, 403, 404, 413, 415, 422, 429, 502, 503),
}


@sandbox_router.post("/sandbox/check", responses=responses(400, 401, 403, 404, 413, 422, 429, 503))
async def check_text(body: RunBody, request: Request) -> CheckAnswer:
    """Tell whether the sandbox would run a pipeline, on the bands of a layer if one is named; nothing is run.

    The body is that of ``/sandbox/run``.
    """
    state = _admitted(request)
    if body.source is not None:
        check_source(state.settings, state.registry, body.source)
    order: dict[str, Any] = {"do": "check", "yaml": body.yaml, "bands": body.bands}
    if body.layer is not None:
        order["spec"] = state.registry.layer(body.layer).scene.spec
    async with state.sandbox.leased() as lease:
        facts, _ = await lease.ask({**order, "max_steps": state.settings.sandbox.max_steps})
    return CheckAnswer(ok=True, config_hash=facts["config_hash"], steps=facts["steps"])


@sandbox_router.post("/sandbox/run", response_class=Response, responses=_ANSWERS, openapi_extra=_BODY)
async def run_text(request: Request) -> Response:
    """Run a pipeline that the request holds.

    It may consist of registered operators that neither read nor write files nor load code, and runs in a
    process of its own, with limits of memory, processor time and waiting time. A PNG with a ``bbox`` covers
    just that, in web mercator. The pixels are those of the pipeline on the overview that fits the picture.
    """
    state = _admitted(request)
    folder = Path(tempfile.mkdtemp(prefix="geotoolz-upload-"))
    try:
        body, upload = await _parsed(request, state, folder)
        result = await _while_connected(request, _run(state, body, upload, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Response(result.body, media_type=result.media_type, headers=dict(result.headers))


def _admitted(request: Request) -> State:
    state = state_of(request)
    state.limits.take("sandbox", client_of(request.scope), state.settings.sandbox.rate_per_minute)
    return state


async def _parsed(request: Request, state: State, folder: Path) -> tuple[RunBody, Path | None]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        refuse_others(request)
        body = checked(RunBody, await json_body(request))
        if body.layer is None and body.source is None:
            raise Problem(
                "the request names nothing to run on", status=422, code="invalid", expected="layer or source"
            )
        if body.source is not None:
            check_source(state.settings, state.registry, body.source)
        return body, None
    if kind != "multipart/form-data" or not state.settings.uploads:
        raise Problem(
            "the body cannot be read",
            status=415,
            code="unsupported_media_type",
            expected="application/json, or multipart/form-data where files are taken",
            fix="curl: -H 'content-type: application/json'",
        )
    path = folder / "upload.tif"
    async with request.form(max_files=1, max_fields=8, max_part_size=PART) as form:
        refuse_others(request, form)
        body = checked(RunBody, form_options(form))
        await save_upload(file_of(form), path, state.settings)
    if body.layer is not None or body.source is not None:
        raise Problem("the form has a file and names a source as well", status=422, code="invalid")
    return body, path


async def _run(state: State, body: RunBody, upload: Path | None, folder: Path) -> Result:
    part, view = await asyncio.to_thread(_part, state, body, upload, folder)
    stamps = getattr(part.reader, "stamps", None)
    asked = body.model_dump(mode="json", exclude={"source"})
    # what lies in a temporary folder has another name every time, and is not asked for twice
    key = content_key(asked, stamps) if stamps is not None and body.layer is not None else ""
    held = state.results.get(key) if key else None
    if held is not None:
        return held
    limits = state.settings.sandbox
    order = {
        "yaml": body.yaml,
        "max_steps": limits.max_steps,
        "max_pixels": limits.max_pixels,
        "bands": body.bands,
        "rescale": body.rescale,
        "colormap": body.colormap,
        "format": body.format,
        "view": view,
        "spec": part.spec,
        "window": tuple(part.extent),
        "bounds": body.bbox,
    }
    async with state.sandbox.leased() as lease:
        facts, _ = await lease.ask({**order, "do": "plan"})
        read = part.allowed(facts["read"], limits.max_pixels)
        tile = await asyncio.to_thread(part.read, facts["inputs"], read)
        facts, data = await lease.ask({**order, "do": "run", "tile": tile, "read": tuple(read)})
    headers = {HASH_HEADER: str(facts["config_hash"]), "Cache-Control": "no-store"}
    if "rescale" in facts:  # values of the first and the last colour
        headers["X-Rescale"] = ",".join(map(repr, facts["rescale"]))
    if body.bbox is not None:
        headers["X-Bounds"] = ",".join(f"{v:.8g}" for v in body.bbox)
    result = Result(data, _MEDIA[body.format], headers)
    if key:
        state.results.put(key, result)
    return result


def _part(state: State, body: RunBody, upload: Path | None, folder: Path) -> tuple[Part, GeoBox | None]:
    """Open what the pipeline is run on, and choose its resolution."""
    from geotoolz.io import open_scene
    from geotoolz.serve._sandbox_source import part_of, view_of

    if body.layer is not None:
        layer = state.registry.layer(body.layer)
        layer.check_time(body.time)
        scene = next(layer.scenes_at(body.bbox or layer.bounds, body.time), None)
        if scene is None:
            raise layer.nothing_here("scene in this area", body.time)
        reader: Any = scene._reader
    else:
        read = ReadBody(aoi=None, resolution=None)
        if upload is not None:
            opening = open_upload(state.settings, upload, read)
        elif body.source is not None:
            opening = open_body(state.settings, state.registry, body.source, read, folder)
        reader = open_scene(opening.source, **opening.read)
    view = None if body.bbox is None else view_of(body.bbox, _size(body))
    return part_of(reader, body.bbox, view, state.settings.sandbox.max_pixels), view


def _size(body: RunBody) -> tuple[int, int]:
    """Return columns and rows of the picture."""
    if not isinstance(body.size, int):
        return body.size
    if body.bbox is None:
        return body.size, body.size
    from geotoolz.serve._statistics_api import web_metres

    west, south, east, north = web_metres(body.bbox)
    longer = max(east - west, north - south)
    return (
        max(1, round(body.size * (east - west) / longer)),
        max(1, round(body.size * (north - south) / longer)),
    )


async def _while_connected(request: Request, work: Awaitable[Result]) -> Result:
    """Wait for a result; a client that leaves takes the run with it."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=_POLL_S))[0]:
            if await request.is_disconnected():
                raise Problem("the client has gone", status=503, code="client_gone")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
