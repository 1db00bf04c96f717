"""Whether a series has a trend, by Mann and Kendall."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from geotoolz.core import ALL, Call, Footprint, Map, ParameterError, Plan, TileSpec, VarSpec
from geotoolz.temporal._times import ordered_times, several_dates_attrs
from geotoolz.temporal._trend import dropped, series_bands
from geotoolz.temporal._trend_kernels import mann_kendall

_MONTHS = {"month": 1, "quarter": 3}


class MannKendall(Map):
    """Test of every pixel for a trend, up or down, of whatever shape.

    ``S = Σ sign(vⱼ − vᵢ)`` over all pairs of dates ``i < j``; ``τ = S / √(n₀ (n₀ − n₁))``, Kendall's tau-b,
    with ``n₀`` pairs of which ``n₁`` are of equal values; ``z = (S − sign(S)) / √Var(S)`` with
    ``Var(S) = [n (n − 1)(2 n + 5) − Σ k (k − 1)(2 k + 5)] / 18`` over the groups of ``k`` equal values; and
    the two-sided p-value of ``z``. With `season` only dates of one season are compared, and S, the pairs
    and Var(S) are summed over seasons (Hirsch, Slack and Smith): a yearly cycle is no trend then.

    The p-value is that of independent observations and of the normal approximation, which is good from
    about ten dates on. Dates that follow each other closely are not independent: it comes out too small.

    Reads the chosen bands ``(time, y, x)``; writes for each band ``{band}_s``, ``{band}_tau`` (−1 … 1) and
    ``{band}_p`` (0 … 1) as ``(y, x)``, float32, units 1; NaN where a pixel has fewer than `min_obs`
    dates with data. Of values that are all equal tau is NaN (0/0) and p is 1. Infinite values are no data.
    Looks along time only. The dimension ``time`` is gone afterwards, with all variables and coordinates
    along it; the tile's attributes say which dates it is made of.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements and lie along time.
    min_obs : int
        Dates with data that a pixel needs, 3 or more. By default 5: with fewer no trend is significant
        at 5 %.
    season : {"month", "quarter"}, optional
        Compare dates of the same calendar month, or quarter, only. Make the series regular first
        (`ResampleTime`), so that each season counts once a year.

    Raises
    ------
    TileError
        If there is no ``time`` dimension or fewer dates than `min_obs`, if times are unsorted or twice the
        same (the positions are named), or a band holds flags.
    QuantityError
        If a band was stretched or holds digital numbers with an offset.
    ParameterError
        If `min_obs` is less than 3.

    References
    ----------
    Mann, H. B. (1945). Nonparametric tests against trend. Econometrica 13, 245–259. Kendall, M. G. (1975).
    Rank correlation methods. Griffin, London. Hirsch, R. M., Slack, J. R., Smith, R. A. (1982).
    Techniques of trend analysis for monthly water quality data. Water Resources Research 18, 107–121
    (seasons). As ``pymannkendall.original_test`` and ``seasonal_test``, and tau as
    ``scipy.stats.kendalltau``.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import MannKendall
    >>> test = MannKendall(bands=("nir",))(contract_tile((4, 4), times=8))
    >>> list(test.data_vars)[-3:]
    ['nir_s', 'nir_tau', 'nir_p']
    """

    bands: tuple[str, ...] | None = None
    min_obs: int = 5
    season: Literal["month", "quarter"] | None = None

    def validate(self) -> None:
        """Check the number."""
        if self.min_obs < 3:
            raise ParameterError(f"min_obs={self.min_obs}", expected="3 or more")

    def plan(self, tile: TileSpec) -> Plan:
        """Make one call per band."""
        label = type(self).__name__
        bands, notes = series_bands(tile, self.bands, self.min_obs, label)
        seasons = self._seasons(ordered_times(tile, label))
        writes: dict[str, VarSpec] = {}
        calls = []
        for name in bands:
            spec = tile.variables[name]
            kind = "Mann-Kendall" if self.season is None else "seasonal Mann-Kendall"
            texts = {"s": f"{kind} S", "tau": f"Kendall's tau ({kind})", "p": f"p-value of the {kind} test"}
            made = {
                f"{name}_{key}": VarSpec(
                    ("y", "x"), attrs={"long_name": f"{text} of {name}", "units": "1", "quantity": "index"}
                )
                for key, text in texts.items()
            }
            writes.update(made)
            args = (spec.nodata_scalar, seasons, self.min_obs)
            calls.append(Call((name,), tuple(made), mann_kendall, args))
        return Plan(
            writes=writes,
            calls=tuple(calls),
            drops=tuple(name for name in dropped(tile) if name not in writes),
            footprint=Footprint(time=ALL),
            coords={"time": None},
            attrs=several_dates_attrs(tile, "mann_kendall"),
            notes=notes,
        )

    def _seasons(self, times: Any) -> tuple[int, ...]:
        if self.season is None:
            return (0,) * len(times)
        months = times.astype("datetime64[M]").astype(np.int64) % 12
        return tuple((months // _MONTHS[self.season]).tolist())
