"""The end of a stream: a Zarr folder, region by region."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import TileSpec, spatial_coords
from geotoolz.core._errors import TileError
from geotoolz.core._execute import Array
from geotoolz.core._extent import Extent
from geotoolz.core._lazy import xr
from geotoolz.core._run import marked
from geotoolz.io._write import require_crs
from geotoolz.io._write_zarr import WriteZarr
from geotoolz.io._zarr import PendingStore, save_store, tell_provenance


class ZarrStream:
    """Takes windows and writes them into a store that `WriteZarr` would have made.

    Parameters
    ----------
    sink : WriteZarr
        Path and chunks.
    tile : TileSpec
        The finished tile.
    created : tuple of str
        Variables that the pipeline created.
    slots : mapping of str to int
        Variable → slot.
    """

    def __init__(
        self, sink: WriteZarr, tile: TileSpec, created: tuple[str, ...], slots: Mapping[str, int]
    ) -> None:
        self._path, self.names = sink.chosen(tile, created)
        for name in self.names:
            if tile.variables[name].dims != ("y", "x"):
                raise TileError(
                    f"variable {name!r} has dims {tile.variables[name].dims}",
                    expected="(y, x): a stream writes one date",
                    fix="run on the stack in memory and write it with write_zarr",
                )
        self._tile, self._slots, self._chunks = tile, slots, sink.chunks
        self._geobox = require_crs(tile.window_geobox)
        self.block = (sink.chunks, sink.chunks)
        self.cache, self.raw = 0, 0  # nothing is encoded at the end
        self._pending = PendingStore(self._path)
        self._arrays: dict[int, list[Any]] = {}

    def __enter__(self) -> ZarrStream:
        self._pending.__enter__()
        try:
            with self._pending.writing() as temporary:
                self._make(temporary)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self, folder: Path) -> None:
        """Write everything but the pixels: what xarray writes for a tile of one pixel, with our shape."""
        import zarr

        coords = spatial_coords(self._geobox)
        save_store(xr.Dataset(coords=coords), folder)
        small = folder.with_name(folder.name + ".small")
        try:
            variables = {}
            for name in self.names:
                spec = self._tile.variables[name]
                variables[name] = xr.Variable(("y", "x"), np.zeros((1, 1), spec.dtype), spec.dataset_attrs())
            one = {"spatial_ref": coords["spatial_ref"]} if "spatial_ref" in coords else {}
            save_store(xr.Dataset(variables, coords=one, attrs=dict(self._tile.attrs)), small, self._chunks)
            shutil.copyfile(small / "zarr.json", folder / "zarr.json")
            for name in self.names:
                described = json.loads((small / name / "zarr.json").read_text("utf-8"))
                described["shape"] = list(self._tile.shape)
                (folder / name).mkdir()
                (folder / name / "zarr.json").write_text(json.dumps(described, indent=2), "utf-8")
        finally:
            shutil.rmtree(small, ignore_errors=True)
        group = zarr.open_group(folder, mode="r+")
        for name in self.names:
            self._arrays.setdefault(self._slots[name], []).append(group[name])

    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Write a window."""
        with self._pending.writing():
            for array in self._arrays[slot]:
                array[extent.y0 : extent.y1, extent.x0 : extent.x1] = pixels

    def mark(self, marks: Mapping[str, Any]) -> None:
        """Add what assertions say to the tile's attributes."""
        with self._pending.writing() as folder:
            path = folder / "zarr.json"
            described = json.loads(path.read_text("utf-8"))
            described["attributes"] = marked(described.get("attributes", {}), marks)
            path.write_text(json.dumps(described, indent=2), "utf-8")

    def finish(self, threads: int) -> None:
        """Keep how the tile came to be; regions have been written as they came."""
        with self._pending.writing() as folder:
            tell_provenance(folder)

    def publish(self) -> tuple[str, ...]:
        """Move the folder into place."""
        self._pending.publish()
        return (self._pending.address,)

    def __exit__(self, *error: Any) -> None:
        self._pending.__exit__(*error)
