"""``geotoolz patch``, also installed as ``geotoolz-patch``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, split_names
from geotoolz._cli._options import AoiOption, ResOption

if TYPE_CHECKING:
    from geotoolz.patch import PatchGrid, Sampler, Stitcher

app = group_app("Chips: cut scenes up, stitch them again, look at where chips lie.")


class Where(StrEnum):
    """Samplers by name."""

    grid = "grid"
    random = "random"
    jittered = "jittered"
    poisson = "poisson"


class Edge(StrEnum):
    """What happens to chips that reach beyond the scene."""

    reflect = "reflect"
    fill = "fill"
    shift = "shift"
    drop = "drop"


class Weigh(StrEnum):
    """Windows by name."""

    boxcar = "boxcar"
    hann = "hann"
    tukey = "tukey"
    gaussian = "gaussian"


class How(StrEnum):
    """Aggregations by name."""

    mean = "mean"
    median = "median"
    min = "min"
    max = "max"
    sum = "sum"
    vote = "vote"


SizeOption = Annotated[
    int, typer.Option("--size", metavar="PIXELS", min=1, help="Rows and columns of a chip.")
]
StrideOption = Annotated[
    int | None,
    typer.Option("--stride", metavar="PIXELS", min=1, help="From one chip to the next; by default the size."),
]
WhereOption = Annotated[Where, typer.Option("--sampler", help="Where chips lie.")]
EdgeOption = Annotated[
    Edge | None,
    typer.Option(
        "--boundary", help="Chips that reach beyond the scene; by default reflect (grid), shift (jittered)."
    ),
]
CountOption = Annotated[
    int | None, typer.Option("--count", metavar="N", min=1, help="How many chips (random, poisson).")
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, other places.")]
BandsOption = Annotated[
    str | None, typer.Option("--bands", metavar="A,B,…", help="By default all of one type.")
]


@app.command()
def split(
    scene: SceneArg,
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the chips go.")],
    size: SizeOption = 256,
    stride: StrideOption = None,
    sampler: WhereOption = Where.grid,
    boundary: EdgeOption = None,
    count: CountOption = None,
    seed: SeedOption = 0,
    bands: BandsOption = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Write the chips of a scene as GeoTIFFs, with an index; print how many there are.

    What a program makes of them under the same names can be stitched again.

    Example: geotoolz patch split scene/ chips/ --size 256 --stride 192 --bands red,nir
    """
    from geotoolz._cli._console import say, told
    from geotoolz.patch import write_chips

    grid = _grid(scene, _sampler(sampler, size, stride, boundary, count, seed), bands, aoi, res)
    paths = write_chips(grid, out)
    say(f"{len(paths)} chips in {out}")
    if grid.dropped:
        left = f", {grid.uncovered:.1%} of the scene's pixels" if grid.uncovered is not None else ""
        told(f"{grid.dropped} chips left out at the edge{left}")


@app.command()
def stitch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Chips with their chips.json.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A path that ends in .tif or .zarr.")],
    window: Annotated[Weigh, typer.Option("--window", help="Weight of a pixel in its chip.")] = Weigh.boxcar,
    aggregation: Annotated[
        How | None,
        typer.Option("--aggregation", help="Pixels in several chips; by default the mean of measurements."),
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", metavar="K", min=1, help="Labels are 0 … K - 1 (vote).")
    ] = None,
    halo: Annotated[
        int,
        typer.Option("--halo", metavar="PIXELS", min=0, help="Pixels at a chip's edge that do not count."),
    ] = 0,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, help="Threads that read.")] = 1,
) -> None:
    """Put chips together again, in bounded memory; print the files.

    Example: geotoolz patch stitch chips/ whole.tif --window hann
    """
    from geotoolz._cli._console import say
    from geotoolz.patch import stitch_chips

    for path in stitch_chips(
        folder, out, _stitcher(window, aggregation, classes, halo), workers=workers
    ).paths:
        say(path)


