"""Pictures of where two pipelines differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geotoolz.core._lazy import xr
from geotoolz.viz import encode_png, quicklook

Array = np.ndarray[Any, Any]
_SAME, _OTHER, _NONE = (226, 232, 240, 255), (197, 48, 48, 255), (0, 0, 0, 0)
_LEGEND = ("flag_values", "flag_meanings", "flag_colors", "quantity", "long_name", "units")


def pictures_of(kind: str, thumbs: Array, attrs: Mapping[str, Any]) -> dict[str, bytes]:
    """Return what both pipelines made, and their difference, as PNG.

    Both are drawn with the same limits. Differences are red where the second is larger and blue where
    it is smaller, up to the 98th percentile of their sizes; other classes are red.

    Parameters
    ----------
    kind : str
    thumbs : array
        (2, rows, columns), NaN for no-data.
    attrs : mapping
        Of the variable.

    Returns
    -------
    dict of str to bytes
        Empty of a tile without pixels.
    """
    if not thumbs.size:
        return {}
    if kind == "classes":
        return {
            "a": _classes(thumbs, 0, attrs),
            "b": _classes(thumbs, 1, attrs),
            "difference": encode_png(disagreement(thumbs)),
        }
    known = thumbs[np.isfinite(thumbs)]
    low, high = (float(v) for v in np.percentile(known, (2, 98))) if known.size else (0.0, 1.0)
    off = thumbs[1] - thumbs[0]
    sizes = np.abs(off[np.isfinite(off)])
    limit = float(np.percentile(sizes, 98)) if sizes.size else 0.0
    limit = limit or (float(sizes.max()) if sizes.size else 0.0) or 1.0
    return {
        "a": _plane(thumbs[0], "viridis", low, high),
        "b": _plane(thumbs[1], "viridis", low, high),
        "difference": _plane(-off, "RdBu", -limit, limit),  # red is the low end of the map
    }


def disagreement(thumbs: Array) -> Array:
    """Return where classes differ, as (rows, columns, 4) bytes."""
    a, b = thumbs
    out = np.empty((*a.shape, 4), np.uint8)
    out[:] = _SAME
    out[a != b] = _OTHER
    out[np.isnan(a) & np.isnan(b)] = _NONE
    return out


def _plane(values: Array, cmap: str, low: float, high: float) -> bytes:
    return quicklook(_tile(values, {}), "shown", size=None, cmap=cmap, vmin=low, vmax=high)


def _classes(thumbs: Array, side: int, attrs: Mapping[str, Any]) -> bytes:
    """Draw classes in the colours of their legend, without one in shades that both sides share."""
    kept = {name: attrs[name] for name in _LEGEND if name in attrs}
    if "flag_values" in kept:
        return quicklook(_tile(thumbs[side], {**kept, "quantity": "flags"}), "shown", size=None)
    known = thumbs[np.isfinite(thumbs)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return _plane(thumbs[side], "viridis", low, high)


def _tile(values: Array, attrs: Mapping[str, Any]) -> xr.Dataset:
    return xr.Dataset({"shown": (("y", "x"), values.astype(np.float32), dict(attrs))})
