"""Everything that can be checked without computing."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from geotoolz.core import ConfigError, GeotoolzError, ReadError, UntrustedOperatorError
from geotoolz.repro import _manifest as m
from geotoolz.repro._environment import environment, environment_notes
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._findings import Finding, Kind, Report, Weight
from geotoolz.repro._json import differing
from geotoolz.repro._relocate import moved_inputs
from geotoolz.repro._sources import File, Source, digest_of, files_of, is_local, place_of
from geotoolz.repro._tar import MANIFEST, SEAL

if TYPE_CHECKING:
    from geotoolz.repro._artifact import Artifact

_ID_DIGITS = 8  # fewer of an id may be met by chance


def verify_artifact(artifact: Artifact, id: str | None, offline: bool, inputs: Any) -> Report:
    """Return what `Artifact.verify` returns."""
    moved = moved_inputs(artifact.inputs, inputs)
    findings = [*artifact.listed, *_identity(artifact, id), *check_members(artifact)]
    checked = ["archive", f"{len(artifact.manifest.members)} members"]
    broken = {one.subject for one in findings if one.weight is Weight.DIFFERENCE}
    if not broken & {m.CONFIG, m.CANONICAL}:
        findings += check_pipeline(artifact)
        checked.append("pipeline")
    beside = artifact.path.parent if artifact.path is not None else None
    for name, entry in artifact.inputs.items():
        source, where = moved.get(name, entry.source), beside if name not in moved else None
        findings += check_input(name, entry, source, where, offline=offline, moved=name in moved)
        checked.append(f"input {name}")
    for reference in artifact.manifest.references:
        findings += check_reference(reference)
    if m.ENVIRONMENT not in broken:
        findings += check_environment(artifact)
        checked.append("environment")
    return Report(tuple(findings), tuple(checked), computed=False)


def _identity(artifact: Artifact, id: str | None) -> list[Finding]:
    if id is None:
        return []
    told = id.removeprefix("sha256:").lower()
    if len(told) >= _ID_DIGITS and artifact.id.startswith(told):
        return []
    return [Finding(Kind.IDENTITY, "manifest.json", f"id {artifact.id}", id)]


def check_members(artifact: Artifact) -> list[Finding]:
    """Hash every member where it lies, and compare with the table of contents."""
    found = []
    listed = artifact.manifest.members
    for name, entry in listed.items():
        part = artifact.parts.get(name)
        if part is None:
            found.append(Finding(Kind.MISSING_MEMBER, name, "not in the archive", f"{entry.size} bytes"))
        elif part.size != entry.size:
            kind = Kind.OVERSIZED if part.size > entry.size else Kind.TAMPERED
            found.append(Finding(kind, name, f"{part.size} bytes", f"{entry.size} bytes"))
        elif (digest := part.sha256()) != entry.sha256:
            found.append(Finding(Kind.TAMPERED, name, f"sha256 {digest}", entry.sha256))
    seal = artifact.parts.get(SEAL)
    if seal is None:
        found.append(Finding(Kind.MISSING_MEMBER, SEAL, "not in the archive"))
    elif seal.size != len(artifact.id) or seal.read() != artifact.id.encode():
        found.append(Finding(Kind.TAMPERED, MANIFEST, f"sha256 {artifact.id}", f"what {SEAL} says"))
    foreign = sorted({*artifact.parts} - {*listed, MANIFEST, SEAL})
    found += [Finding(Kind.FOREIGN_MEMBER, name, "not in the manifest") for name in foreign]
    return [*found, *_unlisted(artifact)]


def _unlisted(artifact: Artifact) -> list[Finding]:
    """Compare what the manifest says of one file in two places."""
    told: list[tuple[str, m.FileEntry | m.ReferenceEntry]] = []
    for name, entry in artifact.inputs.items():
        told += [(f"input {name}", one) for one in entry.files]
    told += [(f"reference {one.uri}", one) for one in artifact.manifest.references]
    found = []
    for where, one in told:
        if one.member is None:
            continue
        member = artifact.manifest.members.get(one.member)
        if member is None or (member.size, member.sha256) != (one.size, one.sha256):
            text = f"{where} and the member {one.member} disagree"
            found.append(Finding(Kind.TAMPERED, "manifest.json", text))
    for name, entry in artifact.inputs.items():
        if digest_of(tuple(File(f.path, f.size, f.sha256) for f in entry.files)) != entry.sha256:
            found.append(Finding(Kind.TAMPERED, "manifest.json", f"input {name} and its files disagree"))
    return found


def check_pipeline(artifact: Artifact) -> list[Finding]:
    """Compare the configuration with the pipeline's hash: as it lies there, and as it is loaded here."""
    try:
        text = artifact.config_canonical
    except ArtifactError as error:
        return [error.as_finding(m.CANONICAL)]
    wanted = artifact.pipeline_hash
    if hashlib.sha256(text.encode()).hexdigest() != wanted:
        return [Finding(Kind.PIPELINE_CHANGED, m.CANONICAL, "the canonical form has another hash", wanted)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            op = artifact.pipeline_in(Path(folder), artifact.trusted)
    except UntrustedOperatorError as error:
        fix = f"; {error.fix or 'load it with trusted=True (--trust) if you know who made it'}"
        return [Finding(Kind.PIPELINE_REFUSED, m.CONFIG, error.found + fix)]
    except ReadError as error:
        return [Finding(Kind.REFERENCE_MISSING, m.CONFIG, str(error))]
    except (ConfigError, GeotoolzError) as error:
        return [Finding(Kind.PIPELINE_REFUSED, m.CONFIG, str(error))]
    if op.config_hash() == wanted:
        return []
    from geotoolz.core._hash import canonical_json

    told = differing(json.loads(text), json.loads(canonical_json(op)))
    where = "; ".join(f"{path}: {old} → {new}" for path, old, new in told[:10])
    return [Finding(Kind.PIPELINE_CHANGED, m.CONFIG, f"hash {op.config_hash()}: {where}", wanted)]


def check_input(
    name: str,
    entry: m.InputEntry,
    source: Source,
    beside: Path | None,
    *,
    offline: bool = False,
    moved: bool = False,
) -> list[Finding]:
    """Hash an input at its address.

    Parameters
    ----------
    name, entry
        What was frozen.
    source : Source
        Where it is looked for.
    beside : Path, optional
        The artefact's folder.
    offline : bool
        Leave remote addresses alone.
    moved : bool
        Whether somebody said that it lies elsewhere now: then the artefact's own copy does not help.
    """
    weight = Weight.NOTE if entry.embedded and not moved else Weight.DIFFERENCE
    held = " (the artefact holds it)" if weight is Weight.NOTE else ""
    if offline and not is_local(source.uri):
        return [Finding(Kind.INPUT_UNCHECKED, name, f"{source.uri} was not asked", weight=Weight.NOTE)]
    try:
        files = files_of(_as_frozen(entry, source) if moved else source, beside)
    except ReadError as error:
        if "cannot be hashed here" in error.found:
            return [Finding(Kind.INPUT_UNCHECKED, name, error.found, weight=Weight.NOTE)]
        return [Finding(Kind.INPUT_MISSING, name, f"{error.found}{held}", weight=weight)]
    if digest_of(files) == entry.sha256:
        return []
    changes = _changes(entry, files)
    local = source.several is None and is_local(source.uri)
    where = place_of(source.uri, beside).absolute() if local else source.uri
    digest = f"{where} has sha256 {digest_of(files)}"
    text = f"{digest}{held}: {'; '.join(list(changes.values())[:10])}" if changes else f"{digest}{held}"
    facts = {"files": list(changes.values()), "paths": list(changes)}
    return [Finding(Kind.INPUT_CHANGED, name, text, entry.sha256, weight, facts)]


def _as_frozen(entry: m.InputEntry, source: Source) -> Source:
    """Let those files count that were frozen, where not all did: an item's, wherever they lie now."""
    named = entry.source.named
    if not named or entry.several is not None or not is_local(source.uri):
        return source
    files = [File(one.path, one.size, one.sha256) for one in entry.files]
    return replace(source, named=tuple(f.path if f.inside else PurePosixPath(f.path).name for f in files))


def _changes(entry: m.InputEntry, files: tuple[File, ...]) -> dict[str, str]:
    """Name the files of an input that are other than they were, and what became of each."""
    if len(entry.files) == len(files) == 1:
        return {files[0].path: f"{files[0].path}: {entry.files[0].size} → {files[0].size} bytes"}
    elsewhere = not {one.path for one in entry.files} & {one.path for one in files}
    label = _end if elsewhere else str
    # a scene that lies elsewhere may have another name there: what has the same content is the same file
    kept = set(map(_mark, entry.files)) & set(map(_mark, files)) if elsewhere else set()
    old, new = (
        {label(one.path): one.sha256 for one in listed if _mark(one) not in kept}
        for listed in (entry.files, files)
    )
    told = {}
    for path in sorted({*old, *new}):
        if path not in new:
            told[path] = f"{path} is missing"
        elif path not in old:
            told[path] = f"{path} is new"
        elif old[path] != new[path]:
            told[path] = f"{path} has other content"
    return told


def _mark(one: File | m.FileEntry) -> tuple[str, str]:
    return PurePosixPath(one.path).name, one.sha256


def _end(path: str) -> str:
    """Return what a file of a scene is called wherever the scene lies."""
    return "/".join(PurePosixPath(path).parts[-2:])


def check_reference(entry: m.ReferenceEntry) -> list[Finding]:
    """Hash a file that the pipeline refers to; an embedded one is a member and has been looked at."""
    from geotoolz.core import Ref

    if entry.member is not None:
        return []
    try:
        found = Ref.of(Ref(entry.uri, entry.sha256).path).sha256
    except ReadError as error:
        return [Finding(Kind.REFERENCE_MISSING, entry.uri, error.found)]
    if found == entry.sha256:
        return []
    return [Finding(Kind.REFERENCE_CHANGED, entry.uri, f"sha256 {found}", entry.sha256)]


def check_environment(artifact: Artifact) -> list[Finding]:
    """Compare what is installed with what was."""
    try:
        return environment_notes(artifact.environment, environment())
    except ArtifactError as error:
        return [error.as_finding(m.ENVIRONMENT)]
