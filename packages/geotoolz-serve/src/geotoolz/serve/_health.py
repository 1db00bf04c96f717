"""Whether the server lives, whether it takes requests, and what it counts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from geotoolz.core._memory import resident
from geotoolz.serve._errors import Problem, responses
from geotoolz.serve._state import state_of

health_router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """How the server is."""

    status: str


class Readiness(Health):
    """Whether the server takes requests, and what it offers."""

    pipelines: int
    layers: int


@health_router.get("/healthz")
async def healthz() -> Health:
    """Tell that the process answers; needs no key."""
    return Health(status="ok")


@health_router.get("/readyz", responses=responses(503))
async def readyz(request: Request) -> Readiness:
    """Tell whether requests should be sent here; needs no key."""
    state = state_of(request)
    if state.draining:
        raise Problem("the server is on its way down", status=503, code="draining")
    return Readiness(
        status="ready", pipelines=len(state.registry.pipelines), layers=len(state.registry.layers)
    )


@health_router.get("/metrics", response_class=PlainTextResponse, responses=responses(401))
async def metrics(request: Request) -> PlainTextResponse:
    """Return counters and durations for Prometheus."""
    state = state_of(request)
    state.metrics.gauge("geotoolz_resident_bytes", resident)
    return PlainTextResponse(state.metrics.text(), media_type="text/plain; version=0.0.4")
