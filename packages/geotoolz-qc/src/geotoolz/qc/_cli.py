"""``geotoolz qc``, also installed as ``geotoolz-qc``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, split_names
from geotoolz._cli._options import AoiOption, JsonOption, ResOption

if TYPE_CHECKING:
    from geotoolz.qc import AssertValueRange

app = group_app("Quality control of scenes.")

#: exit code of a failed quality check
_FAILED = 4


@app.command()
def check(
    scene: SceneArg,
    min_valid: Annotated[
        float,
        typer.Option("--min-valid", metavar="SHARE", help="Smallest share of valid pixels per band, 0 to 1."),
    ] = 0.5,
    value_range: Annotated[
        str | None, typer.Option("--range", metavar="MIN,MAX", help="Valid values have to lie in this range.")
    ] = None,
    max_outside: Annotated[
        float,
        typer.Option(
            "--max-outside", metavar="SHARE", help="Share of valid pixels that may lie outside --range."
        ),
    ] = 0.0,
    bands: Annotated[
        str | None,
        typer.Option("--bands", metavar="A,B,…", help="Bands to check; by default all measurements."),
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a scene band by band: enough valid pixels, values in range.

    Exit code 4 if a check fails.
    """
    from geotoolz._cli._console import say_json, table, told

    limits = _range(value_range, max_outside)
    rows, wrong = [], []
    for row, said in _bands(
        scene, split_names(bands), min_valid, limits, {"aoi": _area(aoi), "resolution": res}
    ):
        rows.append(row)
        wrong += said
    if as_json:
        say_json({"scene": scene, "passed": not wrong, "bands": rows, "failed": wrong})
    else:
        table(tuple(rows[0]), ([_shown(name, value) for name, value in row.items()] for row in rows))
        for text in wrong:
            told(f"failed: {text}")
    if wrong:
        raise typer.Exit(_FAILED)


def _area(aoi: str | None) -> Any:
    from geotoolz._cli._options import parse_aoi

    return parse_aoi(aoi)


def _range(text: str | None, max_outside: float) -> AssertValueRange | None:
    from geotoolz.core import ParameterError
    from geotoolz.qc import AssertValueRange

    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise ParameterError(f"--range {text}", expected="MIN,MAX, such as --range=-0.2,1.6") from None
    return AssertValueRange(low, high, max_outside=max_outside, on_fail="warn")


def _bands(
    scene: str,
    names: tuple[str, ...] | None,
    min_valid: float,
    limits: AssertValueRange | None,
    where: dict[str, Any],
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield the figures of every band, and what is wrong with it; one band is in memory at a time."""
    from geotoolz.core import QCWarning, Sequential, chosen_bands, run_detailed
    from geotoolz.io import describe, open_tile
    from geotoolz.qc import AssertValidFraction

    enough = AssertValidFraction(min_valid, on_fail="warn")
    asserted = Sequential([enough] if limits is None else [enough, limits])
    for name in chosen_bands(describe(scene, **where), names, "qc check"):
        tile = open_tile(scene, [name], **where)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", QCWarning)
            found = run_detailed(asserted, tile).statistics
        row = {"band": name, "valid": found["operators[0]"][name]}
        if limits is not None:
            count = found["operators[1]"][name]
            row |= {
                "min": count.low if count.valid else None,
                "max": count.high if count.valid else None,
                "outside": count.outside / count.valid if count.valid else 0.0,
            }
        yield row, [str(one.message) for one in said if issubclass(one.category, QCWarning)]


def _shown(name: str, value: Any) -> Any:
    return f"{value:.2%}" if name in ("valid", "outside") else value


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-qc`` and return the exit code."""
    return run_app(app, "geotoolz-qc", argv)
