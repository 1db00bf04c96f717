"""Faults for the batch tests: processes that die, disks that fill, at the n-th access to the output folder.

A worker learns its fate from the environment variable ``GTZ_FAULTS`` (JSON), so that pipeline, tasks and
outputs are those of an undisturbed run. Python's audit events say when a file is opened, renamed, removed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gtz_batch_ops import WriteNpy

from geotoolz.batch import CatalogPipeline, Layout, replay
from geotoolz.core import Map, Plan, Sequential, TileSpec, VarSpec
from geotoolz.core._errors import BatchError
from geotoolz.core.testing import write_scene

ENV = "GTZ_FAULTS"
#: worker kills of the suite; `benchmarks/faults.py` raises it
KILLS = int(os.environ.get("GEOTOOLZ_FAULTS", "200"))
TILES = 8
#: a run that is killed while it writes its report leaves these until the next one that has work
_LATE = (".report.", ".collection.", ".probe-")
EVENTS = frozenset(
    (
        "open",
        "os.chmod",
        "os.link",
        "os.listdir",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.scandir",
        "shutil.rmtree",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
    )
)


class Point:
    """Counts accesses below a folder down, and then does something."""

    def __init__(self) -> None:
        self.below = ""
        self.left = -1
        self.seen = 0
        self.act: Callable[[], None] = lambda: None
        self.writing = False
        self._hooked = False

    def arm(self, below: Path, left: int, act: Callable[[], None], *, writing: bool = False) -> None:
        """Act at the access number `left` (from 0) below a folder; of those that need space, if `writing`."""
        self.below, self.left, self.seen, self.act, self.writing = str(below), left, 0, act, writing
        if not self._hooked:
            sys.addaudithook(self._hook)
            self._hooked = True

    def disarm(self) -> None:
        self.left = -1
        self.below = ""

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.below or event not in EVENTS or not args or not isinstance(args[0], str | os.PathLike):
            return
        if not os.fspath(args[0]).startswith(self.below):
            return
        if self.writing and not _needs_space(event, args):
            return
        self.seen += 1
        if self.left >= 0:
            self.left -= 1
            if self.left < 0:
                self.act()


def _needs_space(event: str, args: tuple[Any, ...]) -> bool:
    if event == "open":
        return isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return event in ("os.mkdir", "os.link", "tempfile.mkdtemp", "tempfile.mkstemp")


POINT = Point()


def die(kills: Path) -> None:
    """Count, and end this process as the system does when memory is short."""
    handle = os.open(kills, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, b".")
    os.close(handle)
    os.kill(os.getpid(), signal.SIGKILL)


def full() -> None:
    """Fail as a full disk does; it stays full."""
    POINT.left = 0
    raise OSError(errno.ENOSPC, "No space left on device")


def counted(path: Path) -> int:
    """Return how many bytes a file has: one for every time something was counted."""
    return path.stat().st_size if path.exists() else 0


def _ratio(red: np.ndarray[Any, Any], nir: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    red, nir = red.astype(np.float32), nir.astype(np.float32)
    faults = json.loads(os.environ.get(ENV, "{}"))
    if faults:
        _meet_fate(faults, f"{zlib.crc32(red.tobytes()):08x}")
    with np.errstate(divide="ignore", invalid="ignore"):
        return (nir - red) / (nir + red)


def _meet_fate(faults: dict[str, Any], tile: str) -> None:
    """Let this worker die now, at a later access to the output folder, or not at all."""
    folder = Path(faults["folder"])
    if tile in faults.get("always", ()):
        die(folder / "kills")
    attempt = counted(folder / f"attempts-{tile}")
    with (folder / f"attempts-{tile}").open("ab") as file:
        file.write(b".")
    rng = random.Random(f"{faults['seed']}:{tile}:{attempt}")
    if rng.random() < faults["share"]:
        left = rng.randint(-1, faults["accesses"])
        if left < 0:
            die(folder / "kills")
        POINT.arm(Path(faults["out"]), left, lambda: die(folder / "kills"))
    else:
        POINT.disarm()


class Doomed(Map):
    """A little NDVI in whose kernel a worker learns its fate."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(
            (tile.find("red"), tile.find("nir")),
            {"ratio": VarSpec(attrs={"quantity": "index", "units": "1"})},
        )

    kernel: ClassVar[Callable[..., Any]] = staticmethod(_ratio)


