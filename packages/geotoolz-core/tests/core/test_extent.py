"""Windows against sets of pixels; and executors where steps read the same pixels from different distances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy.ndimage import maximum_filter

from geotoolz.core import (
    ALL,
    POINT,
    WHOLE,
    Call,
    ExecutorError,
    Footprint,
    Map,
    Plan,
    Sequential,
    TileError,
    TileSpec,
    VarSpec,
    pixelwise,
    run,
    run_detailed,
    tile_from_arrays,
)
from geotoolz.core._extent import Extent, check_cover, column_blocks, row_blocks, windows
from geotoolz.grid import Crop
from geotoolz.radiometry import Extremes, Moments

SIDES = st.tuples(st.integers(-6, 12), st.integers(-6, 12))
EXTENTS = st.tuples(SIDES, SIDES).map(lambda t: Extent(t[0][0], t[0][1], t[1][0], t[1][1]))
FULL = st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 6), st.integers(0, 5)).map(
    lambda t: Extent(t[0], t[0] + t[1], t[2], t[2] + t[3])
)


def pixels(extent: Extent) -> set[tuple[int, int]]:
    return {(y, x) for y in range(extent.y0, extent.y1) for x in range(extent.x0, extent.x1)}


@given(EXTENTS, st.tuples(st.integers(0, 7), st.integers(0, 7)))
def test_clipped(extent: Extent, shape: tuple[int, int]) -> None:
    found = extent.clipped(shape)
    assert pixels(found) == pixels(extent) & pixels(Extent(0, shape[0], 0, shape[1]))
    assert min(found.shape) >= 0 and found.y0 >= 0 and found.x0 >= 0
    assert found.y0 <= shape[0] and found.x0 <= shape[1]
    if 0 in found.shape:
        assert found.shape == (0, 0)


@given(FULL, FULL)
def test_union(one: Extent, other: Extent) -> None:
    both = one.union(other)
    covered = pixels(one) | pixels(other)
    assert covered <= pixels(both)
    if covered:  # and no smaller rectangle does
        ys, xs = zip(*covered, strict=True)
        assert both == Extent(min(ys), max(ys) + 1, min(xs), max(xs) + 1)


@given(FULL, st.data())
def test_cut(outer: Extent, data: st.DataObject) -> None:
    y0, x0 = data.draw(st.integers(outer.y0, outer.y1)), data.draw(st.integers(outer.x0, outer.x1))
    inner = Extent(y0, data.draw(st.integers(y0, outer.y1)), x0, data.draw(st.integers(x0, outer.x1)))
    whole = np.arange(2 * 20 * 20).reshape(2, 20, 20)
    np.testing.assert_array_equal(outer.cut(outer.of(whole), inner), inner.of(whole))
    assert outer.cut(whole, outer) is whole


def test_an_empty_part_may_lie_anywhere() -> None:
    array = np.zeros((3, 4, 5))
    assert Extent(2, 6, 3, 8).cut(array, Extent(9, 9, 9, 12)).shape == (3, 0, 3)
    assert Extent(2, 6, 3, 8).cut(array, Extent(9, 12, 9, 9)).shape == (3, 3, 0)


@given(
    FULL,
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(1, 4),
    st.tuples(st.integers(0, 8), st.integers(0, 9)),
)
def test_grow(extent: Extent, y: int, x: int, align: int, offset: tuple[int, int]) -> None:
    shape = (12, 13)
    found = extent.grow(Footprint(y=y, x=x, align=align), shape, offset)
    wanted = Extent(extent.y0 - y, extent.y1 + y, extent.x0 - x, extent.x1 + x)
    inside = pixels(Extent(0, *shape[:1], 0, shape[1]))
    if pixels(extent):  # every block of the lattice that the window touches, as far as the tile goes
        blocks = {((r + offset[0]) // align, (c + offset[1]) // align) for r, c in pixels(wanted)}
        touched = {p for p in inside if ((p[0] + offset[0]) // align, (p[1] + offset[1]) // align) in blocks}
        assert pixels(found) == touched
    everything = extent.grow(Footprint(y=ALL, x=x), shape, offset)
    assert everything[:2] == (0, 12) and everything[2:] == (max(wanted.x0, 0), min(wanted.x1, 13))


@given(st.integers(0, 9), st.integers(0, 200), st.integers(0, 400))
def test_blocks_cover_every_pixel_once(height: int, width: int, amount: int) -> None:
    shape = (height, width)
    for blocks in (row_blocks(shape, amount), column_blocks(shape, amount)):
        assert sum(e.shape[0] * e.shape[1] for e in blocks) == height * width
        assert set().union(*map(pixels, blocks)) == pixels(Extent(0, height, 0, width))
        assert blocks  # an empty tile has one, empty
    rows = max(amount // max(width, 1), 1)
    assert all(e.shape == (rows, width) for e in row_blocks(shape, amount)[:-1])
    cols = max(amount // max(height, 1), 64)
    assert all(e.shape == (height, cols) for e in column_blocks(shape, amount)[:-1])


@given(st.tuples(st.integers(0, 7), st.integers(0, 7)), st.tuples(st.integers(1, 8), st.integers(1, 8)))
def test_windows(shape: tuple[int, int], size: tuple[int, int]) -> None:
    found = list(windows(shape, size))
    assert sorted(p for e in found for p in pixels(e)) == sorted(pixels(Extent(0, shape[0], 0, shape[1])))
    assert found == sorted(found)
    assert all(e.y0 % size[0] == e.x0 % size[1] == 0 and e.shape <= size for e in found)
    check_cover(found, shape)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 1)])
def test_windows_have_pixels(size: tuple[int, int]) -> None:
    with pytest.raises(ExecutorError, match=r"is smaller than one pixel; expected at least \(1, 1\)"):
        list(windows((4, 4), size))


def test_windows_lie_inside() -> None:
    check_cover([Extent(0, 4, 0, 5), Extent(2, 2, 5, 5)], (4, 5))
    for bad in ((-1, 2, 0, 5), (0, 5, 0, 5), (0, 4, -1, 5), (0, 4, 0, 6), (3, 2, 0, 5), (0, 4, 3, 2)):
        with pytest.raises(ExecutorError, match=r"lies outside the tile of 4 × 5 pixels"):
            check_cover([Extent(*bad)], (4, 5))


# ---- steps that look at the same variable from different distances ---------------------------------------


class _Around(Map):
    """The largest value within a radius of one variable, under other names: once, and its negative."""

    radius: int
    source: str
    names: tuple[str, ...]

    tags: ClassVar[frozenset[str]] = frozenset()

    def plan(self, tile: TileSpec) -> Plan:
        spec = tile.variables[self.source]
        made = {name: VarSpec(spec.dims, spec.dtype) for name in self.names}
        return Plan((self.source,), made, (self.radius,), footprint=Footprint(y=self.radius, x=self.radius))

    @staticmethod
    def kernel(values: Any, radius: int) -> Any:
        most = maximum_filter(values, 2 * radius + 1, mode="constant", cval=-np.inf)
        return most, -most


def around(radius: int, source: str, name: str) -> _Around:
    return _Around(radius, source, (name, f"{name}_less"))


STEPS = [
    [around(3, "red", "far"), around(1, "red", "near")],
    [around(1, "red", "near"), around(3, "red", "far")],
    [around(1, "red", "a"), around(3, "a", "b"), around(1, "a_less", "c")],
    [around(1, "red", "a"), around(1, "a", "b"), around(3, "a_less", "c"), around(2, "b", "d")],
    [around(1, "red", "a"), around(1, "a", "b"), around(3, "a_less", "c")],
    [
        around(2, "red", "a"),
        around(2, "nir", "b"),
        around(1, "a", "c"),
        around(1, "b", "d"),
        around(0, "red", "e"),
    ],
]


@pytest.mark.parametrize("steps", STEPS, ids=range(len(STEPS)))
@pytest.mark.parametrize("window", [(5, 7), (1, 30), (24, 1), (24, 30)])
def test_every_step_gets_the_pixels_that_it_needs(
    make: Any, steps: list[Map], window: tuple[int, int]
) -> None:
    tile = make(shape=(24, 30))
    names = [name for step in steps for name in step.names]  # type: ignore[attr-defined]
    expected = {name: tile[name].values for name in ("red", "nir")}
    for step in steps:
        made = step.kernel(expected[step.source], step.radius)  # type: ignore[attr-defined]
        expected.update(zip(step.names, made, strict=True))  # type: ignore[attr-defined]
    for threads in (1, 2):
        found = run(Sequential(steps), tile, window=window, threads=threads)
        assert isinstance(found, type(tile))
        for name in names:
            np.testing.assert_array_equal(found[name].values, expected[name], err_msg=name)
    for name in names:  # alone: what does not lead to it is not computed
        one = run(Sequential(steps), tile, window=window, outputs=(name,))
        np.testing.assert_array_equal(one[name].values, expected[name], err_msg=name)  # type: ignore[call-overload]


@pytest.mark.parametrize("window", [(5, 7), (1, 30), (24, 30)])
def test_statistics_count_the_pixels_of_their_window_only(make: Any, window: tuple[int, int]) -> None:
    tile = make(shape=(24, 30))
    steps = [around(1, "red", "a"), Extremes(("a", "red")), Moments(("a", "red")), around(3, "a", "b")]
    whole = run_detailed(Sequential(steps), tile, threads=1)
    cut = run_detailed(Sequential(steps), tile, window=window, threads=1)
    assert whole.statistics.keys() == cut.statistics.keys() and len(cut.statistics) == 2
    assert repr(whole.statistics["operators[1]"]) == repr(cut.statistics["operators[1]"])
    counted = [stats.statistics["operators[2]"] for stats in (whole, cut)]
    assert [moments.n for moments in counted] == [720, 720]
    np.testing.assert_array_equal(counted[0].mean, counted[1].mean)
    np.testing.assert_array_equal(counted[0].covariance, counted[1].covariance)


@pixelwise(np.float32, arrays=2)
def _times(out: Any, a: Any, b: Any) -> None:
    for i in range(out.size):
        out[i] = a[i] * b[i]


class _Weighted(Map):
    """Every date of a stack times one plane: arrays of two shapes, which no loop takes as they are."""

    def plan(self, tile: TileSpec) -> Plan:
        spec = tile.variables["ndvi"]
        return Plan(("ndvi", "weight"), {"weighted": VarSpec(spec.dims, np.dtype("f4"))})

    kernel = staticmethod(_times)


@pytest.mark.parametrize("window", [None, (5, 7), (8, 30)])
def test_a_loop_over_arrays_of_two_shapes(window: Any) -> None:
    rng = np.random.default_rng(0)
    stack, plane = rng.random((3, 24, 30), np.float32), rng.random((24, 30), np.float32)
    box = GeoBox((24, 30), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    times = np.array(["2024-01-01", "2024-02-01", "2024-03-01"], "M8[ns]")
    tile = tile_from_arrays({"weight": plane}, box)
    tile = tile.assign(ndvi=(("time", "y", "x"), stack)).assign_coords(time=times)
    found = run(_Weighted(), tile, window=window)
    np.testing.assert_array_equal(found["weighted"].values, stack * plane)  # type: ignore[call-overload]


class _Cropped(Map):
    """A part of the tile beside a plane that is made of nothing but its place."""

    def plan(self, tile: TileSpec) -> Plan:
        crop = Crop((500_050.0, 4_999_880.0, 500_200.0, 4_999_970.0), "EPSG:32633").plan(tile)
        calls = (*crop.calls, Call((), ("row",), _rows_of))
        return replace(crop, writes={**crop.writes, "row": VarSpec(("y", "x"), np.dtype("i4"))}, calls=calls)


def _rows_of(*, extent: Extent, source: Extent) -> Any:
    assert source.shape == extent.shape  # a crop reads what it writes
    return np.broadcast_to(np.arange(extent.y0, extent.y1, dtype="i4")[:, None], extent.shape)


@pytest.mark.parametrize("window", [None, (5, 7), (1, 15)])
def test_a_call_on_another_grid_that_reads_nothing(window: Any) -> None:
    box = GeoBox((24, 30), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    red = np.arange(720, dtype="f4").reshape(24, 30)
    found = run(_Cropped(), tile_from_arrays({"red": red}, box), window=window)
    np.testing.assert_array_equal(found["red"].values, red[3:12, 5:20])  # type: ignore[call-overload]
    first = found["row"].values[0, 0]  # type: ignore[call-overload]
    np.testing.assert_array_equal(
        found["row"].values - first,  # type: ignore[call-overload]
        np.tile(np.arange(9)[:, None], 15),
    )


def test_footprints() -> None:
    one, other = Footprint(y=2, x=3, time=1, align=4), Footprint(y=1, x=ALL, align=6)
    assert one.then(other) == Footprint(y=3, x=ALL, time=1, align=12)
    assert one.union(other) == Footprint(y=2, x=ALL, time=1, align=12)
    assert one.scaled(1.0, 1.0) is one
    assert one.scaled(2.0, 1.0) == Footprint(y=4, x=3, time=1)
    assert one.scaled(1.0, 2.0) == Footprint(y=2, x=6, time=1)
    assert one.scaled(0.5, 1.1) == Footprint(y=1, x=4, time=1)
    assert Footprint(y=3, x=1).scaled(1 / 3, 1.0) == Footprint(y=1, x=1)  # not 2, for a last digit
    assert other.scaled(3.0, 3.0) == Footprint(y=3, x=ALL)
    assert not other.is_finite and one.is_finite and not one.is_pointwise
    assert Footprint(time=2).is_pointwise and not Footprint(align=2).is_pointwise
    assert Footprint(y=ALL, x=ALL, time=ALL) == WHOLE and Footprint() == POINT


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda v, r: v, r"returned 1 arrays; expected 2, as its plan says"),
        (lambda v, r: (v, v, v), r"returned 3 arrays; expected 2"),
        (lambda v, r: (v, v[:-1]), r"returned shape \(\d+, \d+\); expected an array"),
        (lambda v, r: (v, v.astype("f8")), r"returned float64; expected float32, as its plan says"),
        (
            lambda v, r: (v, v[None]),
            r"returned shape \(1, \d+, \d+\); expected dims \('y', 'x'\) as its plan says",
        ),
        (lambda v, r: (v, [1]), r"returned a list; expected an array"),
        (lambda v, r: (None, v), r"returned a NoneType; expected an array"),
    ],
)
@pytest.mark.parametrize("window", [None, (5, 7)])
def test_kernels_keep_their_word(make: Any, made: Any, said: str, window: Any) -> None:
    broken = type("_Broken", (_Around,), {"kernel": staticmethod(made), "__module__": __name__})
    with pytest.raises(TileError, match=said):
        run(broken(1, "red", ("a", "b")), make(shape=(24, 30)), window=window)
