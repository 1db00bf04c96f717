"""How good predicted probabilities are."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from geotoolz.core import ParameterError, Plan, QuantityError, Reduce, Role, TileError, TileSpec
from geotoolz.metrics import _kernels
from geotoolz.metrics._exact import ExactSum
from geotoolz.metrics._pairs import batches, require_numbers
from geotoolz.metrics._result import Score

Array = np.ndarray[Any, Any]


class MeanOf:
    """The mean of numbers per pixel, and what was wrong with the others."""

    def __init__(self, nodata: list[float], nodata_truth: Any) -> None:
        self.nodata, self.nodata_truth = nodata, nodata_truth
        self.total = ExactSum()
        self.n = self.left_out = self.strange = self.wrong = 0
        self.told = np.array([np.inf, -np.inf, np.inf, -np.inf])
        """Smallest and largest sum, smallest and largest class that is none."""

    def merge(self, other: MeanOf) -> None:
        """Add what another worker has found."""
        self.total.merge(other.total)
        self.n, self.left_out = self.n + other.n, self.left_out + other.left_out
        self.strange, self.wrong = self.strange + other.strange, self.wrong + other.wrong
        self.told[::2] = np.minimum(self.told[::2], other.told[::2])
        self.told[1::2] = np.maximum(self.told[1::2], other.told[1::2])

    def refuse_wrong(self, who: str, tolerance: float) -> None:
        """Raise if there were numbers that are no probabilities."""
        if self.wrong:
            raise QuantityError(
                f"{who}: {self.wrong} pixels have probabilities outside 0 … 1, or that do not add up to 1 "
                f"(sums {self.told[0]:.6g} … {self.told[1]:.6g})",
                expected=f"0 … 1, in all 1 ± {tolerance:g}",
                fix="divide by their sum, or raise tolerance",
            )

    def score(self, label: str) -> Score:
        """Return the mean."""
        return Score(self.total.over(self.n), label, self.n, self.left_out)


def as_probabilities(planes: tuple[Array, ...], nodata: list[float]) -> Array:
    """Return classes × pixels in float64 with NaN for no-data; one variable stands for two classes."""
    found = np.empty((max(len(planes), 2), planes[0].size))
    for row, plane, empty in zip(found[-len(planes) :], planes, nodata, strict=True):
        row[:] = plane
        if empty == empty:
            row[plane == empty] = np.nan
    if len(planes) == 1:
        np.subtract(1.0, found[1], out=found[0])
    return found


class _Probabilities(Reduce, abstract=True):
    """What both metrics share."""

    block_pixels: ClassVar[int] = 1 << 20

    def _plan(self, tile: TileSpec, names: tuple[str, ...]) -> Plan:
        who = type(self).__name__
        dims = {tile.variables[name].dims for name in names}
        if len(dims) > 1:
            raise TileError(f"{who} reads {', '.join(names)} with dims {sorted(dims)}", expected="equal dims")
        for name in names:
            require_numbers(name, tile.variables[name], who)
        return Plan(names)

    def merge(self, a: MeanOf, b: MeanOf) -> MeanOf:
        """Add sums."""
        a.merge(b)
        return a


def _names(values: dict[str, Any], *fields: str) -> dict[str, Any]:
    """Accept one name for a list of one."""
    return {k: (v,) if k in fields and isinstance(v, str) else v for k, v in values.items()}


def _require_tolerance(tolerance: float) -> None:
    if not 0 <= tolerance < 1:
        raise ParameterError(f"tolerance={tolerance}", expected="0 to below 1")


class CrossEntropy(_Probabilities):
    """Cross-entropy (log loss): ``−Σ ln p(true class) / n``, in nats.

    Reads a variable with a probability per class and one with the true class, all of equal dims, and
    writes nothing. One variable alone is the probability of the second of two classes. The result is
    0 or more; NaN without a valid pixel; infinite where the true class got probability 0: nothing is
    clipped (scikit-learn clips at the resolution of the data type). Pixels that are no-data or NaN in
    one variable are left out and counted. Logarithms are taken in float64 and summed without
    rounding, so that order, windows and threads change no bit.

    Parameters
    ----------
    predicted : sequence of str
        The variables with the probabilities, 0 … 1, in the order of the classes.
    truth : str
        The variable with the true class.
    classes : sequence of int, optional
        The values of the classes in `truth`; by default 0, 1, 2, …
    tolerance : float
        By how much the probabilities of a pixel may miss a sum of 1.

    Returns
    -------
    Score

    Raises
    ------
    MissingVariableError
        If the tile lacks a variable.
    QuantityError
        If probabilities are none: outside 0 … 1, or with another sum.
    TileError
        If the truth holds something that is no class.
    ParameterError
        If there are more or fewer classes than variables.

    References
    ----------
    Bishop, C. M. (2006). Pattern Recognition and Machine Learning. Springer; section 4.3 (eq. 4.90, 4.108).

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.metrics import CrossEntropy
    >>> tile = contract_tile()
    >>> tile["p"] = tile.red.dims, np.where(tile.mask, 0.8, 0.2)
    >>> round(CrossEntropy("p", "mask")(tile), 6) == round(-math.log(0.8), 6)
    True
    """

    predicted: tuple[str, ...] = ("predicted",)
    truth: Role = "truth"
    classes: tuple[int, ...] | None = None
    tolerance: float = 1e-3

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        return _names(values, "predicted")

    def validate(self) -> None:
        """Check the classes."""
        _require_tolerance(self.tolerance)
        count = max(len(self.predicted), 2)
        if not self.predicted or (self.classes is not None and len(set(self.classes)) != count):
            raise ParameterError(
                f"{len(self.predicted)} probabilities and classes={self.classes}",
                expected="a class per variable, each once; two for one variable",
            )

    def _reads(self, tile: TileSpec) -> tuple[str, ...]:
        return tuple(tile.find(name, "CrossEntropy") for name in (*self.predicted, self.truth))

    def plan(self, tile: TileSpec) -> Plan:
        """Read probabilities and truth."""
        return self._plan(tile, self._reads(tile))

    def init(self, tile: TileSpec, previous: Any = None) -> MeanOf:
        """Return empty sums."""
        *nodata, last = (tile.variables[name].nodata_scalar for name in self._reads(tile))
        return MeanOf(list(nodata), last)

    def update(self, state: MeanOf, *arrays: Array) -> MeanOf:
        """Take in the pixels of a block."""
        count = max(len(self.predicted), 2)
        classes = np.array(range(count) if self.classes is None else self.classes, np.float64)
        for *planes, truth in batches(*arrays):
            predicted, out = as_probabilities(tuple(planes), state.nodata), np.empty(truth.size)
            found = _kernels.entropies(
                predicted, truth, state.nodata_truth, classes, self.tolerance, out, state.told
            )
            n, missing, strange, wrong = map(int, found)
            state.total.add(out[:n])
            state.n, state.left_out = state.n + n, state.left_out + missing
            state.strange, state.wrong = state.strange + strange, state.wrong + wrong
        return state

    def finish(self, state: MeanOf) -> Score:
        """Return the mean."""
        state.refuse_wrong("CrossEntropy", self.tolerance)
        if state.strange:
            shown = " … ".join(f"{value:g}" for value in dict.fromkeys(state.told[2:].tolist()))
            classes = range(max(len(self.predicted), 2)) if self.classes is None else self.classes
            raise TileError(
                f"{self.truth} holds {shown} in {state.strange} pixels",
                expected=f"the classes {', '.join(map(str, classes))}",
                fix="name the classes in the order of the probabilities, or make the others no-data",
            )
        return state.score("cross_entropy")


class KLDivergence(_Probabilities):
    """Kullback–Leibler divergence per pixel, averaged: ``Σ_pixels Σ_c t_c ln(t_c / p_c) / n``, in nats.

    Reads two variables per class, the true probability t and the predicted one p, all of equal dims,
    and writes nothing. One variable each is the probability of the second of two classes. The result
    is 0 where they agree and positive elsewhere, but for what sums miss 1 within the tolerance; NaN
    without a valid pixel; infinite where something possible was predicted to be impossible. ``0 ·
    ln 0`` is 0. Pixels that are no-data or NaN in one variable are left out and counted. Logarithms
    are taken in float64, classes are added in their order, pixels are summed without rounding, so
    that order, windows and threads change no bit.

    Parameters
    ----------
    predicted, truth : sequence of str
        The variables with the probabilities, 0 … 1, class by class.
    tolerance : float
        By how much the probabilities of a pixel may miss a sum of 1.

    Returns
    -------
    Score

    Raises
    ------
    MissingVariableError
        If the tile lacks a variable.
    QuantityError
        If probabilities are none: outside 0 … 1, or with another sum.
    ParameterError
        If there are not as many predicted as true ones.

    References
    ----------
    Kullback, S., Leibler, R. A. (1951). On information and sufficiency. Annals of Mathematical
    Statistics 22, 79–86.

    Examples
    --------
    >>> import math
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.metrics import KLDivergence
    >>> tile = contract_tile()
    >>> tile["t"], tile["p"] = (tile.red * 0 + 0.5), (tile.red * 0 + 0.25)
    >>> round(KLDivergence("p", "t")(tile), 6) == round(0.5 * math.log(2) + 0.5 * math.log(2 / 3), 6)
    True
    """

    predicted: tuple[str, ...] = ("predicted",)
    truth: tuple[str, ...] = ("truth",)
    tolerance: float = 1e-3

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        return _names(values, "predicted", "truth")

    def validate(self) -> None:
        """Check that both have the same classes."""
        _require_tolerance(self.tolerance)
        if not self.predicted or len(self.predicted) != len(self.truth):
            raise ParameterError(
                f"{len(self.predicted)} predicted and {len(self.truth)} true probabilities",
                expected="as many of both",
            )

    def _reads(self, tile: TileSpec) -> tuple[str, ...]:
        return tuple(tile.find(name, "KLDivergence") for name in (*self.predicted, *self.truth))

    def plan(self, tile: TileSpec) -> Plan:
        """Read both distributions."""
        return self._plan(tile, self._reads(tile))

    def init(self, tile: TileSpec, previous: Any = None) -> MeanOf:
        """Return empty sums."""
        return MeanOf([tile.variables[name].nodata_scalar for name in self._reads(tile)], None)

    def update(self, state: MeanOf, *arrays: Array) -> MeanOf:
        """Take in the pixels of a block."""
        half = len(self.predicted)
        for planes in batches(*arrays):
            predicted = as_probabilities(planes[:half], state.nodata[:half])
            truth = as_probabilities(planes[half:], state.nodata[half:])
            out = np.empty(planes[0].size)
            n, missing, wrong = map(
                int, _kernels.divergences(truth, predicted, self.tolerance, out, state.told)
            )
            state.total.add(out[:n])
            state.n, state.left_out = state.n + n, state.left_out + missing
            state.wrong += wrong
        return state

    def finish(self, state: MeanOf) -> Score:
        """Return the mean."""
        state.refuse_wrong("KLDivergence", self.tolerance)
        return state.score("kl_divergence")
