"""``/pipelines``: what is offered."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from geotoolz.core import ALL, GeotoolzError, Operator, draw, json_schema, requirements, to_config
from geotoolz.serve._errors import responses
from geotoolz.serve._process_run import HASH_HEADER
from geotoolz.serve._registry import Registry, Served
from geotoolz.serve._state import state_of

pipelines_router = APIRouter(tags=["pipelines"])


class PipelineSummary(BaseModel):
    """A pipeline that is offered."""

    name: str
    title: str
    description: str
    config_hash: str
    steps: list[str]


class PipelineList(BaseModel):
    """All pipelines that are offered."""

    pipelines: list[PipelineSummary]


class PipelineNeeds(BaseModel):
    """What a pipeline reads and writes, and how far it looks, for the scenes of a catalog."""

    source: str
    reads: list[str]
    writes: list[str]
    reach: str


class PipelineDetail(PipelineSummary):
    """A pipeline, whole.

    ``config_schema`` is the JSON Schema of the operators that it consists of.
    """

    yaml: str
    config: dict[str, Any]
    config_schema: dict[str, Any]
    drawing: str
    needs: list[PipelineNeeds]


@pipelines_router.get("/pipelines", responses=responses(401))
async def list_pipelines(request: Request) -> PipelineList:
    """List the pipelines, with their hashes."""
    registry = state_of(request).registry
    return PipelineList(pipelines=[_summary(one) for one in registry.pipelines.values()])


@pipelines_router.get("/pipelines/{name}", responses=responses(401, 404))
def get_pipeline(name: str, request: Request, response: Response) -> PipelineDetail:
    """Return a pipeline: its text, its schema, what it reads and writes."""
    registry = state_of(request).registry
    served = registry.pipeline(name)
    response.headers[HASH_HEADER] = served.config_hash
    return PipelineDetail(
        **_summary(served).model_dump(),
        yaml=served.text,
        config=to_config(served.operator),
        config_schema=_schema(served.operator),
        drawing=draw(served.operator),
        needs=_needs(served, registry),
    )


def _summary(served: Served) -> PipelineSummary:
    return PipelineSummary(
        name=served.name,
        title=served.title,
        description=served.description,
        config_hash=served.config_hash,
        steps=[type(step).__name__ for step in _steps(served.operator)],
    )


def _steps(op: Operator) -> list[Operator]:
    inner = getattr(op, "operators", None)
    return list(inner) if inner is not None else [op]


def _schema(op: Operator) -> dict[str, Any]:
    """Return the JSON Schema of each operator of a pipeline by its path."""
    kinds = {type(step).target(): type(step) for step in _steps(op)}
    return {path: json_schema(kind)["$defs"][path] for path, kind in kinds.items() if _has_schema(path)}


def _has_schema(path: str) -> bool:
    from geotoolz.core import registered_operators

    return path in registered_operators()


def _needs(served: Served, registry: Registry) -> list[PipelineNeeds]:
    """Describe the first scene of every catalog, and say what the pipeline would do with it."""
    from geotoolz.catalog._load import sources_of
    from geotoolz.io import describe

    found = []
    for name, catalog in registry.catalogs.items():
        first = next(iter(catalog.tiles()), None)
        if first is None:
            continue
        try:
            needs = requirements(served.operator, describe(sources_of(first)[0]))
        except GeotoolzError:  # the pipeline is for other scenes than this catalog's
            continue
        found.append(
            PipelineNeeds(
                source=f"catalog {name}",
                reads=list(needs.reads),
                writes=list(needs.writes),
                reach=_reach(needs.footprint.y, needs.footprint.x),
            )
        )
    return found


def _reach(y: int | str, x: int | str) -> str:
    """Return how many pixels around its own a result depends on."""
    if ALL in (y, x):
        return "the whole tile" if y == x else "whole rows" if x == ALL else "whole columns"
    return f"{y} rows, {x} columns" if y or x else "one pixel"