@app.command()
def preview(
    scene: SceneArg,
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="The picture.")],
    size: SizeOption = 256,
    stride: StrideOption = None,
    sampler: WhereOption = Where.grid,
    boundary: EdgeOption = None,
    count: CountOption = None,
    seed: SeedOption = 0,
    bands: BandsOption = None,
    pixels: Annotated[
        int, typer.Option("--pixels", metavar="N", help="Longer side of the picture, at most.")
    ] = 1024,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Draw the outlines of the chips on the scene; print how many there are, and the file.

    Example: geotoolz patch preview scene/ chips.png --size 256 --stride 192
    """
    from geotoolz._cli._console import say
    from geotoolz.core import WriteError
    from geotoolz.patch import draw_chips

    grid = _grid(scene, _sampler(sampler, size, stride, boundary, count, seed), bands, aoi, res)
    picture = draw_chips(grid, size=pixels)
    try:
        out.write_bytes(picture)
    except OSError as error:
        raise WriteError(f"{out} cannot be written: {error}") from error
    left = f", {grid.uncovered:.1%} of the pixels in none" if grid.uncovered else ""
    say(f"{len(grid)} chips{left}: {out}")


def _grid(scene: str, sampler: Sampler, bands: str | None, aoi: str | None, res: float | None) -> PatchGrid:
    from geotoolz._cli._options import parse_aoi
    from geotoolz.io import open_scene
    from geotoolz.patch import PatchGrid

    names = split_names(bands)
    source = open_scene(scene, names, parse_aoi(aoi), res)
    if names is not None:
        return PatchGrid(source, sampler)
    kinds: dict[Any, list[str]] = {}
    for name, spec in source.spec.variables.items():
        kinds.setdefault((spec.dtype, repr(spec.nodata)), []).append(name)
    return PatchGrid(source, sampler, max(kinds.values(), key=len))


def _sampler(
    where: Where, size: int, stride: int | None, boundary: Edge | None, count: int | None, seed: int
) -> Sampler:
    from geotoolz.patch import GridSampler, JitteredSampler, PoissonDiskSampler, RandomSampler, Rectangle

    box = Rectangle((size, size))
    step = None if stride is None else (stride, stride)
    asked = {"--stride": stride, "--boundary": boundary, "--count": count}
    if where is Where.grid:
        _unused(where, asked, "--count")
        return GridSampler(box, step, "reflect" if boundary is None else boundary.value)
    if where is Where.jittered:
        _unused(where, asked, "--count")
        edge = "shift" if boundary is None else boundary.value
        return JitteredSampler(box, step, seed=seed, boundary=edge)  # type: ignore[arg-type]
    if where is Where.poisson:
        _unused(where, asked, "--boundary")
        return PoissonDiskSampler(box, float(stride or size), count, seed)
    _unused(where, asked, "--stride", "--boundary")
    return RandomSampler(box, 100 if count is None else count, seed)


def _unused(where: Where, asked: dict[str, Any], *names: str) -> None:
    from geotoolz.core import ParameterError

    for name in names:
        if asked[name] is not None:
            raise ParameterError(f"{name} has no effect with --sampler {where.value}", fix="leave it out")


def _stitcher(window: Weigh, how: How | None, classes: int | None, halo: int) -> Stitcher:
    from geotoolz.core import ParameterError
    from geotoolz.patch import (
        Boxcar,
        Gaussian,
        Hann,
        HardVote,
        Max,
        Mean,
        Median,
        Min,
        Stitcher,
        Sum,
        Tukey,
    )

    if (how is How.vote) != (classes is not None):
        raise ParameterError(
            f"--aggregation {how.value if how else 'mean'} {'with' if classes else 'without'} --classes",
            expected="--aggregation vote --classes K",
        )
    kinds = {How.mean: Mean, How.median: Median, How.min: Min, How.max: Max, How.sum: Sum}
    weights = {Weigh.boxcar: Boxcar, Weigh.hann: Hann, Weigh.tukey: Tukey, Weigh.gaussian: Gaussian}
    named = None if how is None or how is How.vote else kinds[how]()
    chosen = named if classes is None else HardVote(classes)
    return Stitcher(weights[window](), chosen, halo=halo)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-patch`` and return the exit code."""
    return run_app(app, "geotoolz-patch", argv)
