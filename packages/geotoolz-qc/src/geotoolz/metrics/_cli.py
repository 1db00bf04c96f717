"""``geotoolz metrics``: compare files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import split_names
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, parse_aoi
from geotoolz.metrics._class_overlaps import ClassOverlaps, overlaps

if TYPE_CHECKING:
    from geotoolz.metrics import Comparison
    from geotoolz.metrics._pairs import PairReduce

_MEASURES, _CLASSES = ("rmse", "mae", "bias", "r2"), ("confusion", "iou")
app = group_app("How far two rasters or two maps are apart.")


@app.callback()
def _group() -> None:
    """Keep ``compare`` a command of its own while there is no other."""


@app.command()
def compare(
    predicted: Annotated[str, typer.Argument(metavar="A", help="The predicted raster or scene.")],
    truth: Annotated[str, typer.Argument(metavar="B", help="The true one, on the same grid.")],
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="A,B,…",
            help="rmse, mae, bias, r2 of measurements; confusion, iou of classes. By default all that fit.",
        ),
    ] = None,
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

    Example: geotoolz metrics compare ours.tif theirs.tif --bands ndvi
    """
    from geotoolz._cli._console import say_json

    chosen = None if metrics is None else _metrics(metrics)
    where = {"aoi": parse_aoi(aoi), "resolution": res, "raw": raw}
    found = _compared(predicted, truth, chosen, split_names(bands), where)
    if as_json:
        say_json({"predicted": predicted, "truth": truth, **found.to_dict()})
    else:
        _show(found)


def _metrics(text: str) -> tuple[str, ...]:
    from geotoolz.core import ParameterError, nearest

    known = (*_MEASURES, *_CLASSES)
    names = split_names(text) or ()
    for name in names:
        if name not in known:
            raise ParameterError(f"--metrics {name}{nearest(name, known)}", expected=", ".join(known))
    if not names:
        raise ParameterError("--metrics names none", expected=", ".join(known))
    return names


def _compared(
    predicted: str,
    truth: str,
    metrics: tuple[str, ...] | None,
    bands: tuple[str, ...] | None,
    where: dict[str, Any],
) -> Comparison:
    """Compare band by band: one band of each is in memory at a time."""
    from geotoolz.core._quantity import is_flags
    from geotoolz.io import open_scene
    from geotoolz.metrics import Comparison

    a, b = open_scene(predicted, **where), open_scene(truth, **where)
    found: dict[str, Any] = {}
    for name, other in _pairs(a.spec, b.spec, bands, metrics):
        one, two = a.read([name]), b.read([other])
        specs = (a.spec.variables[name], b.spec.variables[other])
        classes = is_flags(name, specs[0]) or is_flags(other, specs[1])
        chosen = metrics or (_CLASSES if classes else _MEASURES)
        found[name] = _results(one, two.rename({other: name}), name, chosen)
    left = [tuple(n for n in spec.variables if n not in found) for spec in (a.spec, b.spec)]
    return Comparison(found, *left)


def _results(a: Any, b: Any, band: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the results of one band; overlaps follow from the matrix, so that every class has one."""
    from geotoolz.metrics import MAE, R2, RMSE, Bias, ConfusionMatrix
    from geotoolz.metrics import compare as compare_tiles

    known: dict[str, type[PairReduce]] = {"rmse": RMSE, "mae": MAE, "bias": Bias, "r2": R2}
    metrics: list[PairReduce] = [known[name]() for name in names if name in known]
    if set(names) & set(_CLASSES):
        metrics.append(ConfusionMatrix())
    found = compare_tiles(a, b, metrics, bands=[band])[band]
    return {name: overlaps(found["confusion"]) if name == "iou" else found[name] for name in names}


def _pairs(
    a: Any, b: Any, bands: tuple[str, ...] | None, metrics: tuple[str, ...] | None
) -> Iterator[tuple[str, str]]:
    """Yield the bands that both have; single bands are compared whatever they are called."""
    from geotoolz.core import MissingVariableError, chosen_bands, image_bands
    from geotoolz.metrics._compare import class_bands

    if bands is not None:
        yield from ((a.find(name, "compare"), b.find(name, "compare")) for name in bands)
        return

    def shared(names: tuple[str, ...]) -> list[tuple[str, str]]:
        return [(name, found) for name in names if (found := b.lookup(name)) is not None]

    classes = metrics is not None and bool(set(metrics) & set(_CLASSES))
    pairs = shared(class_bands(a) if classes else image_bands(a))
    if not pairs and metrics is None:
        pairs = shared(class_bands(a))
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
    from geotoolz.metrics import ConfusionCounts

    rows = []
    for band, results in found.bands.items():
        for name, result in results.items():
            for label, value in _values(name, result):
                rows.append((band, label, value, result.n, result.left_out))
    table(("band", "metric", "value", "pixels", "left out"), rows)
    for band, results in found.bands.items():
        for result in results.values():
            if isinstance(result, ConfusionCounts):
                say(f"\n{band}: rows are true, columns predicted; kappa {result.kappa:.4g}\n{result}")


def _values(name: str, result: Any) -> list[tuple[str, float]]:
    """Return the numbers of a result that stand in the table, each with what it is."""
    from geotoolz.metrics import ConfusionCounts, Overlap

    if isinstance(result, ConfusionCounts):
        return [("overall accuracy", result.overall_accuracy)]
    if isinstance(result, ClassOverlaps):
        each = zip(result.names, result.counts.iou, strict=True)
        return [*((f"iou of class {one}", iou) for one, iou in each), ("mean iou", result.counts.mean_iou)]
    return [("iou of class 1" if isinstance(result, Overlap) else name, float(result))]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-metrics`` and return the exit code."""
    return run_app(app, "geotoolz-metrics", argv)
