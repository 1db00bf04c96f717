"""``geotoolz serve``, also installed as ``geotoolz-serve``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app

if TYPE_CHECKING:
    from geotoolz.serve._state import State

app = group_app("Maps, APIs and a workbench in the browser.")


@app.callback()
def _group() -> None:
    """Keep ``run`` a command of its own while there is no other."""


@app.command()
def run(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="The settings, YAML or JSON: pipelines, layers, limits.")
    ],
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that answer.")] = 1,
    drain: Annotated[
        float,
        typer.Option(
            "--drain",
            min=0,
            metavar="SECONDS",
            help="How long /readyz says no before the server stops (1 worker).",
        ),
    ] = 0.0,
    grace: Annotated[
        int,
        typer.Option("--grace", min=1, metavar="SECONDS", help="How long running requests may take then."),
    ] = 30,
    check: Annotated[
        bool, typer.Option("--check", help="Load everything, say what is offered, and leave.")
    ] = False,
) -> None:
    """Serve what CONFIG names, until the process is told to stop.

    Settings can be overridden in the environment: GEOTOOLZ_SERVE_TITLE, GEOTOOLZ_SERVE_SANDBOX__CPU_S, …

    Example: geotoolz serve run serve.yaml --port 8000
    """
    from geotoolz.serve import create_app

    if check:
        _say_what_is_offered(create_app(config).state.geotoolz)
        return
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "ws": "none",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "proxy_headers": False,  # the application looks at them, for the addresses that the settings trust
        "timeout_keep_alive": 75,  # longer than proxies keep theirs
        "timeout_graceful_shutdown": grace,
    }
    if workers == 1:
        _run_here(config, options, drain)
    else:
        _run_many(config, options, workers)


def _run_here(config: Path, options: dict[str, Any], drain: float) -> None:
    import uvicorn

    from geotoolz.serve import create_app
    from geotoolz.serve._draining import DrainingServer
    from geotoolz.serve._logging import configure_logging

    served = create_app(config)
    state = served.state.geotoolz
    configure_logging(state.settings.log_level)
    DrainingServer(uvicorn.Config(served, **options), state, drain).run()


def _run_many(config: Path, options: dict[str, Any], workers: int) -> None:
    import os

    import uvicorn

    from geotoolz.serve import load_settings
    from geotoolz.serve._logging import configure_logging
    from geotoolz.serve._settings import CONFIG_ENV

    configure_logging(load_settings(config).log_level)  # a mistake is told once, not by every worker
    os.environ[CONFIG_ENV] = str(config.resolve())
    uvicorn.run("geotoolz.serve:app_from_environment", factory=True, workers=workers, **options)


def _say_what_is_offered(state: State) -> None:
    from geotoolz._cli._console import facts, say, table

    settings, registry = state.settings, state.registry
    if registry.pipelines:
        table(
            ("pipeline", "config hash"), [(one.name, one.config_hash) for one in registry.pipelines.values()]
        )
    if registry.layers:
        say()
        rows = [
            (one.name, f"{one.min_zoom}-{one.max_zoom}", one.config_hash) for one in registry.layers.values()
        ]
        table(("layer", "zoom", "config hash"), rows)
    say()
    facts(
        [
            ("catalogs", ", ".join(registry.catalogs) or "none"),
            ("addresses", ", ".join(settings.allow_url_prefixes) or "none"),
            ("uploads", f"up to {settings.max_upload_mb} MB" if settings.uploads else "no"),
            ("keys", "needed" if settings.api_keys or settings.auth_hook else "not needed: anybody may ask"),
            ("sandbox", "on" if settings.sandbox.enabled else "off"),
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-serve`` and return the exit code."""
    return run_app(app, "geotoolz-serve", argv)
