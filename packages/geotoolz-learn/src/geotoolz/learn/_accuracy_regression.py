"""How right predicted values are."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._accuracy import write_report
from geotoolz.learn._accuracy_rows import group_names
from geotoolz.learn._area_estimates import plain

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RegressionScores:
    """How far predictions are from the truth.

    Attributes
    ----------
    n : int
        Rows.
    rmse, mae : float
        Root mean square and mean absolute error, in the unit of the values.
    bias : float
        Mean error, predicted − true: positive where too much is predicted.
    r2 : float
        ``1 − Σ error² / Σ (true − mean)²``; NaN where the truth does not vary.
    """

    n: int
    rmse: float
    mae: float
    bias: float
    r2: float

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as plain values; what is not finite is None."""
        return {name: plain(getattr(self, name)) for name in ("n", "rmse", "mae", "bias", "r2")}


@dataclass(frozen=True)
class RegressionReport:
    """The accuracy of predicted values, over all rows and by group.

    Attributes
    ----------
    scores : RegressionScores
        Of all rows.
    by_group : tuple of (str, RegressionScores)
        Within each group (fold, region, date), where groups were given.
    left_out : int
        Rows of which one value is not finite.
    units : str
        Unit of the values.
    """

    scores: RegressionScores
    by_group: tuple[tuple[str, RegressionScores], ...] = ()
    left_out: int = 0
    units: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; what is not finite is None."""
        return {
            "report": "regression",
            "units": self.units,
            "left_out": self.left_out,
            "scores": self.scores.to_dict(),
            "by_group": [{"group": name, **scores.to_dict()} for name, scores in self.by_group],
        }

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_html(self) -> str:
        """Return the report as a page that loads nothing."""
        from geotoolz.learn._accuracy_html import regression_page

        return regression_page(self)

    def write(self, path: str | Path) -> Path:
        """Write the report; the name's end says how: ``.json`` or ``.html``.

        Raises
        ------
        ParameterError
            For another ending.
        WriteError
            If the file cannot be written.
        """
        return write_report(self, path)

    def __str__(self) -> str:
        unit = f" {self.units}" if self.units else ""
        one = self.scores
        return (
            f"{one.n} rows, RMSE {one.rmse:.4g}{unit}, MAE {one.mae:.4g}{unit}, bias {one.bias:+.4g}{unit}, "
            f"R² {one.r2:.3f}"
        )

    def _repr_html_(self) -> str:
        return self.to_html()


def regression_report(y_true: Any, y_pred: Any, *, groups: Any = None, units: str = "") -> RegressionReport:
    """Compare predicted with true values.

    Parameters
    ----------
    y_true, y_pred : array_like
        Values of the same rows. Rows of which one is NaN or infinite are left out and counted.
    groups : array_like, optional
        What rows belong together: folds, regions, dates. Gives the scores within each.
    units : str
        Unit of the values, for the report.

    Returns
    -------
    RegressionReport

    Raises
    ------
    ParameterError
        If rows differ in number, values are no numbers, or no row is left.

    References
    ----------
    Kvålseth, T. O. (1985). Cautionary note about R². The American Statistician 39, 279–285 (its R²₁).

    Examples
    --------
    >>> from geotoolz.learn import regression_report
    >>> regression_report([1.0, 2.0, 3.0], [1.0, 2.0, 6.0]).scores
    RegressionScores(n=3, rmse=1.7320508075688772, mae=1.0, bias=1.0, r2=-3.5)
    """
    true, said = _values(y_true, "y_true"), _values(y_pred, "y_pred")
    if true.size != said.size:
        raise ParameterError(
            f"{true.size} true and {said.size} predicted values", expected="one each per row"
        )
    kept = np.isfinite(true) & np.isfinite(said)
    if not kept.any():
        raise ParameterError(f"none of the {true.size} rows has both values", expected="one at least")
    by_group: list[tuple[str, RegressionScores]] = []
    a, b = true[kept], said[kept]
    if groups is not None:
        labels, place = group_names(groups, kept)
        order = np.argsort(place, kind="stable")
        ends = np.cumsum(np.bincount(place, minlength=len(labels)))
        parts = np.split(order, ends[:-1])
        by_group = [(label, _scores(a[part], b[part])) for label, part in zip(labels, parts, strict=True)]
    return RegressionReport(_scores(a, b), tuple(by_group), int(true.size - kept.sum()), units)


def _values(values: Any, what: str) -> Array:
    found = np.asarray(values)
    if found.ndim != 1 or found.dtype.kind not in "biuf":
        raise ParameterError(f"{what} is {found.dtype} {found.shape}", expected="one number per row")
    return found.astype(np.float64)


def _scores(true: Array, said: Array) -> RegressionScores:
    """Return the scores; sums are exact, so that the order of rows changes nothing."""
    off, n = said - true, true.size
    squares = math.fsum(off * off)
    spread = math.fsum((true - math.fsum(true) / n) ** 2)
    return RegressionScores(
        n,
        math.sqrt(squares / n),
        math.fsum(np.abs(off)) / n,
        math.fsum(off) / n,
        1 - squares / spread if np.ptp(true) > 0 and spread > 0 else math.nan,
    )
