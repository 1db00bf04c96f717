"""The base of the operators that ask a model about every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from geotoolz.core import (
    Footprint,
    Map,
    ParameterError,
    Plan,
    QuantityError,
    Ref,
    TileSpec,
    VarSpec,
)
from geotoolz.learn._adapters import Adapter
from geotoolz.learn._handle import ModelHandle
from geotoolz.learn._layout import Layout, quantities
from geotoolz.learn._model import FittedPixelModel, ModelInfo
from geotoolz.learn._persist import OtherVersions
from geotoolz.learn._predict import Compute, PixelCall, predict_tile

ModelParam = Annotated[FittedPixelModel | Ref, "model"]
"""A field that holds a model: in memory, or in a file that is pinned by its content."""

WhereNodata = Literal["mask", "propagate", "raise"]


class _Tags:
    """``reads_files``; of an operator whose model's rounding depends on the cut ``approximate`` too."""

    def __get__(self, op: Pixelwise | None, cls: type) -> frozenset[str]:
        own = frozenset({"reads_files"})
        return own if op is None or op.handle.info.exact else own | {"approximate"}


class Pixelwise(Map, abstract=True):
    """Base: a model is asked about every pixel that has data.

    Features are found by name, in the order of the model. The estimator's own methods are called, on 65 536
    rows at a time; it is never fitted again, nor changed. A model in memory cannot stand in a configuration;
    ``model.save(path)`` gives the `Ref` that can.
    """

    tags: ClassVar[Any] = _Tags()

    kernel = staticmethod(predict_tile)
    kinds: ClassVar[tuple[str, ...]] = ()
    method: ClassVar[str] = "predict"

    model: ModelParam
    nodata: WhereNodata = "mask"
    adapter: Adapter | None = None
    trusted: tuple[str, ...] = ()
    trust: bool = False
    other_versions: OtherVersions = "raise"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept the path of a model."""
        model = values["model"]
        return {**values, "model": Ref.of(fspath(model))} if isinstance(model, str | PathLike) else values

    @property
    def unsaveable(self) -> str | None:
        """Why the operator cannot stand in a configuration, if it cannot."""
        if isinstance(self.model, Ref):
            return None
        return "its model is in memory; model.save(path) writes it, and gives the Ref to hand over instead"

    @property
    def handle(self) -> ModelHandle:
        """The model, and how it may be loaded."""
        return ModelHandle(self.model, self.trusted, self.trust, self.other_versions)

    def outputs(self, info: ModelInfo, dims: tuple[str, ...]) -> Mapping[str, VarSpec]:
        """Return what is written."""
        raise NotImplementedError(f"{type(self).__name__} writes nothing")

    def computation(self, info: ModelInfo) -> Compute:
        """Return what is computed of rows: one array per output."""
        raise NotImplementedError(f"{type(self).__name__} computes nothing")

    def plan(self, tile: TileSpec) -> Plan:
        """Find the features of the model in the tile; no estimator is loaded."""
        who, info = type(self).__name__, self.handle.info
        self._require(info, who)
        layout = info.adapter.layout(tile, info.features, who)
        _require_same_quantities(tile, layout, info, who)
        writes = self.outputs(info, layout.dims)
        call = PixelCall(
            self.handle, layout, self.computation(info),
            tuple(spec.dtype for spec in writes.values()),
            tuple(np.nan if spec.nodata is None else spec.nodata for spec in writes.values()), self.nodata,
        )  # fmt: skip
        along_time = any("time" in tile.variables[name].dims for name in layout.variables)
        reach = Footprint(time="all") if along_time and "time" not in layout.lead else Footprint()
        return Plan(layout.variables, writes, (call,), reach, notes=_notes(info, who))

    def _require(self, info: ModelInfo, who: str) -> None:
        if self.kinds and info.kind not in self.kinds:
            raise ParameterError(
                f"{who} is given a {info.kind}", expected=f"a model that is a {' or a '.join(self.kinds)}",
                fix=f"{OPERATORS[info.kind]}",
            )  # fmt: skip
        if self.method not in info.methods:
            raise ParameterError(
                f"{who} calls {self.method}, which the model's estimator does not have",
                expected=f"one of {', '.join(info.methods)}",
            )
        if self.nodata == "propagate" and not info.takes_nan:
            raise ParameterError(
                f"{who} has nodata='propagate', and the model's estimator takes no NaN",
                expected="one that does: HistGradientBoosting, or a pipeline with SimpleImputer",
                fix="nodata='mask'",
            )
        if self.adapter is not None and self.adapter != info.adapter:
            raise ParameterError(
                f"{who} is given the adapter {self.adapter!r}",
                expected=f"{info.adapter!r}, that the model was fitted with",
                fix="leave the adapter out: the model carries its own",
            )


OPERATORS = {  # of every kind of model
    "classifier": "PixelwiseClassifier",
    "regressor": "PixelwiseRegressor",
    "transformer": "PixelwiseTransformer",
    "clusterer": "PixelwiseClusterer",
    "anomaly": "PixelwiseAnomaly",
}


def _require_same_quantities(tile: TileSpec, layout: Layout, info: ModelInfo, who: str) -> None:
    """Raise where a feature holds something else than at fitting: digital numbers for reflectance."""
    now = quantities(tile, layout)
    for name, then in info.quantities.items():
        if now.get(name, then) != then:
            raise QuantityError(
                f"{who} reads {name!r}, which holds {now[name]}",
                expected=f"{then}, that the model was fitted on",
                fix="prepare the tile as the training scenes were prepared",
            )


def _notes(info: ModelInfo, who: str) -> tuple[str, ...]:
    if info.exact:
        return ()
    measured = ", ".join(f"{name} by up to {value:g}" for name, value in info.deviation.items() if value)
    told = f"measured at fitting: {measured}" if measured else "no difference was measured at fitting"
    return (f"{who} is approximate: rounding may depend on how the work is cut ({told})",)
