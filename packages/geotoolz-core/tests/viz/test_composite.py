"""`TrueColor` and `FalseColor` against NumPy, their limits, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import geotoolz as gz
from geotoolz.core import MissingVariableError, NotFrozenError, ParameterError, QuantityError
from geotoolz.core.testing import contract_tile, data_path, simulate_scene
from geotoolz.io import WriteCOG
from geotoolz.radiometry import MinMax, PercentileClip
from geotoolz.viz import FalseColor, TrueColor, compose_true_color


def planes(tile, names=("red", "green", "blue", "alpha")):
    return np.stack([tile[name].values for name in names])


def by_numpy(values, low, high, gamma):
    """The formula in float64, one band."""
    t = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    return np.floor(255 * t ** (1 / gamma) + 0.5)


def test_by_hand():
    tile = contract_tile((1, 5), gaps=False)
    for name, values in {
        "red": [0.0, 0.15, 0.3, 0.9, np.nan],
        "green": [-0.1, 0.0, 0.3, np.inf, 0.1],
        "blue": [0.03, 0.06, 0.003, -np.inf, 0.1],
    }.items():
        tile[name].values[0] = values
    picture = TrueColor()(tile)
    # 0.15 / 0.3 · 255 = 127.5 is rounded up; 0.03 → 25.5 less a little in float32, 0.003 → 2.55
    assert planes(picture)[:, 0].tolist() == [
        [0, 128, 255, 255, 0],
        [0, 0, 255, 255, 0],
        [25, 51, 3, 0, 0],
        [255, 255, 255, 255, 0],
    ]
    bright = TrueColor(gamma=2.0)(tile)
    assert bright.red.values[0, 1] == round(255 * 0.5**0.5)


@settings(max_examples=40, deadline=None)
@given(
    low=st.floats(-0.2, 0.3),
    width=st.floats(0.01, 1.0),
    gamma=st.floats(0.2, 5.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_pixels_are_those_of_the_formula(low, width, gamma, seed):
    tile = contract_tile((7, 9), seed=seed % 1000)
    picture = FalseColor("nir", "red", "green", vmin=low, vmax=low + width, gamma=gamma)(tile)
    nothing = np.isnan(tile.nir.values) | np.isnan(tile.red.values) | np.isnan(tile.green.values)
    for channel, band in (("red", "nir"), ("green", "red"), ("blue", "green")):
        expected = np.where(nothing, 0, np.nan_to_num(by_numpy(tile[band].values, low, low + width, gamma)))
        # a power may fall on another side of a half by one unit of float64
        assert np.abs(picture[channel].values - expected).max() <= (0 if gamma == 1 else 1)
    np.testing.assert_array_equal(picture.alpha, np.where(nothing, 0, 255))


def test_channels_may_have_limits_of_their_own():
    tile = contract_tile(gaps=False)
    picture = TrueColor(vmin=(0, 0.1, 0.2), vmax=(0.3, 0.4, 0.9))(tile)
    for channel, low, high in (("red", 0, 0.3), ("green", 0.1, 0.4), ("blue", 0.2, 0.9)):
        np.testing.assert_array_equal(picture[channel], by_numpy(tile[channel].values, low, high, 1))


def test_roles_are_found_and_bands_can_be_kept():
    tile = simulate_scene((8, 8), sensor="landsat-8")
    picture = FalseColor(names=("r", "g", "b", "a"))(tile)
    assert picture.r.attrs["long_name"] == "red of a picture of nir08 red green"
    assert picture.red.identical(tile.red)


def test_tiles_match_without_and_with_frozen_percentiles():
    tile = simulate_scene((40, 60), cloud_cover=0.3)
    with pytest.raises(NotFrozenError, match="freeze"):
        TrueColor(percentiles=(2, 98))(tile)
    frozen = gz.freeze(TrueColor(percentiles=(2, 98)), tile)
    assert frozen.limits["red"] == pytest.approx(
        np.nanpercentile(tile.red.values.astype("f8"), (2, 98)), rel=1e-6
    )
    assert gz.load(gz.dump(frozen)) == frozen
    for op in (TrueColor(), frozen):
        assert op(tile).isel(x=slice(30)).equals(op(tile.isel(x=slice(30))))
    with pytest.raises(ParameterError, match="limits of nir"):
        FalseColor(percentiles=(2, 98), limits=frozen.limits)(tile)


def test_unknown_limits_draw_nothing():
    nan = float("nan")
    limits = {"red": (nan, nan), "green": (0.0, 0.3), "blue": (0.0, 0.3)}
    for gamma in (1.0, 2.0):
        picture = TrueColor(percentiles=(2, 98), limits=limits, gamma=gamma)(contract_tile(gaps=False))
        assert not planes(picture).any()


def test_a_band_without_spread_is_dark():
    """Percentiles of a plain band coincide: like matplotlib's limits that are equal, the lowest step."""
    tile = contract_tile((4, 5), gaps=False)
    for name in ("red", "green", "blue"):
        tile[name].values[...] = 0.25
    picture = TrueColor(percentiles=(2, 98), scope="tile")(tile)
    assert (planes(picture).reshape(4, -1).T == [0, 0, 0, 255]).all()


