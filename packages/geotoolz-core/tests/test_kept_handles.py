"""How many rasters a thread keeps open: few, and not more than fit the memory that they may take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geotoolz.core.testing import simulate_scene
from geotoolz.io import _gdal, close_handles, open_tile, write_tile


@pytest.fixture(autouse=True)
def _none_open():
    close_handles()
    yield
    close_handles()


def _files(folder: Path, count: int) -> list[str]:
    scene = simulate_scene((64, 64), bands=("red", "nir"))
    paths = [str(folder / f"s{n}.tif") for n in range(count)]
    for path in paths:
        write_tile(scene, path)
    return paths


def test_many_small_files_stay_open_up_to_a_number(tmp_path):
    paths = _files(tmp_path, 30)
    close_handles()
    for path in paths:
        open_tile(path)
    assert list(_gdal._handles()) == paths[-_gdal._KEPT :]


def test_files_with_large_blocks_are_closed_sooner(tmp_path, monkeypatch):
    paths = _files(tmp_path, 6)
    close_handles()
    open_tile(paths[0])
    ((_, raster, held),) = _gdal._handles().values()
    rows, cols = raster.block_shapes[0]
    bands = 2 if raster.tags(ns="IMAGE_STRUCTURE")["INTERLEAVE"] == "PIXEL" else 1
    assert held == 2 * rows * cols * np.dtype(raster.dtypes[0]).itemsize * bands
    monkeypatch.setattr(_gdal, "_HELD", 3 * held)
    for path in paths[1:]:
        open_tile(path)
    assert list(_gdal._handles()) == paths[-3:]
    monkeypatch.setattr(_gdal, "_HELD", 1)
    open_tile(paths[0])
    assert list(_gdal._handles()) == [paths[-1], paths[0]]  # two stay whatever they hold
