"""How a file came to be, and the artefact of that."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geotoolz.core import Operator, ReadError
from geotoolz.core._config import from_config
from geotoolz.core._load import sandbox_find
from geotoolz.repro._artifact import Artifact
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._freeze import freeze
from geotoolz.repro._relocate import relocated
from geotoolz.repro._several import files_named, title
from geotoolz.repro._sources import Source, files_of, is_local, names_of, open_source


@dataclass(frozen=True)
class Trace:
    """How a file came to be.

    Attributes
    ----------
    path : Path
        The file.
    told_by : str
        ``"tags"`` of the file; ``"attributes"`` of a Zarr folder; ``"item"``: the STAC item of the run;
        ``"mosaic"``: what a mosaic says of its parts.
    config_hash : str or None
        Of the pipeline; None where it could not be saved.
    config : dict or None
        The pipeline's configuration without the step that wrote.
    software : dict of str to str
        Versions.
    inputs : tuple of (str, int, str)
        Name, bytes and SHA-256 of the files that were read; -1 and empty where nobody told.
    source : str
        What was opened; empty where nobody told.
    read : dict
        How it was read.
    unsaid : tuple of str
        Parts of how it was read that text cannot say.
    several : mapping, optional
        The scenes, where there were several: a slice, a stack, a STAC item in no file.
    parts : tuple of Path
        The files that a mosaic is made of; each tells how it came to be itself.
    """

    path: Path
    told_by: str
    config_hash: str | None
    config: dict[str, Any] | None
    software: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[tuple[str, int, str], ...] = ()
    source: str = ""
    read: Mapping[str, Any] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    several: Mapping[str, Any] | None = None
    parts: tuple[Path, ...] = ()

    def pipeline(self, *, trusted: bool = False) -> Operator:
        """Return the pipeline; unless it is trusted, of registered operators that touch no files alone.

        Raises
        ------
        ArtifactError
            If the file does not hold it.
        UntrustedOperatorError
            If it needs more trust.
        """
        if self.parts:
            raise ArtifactError(
                f"{self.path} is a mosaic of {len(self.parts)} files",
                expected="a file that a pipeline wrote",
                fix="trace and freeze its parts: [trace(part).freeze() for part in trace(file).parts]",
            )
        if self.config is None:
            raise ArtifactError(
                f"{self.path} does not tell its pipeline",
                expected="a pipeline of operators that can be saved",
                fix="freeze the pipeline itself: repro.freeze(pipeline, inputs)",
            )
        return from_config(self.config) if trusted else from_config(self.config, find=sandbox_find)

    @property
    def scenes(self) -> tuple[tuple[str, str], ...]:
        """Date and name of every scene of a stack; empty for anything else."""
        dates = self.several.get("dates", ()) if self.several else ()
        return tuple((str(row.get("datetime", "")), str(row.get("id", ""))) for rows in dates for row in rows)

    def freeze(
        self,
        deps_lock: str | os.PathLike[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        inputs: Any = None,
        trusted: bool = False,
        **options: Any,
    ) -> Artifact:
        """Freeze the computation that made the file; the file's own pixels are the expected output.

        Parameters
        ----------
        deps_lock, metadata
            As for `geotoolz.repro.freeze`.
        inputs : path, optional
            Where the source lies now, if not where it lay; of several scenes all that `Artifact.rerun` takes.
        trusted : bool
            Whether the pipeline may name any operator.
        **options
            Further ones of `geotoolz.repro.freeze`.

        Returns
        -------
        Artifact

        Raises
        ------
        ArtifactError
            If the file does not tell enough.
        ReadError
            If the source is gone, or a file of it has changed since.
        """
        op = self.pipeline(trusted=trusted)
        uri = self.source if inputs is None else os.fspath(inputs) if _is_path(inputs) else str(inputs)
        several = self.several
        if several is not None and inputs is not None:
            several = relocated(several, inputs)
            uri = uri if several is None else title(several)
        if not uri or self.unsaid:
            lacks = f"how it was read ({', '.join(self.unsaid)})" if self.unsaid else "what it was read from"
            raise ArtifactError(
                f"{self.path} does not tell {lacks}",
                expected="a file that a driver wrote from a path",
                fix="inputs=… (--input) says where the source lies"
                if not self.unsaid
                else "freeze the pipeline itself: repro.freeze(pipeline, inputs)",
            )
        source = Source(uri, read=dict(self.read), several=several)
        self._require_unchanged(source)
        return freeze(op, source, deps_lock, metadata, outputs=self.path, **options)

    def _require_unchanged(self, source: Source) -> None:
        """Compare the files that were read with what lies there now."""
        if not is_local(source.uri):
            return
        told = {name for name, _, sha256 in self.inputs if sha256}
        if not told:
            return
        now = {(Path(one.path).name, one.sha256) for one in files_of(_only(source, told))}
        changed = [name for name, _, sha256 in self.inputs if sha256 and (name, sha256) not in now]
        if changed:
            raise ReadError(
                f"{', '.join(changed)} of {source.uri} is no longer what {self.path.name} was made from",
                expected="the input as it was",
                fix="name a copy that is unchanged: inputs=… (--input)",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return {
            "path": str(self.path),
            "told_by": self.told_by,
            "config_hash": self.config_hash,
            "pipeline": self.config,
            "source": self.source,
            **({"several": dict(self.several)} if self.several else {}),
            "read": dict(self.read),
            "inputs": [list(one) for one in self.inputs],
            "software": dict(self.software),
            **({"parts": list(map(str, self.parts))} if self.parts else {}),
        }


def _is_path(given: Any) -> bool:
    return isinstance(given, str | os.PathLike)


def _only(source: Source, told: Collection[str]) -> Source:
    """Return the source with the files of some names alone: the others were not read."""
    names = names_of(source.uri) if source.several is None else files_named(open_source(source))
    return replace(source, named=tuple(name for name in names if Path(name).name in told) or source.named)
