"""Whether enough pixels are valid."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Extent, ParameterError, Plan, TileSpec, chosen_bands, flat_view
from geotoolz.qc import _kernels
from geotoolz.qc._base import OnFail, TileAssertion, Verdict
from geotoolz.qc._sample import Looked, share_error
from geotoolz.radiometry._percentiles import check_sample_cell

Array = np.ndarray[Any, Any]


class ValidShare(float):
    """The share of the pixels that are valid: a number that knows how it was counted.

    Attributes
    ----------
    n : int
        Pixels that were looked at.
    cells : int
        Cells that one pixel each was drawn from; without sampling the number of pixels.
    cell : int
        Side of a cell in pixels; 1 where every pixel was counted.
    """

    n: int
    cells: int
    cell: int

    def __new__(cls, share: float, n: int = 0, cells: int = 0, cell: int = 1) -> ValidShare:
        """Make one of a share and what is known of it."""
        made = super().__new__(cls, share)
        made.n, made.cells, made.cell = n, cells, cell
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return (ValidShare, (float(self), self.n, self.cells, self.cell))

    def error(self, confidence: float = 0.99) -> float:
        """Return by how much the share may be off, with this probability; 0 without sampling.

        Hoeffding's inequality (1963): ``sqrt(cells · ln(2 / (1 − confidence)) / 2) / n``.

        Examples
        --------
        >>> ValidShare(0.5, n=10_000, cells=10_000, cell=8).error(0.95).__round__(4)
        0.0136
        """
        return share_error(self.cells, self.n, self.cell, confidence)


class _State:
    """Counts per band."""

    def __init__(self, tile: TileSpec, names: tuple[str, ...], cell: int) -> None:
        self.looked: Looked = Looked(tile, cell)
        self.nodata: dict[str, float] = {n: tile.variables[n].nodata_scalar for n in names}
        self.counts: dict[str, list[int]] = {n: [0, 0, 0] for n in names}
        """Valid pixels, pixels, cells."""


class AssertValidFraction(TileAssertion):
    """Let a tile pass only if enough of its pixels are valid: ``valid / all ≥ min_valid``.

    The share is taken per band; every chosen band must reach it. A pixel is valid if it is neither
    its variable's no-data value nor NaN (infinities are valid). Counting is exact and decided when
    all pixels are seen, before a sink commits; pixels pass unchanged. An empty tile has no valid
    pixels. Bands may have any dims and data type.

    For hot paths (a tile server) ``sample_cell=8`` looks at one pixel of every 8 × 8, drawn from the
    cell's place on the absolute lattice of the grid and the tile's ``tile_id`` and ``datetime``: the
    same pixels, and the same verdict, however the tile is cut. The share is then an estimate, compared
    with `min_valid` as it is; the result's ``error()`` says how far it may be off (1.3 % at 99 %
    for 128 × 128 cells).

    Parameters
    ----------
    min_valid : float
        Smallest acceptable share, 0 to 1.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    sample_cell : int
        Side in pixels of the cells of which one pixel each is looked at; a power of two. 1 looks at
        every pixel.
    on_fail : {"raise", "warn", "tag"}
        Raise `QCError`; warn `QCWarning` and go on; or go on and write what was found into the tile's
        attribute ``qc_failed``, which a lazy tile cannot have before its pixels are seen.

    Raises
    ------
    QCError
        If a band has too few valid pixels.
    ParameterError
        If the share is not between 0 and 1, or the cell's side no power of two.

    References
    ----------
    Hoeffding, W. (1963). Probability inequalities for sums of bounded random variables. J. Am. Stat.
    Assoc. 58, 13–30 (the sample's error).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertValidFraction
    >>> tile = simulate_scene((16, 16))
    >>> AssertValidFraction(0.9)(tile).equals(tile)
    True
    """

    min_valid: float = 0.5
    bands: tuple[str, ...] | None = None
    sample_cell: int = 1
    on_fail: OnFail = "raise"

    located: ClassVar[bool] = True
    block_pixels: ClassVar[int] = 1 << 20

    def validate(self) -> None:
        """Check the share and the cell."""
        if not 0 <= self.min_valid <= 1:
            raise ParameterError(f"min_valid={self.min_valid}", expected="a share from 0 to 1")
        check_sample_cell(self.sample_cell)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> _State:
        """Return empty counts."""
        return _State(tile, chosen_bands(tile, self.bands, type(self).__name__), self.sample_cell)

    def update(self, state: _State, *arrays: Array, extent: Extent | None = None) -> _State:
        """Count a block."""
        for (name, nodata), array in zip(state.nodata.items(), arrays, strict=True):
            pixels, cells = state.looked.at(array, extent)
            held = state.counts[name]
            held[0] += int(_kernels.count_valid(flat_view(pixels), nodata))
            held[1] += pixels.size
            held[2] += cells
        return state

    def merge(self, a: _State, b: _State) -> _State:
        """Add counts."""
        for name, held in a.counts.items():
            a.counts[name] = [x + y for x, y in zip(held, b.counts[name], strict=True)]
        return a

    def finish(self, state: _State) -> dict[str, ValidShare]:
        """Return the share of valid pixels per band."""
        return {
            name: ValidShare(valid / n if n else 0.0, n, cells, self.sample_cell)
            for name, (valid, n, cells) in state.counts.items()
        }

    def judge(self, result: dict[str, ValidShare], tile: TileSpec) -> Verdict:
        """Compare every band's share."""
        poor = {name: share for name, share in result.items() if share < self.min_valid}
        lowest = min(result.items(), key=lambda item: item[1], default=None)
        shown = poor or ({} if lowest is None else dict([lowest]))
        found = ", ".join(f"{name} has {_percent(share)} valid pixels" for name, share in shown.items())
        return Verdict(not poor, found or "no bands", f"at least {self.min_valid:.1%}")


def _percent(share: ValidShare) -> str:
    return f"{share:.1%}" + (f" (± {share.error():.1%}, sampled)" if share.cell > 1 else "")
