"""How many threads a tile in memory gets when nobody says."""

from __future__ import annotations

import multiprocessing
import threading
import time
from typing import Any

import numpy as np
import pytest
import xarray as xr
from odc.geo.geobox import GeoBox

from geotoolz.core import Map, ParameterError, Plan, TileSpec, VarSpec, run, tile_from_arrays
from geotoolz.core import _threads as threads
from geotoolz.core._threads import THREADS_ENV, cpus, thread_count

seen: set[int] = set()


def _noted(values: Any) -> Any:
    seen.add(threading.get_ident())
    time.sleep(0.005)  # else one thread may be done with all before the next begins
    return values.astype("f4")


class Noted(Map):
    """Note the thread that it runs in."""

    kernel = staticmethod(_noted)

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(("red",), {"out": VarSpec()})


def _tile(side: int) -> xr.Dataset:
    box = GeoBox.from_bbox((0, 0, side, side), "EPSG:32633", shape=(side, side))
    return tile_from_arrays({"red": np.zeros((side, side), "u1")}, box)


@pytest.mark.parametrize(("pixels", "expected"), [(0, 1), (1 << 20, 1), (1 << 21, 2), (1 << 30, 8)])
def test_by_default_as_many_as_are_worth_it(monkeypatch: Any, pixels: int, expected: int) -> None:
    monkeypatch.delenv(THREADS_ENV, raising=False)
    monkeypatch.setattr(threads, "cpus", lambda: 8)
    assert thread_count(None, pixels) == expected
    assert thread_count(3, pixels) == 3


def test_the_environment_decides(monkeypatch: Any) -> None:
    monkeypatch.setattr(threads, "cpus", lambda: 8)
    monkeypatch.setenv(THREADS_ENV, "1")
    assert thread_count(None, 1 << 30) == 1
    monkeypatch.setenv(THREADS_ENV, "many")
    with pytest.raises(ParameterError, match="GEOTOOLZ_THREADS='many'"):
        thread_count(None, 1 << 30)


def test_workers_of_a_pool_use_one(monkeypatch: Any) -> None:
    monkeypatch.delenv(THREADS_ENV, raising=False)
    # a function of the package, not of this file: what a pool's worker cannot import makes it wait for ever
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.starmap_async(thread_count, [(None, 1 << 30), (4, 1 << 30)])
        assert found.get(timeout=120) == [1, 4]


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ParameterError, match="threads=0"):
        run(Noted(), _tile(8), threads=0)


def test_a_large_tile_uses_the_processors(monkeypatch: Any) -> None:
    monkeypatch.delenv(THREADS_ENV, raising=False)
    for side, most in ((64, 1), (2000, cpus())):
        seen.clear()
        Noted()(_tile(side))
        assert len(seen) == min(most, 3)
