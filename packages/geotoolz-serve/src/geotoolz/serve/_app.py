"""The application: routers, what stands in front of them, and what is started and stopped with them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from geotoolz.serve import _errors
from geotoolz.serve._auth import Auth
from geotoolz.serve._gate import Gate
from geotoolz.serve._health import health_router
from geotoolz.serve._jobs import Jobs
from geotoolz.serve._limits import RateLimits
from geotoolz.serve._metrics import Metrics
from geotoolz.serve._pipelines_api import pipelines_router
from geotoolz.serve._process_api import process_router
from geotoolz.serve._registry import Registry
from geotoolz.serve._result_cache import ResultCache
from geotoolz.serve._sandbox import Sandbox
from geotoolz.serve._sandbox_api import sandbox_router
from geotoolz.serve._settings import CONFIG_ENV, ServeSettings, SettingsError, load_settings
from geotoolz.serve._state import State
from geotoolz.serve._tiles_api import open_renderer, tiles_router
from geotoolz.serve._workbench_api import workbench_router


def create_app(settings: ServeSettings | Mapping[str, Any] | str | os.PathLike[str]) -> FastAPI:
    """Return an application that serves what the settings name.

    Everything is loaded here: a pipeline or a layer that cannot be is an error now and not at a request.

    Parameters
    ----------
    settings : ServeSettings, mapping or path
        See `load_settings`.

    Returns
    -------
    fastapi.FastAPI
        For uvicorn or any other ASGI server; ``app.state.geotoolz`` holds settings and registry.

    Raises
    ------
    GeotoolzError
        With the name of the setting, pipeline or layer that is wrong.

    Examples
    --------
    >>> from geotoolz.serve import create_app
    >>> red = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}
    >>> app = create_app({"pipelines": [{"name": "red", "config": red}]})
    >>> list(app.state.geotoolz.registry.pipelines)
    ['red']
    """
    found = load_settings(settings)
    registry = Registry.open(found)
    metrics = Metrics()
    state = State(
        found,
        registry,
        open_renderer(found, registry),
        Jobs(found, metrics),
        Sandbox(found.sandbox, metrics),
        RateLimits(),
        metrics,
        ResultCache(found.sandbox.cache_mb * 2**20),
    )
    auth = Auth(found)
    app = FastAPI(
        title=found.title,
        lifespan=_lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
        responses=_errors.responses(400, 401, 413, 422),
    )
    app.state.geotoolz = state
    _errors.install(app)
    for router in (health_router, pipelines_router, process_router, tiles_router):
        app.include_router(router)
    if found.sandbox.enabled:
        app.include_router(sandbox_router)
    if found.workbench:
        app.include_router(workbench_router)
    _stand_in_front(app, state, auth)
    return app


def app_from_environment() -> FastAPI:
    """Return the application of the settings file that ``GEOTOOLZ_SERVE_CONFIG`` names.

    For ASGI servers that start by name: ``uvicorn --factory geotoolz.serve:app_from_environment``.

    Raises
    ------
    SettingsError
        If the variable is not set.
    """
    path = os.environ.get(CONFIG_ENV)
    if not path:
        raise SettingsError(
            f"the environment has no {CONFIG_ENV}", expected="the path of a file with settings"
        )
    return create_app(path)


def _stand_in_front(app: FastAPI, state: State, auth: Auth) -> None:
    """Add what every request passes; the last one added is the first one reached."""
    settings = state.settings
    app.add_middleware(Gate, state=state, auth=auth)
    if settings.cors_origins:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["X-Request-ID", "X-Config-Hash", "ETag"],
        )
    if settings.trusted_proxies:
        from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.geotoolz
    if state.settings.sandbox.enabled:
        state.sandbox.start()
    try:
        yield
    finally:
        state.draining = True
        await state.jobs.drain()
        await state.sandbox.close()
        state.renderer.close()
