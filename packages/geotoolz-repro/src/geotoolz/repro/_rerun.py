"""Computing again from what an artefact holds, and comparing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from geotoolz.core import (
    FrozenArray,
    GeotoolzError,
    Operator,
    UntrustedOperatorError,
    WriteError,
)
from geotoolz.core._lazy import xr
from geotoolz.repro import _manifest as m
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._execute import computed, input_names, reads_of
from geotoolz.repro._findings import Finding, Kind, Report, Weight
from geotoolz.repro._pixels import Array, data_of, scene_hashes
from geotoolz.repro._relocate import moved_inputs
from geotoolz.repro._sources import Source, is_local, open_source, place_of
from geotoolz.repro._statistics import compare_statistics, recorded
from geotoolz.repro._tolerance import Tolerance, compare
from geotoolz.repro._verify import check_environment, check_input, check_members, check_pipeline

if TYPE_CHECKING:
    from geotoolz.io import OpenScene
    from geotoolz.repro._artifact import Artifact

_STOPS = frozenset({Kind.MISSING_MEMBER, Kind.TAMPERED, Kind.OVERSIZED, Kind.UNSAFE_MEMBER})
_PIXELS = frozenset(
    {Kind.OUTPUT_MISSING, Kind.OUTPUT_SHAPE, Kind.OUTPUT_PIXELS, Kind.STATISTIC, Kind.STATISTIC_MISSING}
)


def rerun_artifact(
    artifact: Artifact, workdir: Path, inputs: Any, reference: Any, tolerance: Any, threads: int
) -> Report:
    """Do what `Artifact.rerun` does."""
    moved = moved_inputs(artifact.inputs, inputs)
    findings = [*artifact.listed, *check_members(artifact)]
    checked = [f"{len(artifact.manifest.members)} members"]
    if any(one.kind in _STOPS for one in findings):
        return _stopped(findings, checked, "the archive is not what its manifest lists")
    findings += check_environment(artifact)
    op, refused = _pipeline(artifact, workdir)
    findings += refused
    if op is None:
        return _stopped(findings, checked, "the pipeline cannot be loaded")
    checked.append("pipeline")
    names = input_names(op)
    if set(names) != set(artifact.inputs) and (names != ("",) or len(artifact.inputs) != 1):
        return _stopped(findings, checked, f"it reads {', '.join(names)}; the manifest has others")
    scenes, told = _scenes(artifact, workdir, moved)
    findings += told
    if len(scenes) < len(artifact.inputs):
        return _stopped(findings, checked, "an input cannot be read")
    checked += [f"input {name}" for name in scenes]
    try:
        findings += _input_pixels(artifact, op, scenes)
        made = computed(op, scenes, threads, artifact.outputs)
    except GeotoolzError as error:
        return _stopped([*findings], checked, f"{type(error).__name__}: {error}")
    found = data_of(made.tiles, made.wanted)
    findings += _compared(artifact, found, _reference(reference), tolerance)
    checked += [f"output {name}" for name in artifact.outputs]
    findings += _statistics(artifact, op, made.statistics, tolerance)
    checked += [f"statistic {name}" for name in artifact.manifest.statistics]
    if artifact.outputs and not any(one.kind in _PIXELS for one in findings):
        findings = _unread_as_notes(findings, scenes, reads_of(op, scenes, artifact.outputs))
    return Report(tuple(findings), tuple(checked), _written(found, workdir / "outputs"))


def _stopped(findings: list[Finding], checked: list[str], why: str) -> Report:
    return Report((*findings, Finding(Kind.NOT_RUN, "pipeline", why)), tuple(checked))


def _pipeline(artifact: Artifact, workdir: Path) -> tuple[Operator | None, list[Finding]]:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{workdir} cannot be made: {error.strerror}", expected="a folder") from error
    changed = [one for one in check_pipeline(artifact) if one.weight is Weight.DIFFERENCE]
    try:
        return artifact.pipeline_in(workdir, artifact.trusted), changed
    except UntrustedOperatorError as error:
        fix = f"; {error.fix or 'load it with trusted=True (--trust) if you know who made it'}"
        return None, [Finding(Kind.PIPELINE_REFUSED, m.CONFIG, error.found + fix)]
    except WriteError:
        raise
    except GeotoolzError as error:
        return None, changed or [Finding(Kind.PIPELINE_REFUSED, m.CONFIG, str(error))]


def _scenes(
    artifact: Artifact, workdir: Path, moved: Mapping[str, Source]
) -> tuple[dict[str, OpenScene], list[Finding]]:
    """Open every input: the artefact's own copy, else where it lay or was moved to."""
    beside = artifact.path.parent if artifact.path is not None else None
    scenes: dict[str, OpenScene] = {}
    findings: list[Finding] = []
    several: Mapping[str, Any] | None
    for name, entry in artifact.inputs.items():
        if entry.embedded and name not in moved:
            uri, several = str(_unpacked(artifact, name, entry, workdir)), None
        else:
            source = moved.get(name, entry.source)
            where = beside if name not in moved else None  # what somebody says now is said from here
            findings += check_input(name, entry, source, where, moved=name in moved)
            several = source.several
            local = several is None and is_local(source.uri)
            uri = str(place_of(source.uri, where)) if local else source.uri
        try:
            scenes[name] = open_source(Source(uri, read=entry.read, several=several))
        except GeotoolzError as error:
            if not any(one.subject == name and one.kind is Kind.INPUT_MISSING for one in findings):
                findings.append(Finding(Kind.INPUT_MISSING, name, str(error)))
    return scenes, findings


