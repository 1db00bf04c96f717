"""Backscatter: numbers by hand, properties, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileError,
    TileSpec,
    compile,
    geobox_of,
)
from geotoolz.core.testing import contract_tile, data_path
from geotoolz.sar import (
    DBToLinear,
    EquivalentNumberOfLooks,
    Frost,
    GammaMAP,
    LeeSpeckle,
    LinearToDB,
    MultiLook,
    filter_lee,
    multilook,
)


def radar_tile(shape=(37, 53), *, units="1", **options):
    """Return a contract tile whose red and nir bands are backscatter."""
    tile = contract_tile(shape, **options).rename(red="vv", nir="vh")
    tile = tile.drop_vars(["blue", "green", "nir08", "swir16", "swir22"])
    for name in ("vv", "vh"):
        tile[name].attrs |= {"quantity": "backscatter", "units": units}
        if units == "dB":
            tile[name].values[...] = 20 * tile[name].values - 25
    tile.attrs |= {"platform": "sentinel-1a", "instrument": "c-sar", "processing_level": "RTC"}
    return tile


def decibel_tile(shape=(37, 53), **options):
    """Return the same in decibels."""
    return radar_tile(shape, units="dB", **options)


def small(values, **attrs):
    """Return a tile whose band vv holds these values."""
    values = np.asarray(values)
    tile = radar_tile(values.shape, gaps=False)[["vv"]]
    return tile.assign(vv=(("y", "x"), values, {**tile.vv.attrs, "_FillValue": np.nan, **attrs}))


# ---- decibels ----------------------------------------------------------------------------------------------


def test_decibels_by_hand():
    tile = small(np.array([[1, 0.1, 100, 0.5], [0, -0.2, np.nan, np.inf]], np.float32))
    out = LinearToDB()(tile).vv
    np.testing.assert_allclose(out[0], [0, -10, 20, -3.0103], atol=1e-5)
    assert bool(np.isnan(out[1]).all())
    assert out.attrs["units"] == "dB" and out.attrs["quantity"] == "backscatter"
    back = DBToLinear()(LinearToDB()(tile)).vv
    np.testing.assert_allclose(back[0], tile.vv[0], rtol=1e-6)
    assert back.attrs["units"] == "1"


def test_nodata_of_the_file_is_no_value():
    tile = small(np.array([[-99.0, -10.0]], np.float32), units="dB", _FillValue=-99.0)
    np.testing.assert_allclose(DBToLinear()(tile).vv, [[np.nan, 0.1]], rtol=1e-6)
    whole = small(np.array([[0, 100]], np.uint16), _FillValue=0)
    np.testing.assert_allclose(LinearToDB()(whole).vv, [[np.nan, 20]], rtol=1e-6)


def test_a_second_conversion_is_refused():
    with pytest.raises(QuantityError, match=r"measured in 'dB'.*linear power.*leave LinearToDB out"):
        LinearToDB()(LinearToDB()(radar_tile()))
    with pytest.raises(QuantityError, match=r"measured in '1'.*decibels.*leave DBToLinear out"):
        DBToLinear()(radar_tile())


def test_decibels_are_refused_where_power_is_read():
    for op in (LeeSpeckle(), GammaMAP(), Frost(), MultiLook(), EquivalentNumberOfLooks()):
        with pytest.raises(QuantityError, match=r"measured in 'dB'.*put DBToLinear first"):
            op(decibel_tile())


def test_units_that_nobody_said():
    tile = radar_tile()
    del tile.vv.attrs["units"]
    with pytest.raises(QuantityError, match="does not say its units"):
        DBToLinear(bands=("vv",))(tile)
    notes = compile(LeeSpeckle(bands=("vv",)), TileSpec.of(tile)).notes
    assert "taken as linear power" in notes[0].text
    tile.vv.attrs["units"] = "sr"
    with pytest.raises(QuantityError, match="'sr'"):
        LinearToDB(bands=("vv",))(tile)


def test_what_is_no_backscatter_is_refused():
    with pytest.raises(MissingVariableError, match=r"reads backscatter.*bands="):
        LeeSpeckle()(contract_tile())
    with pytest.raises(QuantityError, match="surface_reflectance"):
        LinearToDB(bands=("red",))(contract_tile())
    with pytest.raises(QuantityError, match="calibrate"):
        LeeSpeckle(bands=("red",))(contract_tile(raw=True))


# ---- filters -----------------------------------------------------------------------------------------------


def test_lee_by_hand():
    values = np.array([[1, 1, 1], [1, 10, 1], [1, 1, 1]], np.float32)
    mean, variance = 2.0, 9 * 8 / 9  # (8 · 1 + 10) / 9; (8 · 1 + 64) / 9
    weight = (variance - mean**2 / 4) / (1 + 1 / 4) / variance
    out = filter_lee(small(values), window=3, looks=4.0).vv
    assert float(out[1, 1]) == pytest.approx(mean + weight * 8)
    corner = np.array([1, 1, 1, 10.0])  # the square is cut off
    weight = max(0, (corner.var() - corner.mean() ** 2 / 4) / 1.25) / corner.var()
    assert float(out[0, 0]) == pytest.approx(corner.mean() + weight * (1 - corner.mean()))


def test_gamma_map_by_hand():
    values = np.array([[1, 1, 1], [1, 10, 1], [1, 1, 1]], np.float32)  # Ci² = 8 / 4
    assert float(GammaMAP(3, looks=0.4)(small(values)).vv[1, 1]) == 2.0  # Cu² = 2.5: plain ground
    assert float(GammaMAP(3, looks=1.0)(small(values)).vv[1, 1]) == 10.0  # Cu² = 1: a point
    alpha = (1 + 1 / 0.8) / (2 - 1 / 0.8)
    b = alpha - 0.8 - 1
    expected = (b * 2 + np.sqrt((b * 2) ** 2 + 4 * alpha * 0.8 * 2 * 10)) / (2 * alpha)
    assert float(GammaMAP(3, looks=0.8)(small(values)).vv[1, 1]) == pytest.approx(expected)


def test_frost_by_hand():
    values = np.array([[1, 1, 1], [1, 10, 1], [1, 1, 1]], np.float32)
    near, far = np.exp(-0.5 * 2), np.exp(-0.5 * 2 * np.sqrt(2))
    expected = (10 + 4 * near + 4 * far) / (1 + 4 * near + 4 * far)
    assert float(Frost(3, damping=0.5)(small(values)).vv[1, 1]) == pytest.approx(expected)
    assert float(Frost(3, damping=0.0)(small(values)).vv[1, 1]) == pytest.approx(2)


@pytest.mark.parametrize("op", [LeeSpeckle(5), GammaMAP(5), Frost(5)], ids=lambda op: type(op).__name__)
def test_plain_ground_stays_and_gaps_do_not_spread(op):
    values = np.full((12, 14), 0.125, np.float32)
    values[3, 4], values[3, 5], values[3, 6], values[3, 7] = np.nan, -1, np.inf, -np.inf
    out = op(small(values)).vv.values
    assert np.isnan(out[3, 4:8]).all()
    assert np.isnan(out).sum() == 4
    assert (out[~np.isnan(out)] == 0.125).all()
    assert (op(small(np.zeros((5, 5), np.float32))).vv == 0).all()


def test_speckle_is_smoothed_and_points_stay():
    rng = np.random.default_rng(3)
    values = rng.gamma(4, 0.1 / 4, (64, 64)).astype(np.float32)
    values[32, 32] = 30
    tile = small(values)
    before = EquivalentNumberOfLooks()(tile.isel(y=slice(0, 24)))["vv"]
    for op in (LeeSpeckle(looks=4), GammaMAP(looks=4)):
        out = op(tile)
        assert EquivalentNumberOfLooks()(out.isel(y=slice(0, 24)))["vv"] > 5 * before
        assert float(out.vv[32, 32]) > 15
        assert float(out.vv[:24].mean()) == pytest.approx(float(tile.vv[:24].mean()), rel=0.02)


def test_bad_parameters_are_refused():
    for make in (LeeSpeckle, GammaMAP, Frost):
        for window in (4, 1, 0, -3):
            with pytest.raises(ParameterError, match=f"window={window}.*odd"):
                make(window)
    for looks in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match=r"looks.*EquivalentNumberOfLooks"):
            LeeSpeckle(looks=looks)
        with pytest.raises(ParameterError, match="looks"):
            GammaMAP(looks=looks)
    with pytest.raises(ParameterError, match="damping"):
        Frost(damping=-0.1)
    with pytest.raises(ParameterError, match="rows=0"):
        MultiLook(0)


def test_the_footprint_is_half_the_window():
    spec = TileSpec.of(radar_tile())
    assert compile(LeeSpeckle(9), spec).footprint.y == 4


# ---- looks -------------------------------------------------------------------------------------------------


def test_number_of_looks_by_hand():
    assert EquivalentNumberOfLooks()(small(np.array([[1.0, 3.0]], np.float32))) == {"vv": 4.0}
    assert EquivalentNumberOfLooks()(small(np.full((2, 2), 2, np.float32)))["vv"] == np.inf
    assert np.isnan(EquivalentNumberOfLooks()(small(np.full((2, 2), np.nan, np.float32)))["vv"])


def test_number_of_looks_of_simulated_speckle():
    values = np.random.default_rng(0).gamma(5, 0.02, (300, 300)).astype(np.float32)
    assert EquivalentNumberOfLooks()(small(values))["vv"] == pytest.approx(5, rel=0.02)
    # looks of independent pixels add up
    assert EquivalentNumberOfLooks()(multilook(small(values), rows=2))["vv"] == pytest.approx(20, rel=0.05)


def test_negative_power_does_not_count():
    assert EquivalentNumberOfLooks()(small(np.array([[1.0, 3.0, -2.0]], np.float32))) == {"vv": 4.0}
    whole = small(np.array([[1, 3, -2, -999, -999]], np.int16), _FillValue=-999)
    assert EquivalentNumberOfLooks()(whole) == {"vv": 4.0}


def test_decibels_without_units_are_noticed_by_their_sign():
    tile = small(np.array([[-12.0, -9.5], [-20.0, np.nan]], np.float32))
    del tile.vv.attrs["units"]
    with pytest.raises(QuantityError, match=r"3 of 3 values of 'vv' below 0.*DBToLinear"):
        EquivalentNumberOfLooks()(tile)


def test_bad_input_of_the_number_of_looks():
    with pytest.raises(MissingVariableError, match="reads backscatter"):
        EquivalentNumberOfLooks()(contract_tile())
    with pytest.raises(MissingVariableError, match="'hh'"):
        EquivalentNumberOfLooks(bands=("hh",))(radar_tile())


# ---- multilooking ------------------------------------------------------------------------------------------


def test_multilook_by_hand():
    tile = small(np.arange(16, dtype=np.float32).reshape(4, 4))
    tile.vv[0, 0] = np.nan
    out = MultiLook(2)(tile)
    np.testing.assert_allclose(out.vv, [[10 / 3, 4.5], [10.5, 12.5]])
    grid = geobox_of(out)
    assert grid.affine.a == 20 and grid.affine.e == -20
    assert tuple(grid.boundingbox.bbox) == tuple(geobox_of(tile).boundingbox.bbox)


def test_blocks_are_those_of_the_map():
    tile = radar_tile((40, 40), gaps=False)
    whole = MultiLook(4)(tile)
    part = MultiLook(4)(tile.isel(y=slice(3, 31), x=slice(5, 39)))
    both = part.isel(y=slice(1, -1), x=slice(1, -1))  # the blocks that were cut are made of what is left
    for name in ("vv", "scl", "mask"):
        np.testing.assert_array_equal(both[name], whole.sel(y=both.y, x=both.x)[name])


def test_a_grid_that_begins_on_half_pixels():
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.core import tile_from_arrays

    third = 1 / 1200  # the pixels' centres lie on whole seconds of arc, as in SRTM
    edges = []
    for degree in (-113, -7, 0, 11, 179):
        box = GeoBox((12, 12), Affine(third, 0, degree - third / 2, 0, -third, 37 + third / 2), "EPSG:4326")
        attrs = {"vv": {"quantity": "backscatter", "units": "1"}}
        tile = tile_from_arrays({"vv": np.ones((12, 12), np.float32)}, box, var_attrs=attrs)
        edges.append((geobox_of(MultiLook(3)(tile)).affine.c - degree) / third)
    np.testing.assert_allclose(edges, edges[0], atol=1e-6)


def test_classes_take_the_most_frequent_value():
    tile = radar_tile((4, 4), gaps=False)
    tile.scl.values[...] = [[4, 4, 5, 0], [6, 4, 0, 0], [1, 2, 9, 9], [3, 3, 8, 8]]
    tile.scl.attrs["_FillValue"] = 0
    out = MultiLook(2)(tile)
    np.testing.assert_array_equal(out.scl, [[4, 5], [3, 9]])
    assert out.scl.dtype == np.uint8 and out.mask.dtype == bool


def test_rotated_grids_are_refused():
    spec = TileSpec.of(radar_tile())
    box = spec.geobox.rotate(10)
    with pytest.raises(TileError, match="rotated"):
        MultiLook().plan(TileSpec(spec.variables, spec.sizes, box))


def test_real_radar():
    import geotoolz as gz

    path = next(data_path("s1_rtc_california_open").glob("*T137-292324*20211213*_VV.tif"))
    tile = gz.open_tile(path)
    db = LinearToDB()(LeeSpeckle(looks=4.5)(tile)).vv
    assert -25 < float(db.median()) < -5
    assert float(db.std()) < 0.7 * float(LinearToDB()(tile).vv.std())
