"""``geotoolz qc``, also installed as ``geotoolz-qc``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import split_names
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SetOption, SourceArg, parse_aoi

if TYPE_CHECKING:
    from geotoolz.core import Assertion, Operator
    from geotoolz.qc import AssertSchema, AssertValueRange, QCReport

app = group_app("Quality control of scenes.")

#: exit code of a failed quality check
_FAILED = 4


@app.callback()
def _group() -> None:
    """Keep ``check`` a command of its own while there is no other."""


@app.command()
def check(
    scene: SourceArg,
    min_valid: Annotated[
        float,
        typer.Option(
            "--valid-fraction",
            "--min-valid",
            metavar="SHARE",
            help="Smallest share of valid pixels per band, 0 to 1.",
        ),
    ] = 0.5,
    value_range: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="MIN,MAX|BAND:MIN:MAX",
            help="Valid values have to lie in this range, of all bands or of one; may be repeated.",
        ),
    ] = None,
    max_outside: Annotated[
        float,
        typer.Option(
            "--max-outside", metavar="SHARE", help="Share of valid pixels that may lie outside --range."
        ),
    ] = 0.0,
    schema: Annotated[
        str | None,
        typer.Option(
            "--schema",
            metavar="STAGE|A,B,…",
            help="Variables that must be there: named, or of a stage (preprocessed, segmented, …).",
        ),
    ] = None,
    crs: Annotated[
        str | None, typer.Option("--crs", metavar="CRS", help="The CRS that it must have, EPSG:32633.")
    ] = None,
    pixel: Annotated[
        str | None,
        typer.Option("--resolution", metavar="MIN,MAX", help="Limits of the pixel size in metres."),
    ] = None,
    anchor: Annotated[
        str | None,
        typer.Option(
            "--aligned", metavar="X,Y", help="A point of the lattice that pixel edges must lie on: 0,0."
        ),
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option("--bands", metavar="A,B,…", help="Bands to check; by default all measurements."),
    ] = None,
    sample_cell: Annotated[
        int,
        typer.Option("--sample-cell", metavar="N", help="Look at one pixel of every N × N; a power of two."),
    ] = 1,
    pipeline: Annotated[
        str | None,
        typer.Option("--pipeline", metavar="FILE", help="Make the checks of this pipeline instead."),
    ] = None,
    sets: SetOption = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the report: .html or .json.")
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check scenes: enough valid pixels, values in range, bands, CRS, pixel size.

    SOURCE is a scene, a folder of scenes, or a catalog. Every check is made, whatever the others find.
    Exit code 0: all passed; 2: the command is wrong; 4: a check failed, or a scene could not be read.

    Example: geotoolz qc check out/ --min-valid 0.5 --range ndvi:-1:1 --report qc.html
    """
    from geotoolz._cli._options import load_pipeline
    from geotoolz.qc import QCReport

    names = split_names(bands)
    if report is not None:
        _writable(report)
    checks: Operator | list[Assertion]
    if pipeline is not None:
        checks = load_pipeline(pipeline, sets)
    else:
        asked = {"crs": crs, "resolution": pixel, "aligned": anchor, "schema": schema}
        pixels = (min_valid, value_range or [], max_outside, names, sample_cell)
        checks = [*_of_description(asked), *_of_pixels(*pixels)]
    found = QCReport.merged(_reports(scene, checks, names, {"aoi": parse_aoi(aoi), "resolution": res}))
    _say(found, as_json)
    if report is not None:
        found.save(report)
    if not found.passed:
        raise typer.Exit(_FAILED)


def _writable(report: Path) -> None:
    from geotoolz.core import ParameterError

    if report.suffix.lower() not in (".html", ".json"):
        raise ParameterError(f"--report {report}", expected="a name ending in .html or .json")


def _of_description(asked: dict[str, str | None]) -> Iterator[Assertion]:
    """Yield the checks that read no pixels."""
    from geotoolz.qc import AssertCRSEquals, AssertGridAligned, AssertResolutionWithin

    if (text := asked["schema"]) is not None:
        yield _schema(text)
    if (text := asked["crs"]) is not None:
        yield AssertCRSEquals(text)
    if (text := asked["resolution"]) is not None:
        yield AssertResolutionWithin(_pair(text, "--resolution", "MIN,MAX, such as 9.5,10.5"))
    if (text := asked["aligned"]) is not None:
        yield AssertGridAligned(_pair(text, "--aligned", "X,Y, such as 0,0"))


def _schema(text: str) -> AssertSchema:
    from typing import get_type_hints

    from geotoolz.qc import AssertSchema

    stages = get_args(get_args(get_type_hints(AssertSchema)["schema"])[0])
    if text in stages:
        return AssertSchema(schema=text)  # type: ignore[arg-type]
    return AssertSchema(split_names(text) or ())


def _of_pixels(
    min_valid: float, ranges: Sequence[str], max_outside: float, names: tuple[str, ...] | None, cell: int
) -> Iterator[Assertion]:
    """Yield the checks that read pixels."""
    from geotoolz.qc import AssertValidFraction

    yield AssertValidFraction(min_valid, names, cell)
    for text in ranges:
        yield _range(text, max_outside, names, cell)


def _range(text: str, max_outside: float, names: tuple[str, ...] | None, cell: int) -> AssertValueRange:
    from geotoolz.qc import AssertValueRange

    wanted = "MIN,MAX or BAND:MIN:MAX, such as --range=-0.2,1.6 or --range red:0:1"
    band, colon, limits = text.partition(":")
    if colon:
        low, high = _pair(limits.replace(":", ","), f"--range {text}", wanted)
        return AssertValueRange(low, high, (band.strip(),), max_outside, cell)
    low, high = _pair(text, "--range", wanted)
    return AssertValueRange(low, high, names, max_outside, cell)


def _pair(text: str, option: str, expected: str) -> tuple[float, float]:
    from geotoolz.core import ParameterError

    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise ParameterError(f"{option} {text}", expected=expected) from None
    return low, high


def _reports(
    source: str, checks: Operator | list[Assertion], names: tuple[str, ...] | None, where: dict[str, Any]
) -> Iterator[QCReport]:
    """Yield the report of every scene; windows of one scene are in memory at a time."""
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.core import GeotoolzError, chosen_bands
    from geotoolz.io import open_scene
    from geotoolz.qc import QCEntry, QCReport, run_checks

    known = False
    for label, place in open_scenes(source, where["aoi"]).sources():
        try:
            reader = open_scene(place, **where)
        except GeotoolzError as error:
            yield QCReport((QCEntry(label, "", "open_scene", "error", str(error)),))
            continue
        if not known and isinstance(checks, list):  # a band misspelt is a mistake, not a bad scene
            chosen_bands(reader.spec, names, "qc check")
            known = True
        found = run_checks(checks, reader) if isinstance(checks, list) else QCReport.collect(checks, reader)
        yield QCReport(tuple(dataclasses.replace(entry, tile=entry.tile or label) for entry in found))


def _say(report: QCReport, as_json: bool) -> None:
    from geotoolz._cli._console import say_json, table, told

    if as_json:
        say_json(report.to_dict())
        return
    several = len(report.tiles) > 1
    heads = ("check", "result", "found", "expected")
    rows = ((entry.check, entry.result, entry.found, entry.expected) for entry in report)
    if several:
        table(("tile", *heads), ((entry.tile, *row) for entry, row in zip(report, rows, strict=True)))
    else:
        table(heads, rows)
    for problem in report.problems:
        told(f"{problem.result}: {problem}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-qc`` and return the exit code."""
    return run_app(app, "geotoolz-qc", argv)
