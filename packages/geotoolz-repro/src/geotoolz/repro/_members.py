"""The members of an artefact while it is being made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from geotoolz.core import FrozenArray, ReadError
from geotoolz.core._lazy import xr
from geotoolz.repro import _manifest as m
from geotoolz.repro._parts import Part
from geotoolz.repro._pixels import record_of
from geotoolz.repro._sources import File, Source, base_of, digest_of, files_of, is_local, place_of
from geotoolz.repro._tar import is_plain


class Members:
    """Takes what an artefact will hold.

    Parameters
    ----------
    limit : int
        Bytes up to which inputs and outputs are embedded.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: dict[str, Part] = {}
        self._hashes: dict[str, str] = {}

    def text(self, name: str, data: bytes) -> None:
        """Take a member that is in memory."""
        self.parts[name] = Part.of(data)

    def members(self) -> dict[str, m.MemberEntry]:
        """Return size and hash of every member."""
        for name, part in self.parts.items():
            self._hashes.setdefault(name, part.sha256())
        return {
            name: m.MemberEntry(size=self.parts[name].size, sha256=self._hashes[name])
            for name in sorted(self.parts)
        }

    def input(self, name: str, source: Source, pixels: dict[str, str], reached: bool) -> m.InputEntry:
        """Describe an input, take its files if they are small; a told hash is believed where it must be."""
        told = source.sha256
        remote = not is_local(source.uri)
        believed = remote and told is not None and not reached
        files = (File(source.uri, -1, str(told)),) if believed else files_of(source)
        digest = digest_of(files)
        if told is not None and digest != told:
            raise ReadError(
                f"{source.uri} has sha256 {digest[:12]}…",
                expected=f"{told[:12]}…, as inputs says",
                fix="correct one",
            )
        small = (
            not remote
            and all(one.inside for one in files)
            and 0 < sum(one.size for one in files) <= self.limit
        )
        base = base_of(place_of(source.uri)) if small else Path()
        # a product's folder keeps its name: readers take facts from it
        folder = f"{base.name}/" if small and place_of(source.uri).is_dir() else ""
        held = {one.path: f"inputs/{name}/{folder}{one.path}" for one in files if small}
        if not all(map(is_plain, held.values())):
            held = {}  # a name that another system could not have
        for path, member in held.items():
            self.parts[member] = Part.of_file(base / path)
        listed = [
            m.FileEntry(path=one.path, size=one.size, sha256=one.sha256, member=held.get(one.path))
            for one in files
        ]
        return m.InputEntry(
            uri=source.uri,
            read=dict(source.read),
            sha256=digest,
            files=listed,
            pixels=pixels,
            several=None if source.several is None else dict(source.several),
        )

    def outputs(self, found: Mapping[str, xr.DataArray]) -> dict[str, m.OutputEntry]:
        """Describe outputs, and take their pixels if they are few."""
        made = {}
        for name, variable in found.items():
            values, nodata = variable.values, _nodata(variable)
            record = record_of(str(variable.name), values, nodata)
            member = None
            if 0 < values.nbytes <= self.limit and values.dtype.kind in "biuf":
                member = f"outputs/{name}.npy"
                self.text(member, FrozenArray(values).to_bytes())
            made[name] = m.OutputEntry(**record, nodata=nodata, member=member)
        return made

    def lock(self, path: str | os.PathLike[str] | None) -> str | None:
        """Take the lock file as it is; return its name."""
        if path is None:
            return None
        try:
            self.text(m.LOCK, Path(path).read_bytes())
        except OSError as error:
            raise ReadError(
                f"{path} cannot be read: {error.strerror}", expected="a lock file (uv.lock, …)"
            ) from error
        return Path(path).name


def _nodata(variable: xr.DataArray) -> float | int | None:
    """Return the no-data value; None also for NaN, which needs no saying."""
    value = variable.attrs.get("_FillValue")
    if value is None or value != value:
        return None
    return float(value)
