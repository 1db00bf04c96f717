"""``geotoolz learn applicability``, ``draw`` and ``area``: what comes after the map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from geotoolz._cli._apply import SceneArg, TargetArg, split_names
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SourceArg

if TYPE_CHECKING:
    from geotoolz.core._lazy import xr
    from geotoolz.learn import ModelInfo

_VECTORS = (".gpkg", ".geojson", ".fgb")

MapArg = Annotated[str, typer.Argument(metavar="MAP", help="A raster of classes.")]
NameOption = Annotated[
    str | None, typer.Option("--variable", metavar="NAME", help="Its variable, if it has several.")
]


def applicability(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file, forest.gtz.")],
    source: SourceArg,
    samples: Annotated[
        str,
        typer.Argument(metavar="SAMPLES", help="What it was trained on: polygons, points, a label raster."),
    ],
    scene: SceneArg,
    out: TargetArg,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="COLUMN", help="Column with the class; rasters have none."),
    ] = None,
    folds: Annotated[
        int,
        typer.Option(
            "--folds", metavar="K", min=0, help="Those of its cross-validation. 0: every row alone."
        ),
    ] = 5,
    block: Annotated[
        float | None, typer.Option("--block-size", metavar="METRES", min=0, help="Side of the blocks.")
    ] = None,
    trusted: Annotated[
        str | None,
        typer.Option(
            "--trusted", metavar="TYPES", help="Types that the model may hold besides those of skops."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, other draws.")] = 0,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Map how unlike a scene is to what a model was trained on, and where the model may be believed.

    Writes the dissimilarity index and the area of applicability (Meyer & Pebesma 2021).

    Example: geotoolz learn applicability forest.gtz scenes/ samples.gpkg scene/ where.tif --label crop
    """
    from geotoolz._cli._apply import apply_operator
    from geotoolz._cli._console import told
    from geotoolz.core import Sequential
    from geotoolz.learn import load_model, training_dissimilarity
    from geotoolz.learn._cli_samples import folds_for, is_raster, of_raster, of_shapes
    from geotoolz.radiometry import SelectBands

    held = load_model(model, trusted=split_names(trusted) or ())
    before = held.feature_pipeline()
    rows = (
        of_raster(source, samples, before, held.features, None, 256, seed)
        if is_raster(samples)
        else of_shapes(source, samples, label, before, held.features)
    )
    splitter = folds_for(rows, folds, block, seed)
    if isinstance(splitter, int):
        from sklearn.model_selection import GroupKFold

        splitter = GroupKFold(splitter)
    known = training_dissimilarity(rows, importances=_weighing(held), folds=splitter, seed=seed)
    op = known.operator(adapter=held.adapter)
    whole = op if before is None else Sequential([before, op, SelectBands((op.di, op.aoa))])
    apply_operator(whole, scene, out, aoi=aoi, res=res)
    told(f"inside: dissimilarity up to {known.threshold:.4f}, from {len(known.rows)} training pixels")


def _weighing(model: Any) -> Any:
    """Return what weighs the features: the model, where its estimator says how important they are."""
    from geotoolz.learn._estimators import final

    return model if hasattr(final(model.estimator), "feature_importances_") else None


def draw(
    map: MapArg,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A vector file, sample.gpkg.")],
    per_class: Annotated[
        int, typer.Option("--per-class", metavar="N", min=2, help="Pixels of every class.")
    ] = 50,
    variable: NameOption = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, other places.")] = 0,
) -> None:
    """Draw places of a map at random within each class, to look up what is truly there; for `area`.

    The column `truth` is empty: fill it without looking at `mapped`.

    Example: geotoolz learn draw crops.tif checked.gpkg --per-class 50
    """
    from geotoolz._cli._console import say
    from geotoolz.core import ParameterError, WriteError
    from geotoolz.learn import sample_map

    if out.suffix.lower() not in _VECTORS:
        raise ParameterError(f"{out}", expected=f"a name that ends in {', '.join(_VECTORS)}")
    tile, name = _map(map, variable)
    points = sample_map(tile, per_class, name, seed=seed)
    points["truth"] = ""
    try:
        points.to_file(out)
    except (OSError, ValueError, RuntimeError) as error:
        raise WriteError(
            f"{out} cannot be written: {error}", expected="a folder that can be written"
        ) from error
    counts = ", ".join(f"{n} {k}" for k, n in points["mapped_name"].value_counts().sort_index().items())
    say(f"{len(points)} places ({counts}): {out}")


def area(
    map: MapArg,
    samples: Annotated[
        str, typer.Argument(metavar="SAMPLES", help="Points that say what is truly there; see `draw`.")
    ],
    truth: Annotated[
        str, typer.Option("--label", metavar="COLUMN", help="Column with the true class: its number or name.")
    ] = "truth",
    variable: NameOption = None,
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="ha, km2, m2.")] = "ha",
    confidence: Annotated[
        float, typer.Option("--confidence", metavar="P", min=0.5, max=0.999, help="Of the intervals.")
    ] = 0.95,
    as_json: JsonOption = False,
) -> None:
    """Estimate the areas of a map's classes from a random sample of it, with confidence intervals.

    The sample must have been drawn at random within each class of the map (Olofsson et al. 2014).

    Example: geotoolz learn area crops.tif checked.gpkg --unit ha
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz.learn import area_estimates, mapped_areas
    from geotoolz.learn._map_counts import counted

    tile, name = _map(map, variable)
    confusion = counted(tile, _points(samples), truth, name)
    areas = mapped_areas(tile, name, unit=cast("Any", unit))  # its values are checked there
    there = {code: size for code, size in areas.items() if code in confusion.classes}
    found = area_estimates(confusion, there, confidence=confidence)
    if as_json:
        say_json({"unit": unit, **found.to_dict()})
    else:
        say(f"{found}\nareas in {unit}, ± at {confidence:.0%} confidence")


def _map(source: str, variable: str | None) -> tuple[xr.Dataset, str]:
    from geotoolz.core import ParameterError, TileSpec
    from geotoolz.io import open_tile

    tile = open_tile(source, None if variable is None else (variable,), raw=True)
    if variable is None and len(tile.data_vars) != 1:
        raise ParameterError(
            f"{source} has {', '.join(map(str, tile.data_vars))}",
            expected="one variable",
            fix="--variable NAME",
        )
    spec = TileSpec.of(tile)
    return tile, spec.find(variable, "the map") if variable is not None else next(iter(spec.variables))


def _points(samples: str) -> Any:
    import geopandas

    from geotoolz.core import ReadError

    path, _, layer = samples.partition(":") if not Path(samples).exists() else (samples, "", "")
    try:
        return geopandas.read_file(path, **({"layer": layer} if layer else {}))
    except (OSError, ValueError, RuntimeError) as error:
        raise ReadError(f"{samples} cannot be read: {error}", expected="a file of points") from error


def steps_told(info: ModelInfo) -> str:
    """Return the steps of the pipeline that made a model's features; empty where there is none."""
    from geotoolz.core import GeotoolzError, Sequential

    if info.pipeline is None:
        return ""
    try:
        op = info.feature_pipeline()
    except GeotoolzError:  # its package is not installed here: the names are there all the same
        return " → ".join(_names(info.pipeline))
    steps = op.operators if isinstance(op, Sequential) else (op,)
    return " → ".join(map(repr, steps))


def _names(config: Mapping[str, Any]) -> list[str]:
    steps = config.get("operators")
    if isinstance(steps, list):
        return [name for step in steps for name in _names(step)]
    return [str(config.get("_target_", "?")).rpartition(".")[2]]
