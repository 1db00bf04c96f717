"""What a tile was made from, said cheaply: sizes, times, checksums that somebody else has computed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from geotoolz.io._providers import is_twice

__all__ = ["Stamp", "fingerprint", "local_path", "refuse_changed", "task_key"]

_VERSION = "geotoolz-task-1"
#: one for all: `json.dumps` makes one for each of 10^5 tiles
_KEYS = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


@dataclass(frozen=True, slots=True)
class Stamp:
    """One input as it was seen.

    Attributes
    ----------
    path : str
        Local path, or URL without its query (signatures change, the file does not).
    size : int
        Bytes; -1 where the file is missing, -2 where it is not known (remote).
    mark : str
        ``file:checksum`` of the item where it has one, else ``@`` and the time of the last change in ns; the
        ETag of an object.
    """

    path: str
    size: int
    mark: str = ""

    def identity(self) -> tuple[str, int, str]:
        """Return what counts for the key: the name, not the folder, so that a moved archive stays fresh."""
        name = self.path if "://" in self.path else os.path.basename(self.path)  # noqa: PTH119 - 10^5 times
        return (name, self.size, self.mark)


def task_key(
    config_hash: str,
    stamps: Iterable[Stamp],
    *,
    read: Mapping[str, Any] | None = None,
    models: Sequence[str] = (),
    sink: str = "",
) -> str:
    """Return the key of a tile: same key, same result.

    Parameters
    ----------
    config_hash : str
        Of the pipeline.
    stamps : iterable of Stamp
        The inputs.
    read : mapping, optional
        How they are read (resolution, area), as far as it is not the default.
    models : sequence of str
        Hashes of models and tables outside the pipeline's text.
    sink : str
        Hash of the sink's configuration: it changes no pixel, but which files there are.

    Examples
    --------
    >>> a = task_key("sha256:1", [Stamp("/data/a.tif", 10, "1")])
    >>> a == task_key("sha256:1", [Stamp("/moved/a.tif", 10, "1")]), a == task_key("sha256:2", [])
    (True, False)
    """
    parts = [
        _VERSION,
        config_hash,
        [stamp.identity() for stamp in stamps],
        dict(read or {}),
        list(models),
        sink,
    ]
    text = _KEYS.encode(parts)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def local_path(uri: str) -> str | None:
    """Return the local path that a URI means, or None for a remote one.

    Examples
    --------
    >>> local_path("file:///data/a%20b.tif"), local_path("/x.tif"), local_path("s3://bucket/x.tif")
    ('/data/a b.tif', '/x.tif', None)
    """
    if "://" not in uri:
        return None if uri.startswith("/vsi") else uri
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else None


def fingerprint(
    sources: Sequence[str], *, item: str | None = None, known: Sequence[Stamp] = ()
) -> tuple[Stamp, ...]:
    """Take the stamps of a tile's sources.

    Parameters
    ----------
    sources : sequence of str
        Rasters, folders, STAC item files; paths or URIs.
    item : str, optional
        A STAC item as JSON text, where it is in no file.
    known : sequence of Stamp
        Stamps of an earlier run. While an item file is the same, its assets are the same files, and the item
        need not be parsed again.

    Returns
    -------
    tuple of Stamp
        In a fixed order.
    """
    earlier = {stamp.path: stamp for stamp in known}
    stamps: list[Stamp] = []
    for source in sources:
        path = local_path(source)
        if path is None:
            stamps.append(Stamp(_without_query(source), -2))
        elif path.endswith((".json", ".geojson")):
            stamps.extend(_item_file(path, earlier, known if len(sources) == 1 else ()))
        elif os.path.isdir(path):  # noqa: PTH112 - 10^5 times
            stamps.extend(_folder(path))
        else:
            stamps.append(_stat(path))
    if item is not None:
        held = json.loads(item)
        text = _unsigned(held, item)
        stamps.append(Stamp("item", len(text), hashlib.sha256(text.encode()).hexdigest()))
        stamps.extend(_assets(held, ""))
    return tuple(stamps)


def refuse_changed(stamps: Iterable[Stamp]) -> None:
    """Refuse to go on where a local input is not what it was when the work was planned.

    A scene that is replaced while it is read gives a tile of two scenes, under the name of the first.

    Raises
    ------
    ReadError
        Naming the file.
    """
    from geotoolz.core._errors import ReadError

    for stamp in stamps:
        if not stamp.mark.startswith("@"):  # remote, absent, or told by a checksum of somebody else's
            continue
        now = _stat(stamp.path)
        if now != stamp:
            if now.size < 0:
                how = "is gone"
            elif now.size != stamp.size:
                how = f"changed ({stamp.size} → {now.size} bytes)"
            else:
                how = "was written anew (as many bytes, at another time)"
            raise ReadError(
                f"{stamp.path!r} {how} since the tile was planned",
                expected="inputs that stay as they are from the plan to the end of the run",
                fix="plan, or run, again: the tile is made from the file as it is then",
            )


def _stat(path: str, checksum: str = "") -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - 10^5 times
    except OSError:
        return Stamp(path, -1, checksum)
    return Stamp(path, found.st_size, checksum or f"@{found.st_mtime_ns}")


def _folder(path: str) -> list[Stamp]:
    stamps: list[Stamp] = []
    for root, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # GDAL writes .aux.xml files beside what it reads: they are no change of the scene
        kept = sorted(name for name in files if not name.startswith(".") and not name.endswith(".aux.xml"))
        stamps.extend(_stat(os.path.join(root, name)) for name in kept)  # noqa: PTH118 - 10^5 times
    return stamps or [Stamp(path, -1)]


def _item_file(path: str, earlier: Mapping[str, Stamp], known: Sequence[Stamp]) -> list[Stamp]:
    own = _stat(path)
    if known and earlier.get(path) == own:
        return [own, *(_again(stamp) for stamp in known if stamp.path != path)]
    try:
        item = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):  # the reader says what is wrong with it; the stamp only notices a change
        return [own]
    return [own, *_assets(item, path)]


def _again(stamp: Stamp) -> Stamp:
    if local_path(stamp.path) is None:  # what an object store says of it is asked again
        return stamp if stamp.size == -2 else Stamp(stamp.path, -2)
    return _stat(stamp.path, "" if stamp.mark.startswith("@") else stamp.mark)


def _assets(item: Any, base: str) -> list[Stamp]:
    """Stamp the files that an item names; anything that is not an item has none.

    Second files of a band, which no reader opens, are left out: a copy of an item on this disk often still
    names a bucket for them, which would be asked in vain.
    """
    assets = item.get("assets") if isinstance(item, dict) else None
    if not isinstance(assets, dict):
        return []
    stamps = []
    for name in sorted(assets):
        if is_twice(name, None):
            continue
        asset = assets[name]
        href = asset.get("href") if isinstance(asset, dict) else None
        if not isinstance(href, str):
            continue
        checksum = str(asset.get("file:checksum") or "")
        path = local_path(href)
        if path is None:
            stamps.append(Stamp(_without_query(href), -2, checksum))
            continue
        where = os.path.normpath(os.path.join(os.path.dirname(base), path))  # noqa: PTH118, PTH120 - 10^5 times
        stamps.append(_stat(where, checksum))
    return stamps


def _unsigned(item: Any, text: str) -> str:
    """Return the item's text, without the queries of its assets' addresses: a new signature is no change."""
    assets = item.get("assets") if isinstance(item, dict) else None
    if not isinstance(assets, dict) or "?" not in text:
        return text
    plain = {
        name: {**asset, "href": _without_query(asset["href"])}
        if isinstance(asset, dict) and "://" in str(asset.get("href"))
        else asset
        for name, asset in assets.items()
    }
    return text if plain == assets else json.dumps({**item, "assets": plain}, separators=(",", ":"))


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
