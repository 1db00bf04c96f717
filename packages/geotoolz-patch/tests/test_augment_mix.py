"""CutMix and MixUp: two tiles of different places."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geotoolz.augment import CutMix, GaussianNoise, MixUp, RandomFlip, with_draw
from geotoolz.core import Graph, GridMismatchError, Input, ParameterError, TileError, geobox_of, run
from geotoolz.core.testing import assert_same, contract_tile

KEPT = ["red", "nir", "scl", "mask", "foreign", "foreign_flag"]


def pair(shape=(20, 30), **options):
    """Return two tiles that lie a kilometre apart."""
    one = contract_tile(shape, seed=1, **options)[KEPT]
    two = contract_tile(shape, seed=2, **options)[KEPT]
    two = two.assign_coords(x=two.x + 1000.0)
    return {"one": one, "two": two}


def test_pixels_of_a_cut_come_from_one_tile():
    tiles = pair()
    for chip in range(20):
        tiles["one"] = with_draw(tiles["one"], chip=chip)
        out = CutMix()(tiles)
        inside = out.cutmix_mask.values
        rows, cols = np.nonzero(inside)
        assert inside.sum() == (np.ptp(rows) + 1) * (np.ptp(cols) + 1)  # a rectangle
        assert out.attrs["cutmix_share"] == inside.mean() and 0.05 < inside.mean() < 0.45
        for name in KEPT:
            wanted = np.where(inside, tiles["two"][name].values, tiles["one"][name].values)
            np.testing.assert_array_equal(out[name], wanted)
            assert out[name].dtype == tiles["one"][name].dtype
        assert geobox_of(out) == geobox_of(tiles["one"]) and list(out.data_vars) == [*KEPT, "cutmix_mask"]


def test_share_and_aspect_are_as_drawn():
    tiles = pair((100, 200))
    found = []
    for chip in range(60):
        tiles["one"] = with_draw(tiles["one"], chip=chip)
        mask = CutMix((0.25, 0.25), (0.5, 2.0))(tiles).cutmix_mask.values
        rows, cols = mask.any(axis=1).sum(), mask.any(axis=0).sum()
        found.append(math.log((rows / 100) / (cols / 200)))
        assert abs(rows * cols - 5000) < 200
    assert min(found) > math.log(0.48) and max(found) < math.log(2.1) and np.std(found) > 0.2
    assert CutMix((1.0, 1.0))(tiles).red.equals(tiles["two"].red.assign_coords(x=tiles["one"].x))


def test_nothing_is_mixed_where_the_draw_is_against_it():
    tiles = pair()
    cut, mixed = CutMix(p=0.0)(tiles), MixUp(p=0.0)(tiles)
    assert not cut.cutmix_mask.any() and cut.attrs["cutmix_share"] == 0
    assert mixed.attrs["mixup_weight"] == 1.0
    for name in KEPT:
        assert cut[name].equals(tiles["one"][name])
    valid = tiles["one"].red.notnull().values & tiles["two"].red.notnull().values
    np.testing.assert_array_equal(mixed.red.values[valid], tiles["one"].red.values[valid])


def test_bands_are_mixed_and_labels_are_not():
    tiles = pair()
    tiles["one"].red.values[0, 0] = np.nan
    out = MixUp(1.0)(tiles)
    w = out.attrs["mixup_weight"]
    assert 0 < w < 1
    wanted = w * tiles["one"].red.values.astype(float) + (1 - w) * tiles["two"].red.values
    np.testing.assert_allclose(out.red, wanted, rtol=1e-6)
    assert np.isnan(out.red.values[0, 0])
    for name in ("scl", "mask", "foreign", "foreign_flag"):
        np.testing.assert_array_equal(out[name], tiles["one"][name])
        np.testing.assert_array_equal(out[f"{name}_2"], tiles["two"][name])
        assert out[f"{name}_2"].attrs == tiles["two"][name].attrs
    assert list(out.data_vars) == [*KEPT, "scl_2", "mask_2", "foreign_2", "foreign_flag_2"]


def test_stored_numbers_are_mixed_as_numbers():
    tiles = pair(raw=True)
    out = MixUp(1.0, seed=3)(tiles)
    w = out.attrs["mixup_weight"]
    one, two = (tile.red.values.astype(float) for tile in tiles.values())
    empty = (one == 0) | (two == 0)
    assert out.red.dtype == np.uint16 and empty.any()
    np.testing.assert_array_equal(out.red.values == 0, empty)
    np.testing.assert_allclose(out.red.values[~empty], (w * one + (1 - w) * two)[~empty], atol=0.51)


@pytest.mark.parametrize("op", [CutMix(), MixUp()], ids=repr)
def test_windows_and_lazy_tiles_give_the_same(op):
    tiles = pair()
    graph = Graph(
        {"one": Input("one"), "two": Input("two")}, outputs={"joined": op(Input("one"), Input("two"))}
    )
    whole = graph(**tiles)["joined"]
    for size in ((1, 30), (20, 1), (7, 11)):
        assert_same(whole, run(graph, tiles, window=size, threads=2)["joined"])
    lazy = op({name: tile.chunk({"y": 7, "x": 13}) for name, tile in tiles.items()})
    assert lazy.red.chunks is not None
    assert_same(whole, lazy.compute(scheduler="synchronous"))
    stack = pair((6, 7), times=2)
    assert op(stack).red.sizes == {"time": 2, "y": 6, "x": 7}


def test_steps_before_may_move_the_grid():
    one, two = Input("one"), Input("two")
    flipped = RandomFlip(p_horizontal=1.0, p_vertical=1.0)(two)
    graph = Graph(
        {"one": one, "two": two}, outputs={"out": CutMix((0.3, 0.3))(one, GaussianNoise()(flipped))}
    )
    tiles = pair()
    out = graph(**tiles)["out"]
    inside = out.cutmix_mask.values
    np.testing.assert_array_equal(out.scl.values[inside], tiles["two"].scl.values[::-1, ::-1][inside])


def test_a_batch_is_mixed_with_itself():
    tiles = [contract_tile((8, 8), seed=seed, gaps=False)[["red"]] * 0 + seed for seed in range(5)]
    for tile in tiles:
        tile.red.attrs["quantity"] = "surface_reflectance"
    out = CutMix((1.0, 1.0)).batch(tiles, epoch=2, chip=100)
    partners = [float(tile.red[0, 0]) for tile in out]
    assert sorted(partners) == [0, 1, 2, 3, 4] and all(a != b for a, b in enumerate(partners))
    assert [tile.attrs["geotoolz:draw"] for tile in out] == [f"2/{100 + k}" for k in range(5)]
    others = [float(t.red[0, 0]) for t in CutMix((1.0, 1.0)).batch(tiles, epoch=3, chip=100)]
    assert others != partners
    assert MixUp().batch(tiles[:1])[0] is tiles[0] and MixUp().batch([]) == []


def test_bad_input():
    tiles = pair()
    with pytest.raises(ParameterError, match="CutMix got 1 tile"):
        CutMix()({"one": tiles["one"]})
    with pytest.raises(ParameterError, match="MixUp got 3 tile"):
        MixUp()({**tiles, "three": tiles["one"]})
    with pytest.raises(GridMismatchError, match=r"\(20, 30\) and \(10, 30\)"):
        CutMix()({"one": tiles["one"], "two": tiles["two"].isel(y=slice(10))})
    with pytest.raises(TileError, match="only one of the tiles has scl"):
        MixUp()({"one": tiles["one"], "two": tiles["two"].drop_vars("scl")})
    with pytest.raises(TileError, match=r"'red' is float32 .* in one tile and float64"):
        MixUp()({"one": tiles["one"], "two": tiles["two"].assign(red=tiles["two"].red.astype(float))})
    with pytest.raises(TileError, match="'cutmix_mask' already"):
        CutMix()({name: CutMix()(tiles) for name in tiles})
    with pytest.raises(TileError, match="'scl_2' already"):
        MixUp()({name: tile.assign(scl_2=tile.scl) for name, tile in tiles.items()})
    for make, found in (
        (lambda: MixUp(0.0), "alpha=0"),
        (lambda: MixUp(suffix=""), "suffix="),
        (lambda: CutMix((0.5, 0.1)), "share="),
        (lambda: CutMix(aspect=(0.0, 1.0)), "aspect="),
        (lambda: CutMix(p=-1.0), "p=-1"),
    ):
        with pytest.raises(ParameterError, match=found):
            make()


@pytest.mark.parametrize("op", [CutMix(), MixUp()], ids=repr)
def test_a_batch_follows_the_draws_of_its_tiles(op):
    """Tiles of a shuffled loader say which draw they are for; their place in the batch says nothing."""
    plain = [contract_tile((8, 8), seed=seed)[["red", "scl"]] for seed in range(5)]
    tiles = [
        with_draw(tile, epoch=3, chip=chip) for tile, chip in zip(plain, (40, 7, 23, 8, 11), strict=True)
    ]
    out = op.batch(tiles)
    assert [t.attrs["geotoolz:draw"] for t in out] == ["3/40", "3/7", "3/23", "3/8", "3/11"]
    attr = "cutmix_share" if isinstance(op, CutMix) else "mixup_weight"
    alone = [op({"one": tile, "two": tiles[0]}).attrs[attr] for tile in tiles]
    assert [t.attrs[attr] for t in out] == alone  # how much is mixed is the tile's own draw
    later = [
        with_draw(tile, epoch=4, chip=chip) for tile, chip in zip(plain, (40, 7, 23, 8, 11), strict=True)
    ]
    assert [t.attrs[attr] for t in op.batch(later)] != alone
    assert [t.attrs["geotoolz:draw"] for t in op.batch(tiles, epoch=1, chip=5)] == [
        f"1/{5 + k}" for k in range(5)
    ]
    assert all(a.identical(b) for a, b in zip(op.batch(tiles), out, strict=True))
