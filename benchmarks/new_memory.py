"""New memory that costs what it usually costs: imported by benchmarks whose results are large new arrays.

What a virtual machine has not used for seconds its host may have taken back: two new megabytes take 5 ms at
their first touch then, and not 0.1. That time is the machine's, and whoever comes first would be charged with
it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_PAGE = 1 << 21


def warm(size: int = 1 << 27, threads: int = 2) -> float:
    """Touch new memory in some threads, and give it back; return the longest first touch of 2 MB, in ms."""

    def touch(_: int) -> float:
        pages, slowest = np.empty(size, np.uint8), 0.0
        for start in range(0, size, _PAGE):
            begin = time.perf_counter()
            pages[start : start + _PAGE : 4096] = 1
            slowest = max(slowest, time.perf_counter() - begin)
        return slowest

    with ThreadPoolExecutor(threads) as pool:
        return 1e3 * max(pool.map(touch, range(threads)))
