"""Votes: classes, and their probabilities."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from geotoolz.core import ParameterError, TileError, VarSpec
from geotoolz.patch._accumulators import Accumulator, Ring
from geotoolz.patch._aggregations import Aggregation, Array, Mean, Specs, require_numbers
from geotoolz.patch._mean_accumulator import MeanAccumulator
from geotoolz.patch._vote_accumulator import VoteAccumulator, require_labels, vote_bytes


class HardVote(Aggregation):
    """The class that most chips say.

    A tie goes to the class that was seen farther from the edge of its chip (then to the smaller label).

    Parameters
    ----------
    n_classes : int
        Labels are 0 … n_classes - 1; true and false are 1 and 0.
    fill : int, optional
        Label of pixels for which no chip has one; by default the variable's no-data value.

    Raises
    ------
    ParameterError
        If there is no class, or the fill is one of them.
    TileError
        If the fill does not fit the variable's type, or a chip holds another label.

    Examples
    --------
    >>> from geotoolz.patch import HardVote
    >>> HardVote(n_classes=3, fill=255)
    HardVote(n_classes=3, fill=255)
    """

    n_classes: int
    fill: int | None = None

    def validate(self) -> None:
        """Check the classes."""
        if self.n_classes < 1:
            raise ParameterError(f"n_classes={self.n_classes}", expected="1 or more")
        if self.fill is not None and 0 <= self.fill < self.n_classes:
            raise ParameterError(
                f"fill={self.fill} is one of the {self.n_classes} classes", expected="another number"
            )

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return the variable with the fill as its no-data value."""
        kind, fill = spec.dtype.kind, self.fill if self.fill is not None else spec.nodata
        if kind not in "iufb":
            require_numbers(name, spec, "HardVote")
        limits = {"b": (0, 1)}.get(kind) or (
            (np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max) if kind in "iu" else (-math.inf, math.inf)
        )
        if kind != "f" and fill is not None and not limits[0] <= fill <= limits[1]:
            raise TileError(
                f"fill={fill} does not fit {name!r}, which is {spec.dtype}",
                expected=f"a number from {limits[0]} to {limits[1]}",
            )
        return replace(spec, nodata=fill)

    @property
    def checks(self) -> bool:
        """Labels are checked."""
        return True

    def check(self, name: str, values: Array, spec: VarSpec) -> None:
        """Raise for labels that are no class."""
        require_labels(values, self._missing(spec), self.n_classes)

    def settle(self, name: str, values: Array, spec: VarSpec) -> Array:
        """Return labels with the fill for no-data; raise for labels that are no class."""
        self.check(name, values, spec)
        fill = self.output(name, spec).nodata
        missing = (values == self._missing(spec)) | (values != values)
        if fill is None or fill == spec.nodata or not missing.any():
            return values
        return np.where(missing, spec.dtype.type(fill), values)

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return empty ballot boxes."""
        spec = specs[names[0]]
        return VoteAccumulator(self.output(names[0], spec), ring, self.n_classes, self._missing(spec))

    def held(self, specs: tuple[VarSpec, ...], ring: Ring) -> int:
        """Return the bytes of the votes."""
        return vote_bytes(self.n_classes, ring)

    def _missing(self, spec: VarSpec) -> float:
        """Return the label that is no vote; NaN where there is none."""
        if spec.nodata is None and self.fill is not None:
            return self.fill
        return spec.nodata_scalar


class SoftVote(Mean):
    """Mean of the probabilities of classes, weighted by the window.

    The variable has a dimension before ``y`` and ``x`` with one plane per class. A chip's pixel counts only
    if it has all of them, so probabilities that sum to 1 in every chip still do.

    Examples
    --------
    >>> from geotoolz.patch import SoftVote
    >>> SoftVote().weighted
    True
    """

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return the variable as it is."""
        if len(spec.dims) != 3 or spec.dtype.kind != "f":
            raise TileError(
                f"SoftVote puts {name!r} together, {spec.dtype} with dims {spec.dims}",
                expected="floats with dims (class, y, x)",
                fix="HardVote(n_classes=…) for labels",
            )
        return spec

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return running means of all planes together."""
        return MeanAccumulator(specs[names[0]], ring, joint=True)
