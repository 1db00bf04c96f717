"""``geotoolz sar``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, apply_operator, split_names
from geotoolz._cli._options import AoiOption, ResOption

if TYPE_CHECKING:
    from geotoolz.core import Operator

app = group_app("Radar backscatter: speckle filters and decibels.")

BandsOption = Annotated[
    str | None,
    typer.Option("--bands", metavar="A,B,…", help="Bands to treat; by default all backscatter."),
]


@app.command("filter")
def filter_(
    scene: SceneArg,
    out: TargetArg,
    method: Annotated[str, typer.Option("--method", help="lee, gamma-map or frost.")] = "lee",
    window: Annotated[int, typer.Option("--window", help="Side of the square in pixels; odd.")] = 7,
    looks: Annotated[
        float | None, typer.Option("--looks", help="Equivalent number of looks (lee and gamma-map).")
    ] = None,
    damping: Annotated[float | None, typer.Option("--damping", help="How fast weights fall (frost).")] = None,
    bands: BandsOption = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Filter the speckle of linear backscatter and write the bands as COGs; prints the files.

    Example: geotoolz sar filter scene/ calm.tif --method lee --window 7
    """
    op = _filter(method, window, looks, damping, split_names(bands))
    apply_operator(op, scene, out, aoi=aoi, res=res)


def _filter(
    method: str, window: int, looks: float | None, damping: float | None, bands: tuple[str, ...] | None
) -> Operator:
    """Return the filter as the user described it."""
    from geotoolz.core import ParameterError, nearest
    from geotoolz.sar import Frost, GammaMAP, LeeSpeckle

    names = ("lee", "gamma-map", "frost")
    if method not in names:
        raise ParameterError(f"method {method!r}{nearest(method, names)}", expected="lee, gamma-map or frost")
    foreign = "--looks" if method == "frost" and looks is not None else ""
    foreign = "--damping" if method != "frost" and damping is not None else foreign
    if foreign:
        raise ParameterError(f"{foreign} means nothing to {method}", fix="leave it out, or choose --method")
    if method == "frost":
        return Frost(window, bands=bands) if damping is None else Frost(window, damping, bands)
    cls: type[GammaMAP] | type[LeeSpeckle] = GammaMAP if method == "gamma-map" else LeeSpeckle
    return cls(window, bands=bands) if looks is None else cls(window, looks, bands)


@app.command()
def db(
    scene: SceneArg,
    out: TargetArg,
    inverse: Annotated[
        bool, typer.Option("--inverse", help="From decibels to linear power instead.")
    ] = False,
    bands: BandsOption = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Turn linear backscatter into decibels and write the bands as COGs; prints the files.

    Example: geotoolz sar db scene/ db.tif --bands vv,vh
    """
    from geotoolz.sar import DBToLinear, LinearToDB

    op = (DBToLinear if inverse else LinearToDB)(bands=split_names(bands))
    apply_operator(op, scene, out, aoi=aoi, res=res)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the group alone and return the exit code."""
    return run_app(app, "geotoolz-sar", argv)
