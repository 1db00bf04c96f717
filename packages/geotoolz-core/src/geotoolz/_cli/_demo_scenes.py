"""The scenes of the demo: twelve of one place in two UTM zones, one broken on purpose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from geotoolz._cli._console import told

COUNT = 12
ZONES = ("EPSG:32632", "EPSG:32633")
#: which scene is broken, in which file, and how much of it is left
BROKEN, BROKEN_FILE, LEFT = 4, "B08.tif", 0.4
_FIRST, _STEP = date(2023, 3, 30), 15
#: from clear to nearly overcast, so that the pictures differ
_COVER = (0.05, 0.2, 0.0, 0.4, 0.1, 0.0, 0.3, 0.05, 0.6, 0.0, 0.15, 0.25)
_VERSION = 1


@dataclass(frozen=True)
class DemoFolder:
    """Where the demo keeps what.

    Parameters
    ----------
    root : Path
        The demo's folder.
    """

    root: Path

    @property
    def marker(self) -> Path:
        """The file that says the folder is the demo's own."""
        return self.root / "demo.json"

    @property
    def scenes(self) -> Path:
        """The scenes."""
        return self.root / "scenes"

    @property
    def intact(self) -> Path:
        """The broken file as it was before."""
        return self.root / "intact"

    @property
    def catalog(self) -> Path:
        """The catalog of the scenes."""
        return self.root / "scenes.parquet"

    @property
    def pipeline(self) -> Path:
        """The pipeline."""
        return self.root / "pipeline.yaml"

    @property
    def out(self) -> Path:
        """The outputs."""
        return self.root / "out"

    def known(self) -> dict[str, Any] | None:
        """Return what the marker says; None for a folder that is not there.

        Raises
        ------
        ConfigError
            If the folder is somebody else's.
        """
        from geotoolz.core._errors import ConfigError

        if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
            return None
        try:
            found = json.loads(self.marker.read_text("utf-8"))
            if isinstance(found, dict) and found.get("made_by") == "geotoolz demo":
                return found
        except (OSError, ValueError):
            pass
        raise ConfigError(
            f"{self.root} exists and was not made by the demo",
            expected="a name that is free",
            fix="move it away, or start the demo in another folder",
        )


@dataclass(frozen=True)
class Made:
    """The demo's scenes.

    Parameters
    ----------
    names : tuple of str
        Ids of the scenes.
    broken : str
        The id of the broken one.
    fresh : bool
        Whether they were made just now.
    """

    names: tuple[str, ...]
    broken: str
    fresh: bool


def make_scenes(folder: DemoFolder, size: int) -> Made:
    """Make the scenes, or take those of an earlier demo.

    Raises
    ------
    ConfigError
        If the folder is somebody else's, or its scenes have another size.
    """
    from geotoolz.core._errors import ConfigError

    known = folder.known()
    if known is not None and known.get("complete"):
        if known.get("size") != size or known.get("version") != _VERSION:
            raise ConfigError(
                f"{folder.root} holds a demo with scenes of {known.get('size')} pixels",
                expected=f"{size}",
                fix="--fresh deletes it and begins anew",
            )
        return Made(tuple(known["scenes"]), known["broken"], False)
    if known is not None:  # cut off in the middle: what is there may be half a scene
        shutil.rmtree(folder.scenes, ignore_errors=True)
    folder.root.mkdir(exist_ok=True)
    _mark(folder, size, (), "", complete=False)
    with _bar() as advance:
        names = []
        for number in range(COUNT):
            names.append(_write(folder, number, size))
            advance()
    _break(folder, names[BROKEN])
    _mark(folder, size, tuple(names), names[BROKEN], complete=True)
    return Made(tuple(names), names[BROKEN], True)


def _mark(folder: DemoFolder, size: int, names: tuple[str, ...], broken: str, *, complete: bool) -> None:
    text = json.dumps(
        {
            "made_by": "geotoolz demo",
            "version": _VERSION,
            "size": size,
            "complete": complete,
            "scenes": names,
            "broken": broken,
        },
        indent=1,
    )
    part = folder.marker.with_suffix(".part")
    part.write_text(text + "\n", "utf-8")
    part.replace(folder.marker)


def _write(folder: DemoFolder, number: int, size: int) -> str:
    from geotoolz.core.testing import simulate_series, write_scene

    moment = f"{_FIRST + timedelta(days=_STEP * number)}T10:00:31Z"
    (scene,) = simulate_series(
        dates=[moment],
        zones=(ZONES[number % len(ZONES)],),
        world=ZONES[0],
        cloud_cover=_COVER[number],
        platform=("sentinel-2a", "sentinel-2b")[number % 2],
        shape=(size, size),
        bands=("green", "red", "nir", "scl"),
        seed=7,
    )
    return write_scene(scene, folder.scenes).name


def _break(folder: DemoFolder, name: str) -> None:
    """Cut a file off, as a broken download would be, and keep the whole one."""
    path = folder.scenes / name / BROKEN_FILE
    folder.intact.mkdir(exist_ok=True)
    shutil.copy2(path, folder.intact / BROKEN_FILE)
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * LEFT))


@contextmanager
def _bar() -> Iterator[Any]:
    """Show how far the simulation is, on a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating scenes", total=COUNT)
        yield lambda: bar.advance(task)


def delete(folder: DemoFolder) -> None:
    """Delete an earlier demo; never anything else."""
    if folder.known() is not None:
        shutil.rmtree(folder.root)
        told(f"deleted {folder.root}")
