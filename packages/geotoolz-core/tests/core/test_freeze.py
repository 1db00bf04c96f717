"""Freezing: on a tile, on many, in any order; never by halves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import (
    Branch,
    Graph,
    Input,
    Merge,
    NotFrozenError,
    ParameterError,
    Sequential,
    Switch,
    TileError,
    dump,
    freeze,
    load,
    run,
)
from geotoolz.core.testing import contract_tile
from geotoolz.radiometry import BoxMean, MinMax, PercentileClip, SelectBands, ToFloat32

Make = Callable[..., xr.Dataset]


class Slice:
    """Like a slice of a catalog: loads anew each time."""

    def __init__(self, tile: xr.Dataset) -> None:
        self.tile = tile
        self.loads = 0

    def load(self) -> xr.Dataset:
        self.loads += 1
        return self.tile


def test_frozen_on_the_tile_is_what_the_unfrozen_step_does(make: Make) -> None:
    ds = make((9, 9))
    op = Sequential([BoxMean(1), PercentileClip(5, 95), MinMax()])
    bound = freeze(op, ds)
    assert [step.is_frozen for step in bound if hasattr(step, "is_frozen")] == [True, True]
    xr.testing.assert_identical(bound(ds), op(ds))
    xr.testing.assert_identical(run(bound, ds, window=(2, 2)), op(ds))
    assert isinstance(bound, Sequential)
    assert freeze(bound, make((3, 3), seed=9)) == bound
    assert bound.config_hash() != op.config_hash()
    assert load(dump(bound)) == bound


def test_later_statistics_see_what_earlier_steps_made(make: Make) -> None:
    ds = make((9, 9), bands=("red",))
    bound = freeze(Sequential([PercentileClip(10, 90), MinMax()]), ds)
    low, high = np.percentile(ds.red.values.astype("f8"), [10, 90])
    assert bound[1].limits["red"] == (np.float32(low), np.float32(high))  # type: ignore[attr-defined]


def test_several_tiles_count_as_one_scene_in_any_order_and_form(make: Make) -> None:
    tiles = [make((5, 7), seed=s, bands=("red",)) for s in range(4)]
    op = Sequential([ToFloat32(), PercentileClip(7, 93)])
    together = np.concatenate([t.red.values.ravel() for t in tiles]).astype("f8")
    expected = tuple(np.percentile(together, [7, 93]))
    slices = [Slice(t) for t in tiles]
    forms: list[Any] = [tiles, tiles[::-1], slices, iter(tiles), [lambda t=t: t for t in tiles]]
    for form in forms:
        assert freeze(op, form, threads=2)[1].limits == {"red": expected}  # type: ignore[attr-defined]
    assert all(s.loads > 0 for s in slices)


@pytest.mark.parametrize("data", [[], iter(())])
def test_nothing_to_freeze_on(data: Any) -> None:
    with pytest.raises(ParameterError, match="no tile"):
        freeze(MinMax(), data)


def test_what_cannot_be_loaded() -> None:
    with pytest.raises(ParameterError, match="cannot load a tile from int"):
        freeze(MinMax(), [3])


def test_catalog_scope_is_refused_until_frozen(make: Make) -> None:
    ds = make()
    op = Sequential([ToFloat32(), MinMax(scope="catalog")])
    with pytest.raises(NotFrozenError, match=r"operators\[1\] \(MinMax\).*freeze"):
        op(ds)
    xr.testing.assert_identical(freeze(op, [ds])(ds), Sequential([ToFloat32(), MinMax()])(ds))


def test_every_case_of_a_switch_is_frozen(make: Make) -> None:
    op = Switch("platform", {"a": PercentileClip(), "b": Sequential([MinMax()])}, SelectBands(["red"]))
    tiles = [make(seed=i, attrs={"platform": p}) for i, p in enumerate("cab")]
    bound = freeze(op, tiles)
    assert bound.cases["a"].is_frozen  # type: ignore[attr-defined]
    assert bound.cases["b"][0].is_frozen  # type: ignore[index]
    only_b = freeze(Switch("platform", {"b": MinMax()}, ToFloat32()), tiles)
    assert only_b.cases["b"].limits["red"][0] == tiles[2].red.values.min()  # type: ignore[attr-defined]


def test_steps_inside_branches_and_graphs_are_bound_in_their_places(make: Make) -> None:
    ds = make()
    op = Branch({"a": Sequential([MinMax(bands=("red",))]), "b": PercentileClip(bands=("red",))}, prefix=True)
    bound = freeze(op, ds)
    assert bound.branches["a"][0].is_frozen  # type: ignore[index]
    assert bound.branches["b"].is_frozen  # type: ignore[attr-defined]
    graph = Graph({"s": Input("s")}, outputs={"o": MinMax()(BoxMean(1)(Input("s")))})
    frozen_graph = freeze(graph, ds)
    assert frozen_graph.nodes["o"]["operator"].is_frozen
    xr.testing.assert_identical(frozen_graph(ds)["o"], graph(ds)["o"])


def test_tiles_of_two_kinds_are_refused(make: Make) -> None:
    numbers, floats = make(dtype="u2", bands=("red",)), make(bands=("red",))
    for op in (PercentileClip(), MinMax()):
        with pytest.raises(TileError, match=r"red \(float32\).*red \(uint16\)"):
            freeze(op, [numbers, floats])
        with pytest.raises(TileError, match="name the bands"):
            freeze(op, [floats, make(bands=("red", "nir"))])
    assert freeze(PercentileClip(bands=("red",)), [floats, make(bands=("nir", "red"))]).is_frozen


def test_no_data_differs_between_tiles(make: Make) -> None:
    a, b = make(dtype="u2", bands=("red",)), make(dtype="u2", bands=("red",), seed=1)
    a.red.values[:] = 5
    b.red.values[:] = 9
    b.red.values[0] = 5
    b.red.attrs["_FillValue"] = 5
    assert freeze(MinMax(), [a, b]).limits == {"red": (5.0, 9.0)}
    assert freeze(MinMax(), [b]).limits == {"red": (9.0, 9.0)}


def test_one_tile_without_any_valid_pixel(make: Make) -> None:
    good, empty = make(bands=("red",)), make(bands=("red",))
    empty.red.values[:] = np.nan
    for op in (PercentileClip(), MinMax()):
        assert freeze(op, [good, empty]) == freeze(op, [good]) == freeze(op, [empty, good])
        with pytest.raises(TileError, match=rf"{type(op).__name__}.*too few valid pixels of red"):
            freeze(op, empty)
        assert op(empty).red.isnull().all()  # a tile without data is treated, and stays without
        unknown = op.replace(limits={"red": (np.nan, np.nan)})
        assert unknown(good).red.isnull().all()
        assert load(dump(unknown)) == unknown


def test_a_graph_with_several_inputs_is_frozen_on_its_inputs() -> None:
    scene, other = Input("scene"), Input("other")
    graph = Graph(
        {"scene": scene, "other": other},
        outputs={"both": Merge(prefix=True)(MinMax(("red",), scope="catalog")(scene), other)},
    )
    tiles = {"scene": contract_tile((9, 11), seed=1), "other": contract_tile((9, 11), seed=2)}
    with pytest.raises(NotFrozenError):
        graph(**tiles)
    frozen = freeze(graph, tiles)
    limits = frozen.nodes["minmax"]["operator"].limits
    assert limits == {"red": (float(tiles["scene"].red.min()), float(tiles["scene"].red.max()))}
    assert float(frozen(**tiles)["both"].minmax_red.max()) == 1.0
