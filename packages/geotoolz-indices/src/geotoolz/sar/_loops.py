"""Loops of the speckle filters, compiled when the first pixel is filtered.

A pixel counts if it has data and is finite and not negative: power cannot be. Sums are made of float64
in the same order around every pixel (down each column, then along the row), so that they do not depend on
where a window begins; a running sum would.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core._jit import compiled


@compiled
def take_row(line: Any, nodata: Any, radius: Any, row: Any, counts: Any) -> Any:
    """Widen a row of pixels, 0 for what does not count; return whether all count."""
    n = np.int32(0)
    for j in range(line.size):
        v = np.float64(line[j])
        good = (line[j] != nodata) & (v >= 0) & (v < np.inf)
        row[radius + j] = v if good else 0.0
        counts[radius + j] = np.int32(good)
        n += np.int32(good)
    return n == line.size


@compiled
def add_columns(rows: Any, order: Any, total: Any, squares: Any) -> None:
    """Write the sums of rows and of their squares, four rows at a time and then the rest."""
    total[:] = 0.0
    squares[:] = 0.0
    rest = order.size - order.size % 4
    for t in range(0, rest, 4):
        a, b, c, d = rows[order[t]], rows[order[t + 1]], rows[order[t + 2]], rows[order[t + 3]]
        for j in range(total.size):
            total[j] += (a[j] + b[j]) + (c[j] + d[j])
            squares[j] += (a[j] * a[j] + b[j] * b[j]) + (c[j] * c[j] + d[j] * d[j])
    for t in range(rest, order.size):
        a = rows[order[t]]
        for j in range(total.size):
            total[j] += a[j]
            squares[j] += a[j] * a[j]


@compiled
def add_along(columns: Any, size: Any, total: Any) -> None:
    """Write the sums of `size` neighbours along a row, four at a time and then the rest."""
    width, rest = total.size, size - size % 4
    total[:] = 0
    for t in range(0, rest, 4):
        a, b, c, d = columns[t:], columns[t + 1 :], columns[t + 2 :], columns[t + 3 :]
        for j in range(width):
            total[j] += (a[j] + b[j]) + (c[j] + d[j])
    for t in range(rest, size):
        a = columns[t:]
        for j in range(width):
            total[j] += a[j]


@compiled
def begin(plane: Any, nodata: Any, radius: Any, rows: Any, counts: Any, full: Any) -> None:
    """Take the rows above the first pixel row's last neighbour; those beyond the border are empty."""
    rows[:] = 0.0
    counts[:] = 0
    full[:] = False
    for k in range(min(radius, plane.shape[0])):
        full[k] = take_row(plane[k], nodata, radius, rows[k], counts[k])


@compiled
def moments(
    plane: Any, i: Any, nodata: Any, radius: Any, rows: Any, counts: Any, full: Any, columns: Any, found: Any
) -> None:
    """Put mean, variance and 1 / count of the squares around the pixels of row `i` into `found`.

    `rows` holds the last ``2 · radius + 1`` rows; the slot of a row is its number modulo that.
    """
    height, width = plane.shape
    size = 2 * radius + 1
    new = (i + radius) % size
    if i + radius < height:
        full[new] = take_row(plane[i + radius], nodata, radius, rows[new], counts[new])
    else:
        rows[new, :] = 0.0
        counts[new, :] = 0
        full[new] = False
    order = (np.arange(size) + (i - radius + size)) % size
    add_columns(rows, order, columns[0], columns[1])
    add_along(columns[0], size, found[0])
    add_along(columns[1], size, found[1])
    inverse = found[2]
    if full.all():  # whole numbers: how they are counted changes nothing
        for j in range(width):
            inverse[j] = size * (min(j, radius) + min(width - 1 - j, radius) + 1)
    else:
        columns[0] = 0.0
        for k in range(size):
            column, row = columns[0], counts[k]
            for j in range(column.size):
                column[j] += row[j]
        add_along(columns[0], size, inverse)
    mean, variance = found[0], found[1]
    for j in range(width):
        over = 1.0 / inverse[j]
        m = mean[j] * over
        mean[j] = m
        variance[j] = variance[j] * over - m * m


