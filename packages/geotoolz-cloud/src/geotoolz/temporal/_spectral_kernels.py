"""Kernels on spectra, all bands of a date together: geometric median and medoid."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel
from geotoolz.core._jit import compiled
from geotoolz.temporal._median_kernels import to_median

_ROUNDS = 12
"""Steps of Weiszfeld's iteration before Newton's method takes over."""
_LEAST_ROUNDS = 6
_FEW = 8


@kernel
def gather(spectra: Any, band: Any, values: Any, nodata: Any, y0: Any, y1: Any) -> None:
    """Copy rows of a band into a buffer ``(date, band, pixel)``, with NaN for no-data."""
    dates, _, width = values.shape
    for t in range(dates):
        for y in range(y0, y1):
            row, line = values[t, y], spectra[t, band, (y - y0) * width : (y - y0 + 1) * width]
            for i in range(width):
                valid = (row[i] == row[i]) & (row[i] != nodata)
                line[i] = spectra.dtype.type(row[i]) if valid else spectra.dtype.type(np.nan)


@compiled
def _load(spectra: Any, first: Any, n: Any, start: Any, stop: Any, x: Any, weight: Any) -> None:
    """Bring `n` pixels to float64; a date that lacks a band gets weight 0, and zeros."""
    bands, lanes = spectra.shape[1], weight.shape[1]
    for t in range(start, stop):
        use = weight[t - start]
        for i in range(lanes):
            use[i] = 1.0 if i < n else 0.0
        for b in range(bands):
            line = spectra[t, b, first : first + n]
            for i in range(n):
                use[i] = use[i] if abs(line[i]) < np.inf else 0.0
        for b in range(bands):
            line, copy = spectra[t, b, first : first + n], x[t - start, b]
            copy[:] = 0.0
            for i in range(n):
                copy[i] = np.float64(line[i]) if use[i] > 0.0 else 0.0


@compiled
def _start(x: Any, weight: Any, dates: Any, m: Any, number: Any) -> None:
    """Begin at the mean."""
    bands, lanes = m.shape
    number[:] = 0.0
    m[:] = 0.0
    for t in range(dates):
        for i in range(lanes):
            number[i] += weight[t, i]
        for b in range(bands):
            for i in range(lanes):
                m[b, i] += x[t, b, i]
    for b in range(bands):
        for i in range(lanes):
            m[b, i] /= number[i]  # 0/0 is NaN: no observation


@compiled
def _step(x: Any, weight: Any, dates: Any, m: Any, new: Any, state: Any) -> None:
    """One step of Weiszfeld's iteration for all lanes; dates in order, in float64.

    `state` gets the length of the step and the sum of the inverse distances; its other rows are scratch.
    An observation at the very centre has no say in where to go.
    """
    bands, lanes = m.shape
    length, inverses, square, w = state[0], state[1], state[2], state[3]
    new[:] = 0.0
    inverses[:] = 0.0
    for t in range(dates):
        square[:] = 0.0
        for b in range(bands):
            line, centre = x[t, b], m[b]
            for i in range(lanes):
                d = line[i] - centre[i]
                square[i] += d * d
        use = weight[t]
        for i in range(lanes):
            s = square[i]
            w[i] = use[i] / np.sqrt(s) if s > 0.0 else 0.0
            inverses[i] += w[i]
        for b in range(bands):
            line, total = x[t, b], new[b]
            for i in range(lanes):
                total[i] += w[i] * line[i]
    length[:] = 0.0
    for b in range(bands):
        for i in range(lanes):
            new[b, i] = new[b, i] / inverses[i] if inverses[i] > 0.0 else m[b, i]
            d = new[b, i] - m[b, i]
            length[i] += d * d
    for i in range(lanes):
        length[i] = np.sqrt(length[i])


@compiled
def _iterate(
    x: Any, weight: Any, dates: Any, m: Any, number: Any, tolerance: Any, work: Any, moving: Any
) -> None:
    """Move all lanes towards their medians; each stops by itself, whatever the others do.

    What is `moving` afterwards converges slowly, or has few observations: with those steps may be short
    far from the median, and Newton's method costs little.
    """
    bands, lanes = m.shape
    new, state = work
    length, inverses, before = state[0], state[1], state[4]
    before[:] = 0.0
    left = 0
    for i in range(lanes):
        moving[i] = number[i] > 2.0  # every point between two is a median: their mean is taken
        left += number[i] > _FEW
    for turn in range(_ROUNDS):
        if left == 0 and turn >= _LEAST_ROUNDS:
            break
        _step(x, weight, dates, m, new, state)
        for i in range(lanes):
            if not moving[i]:
                continue
            rate = length[i] / before[i] if before[i] > 0.0 else 1.0
            ahead = length[i] * rate / (1.0 - rate) if rate < 1.0 else np.inf
            before[i] = length[i]
            for b in range(bands):
                m[b, i] = new[b, i]
            if turn > 2 and number[i] > _FEW and ahead * inverses[i] <= tolerance * number[i]:
                moving[i] = False
                left -= 1


@compiled
def _finish(x: Any, weight: Any, dates: Any, m: Any, i: Any, tolerance: Any, rounds: Any, own: Any) -> None:
    """Bring one lane to its median by `to_median`."""
    bands = m.shape[0]
    p, vectors, hessian = own
    y, n = vectors[3], 0
    for t in range(dates):
        if weight[t, i] > 0.0:
            for b in range(bands):
                p[n, b] = x[t, b, i]
            n += 1
    for b in range(bands):
        y[b] = m[b, i]
    to_median(p, n, y, tolerance, rounds, vectors, hessian)
    for b in range(bands):
        m[b, i] = y[b]


@kernel
def weiszfeld(spectra: Any, bins: Any, tolerance: Any, rounds: Any, lanes: Any) -> Any:
    """Return the geometric median of each bin's spectra ``(bin, band, pixel)``, and of how many.

    A pixel is done when the way that is left, estimated from the last steps, is shorter than
    `tolerance` × the harmonic mean distance of its observations.
    """
    _, bands, pixels = spectra.shape
    out = np.empty((bins.shape[0], bands, pixels))
    count = np.empty((bins.shape[0], pixels), np.uint16)
    longest = 1
    for k in range(bins.shape[0]):
        longest = max(longest, bins[k, 1] - bins[k, 0])
    x, weight = np.zeros((longest, bands, lanes)), np.zeros((longest, lanes))
    m, number, moving = np.empty((bands, lanes)), np.empty(lanes), np.empty(lanes, np.bool_)
    work = (np.empty((bands, lanes)), np.empty((5, lanes)))
    own = (np.empty((longest, bands)), np.empty((4, bands)), np.empty((bands, bands)))
    for k in range(bins.shape[0]):
        dates = bins[k, 1] - bins[k, 0]
        for first in range(0, pixels, lanes):
            n = min(lanes, pixels - first)
            _load(spectra, first, n, bins[k, 0], bins[k, 1], x, weight)
            _start(x, weight, dates, m, number)
            _iterate(x, weight, dates, m, number, tolerance, work, moving)
            for i in range(n):
                if moving[i]:
                    _finish(x, weight, dates, m, i, tolerance, rounds, own)
                count[k, first + i] = np.uint16(number[i])
            for b in range(bands):
                for i in range(n):
                    out[k, b, first + i] = m[b, i]
    return out, count


@compiled
def _least(total: Any, weight: Any, start: Any, order: Any, n: Any, out: Any, count: Any) -> None:
    """Write the date of the least sum of distances, and the number of observations."""
    for i in range(n):
        best, number, chosen = np.inf, 0, -1
        for k in range(order.size):
            t = order[k] - start
            if weight[t, i] > 0.0:
                number += 1
                if total[t, i] < best:
                    best, chosen = total[t, i], t
        out[i] = np.int16(start + chosen if chosen >= 0 else -1)
        count[i] = np.uint16(number)


@kernel
def medoids(spectra: Any, bins: Any, order: Any, lanes: Any) -> Any:
    """Return each bin's date whose spectrum has the least sum of distances to the others, and the count.

    The first in `order` of equal ones, which stays within the bins; −1 without an observation.
    """
    _, bands, pixels = spectra.shape
    out = np.empty((bins.shape[0], pixels), np.int16)
    count = np.empty((bins.shape[0], pixels), np.uint16)
    longest = 1
    for k in range(bins.shape[0]):
        longest = max(longest, bins[k, 1] - bins[k, 0])
    x, weight = np.zeros((longest, bands, lanes)), np.zeros((longest, lanes))
    total, square = np.empty((longest, lanes)), np.empty(lanes)
    for k in range(bins.shape[0]):
        dates = bins[k, 1] - bins[k, 0]
        for first in range(0, pixels, lanes):
            n = min(lanes, pixels - first)
            _load(spectra, first, n, bins[k, 0], bins[k, 1], x, weight)
            total[:] = 0.0
            for s in range(dates):
                for t in range(s):
                    square[:] = 0.0
                    for b in range(bands):
                        one, two = x[s, b], x[t, b]
                        for i in range(lanes):
                            d = one[i] - two[i]
                            square[i] += d * d
                    here, there, use, also = total[s], total[t], weight[s], weight[t]
                    for i in range(lanes):
                        d = np.sqrt(square[i]) if (use[i] > 0.0) & (also[i] > 0.0) else 0.0
                        here[i] += d
                        there[i] += d
            here, numbers = out[k, first : first + n], count[k, first : first + n]
            _least(total, weight, bins[k, 0], order[bins[k, 0] : bins[k, 1]], n, here, numbers)
    return out, count
