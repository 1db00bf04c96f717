"""How far a variable is from the truth, in one number."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Role, TileSpec
from geotoolz.metrics._exact import root, rounded
from geotoolz.metrics._pairs import PairReduce, PairSums
from geotoolz.metrics._result import Score

Array = np.ndarray[Any, Any]


class _Score(PairReduce, abstract=True):
    """A score made of sums over pairs."""

    terms: ClassVar[tuple[str, ...]] = ()
    label: ClassVar[str] = ""

    def init(self, tile: TileSpec, previous: Any = None) -> PairSums:
        """Return empty sums."""
        return PairSums(self.nodata(tile), self.terms)

    def update(self, state: PairSums, *arrays: Array) -> PairSums:
        """Take in the pairs of a block."""
        state.take(arrays[0], arrays[1])
        return state

    def merge(self, a: PairSums, b: PairSums) -> PairSums:
        """Add sums."""
        a.merge(b)
        return a

    def finish(self, state: PairSums) -> Score:
        """Return the score."""
        return Score(self.of(state), self.label, state.n, state.left_out)

    def of(self, state: PairSums) -> float:
        """Return the number that the sums make."""
        raise NotImplementedError(f"{type(self).__name__} is abstract")


class RMSE(_Score):
    """Root mean square error: ``sqrt(Σ (predicted − truth)² / n)``.

    Reads two variables of equal dims and any data types, writes nothing. The result is in the unit
    of the variables, 0 or more; NaN without a valid pair. Pairs of which one is no-data, NaN or
    infinite are left out and counted. Differences and their squares are taken in float64 and summed
    without rounding, so that order, windows and threads change no bit.

    Parameters
    ----------
    predicted, truth : str
        Roles or names of the variables. ``RMSE()(a, b)`` compares two tiles instead, band by band.

    Returns
    -------
    Score

    Raises
    ------
    MissingVariableError
        If the tile lacks one.
    TileError
        If their dims differ, or they hold no numbers.

    References
    ----------
    Neal, R. M. (2015). Fast exact summation using small and large superaccumulators. arXiv:1505.05571.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import RMSE
    >>> tile = simulate_scene((32, 32), bands=("red", "nir"))
    >>> score = RMSE("red", "nir")(tile)
    >>> round(score, 6) == round(float((((tile.red - tile.nir).astype("f8")) ** 2).mean()) ** 0.5, 6)
    True
    """

    predicted: Role = "predicted"
    truth: Role = "truth"

    terms: ClassVar[tuple[str, ...]] = ("off²",)
    label: ClassVar[str] = "rmse"

    def of(self, state: PairSums) -> float:
        """Return the root of the mean square."""
        total = state.sums["off²"]
        if not state.n or not total.is_finite:
            return total.over(state.n)
        return root(total.exact / state.n)


class MAE(_Score):
    """Mean absolute error: ``Σ |predicted − truth| / n``.

    Reads two variables of equal dims and any data types, writes nothing. The result is in the unit
    of the variables, 0 or more; NaN without a valid pair. Pairs of which one is no-data, NaN or
    infinite are left out and counted. Differences are taken in float64 and summed without rounding,
    so that order, windows and threads change no bit.

    Parameters
    ----------
    predicted, truth : str
        Roles or names of the variables. ``MAE()(a, b)`` compares two tiles instead, band by band.

    Returns
    -------
    Score

    Raises
    ------
    MissingVariableError
        If the tile lacks one.
    TileError
        If their dims differ, or they hold no numbers.

    References
    ----------
    Willmott, C. J., Matsuura, K. (2005). Advantages of the mean absolute error (MAE) over the root
    mean square error (RMSE) in assessing average model performance. Climate Research 30, 79–82.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import MAE
    >>> MAE("red", "red")(simulate_scene((32, 32), bands=("red",)))
    Score(0.0, 'mae', n=1024, left_out=0)
    """

    predicted: Role = "predicted"
    truth: Role = "truth"

    terms: ClassVar[tuple[str, ...]] = ("size",)
    label: ClassVar[str] = "mae"

    def of(self, state: PairSums) -> float:
        """Return the mean size."""
        return state.sums["size"].over(state.n)


class Bias(_Score):
    """Mean error: ``Σ (predicted − truth) / n``; positive where too much is predicted.

    Reads two variables of equal dims and any data types, writes nothing. The result is in the unit
    of the variables; NaN without a valid pair. Pairs of which one is no-data, NaN or infinite are
    left out and counted. Differences are taken in float64 and summed without rounding, so that
    order, windows and threads change no bit, and large errors of opposite signs cancel exactly.

    Parameters
    ----------
    predicted, truth : str
        Roles or names of the variables. ``Bias()(a, b)`` compares two tiles instead, band by band.

    Returns
    -------
    Score

    Raises
    ------
    MissingVariableError
        If the tile lacks one.
    TileError
        If their dims differ, or they hold no numbers.

    References
    ----------
    Willmott, C. J. (1982). Some comments on the evaluation of model performance. Bulletin of the
    American Meteorological Society 63, 1309–1313.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import Bias
    >>> tile = simulate_scene((32, 32), bands=("red", "nir"))
    >>> Bias("red", "nir")(tile) == -Bias("nir", "red")(tile)
    True
    """

    predicted: Role = "predicted"
    truth: Role = "truth"

    terms: ClassVar[tuple[str, ...]] = ("off",)
    label: ClassVar[str] = "bias"

    def of(self, state: PairSums) -> float:
        """Return the mean difference."""
        return state.sums["off"].over(state.n)


class R2(_Score):
    """Coefficient of determination: ``1 − Σ (predicted − truth)² / Σ (truth − mean(truth))²``.

    Reads two variables of equal dims and any data types, writes nothing. The result has no unit; 1
    is perfect, 0 is as good as the mean, and there is no lower limit. NaN where the truth does not
    vary (0/0 is no-data; scikit-learn says 1 or 0 there) or fewer than two pairs are valid. Pairs of
    which one is no-data, NaN or infinite are left out and counted. Sums are exact, and so are the
    squares of the truth, so that a large common offset costs no digits.

    Parameters
    ----------
    predicted, truth : str
        Roles or names of the variables. ``R2()(a, b)`` compares two tiles instead, band by band.

    Returns
    -------
    Score

    Raises
    ------
    MissingVariableError
        If the tile lacks one.
    TileError
        If their dims differ, or they hold no numbers.

    References
    ----------
    Kvålseth, T. O. (1985). Cautionary note about R². The American Statistician 39, 279–285 (its R²₁).
    Dekker, T. J. (1971). A floating-point technique for extending the available precision.
    Numerische Mathematik 18, 224–242 (exact squares).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import R2
    >>> float(R2("red", "red")(simulate_scene((32, 32), bands=("red",))))
    1.0
    """

    predicted: Role = "predicted"
    truth: Role = "truth"

    terms: ClassVar[tuple[str, ...]] = ("off²", "truth", "truth²")
    label: ClassVar[str] = "r2"

    def of(self, state: PairSums) -> float:
        """Return one minus the share that is not explained."""
        if state.n < 2 or not all(total.is_finite for total in state.sums.values()):
            return math.nan
        sums = {term: total.exact for term, total in state.sums.items()}
        spread = sums["truth²"] - sums["truth"] ** 2 / state.n
        return rounded(1 - sums["off²"] / spread) if spread > 0 else math.nan
