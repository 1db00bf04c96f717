"""What a search for percentiles finds, and how far it may be off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from geotoolz.core import ParameterError


class Quantiles(tuple[float, ...]):
    """The percentiles of one band: a tuple of numbers that knows how many pixels it rests on.

    Attributes
    ----------
    n : int
        Valid pixels that were counted.
    cells : int
        Cells of the lattice that one pixel each was drawn from, or should have been: cells without
        valid pixels count, too. Without sampling the number of pixels.
    cell : int
        Side of a cell in pixels; 1 where every pixel was counted.
    """

    n: int
    cells: int
    cell: int

    def __new__(cls, values: Iterable[float], n: int = 0, cells: int = 0, cell: int = 1) -> Quantiles:
        """Make one of values and what is known of them."""
        made = super().__new__(cls, values)
        made.n, made.cells, made.cell = n, cells, cell
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return (Quantiles, (tuple(self), self.n, self.cells, self.cell))

    def rank_error(self, confidence: float = 0.99) -> float:
        """Return how far the rank of each value may be off, as a share of the pixels.

        With probability `confidence` (over the draw, for each percentile taken alone) the value
        that stands for the percentile ``q`` lies between the exact percentiles ``q ± 100 ·
        rank_error``. It is 0 where every pixel was counted.

        The bound is Hoeffding's inequality (Hoeffding 1963, J. Am. Stat. Assoc. 58, 13–30) for one
        uniform draw per cell, the draws of different cells being independent: with ``M`` cells,
        ``n`` valid pixels drawn and ``δ = 1 − confidence`` it is ``(sqrt(M · ln(2/δ) / 2) + 1) / n``;
        the 1 stands for interpolation. Without no-data and with whole cells ``M = n``, and it is
        guaranteed as it stands. Otherwise ``n`` stands in for its expectation (valid pixels divided
        by pixels of a cell), and cells without a valid pixel make the bound larger than need be.
        Neighbouring pixels are alike, so that real errors are mostly much smaller.

        Parameters
        ----------
        confidence : float
            Between 0 and 1.

        Returns
        -------
        float

        Examples
        --------
        >>> round(Quantiles((0.1, 0.4), n=1_000_000, cells=1_000_000, cell=4).rank_error(), 5)
        0.00163
        """
        if not 0 < confidence < 1:
            raise ParameterError(f"confidence={confidence}", expected="between 0 and 1")
        if self.cell == 1:
            return 0.0
        if self.n == 0:
            return 1.0
        return min(1.0, (math.sqrt(self.cells * math.log(2 / (1 - confidence)) / 2) + 1) / self.n)
