"""``geotoolz hyperspectral``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, apply_operator
from geotoolz._cli._options import AoiOption, ResOption

if TYPE_CHECKING:
    from geotoolz.core import Operator

app = group_app("Hyperspectral cubes: targets and their spectra.")

Method = Literal["mf", "ace", "sam"]


@app.callback()
def _group() -> None:
    """Keep the command's name although there is one only."""


@app.command()
def match(
    scene: SceneArg,
    out: TargetArg,
    target: Annotated[
        Path, typer.Option("--target", help="A spectrum: .npy, .csv, or a library (.sli) with --spectrum.")
    ],
    wavelengths: Annotated[
        Path, typer.Option("--wavelengths", help="A text file of the band centres in nm, one per band.")
    ],
    spectrum: Annotated[
        str | None, typer.Option("--spectrum", help="The spectrum's name in a library.")
    ] = None,
    method: Annotated[
        Method, typer.Option("--method", help="Matched filter, ACE, or spectral angle.")
    ] = "mf",
    resample: Annotated[
        Literal["linear", "gaussian"] | None,
        typer.Option("--resample", help="Bring the target to the scene's wavelengths."),
    ] = None,
    shrinkage: Annotated[
        float, typer.Option("--shrinkage", help="Share of the diagonal in the covariance (mf, ace).")
    ] = 0.0,
    scale: Annotated[
        float,
        typer.Option("--scale", help="What one of the scene's numbers is in units of the target: 1e-4."),
    ] = 1.0,
    ranges: Annotated[
        str | None,
        typer.Option(
            "--ranges",
            metavar="A-B,…",
            help="Use only the bands between these wavelengths: 450-1340,1430-1800.",
        ),
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Compare every pixel with a target spectrum and write the scores as a COG; prints the file.

    The background is that of the scene, or of the part of it that is read.

    Example: geotoolz hyperspectral match cube.tif plume.tif --target ch4.csv --wavelengths bands.txt
    """
    from geotoolz.core import ParameterError, Sequential
    from geotoolz.hyperspectral._library import read_numbers, read_spectrum
    from geotoolz.hyperspectral._to_cube import ToCube
    from geotoolz.radiometry import SelectBands

    if not scale > 0:
        raise ParameterError(f"--scale {scale:g}", expected="a positive number")
    found = read_spectrum(target, spectrum)
    found = found / (scale if found.ndim == 1 else [1.0, scale])  # scores do not depend on a common factor
    op: Operator = _operator(method, found, resample, shrinkage).replace(ranges=_ranges(ranges))
    steps = [ToCube(read_numbers(wavelengths)), op, SelectBands((op.name,))]  # type: ignore[attr-defined]
    apply_operator(Sequential(steps), scene, out, aoi=aoi, res=res)


def _ranges(text: str | None) -> tuple[tuple[float, float], ...] | None:
    """Return the ranges of wavelengths that a text names."""
    from geotoolz.core import ParameterError

    if text is None:
        return None
    found = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        try:
            found.append((float(low), float(high)))
        except ValueError:
            raise ParameterError(
                f"--ranges {text!r} has {part!r}", expected="ranges in nanometres: 450-1340,1430-1800"
            ) from None
    return tuple(found)


def _operator(
    method: Method, target: object, resample: Literal["linear", "gaussian"] | None, shrinkage: float
) -> Operator:
    from geotoolz.core import FrozenArray, ParameterError
    from geotoolz.hyperspectral import ACE, SAM, MatchedFilter

    held = FrozenArray(target)  # type: ignore[arg-type]
    if method == "sam":
        if shrinkage:
            raise ParameterError(
                "--shrinkage with --method sam", fix="leave it out: angles have no background"
            )
        return SAM(held, resample=resample)
    cls = MatchedFilter if method == "mf" else ACE
    return cls(held, resample=resample, shrinkage=shrinkage)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz hyperspectral`` alone and return the exit code."""
    return run_app(app, "geotoolz hyperspectral", argv)
