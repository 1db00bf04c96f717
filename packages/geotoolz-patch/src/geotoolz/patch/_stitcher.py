"""Stitcher: how chips become a scene again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from geotoolz.core import ParameterError, TileError, VarSpec
from geotoolz.patch._aggregations import Aggregation, Mean
from geotoolz.patch._axis import Axis
from geotoolz.patch._votes import HardVote
from geotoolz.patch._windows import Boxcar, Window

_SAYS = ("units", "scale_factor", "add_offset", "standard_name")


class Stitcher(Axis):
    """How chips become a scene again: a window, an aggregation, and what happens at a chip's edge.

    Parameters
    ----------
    window : Window
        Weight of a pixel by its place in the chip, for the aggregations that weigh.
    aggregation : Aggregation, optional
        What becomes of a pixel in several chips; by default `Mean` for measurements and `HardVote` for true
        and false. Whole numbers that say neither a quantity nor units need one by name.
    per_variable : mapping of str to Aggregation
        Another aggregation for some variables: a vote for labels beside a weighted mean of their
        probabilities.
    halo : int, optional
        Pixels at the edge of every chip that are computed and thrown away, except at the scene's border.
        By default the operator's own plan says how many, and the result is that of the whole scene, bit for
        bit; an operator that looks at the whole chip gets 0, and blending is an approximation. A number
        given here makes it an approximation of any operator.

    Raises
    ------
    ParameterError
        If the halo is negative, or the window has no effect on any aggregation.

    Examples
    --------
    >>> from geotoolz.patch import Hann, HardVote, Stitcher
    >>> Stitcher(Hann(), per_variable={"label": HardVote(3)}).window
    Hann()
    """

    window: Window = Boxcar()
    aggregation: Aggregation | None = None
    per_variable: Mapping[str, Aggregation] = dataclasses.field(default_factory=dict)
    halo: int | None = None

    def validate(self) -> None:
        """Check the halo and the window."""
        if self.halo is not None and self.halo < 0:
            raise ParameterError(f"halo={self.halo}", expected="0 pixels or more")
        if self.aggregation is not None:  # else variables that nobody names get a mean, which is weighted
            self._require_effect({"": self.aggregation, **self.per_variable})

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

    def outputs(self, specs: Mapping[str, VarSpec], overlap: int) -> dict[str, VarSpec]:
        """Return what the variables of overlapping chips become.

        Parameters
        ----------
        specs : mapping of str to VarSpec
            The variables of a chip.
        overlap : int
            How many chips lie over one pixel, at most.

        Raises
        ------
        TileError
            If an aggregation does not fit its variable, or whole numbers that may be labels have none.
        ParameterError
            If the window has no effect on any of them.
        """
        self.check_names(specs)
        self._require_effect({name: self.of(name, spec) for name, spec in specs.items()})
        found = {}
        for name, spec in specs.items():
            how = self.of(name, spec)
            how.group(name, specs)
            found[name] = how.output(name, spec)
            if overlap > 1 and self.given(name) is None and _may_be_labels(spec):
                raise TileError(
                    f"{name!r} is {spec.dtype} and says neither a quantity nor units: it may be labels, "
                    "of which there is no mean",
                    expected="an aggregation by name for whole numbers",
                    fix=f"Stitcher(per_variable={{{name!r}: HardVote(n_classes=…)}}) for labels, Mean() for "
                    "measurements; on the command line --aggregation vote --classes K, or mean",
                )
        return found

    def _require_effect(self, used: Mapping[str, Aggregation]) -> None:
        if isinstance(self.window, Boxcar) or any(one.weighted for one in used.values()):
            return
        kinds = dict.fromkeys(type(one).__name__ for one in used.values())
        raise ParameterError(
            f"{self.window!r} has no effect on {', '.join(kinds)}",
            expected="Boxcar(), the default",
            fix="leave the window out, or take Mean, SoftVote or InverseVariance",
        )


def _may_be_labels(spec: VarSpec) -> bool:
    says = spec.quantity is not None or any(key in spec.attrs for key in _SAYS)
    return spec.dtype.kind in "iu" and not says
