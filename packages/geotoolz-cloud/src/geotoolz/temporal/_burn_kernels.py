"""Kernel of burn severity: two bands on two dates in, one number out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def _severity(
    nir: Any, swir: Any, nir_after: Any, swir_after: Any, no_nir: Any, no_swir: Any, kind: Any, out: Any
) -> None:
    height, width = out.shape
    for y in range(height):
        for x in range(width):
            n, s = np.float64(nir[y, x]), np.float64(swir[y, x])
            m, r = np.float64(nir_after[y, x]), np.float64(swir_after[y, x])
            missing = (nir[y, x] == no_nir) | (nir_after[y, x] == no_nir)
            missing |= (swir[y, x] == no_swir) | (swir_after[y, x] == no_swir)
            before = (n - s) / (n + s)
            change = before - (m - r) / (m + r)
            by = 1.0
            if kind == 1:
                by = np.sqrt(np.abs(before))
            elif kind == 2:
                by = before + 1.001
            bad = missing | (n + s == 0.0) | (m + r == 0.0) | (by == 0.0)
            out[y, x] = np.float32(np.nan if bad else change / by)


def severity(nir: Any, swir: Any, no_nir: Any, no_swir: Any, before: int, after: int, kind: int) -> Any:
    """Return dNBR (kind 0), RdNBR (1) or RBR (2) of two dates of a stack, in float64 and then rounded."""
    out = np.empty(nir.shape[1:], np.float32)
    planes = [np.ascontiguousarray(band[i]).view() for i in (before, after) for band in (nir, swir)]
    for plane in planes:
        plane.flags.writeable = False
    _severity(*planes, no_nir, no_swir, kind, out)
    return out
