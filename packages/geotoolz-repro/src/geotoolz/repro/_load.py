"""Opening archives that somebody else may have made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from geotoolz.core import ReadError
from geotoolz.repro import _manifest as m
from geotoolz.repro._artifact import Artifact
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._findings import Kind, Report
from geotoolz.repro._tar import MANIFEST, read_listing


def load(path: str | os.PathLike[str], *, trusted: bool = False) -> Artifact:
    """Open an archive; nothing is extracted or executed.

    Parameters
    ----------
    path : path
    trusted : bool
        Whether its configuration may name any importable operator and files outside the archive. Say so only
        of archives whose maker you know; most need it not.

    Returns
    -------
    Artifact

    Raises
    ------
    ReadError
        If there is no such file.
    ArtifactError
        If it is no artefact, or its table of contents is broken or of an unknown version. Broken members are
        found by `Artifact.verify`.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.indices import NDVI
    >>> from geotoolz.repro import freeze, load
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, tmp)
    ...     path = freeze(NDVI(), scene).save(f"{tmp}/ndvi.gtar")
    ...     artifact = load(path)
    ...     print(artifact.pipeline_hash == NDVI().config_hash(), artifact.verify().tier)
    True intact
    """
    file = Path(path)
    try:
        listing = read_listing(file)
    except OSError as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{file} cannot be read: {error.strerror}", expected="an artefact (.gtar)") from error
    part = listing.members.get(MANIFEST)
    if part is None:
        broken = next((one for one in listing.findings if one.kind is Kind.TRUNCATED), None)
        error_kind = Kind.MISSING_MEMBER if broken is None else Kind.TRUNCATED
        told = "has no manifest.json" if broken is None else f"ends before its manifest does ({broken.found})"
        raise ArtifactError(f"{file} {told}", expected="an artefact that `save` wrote").of_kind(error_kind)
    manifest = m.read_manifest(part.read())
    return Artifact(manifest, listing.members, path=file, trusted=trusted, findings=tuple(listing.findings))


def verify(
    path: str | os.PathLike[str],
    *,
    id: str | None = None,
    offline: bool = False,
    trusted: bool = False,
    inputs: Any = None,
) -> Report:
    """Load and verify: what cannot even be loaded becomes a finding.

    Parameters
    ----------
    path, trusted
        As for `load`.
    id, offline, inputs
        As for `Artifact.verify`.

    Raises
    ------
    ReadError
        If there is no such file.
    """
    try:
        artifact = load(path, trusted=trusted)
    except ArtifactError as error:
        return Report((error.as_finding(Path(path).name),), ("the archive",), computed=False)
    return artifact.verify(id=id, offline=offline, inputs=inputs)
