"""The frozen artefact of a computation: made, verified, run again."""

from __future__ import annotations

from geotoolz.repro._artifact import Artifact
from geotoolz.repro._dvc import write_dvc
from geotoolz.repro._environment import environment
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._findings import Finding, Kind, Report, Tier, Weight
from geotoolz.repro._freeze import freeze
from geotoolz.repro._load import load, verify
from geotoolz.repro._manifest import Manifest
from geotoolz.repro._sources import Source
from geotoolz.repro._tolerance import Tolerance
from geotoolz.repro._trace import Trace
from geotoolz.repro._trace_files import trace

__all__ = [
    "Artifact",
    "ArtifactError",
    "Finding",
    "Kind",
    "Manifest",
    "Report",
    "Source",
    "Tier",
    "Tolerance",
    "Trace",
    "Weight",
    "environment",
    "freeze",
    "load",
    "trace",
    "verify",
    "write_dvc",
]
