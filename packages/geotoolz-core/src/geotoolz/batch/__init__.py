"""Running a pipeline over a catalog: engines, tasks, journal, plan, report."""

from __future__ import annotations

from ._collection import CollectionResult, write_collection
from ._driver import Attempt, Driver, Outcome, StopReason
from ._engine import Completion, Engine, default_workers, engine_names, get_engine
from ._exit_codes import ExitCode
from ._failure import Failure, FailureKind, classify
from ._fingerprint import Stamp, fingerprint, task_key
from ._inline import InlineEngine
from ._journal import Journal, replay, runs
from ._layout import Layout
from ._lease import is_running
from ._limit import FailureLimit
from ._pipeline import CatalogPipeline
from ._plan import BatchPlan, PlannedTile, TileState
from ._process import ProcessEngine
from ._progress import JsonLinesProgress, NoProgress, Progress, RichProgress, get_progress
from ._replay_tile import TileReplay
from ._report import BatchReport, TileRow
from ._retry import RetryPolicy
from ._task import TileResult, TileTask, run_tile
from ._verify import remove_orphans, verify

__all__ = [
    "Attempt",
    "BatchPlan",
    "BatchReport",
    "CatalogPipeline",
    "CollectionResult",
    "Completion",
    "Driver",
    "Engine",
    "ExitCode",
    "Failure",
    "FailureKind",
    "FailureLimit",
    "InlineEngine",
    "Journal",
    "JsonLinesProgress",
    "Layout",
    "NoProgress",
    "Outcome",
    "PlannedTile",
    "ProcessEngine",
    "Progress",
    "RetryPolicy",
    "RichProgress",
    "Stamp",
    "StopReason",
    "TileReplay",
    "TileResult",
    "TileRow",
    "TileState",
    "TileTask",
    "classify",
    "default_workers",
    "engine_names",
    "fingerprint",
    "get_engine",
    "get_progress",
    "is_running",
    "remove_orphans",
    "replay",
    "run_tile",
    "runs",
    "task_key",
    "verify",
    "write_collection",
]
