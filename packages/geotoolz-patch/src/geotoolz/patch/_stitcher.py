"""Stitcher: how chips become a scene again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from geotoolz.core import ParameterError, VarSpec
from geotoolz.patch._aggregations import Aggregation, Mean
from geotoolz.patch._axis import Axis
from geotoolz.patch._votes import HardVote
from geotoolz.patch._windows import Boxcar, Window


class Stitcher(Axis):
    """How chips become a scene again: a window, an aggregation, and what happens at a chip's edge.

    Parameters
    ----------
    window : Window
        Weight of a pixel by its place in the chip.
    aggregation : Aggregation, optional
        What becomes of a pixel in several chips; by default `Mean` for numbers and `HardVote` for true and
        false.
    per_variable : mapping of str to Aggregation
        Another aggregation for some variables.
    halo : int, optional
        Pixels at the edge of every chip that are computed and thrown away, except at the scene's border.
        By default the operator's own plan says how many, and the result is that of the whole scene, bit for
        bit; an operator that looks at the whole chip gets 0, and blending is an approximation. A number
        given here makes it an approximation of any operator.

    Raises
    ------
    ParameterError
        If the halo is negative, or the window has no effect on the aggregation.

    Examples
    --------
    >>> from geotoolz.patch import Hann, Mean, Stitcher
    >>> Stitcher(Hann())
    Stitcher(window=Hann())
    """

    window: Window = Boxcar()
    aggregation: Aggregation | None = None
    per_variable: Mapping[str, Aggregation] = dataclasses.field(default_factory=dict)
    halo: int | None = None

    def validate(self) -> None:
        """Check the halo and the window."""
        if self.halo is not None and self.halo < 0:
            raise ParameterError(f"halo={self.halo}", expected="0 pixels or more")
        used = [*([self.aggregation] if self.aggregation else []), *self.per_variable.values()]
        if used and not isinstance(self.window, Boxcar) and not any(one.weighted for one in used):
            raise ParameterError(
                f"{self.window!r} has no effect on {', '.join(type(one).__name__ for one in used)}",
                expected="Boxcar(), the default",
                fix="leave the window out, or take Mean, SoftVote or InverseVariance",
            )

    def given(self, name: str) -> Aggregation | None:
        """Return the aggregation that was asked for, or None."""
        return self.per_variable.get(name, self.aggregation)

    def of(self, name: str, spec: VarSpec) -> Aggregation:
        """Return the aggregation of a variable."""
        found = self.given(name)
        if found is not None:
            return found
        return HardVote(2) if spec.dtype == np.bool_ else Mean()

    def check_names(self, names: Mapping[str, VarSpec]) -> None:
        """Raise for an aggregation of a variable that no chip has."""
        unknown = [name for name in self.per_variable if name not in names]
        if unknown:
            raise ParameterError(
                f"per_variable names {unknown[0]!r}, and the chips have {', '.join(names)}",
                fix="correct the name, or leave it out",
            )
