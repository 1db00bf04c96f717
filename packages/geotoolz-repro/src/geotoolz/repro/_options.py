"""Arguments and options that commands of ``geotoolz repro`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ArchiveArg = Annotated[Path, typer.Argument(metavar="ARTEFACT", help="A .gtar file.")]
InputsArg = Annotated[
    list[str],
    typer.Argument(metavar="INPUT…", help="A scene; for a pipeline of several inputs NAME=SCENE each."),
]
TrustOption = Annotated[
    bool,
    typer.Option("--trust", help="You know who made it: its pipeline may name any operator and any file."),
]
AtolOption = Annotated[
    float, typer.Option("--atol", min=0.0, help="Tolerated difference, in the output's units.")
]
RtolOption = Annotated[
    float, typer.Option("--rtol", min=0.0, help="Tolerated difference, relative to the value.")
]
ShareOption = Annotated[
    float,
    typer.Option("--share", min=0.0, max=1.0, help="Share of pixels that may lie outside the tolerance."),
]
_OWN = "By default the artefact's own."
OwnAtolOption = Annotated[
    float | None, typer.Option("--atol", min=0.0, help=f"Tolerated, in the output's units. {_OWN}")
]
OwnRtolOption = Annotated[
    float | None, typer.Option("--rtol", min=0.0, help=f"Tolerated, relative to the value. {_OWN}")
]
OwnShareOption = Annotated[
    float | None,
    typer.Option("--share", min=0.0, max=1.0, help=f"Share of pixels that may lie outside. {_OWN}"),
]
MovedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=]SCENE",
        help="Where an input lies now; of several scenes their folder or catalog. May be repeated.",
    ),
]
LockOption = Annotated[
    Path | None, typer.Option("--lock", metavar="FILE", help="The lock file of the environment (uv.lock, …).")
]
MetaOption = Annotated[
    list[str] | None,
    typer.Option(
        "--meta", metavar="KEY=VALUE|FILE", help="Author, date, doi, …; or a JSON file. May be repeated."
    ),
]
EmbedOption = Annotated[
    str,
    typer.Option(
        "--embed-below",
        metavar="SIZE",
        help="Embed an input whose files have together at most this, and each output of at most this.",
    ),
]
