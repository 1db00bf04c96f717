"""No warnings of files without georeference while they are opened, side by side."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack


class _Quiet:
    """Ignores the warning while any thread opens a file.

    Warning filters belong to the process, not to a thread: the first one in sets the filter, the last one out
    takes it back.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        import warnings

        from rasterio.errors import NotGeoreferencedWarning

        with self._lock:
            if not self._inside:
                self._before.enter_context(warnings.catch_warnings())
                # common among JPEG2000 bands; the metadata's grid is used instead
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._before.close()

    def forget(self) -> None:
        """Start anew in a forked child: a lock that another thread held would never open."""
        self._lock, self._inside, self._before = threading.Lock(), 0, ExitStack()


quiet = _Quiet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=quiet.forget)
