"""``geotoolz cloud``, also installed as ``geotoolz-cloud``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, apply_operator, split_names
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SourceArg

if TYPE_CHECKING:
    from geotoolz.cloud import CloudFraction, MaskClouds
    from geotoolz.core import Operator

app = group_app("Clouds and shadows: mask them by the product's own rules.")

#: exit code of a run that finished with failed scenes
_SOME_FAILED = 3
#: shadows are darker than this in the near infrared, as in the s2cloudless tutorial
_DARK = 0.15

FlagsOption = Annotated[
    str | None,
    typer.Option(
        "--flags",
        metavar="A,B,…",
        help="What counts: cloud, cirrus, shadow, snow, water, dilated, …; "
        "by default those of cloud, cirrus and shadow that the product has.",
    ),
]
QaOption = Annotated[
    str | None,
    typer.Option(
        "--qa", metavar="NAME", help="The quality layer, if several could be meant, or another product's."
    ),
]
LayerOption = Annotated[
    str | None,
    typer.Option(
        "--layer", metavar="CODING", help="Its coding: scl, qa_pixel, fmask, state_1km, qa60 or udm2."
    ),
]
ConfidenceOption = Annotated[
    str | None,
    typer.Option(
        "--min-confidence", metavar="LEVEL", help="low, medium or high, where the product tells confidences."
    ),
]


@app.command()
def mask(
    scene: SceneArg,
    out: TargetArg,
    flags: FlagsOption = None,
    bands: Annotated[
        str | None,
        typer.Option(
            "--bands", metavar="A,B,…", help="Bands to mask and write; by default all measurements."
        ),
    ] = None,
    qa: QaOption = None,
    layer: LayerOption = None,
    min_confidence: ConfidenceOption = None,
    buffer: Annotated[
        float, typer.Option("--buffer", metavar="METRES", help="Grow the mask by so many metres.")
    ] = 0.0,
    shadows: Annotated[
        bool,
        typer.Option(
            "--shadows",
            help="Mask dark pixels, too, where clouds from 200 to 6000 m may cast their shadow.",
        ),
    ] = False,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Set the bands of a scene to no-data under clouds, and write them as COGs on one grid.

    Prints the files. For folders and catalogs, and for scenes larger than memory: `geotoolz run mask`.

    Example: geotoolz cloud mask scene/ masked.tif --bands red,nir --buffer 60
    """
    from geotoolz.cloud import MaskClouds

    options: dict[str, Any] = {"qa": qa, "layer": layer, "min_confidence": min_confidence}
    op = MaskClouds(split_names(flags), split_names(bands), **options)
    grown = _grown(op, scene, buffer, shadows) if buffer or shadows else op
    apply_operator(grown, scene, out, aoi=aoi, res=res)


def _grown(op: MaskClouds, scene: str, buffer: float, shadows: bool) -> Operator:
    """Return the same masking with a buffer around what is flagged, and with shadows."""
    from geotoolz.cloud import ApplyMask, BufferMask, MaskFromFlags, ProjectShadows
    from geotoolz.core import Sequential
    from geotoolz.io import describe

    bands = tuple(op.plan(describe(scene)).writes)
    options: dict[str, Any] = {"qa": op.qa, "layer": op.layer, "min_confidence": op.min_confidence}
    grow = [BufferMask(buffer)] if buffer else []
    steps: list[Operator] = []
    if shadows:  # first, while the near infrared is not masked yet
        clouds = MaskFromFlags(("cloud",), **options)
        steps.append(
            ApplyMask(Sequential([clouds, ProjectShadows(max_nir=_DARK, name="mask"), *grow]), bands)
        )
    steps.append(ApplyMask(Sequential([MaskFromFlags(op.flags, **options), *grow]), bands))
    return Sequential(steps)


@app.command()
def fraction(
    source: SourceArg,
    flags: FlagsOption = None,
    qa: QaOption = None,
    layer: LayerOption = None,
    min_confidence: ConfidenceOption = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the share of cloudy pixels of a scene, of a folder of scenes, or of a catalog.

    Only quality layers are read. Exit code 3 if some scenes could not be.

    Example: geotoolz cloud fraction scenes/ --flags cloud,cirrus
    """
    from geotoolz._cli._console import say_json, table
    from geotoolz._cli._options import parse_aoi
    from geotoolz.cloud import CloudFraction

    options: dict[str, Any] = {"qa": qa, "layer": layer, "min_confidence": min_confidence}
    op = CloudFraction(split_names(flags), **options)
    rows = list(_fractions(op, source, parse_aoi(aoi), res))
    if as_json:
        say_json(rows)
    else:
        shown = (
            (row["scene"], row["datetime"], "–" if row["fraction"] is None else f"{row['fraction']:.2%}")
            for row in rows
        )
        table(("scene", "datetime", "cloudy"), shown)
    if any("error" in row for row in rows):
        raise typer.Exit(_SOME_FAILED)


def _fractions(op: CloudFraction, source: str, aoi: Any, res: float | None) -> Iterator[dict[str, Any]]:
    """Yield scene by scene what was found; a scene alone raises its error."""
    from geotoolz._cli._console import told
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.core import GeotoolzError
    from geotoolz.io import describe, open_tile

    scenes = open_scenes(source, aoi)
    where: dict[str, Any] = {"aoi": aoi, "resolution": res}
    for name, scene in scenes.sources():
        try:
            spec = describe(scene, **where)
            share = op(open_tile(scene, op.plan(spec).all_reads(), **where))
        except GeotoolzError as error:
            if len(scenes) == 1:
                raise
            told(f"{name}: {error}")
            yield {"scene": name, "datetime": None, "fraction": None, "error": str(error)}
            continue
        when = str(spec.attrs.get("datetime") or "") or None
        yield {"scene": name, "datetime": when, "fraction": None if math.isnan(share) else share}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-cloud`` and return the exit code."""
    return run_app(app, "geotoolz-cloud", argv)