def make_scenes(folder: Path) -> Path:
    """Write the scenes of all scenarios, no two of which look alike."""
    for number in range(TILES):
        moment = f"2023-06-{number + 1:02d}"
        write_scene({"shape": (16, 16), "bands": ("red", "nir"), "datetime": moment, "seed": number}, folder)
    return folder


def job(scenes: Path, out: Path, *, cog: bool = False, **options: Any) -> CatalogPipeline:
    """Return the job of all scenarios."""
    op = Doomed() if cog else Sequential([Doomed(), WriteNpy("{item_id}.npy")])
    told = {"progress": "none", "quicklook": False, "max_failures": "100%", "breaker": None, **options}
    return CatalogPipeline(sorted(scenes.iterdir()), op, out, **told)


def run_job(payload: dict[str, Any]) -> dict[str, int]:
    """Run the job in this process, which may be killed at any access to the output folder; as a task."""
    scenes, out, folder = (Path(payload[name]) for name in ("scenes", "out", "folder"))
    attempt = counted(folder / "attempts")
    with (folder / "attempts").open("ab") as file:
        file.write(b".")
    rng = random.Random(f"{payload['seed']}:{attempt}")
    POINT.arm(out, rng.randint(0, payload["accesses"]), lambda: die(folder / "kills"))
    try:
        return job(scenes, out).run().counts
    finally:
        POINT.disarm()


def run_beside(payload: dict[str, Any]) -> str:
    """Run the job while others may, trying again as long as another one has the lease; as a task."""
    refused = 0
    while True:
        try:
            report = job(Path(payload["scenes"]), Path(payload["out"]), **payload.get("options", {})).run()
        except BatchError as error:
            if "is working on" not in str(error):
                raise
            refused += 1
        else:
            return json.dumps({"refused": refused, **report.counts})


# ---- what has to hold


def result_of(out: Path) -> dict[str, Any]:
    """Return what a run left for others: pixels of every output, and every item."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = path.relative_to(out).as_posix()
        if name.startswith((".geotoolz/", "report.")) or name == "collection.json":
            continue
        if path.name.startswith("."):  # under construction, and nobody's output
            continue
        found[name] = json.loads(path.read_bytes()) if name.endswith(".json") else _pixels(path)
    return found


def _pixels(path: Path) -> str:
    if path.suffix == ".npy":
        return hashlib.sha256(np.load(path).tobytes()).hexdigest()
    if path.suffix != ".tif":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    import rasterio

    with rasterio.open(path) as raster:
        return hashlib.sha256(raster.read().tobytes()).hexdigest()


def check_visible(out: Path, expected: dict[str, Any]) -> None:
    """See that everything that stands in the output folder is whole, at any moment."""
    for name, content in result_of(out).items():
        assert content == expected[name], f"{name} is not what an undisturbed run writes"


def check_end(out: Path, expected: dict[str, Any], counts: dict[str, int] | None = None) -> None:
    """See that no tile is lost, none is there twice, nothing is left over."""
    assert result_of(out) == expected
    tiles = sum(name.startswith("items/") for name in expected)
    if counts is not None:
        assert sum(counts.values()) == tiles and set(counts) <= {"done", "fresh"}, counts
    layout = Layout(out)
    records = replay(layout.private)
    assert {record["ev"] for record in records.values()} <= {"done"}
    assert not list(layout.staging.iterdir()), "staging folders were left"
    for note in layout.commits.iterdir():  # of a death after the item, before the note was taken away
        assert f"items/{note.name}" in expected or note.name.startswith("."), note
    if counts and "done" in counts:  # a run that had work cleans up
        left = [path.name for path in out.rglob(".*") if path.is_file() and not path.name.startswith(_LATE)]
        assert not left, f"files under construction were left: {left}"


@contextmanager
def fate(**values: Any) -> Iterator[None]:
    """Tell workers that start now what will happen to them."""
    os.environ[ENV] = json.dumps(values, default=str)
    try:
        yield
    finally:
        del os.environ[ENV]
