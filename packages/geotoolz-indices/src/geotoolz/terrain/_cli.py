"""``geotoolz terrain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, apply_operator
from geotoolz._cli._options import AoiOption, ResOption

app = group_app("Elevation models: slope, aspect, hillshade.")

DemOption = Annotated[
    str | None,
    typer.Option("--dem", metavar="NAME", help="The variable with the heights, if several could be meant."),
]
FactorOption = Annotated[float, typer.Option("--z-factor", help="Heights are multiplied by it.")]
EdgesOption = Annotated[
    bool, typer.Option("--edges", help="Give pixels with missing neighbours a value, too.")
]


def _dem(scene: str, name: str | None, aoi: str | None, res: float | None) -> str:
    """Return the variable with the heights: the one named, ``dem``, or the only one."""
    from geotoolz._cli._options import parse_aoi
    from geotoolz.core import image_bands
    from geotoolz.io import describe

    if name is not None:
        return name
    spec = describe(scene, aoi=parse_aoi(aoi), resolution=res)
    only = image_bands(spec)
    return only[0] if len(only) == 1 and "dem" not in spec else "dem"


@app.command()
def slope(
    scene: SceneArg,
    out: TargetArg,
    percent: Annotated[bool, typer.Option("--percent", help="Percent instead of degrees.")] = False,
    dem: DemOption = None,
    z_factor: FactorOption = 1.0,
    edges: EdgesOption = False,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Compute the steepness of the ground and write it as a COG; prints the file.

    Example: geotoolz terrain slope dem.tif slope.tif --percent
    """
    from geotoolz.terrain import Slope

    units: Literal["degrees", "percent"] = "percent" if percent else "degrees"
    op = Slope(_dem(scene, dem, aoi, res), z_factor, edges, units)
    apply_operator(op, scene, out, aoi=aoi, res=res)


@app.command()
def aspect(
    scene: SceneArg,
    out: TargetArg,
    dem: DemOption = None,
    z_factor: FactorOption = 1.0,
    edges: EdgesOption = False,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Compute the direction that the ground falls towards and write it as a COG; prints the file.

    Example: geotoolz terrain aspect dem.tif aspect.tif
    """
    from geotoolz.terrain import Aspect

    apply_operator(Aspect(_dem(scene, dem, aoi, res), z_factor, edges), scene, out, aoi=aoi, res=res)


@app.command()
def hillshade(
    scene: SceneArg,
    out: TargetArg,
    azimuth: Annotated[float, typer.Option("--azimuth", help="Where the light comes from.")] = 315,
    altitude: Annotated[float, typer.Option("--altitude", help="How high it stands, in degrees.")] = 45,
    dem: DemOption = None,
    z_factor: FactorOption = 1.0,
    edges: EdgesOption = False,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Compute the light on the ground, 0 to 1, and write it as a COG; prints the file.

    Example: geotoolz terrain hillshade dem.tif shade.tif --azimuth 315 --altitude 45
    """
    from geotoolz.terrain import Hillshade

    light: dict[str, Any] = {"azimuth": azimuth, "altitude": altitude}
    op = Hillshade(_dem(scene, dem, aoi, res), z_factor, edges, **light)
    apply_operator(op, scene, out, aoi=aoi, res=res)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the group alone and return the exit code."""
    return run_app(app, "geotoolz-terrain", argv)
