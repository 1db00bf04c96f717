"""``geotoolz metrics``: compare files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import split_names
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, parse_aoi

if TYPE_CHECKING:
    from geotoolz.metrics import Comparison
    from geotoolz.metrics._pairs import PairReduce

app = group_app("How far two rasters or two maps are apart.")


@app.callback()
def _group() -> None:
    """Keep ``compare`` a command of its own while there is no other."""


@app.command()
def compare(
    predicted: Annotated[str, typer.Argument(metavar="A", help="The predicted raster or scene.")],
    truth: Annotated[str, typer.Argument(metavar="B", help="The true one, on the same grid.")],
    metrics: Annotated[
        str,
        typer.Option("--metrics", metavar="A,B,…", help="rmse, mae, bias, r2; for classes confusion, iou."),
    ] = "rmse,mae,bias,r2",
    bands: Annotated[
        str | None,
        typer.Option("--bands", metavar="A,B,…", help="Bands to compare; by default all that both have."),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Compare stored numbers.")] = False,
    aoi: AoiOption = None,
    res: ResOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two rasters or scenes band by band.

    Exit code 0: compared; 2: something is missing or does not fit, such as two different grids.
    """
    from geotoolz._cli._console import say_json

    chosen = _metrics(metrics)
    where = {"aoi": parse_aoi(aoi), "resolution": res, "raw": raw}
    found = _compared(predicted, truth, chosen, split_names(bands), where)
    if as_json:
        say_json({"predicted": predicted, "truth": truth, **found.to_dict()})
    else:
        _show(found)


def _metrics(text: str) -> tuple[PairReduce, ...]:
    from geotoolz.core import ParameterError, nearest
    from geotoolz.metrics import MAE, R2, RMSE, Bias, ConfusionMatrix, IoU

    known: dict[str, type[PairReduce]] = {
        "rmse": RMSE, "mae": MAE, "bias": Bias, "r2": R2, "confusion": ConfusionMatrix, "iou": IoU,
    }  # fmt: skip
    names = split_names(text) or ()
    for name in names:
        if name not in known:
            raise ParameterError(f"--metrics {name}{nearest(name, known)}", expected=", ".join(known))
    if not names:
        raise ParameterError("--metrics names none", expected=", ".join(known))
    return tuple(known[name]() for name in names)


def _compared(
    predicted: str,
    truth: str,
    metrics: tuple[PairReduce, ...],
    bands: tuple[str, ...] | None,
    where: dict[str, Any],
) -> Comparison:
    """Compare band by band: one band of each is in memory at a time."""
    from geotoolz.io import open_scene
    from geotoolz.metrics import Comparison
    from geotoolz.metrics import compare as compare_tiles

    a, b = open_scene(predicted, **where), open_scene(truth, **where)
    found: dict[str, Any] = {}
    for name, other in _pairs(a.spec, b.spec, bands, metrics):
        one, two = a.read([name]), b.read([other])
        found.update(compare_tiles(one, two.rename({other: name}), metrics, bands=[name]).bands)
    left = [tuple(n for n in spec.variables if n not in found) for spec in (a.spec, b.spec)]
    return Comparison(found, *left)


def _pairs(
    a: Any, b: Any, bands: tuple[str, ...] | None, metrics: tuple[PairReduce, ...]
) -> Iterator[tuple[str, str]]:
    """Yield the bands that both have; single bands are compared whatever they are called."""
    from geotoolz.core import MissingVariableError, chosen_bands, image_bands
    from geotoolz.metrics import ConfusionMatrix, IoU

    if bands is not None:
        yield from ((a.find(name, "compare"), b.find(name, "compare")) for name in bands)
        return
    classes = any(isinstance(one, ConfusionMatrix | IoU) for one in metrics)
    mine = tuple(a.variables) if classes else image_bands(a)
    pairs = [(name, found) for name in mine if (found := b.lookup(name)) is not None]
    if not pairs and len(a.variables) == len(b.variables) == 1:
        pairs = [(next(iter(a.variables)), next(iter(b.variables)))]
    if not pairs:
        raise MissingVariableError(
            f"A has {', '.join(a.variables)}, B has {', '.join(b.variables)}",
            expected="a band in both",
            fix="name it with --bands, or give two rasters with one band each",
        )
    chosen_bands(a, tuple(name for name, _ in pairs), "compare")
    yield from pairs


def _show(found: Comparison) -> None:
    from geotoolz._cli._console import say, table
    from geotoolz.metrics import ConfusionCounts, Overlap, Score

    rows = []
    for band, results in found.bands.items():
        for name, result in results.items():
            value = float(result) if isinstance(result, Score | Overlap) else result.overall_accuracy
            label = "overall accuracy" if isinstance(result, ConfusionCounts) else name
            rows.append((band, label, value, result.n, result.left_out))
    table(("band", "metric", "value", "pixels", "left out"), rows)
    for band, results in found.bands.items():
        for result in results.values():
            if isinstance(result, ConfusionCounts):
                say(f"\n{band}: rows are true, columns predicted; kappa {result.kappa:.4g}\n{result}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-metrics`` and return the exit code."""
    return run_app(app, "geotoolz-metrics", argv)
