"""The verb tree of ``geotoolz``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from geotoolz._cli import (
    _catalog,
    _check,
    _demo,
    _info,
    _mend,
    _operators,
    _pipeline,
    _plan,
    _quarantine,
    _run,
    _status,
    _stream,
)
from geotoolz._cli._console import say
from geotoolz._cli._groups import RootGroup
from geotoolz._cli._main import run_app

app = typer.Typer(
    cls=RootGroup,
    name="geotoolz",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from geotoolz import __version__

        say(f"geotoolz {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Satellite-image pipelines: one scene, a folder, or a catalog.

    Exit codes: 0 done, 1 crash, 2 usage or wrong input, 3 finished with failed tiles, 4 stopped by the
    failure limit or a quality check, 130 interrupted.
    """


app.command("demo")(_demo.demo)
app.command("info")(_info.info)
app.command("run")(_run.run)
app.command("plan")(_plan.plan)
app.command("stream")(_stream.stream)
app.command("check")(_check.check)
app.command("status")(_status.status)
app.command("report")(_status.report)
app.command("verify")(_mend.verify)
app.command("gc")(_mend.gc)
app.command("replay")(_mend.replay)
app.add_typer(_catalog.app, name="catalog")
app.add_typer(_pipeline.app, name="pipeline")
app.add_typer(_quarantine.app, name="quarantine")
app.command("operators")(_operators.operators)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz`` and return the exit code."""
    return run_app(app, "geotoolz", argv)
