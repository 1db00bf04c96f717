"""Kernel of the geometric median where Weiszfeld's iteration is slow: one pixel, Newton's method."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core._jit import compiled

_OUTWEIGHS = 3.0
"""Σ 1/distance over 1/(smallest distance), below which an observation may be the median."""

_HALVINGS = 12
_GAIN = 0.1


@compiled
def _distances(p: Any, n: Any, y: Any) -> Any:
    """Return the sum of the distances to all observations: what the median makes smallest."""
    total = 0.0
    for t in range(n):
        square = 0.0
        for b in range(y.size):
            square += (p[t, b] - y[b]) ** 2
        total += np.sqrt(square)
    return total


@compiled
def _is_median(p: Any, n: Any, k: Any, pull: Any) -> Any:
    """Return whether an observation is the median: the others pull less than it holds (Kuhn 1973)."""
    held = 0.0
    pull[:] = 0.0
    for t in range(n):
        square = 0.0
        for b in range(pull.size):
            square += (p[t, b] - p[k, b]) ** 2
        if square == 0.0:
            held += 1.0
            continue
        inverse = 1.0 / np.sqrt(square)
        for b in range(pull.size):
            pull[b] += (p[t, b] - p[k, b]) * inverse
    total = 0.0
    for b in range(pull.size):
        total += pull[b] ** 2
    return total <= held * held


@compiled
def _derivatives(p: Any, n: Any, y: Any, pull: Any, hessian: Any) -> Any:
    """Write the pull of the observations and how it changes; return the nearest one and Σ 1/distance."""
    bands = y.size
    nearest, lowest, inverses = 0, np.inf, 0.0
    pull[:] = 0.0
    hessian[:] = 0.0
    for t in range(n):
        square = 0.0
        for b in range(bands):
            square += (p[t, b] - y[b]) ** 2
        if square < lowest:
            nearest, lowest = t, square
        if square == 0.0:
            continue
        inverse = 1.0 / np.sqrt(square)
        inverses += inverse
        for b in range(bands):
            along = (p[t, b] - y[b]) * inverse
            pull[b] += along
            hessian[b, b] += inverse
            for c in range(b + 1):
                hessian[b, c] -= along * ((p[t, c] - y[c]) * inverse) * inverse
    return nearest, lowest, inverses


@compiled
def _solved(a: Any, rhs: Any, out: Any) -> Any:
    """Solve ``a · out = rhs`` by Cholesky's decomposition, in place; return whether `a` is definite."""
    n = rhs.size
    for i in range(n):
        for j in range(i + 1):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * a[j, k]
            if i > j:
                a[i, j] = total / a[j, j]
            elif total > 0.0:
                a[i, i] = np.sqrt(total)
            else:
                return False
    for i in range(n):
        total = rhs[i]
        for k in range(i):
            total -= a[i, k] * out[k]
        out[i] = total / a[i, i]
    for back in range(n):
        i = n - 1 - back
        total = out[i]
        for k in range(i + 1, n):
            total -= a[k, i] * out[k]
        out[i] = total / a[i, i]
    return True


@compiled
def _moved(y: Any, by: Any, share: Any, trial: Any) -> Any:
    """Write ``y + share · by`` and return how long the way is."""
    total = 0.0
    for b in range(y.size):
        trial[b] = y[b] + share * by[b]
        total += (share * by[b]) ** 2
    return np.sqrt(total)


@compiled
def _shortened(p: Any, n: Any, y: Any, pull: Any, step: Any, value: Any, trial: Any) -> Any:
    """Halve Newton's step until it gains a share of what it promises; return the sum of distances there.

    Near an observation the sum has a kink, and the whole step may lead far beyond it.
    """
    promised, share, reached = 0.0, 1.0, np.inf
    for b in range(y.size):
        promised += pull[b] * step[b]
    for _ in range(_HALVINGS):
        _moved(y, step, share, trial)
        reached = _distances(p, n, trial)
        if reached <= value - _GAIN * share * promised:
            break
        share *= 0.5
    return reached


@compiled
def to_median(p: Any, n: Any, y: Any, tolerance: Any, rounds: Any, vectors: Any, hessian: Any) -> None:
    """Move `y` to the geometric median of `n` observations; the last two arguments are scratch.

    Newton's step where it makes the sum of distances smaller, Weiszfeld's elsewhere: that one always does.
    """
    pull, step, trial = vectors[0], vectors[1], vectors[2]
    value = _distances(p, n, y)
    for turn in range(rounds):
        nearest, lowest, inverses = _derivatives(p, n, y, pull, hessian)
        # an observation that is the median outweighs the others nearby
        outweighs = np.sqrt(lowest) * inverses < _OUTWEIGHS
        if (outweighs or turn & 7 == 7) and _is_median(p, n, nearest, trial):
            y[:] = p[nearest]
            return
        near_enough = tolerance * n / inverses
        if lowest > 0.0 and _solved(hessian, pull, step):
            length = _moved(y, step, 1.0, trial)
            if length <= near_enough:
                y[:] = trial
                return
            reached = _shortened(p, n, y, pull, step, value, trial)
            if reached < value:
                y[:] = trial
                value = reached
                continue
        length = _moved(y, pull, 1.0 / inverses, trial)
        y[:] = trial
        value = _distances(p, n, y)
        if length <= tolerance * near_enough:
            return
