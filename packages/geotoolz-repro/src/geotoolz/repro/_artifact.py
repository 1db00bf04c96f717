"""The frozen artefact: opened, looked at, saved."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core import Operator, ReadError, WriteError
from geotoolz.repro import _manifest as m
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._findings import Finding, Kind, Report
from geotoolz.repro._json import parsed
from geotoolz.repro._parts import Part
from geotoolz.repro._pipeline import loaded
from geotoolz.repro._tar import write_archive

if TYPE_CHECKING:
    from geotoolz.core._lazy import xr
    from geotoolz.repro._tolerance import Tolerance


class Artifact:
    """A frozen computation; made by `freeze` or `load`.

    Nothing in an archive is executed, and nothing is unpickled: a configuration is data, from which
    registered operators are made. Texts are checked against the manifest when they are read.

    Attributes
    ----------
    manifest : Manifest
        The table of contents.
    path : Path or None
        The file that it was loaded from.
    trusted : bool
        Whether its configuration may name any operator and any file; `freeze` trusts what it made itself.
    """

    def __init__(
        self,
        manifest: m.Manifest,
        parts: Mapping[str, Part],
        *,
        path: Path | None = None,
        trusted: bool = False,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self.manifest = manifest
        self.path = path
        self.trusted = trusted
        self._parts = dict(parts)
        self._findings = findings

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}: {one.uri}" for name, one in self.inputs.items())
        return f"<Artifact {self.id[:12]}… of pipeline {self.pipeline_hash[:12]}…; {inputs}>"

    # --- what it says -------------------------------------------------------------------------------
    @property
    def id(self) -> str:
        """SHA-256 of the manifest: what a paper prints, because everything else hangs on it."""
        return self.manifest.id

    @property
    def pipeline_hash(self) -> str:
        """The pipeline's `config_hash`."""
        return self.manifest.pipeline.hash

    @property
    def config_yaml(self) -> str:
        """The pipeline's configuration, for people and for `geotoolz.core.load`."""
        return self.text(m.CONFIG)

    @property
    def config_canonical(self) -> str:
        """The configuration in canonical JSON, with defaults and versions: its SHA-256 is `pipeline_hash`."""
        return self.text(m.CANONICAL)

    @property
    def inputs(self) -> Mapping[str, m.InputEntry]:
        """Inputs by name: ``uri``, ``sha256``, ``files``, ``pixels``, ``embedded``."""
        return self.manifest.inputs

    @property
    def outputs(self) -> Mapping[str, m.OutputEntry]:
        """Expected outputs by variable: ``sha256`` of the pixels, ``dtype``, ``shape``, figures."""
        return self.manifest.outputs

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Expected results of the steps that gather statistics, by the path of the step."""
        return {name: entry.value for name, entry in self.manifest.statistics.items()}

    @property
    def environment(self) -> dict[str, Any]:
        """What it was computed with; see `geotoolz.repro.environment`."""
        return parsed(self.read(m.ENVIRONMENT), m.ENVIRONMENT)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the author said."""
        return parsed(self.read(m.METADATA), m.METADATA)

    @property
    def deps_lock(self) -> str | None:
        """The lock file, verbatim; None where none was given."""
        return self.text(m.LOCK) if self.manifest.lock is not None else None

    def text(self, member: str) -> str:
        """Return a member as text, checked against the manifest."""
        return self.read(member).decode("utf-8", "replace")

    def read(self, member: str) -> bytes:
        """Return the bytes of a member, checked against the manifest.

        Raises
        ------
        ArtifactError
            If it is missing, other than the manifest says, or too large to be held.
        """
        data = self.part(member).read()
        if hashlib.sha256(data).hexdigest() != self.manifest.members[member].sha256:
            raise ArtifactError(
                f"{member} is not the one that the manifest lists", fix="verify() names every one"
            )
        return data

    def part(self, member: str) -> Part:
        """Return where the bytes of a member lie, after a look at their number.

        Raises
        ------
        ArtifactError
            If the archive or the manifest lacks it, or the sizes differ.
        """
        entry, part = self.manifest.members.get(member), self._parts.get(member)
        if entry is None or part is None:
            where = "manifest" if entry is None else "archive"
            raise ArtifactError(f"the {where} has no {member!r}").of_kind(Kind.MISSING_MEMBER)
        if entry.size != part.size:
            raise ArtifactError(f"{member} has {part.size} bytes", expected=str(entry.size))
        return part

    @property
    def parts(self) -> Mapping[str, Part]:
        """The members that are there, whether the manifest lists them or not."""
        return self._parts

    @property
    def listed(self) -> tuple[Finding, ...]:
        """What the walk over the archive found when it was loaded."""
        return self._findings

    # --- what it does -------------------------------------------------------------------------------
    def pipeline(
        self, folder: str | os.PathLike[str] | None = None, *, trusted: bool | None = None
    ) -> Operator:
        """Return the pipeline; one of an artefact that is not trusted comes without the step that writes.

        Parameters
        ----------
        folder : path, optional
            Gets the embedded references, which the pipeline reads when it runs; needed where there are any.
        trusted : bool, optional
            By default what was said when it was loaded.

        Raises
        ------
        ArtifactError
            If there are embedded references and no folder.
        UntrustedOperatorError
            If it needs more trust than it has.
        """
        held = [one.member for one in self.manifest.references if one.member is not None]
        if folder is None and held:
            raise ArtifactError(
                f"the pipeline reads {len(held)} embedded files",
                expected="a folder for them",
                fix="artifact.pipeline(folder)",
            )
        trust = self.trusted if trusted is None else trusted
        if folder is not None:
            return self.pipeline_in(Path(folder), trust)
        with tempfile.TemporaryDirectory() as empty:
            return self.pipeline_in(Path(empty), trust)

    def pipeline_in(self, folder: Path, trusted: bool) -> Operator:
        """Return the pipeline after putting its embedded references into a folder."""
        for reference in self.manifest.references:
            if reference.member is not None:
                self.extract(reference.member, folder)
        return loaded(self.config_yaml, folder, trusted=trusted)

    def extract(self, member: str, folder: Path) -> Path:
        """Write a member below a folder, checked on its way.

        Raises
        ------
        ArtifactError
            If it is not the one that the manifest lists; then there is no file.
        WriteError
            If it cannot be written.
        """
        part, target = self.part(member), folder / member
        digest = hashlib.sha256()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for chunk in part.chunks():
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != self.manifest.members[member].sha256:
                target.unlink()
                raise ArtifactError(f"{member} is not the one that the manifest lists")
        except OSError as error:
            raise WriteError(f"{target} cannot be written: {error.strerror}") from error
        return target

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the archive; it is there whole or not at all.

        Raises
        ------
        ReadError
            If an embedded file has changed since it was frozen.
        WriteError
            If it cannot be written.
        """
        target = Path(path)
        for name, entry in self.manifest.members.items():
            part = self._parts[name]
            if part.path is not None and (not part.path.exists() or part.sha256() != entry.sha256):
                raise ReadError(f"{part.path} has changed since it was frozen", fix="freeze again")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                for chunk in write_archive(self._parts):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise WriteError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return target

    def verify(self, *, id: str | None = None, offline: bool = False, inputs: Any = None) -> Report:
        """Look at everything that can be checked without computing.

        Every member is hashed where it lies; inputs and references are hashed at their addresses; the
        pipeline is loaded and its hash compared; the environment is compared.

        Parameters
        ----------
        id : str, optional
            The artefact's id as a paper prints it, or its first 8 digits or more.
        offline : bool
            Leave remote inputs alone.
        inputs : path, or mapping of names to paths, optional
            As for `rerun`. By default a relative path is looked up beside the artefact, then here.

        Returns
        -------
        Report
            Its tier is ``intact`` where nothing differs.
        """
        from geotoolz.repro._verify import verify_artifact

        return verify_artifact(self, id, offline, inputs)

    def rerun(
        self,
        workdir: str | os.PathLike[str],
        *,
        inputs: Any = None,
        reference: xr.Dataset | str | os.PathLike[str] | None = None,
        tolerance: Tolerance | Mapping[str, Tolerance] | None = None,
        threads: int = 1,
    ) -> Report:
        """Compute again, and compare.

        Parameters
        ----------
        workdir : path
            Gets the embedded inputs and references, and ``outputs/`` with what was computed.
        inputs : path, or mapping of names to paths, optional
            Where inputs lie now, if not where they lay; they must hold the same. Several scenes: a folder of
            them, a catalog or its file, a list of scenes, an open stack or one that was read.
        reference : xarray.Dataset or path, optional
            The frozen outputs' pixels, where the artefact does not hold them: then it can be said how much
            differs, and a tolerance applies.
        tolerance : Tolerance, or mapping of variables to these, optional
            Instead of the one that was frozen.
        threads : int
            Of the runner. Libraries below (BLAS, torch) always compute with one, and so does a pipeline with
            a step that is `approximate`: its rounding depends on the cut.

        Returns
        -------
        Report
            ``paths`` are the files that were written.
        """
        from geotoolz.repro._rerun import rerun_artifact

        return rerun_artifact(self, Path(workdir), inputs, reference, tolerance, threads)