@compiled
def lee(out: Any, values: Any, nodata: Any, radius: Any, looks: Any) -> None:
    """Write ``mean + W · (value − mean)``."""
    planes, height, width = values.shape
    size = 2 * radius + 1
    rows, counts = np.empty((size, width + size - 1)), np.empty((size, width + size - 1), np.int32)
    full, columns, found = np.empty(size, np.bool_), np.empty((2, width + size - 1)), np.empty((3, width))
    noise = 1.0 / looks
    share = 1.0 / (1.0 + noise)
    for p in range(planes):
        begin(values[p], nodata, radius, rows, counts, full)
        for i in range(height):
            moments(values[p], i, nodata, radius, rows, counts, full, columns, found)
            weigh(values[p, i], nodata, found[0], found[1], noise, share, out[p, i])


@compiled
def weigh(line: Any, nodata: Any, mean: Any, variance: Any, noise: Any, share: Any, out: Any) -> None:
    """Write one row of Lee's filter."""
    for j in range(out.size):
        v, m, var = np.float64(line[j]), mean[j], variance[j]
        good = (line[j] != nodata) & (v >= 0) & (v < np.inf)
        signal = (var - m * m * noise) * share
        weight = signal / var
        weight = weight if signal > 0 else 0.0
        out[j] = np.float32(m + weight * (v - m)) if good else np.float32(np.nan)


@compiled
def gamma_map(out: Any, values: Any, nodata: Any, radius: Any, looks: Any) -> None:
    """Write the most probable power of gamma distributed ground under gamma distributed speckle."""
    planes, height, width = values.shape
    size = 2 * radius + 1
    rows, counts = np.empty((size, width + size - 1)), np.empty((size, width + size - 1), np.int32)
    full, columns, found = np.empty(size, np.bool_), np.empty((2, width + size - 1)), np.empty((3, width))
    noise = 1.0 / looks
    for p in range(planes):
        begin(values[p], nodata, radius, rows, counts, full)
        for i in range(height):
            moments(values[p], i, nodata, radius, rows, counts, full, columns, found)
            for j in range(width):
                v, m, var = np.float64(values[p, i, j]), found[0, j], found[1, j]
                good = (values[p, i, j] != nodata) & (v >= 0) & (v < np.inf)
                if not good:
                    out[p, i, j] = np.float32(np.nan)
                    continue
                excess = var - noise * m * m  # of the squared variation over that of speckle, × mean²
                if not excess > 0:
                    out[p, i, j] = np.float32(m)
                elif var >= 2.0 * noise * m * m:
                    out[p, i, j] = np.float32(v)
                else:
                    alpha = (1.0 + noise) * m * m / excess
                    b = alpha - looks - 1.0
                    root = np.sqrt(m * m * b * b + 4.0 * alpha * looks * m * v)
                    out[p, i, j] = np.float32((b * m + root) / (2.0 * alpha))


@compiled
def frost(out: Any, values: Any, nodata: Any, radius: Any, damping: Any, kinds: Any, distances: Any) -> None:
    """Write means weighted by ``exp(−damping · variance / mean² · distance)``.

    ``distances[kinds[k, m]]`` is the distance of the neighbour in row `k` and column `m` of the square.
    """
    planes, height, width = values.shape
    size = 2 * radius + 1
    rows, counts = np.empty((size, width + size - 1)), np.empty((size, width + size - 1), np.int32)
    full, columns, found = np.empty(size, np.bool_), np.empty((2, width + size - 1)), np.empty((3, width))
    weights = np.empty(distances.size)
    for p in range(planes):
        begin(values[p], nodata, radius, rows, counts, full)
        for i in range(height):
            moments(values[p], i, nodata, radius, rows, counts, full, columns, found)
            for j in range(width):
                v, m = np.float64(values[p, i, j]), found[0, j]
                if not ((values[p, i, j] != nodata) & (v >= 0) & (v < np.inf)):
                    out[p, i, j] = np.float32(np.nan)
                    continue
                # the difference of two sums may come out a hair below zero on a plain ground
                decay = damping * max(found[1, j], 0.0) / (m * m) if m > 0 else 0.0
                for c in range(distances.size):
                    weights[c] = np.exp(-decay * distances[c])
                total, weight = 0.0, 0.0
                for k in range(max(i - radius, 0), min(i + radius + 1, height)):
                    for n in range(max(j - radius, 0), min(j + radius + 1, width)):
                        u = np.float64(values[p, k, n])
                        if (values[p, k, n] != nodata) & (u >= 0) & (u < np.inf):
                            w = weights[kinds[k - i + radius, n - j + radius]]
                            total += w * u
                            weight += w
                out[p, i, j] = np.float32(total / weight)
