"""Makes tiles slow where a test asks for it (GTZ_SLOW), in whatever process: the Ctrl-C test needs time."""

from __future__ import annotations

import os

if os.environ.get("GTZ_SLOW"):
    import time

    import geotoolz.batch._compute as compute

    _real = compute.compute_tile

    def _slow(*args, **kwargs):
        time.sleep(1.0)
        return _real(*args, **kwargs)

    compute.compute_tile = _slow
