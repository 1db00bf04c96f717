"""The control lattice: its error bound, and that a window has the positions of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import Extent
from geotoolz.grid._positions import TOLERANCE, Positions

UTM = GeoBox((1098, 1098), Affine(100, 0, 300000, 0, -100, 5200020), "EPSG:32633")


def box(epsg: int, resolution: float, like: GeoBox = UTM) -> GeoBox:
    return like.to_crs(f"EPSG:{epsg}", resolution=resolution)  # type: ignore[arg-type]


PAIRS = {
    "UTM to web mercator": (UTM, box(3857, 100)),
    "UTM to degrees": (UTM, box(4326, 0.001)),
    "neighbouring UTM zone": (UTM, box(32634, 100)),
    "polar": (GeoBox((400, 400), Affine(1000, 0, -200000, 0, -1000, 200000), "EPSG:3413"),
              GeoBox((300, 900), Affine(0.4, 0, -180, 0, -0.03, 89.5), "EPSG:4326")),
    "half the world": (GeoBox((1800, 3600), Affine(0.1, 0, -180, 0, -0.1, 90), "EPSG:4326"),
                       GeoBox((900, 900), Affine(20000, 0, -9e6, 0, -20000, 9e6), "EPSG:6933")),
}  # fmt: skip


def exact(pair: tuple[GeoBox, GeoBox], corners: bool) -> np.ndarray:
    height, width = pair[1].shape
    more, shift = (1, 0.0) if corners else (0, 0.5)
    v, u = np.arange(height + more) + shift, np.arange(width + more) + shift
    return np.stack(Positions(*pair).exact(v, u))


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_positions_keep_the_stated_bound(name: str, corners: bool) -> None:
    pair = PAIRS[name]
    whole = Extent(0, int(pair[1].shape[0]), 0, int(pair[1].shape[1]))
    found = np.stack(Positions(*pair).at(whole, corners))
    wanted = exact(pair, corners)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(wanted))
    assert np.nanmax(np.abs(found - wanted)) <= TOLERANCE


def test_ordinary_scenes_need_few_nodes() -> None:
    scene = GeoBox((10980, 10980), Affine(10, 0, 300000, 0, -10, 5200020), "EPSG:32633")
    assert Positions(scene, scene.to_crs("EPSG:3857")).step == 64


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(PAIRS)), st.data())
def test_a_window_has_the_positions_of_the_whole(name: str, data: st.DataObject) -> None:
    pair = PAIRS[name]
    height, width = map(int, pair[1].shape)
    y0 = data.draw(st.integers(0, height - 1))
    x0 = data.draw(st.integers(0, width - 1))
    part = Extent(y0, data.draw(st.integers(y0 + 1, min(height, y0 + 90))), x0,
                  data.draw(st.integers(x0 + 1, min(width, x0 + 90))))  # fmt: skip
    kept = Positions(*pair, within=Extent(0, height, 0, width))
    whole = _whole(name)
    for positions in (kept, Positions(*pair)):
        for found, all_of_it in zip(positions.at(part, False), whole, strict=True):
            assert found.tobytes() == part_of(all_of_it, part).tobytes()
        hull = positions.hull(part)
        rows, cols = (part_of(plane, part) for plane in whole)
        if np.isfinite(rows).any():
            assert hull is not None
            assert hull[0] <= np.nanmin(rows) and np.nanmax(rows) <= hull[1]
            assert hull[2] <= np.nanmin(cols) and np.nanmax(cols) <= hull[3]


_made: dict[str, tuple[np.ndarray, np.ndarray]] = {}


def _whole(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name not in _made:
        pair = PAIRS[name]
        _made[name] = Positions(*pair).at(Extent(0, int(pair[1].shape[0]), 0, int(pair[1].shape[1])), False)
    return _made[name]


def part_of(plane: np.ndarray, part: Extent) -> np.ndarray:
    return np.ascontiguousarray(plane[part.y0 : part.y1, part.x0 : part.x1])


def test_one_reference_system_gives_exact_halves_and_wholes() -> None:
    coarse = GeoBox((549, 549), Affine(200, 0, 300000, 0, -200, 5200020), UTM.crs)
    rows, cols = Positions(UTM, coarse).at(Extent(3, 5, 7, 8), corners=True)
    assert rows[:, 0].tolist() == [6.0, 8.0, 10.0]
    assert cols[0].tolist() == [14.0, 16.0]
