"""What stops a training run."""

from __future__ import annotations

from geotoolz.core import GeotoolzError


class TrainingError(GeotoolzError, RuntimeError):
    """A training run cannot start, go on, or be resumed."""