def _unpacked(artifact: Artifact, name: str, entry: m.InputEntry, workdir: Path) -> Path:
    """Write an embedded input, and return what is to be opened: the file, or the folder of several."""
    for one in entry.files:
        artifact.extract(str(one.member), workdir)
    return workdir / "inputs" / name / PurePosixPath(entry.uri.rstrip("/")).name


def _input_pixels(artifact: Artifact, op: Operator, scenes: Mapping[str, OpenScene]) -> list[Finding]:
    """Compare what the readers make of the inputs: equal files can be read differently by another version."""
    findings = []
    reads = reads_of(op, scenes, artifact.outputs)
    for name, entry in artifact.inputs.items():
        now = scene_hashes(scenes[name], reads[name])
        for variable, digest in entry.pixels.items():
            if now.get(variable, digest) != digest:
                text = f"the pixels of {variable} are read as {now[variable][:12]}…"
                findings.append(Finding(Kind.INPUT_CHANGED, name, text, f"{digest[:12]}…"))
    return findings


def _unread_as_notes(
    findings: list[Finding], scenes: Mapping[str, OpenScene], reads: Mapping[str, tuple[str, ...]]
) -> list[Finding]:
    """Make notes of changed files that the pipeline does not read: the pixels are those that were frozen."""
    from geotoolz.io import SceneReader

    told = []
    for one in findings:
        scene = scenes.get(one.subject)
        changed = one.facts.get("paths", ())
        if one.kind is Kind.INPUT_CHANGED and changed and isinstance(scene, SceneReader):
            read = {PurePosixPath(file).name for file in scene.files_of(reads[one.subject])}
            if not read & {PurePosixPath(path).name for path in changed}:
                text = f"{one.found} (the pipeline does not read that)"
                one = replace(one, found=text, weight=Weight.NOTE)
        told.append(one)
    return told


def _reference(given: Any) -> xr.Dataset | None:
    if given is None or isinstance(given, xr.Dataset):
        return given
    from geotoolz.io import open_tile

    return open_tile(given, raw=True)


def _compared(
    artifact: Artifact, found: Mapping[str, xr.DataArray], given: xr.Dataset | None, tolerance: Any
) -> list[Finding]:
    findings = []
    for name, entry in artifact.outputs.items():
        if name not in found:
            have = ", ".join(found) or "nothing"
            findings.append(Finding(Kind.OUTPUT_MISSING, name, f"the pipeline made {have}", name))
            continue
        record = entry.model_dump(exclude_none=True)
        values = found[name].values
        frozen = _frozen_pixels(artifact, name, entry, given)
        findings += compare(name, record, values, frozen, _tolerance(artifact, name, tolerance), entry.nodata)
    return findings


def _statistics(artifact: Artifact, op: Operator, found: Mapping[str, Any], tolerance: Any) -> list[Finding]:
    now = recorded(op, found)
    pairs = [(name, entry, now.get(name)) for name, entry in artifact.manifest.statistics.items()]
    return [
        finding
        for name, entry, one in pairs
        for finding in compare_statistics(name, entry, one, _tolerance(artifact, name, tolerance))
    ]


def _frozen_pixels(
    artifact: Artifact, name: str, entry: m.OutputEntry, given: xr.Dataset | None
) -> Array | None:
    variable = name.rpartition("/")[2]
    if entry.member is not None:
        values: Array = FrozenArray.from_bytes(artifact.read(entry.member), entry.member).values
    elif given is not None and variable in given:
        values = given[variable].values
    else:
        return None
    if values.dtype.newbyteorder("<").str != entry.dtype or list(values.shape) != entry.shape:
        raise ArtifactError(
            f"the frozen pixels of {name} are {values.dtype} {values.shape}",
            expected=f"{entry.dtype} {tuple(entry.shape)}",
        )
    return values


def _tolerance(artifact: Artifact, name: str, given: Any) -> Tolerance:
    """Return the tolerance of a variable: the caller's, else the frozen one."""
    if isinstance(given, Mapping):
        given = given.get(name, given.get(m.ANY))
    if given is not None:
        return Tolerance.of(given)
    stated = artifact.manifest.tolerance
    entry = stated.get(name, stated.get(m.ANY))
    return Tolerance.of(None if entry is None else entry.model_dump())


def _written(found: Mapping[str, xr.DataArray], folder: Path) -> tuple[str, ...]:
    """Write what was computed: rasters where GeoTIFF can hold them, NumPy files otherwise."""
    from geotoolz.io import write_tile

    paths: list[str] = []
    for name, variable in found.items():
        place = folder / f"{name}.tif"
        try:
            paths += write_tile(variable.to_dataset(), place)
        except (WriteError, ArtifactError):
            raise
        except GeotoolzError:  # stacks, tiles without a place, types that GeoTIFF has not
            if variable.dtype.kind not in "biuf":
                continue
            place = place.with_suffix(".npy")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(FrozenArray(variable.values).to_bytes())
            paths.append(str(place))
    return tuple(paths)
