"""Where things are in an output folder."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from geotoolz.io._object_path import ObjectPath, Place

__all__ = ["REPORT", "Layout", "safe_name"]

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 120
#: what reports of runs and shards are called
REPORT = re.compile(r"report(-\d+-of-\d+)?\.(json|html)")


def safe_name(tile_id: str) -> str:
    """Turn a tile's id into a file name; different ids give different names.

    Examples
    --------
    >>> safe_name("S2A_33TWL_20230815"), safe_name("a/b")
    ('S2A_33TWL_20230815', 'a_b-c14cddc0')
    """
    name = _UNSAFE.sub("_", tile_id).lstrip(".")[:_LONGEST]
    if name == tile_id:
        return name
    return f"{name}-{hashlib.sha256(tile_id.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of a batch run below its output folder, or below an address on an object store.

    Outputs stand where the pipeline's sink puts them, the STAC items in ``items/``, their collection in
    ``collection.json``, the report in ``report.html`` and ``report.json``; everything else (journal, logs,
    pictures, files under construction) in ``.geotoolz/``. What is under construction for an object store lies
    in this machine's folder for temporary files.
    """

    out: Place

    @property
    def private(self) -> Place:
        """What users rarely look at."""
        return self.out / ".geotoolz"

    @property
    def items(self) -> Place:
        """The STAC items, one per finished tile."""
        return self.out / "items"

    @property
    def collection(self) -> Place:
        """The STAC collection of the items."""
        return self.out / "collection.json"

    @property
    def collection_id(self) -> str:
        """The collection's id: the name of the output folder."""
        return safe_name(self.out.absolute().name) or "products"

    @property
    def logs(self) -> Place:
        """One log per tile."""
        return self.private / "logs"

    @property
    def quicklooks(self) -> Place:
        """One small picture per tile."""
        return self.private / "quicklooks"

    @property
    def staging(self) -> Path:
        """Files that are not finished yet; always on this machine."""
        if isinstance(self.out, ObjectPath):
            address = hashlib.sha256(str(self.out).encode()).hexdigest()[:12]
            return Path(tempfile.gettempdir()) / f"geotoolz-{_user()}-{address}"
        return self.out / ".geotoolz" / "staging"

    @property
    def commits(self) -> Place:
        """What a tile is about to put in place, kept until its item stands."""
        return self.private / "commits"

    def item(self, tile_id: str) -> Place:
        """Return the path of a tile's STAC item."""
        return self.items / f"{safe_name(tile_id)}.json"

    def log(self, tile_id: str) -> Place:
        """Return the path of a tile's log."""
        return self.logs / f"{safe_name(tile_id)}.log"

    def quicklook(self, tile_id: str) -> Place:
        """Return the path of a tile's picture."""
        return self.quicklooks / f"{safe_name(tile_id)}.png"

    def intent(self, tile_id: str) -> Place:
        """Return the path of the note that a commit is under way."""
        return self.commits / f"{safe_name(tile_id)}.json"

    def report(self, shard: tuple[int, int] | None, suffix: str = ".json") -> Place:
        """Return the report of a run, or of one shard's."""
        return self.out / f"report{_shard_suffix(shard)}{suffix}"

    def journal(self, shard: tuple[int, int] | None) -> Place:
        """Return the journal of a shard; every shard has its own, nobody appends to another's."""
        return self.private / f"journal{_shard_suffix(shard)}.jsonl"

    def lease(self, shard: tuple[int, int] | None) -> Place:
        """Return the lock file of a shard."""
        return self.private / f"lease{_shard_suffix(shard)}.lock"

    def reach(self) -> None:
        """See within seconds that an object store is there; nothing is asked of a local folder.

        Raises
        ------
        StoreError
            If endpoint, bucket or credentials are missing.
        """
        if isinstance(self.out, ObjectPath):
            self.out.store.probe()

    def make(self) -> None:
        """Create the folders and see that files can be written; typed errors where not."""
        from geotoolz.core._errors import WriteError

        if isinstance(self.out, ObjectPath):
            probe = self.private / f".probe-{os.getpid()}-{os.urandom(4).hex()}"
            probe.write_bytes(b"geotoolz")
            probe.unlink(missing_ok=True)
            return
        try:
            for folder in (self.out, self.items, self.logs, self.quicklooks, self.staging, self.commits):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.out, self.items, self.private):
                probe = folder / f".probe-{os.getpid()}"
                try:
                    probe.write_bytes(b"geotoolz")
                finally:
                    probe.unlink(missing_ok=True)  # a full disk takes the name and not the bytes
        except OSError as exc:
            raise WriteError(
                f"output folder {str(self.out)!r} cannot be written: {exc.strerror or exc}",
                expected="a folder that this process may write to, with free space",
                fix="choose another folder with out=…",
            ) from exc


def _user() -> str:
    try:
        return _UNSAFE.sub("_", getpass.getuser())
    except (KeyError, OSError):  # a user id without a name, as containers have it
        return str(os.getuid()) if hasattr(os, "getuid") else "user"


def _shard_suffix(shard: tuple[int, int] | None) -> str:
    return "" if shard is None else f"-{shard[0]}-of-{shard[1]}"
