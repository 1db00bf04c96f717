"""Jitter, noise, haze, clouds and the sun: by hand, by their statistics, and what they leave alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.augment import (
    AtmosphericHaze,
    BandDropout,
    BandJitter,
    BrightnessJitter,
    Compose,
    ContrastJitter,
    GaussianNoise,
    RandomRotate90,
    RandomShift,
    SimulatedClouds,
    SpeckleNoise,
    SunAngleJitter,
)
from geotoolz.augment._clouds import _shift
from geotoolz.core import (
    ExecutorError,
    MissingCRSError,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileError,
    TileSpec,
    check,
    from_config,
    run,
)
from geotoolz.core.testing import assert_same, contract_tile

VALUES = [
    BrightnessJitter((0.5, 0.9)),
    ContrastJitter((0.5, 0.9)),
    BandJitter((0.5, 0.9)),
    BandDropout(1.0),
    GaussianNoise(0.05),
    AtmosphericHaze((0.3, 0.4)),
    SimulatedClouds((0.6, 0.6), size=8),
    SunAngleJitter((5.0, 9.0)),
]
BANDS = ["blue", "green", "red", "nir", "nir08", "swir16", "swir22"]


def plain(value=0.2, shape=(64, 64), bands=("red",), **attrs):
    """Return a tile of one value."""
    tile = contract_tile(shape, gaps=False)[list(bands)]
    for name in bands:
        tile[name].values[...] = value
        tile[name].attrs |= attrs
    return tile


@pytest.mark.parametrize("op", VALUES, ids=repr)
def test_only_bands_change_and_no_data_stays(op):
    tile = contract_tile((24, 24))
    tile["height"] = tile.red.copy().assign_attrs(quantity="canopy_height")
    tile["landuse"] = ("y", "x"), np.arange(576, dtype=np.uint8).reshape(24, 24) % 7
    out = op(tile)
    for name, before in tile.data_vars.items():
        if name in BANDS:
            assert out[name].dtype == np.float32
            if not isinstance(op, BandDropout):
                np.testing.assert_array_equal(np.isnan(out[name]), np.isnan(before))
        else:
            assert out[name].identical(before)
    assert any(not out[name].equals(tile[name]) for name in BANDS)


@pytest.mark.parametrize("op", VALUES, ids=repr)
def test_stored_numbers_change_as_reflectance_does(op):
    raw, real = contract_tile((24, 24), raw=True), contract_tile((24, 24))
    a, b = op(raw), op(real)
    for name in BANDS:
        assert a[name].dtype == np.uint16
        empty = a[name].values == 0
        np.testing.assert_array_equal(empty, np.isnan(b[name]))
        np.testing.assert_allclose(
            np.where(empty, 0, a[name]), np.where(empty, 0, np.clip(b[name] * 1e4, 1, 65535)), atol=0.51
        )


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 255), min_size=4, max_size=4),
    st.sampled_from([0, 7, 255, None]),
    st.floats(0.01, 4),
    st.integers(0, 99),
)
def test_integers_are_rounded_cut_and_keep_clear_of_no_data(numbers, nodata, factor, seed):
    tile = plain(shape=(2, 2)).astype(np.uint8)
    tile.red.values[...] = np.array(numbers).reshape(2, 2)
    tile.red.attrs = {"quantity": "surface_reflectance"} | ({} if nodata is None else {"_FillValue": nodata})
    out = BrightnessJitter((factor, factor), seed=seed)(tile).red.values.ravel().tolist()
    for before, after in zip(numbers, out, strict=True):
        wanted = min(
            round(before * factor) if before * factor % 1 != 0.5 else 2 * round(before * factor / 2), 255
        )
        if before == nodata:
            assert after == nodata
        elif wanted == nodata:
            assert after != nodata and abs(after - nodata) == 1
        else:
            assert abs(after - wanted) <= (abs(before * factor % 1 - 0.5) < 1e-9)


def test_jitter_by_hand():
    tile = plain(0.2, (2, 2), ("red", "nir"))
    tile.red.values[0, 0] = 0.6
    np.testing.assert_allclose(BrightnessJitter((2.0, 2.0))(tile).red, [[1.2, 0.4], [0.4, 0.4]], rtol=1e-6)
    # the mean is 0.3
    np.testing.assert_allclose(ContrastJitter((0.5, 0.5))(tile).red, [[0.45, 0.25], [0.25, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(
        ContrastJitter((3.0, 3.0), centre=0.1)(tile).nir, np.full((2, 2), 0.4), rtol=1e-6
    )
    moved = BandJitter((2.0, 2.0), (0.1, 0.1))(tile)
    np.testing.assert_allclose(moved.nir, np.full((2, 2), 0.5), rtol=1e-6)
    radar = plain(-10.0, (2, 2)).rename(red="vv")
    radar.vv.attrs = {"quantity": "backscatter", "units": "dB"}
    np.testing.assert_allclose(BrightnessJitter((10.0, 10.0))(radar).vv, np.zeros((2, 2)), atol=1e-6)


def test_contrast_needs_the_whole_tile_or_a_centre():
    tile = contract_tile((24, 24))
    with pytest.raises(ExecutorError, match="looks at the whole tile"):
        run(ContrastJitter(), tile, window=(8, 8))
    stack = contract_tile((8, 8), times=3)
    alone = ContrastJitter()(stack.isel(time=1, drop=True))
    assert ContrastJitter()(stack).red.isel(time=1, drop=True).equals(alone.red)
    empty = plain(np.nan, (4, 4))
    assert bool(ContrastJitter()(empty).red.isnull().all())


def test_dropout_spares_one_band_and_drops_at_its_rate():
    tile = contract_tile((4, 4), gaps=False)
    left = []
    for chip in range(200):
        out = BandDropout(0.25).draw(tile, chip=chip)
        left.append([bool(out[name].notnull().any()) for name in BANDS])
    assert 0.7 < np.mean(left) < 0.8
    assert sum(bool(BandDropout(1.0)(tile)[name].notnull().any()) for name in BANDS) == 1
    zero = BandDropout(1.0, value=0.0, bands=("red", "nir"))(contract_tile((8, 8)))
    dropped = "red" if float(zero.red.max()) == 0 else "nir"
    np.testing.assert_array_equal(np.isnan(zero[dropped]), np.isnan(contract_tile((8, 8))[dropped]))


def test_noise_is_normal_and_independent():
    tile = plain(0.0, (200, 200), ("red", "nir"))
    out = GaussianNoise(0.5, seed=3)(tile)
    red, nir = out.red.values.astype(float) / 0.5, out.nir.values.astype(float) / 0.5
    for z in (red, nir):
        assert abs(z.mean()) < 0.02 and abs(z.std() - 1) < 0.02
        assert abs((z**3).mean()) < 0.05 and abs((z**4).mean() - 3) < 0.15
        for a, b in ((z[1:], z[:-1]), (z[:, 1:], z[:, :-1]), (z[1:, 1:], z[:-1, :-1]), (z[2:], z[:-2])):
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.025
    assert abs(np.corrcoef(red.ravel(), nir.ravel())[0, 1]) < 0.025
    same = GaussianNoise(0.5, per_band=False)(tile)
    assert same.red.equals(same.nir.rename("red")) or np.array_equal(same.red, same.nir)


def test_dates_have_noise_of_their_own():
    stack = contract_tile((16, 16), times=2, gaps=False)
    noise = GaussianNoise()(stack).red.values - stack.red.values
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.3


def test_noise_is_a_function_of_the_place():
    tile = plain(0.0, (40, 50))
    whole = GaussianNoise(1.0)(tile).red.values
    for size in ((1, 50), (40, 1), (7, 11)):
        assert np.array_equal(run(GaussianNoise(1.0), tile, window=size).red.values, whole)


@pytest.mark.parametrize("looks", [1, 4, 9, 40])
def test_speckle_has_its_moments(looks):
    radar = plain(2.0, (150, 150)).rename(red="vv")
    radar.vv.attrs = {"quantity": "backscatter"}
    gamma = SpeckleNoise(looks)(radar).vv.values.astype(float) / 2
    assert gamma.min() > 0 and abs(gamma.mean() - 1) < 0.03
    assert abs(gamma.var() * looks - 1) < 0.08
    decibel = radar.copy(deep=True)
    decibel.vv.values[...] = 0.0
    decibel.vv.attrs["units"] = "dB"
    np.testing.assert_allclose(SpeckleNoise(looks)(decibel).vv, 10 * np.log10(gamma), atol=2e-5)


def test_haze_by_hand():
    tile = plain(0.1, (2, 2), ("blue", "red"))
    out = AtmosphericHaze((0.4, 0.4), (2.0, 2.0), airlight=0.5)(tile)
    np.testing.assert_allclose(out.blue, np.full((2, 2), 0.6 * 0.1 + 0.4 * 0.5), rtol=1e-6)
    h = 0.4 * (490 / 665) ** 2
    np.testing.assert_allclose(out.red, np.full((2, 2), (1 - h) * 0.1 + h * 0.5), rtol=1e-6)
    tile.red.attrs["wavelength_nm"] = 490.0
    assert np.array_equal(AtmosphericHaze()(tile).red, AtmosphericHaze()(tile).blue)
    odd = tile[["red"]].rename(red="strange")
    odd.strange.attrs.pop("wavelength_nm")
    assert AtmosphericHaze()(odd).strange.equals(odd.strange)
    assert any("wavelength of 'strange'" in finding.message for finding in check(AtmosphericHaze(), odd))


# --- clouds -------------------------------------------------------------------------------------------------
def test_clouds_and_mask_agree():
    tile = plain(0.1, (96, 96), ("red", "swir16"))
    out = SimulatedClouds((0.4, 0.4), size=32, brightness=(0.8, 0.8), seed=2)(tile)
    red, mask = out.red.values, out.cloud_mask.values
    assert set(np.unique(mask)) == {0, 1, 2}
    assert (red[mask == 0] == np.float32(0.1)).all() and (red[mask == 2] < 0.1).all()
    assert red.max() <= 0.8 and red[mask == 1].max() > 0.75
    assert out.swir16.values.max() <= np.float32(0.48) and out.swir16.values.max() > 0.4
    assert out.cloud_mask.attrs["flag_meanings"] == "clear cloud cloud_shadow"


def test_cover_is_met_on_average():
    tile = plain(0.1, (64, 64))
    for wanted in (0.2, 0.5):
        op = SimulatedClouds((wanted, wanted), size=16)
        found = [float((op.draw(tile, chip=chip).cloud_mask == 1).mean()) for chip in range(40)]
        assert abs(np.mean(found) - wanted) < 0.05
    for wanted in (0.0, 1.0):
        mask = SimulatedClouds((wanted, wanted))(tile).cloud_mask
        assert bool((mask == wanted).all())


def test_shadows_fall_away_from_the_sun():
    tile = plain(0.1, (8, 8)).assign_attrs(sun_elevation=45.0, sun_azimuth=90.0)
    spec = TileSpec.of(tile)
    # sun in the east, as high as far: 200 m to the west are 20 columns to the left
    assert _shift(spec, 200.0, 45.0, 90.0) == (0, -20)
    assert _shift(spec, 200.0, 45.0, 180.0) == (-20, 0)
    assert _shift(spec, 200.0, 90.0, 180.0) == (0, 0)
    assert _shift(spec, 100.0, math.degrees(math.atan(0.5)), 45.0) == (14, -14)
    upside = TileSpec.of(tile.isel(y=slice(None, None, -1)))
    assert _shift(upside, 200.0, 45.0, 180.0) == (20, 0)


def test_shadows_follow_a_turned_tile():
    tile = plain(0.1, (48, 48))
    for seed in range(4):
        turned = RandomRotate90(p=1.0, seed=seed)(tile)
        rows, cols = _shift(TileSpec.of(turned), 200.0, 45.0, 90.0)
        assert max(abs(rows), abs(cols)) == 20 and 0 in (rows, cols)
        # one step along the shadow is ten metres to the west
        y, x = 10 + (rows > 0) - (rows < 0), 10 + (cols > 0) - (cols < 0)
        numbered = tile.assign(east=tile.red * 0 + tile.x)
        there = RandomRotate90(p=1.0, seed=seed)(numbered).east.values
        assert there[y, x] - there[10, 10] == -10


def test_a_shadow_is_its_cloud_moved():
    tile = plain(0.1, (64, 64)).assign_attrs(sun_elevation=45.0, sun_azimuth=90.0)
    op = SimulatedClouds((0.3, 0.3), size=16, height=(200.0, 200.0))
    mask = op(tile).cloud_mask.values
    cloud = mask == 1
    wanted = cloud[:, 20:] & ~cloud[:, :-20]
    assert np.array_equal(mask[:, :-20] == 2, wanted)


def test_clouds_without_sun_or_grid():
    tile = plain(0.1, (16, 16))
    for name in ("sun_elevation", "sun_azimuth"):
        del tile.attrs[name]
    texts = [finding.message for finding in check(SimulatedClouds(), tile)]
    assert any("sun_elevation: shadows fall as at 45" in text for text in texts)
    bare = tile.drop_vars("spatial_ref")
    with pytest.raises(MissingCRSError, match="SimulatedClouds needs"):
        SimulatedClouds()(bare)
    assert 2 not in SimulatedClouds(shadow=(0.0, 0.0))(bare).cloud_mask
    with pytest.raises(TileError, match="'cloud_mask' already"):
        Compose([SimulatedClouds(), SimulatedClouds()])(tile)
    with pytest.raises(TileError, match=r"elevation -3\.0"):
        SimulatedClouds()(tile.assign_attrs(sun_elevation=-3.0))


def test_lazy_stacks_have_the_skies_of_eager_ones():
    stack = contract_tile((20, 30), times=2)[["red", "nir"]]
    steps = Compose([GaussianNoise((0.01, 0.02)), SimulatedClouds(size=8), RandomShift(3)])
    whole = steps(stack)
    assert whole.cloud_mask.dims == ("time", "y", "x")
    assert not np.array_equal(whole.cloud_mask[0], whole.cloud_mask[1])
    assert_same(whole, steps(stack.chunk({"y": 7, "x": 11})).compute(scheduler="synchronous"))
    assert from_config(steps.config()) == steps


# --- the sun ------------------------------------------------------------------------------------------------
def test_the_sun_by_hand():
    tile = plain(0.2, (2, 2)).assign_attrs(sun_elevation=30.0)
    out = SunAngleJitter((15.0, 15.0))(tile)
    np.testing.assert_allclose(out.red, np.full((2, 2), 0.2 * math.sqrt(0.5) / 0.5), rtol=1e-6)
    assert out.attrs["sun_elevation"] == 45.0
    assert {k: v for k, v in out.attrs.items() if k != "sun_elevation"} == {
        k: v for k, v in tile.attrs.items() if k != "sun_elevation"
    }
    assert SunAngleJitter((-60.0, -60.0))(tile).attrs["sun_elevation"] == 1.0
    assert SunAngleJitter(p=0.0)(tile).identical(tile)


def test_the_sun_of_every_date():
    stack = contract_tile((4, 4), times=2, gaps=False)[["red"]].assign_coords(
        sun_elevation=("time", [30.0, 90.0])
    )
    del stack.attrs["sun_elevation"]
    out = SunAngleJitter((15.0, 15.0))(stack)
    assert out.sun_elevation.values.tolist() == [45.0, 90.0]
    np.testing.assert_allclose(out.red[0], stack.red[0] * math.sqrt(2), rtol=1e-6)
    assert np.array_equal(out.red[1], stack.red[1])


# --- bad input ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: BrightnessJitter((1.2, 0.8)), r"factor=\(1\.2, 0\.8\)"),
        (lambda: BrightnessJitter((0.0, 1.0)), "factor="),
        (lambda: ContrastJitter((-1.0, 1.0)), "factor="),
        (lambda: BandJitter(gain=(float("nan"), 1.0)), "gain="),
        (lambda: BandJitter(offset=(0.1, -0.1)), "offset="),
        (lambda: BandDropout(1.5), r"rate=1\.5"),
        (lambda: GaussianNoise(-0.1), "sigma="),
        (lambda: GaussianNoise(p=1.5), r"p=1\.5"),
        (lambda: SpeckleNoise(0), "looks=0"),
        (lambda: AtmosphericHaze((0.0, 1.5)), "strength="),
        (lambda: AtmosphericHaze(airlight=-1.0), "airlight="),
        (lambda: SimulatedClouds((0.0, 2.0)), "cover="),
        (lambda: SimulatedClouds(size=1), "size=1"),
        (lambda: SimulatedClouds(softness=0.0), r"softness=0\.0"),
        (lambda: SunAngleJitter((-100.0, 0.0)), "change="),
    ],
)
def test_bad_parameters(make, found):
    with pytest.raises(ParameterError, match=found):
        make()


def test_bad_tiles():
    tile = contract_tile((8, 8))
    with pytest.raises(MissingVariableError, match="SpeckleNoise finds no band with backscatter"):
        SpeckleNoise()(tile)
    with pytest.raises(MissingVariableError, match="GaussianNoise finds no band"):
        GaussianNoise()(tile[["scl", "mask", "foreign"]])
    with pytest.raises(QuantityError, match="'scl', which holds flags"):
        GaussianNoise(bands=("scl",))(tile)
    offset = contract_tile((8, 8), raw=True)
    offset.red.attrs["add_offset"] = -0.1
    with pytest.raises(QuantityError, match=r"offset of -0\.1"):
        BrightnessJitter()(offset)
    with pytest.raises(TileError, match="SunAngleJitter needs sun_elevation, and the tile says None"):
        SunAngleJitter()(tile.drop_attrs(deep=False))
    whole = plain(5, (4, 4), ("red", "nir")).astype(np.uint8)
    for name in ("red", "nir"):
        whole[name].attrs = {"quantity": "surface_reflectance"}
    with pytest.raises(ParameterError, match="which has no no-data value"):
        BandDropout(1.0)(whole)
    with pytest.raises(ParameterError, match=r"value=-1\.0 does not fit"):
        BandDropout(1.0, value=-1.0)(whole)


def test_steps_after_a_shift_leave_its_border_empty():
    tile = plain(0.1, (16, 16))
    for chip in range(5):
        steps = Compose([RandomShift(6), GaussianNoise(), BrightnessJitter(), SimulatedClouds(size=8)])
        out = steps.draw(tile, chip=chip)
        shifted = Compose([RandomShift(6)]).draw(tile, chip=chip)
        assert np.array_equal(out.red.isnull(), shifted.red.isnull())
