"""What the operations of one application share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import Request

    from geotoolz.serve._jobs import Jobs
    from geotoolz.serve._limits import RateLimits
    from geotoolz.serve._metrics import Metrics
    from geotoolz.serve._registry import Registry
    from geotoolz.serve._result_cache import ResultCache
    from geotoolz.serve._sandbox import Sandbox
    from geotoolz.serve._settings import ServeSettings


@dataclass
class State:
    """Kept as ``app.state.geotoolz``.

    Attributes
    ----------
    settings : ServeSettings
    registry : Registry
    renderer : Renderer
        Draws tiles.
    jobs : Jobs
        Runs of ``/process``.
    sandbox : Sandbox
        Runs of strangers' pipelines.
    limits : RateLimits
    metrics : Metrics
    results : ResultCache
        Of the sandbox.
    draining : bool
        Whether the server is on its way down: ``/readyz`` says no.
    """

    settings: ServeSettings
    registry: Registry
    renderer: Any
    jobs: Jobs
    sandbox: Sandbox
    limits: RateLimits
    metrics: Metrics
    results: ResultCache
    draining: bool = False


def state_of(request: Request) -> State:
    """Return the state of the application that a request reached."""
    state: State = request.app.state.geotoolz
    return state
