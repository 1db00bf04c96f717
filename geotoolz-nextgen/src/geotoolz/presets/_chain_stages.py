"""The stages of a chain: what each computes and writes, and whose outputs it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geotoolz.core import (
    ConfigError,
    GeotoolzError,
    Operator,
    Ref,
    Sequential,
    Sink,
    from_config,
    load,
)
from geotoolz.io import WriteCOG
from geotoolz.learn import Ensemble, ModelOp, Postprocess, ReadLabelNearest, WritePolygons
from geotoolz.metrics import ConfusionMatrix
from geotoolz.presets._chain_config import ChainConfig, EvaluateConfig, SegmentConfig
from geotoolz.qc import AssertSchema
from geotoolz.radiometry import BandMath, ClassifyByThresholds, RenameBands, SelectBands

__all__ = ["Stage", "stages_of"]

_EACH = "{item_id}_{band}.tif"
#: said + 2 · true, and how it is shown
_OUTCOMES = {
    "background": "#f0f0f0",
    "false_alarm": "#e6550d",
    "missed": "#3182bd",
    "hit": "#31a354",
}


@dataclass(frozen=True)
class Stage:
    """One stage: a batch over the catalog, or over what other stages have written.

    Attributes
    ----------
    name : str
        Also of its folder.
    body : Operator
        What it computes.
    sink : Sink
        What it writes.
    feeds : tuple of str
        Stages whose outputs it reads; without one the catalog's scenes.
    read : mapping
        How they are read.
    """

    name: str
    body: Operator
    sink: Sink
    feeds: tuple[str, ...] = ()
    read: Mapping[str, Any] = field(default_factory=dict)

    @property
    def op(self) -> Operator:
        """Both, as one pipeline."""
        steps = self.body.operators if isinstance(self.body, Sequential) else (self.body,)
        return Sequential((*steps, self.sink))


def stages_of(config: ChainConfig, folder: Path) -> tuple[Stage, ...]:
    """Return the stages of a configuration, in their order.

    Raises
    ------
    GeotoolzError
        With the stage's name in front.
    """
    raw = {"raw": True}  # as the stage before has packed it
    made = [
        _named("preprocess", _preprocess, config, folder),
        _named("segment", _segment, config, folder),
    ]
    post = Postprocess(**config.postprocess.model_dump())
    made.append(
        Stage("postprocess", post, WriteCOG(_EACH, config.export.rasters), ("preprocess", "segment"), raw)
    )
    wanted = config.export.polygons
    if wanted is not None:
        sink = WritePolygons(
            f"{{item_id}}.{wanted.format}", statistics=wanted.statistics or None,
            min_area=wanted.min_area, connectivity=wanted.connectivity,
        )  # fmt: skip
        feeds = ("preprocess", "segment", "postprocess")
        made.append(Stage("polygons", Sequential([]), sink, feeds, raw))
    if config.evaluate is not None:
        body = _evaluate(config.evaluate, folder)
        made.append(Stage("evaluate", body, WriteCOG(_EACH, ("outcome",)), ("postprocess",), raw))
    return tuple(made)


def _named(name: str, make: Any, config: ChainConfig, folder: Path) -> Stage:
    try:
        stage: Stage = make(config, folder)
    except GeotoolzError as error:
        raise error.prefixed(name) from error
    return stage


def _preprocess(config: ChainConfig, folder: Path) -> Stage:
    own = config.preprocess
    steps = [*_steps(_pipeline(own.pipeline, folder))]
    if own.variables is not None:
        steps.append(SelectBands(own.variables))
    if own.schema_ is not None:
        steps.append(AssertSchema(schema=own.schema_))
    return Stage("preprocess", Sequential(steps), WriteCOG(_EACH, own.variables), read=own.read)


def _segment(config: ChainConfig, folder: Path) -> Stage:
    own = config.segment
    body = _pipeline(own.pipeline, folder) if own.pipeline is not None else _models(own, folder)
    return Stage("segment", body, WriteCOG(_EACH), ("preprocess",), {"raw": True})


def _models(config: SegmentConfig, folder: Path) -> Operator:
    """Return one model, or the ensemble of several; their files are pinned by content."""
    members = {}
    for name, told in config.models.items():
        ref = Ref.of(folder / told) if isinstance(told, str) else Ref(told.uri, told.sha256).resolved(folder)
        members[name] = ModelOp(ref, **config.options)
        _ = members[
            name
        ].config_of_model  # a file that is no checkpoint, or no torch, is told before anything runs
    if len(members) == 1:
        return next(iter(members.values()))
    return Ensemble(
        members, weights=config.weights, keep_members=config.keep_members, uncertainty=config.uncertainty
    )


def _evaluate(config: EvaluateConfig, folder: Path) -> Operator:
    """Return what compares the objects with the labels: pixels without data count on neither side."""
    from geotoolz.catalog import ReadLabel

    path = config.labels if "://" in config.labels else str(folder / config.labels)
    label: Operator = (
        ReadLabelNearest(path, "label") if config.nearest else ReadLabel(path, config.column, "label")
    )
    found = {"binarized_segmentation": "found", "probabilities_percent": "percent"}
    steps = [RenameBands(found), label, BandMath(f"where(label == {config.positive}, 1, 0)", name="labelled")]
    true = "labelled"
    if config.background:  # it writes 0 where there is no label
        steps.append(Postprocess(0.5, probabilities="labelled"))
        true = "binarized_segmentation"
    return Sequential(
        [
            *steps,
            BandMath({"said": "found + 0 * percent", "true": true}),
            ConfusionMatrix("said", "true", (0, 1)),
            BandMath("said + 2 * true", name="both"),
            ClassifyByThresholds(
                "both", (0.5, 1.5, 2.5), tuple(_OUTCOMES), tuple(_OUTCOMES.values()), name="outcome"
            ),
        ]
    )


def _pipeline(told: str | dict[str, Any], folder: Path) -> Operator:
    """Load a pipeline: a YAML file, a preset, or what stands in the configuration."""
    from geotoolz.core import preset
    from geotoolz.core._presets import preset_names

    if not isinstance(told, str):
        return _without_sink(from_config(told))
    if told in preset_names():
        return preset(told)
    return _without_sink(load(folder / told))


def _without_sink(op: Operator) -> Operator:
    if any(isinstance(step, Sink) for _, step in op.walk()):
        raise ConfigError("the pipeline has a step that writes", fix="leave it out: the chain writes")
    return op


def _steps(op: Operator) -> tuple[Operator, ...]:
    return op.operators if isinstance(op, Sequential) else (op,)
