"""The error of this package."""

from __future__ import annotations

from geotoolz.core import GeotoolzError
from geotoolz.repro._findings import Finding, Kind


class ArtifactError(GeotoolzError, ValueError):
    """An archive is no artefact, is broken, or cannot do what was asked of it.

    Attributes
    ----------
    kind : Kind
        What a report calls it.
    """

    kind: Kind = Kind.TAMPERED

    def of_kind(self, kind: Kind) -> ArtifactError:
        """Return the error, called by another kind."""
        self.kind = kind
        return self

    def as_finding(self, subject: str) -> Finding:
        """Return the error as a report tells it."""
        return Finding(self.kind, subject, self.found, self.expected)
