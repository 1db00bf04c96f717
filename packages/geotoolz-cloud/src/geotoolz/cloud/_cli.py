"""``geotoolz cloud``, also installed as ``geotoolz-cloud``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, apply_operator, split_names
from geotoolz._cli._options import AoiOption, ResOption

app = group_app("Clouds and shadows: mask them by the product's own rules.")


@app.command()
def mask(
    scene: SceneArg,
    out: TargetArg,
    flags: Annotated[
        str,
        typer.Option(
            "--flags", metavar="A,B,…", help="What to mask: cloud, cirrus, shadow, snow, water, dilated, …"
        ),
    ] = "cloud,cirrus,shadow",
    bands: Annotated[
        str | None,
        typer.Option(
            "--bands", metavar="A,B,…", help="Bands to mask and write; by default all measurements."
        ),
    ] = None,
    qa: Annotated[
        str | None, typer.Option("--qa", metavar="NAME", help="The quality layer, if several could be meant.")
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Set the bands of a scene to no-data under clouds, and write them as COGs on one grid.

    Prints the files. For folders and catalogs, and for scenes larger than memory: `geotoolz run mask`.
    """
    from geotoolz.cloud import MaskClouds

    op = MaskClouds(split_names(flags) or (), split_names(bands), qa)
    apply_operator(op, scene, out, aoi=aoi, res=res)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-cloud`` and return the exit code."""
    return run_app(app, "geotoolz-cloud", argv)
