"""Outputs of a single call on an object store: made on this machine, sent whole."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from geotoolz.core._errors import ParameterError
from geotoolz.io._gdal import is_remote
from geotoolz.io._object_errors import StoreError
from geotoolz.io._object_path import ObjectPath, is_object, place

_log = logging.getLogger("geotoolz.io")
#: objects of a Zarr store that are sent at the same time
_SENDERS = 8


def check_target(path: str) -> None:
    """Refuse an address that outputs cannot be sent to, when the sink is made.

    Raises
    ------
    ParameterError
        For GDAL's own prefixes, which can lose data silently, and for web servers.
    MissingDependencyError
        If obstore is not installed.
    """
    if is_object(path):
        place(path.split("{", 1)[0])
    elif is_remote(path) or "://" in path:
        raise ParameterError(
            f"path {path!r} cannot be written to",
            expected="a local path, or s3://, gs://, az:// and the bucket",
            fix="GDAL's own addresses (/vsis3) can lose data silently: say s3://bucket/…",
        )


class Outbox:
    """Files of this machine on their way to objects; a folder of temporary files, gone at the end.

    Parameters
    ----------
    names : iterable of str
        The addresses. Every store is asked once whether it is there, before anything is computed.

    Raises
    ------
    StoreError
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.files: dict[str, Path] = {}
        self._folder: Path | None = None
        targets = [ObjectPath(name) for name in names if is_object(name)]
        for target in {found.store.url(): found for found in targets}.values():
            target.store.probe()
        for number, target in enumerate(targets):
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="geotoolz-out-"))
            self.files[str(target)] = self._folder / str(number) / target.name

    def send(self) -> None:
        """Send all files, each with what stands beside it first; where one cannot be sent, new ones go again.

        Raises
        ------
        StoreError
        """
        sent: list[ObjectPath] = []
        try:
            for address, path in self.files.items():
                target = ObjectPath(address)
                beside = sorted(one for one in path.parent.iterdir() if one != path)
                for source in (*beside, path):
                    goal = target.parent / source.name
                    if goal.store.create(goal.key, source):
                        sent.append(goal)
                    else:
                        goal.store.write(goal.key, source)
        except StoreError:
            take_back(sent)
            raise

    def close(self) -> None:
        """Remove the temporary files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def take_back(sent: Iterable[ObjectPath]) -> None:
    """Delete objects that were sent for nothing."""
    for target in sent:
        try:
            target.unlink(missing_ok=True)
        except StoreError as error:
            _log.warning("left behind: %s", error)


def send_folder(folder: Path, target: ObjectPath, last: str) -> None:
    """Send a folder; the file `last` tells readers that it is complete.

    An older one of that name is taken out of sight first: its `last` is deleted, then written again at the
    end.

    Raises
    ------
    StoreError
    """
    before = target.sizes()
    store = target.store
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    if last in before:
        (target / last).unlink(missing_ok=True)

    def send(name: str) -> None:
        store.write((target / name).key, files[name])

    with ThreadPoolExecutor(_SENDERS) as senders:
        list(senders.map(send, [name for name in files if name != last]))
    store.delete((target / name).key for name in before if name not in files)
    send(last)
