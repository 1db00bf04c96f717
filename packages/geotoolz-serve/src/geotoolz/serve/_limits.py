"""How often a client may ask."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from geotoolz.serve._errors import Problem

_CLIENTS = 10_000


class RateLimits:
    """A bucket of tokens per client and kind of request; full buckets are forgotten.

    Parameters
    ----------
    clock : callable
        Seconds that only grow.

    Examples
    --------
    >>> limits = RateLimits(clock=lambda: 0.0)
    >>> limits.take("sandbox", "10.0.0.1", per_minute=1)
    >>> limits.take("sandbox", "10.0.0.1", per_minute=1)
    Traceback (most recent call last):
    ...
    geotoolz.serve._errors.Problem: more than 1 requests a minute; wait 60 s
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, kind: str, client: str, per_minute: int) -> None:
        """Take a token.

        Raises
        ------
        Problem
            429, with ``Retry-After``.
        """
        now = self._clock()
        with self._lock:
            tokens, since = self._buckets.pop((kind, client), (float(per_minute), now))
            tokens = min(per_minute, tokens + (now - since) * per_minute / 60)
            left = tokens - 1 if tokens >= 1 else tokens
            self._buckets[kind, client] = (left, now)
            while len(self._buckets) > _CLIENTS:
                self._buckets.popitem(last=False)
        if tokens < 1:
            wait = math.ceil((1 - tokens) * 60 / per_minute)
            raise Problem(
                f"more than {per_minute} requests a minute",
                status=429,
                code="too_many_requests",
                fix=f"wait {wait} s",
                headers={"Retry-After": str(wait)},
            )
