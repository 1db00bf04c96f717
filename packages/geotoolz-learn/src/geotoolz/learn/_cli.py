"""``geotoolz learn``, also installed as ``geotoolz-learn``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, split_names
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SetOption, SourceArg
from geotoolz.learn._cli_map import applicability, area, draw
from geotoolz.learn._cli_samples import is_raster, of_raster, of_shapes
from geotoolz.learn._cli_train import train

if TYPE_CHECKING:
    from geotoolz.learn import FittedPixelModel
    from geotoolz.learn._pixelwise import Pixelwise

app = group_app("Models on pixels: fit them, predict scenes, say how good they are.")
app.command()(train)
app.command()(applicability)
app.command()(draw)
app.command()(area)


class Learner(StrEnum):
    """Estimators by name."""

    forest = "forest"
    extra_trees = "extra-trees"
    boosting = "boosting"
    tree = "tree"
    logistic = "logistic"
    regression_forest = "regression-forest"
    regression_boosting = "regression-boosting"


class Where(StrEnum):
    """What happens to pixels without data at prediction."""

    mask = "mask"
    propagate = "propagate"
    error = "raise"


ModelArg = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file, forest.gtz.")]
SamplesArg = Annotated[
    str, typer.Argument(metavar="SAMPLES", help="Labelled polygons or points, or a label raster (.tif).")
]
LabelOption = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="Column with the class; rasters have none.")
]
TrustedOption = Annotated[
    str | None,
    typer.Option("--trusted", metavar="TYPES", help="Types that the model may hold besides those of skops."),
]
NearestOption = Annotated[
    bool,
    typer.Option(
        "--nearest", help="Of a label raster on another grid, take the label under each pixel's centre."
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, other draws.")]


@app.command()
def fit(
    source: SourceArg,
    samples: SamplesArg,
    model: ModelArg,
    label: LabelOption = None,
    learner: Annotated[Learner, typer.Option("--estimator", help="What is fitted.")] = Learner.forest,
    trees: Annotated[
        int | None, typer.Option("--trees", metavar="N", min=1, help="Trees, or rounds of boosting.")
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option("--bands", metavar="A,B,…", help="Features; by default all, those of the pipeline too."),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option("--pipeline", metavar="PIPELINE", help="Makes the features: YAML or a preset."),
    ] = None,
    set_: SetOption = None,
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            metavar="K",
            min=0,
            help="Cross-validate; polygons stay whole, pixels of a raster in blocks. 0: do not.",
        ),
    ] = 5,
    block: Annotated[
        float | None,
        typer.Option(
            "--block-size",
            metavar="METRES",
            min=0,
            help="Side of the blocks; by default polygons, or a tenth of the width of a raster's samples.",
        ),
    ] = None,
    pixels: Annotated[
        int | None, typer.Option("--pixels", metavar="N", min=1, help="How many pixels of a label raster.")
    ] = None,
    chip: Annotated[
        int, typer.Option("--chip", metavar="PIXELS", min=1, help="Chips that share them.")
    ] = 256,
    nearest: NearestOption = False,
    seed: SeedOption = 0,
) -> None:
    """Fit a model on samples, and write it; print what it is and how it scored.

    Example: geotoolz learn fit scenes/ samples.gpkg forest.gtz --label crop
    """
    from geotoolz._cli._console import say
    from geotoolz._cli._options import load_pipeline
    from geotoolz.core import ParameterError
    from geotoolz.learn import ToPixelMajor, fit_rows
    from geotoolz.learn._cli_samples import folds_for

    op = None if pipeline is None else load_pipeline(pipeline, set_)
    names = split_names(bands)
    if is_raster(samples):
        if label is not None:
            raise ParameterError("--label with a label raster", fix="leave it out")
        rows = of_raster(source, samples, op, names, pixels, chip, seed, nearest)
    else:
        if pixels is not None or nearest:
            option = "--nearest" if pixels is None else "--pixels"
            raise ParameterError(f"{option} without a label raster", fix="leave it out")
        rows = of_shapes(source, samples, label, op, names)
    made = fit_rows(
        _estimator(learner, trees), rows, adapter=ToPixelMajor(rows.features), pipeline=op,
        cv=folds_for(rows, folds, block, seed), random_state=seed,
    )  # fmt: skip
    ref = made.save(model)
    told = f"{len(made.features)} features ({', '.join(made.features)})"
    say(f"{_score(made)}{len(rows)} pixels, {told}: {model}")
    say(f"sha256 {ref.sha256}")


@app.command()
def predict(
    model: ModelArg,
    scene: SceneArg,
    out: TargetArg,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="A raster per class instead of the class.")
    ] = False,
    uncertainty: Annotated[
        str | None, typer.Option("--uncertainty", metavar="NAMES", help="entropy, margin, variance.")
    ] = None,
    nodata: Annotated[Where, typer.Option("--nodata", help="Pixels that lack a feature.")] = Where.mask,
    trusted: TrustedOption = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Predict a scene, with the pipeline that the model was fitted with; print the files.

    Example: geotoolz learn predict forest.gtz scene/ crops.tif
    """
    from geotoolz._cli._apply import apply_operator
    from geotoolz.core import Sequential
    from geotoolz.learn import read_info
    from geotoolz.radiometry import SelectBands

    info = read_info(model)
    op = _operator(model, info.kind, probabilities, split_names(uncertainty), nodata, split_names(trusted))
    before = info.feature_pipeline()
    # the features are means to an end: they are not written
    whole = op if before is None else Sequential([before, op, SelectBands(tuple(op.outputs(info, ())))])
    apply_operator(whole, scene, out, aoi=aoi, res=res)


