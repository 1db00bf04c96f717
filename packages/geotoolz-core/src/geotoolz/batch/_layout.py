"""Where things are in an output folder."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Layout", "safe_name"]

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 120


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
    """The files of a batch run below its output folder.

    Outputs stand where the pipeline's sink puts them, the STAC items in ``items/``, their collection in
    ``collection.json``, the report in ``report.html`` and ``report.json``; everything else (journal, logs,
    pictures, files under construction) in ``.geotoolz/``.
    """

    out: Path

    @property
    def private(self) -> Path:
        """What users rarely look at."""
        return self.out / ".geotoolz"

    @property
    def items(self) -> Path:
        """The STAC items, one per finished tile."""
        return self.out / "items"

    @property
    def collection(self) -> Path:
        """The STAC collection of the items."""
        return self.out / "collection.json"

    @property
    def collection_id(self) -> str:
        """The collection's id: the name of the output folder."""
        return safe_name(self.out.absolute().name) or "products"

    @property
    def logs(self) -> Path:
        """One log per tile."""
        return self.private / "logs"

    @property
    def quicklooks(self) -> Path:
        """One small picture per tile."""
        return self.private / "quicklooks"

    @property
    def staging(self) -> Path:
        """Files that are not finished yet."""
        return self.private / "staging"

    @property
    def commits(self) -> Path:
        """What a tile is about to put in place, kept until its item stands."""
        return self.private / "commits"

    def item(self, tile_id: str) -> Path:
        """Return the path of a tile's STAC item."""
        return self.items / f"{safe_name(tile_id)}.json"

    def log(self, tile_id: str) -> Path:
        """Return the path of a tile's log."""
        return self.logs / f"{safe_name(tile_id)}.log"

    def quicklook(self, tile_id: str) -> Path:
        """Return the path of a tile's picture."""
        return self.quicklooks / f"{safe_name(tile_id)}.png"

    def intent(self, tile_id: str) -> Path:
        """Return the path of the note that a commit is under way."""
        return self.commits / f"{safe_name(tile_id)}.json"

    def journal(self, shard: tuple[int, int] | None) -> Path:
        """Return the journal of a shard; every shard has its own, nobody appends to another's."""
        return self.private / f"journal{_shard_suffix(shard)}.jsonl"

    def lease(self, shard: tuple[int, int] | None) -> Path:
        """Return the lock file of a shard."""
        return self.private / f"lease{_shard_suffix(shard)}.lock"

    def make(self) -> None:
        """Create the folders and see that files can be written; typed errors where not."""
        from geotoolz.core._errors import WriteError

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


def _shard_suffix(shard: tuple[int, int] | None) -> str:
    return "" if shard is None else f"-{shard[0]}-of-{shard[1]}"
