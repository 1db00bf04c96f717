"""What a look at an artefact found: every difference by name, and the verdict over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a finding is about."""

    TRUNCATED = "truncated"
    """The archive ends too early."""
    TAMPERED = "tampered"
    """A member is not the one that the manifest lists, or the archive is damaged."""
    MISSING_MEMBER = "missing-member"
    """The manifest lists a member that is not there."""
    FOREIGN_MEMBER = "foreign-member"
    """The archive holds something that the manifest does not list."""
    UNSAFE_MEMBER = "unsafe-member"
    """A link, a device, or a path that leads out of the archive."""
    OVERSIZED = "oversized"
    """A member is larger than it may be."""
    REPACKED = "repacked"
    """Another program has written the archive again."""
    UNKNOWN_VERSION = "unknown-version"
    """The artefact has a format that this version does not know."""
    IDENTITY = "identity"
    """It is a whole artefact, but not the one that was asked for."""
    PIPELINE_CHANGED = "pipeline-changed"
    """The configuration has another hash than was frozen."""
    PIPELINE_REFUSED = "pipeline-refused"
    """The configuration cannot be loaded here, or only if it is trusted."""
    INPUT_CHANGED = "input-changed"
    INPUT_MISSING = "input-missing"
    INPUT_UNCHECKED = "input-unchecked"
    """Nobody could look: offline, or an address of a kind that cannot be read here."""
    REFERENCE_CHANGED = "reference-changed"
    """A model, spectrum or table has other content."""
    REFERENCE_MISSING = "reference-missing"
    PACKAGE = "package"
    LIBRARY = "library"
    CPU = "cpu"
    PLATFORM = "platform"
    OUTPUT_MISSING = "output-missing"
    OUTPUT_SHAPE = "output-shape"
    OUTPUT_PIXELS = "output-pixels"
    STATISTIC = "statistic"
    """A step that gathers statistics found other numbers."""
    STATISTIC_MISSING = "statistic-missing"
    NOT_RUN = "not-run"


class Weight(StrEnum):
    """How much a finding weighs."""

    DIFFERENCE = "difference"
    """It is not the same."""
    TOLERATED = "tolerated"
    """It is not the same, and within the stated tolerance."""
    NOTE = "note"
    """Worth knowing; nothing that was frozen differs because of it alone."""


class Tier(StrEnum):
    """The verdict."""

    INTACT = "intact"
    """Nothing was computed; all that could be looked at is what was frozen."""
    BIT_EXACT = "bit-exact"
    WITHIN_TOLERANCE = "within tolerance"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    kind : Kind
    subject : str
        The member, input, package or variable.
    found, expected : str
    weight : Weight
    facts : mapping
        Numbers for programs.
    """

    kind: Kind
    subject: str
    found: str
    expected: str = ""
    weight: Weight = Weight.DIFFERENCE
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = f"{self.weight}: {self.kind} {self.subject}: {self.found}"
        return f"{told}; expected {self.expected}" if self.expected else told

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "found": self.found,
            "expected": self.expected,
            "weight": self.weight.value,
            **({"facts": dict(self.facts)} if self.facts else {}),
        }


@dataclass(frozen=True)
class Report:
    """What `Artifact.verify` or `Artifact.rerun` found.

    Attributes
    ----------
    findings : tuple of Finding
    checked : tuple of str
        What was looked at, in words.
    paths : tuple of str
        Files that a rerun wrote.
    computed : bool
        Whether pixels were computed and compared: `Artifact.verify` does not.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    computed: bool = True

    @property
    def tier(self) -> Tier:
        """The verdict; notes do not count."""
        weights = {finding.weight for finding in self.findings}
        if Weight.DIFFERENCE in weights:
            return Tier.DIFFERS
        if not self.computed:
            return Tier.INTACT
        return Tier.WITHIN_TOLERANCE if Weight.TOLERATED in weights else Tier.BIT_EXACT

    @property
    def ok(self) -> bool:
        """Whether nothing differs by more than the stated tolerance."""
        return self.tier is not Tier.DIFFERS

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that are no notes."""
        return tuple(finding for finding in self.findings if finding.weight is not Weight.NOTE)

    def of(self, *kinds: Kind) -> tuple[Finding, ...]:
        """Return the findings of some kinds."""
        return tuple(finding for finding in self.findings if finding.kind in kinds)

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return {
            "tier": self.tier.value,
            "ok": self.ok,
            "checked": list(self.checked),
            "findings": [finding.to_dict() for finding in self.findings],
            "paths": list(self.paths),
        }

    def __str__(self) -> str:
        lines = [f"{self.tier}: {', '.join(self.checked) or 'nothing checked'}"]
        return "\n".join([*lines, *(f"  {finding}" for finding in self.findings)])


def notes(kind: Kind, pairs: Iterable[tuple[str, str, str]]) -> list[Finding]:
    """Return notes of one kind from (subject, found, expected)."""
    return [Finding(kind, *pair, weight=Weight.NOTE) for pair in pairs]
