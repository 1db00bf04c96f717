"""``geotoolz temporal``: what takes scenes of several dates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app
from geotoolz._cli._apply import TargetArg
from geotoolz._cli._options import AoiOption, ResOption, SignOption

if TYPE_CHECKING:
    from geotoolz.core import Operator

app = group_app("Scenes of several dates: changes between them, and images of months.")

OutFolderArg = Annotated[str, typer.Argument(metavar="OUT", help="A folder, or a path of WriteCOG.")]

_SCENE = "a raster, a product's folder, or a STAC item."


@app.command("burn-severity")
def burn_severity(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help=f"The scene before the fire: {_SCENE}")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help=f"The scene after the fire: {_SCENE}")],
    out: TargetArg,
    min_area: Annotated[
        float, typer.Option("--min-area", metavar="M2", help="Smallest burnt patch, in square metres.")
    ] = 5000.0,
    aoi: AoiOption = None,
    res: ResOption = None,
    sign: SignOption = None,
) -> None:
    """Map burn severity between two scenes of one sensor: dNBR, and its classes by FIREMON's limits.

    Clouds and shadows of both are masked, and AFTER is read on the grid of BEFORE. Prints the two files, dnbr
    and severity. The pipeline is that of `geotoolz pipeline show burn-severity`.

    Example: geotoolz temporal burn-severity before/ after/ burned/ --min-area 10000
    """
    from geotoolz._cli._console import say
    from geotoolz._cli._options import parse_aoi
    from geotoolz.cloud import MaskClouds
    from geotoolz.core import Sequential, compile, run_detailed
    from geotoolz.io import WriteCOG, describe
    from geotoolz.temporal import open_pair

    path = out if out.lower().endswith((".tif", ".tiff")) else str(Path(out) / "{item_id}_{band}.tif")
    steps = _steps("burn-severity", f"min_area={min_area}")
    read: dict[str, Any] = {"aoi": parse_aoi(aoi), "resolution": res, "sign": sign}
    masked, spec = MaskClouds(bands=("nir", "swir22")), describe(before, **read)
    needed = compile(masked, spec, compile(masked, spec).created).inputs
    stack = open_pair(before, after, needed, **read)
    for file in run_detailed(Sequential([*steps, WriteCOG(path)]), stack).paths:
        say(file)


@app.command("monthly-composite")
def monthly(
    catalog: Annotated[str, typer.Argument(metavar="CATALOG", help="A catalog, or a folder of scenes.")],
    out: OutFolderArg,
    reducer: Annotated[
        str, typer.Option("--reducer", metavar="NAME", help="median, mean, geomedian, medoid or max_ndvi.")
    ] = "median",
    period: Annotated[
        str, typer.Option("--period", metavar="STEP", help="month, week, year, 10D, 3M.")
    ] = "month",
    min_obs: Annotated[
        int, typer.Option("--min-obs", metavar="N", min=1, help="Clear observations that a pixel needs.")
    ] = 1,
    bands: Annotated[
        str | None, typer.Option("--bands", metavar="A,B,…", help="By default all measurements.")
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            "--mask",
            metavar="PIPELINE",
            help="A YAML file that masks each date in place of MaskClouds; 'none' for nothing.",
        ),
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    sign: SignOption = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="process or ray; by default threads of this process."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Workers of the engine.")
    ] = None,
) -> None:
    """Make one image of the clear observations of every month, over tiles and zones.

    Writes a COG per month and band, with the number of observations and the cloud-free share, a STAC item
    per month and their collection, and prints the files. Without --aoi the area is that of all scenes,
    without --res the pixels are those of the finest band.

    Example: geotoolz temporal monthly-composite scenes/ months/ --bands red,nir --reducer median
    """
    from geotoolz._cli._apply import split_names
    from geotoolz._cli._console import say
    from geotoolz._cli._options import load_pipeline, parse_aoi
    from geotoolz._cli._scenes import need_catalog
    from geotoolz.temporal import Composite, monthly_composite

    clouds, composite = _steps("monthly-composite", f"method={reducer}")
    masking = clouds if mask is None else None if mask == "none" else load_pipeline(mask)
    chosen = composite if isinstance(composite, Composite) else reducer
    scenes, area = need_catalog(catalog), parse_aoi(aoi, catalog)
    written = monthly_composite(
        scenes,
        area,
        res,
        chosen,
        min_obs,
        period=period,
        mask=masking,
        bands=split_names(bands),
        sign=sign,
        out=out,
        engine=engine,
        n_workers=workers,
    )
    for file in written:
        say(str(file))


def _steps(preset: str, *sets: str) -> tuple[Operator, ...]:
    """Return the steps of a preset without its sink."""
    from geotoolz._cli._options import load_pipeline
    from geotoolz.core import Sequential

    pipeline = load_pipeline(preset, sets)
    return pipeline.operators[:-1] if isinstance(pipeline, Sequential) else (pipeline,)