@app.command()
def evaluate(
    model: ModelArg,
    source: SourceArg,
    samples: SamplesArg,
    label: LabelOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A report: .json or .html.")
    ] = None,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", metavar="N", min=0, help="Draws of whole polygons, for intervals.")
    ] = 0,
    nearest: NearestOption = False,
    trusted: TrustedOption = None,
    seed: SeedOption = 0,
) -> None:
    """Compare predictions with samples that the model has not seen; print the accuracy.

    Example: geotoolz learn evaluate forest.gtz scenes/ samples.gpkg --label crop
    """
    import numpy as np

    from geotoolz._cli._console import say
    from geotoolz.core import ParameterError
    from geotoolz.learn import accuracy_report, load_model, regression_report
    from geotoolz.learn._classes import plain_labels
    from geotoolz.learn._seen import warn_if_seen

    held = load_model(model, trusted=split_names(trusted) or ())
    if held.kind not in ("classifier", "regressor"):
        raise ParameterError(f"the model is a {held.kind}", expected="a classifier or a regressor")
    rows = (
        of_raster(source, samples, held.feature_pipeline(), held.features, None, 256, seed, nearest)
        if is_raster(samples)
        else of_shapes(source, samples, label, held.feature_pipeline(), held.features)
    )
    warn_if_seen(held, rows)
    truth, said = np.asarray(rows.y), held.predict_rows(rows)
    report: Any
    if held.kind == "classifier":
        report = accuracy_report(
            plain_labels(truth), said, classes=held.classes,
            names=dict(zip(held.classes, held.class_names, strict=True)),
            groups=rows.groups, bootstrap=bootstrap, seed=seed,
        )  # fmt: skip
    else:
        report = regression_report(truth, said, groups=rows.groups)
    say(str(report))
    if out is not None:
        report.write(out)
        say(str(out))


@app.command()
def report(model: ModelArg, as_json: JsonOption = False) -> None:
    """Print what a model is: features, classes, where and when it was fitted, how it scored.

    Example: geotoolz learn report forest.gtz
    """
    from dataclasses import asdict

    from geotoolz._cli._console import facts, say_json
    from geotoolz.learn import read_info
    from geotoolz.learn._cli_map import steps_told

    info = read_info(model)
    if as_json:
        own = {name: value for name, value in asdict(info).items() if name != "seen"}
        for name in ("adapter", "nodata_policy"):
            own[name] = getattr(info, name).config()
        say_json(own)
        return
    scores = info.metrics.get("cv", {})
    facts((
        ("kind", info.kind), ("features", ", ".join(info.features)), ("type", info.dtype),
        ("classes", ", ".join(f"{c} {n}" for c, n in zip(info.codes, info.class_names, strict=True))),
        ("targets", ", ".join(info.targets)), ("rows", info.n_rows),
        ("extent", "" if info.extent is None else ", ".join(f"{v:.4f}" for v in info.extent)),
        ("dates", "" if info.dates is None else " … ".join(info.dates)),
        ("pipeline", steps_told(info)), ("pipeline hash", info.pipeline_hash),
        ("exact", "yes" if info.exact else "no"),
        ("deviation", ", ".join(f"{k} {v:g}" for k, v in info.deviation.items())),
        (scores.get("scoring", "score"), f"{scores['mean']:.4f} ({scores['splitter']})" if scores else ""),
        ("versions", ", ".join(f"{k} {v}" for k, v in info.versions.items())),
    ))  # fmt: skip


def _estimator(learner: Learner, trees: int | None) -> Any:
    from sklearn import ensemble, linear_model, pipeline, preprocessing, tree

    from geotoolz.core import ParameterError

    made = {
        Learner.forest: ensemble.RandomForestClassifier,
        Learner.extra_trees: ensemble.ExtraTreesClassifier,
        Learner.boosting: ensemble.HistGradientBoostingClassifier,
        Learner.regression_forest: ensemble.RandomForestRegressor,
        Learner.regression_boosting: ensemble.HistGradientBoostingRegressor,
    }
    if learner in made:
        count = "max_iter" if "boosting" in learner else "n_estimators"
        own = {} if "boosting" in learner else {"n_jobs": -1}
        return made[learner](**own, **({} if trees is None else {count: trees}))
    if trees is not None:
        raise ParameterError(f"--trees has no effect with --estimator {learner.value}", fix="leave it out")
    if learner is Learner.tree:
        return tree.DecisionTreeClassifier()
    return pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=1000)
    )


def _operator(
    model: Path,
    kind: str,
    probabilities: bool,
    uncertainty: tuple[str, ...] | None,
    nodata: Where,
    trusted: tuple[str, ...] | None,
) -> Pixelwise:
    from importlib import import_module

    from geotoolz.learn._pixelwise import OPERATORS

    learn = import_module("geotoolz.learn")
    given: dict[str, Any] = {"model": model, "nodata": nodata.value, "trusted": trusted or ()}
    if probabilities or uncertainty:
        chosen = None if probabilities else ()
        kind, given = "probabilities", {**given, "classes": chosen, "uncertainty": uncertainty or ()}
    name = OPERATORS.get(kind, "PixelwiseProbabilities")
    op: Pixelwise = getattr(learn, name)(**given)
    return op


def _score(model: FittedPixelModel) -> str:
    scores = model.metrics.get("cv")
    if scores is None:
        return ""
    how = "" if scores["splitter"] == "int" else f" ({scores['splitter']})"
    return f"{scores['scoring']} {scores['mean']:.4f}{how}, "


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-learn`` and return the exit code."""
    return run_app(app, "geotoolz-learn", argv)
