"""Kernels that look around: growing a mask to a disk, laying its shadow. Integers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def grow(mask: Any, half_widths: Any) -> Any:
    """Return where a pixel of `mask` lies within a disk, over the last two of three axes.

    `half_widths[d]` is how many columns the disk reaches to either side, `d` rows off its centre. First the
    rows to the nearest set pixel of every column are counted, no further than the disk reaches; then every
    column covers its own stretch of the row, and the stretches are joined from left and from right. The
    work per pixel does not depend on the radius, and nothing is rounded.
    """
    planes, height, width = mask.shape
    out = np.empty(mask.shape, np.bool_)
    reach = half_widths.size - 1
    rows = np.empty((height, width), np.int32)
    far = np.int32(reach + 1)
    for p in range(planes):
        for i in range(height):
            for j in range(width):
                above = rows[i - 1, j] + 1 if i > 0 else far
                rows[i, j] = 0 if mask[p, i, j] else min(above, far)
        for i in range(height - 2, -1, -1):
            for j in range(width):
                rows[i, j] = min(rows[i, j], rows[i + 1, j] + 1)
        for i in range(height):
            last = -1  # the last column that a stretch from the left covers
            for j in range(width):
                d = rows[i, j]
                if d <= reach:
                    last = max(last, j + half_widths[d])
                out[p, i, j] = j <= last
            first = width
            for j in range(width - 1, -1, -1):
                d = rows[i, j]
                if d <= reach:
                    first = min(first, j - half_widths[d])
                out[p, i, j] = out[p, i, j] | (j >= first)
    return out


@kernel
def pack(mask: Any) -> Any:
    """Return the rows of a plane as words of 64 bits, and whether a row has a bit set."""
    height, width = mask.shape
    packed = np.zeros((height, (width + 63) // 64), np.uint64)
    filled = np.zeros(height, np.bool_)
    for i in range(height):
        for j in range(width):
            if mask[i, j]:
                packed[i, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
                filled[i] = True
    return packed, filled


@kernel
def cast(packed: Any, filled: Any, width: Any, drows: Any, dcols: Any, first: Any, stop: Any) -> Any:
    """Return where a packed mask falls when it is moved by any of the offsets; outside it nothing is set.

    Only the rows from `first` to `stop` are made. Whole words are moved: 64 pixels at a time.
    """
    height, words = packed.shape
    out = np.zeros((height, width), np.bool_)
    row = np.empty(words, np.uint64)
    for i in range(first, stop):
        row[:] = np.uint64(0)
        hit = False
        for k in range(drows.size):
            source = i - drows[k]
            if (source < 0) | (source >= height):
                continue
            if not filled[source]:
                continue
            hit = True
            # to the right by `over` words and `bits` bits; both may come from negative columns
            over, bits = dcols[k] >> 6, dcols[k] & 63
            up = np.uint64(bits)
            for w in range(max(over, 0), min(words + over, words)):
                row[w] |= packed[source, w - over] << up
            if bits > 0:  # what crosses from one word into the next
                down = np.uint64(64 - bits)
                for w in range(max(over + 1, 0), min(words + over + 1, words)):
                    row[w] |= packed[source, w - over - 1] >> down
        if hit:
            for j in range(width):
                out[i, j] = (row[j >> 6] >> np.uint64(j & 63)) & np.uint64(1) != np.uint64(0)
    return out


@kernel
def dark_beside(shadow: Any, mask: Any, nir: Any, nodata: Any, limit: Any) -> None:
    """Leave of a shadow what is not under the mask and, by its reflectance, dark; flat arrays, in place."""
    for i in range(shadow.size):
        dark = (nir[i] != nodata) & (np.float64(nir[i]) < limit)
        shadow[i] = shadow[i] & (not mask[i]) & dark
