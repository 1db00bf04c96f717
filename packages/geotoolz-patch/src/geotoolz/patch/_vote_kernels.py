"""Kernels: labels are counted in rings of rows; see `geotoolz.patch._kernels` for rings and chips."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def vote_add(  # noqa: C901
    first: Any, keys: Any, chip: Any, plane: Any, step: Any, start: Any, nodata: Any, check: Any, low: Any,
    top: Any, row: Any, col: Any, ey: Any, cy: Any, dy: Any, ex: Any, cx: Any, dx: Any, nx: Any, mx: Any,
    shared: Any, shift: Any,
) -> Any:  # fmt: skip
    """Count votes; return whether all labels are valid: `low` to `top`, in the type of the chip.

    As long as all chips agree on a pixel, only their label is kept (`first`, −1 for none): how many voted,
    and how far inside their chips, is a matter of geometry. ``c`` counts the earlier chips along an axis,
    ``d`` is their largest distance to a chip's edge, ``e`` this chip's; ``nx`` and ``mx`` are those of all
    chips along x. Where labels differ or one is missing (−2), every class has a key: its votes (12 bits)
    above its largest distance (20 bits), so that the larger key wins, with ties for the class that was seen
    farther inside a chip.
    """
    height, width = ey.size, ex.size
    for p in range(first.shape[0]):
        for i in range(height):
            k, at = (row + i) % keys.shape[1], start + p * plane + i * step
            values, into = chip[at : at + width], first[p, k, col : col + width]
            fresh = shared if cy[i] == 0 else width  # from here on no earlier chip has voted
            bad = False
            for j in range(width):  # without a way out: many values at a time
                x = values[j]
                bad = bad | (check & (x == nodata)) | (x < low) | (x > top) | (x != x)
            if not bad:
                for j in range(fresh, width):
                    into[j] = values[j]
                for j in range(width):
                    bad = bad | (into[j] != values[j])
                if not bad:
                    continue
            for j in range(width):
                x, held = values[j], np.int64(into[j])
                gone = (check & (x == nodata)) | (x != x)
                if not gone and (x < low or x > top or np.floor(x) != x):
                    return False
                label = np.int64(-1) if gone else np.int64(x)
                if j >= fresh:
                    into[j] = label
                if j >= fresh or held == label:
                    continue
                if held >= 0:  # what all chips so far have said becomes a key
                    deep = min(max(dy[i] * mx[j], ey[i] * dx[j]) >> shift, 0xFFFFF)
                    keys[p, k, col + j, held] = ((cy[i] * nx[j] + cx[j]) << 20) | deep
                into[j] = -2
                if gone:
                    continue
                key, inside = np.int64(keys[p, k, col + j, label]), min((ey[i] * ex[j]) >> shift, 0xFFFFF)
                keys[p, k, col + j, label] = (((key >> 20) + 1) << 20) | max(inside, key & 0xFFFFF)
    return True


@kernel
def vote_rows(out: Any, first: Any, keys: Any, row: Any, fill: Any) -> None:
    """Write the class that won, or the fill where nobody voted; forget the votes."""
    planes, height, width = out.shape
    for p in range(planes):
        for i in range(height):
            k, mixed = (row + i) % keys.shape[1], False
            labels, into = first[p, k], out[p, i]
            for j in range(width):
                mixed = mixed | (labels[j] < 0)
                into[j] = max(labels[j], 0)
            if not mixed:
                continue
            for j in range(width):
                if labels[j] == -1:
                    into[j] = fill
                if labels[j] != -2:
                    continue
                best, held = -1, np.int64(0)
                for other in range(keys.shape[3]):
                    key = np.int64(keys[p, k, j, other])
                    if key > held:
                        best, held = other, key
                    keys[p, k, j, other] = 0
                into[j] = fill if best < 0 else best
