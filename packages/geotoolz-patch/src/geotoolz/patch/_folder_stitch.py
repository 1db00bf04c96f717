"""Chips in a folder are put together again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    GridMismatchError,
    ParameterError,
    ReadError,
    TileError,
    TileSpec,
    from_config,
    geobox_of,
)
from geotoolz.patch._chip import chip_spec
from geotoolz.patch._drive import ChipRun, stitch
from geotoolz.patch._folder import INDEX, SCENES
from geotoolz.patch._line import Line, profile
from geotoolz.patch._loop import Loop
from geotoolz.patch._merge import Layers
from geotoolz.patch._regular import GridSampler
from geotoolz.patch._sampler import chip_at
from geotoolz.patch._source import Array
from geotoolz.patch._stitcher import Stitcher
from geotoolz.patch._work import Place, Results, Work

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox


def stitch_chips(
    folder: str | os.PathLike[str], sink: Any = None, stitcher: Stitcher | None = None, *, workers: int = 1
) -> ChipRun:
    """Stitch a folder of chips that `write_chips` wrote, or that a program made of them under the same names.

    Parameters
    ----------
    folder : path
        With ``chips.json`` beside the chips.
    sink : path, WriteCOG or WriteZarr, optional
        Where to write; by default the tile is returned.
    stitcher : Stitcher, optional
        Window and aggregation.
    workers : int
        Threads that read.

    Returns
    -------
    ChipRun

    Raises
    ------
    ReadError
        If index or chips are missing.
    ParameterError
        If the chips do not lie on a regular grid.
    GridMismatchError
        If a chip does not lie where the index says.
    """
    how = stitcher or Stitcher()
    work = FolderWork(Path(folder), how)
    loop = Loop(work, 1, ("raise", 0), None)
    with ThreadPoolExecutor(workers) as pool:
        return stitch(work, how, loop, None, sink, pool, workers + 2)


class FolderWork(Work):
    """Chips that lie in files."""

    def __init__(self, folder: Path, stitcher: Stitcher) -> None:
        self._folder = folder
        index = _index(folder)
        self._files = [str(chip["file"]) for chip in index["chips"]]
        sampler = from_config(index["sampler"])
        if not isinstance(sampler, GridSampler):
            raise ParameterError(
                f"{folder} holds chips of a {type(sampler).__name__}",
                expected="a GridSampler: only a regular grid covers a scene",
            )
        sampler.require_cover(1)
        self._box = _box(index)
        height, width = (int(n) for n in index["shape"])
        self._lines: tuple[Line, Line] = sampler.lines((height, width))
        weights, halo = stitcher.window.weights, stitcher.halo or 0
        self.rows, self.cols = (profile(line, weights, halo) for line in self._lines)
        if len(self._files) != len(self.places()):
            raise ReadError(f"{folder} lists {len(self._files)} chips", expected=f"{len(self.places())}")
        first = TileSpec.of(self._read((0, 0)))
        leads = {n: tuple(first.sizes[d] for d in v.dims[:-2]) for n, v in first.variables.items()}
        self.layers = Layers(dict(first.variables), leads)
        sizes = {**first.sizes, "y": height, "x": width}
        specs = stitcher.outputs(first.variables, self.rows.overlap * self.cols.overlap)
        self.out = TileSpec(specs, sizes, self._box, (0, 0), dict(first.attrs), dict(first.coords))

    def run(self, places: Sequence[Place]) -> Results:
        """Read some chips."""
        found: list[dict[str, Array]] = []
        for place in places:
            tile = self._read(place)
            found.append({str(n): np.asarray(v.values) for n, v in tile.data_vars.items()})
        return found

    def chip_bytes(self) -> int:
        """Return the bytes of one chip."""
        pixels = self._lines[0].size * self._lines[1].size
        return sum(pixels * v.dtype.itemsize for v in self.layers.specs.values())

    def _read(self, place: Place) -> xr.Dataset:
        from geotoolz.io import open_tile

        number = place[0] * len(self.cols.shares) + place[1]
        path = self._folder / self._files[number]
        if not path.exists():
            raise ReadError(f"{path} is missing", expected="one file for every chip")
        tile = open_tile(path, raw=True)
        chip = chip_at(self._lines[0].starts[place[0]], self._lines[1].starts[place[1]],
                       (self._lines[0].size, self._lines[1].size))  # fmt: skip
        scene = TileSpec({}, {"y": self.rows.length, "x": self.cols.length}, self._box)
        wanted = chip_spec(scene, chip).window_geobox
        if geobox_of(tile) != wanted:
            raise GridMismatchError(f"{path} does not lie where the index says", expected=f"{wanted!r}")
        return tile


def _index(folder: Path) -> Mapping[str, Any]:
    path = folder / INDEX
    try:
        found = json.loads(path.read_text("utf-8"))
        for name in ("shape", "transform", "crs", "sampler", "chips"):
            found[name]
    except FileNotFoundError:
        if (folder / SCENES).exists():
            raise ReadError(
                f"{folder} holds the chips of several scenes",
                expected="the folder of one scene",
                fix=f"stitch them one by one: {folder / '00000'}, …",
            ) from None
        raise ReadError(f"{path} is missing", expected="a folder that `geotoolz patch split` wrote") from None
    except (ValueError, KeyError, TypeError) as error:
        raise TileError(f"{path} is no index of chips: {error}", fix="split the scene again") from error
    held: Mapping[str, Any] = found
    return held


def _box(index: Mapping[str, Any]) -> GeoBox:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    height, width = index["shape"]
    return GeoBox((height, width), Affine(*index["transform"]), index["crs"])
