"""Kernels: chips are added to rings of rows. Arrays in, arrays out.

Rings have dims (plane, row, column) and hold row ``r`` of the scene at ``r % rows``. A chip's weights are
products of weights along the rows and the columns: ``wy, py`` are those of this chip and of the earlier ones
along y, ``wx, px`` the same along x, ``tx`` the sum over all chips along x. The ratios ``wy / (wy + py)`` and
``wx / (wx + px)`` come as ``ry`` and ``rx``, in the type of the means.

Where a chip comes as its memory, it is one row of values in which its planes lie `plane` values apart and
its rows `step`, so that a window of a scene need not be copied first.
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
            values, bad = chip[p, i], False
            for j in range(width):  # without a way out: many values at a time
                bad = bad | (values[j] == nodata) | (values[j] != values[j])
            if bad:
                return True
    return False


@kernel
def mean_add(
    acc: Any, stash: Any, line: Any, chip: Any, plane: Any, step: Any, first: Any, nodata: Any, check: Any,
    row: Any, col: Any, ry: Any, rx: Any, shared: Any, done: Any,
) -> Any:  # fmt: skip
    """Move running means towards a chip; stop at the first row with a gap, return how many were done.

    The chips of one row of the grid are blended along x first. What no later chip of that row reaches, the
    first `done` columns, is then blended along y into the ring; the rest waits in `stash`, whose first
    `shared` columns are what the chips before have left. Equal values change nothing.
    """
    height, width = ry.size, rx.size
    for p in range(acc.shape[0]):
        for i in range(height):
            at = first + p * plane + i * step
            values, held = chip[at : at + width], stash[p, i]
            into = acc[p, (row + i) % acc.shape[1], col : col + done]
            bad = False
            for j in range(width):  # without a way out: many values at a time
                x = values[j]
                line[j] = x
                bad = bad | (x == nodata) | (x != x)
            if bad & check:
                return p * height + i
            for j in range(shared):
                x, m, r = line[j], held[j], rx[j]
                moved = m + (x - m) * r
                moved = m if x == m else moved  # infinities; and of two zeros the first
                line[j] = x if r == 1.0 else moved
            r = ry[i]
            if r == 1.0:
                for j in range(done):
                    into[j] = line[j]
            else:
                for j in range(done):
                    x, m = line[j], into[j]
                    moved = m + (x - m) * r
                    into[j] = m if x == m else moved
            for j in range(done, width):
                held[j - done] = line[j]
    return acc.shape[0] * height


@kernel
def mean_add_missing(  # noqa: C901, PLR0915
    acc: Any, stash: Any, kept: Any, stash_kept: Any, chip: Any, plane: Any, step: Any, first: Any,
    nodata: Any, row: Any, col: Any, ry: Any, rx: Any, wy: Any, py: Any, wx: Any, px: Any, tx: Any,
    begin: Any, shared: Any, done: Any,
) -> None:  # fmt: skip
    """Move running means towards a chip's valid values, from row `begin` of all planes on.

    `kept`, a ring of its own, sums the weights of the valid values in a mean; 0 stands for all of them, and
    a mean that is NaN has none. Where nothing is missing it computes what `mean_add` does: a gap elsewhere
    changes no bit.
    """
    height, width = ry.size, rx.size
    one = np.empty(1, acc.dtype)  # casts to the type of the means
    for number in range(begin, acc.shape[0] * height):
        p, i = number // height, number % height
        k, o, at = (row + i) % acc.shape[1], (row + i) % kept.shape[1], first + p * plane + i * step
        for j in range(width):
            value = chip[at + j]
            gone = (value == nodata) | (value != value)
            one[0] = np.nan
            b, have = one[0], 0.0
            if j < shared:
                b, have = stash[p, i, j], stash_kept[p, i, j]
            one[0] = value
            x = one[0]
            if gone:
                if b == b and have == 0.0:
                    have = px[j]
            elif b != b:
                b = x
                have = wx[j] if j < shared else 0.0
            else:
                r = rx[j]
                if have != 0.0:
                    one[0] = wx[j] / (wx[j] + have)
                    r = one[0]
                    have += wx[j]
                moved = b + (x - b) * r
                moved = b if x == b else moved
                b = x if r == 1.0 else moved
            if j >= done:
                stash[p, i, j - done] = b
                stash_kept[p, i, j - done] = have
                continue
            if py[i] == 0.0:
                acc[p, k, col + j] = b
                kept[p, o, col + j] = have * wy[i]
                continue
            m, before = acc[p, k, col + j], kept[p, o, col + j]
            own = wy[i] * (tx[j] if have == 0.0 else have)
            if b != b:
                if m == m and before == 0.0:
                    kept[p, o, col + j] = tx[j] * py[i]
            elif m != m:
                acc[p, k, col + j] = b
                kept[p, o, col + j] = own
            else:
                r = ry[i]
                if have != 0.0 or before != 0.0:
                    total = own + (tx[j] * py[i] if before == 0.0 else before)
                    one[0] = own / total
                    r = one[0]
                    kept[p, o, col + j] = total
                moved = m + (b - m) * r
                moved = m if b == m else moved
                acc[p, k, col + j] = b if r == 1.0 else moved


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
