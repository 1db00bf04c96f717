"""The exit codes of a batch run, one meaning each (an orchestrator acts on them)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """What the process says when a run is over.

    Examples
    --------
    >>> int(ExitCode.FAILED_TILES)
    3
    """

    DONE = 0
    """Every tile is done or was fresh already."""
    CRASH = 1
    """An unexpected error of the program itself."""
    USAGE = 2
    """The user asked for something that cannot be done."""
    FAILED_TILES = 3
    """The run finished; some tiles failed (or are still quarantined), or the catalog left files out."""
    STOPPED = 4
    """The run was stopped: failure limit, a failed quality check, an output folder that cannot be written."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; what was running was finished, the next run resumes."""
