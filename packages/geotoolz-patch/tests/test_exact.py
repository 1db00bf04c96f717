"""Halo and alignment come from the operator's plan: chips give the bits of the whole scene."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import geotoolz as gz
from geotoolz.core import (
    ExecutorError,
    Footprint,
    Map,
    NotFrozenError,
    ParameterError,
    Plan,
    Role,
    TileError,
    VarSpec,
    check,
    dump,
    from_function,
    load,
    run,
)
from geotoolz.core.testing import contract_tile, data_path, simulate_scene
from geotoolz.grid import Resample
from geotoolz.patch import ApplyToChips, GridSampler, Hann, HardVote, Stitcher, Sum, run_chips
from geotoolz.radiometry import BoxMean, MinMax, SelectBands, ToFloat32


class Conv(Map):
    """Three layers of 3 × 3 convolutions and rectifiers, in float32 and a fixed order: a small network."""

    band: Role = "red"

    def plan(self, tile):
        return Plan((tile.find(self.band),), {"score": VarSpec()}, footprint=Footprint(3, 3))

    @staticmethod
    def kernel(band):
        rng = np.random.default_rng(7)
        x = np.nan_to_num(band.astype(np.float32))
        for _ in range(3):
            weights = (rng.standard_normal((3, 3)) + 0.3).astype(np.float32)
            padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])
            total = np.zeros_like(x)
            for i in range(3):
                for j in range(3):
                    h, w = x.shape[-2:]
                    total += weights[i, j] * padded[..., i : i + h, j : j + w]
            x = np.where(total > 0, total, np.float32(0.1) * total)
        return x


class Pooled(Map):
    """The mean of blocks of 8 × 8 pixels, spread over them again: a network with a total stride of 8."""

    def plan(self, tile):
        return Plan(("red",), {"pooled": VarSpec()}, footprint=Footprint(0, 0, align=8))

    @staticmethod
    def kernel(red):
        out = np.empty(red.shape, np.float32)
        for y in range(0, red.shape[-2], 8):
            for x in range(0, red.shape[-1], 8):
                block = red[..., y : y + 8, x : x + 8]
                out[..., y : y + 8, x : x + 8] = block.mean(axis=(-2, -1), keepdims=True)
        return out


class Classes(Map):
    """Three classes by thresholds on the greenness: the rule of the source text."""

    def plan(self, tile):
        reads = tuple(tile.find(name) for name in ("green", "red", "nir"))
        return Plan(reads, {"classes": VarSpec(dtype="uint8", nodata=255)})

    @staticmethod
    def kernel(green, red, nir):
        with np.errstate(all="ignore"):
            ndvi, ndwi = (nir - red) / (nir + red), (green - nir) / (green + nir)
        out = np.ones(red.shape, np.uint8)
        out[ndwi > 0.1] = 0
        out[ndvi >= 0.25] = 2
        out[np.isnan(ndvi) | np.isnan(ndwi)] = 255
        return out


@pytest.fixture(scope="module")
def scene():
    return simulate_scene((137, 181), bands=("red", "green", "nir"))


@pytest.mark.parametrize("stitcher", [Stitcher(), Stitcher(Hann())], ids=repr)
@pytest.mark.parametrize(
    "sampler", [GridSampler(32), GridSampler(33, 17), GridSampler((20, 64), (7, 64), "shift")]
)
def test_a_convolution_by_chips_equals_the_whole_scene(scene, sampler, stitcher):
    whole = Conv()(scene)
    assert ApplyToChips(sampler, Conv(), stitcher)(scene).identical(whole)
    assert run_chips(ApplyToChips(sampler, Conv(), stitcher), scene).tile.score.identical(whole.score)


def test_blending_a_convolution_without_its_halo_is_not_exact(scene):
    """What the halo is for: the same chips, blended, differ."""
    whole = Conv()(scene).score
    blended = ApplyToChips(GridSampler(32, 24), Conv(), Stitcher(Hann(), halo=0))(scene).score
    assert (blended != whole).mean() > 0.02


def test_an_aligned_operator_sees_whole_blocks(scene):
    whole = Pooled()(scene)
    assert ApplyToChips(GridSampler(32, 24), Pooled())(scene).identical(whole)
    assert run_chips(ApplyToChips(GridSampler(32, 16), Pooled()), scene).tile.pooled.identical(whole.pooled)


@pytest.mark.parametrize(("size", "stride"), [(30, 24), (32, 20)])
def test_chips_off_a_networks_stride_are_refused(scene, size, stride):
    with pytest.raises(ParameterError, match="blocks of 8; expected multiples of 8"):
        ApplyToChips(GridSampler(size, stride), Pooled())(scene)


def test_shifted_chips_off_a_networks_stride_are_refused(scene):
    sampler = GridSampler(32, 16, "shift")
    with pytest.raises(ParameterError, match=r'boundary="shift" lets a chip begin at pixel 105'):
        ApplyToChips(sampler, Pooled(), Stitcher(halo=0))(scene)


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")  # the crop is no whole tile
def test_gallery_n1_rule_model_by_chips_and_votes_agrees_everywhere():
    """The source text reports 93.76 %: its uncovered edges became class 0."""
    from geotoolz.io import open_tile

    tile = open_tile(
        data_path("s2_l2a_33TWL_croatia") / "S2B_33TWL_20230810_0_L2A", bands=["green", "red", "nir"]
    )
    op = ApplyToChips(GridSampler(256), Classes(), Stitcher(aggregation=HardVote(3, fill=255)))
    whole = Classes()(tile).classes
    assert (op(tile).classes == whole).all()
    assert run_chips(op, tile, workers=2).tile.classes.equals(whole)


def test_in_a_sequential_and_from_yaml(scene):
    pipeline = gz.Sequential([SelectBands(("red",)), ApplyToChips(GridSampler(48, 32), Conv()), ToFloat32()])
    plain = gz.Sequential([SelectBands(("red",)), Conv(), ToFloat32()])
    assert pipeline(scene).identical(plain(scene))
    known = gz.Sequential([ApplyToChips(GridSampler(48, 32), BoxMean(2), Stitcher(Hann(), halo=4))])
    assert load(dump(known)) == known and load(dump(known)).config_hash() == known.config_hash()


@pytest.mark.parametrize("window", [(50, 40), (9, 181), (137, 13)])
def test_windows_threads_and_dask_change_nothing(scene, window):
    op = ApplyToChips(GridSampler(32, 24), Conv())
    whole = Conv()(scene)
    assert run(op, scene, window=window, threads=2).identical(whole)
    assert op(scene.chunk({"y": 50, "x": 60})).compute().identical(whole)


def test_what_the_operator_does_to_other_variables_stays():
    tile = contract_tile((40, 50))
    chain = gz.Sequential([BoxMean(1, bands=("red",)), SelectBands(("nir", "red"))])
    assert ApplyToChips(GridSampler(16), chain)(tile).identical(chain(tile))


def test_another_grid_is_that_of_the_operator(scene):
    """Finer, coarser: by chips as on the whole scene."""
    for change in (Resample(resolution=20), Resample(resolution=5)):
        whole = change(scene)
        assert ApplyToChips(GridSampler(40), change)(scene).identical(whole)
        found = run_chips(ApplyToChips(GridSampler(40), change), scene).tile
        xr.testing.assert_identical(found.red.drop_attrs(), whole.red.drop_attrs())


class Finer(Map):
    """Every pixel twice in both directions, and nothing known of how far it looks."""

    def plan(self, tile):
        from dataclasses import replace

        from geotoolz.core import Call
        from geotoolz.core.testing import simulate_scene as _  # noqa: F401

        change = Twice.of(tile)
        spec = tile.variables["red"]
        call = Call(("red",), ("red",), self._repeat, footprint=Footprint("all", "all"))
        drops = tuple(name for name in tile.variables if name != "red")
        return Plan(writes={"red": replace(spec)}, calls=(call,), drops=drops, grid=change)

    @staticmethod
    def _repeat(red, extent=None, source=None):
        return red.repeat(2, axis=-2).repeat(2, axis=-1)


def _twice():
    from dataclasses import dataclass

    from odc.geo.geobox import GeoBox

    from geotoolz.core import Extent, GridChange

    @dataclass(frozen=True)
    class Twice(GridChange):
        @classmethod
        def of(cls, tile):
            box = tile.window_geobox
            t, shape = box.affine, (2 * box.shape[0], 2 * box.shape[1])
            grid = GeoBox(shape, type(t)(t.a / 2, 0, t.c, 0, t.e / 2, t.f), box.crs)
            return cls(grid, shape, (0, 0), tile.shape, (1.0, 1.0))

        def backward(self, extent):
            return Extent(0, self.source_shape[0], 0, self.source_shape[1])

    return Twice


Twice = _twice()


def test_super_resolution_by_blended_chips(scene):
    op = ApplyToChips(GridSampler(32, 24), Finer(), Stitcher(Hann(), halo=0))
    whole = Finer()(scene)
    found = op(scene)
    assert found.identical(whole)
    assert run(op, scene, window=(100, 90)).identical(whole)
    assert run_chips(op, scene).tile.red.equals(whole.red)


# ---- operators that are only known by running them ---------------------------------------------------------


def test_a_function_by_chips(scene):
    step = from_function(lambda ds: ds.assign(sum=ds.red + ds.nir))
    found = ApplyToChips(GridSampler(32, 24), step, Stitcher(Hann()))(scene)
    assert list(found) == ["red", "green", "nir", "sum"]
    np.testing.assert_array_equal(found["sum"], scene.red + scene.nir)
    assert gz.core.geobox_of(found) == gz.core.geobox_of(scene)


def test_chips_of_another_size_need_a_declared_zoom(scene):
    def finer(ds):
        return Finer()(ds)

    step = from_function(finer)
    with pytest.raises(TileError, match=r"returned 64 × 64 pixels for 32 × 32.*zoom=…"):
        ApplyToChips(GridSampler(32), step)(scene)
    found = ApplyToChips(GridSampler(32), step, zoom=2.0)(scene)
    assert found.identical(Finer()(scene))


def test_a_function_that_moves_a_chip_is_refused(scene):
    step = from_function(lambda ds: ds.assign_coords(x=ds.x + 10).drop_vars("spatial_ref"))
    with pytest.raises(gz.core.GridMismatchError, match="moved a chip"):
        ApplyToChips(GridSampler(32), step)(scene)


# ---- batches ---------------------------------------------------------------------------------------------


class Network(Map):
    """Adds one, to as many chips as it is handed at once."""

    def plan(self, tile):
        return Plan(("red",), {"red": tile.variables["red"]}, footprint=Footprint("all", "all"))

    @staticmethod
    def kernel(red):
        return red + np.float32(1)

    def map_batch(self, chips):
        SEEN.append(len(chips))
        stack = np.stack([chip.red.values for chip in chips]) + np.float32(1)
        return [chip.assign(red=chip.red.copy(data=one)) for chip, one in zip(chips, stack, strict=True)]


SEEN: list[int] = []


def test_batches_are_handed_over_together(scene):
    SEEN.clear()
    found = ApplyToChips(GridSampler(64), Network(), batch_size=4)(scene)
    np.testing.assert_array_equal(found.red, scene.red + np.float32(1))
    assert SEEN == [4, 4] or sum(SEEN) in (8, 9)
    SEEN.clear()
    assert run_chips(ApplyToChips(GridSampler(64), Network(), batch_size=4), scene).tile.red.equals(found.red)
    assert max(SEEN) == 4


def test_a_batch_that_nobody_takes_is_refused():
    with pytest.raises(ParameterError, match="BoxMean treats one chip at a time"):
        ApplyToChips(GridSampler(32), BoxMean(1), batch_size=8)


# ---- bad input -------------------------------------------------------------------------------------------


def test_bad_chips_are_refused_before_a_pixel(scene):
    with pytest.raises(ParameterError, match="stride=0"):
        GridSampler(32, 0)
    with pytest.raises(ParameterError, match=r"stride=40 is larger than the chip's 32 rows"):
        ApplyToChips(GridSampler(32, 40), Conv())(scene)
    with pytest.raises(ParameterError, match='boundary="drop" leaves the edge'):
        ApplyToChips(GridSampler(32, boundary="drop"), Conv())(scene)
    with pytest.raises(ParameterError, match=r"chips of 200 pixels on a scene of 137 along y.*reflect"):
        ApplyToChips(GridSampler(200, boundary="shift"), Conv(), Stitcher(halo=0))(scene)
    with pytest.raises(ParameterError, match=r"chips of 5 rows, and the operator looks 3 pixels far"):
        ApplyToChips(GridSampler(5), Conv())(scene)
    with pytest.raises(ParameterError, match="do not end with the 137 pixels"):
        ApplyToChips(GridSampler(32, boundary="raise"), Conv(), Stitcher(halo=0))(scene)
    with pytest.raises(ParameterError, match="uncovered"):
        ApplyToChips(GridSampler(32, 30), Conv(), Stitcher(halo=4))(scene)
    found = check(ApplyToChips(GridSampler(32, 40), Conv()), scene)
    assert [f.level for f in found if "stride=40" in f.message] == ["error"]


def test_pipelines_that_no_chip_can_run_are_refused(scene, tmp_path):
    from geotoolz.io import WriteCOG

    with pytest.raises(NotFrozenError, match="freeze the chip operator first"):
        ApplyToChips(GridSampler(32), MinMax())(scene)
    sink = gz.Sequential([BoxMean(1), WriteCOG(str(tmp_path / "a.tif"))])
    with pytest.raises(ExecutorError, match="writes files"):
        ApplyToChips(GridSampler(32), sink)(scene)
    with pytest.raises(ParameterError, match="zoom=2"):
        ApplyToChips(GridSampler(32), BoxMean(1), zoom=2.0)(scene)
    with pytest.raises(ParameterError, match="chips of 2 dates inside a pipeline"):
        ApplyToChips(GridSampler(gz.patch.Rectangle(32, time=2)), BoxMean(1))(scene)


def test_parts_are_no_steps(scene):
    with pytest.raises(ParameterError, match="Hann is no step of a pipeline"):
        run(gz.Sequential([Hann()]), scene)
    with pytest.raises(ParameterError, match="has no effect on HardVote"):
        Stitcher(Hann(), HardVote(3))
    with pytest.raises(ParameterError, match="per_variable names 'rod'"):
        ApplyToChips(GridSampler(32), Network(), Stitcher(per_variable={"rod": Sum()}))(scene)
    with pytest.raises(TileError, match="Mean would average the classes of 'scl'"):
        same = gz.patch.ApplyToChips(GridSampler(16), Scl(), Stitcher())
        same(contract_tile((20, 20)))


class Scl(Map):
    """Classes that nobody may average."""

    def plan(self, tile):
        return Plan(("scl",), {"scl": tile.variables["scl"]}, footprint=Footprint("all", "all"))

    @staticmethod
    def kernel(scl):
        return scl.copy()
