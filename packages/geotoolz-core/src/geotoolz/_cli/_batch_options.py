"""Options that `run`, `plan` and what looks after an output folder share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FirstArg = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE|JOB", help="A pipeline (YAML file or preset), or a job.yaml without SOURCE and OUT."
    ),
]
SourceOrNone = Annotated[
    str | None, typer.Argument(metavar="SOURCE", help="A scene, a folder of scenes, or a catalog.")
]
OutOrNone = Annotated[str | None, typer.Argument(metavar="OUT", help="The output folder.")]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option(
        "--override", metavar="KEY=VALUE", help="A value of the job: read.resolution=20; may be repeated."
    ),
]
ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="Do the I-th of N parts, for array jobs.")
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="Only the first N scenes of the source, done or not."),
]
StaleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stale-on", metavar="WHAT", help="Make again what other versions made: code, environment."
    ),
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try scenes again that failed, although nothing has changed.")
]
TileOption = Annotated[
    list[str] | None, typer.Option("--tile", metavar="ID", help="Only this scene; may be repeated.")
]
TilesOption = Annotated[
    Path | None, typer.Option("--tiles", metavar="FILE", help="Only the scenes of a text file, an id a line.")
]
SliceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--slice",
        metavar="WHAT",
        help="Only scenes of a place or time: W,S,E,N in degrees, 2023-08, 2023-08-01/2023-08-31, "
        "'where=cloud_cover < 20', geometry=fields.gpkg; may be repeated.",
    ),
]
FailedOption = Annotated[
    bool,
    typer.Option(
        "--only-failed",
        help="Only scenes whose last attempt failed; what else is to do is left, and told as not-run.",
    ),
]
CpuPriceOption = Annotated[
    float | None, typer.Option("--price-cpu-hour", metavar="PRICE", help="What one busy CPU costs an hour.")
]
GbPriceOption = Annotated[
    float | None, typer.Option("--price-gb", metavar="PRICE", help="What 10^9 bytes of outputs cost.")
]
HoursOption = Annotated[
    float | None, typer.Option("--max-hours", metavar="H", help="Start no further scene after so long.")
]
CpuHoursOption = Annotated[
    float | None, typer.Option("--max-cpu-hours", metavar="H", help="… after so many hours of busy workers.")
]
BytesOption = Annotated[
    str | None, typer.Option("--max-bytes", metavar="SIZE", help="… after outputs of so many bytes: 20GB.")
]
CostOption = Annotated[
    float | None, typer.Option("--max-cost", metavar="COST", help="… after so much was spent, at the prices.")
]
