"""Operators for the batch tests: small, importable in workers, without the sibling packages."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from geotoolz.core import Map, Plan, Sink, TileSpec, VarSpec


def _ratio(red: np.ndarray[Any, Any], nir: np.ndarray[Any, Any], what: str) -> np.ndarray[Any, Any]:
    _act(what)
    red, nir = red.astype(np.float32), nir.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (nir - red) / (nir + red)


class Ratio(Map):
    """A little NDVI that can be told to sleep, or to die once (`what`), to test the engines."""

    what: str = ""
    gain: float = 1.0

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(
            (tile.find("red"), tile.find("nir")),
            {"ratio": VarSpec(attrs={"quantity": "index", "units": "1"})},
            args=(self.what,),
        )

    kernel: ClassVar[Callable[..., Any]] = staticmethod(_ratio)


def _act(what: str) -> None:
    if what.startswith("sleep "):
        time.sleep(float(what.split()[1]))
    if what.startswith("until "):
        mark = Path(what.split(" ", 1)[1])
        mark.with_suffix(".begun").touch()
        limit = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < limit:
            time.sleep(0.01)
    if what.startswith("kill-once "):
        try:
            Path(what.split(" ", 1)[1]).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


class WriteNpy(Sink):
    """Writes one .npy per variable: a sink without GDAL."""

    path: str
    bands: tuple[str, ...] | None = None

    def write(self, tile: xr.Dataset, *, created: tuple[str, ...]) -> tuple[str, ...]:
        paths = []
        for name in self.bands or created:
            path = self.path.format(
                item_id=tile.attrs["tile_id"], band=name, platform=tile.attrs.get("platform")
            )
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            np.save(path, tile[name].values)
            paths.append(path)
        return tuple(paths)
