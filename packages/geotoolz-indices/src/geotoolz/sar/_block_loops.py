"""Loops over blocks of pixels, compiled when the first block is computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core._jit import compiled


@compiled
def block_means(out: Any, values: Any, nodata: Any, ny: Any, nx: Any, top: Any, left: Any) -> None:
    """Write the mean of each block's valid pixels; the first block begins at row `top`, column `left`."""
    planes, height, width = values.shape
    for p in range(planes):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                total, n = 0.0, 0
                for k in range(max(top + i * ny, 0), min(top + (i + 1) * ny, height)):
                    for m in range(max(left + j * nx, 0), min(left + (j + 1) * nx, width)):
                        v = np.float64(values[p, k, m])
                        if (values[p, k, m] != nodata) & (v > -np.inf) & (v < np.inf):
                            total += v
                            n += 1
                out[p, i, j] = np.float32(total / n) if n else np.float32(np.nan)


@compiled
def block_modes(out: Any, values: Any, nodata: Any, ny: Any, nx: Any, top: Any, left: Any) -> None:
    """Write the value that most pixels of a block have, the first in reading order among equals."""
    planes, height, width = values.shape
    for p in range(planes):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                y0, y1 = max(top + i * ny, 0), min(top + (i + 1) * ny, height)
                x0, x1 = max(left + j * nx, 0), min(left + (j + 1) * nx, width)
                best, most = values[p, y0, x0], 0
                for k in range(y0, y1):
                    for m in range(x0, x1):
                        v, n = values[p, k, m], 0
                        if v == nodata:
                            continue
                        for s in range(y0, y1):
                            for t in range(x0, x1):
                                n += values[p, s, t] == v
                        if n > most:
                            best, most = v, n
                out[p, i, j] = best
