"""GDAL's block cache belongs to the process: it is bounded while we read, and then as it was."""

from __future__ import annotations

import itertools
import threading

import pytest
from rasterio.env import Env, get_gdal_config

from geotoolz.io._block_cache import block_cache

MB = 2**20


def cache() -> int:
    return int(get_gdal_config("GDAL_CACHEMAX"))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_whoever_leaves_last_restores_it(order: tuple[int, ...]) -> None:
    before = cache()
    held = [block_cache(size * MB, firm=False) for size in (16, 64, 32)]
    for one in held:
        one.__enter__()
    assert cache() == 64 * MB
    for number in order:
        held[number].__exit__(None, None, None)
    assert cache() == before


def test_a_promise_counts_before_wishes() -> None:
    before = cache()
    with block_cache(64 * MB, firm=False), block_cache(8 * MB):
        assert cache() == 8 * MB
        with block_cache(16 * MB, firm=False):
            assert cache() == 8 * MB
    assert cache() == before


def test_threads_leave_it_as_it_was() -> None:
    before = cache()
    together = threading.Barrier(8)

    def work(number: int) -> None:
        together.wait()
        for turn in range(200):
            with Env(GDAL_NUM_THREADS="1"), block_cache((number + turn % 3 + 1) * MB, firm=number == 0):
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache() == before


def test_what_the_user_set_in_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDAL_CACHEMAX", "128")
    before = cache()
    with block_cache(16 * MB, firm=False):
        assert cache() == before
