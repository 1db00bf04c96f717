"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import flat_view, kernel, pixelwise

UNDER, OVER, BAD = 256, 257, 258
"""Rows of a table of 259 colours that follow the map's own 256, as in matplotlib."""

_CELLS = 4096  # a power of two: finding a value's cell rounds nothing

Array = np.ndarray[Any, Any]


@pixelwise(np.uint16)
def index_double(out: Any, values: Any, nodata: Any, low: Any, high: Any) -> None:
    """Write the row of the colour table for each value; matplotlib's arithmetic for float64."""
    width = high - low
    for i in range(out.size):
        v = np.float64(values[i])
        r = 0.0 if width == 0 else (v - low) / width
        k = r * 256.0
        inside = (k >= 0.0) & (k < 256.0)
        row = int(k) if inside else (255 if k == 256.0 else (UNDER if k < 0.0 else OVER))
        out[i] = BAD if (values[i] == nodata) | (v != v) | (k != k) else row


@pixelwise(np.uint16)
def index_single(out: Any, values: Any, nodata: Any, low: Any, high: Any) -> None:
    """Write the row of the colour table for each value; matplotlib's arithmetic for float32.

    Differences and quotients are found in float64 and rounded to float32, as NumPy does in place.
    """
    width = high - low
    for i in range(out.size):
        v = np.float32(values[i])
        d = np.float32(np.float64(v) - low)
        r = np.float32(0.0) if width == 0 else np.float32(np.float64(d) / width)
        k = r * np.float32(256.0)
        inside = (k >= 0.0) & (k < 256.0)
        row = int(k) if inside else (255 if k == 256.0 else (UNDER if k < 0.0 else OVER))
        out[i] = BAD if (values[i] == nodata) | (v != v) | (k != k) else row


@kernel
def _look_up(rows: Any, table: Any, red: Any, green: Any, blue: Any, alpha: Any) -> None:
    """Write the four bytes of each row's colour: one look-up per pixel, whatever the planes."""
    for i in range(rows.size):
        word = table[rows[i]]
        red[i] = word & 255
        green[i] = (word >> 8) & 255
        blue[i] = (word >> 16) & 255
        alpha[i] = word >> 24


def colour(rows: Array, table: bytes) -> tuple[Array, Array, Array, Array]:
    """Return the four planes of a picture for the rows of a colour table (four bytes each)."""
    planes = tuple(np.empty(rows.shape, np.uint8) for _ in range(4))
    colours = np.frombuffer(table, "<u4").astype(np.uint32)
    _look_up(flat_view(rows), colours, *(plane.reshape(-1) for plane in planes))
    return planes  # type: ignore[return-value]


def index_of(values: Array, nodata: float, low: float, high: float) -> Array:
    """Return the row of the colour table for each value, in the precision that matplotlib chooses."""
    narrow = values.dtype.kind in "biu" and values.dtype.itemsize <= 2
    chosen = index_single if narrow or values.dtype == np.float32 else index_double
    rows: Array = chosen(values, nodata, low, high)
    return rows


def map_colours(
    values: Array, nodata: float, low: float, high: float, table: bytes
) -> tuple[Array, Array, Array, Array]:
    """Return the picture of values between two limits."""
    return colour(index_of(values, nodata, low, high), table)


@pixelwise(np.uint16)
def class_rows(out: Any, values: Any, nodata: Any, first: Any, n: Any) -> None:
    """Write ``value − first`` for values on a table of `n` classes, `n` for others, `n` + 1 for no-data."""
    for i in range(out.size):
        v = np.float64(values[i])
        inside = (v >= first) & (v < first + n)
        k = int(v - first) if inside else n
        k = k if np.float64(k) + first == v else n
        out[i] = n + 1 if (values[i] == nodata) | (v != v) else k


def map_classes(values: Array, nodata: float, first: int, table: bytes) -> tuple[Array, Array, Array, Array]:
    """Return the picture of a map of classes; the table ends with the colours of others and of no-data."""
    n = len(table) // 4 - 2
    return colour(class_rows(values, nodata, float(first), n), table)


@pixelwise(np.uint8, arrays=3)
def valid_alpha(out: Any, r: Any, g: Any, b: Any, nodata_r: Any, nodata_g: Any, nodata_b: Any) -> None:
    """Write 255 where all three bands have data, 0 elsewhere."""
    for i in range(out.size):
        bad = (r[i] == nodata_r) | (g[i] == nodata_g) | (b[i] == nodata_b)
        bad = bad | (r[i] != r[i]) | (g[i] != g[i]) | (b[i] != b[i])
        out[i] = 0 if bad else 255


@pixelwise(np.uint8, arrays=2)
def linear_channel(out: Any, values: Any, alpha: Any, low: Any, high: Any) -> None:
    """Write ``255 · (value − low) / (high − low)``, rounded half up; 0 below `alpha` 0."""
    width = high - low
    scale = 1.0 if width == 0 else width
    for i in range(out.size):
        t = (np.float64(values[i]) - low) / scale
        t = 0.0 if width == 0 else t
        t = t if t > 0.0 else 0.0  # NaN too: where there is no data nothing may overflow
        t = t if t < 1.0 else 1.0
        out[i] = np.uint8(np.int32(t * 255.0 + 0.5)) & alpha[i]


@kernel
def gamma_steps(gamma: Any, cells: Any) -> Any:
    """Return where in the range each of the 255 steps is reached, and the step at each cell's start.

    ``255 · t ** (1 / gamma)`` rounds to k or more where t reaches ``((k − 0.5) / 255) ** gamma``: 255 powers
    instead of one per pixel.
    """
    steps = np.empty(257, np.float64)
    steps[0], steps[256] = 0.0, np.inf
    for k in range(1, 256):
        steps[k] = ((k - 0.5) / 255.0) ** gamma
    first = np.empty(cells + 1, np.int64)
    k = 0
    for j in range(cells + 1):
        while j / cells >= steps[k + 1]:
            k += 1
        first[j] = k
    return steps, first


@pixelwise(np.uint8, arrays=2)
def gamma_channel(out: Any, values: Any, alpha: Any, low: Any, high: Any, steps: Any, first: Any) -> None:
    """Write the step that each value has reached; 0 below `alpha` 0."""
    width = high - low
    scale = 1.0 if width == 0 else width
    cells = first.size - 1
    for i in range(out.size):
        t = (np.float64(values[i]) - low) / scale
        t = 0.0 if width == 0 else t
        t = t if t > 0.0 else 0.0
        t = t if t < 1.0 else 1.0
        k = first[int(t * cells)]
        while t >= steps[k + 1]:
            k += 1
        out[i] = np.uint8(k) & alpha[i]


def composite(
    red: Array,
    green: Array,
    blue: Array,
    nodata: tuple[float, float, float],
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    gamma: float,
) -> tuple[Array, Array, Array, Array]:
    """Return the picture of three bands: ``255 · ((value − low) / (high − low)) ** (1 / gamma)``, rounded.

    Limits that are unknown (of a band without a valid pixel) are NaN; nothing is drawn then.
    """
    alpha = valid_alpha(red, green, blue, *nodata)
    if any(limit != limit for limit in (*low, *high)):
        alpha[...] = 0
    planes = []
    steps = None if gamma == 1.0 else gamma_steps(gamma, _CELLS)
    for values, first, last in zip((red, green, blue), low, high, strict=True):
        if steps is None:
            planes.append(linear_channel(values, alpha, first, last))
        else:
            planes.append(gamma_channel(values, alpha, first, last, *steps))
    return planes[0], planes[1], planes[2], alpha
