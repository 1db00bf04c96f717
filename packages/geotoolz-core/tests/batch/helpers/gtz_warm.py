"""What the fork server of the fault tests imports before it forks: whatever the calm run needed.

A worker that starts cold imports for a second; two hundred that are killed would import for minutes. Modules
are imported, nothing is run: a server that has opened a raster must not fork.
"""

from __future__ import annotations

import gc
import importlib
import os
from contextlib import suppress
from pathlib import Path

listing = os.environ.get("GTZ_WARM")
for name in Path(listing).read_text(encoding="utf-8").split() if listing else ():
    with suppress(Exception):  # a module that is only ever imported by another one
        importlib.import_module(name)
gc.collect()
gc.freeze()  # what is not looked at again is not copied into each worker
