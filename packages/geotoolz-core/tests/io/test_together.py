"""Bands of one file are read together, and their values are those of bands read one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geotoolz.core.testing import simulate_scene
from geotoolz.io import WriteCOG, _together, open_scene, open_tile

BANDS = ("blue", "green", "red", "nir")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tile = simulate_scene((700, 330), bands=BANDS)
    folder = tmp_path_factory.mktemp("together")
    (written,) = WriteCOG(str(folder / "scene.tif"), bands=BANDS, blocksize=128).write(tile, created=BANDS)
    return Path(written)


@pytest.mark.parametrize("rows", [slice(None), slice(3, 650), slice(511, 513), slice(20, 20)])
@pytest.mark.parametrize("raw", [False, True])
def test_together_is_one_by_one(path: Path, rows: slice, raw: bool) -> None:
    scene = open_scene(path, raw=raw)
    cols = slice(5, 301)
    together = scene.arrays(BANDS, rows, cols)
    assert list(together) == list(BANDS)
    for name, values in together.items():
        alone = scene.arrays([name], rows, cols)[name]
        assert values.dtype == alone.dtype
        np.testing.assert_array_equal(values, alone)


def test_each_row_of_blocks_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, int]] = []
    real = _together.read_together

    def counted(file: str, indexes: list[int], place: tuple[int, int, int, int], *rest: object) -> None:
        assert indexes == [1, 2, 3, 4]
        read.append((place[0], place[0] + place[2]))
        real(file, indexes, place, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(_together, "read_together", counted)
    open_scene(path).arrays(BANDS, slice(100, 700))
    assert read == [(100, 512), (512, 700)]


def test_another_grid_is_read_band_by_band(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_together, "read_together", None)
    assert open_tile(path, resolution=20.0).red.shape == (350, 165)
