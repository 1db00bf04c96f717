"""``geotoolz repro diff`` and ``geotoolz repro ab``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SetOption, SignOption
from geotoolz.core._whole_file import write_whole

if TYPE_CHECKING:
    from geotoolz.core import Operator
    from geotoolz.diff import ABReport

BeforeArg = Annotated[
    str, typer.Argument(metavar="A", help="The pipeline in use: a YAML file, or the name of a preset.")
]
AfterArg = Annotated[str, typer.Argument(metavar="B", help="The candidate.")]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page with graphs and pictures.")
]
_DIFFERENT = 4


def diff_command(
    a: BeforeArg,
    b: AfterArg,
    sets: SetOption = None,
    html: HtmlOption = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 4 where the pipelines differ.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what differs between two pipelines, without running them.

    Exit code 0: compared; 2: one of them is no pipeline; 4: they differ (with --check).

    Example: geotoolz repro diff before.yaml after.yaml
    """
    from geotoolz._cli._console import say
    from geotoolz.diff import config_diff

    found = config_diff(_pipeline(a, sets), _pipeline(b, sets))
    if html is not None:
        write_whole(html, found.to_html())
    if as_json:
        say(found.to_json())
    elif sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(found)
    else:
        say(found.to_text())
    if check and found:
        raise typer.Exit(_DIFFERENT)


def ab_command(
    a: BeforeArg,
    b: AfterArg,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A scene, a folder of scenes, or a catalog.")
    ],
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="NAME", help="What tiles are ranked by: rmse, bias, agreement, …"),
    ] = None,
    variables: Annotated[
        str | None,
        typer.Option("--variables", metavar="A,B,…", help="What to compare; by default what is made."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Repeat for each class of this variable (scl, …)."),
    ] = None,
    tolerances: Annotated[
        Path | None, typer.Option("--tolerances", metavar="FILE", help="Limits (YAML) that must be kept.")
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", metavar="N", min=0, help="Tiles to show, per variable.")
    ] = 5,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many tiles.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the intervals' draws.")] = 0,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="NAME", help="inline, process or ray; by default as many workers do."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="By default the CPUs of this process.")
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    sign: SignOption = None,
    sets: SetOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Run two pipelines on the same tiles and measure how far apart their outputs are.

    Exit code 0: compared, and the tolerances are kept; 2: the command is wrong; 3: some tiles failed (without
    tolerances); 4: the tolerances are not kept; 130: interrupted.

    Example: geotoolz repro ab before.yaml after.yaml scenes/ --metric rmse --html ab.html
    """
    from geotoolz._cli._apply import split_names
    from geotoolz._cli._console import say
    from geotoolz._cli._jobs import suitable
    from geotoolz._cli._options import parse_aoi
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.diff import AB
    from geotoolz.diff._report import UnjudgedError

    ab = AB(
        _pipeline(a, sets),
        _pipeline(b, sets),
        metric=metric,
        variables=split_names(variables),
        by=by,
        worst=worst,
        seed=seed,
        tolerances=tolerances,
    )
    area = parse_aoi(aoi, source)
    scenes = open_scenes(source, area)
    try:
        report = ab.run(
            scenes.rows,
            engine=engine or suitable(len(scenes), workers),
            n_workers=workers,
            read={"aoi": area, "resolution": res, "sign": sign},
            limit=limit,
            progress="none" if quiet else "auto",
        )
    except UnjudgedError as error:  # hours of work are not lost to a wrong line of the tolerances
        _tell(error.report, html, say, as_json=as_json)
        raise
    _tell(report, html, say, as_json=as_json)
    raise typer.Exit(int(report.exit_code))


def _tell(report: ABReport, html: Path | None, say: Any, *, as_json: bool) -> None:
    if html is not None:
        write_whole(html, report.to_html())
    say(report.to_json() if as_json else report.summary())


def _pipeline(name: str, sets: list[str] | None) -> Operator | str:
    """Load a pipeline; without ``--set`` its text is left to tell the old names in it."""
    from geotoolz._cli._options import load_pipeline

    return load_pipeline(name, sets) if sets else name
