"""``geotoolz nextgen end-to-end``: a chain from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geotoolz._cli._options import JsonOption

if TYPE_CHECKING:
    from geotoolz.presets import EndToEnd

__all__ = ["add_chain_command"]


def add_chain_command(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command("end-to-end")(end_to_end)


def end_to_end(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file with the chain.")],
    plan: Annotated[bool, typer.Option("--plan", help="Tell what would be done, stage by stage.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check all stages against the scenes.")] = False,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="inline, process, ray, …")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", metavar="N", min=1)] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="STAGE", help="The last stage that is run.")
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try tiles again that failed, although nothing has changed."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a chain from scenes to objects and scores; run it again, and it does what is new or has changed.

    Example: geotoolz nextgen end-to-end season.yaml --plan
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz.presets import EndToEnd

    chain = EndToEnd(config)
    if plan:
        counts = chain.plan()
        if as_json:
            say_json(counts)
            return
        width = max(map(len, counts))
        for name, found in counts.items():
            say(f"{name.ljust(width)}  {', '.join(f'{count} {state}' for state, count in found.items())}")
        return
    if check:
        _check(chain)
        return
    report = chain.run(
        engine=engine,
        n_workers=workers,
        until=until,
        retry_failed=retry_failed,
        progress="none" if quiet else "auto",
    )
    if as_json:
        say_json(report.to_dict())
    else:
        say(str(report))
    raise typer.Exit(int(report.exit_code))


def _check(chain: EndToEnd) -> None:
    from geotoolz._cli._console import say

    findings = chain.check()
    for finding in findings:
        say(str(finding))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(2)
    if not findings:
        say("nothing to complain of")