def test_stored_numbers_are_refused():
    with pytest.raises(QuantityError, match=r"stored numbers \(uint16\).*DNToReflectance"):
        TrueColor()(contract_tile(raw=True))
    tile = contract_tile(raw=True)
    for name in ("red", "green", "blue"):
        del tile[name].attrs["quantity"]
    with pytest.raises(QuantityError, match="stored numbers"):
        compose_true_color(tile)


@pytest.mark.parametrize("first", [PercentileClip(), MinMax(), TrueColor()])
def test_nothing_is_stretched_twice(first):
    with pytest.raises(QuantityError, match="already"):
        gz.Sequential([first, TrueColor()])(simulate_scene((16, 16)))


def test_other_quantities_are_refused():
    tile = contract_tile()
    tile.red.attrs["quantity"] = "brightness_temperature"
    with pytest.raises(QuantityError, match=r"brightness_temperature.*Colormap"):
        TrueColor()(tile)
    with pytest.raises(QuantityError, match="flags"):
        FalseColor("scl", "red", "green")(tile)
    with pytest.raises(MissingVariableError, match="TrueColor reads 'blue'"):
        TrueColor()(contract_tile().drop_vars("blue"))


@pytest.mark.parametrize(
    "wrong",
    [{"vmin": 0.3}, {"vmax": (0.3, 0.0, 0.3)}, {"gamma": 0.0}, {"gamma": -2.0}, {"percentiles": (98, 2)},
     {"limits": {"red": (1.0, 0.0)}}, {"names": ("red", "green", "blue")}, {"vmax": float("nan")}],
)  # fmt: skip
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ParameterError):
        TrueColor(**wrong)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_real_scene():
    tile = gz.open_tile(
        next(data_path("s2_l2a_33TWL_croatia").rglob("*.json")), bands=("red", "green", "blue")
    )
    picture = TrueColor()(tile)
    valid = picture.alpha.values > 0
    assert valid.mean() > 0.5
    for name in ("red", "green", "blue"):
        np.testing.assert_array_equal(
            picture[name].values[valid], by_numpy(tile[name].values[valid], 0, 0.3, 1)
        )


def test_a_picture_is_written_and_read_back(tmp_path):
    path, bands = tmp_path / "picture.tif", ("red", "green", "blue", "alpha")
    tile = simulate_scene((40, 50), nodata_edge=True)
    picture = gz.Sequential([TrueColor(), WriteCOG(str(path), bands=bands)])(tile)
    again = gz.open_tile(path)
    np.testing.assert_array_equal(planes(again), planes(picture))
    assert again.red.attrs["color_interp"] == "red"
    with pytest.raises(QuantityError, match="picture already"):
        FalseColor("alpha", "red", "green")(again)
