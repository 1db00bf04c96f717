"""Kernels: chips are added to rings of rows. Arrays in, arrays out.

Rings have dims (plane, row, column) and hold row ``r`` of the scene at ``r % rows``. Weights `own`, `before`
are products of weights along the rows and the columns: with ``wy, py`` the weight of this chip and of the
earlier ones along y, ``wx, px`` the same along x, and ``tx`` the sum over all chips along x, the chips that
were added before this one in the order of the grid weigh ``wy·px + tx·py`` together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def has_missing(chip: Any, nodata: Any) -> Any:
    """Return whether some value is NaN or no-data."""
    planes, height, width = chip.shape
    for p in range(planes):
        for i in range(height):
            values, bad = chip[p, i], 0
            for j in range(width):  # without a way out: a row is compared all at once
                bad += (values[j] == nodata) | (values[j] != values[j])
            if bad:
                return True
    return False


@kernel
def mean_add(
    acc: Any, chip: Any, top: Any, left: Any, row: Any, col: Any,
    wy: Any, py: Any, wx: Any, px: Any, tx: Any,
) -> None:  # fmt: skip
    """Move running means towards a chip without no-data; equal values change nothing.

    The chip is whole and contiguous; its part begins at row `top` and column `left`.
    """
    height, width = wy.size, wx.size
    ratio = np.empty(width, acc.dtype)  # in the type of the means: twice as fast for float32
    alone = 0  # columns at the end that no earlier chip of this row reaches
    while alone < width and px[width - 1 - alone] == 0.0:
        alone += 1
    for i in range(height):
        k = (row + i) % acc.shape[1]
        blend = width - alone if py[i] == 0.0 else width
        for j in range(blend):
            own = wy[i] * wx[j]
            ratio[j] = own / (own + (wy[i] * px[j] + tx[j] * py[i]))
        for p in range(chip.shape[0]):
            into = acc[p, k, col : col + width]
            values = chip[p, top + i, left : left + width]
            for j in range(blend):
                x, m, r = values[j], into[j], ratio[j]
                moved = m + (x - m) * r
                moved = m if x == m else moved  # infinities; and of two zeros the first
                into[j] = x if r == 1.0 else moved
            for j in range(blend, width):
                into[j] = values[j]


@kernel
def mean_add_missing(
    acc: Any, lost: Any, chip: Any, nodata: Any, row: Any, col: Any,
    wy: Any, py: Any, wx: Any, px: Any, tx: Any,
) -> None:  # fmt: skip
    """Move running means towards a chip's valid values; `lost` sums the weights of those without data.

    Where nothing is lost it computes what `mean_add` does, in the same types: a gap elsewhere changes no bit.
    """
    planes, height, width = chip.shape
    ratio = np.empty(1, acc.dtype)
    for p in range(planes):
        for i in range(height):
            k = (row + i) % acc.shape[1]
            for j in range(width):
                own, before = wy[i] * wx[j], wy[i] * px[j] + tx[j] * py[i]
                if before == 0.0:
                    acc[p, k, col + j] = np.nan
                    lost[p, k, col + j] = 0.0
                x, m = chip[p, i, j], acc[p, k, col + j]
                if x == nodata or x != x:
                    lost[p, k, col + j] += own
                elif m != m:
                    acc[p, k, col + j] = x
                else:
                    ratio[0] = own / (own + (before - lost[p, k, col + j]))
                    r = ratio[0]
                    moved = m + (x - m) * r
                    moved = m if x == m else moved
                    acc[p, k, col + j] = x if r == 1.0 else moved


@kernel
def mean_add_wide(
    acc: Any, lost: Any, chip: Any, nodata: Any, row: Any, col: Any,
    wy: Any, py: Any, wx: Any, px: Any, tx: Any,
) -> None:  # fmt: skip
    """Like `mean_add_missing` for integers that no float holds: every step is rounded to an integer."""
    planes, height, width = chip.shape
    step = np.empty(1, acc.dtype)  # an unsigned number plus a signed one would become a float
    for p in range(planes):
        for i in range(height):
            k = (row + i) % acc.shape[1]
            for j in range(width):
                own, before = wy[i] * wx[j], wy[i] * px[j] + tx[j] * py[i]
                x = chip[p, i, j]
                if before == 0.0:
                    acc[p, k, col + j] = x
                    lost[p, k, col + j] = 0.0
                m = acc[p, k, col + j]
                if x == nodata:
                    lost[p, k, col + j] += own
                elif m == nodata:
                    acc[p, k, col + j] = x
                elif x > m:
                    ratio = own / (own + before - lost[p, k, col + j])
                    step[0] = np.rint((np.float64(x) - np.float64(m)) * ratio)
                    acc[p, k, col + j] = m + step[0]
                elif x < m:
                    ratio = own / (own + before - lost[p, k, col + j])
                    step[0] = np.rint((np.float64(m) - np.float64(x)) * ratio)
                    acc[p, k, col + j] = m - step[0]


@kernel
def extreme_add(acc: Any, chip: Any, nodata: Any, row: Any, col: Any, py: Any, px: Any, highest: Any) -> None:
    """Keep the lowest or highest valid value."""
    planes, height, width = chip.shape
    for p in range(planes):
        for i in range(height):
            k = (row + i) % acc.shape[1]
            for j in range(width):
                x, m = chip[p, i, j], acc[p, k, col + j]
                first = (py[i] == 0.0) & (px[j] == 0.0)
                if (
                    first
                    or m == nodata
                    or m != m
                    or (not (x == nodata or x != x) and ((x > m) if highest else (x < m)))
                ):
                    acc[p, k, col + j] = x


@kernel
def sum_add(acc: Any, count: Any, chip: Any, nodata: Any, row: Any, col: Any) -> None:
    """Add valid values and count them."""
    planes, height, width = chip.shape
    for p in range(planes):
        for i in range(height):
            k = (row + i) % acc.shape[1]
            for j in range(width):
                x = chip[p, i, j]
                if x == nodata or x != x:
                    continue
                acc[p, k, col + j] += x
                count[p, k, col + j] += 1


@kernel
def median_add(ring: Any, count: Any, chip: Any, nodata: Any, row: Any, col: Any) -> None:
    """Keep valid values, in ascending order."""
    planes, height, width = chip.shape
    for p in range(planes):
        for i in range(height):
            k = (row + i) % count.shape[1]
            for j in range(width):
                x = chip[p, i, j]
                if x == nodata or x != x:
                    continue
                n = count[p, k, col + j]
                while n > 0 and ring[n - 1, p, k, col + j] > x:
                    ring[n, p, k, col + j] = ring[n - 1, p, k, col + j]
                    n -= 1
                ring[n, p, k, col + j] = x
                count[p, k, col + j] += 1


@kernel
def median_rows(out: Any, ring: Any, count: Any, row: Any, nodata: Any) -> None:
    """Write the median of what is held, or no-data; of two middle values their mean."""
    planes, height, width = out.shape
    for p in range(planes):
        for i in range(height):
            k = (row + i) % count.shape[1]
            for j in range(width):
                n = count[p, k, j]
                count[p, k, j] = 0
                if n == 0:
                    out[p, i, j] = nodata
                    continue
                low, high = ring[(n - 1) // 2, p, k, j], ring[n // 2, p, k, j]
                if low == high:
                    out[p, i, j] = low
                else:
                    out[p, i, j] = np.float64(low) + (np.float64(high) - np.float64(low)) / 2


@kernel
def vote_add(
    first: Any, votes: Any, depth: Any, keys: Any, chip: Any, nodata: Any, top: Any, left: Any,
    row: Any, col: Any, ey: Any, ex: Any, shift: Any,
) -> Any:  # fmt: skip
    """Count votes; return whether all labels are valid.

    As long as all chips agree on a pixel, only their label is kept (`first`, −1 for none), with the number of
    votes and the largest distance to a chip's edge. When they do not (−2), every class has a key: its votes
    (12 bits) above its largest distance (20 bits), so that the larger key wins, with ties for the class that
    was seen farther inside a chip.
    """
    height, width, classes = ey.size, ex.size, keys.shape[3]
    for p in range(chip.shape[0]):
        for i in range(height):
            k = (row + i) % keys.shape[1]
            values = chip[p, top + i, left : left + width]
            for j in range(width):
                x, c = values[j], col + j
                if x == nodata or x != x:
                    continue
                if x < 0 or x >= classes:
                    return False
                label = int(x)
                if label != x:
                    return False
                inside = min((ey[i] * ex[j]) >> shift, 0xFFFFF)
                held = first[p, k, c]
                if held == -1:
                    first[p, k, c], votes[p, k, c], depth[p, k, c] = label, 1, inside
                    continue
                if held == label:
                    votes[p, k, c] += 1
                    depth[p, k, c] = max(inside, np.int64(depth[p, k, c]))
                    continue
                if held >= 0:
                    keys[p, k, c, held] = (np.int64(votes[p, k, c]) << 20) | np.int64(depth[p, k, c])
                    first[p, k, c] = -2
                key = np.int64(keys[p, k, c, label])
                keys[p, k, c, label] = (((key >> 20) + 1) << 20) | max(inside, key & 0xFFFFF)
    return True


@kernel
def vote_rows(out: Any, first: Any, keys: Any, row: Any, fill: Any) -> None:
    """Write the class that won, or the fill where nobody voted; forget the votes."""
    planes, height, width = out.shape
    for p in range(planes):
        for i in range(height):
            k = (row + i) % keys.shape[1]
            for j in range(width):
                label = first[p, k, j]
                first[p, k, j] = -1
                if label == -1:
                    out[p, i, j] = fill
                    continue
                if label == -2:
                    held = np.int64(0)
                    for other in range(keys.shape[3]):
                        key = np.int64(keys[p, k, j, other])
                        if key > held:
                            label, held = other, key
                        keys[p, k, j, other] = 0
                out[p, i, j] = label


@kernel
def precise_add(
    acc: Any, weight: Any, chip: Any, variance: Any, row: Any, col: Any, wy: Any, wx: Any
) -> None:
    """Move running means by the inverse of the variance; what has no positive variance is left out."""
    planes, height, width = chip.shape
    for p in range(planes):
        for i in range(height):
            k = (row + i) % acc.shape[1]
            for j in range(width):
                x, v = np.float64(chip[p, i, j]), np.float64(variance[p, i, j])
                if not v > 0 or x != x:
                    continue
                own = wy[i] * wx[j] / v
                have, m = weight[p, k, col + j], acc[p, k, col + j]
                if have == 0.0:
                    acc[p, k, col + j] = x
                elif x != m:
                    acc[p, k, col + j] = m + (x - m) * (own / (own + have))
                weight[p, k, col + j] = have + own
