"""Running a pipeline over a catalog: engines, tasks, journal, plan, report."""

from __future__ import annotations

from ._alert import Alert
from ._breaker import CircuitBreaker
from ._budget import Budget
from ._changes import Change, changes
from ._collection import CollectionResult, write_collection
from ._driver import Attempt, Driver, Outcome, StopReason
from ._engine import Completion, Engine, default_workers, engine_names, engine_options, get_engine
from ._exit_codes import ExitCode
from ._failure import Failure, FailureKind, classify
from ._fingerprint import Stamp, fingerprint, task_key
from ._fit import fit
from ._inline import InlineEngine
from ._job import Job
from ._job_spec import job_schema
from ._journal import Journal, replay, runs
from ._layout import Layout
from ._lease import is_running
from ._limit import FailureLimit
from ._metrics import MetricsFile
from ._pipeline import CatalogPipeline
from ._plan import BatchPlan, PlannedTile, Reason, StaleCause, TileState
from ._preview import Estimate, Preview
from ._process import ProcessEngine
from ._progress import JsonLinesProgress, NoProgress, Progress, RichProgress, get_progress
from ._quarantine import QuarantinedTile, quarantine, release
from ._rebuild import rebuild_journal
from ._replay_tile import TileReplay
from ._report import BatchReport, TileRow
from ._retry import RetryPolicy
from ._select import read_tile_list
from ._task import TileResult, TileTask, run_tile
from ._verify import remove_orphans, verify
from ._worker import call, portable, prepare_worker

__all__ = [
    "Alert",
    "Attempt",
    "BatchPlan",
    "BatchReport",
    "Budget",
    "CatalogPipeline",
    "Change",
    "CircuitBreaker",
    "CollectionResult",
    "Completion",
    "Driver",
    "Engine",
    "Estimate",
    "ExitCode",
    "Failure",
    "FailureKind",
    "FailureLimit",
    "InlineEngine",
    "Job",
    "Journal",
    "JsonLinesProgress",
    "Layout",
    "MetricsFile",
    "NoProgress",
    "Outcome",
    "PlannedTile",
    "Preview",
    "ProcessEngine",
    "Progress",
    "QuarantinedTile",
    "Reason",
    "RetryPolicy",
    "RichProgress",
    "StaleCause",
    "Stamp",
    "StopReason",
    "TileReplay",
    "TileResult",
    "TileRow",
    "TileState",
    "TileTask",
    "call",
    "changes",
    "classify",
    "default_workers",
    "engine_names",
    "engine_options",
    "fingerprint",
    "fit",
    "get_engine",
    "get_progress",
    "is_running",
    "job_schema",
    "portable",
    "prepare_worker",
    "quarantine",
    "read_tile_list",
    "rebuild_journal",
    "release",
    "remove_orphans",
    "replay",
    "run_tile",
    "runs",
    "task_key",
    "verify",
    "write_collection",
]
