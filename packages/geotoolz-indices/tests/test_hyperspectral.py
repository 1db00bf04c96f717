"""Backgrounds, detectors, angles: worked by hand, against brute force, on real cubes, with wrong input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import (
    FrozenArray,
    GeotoolzError,
    MissingVariableError,
    NotFrozenError,
    ParameterError,
    QuantityError,
    Ref,
    Sequential,
    TileError,
    freeze,
    load,
    load_sandboxed,
    run,
    save,
)
from geotoolz.core.testing import contract_tile, data_path
from geotoolz.hyperspectral import (
    ACE,
    SAM,
    Background,
    BackgroundStatistics,
    Mag1c,
    MatchedFilter,
    ToCube,
    as_cube,
)


def cube(values, wavelengths=None, **attrs) -> xr.Dataset:
    """Return a tile with one cube."""
    values = np.asarray(values)
    if wavelengths is None:
        wavelengths = 500.0 + 100.0 * np.arange(values.shape[0])
    return xr.Dataset(
        {"cube": (("wavelength", "y", "x"), values, attrs)},
        {"wavelength": ("wavelength", wavelengths, {"units": "nm"})},
    )


def random_cube(shape=(5, 20, 30), seed=0, dtype=np.float32) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(shape[0], shape[0]))
    values = np.einsum("ab,byx->ayx", mix, rng.normal(size=shape)) * 0.05 + rng.uniform(
        0.2, 0.6, (shape[0], 1, 1)
    )
    return cube(values.astype(dtype))


def by_hand(tile: xr.Dataset, target, ddof=1):
    """Return matched filter and ACE in float64, straight from the formulas."""
    x = tile.cube.values.astype(np.float64).reshape(tile.sizes["wavelength"], -1)
    mu = np.nanmean(np.where(np.isnan(x).any(axis=0), np.nan, x), axis=1)
    s = np.cov(x[:, ~np.isnan(x).any(axis=0)], ddof=ddof)
    inverse, t, d = np.linalg.inv(s), np.asarray(target) - mu, x - mu[:, None]
    along = t @ inverse @ d
    shape = tile.cube.shape[1:]
    ace = along**2 / (t @ inverse @ t) / np.einsum("ip,ij,jp->p", d, inverse, d)
    return (along / (t @ inverse @ t)).reshape(shape), ace.reshape(shape)


TARGET = (0.9, 0.1, 0.4, 0.2, 0.8)


# ---- background --------------------------------------------------------------------------------------------


def test_background_by_hand():
    found = Background()(cube([[[1.0, 2.0, 3.0]], [[2.0, 2.0, 5.0]]]))
    assert found.n == 3
    np.testing.assert_array_equal(found.mean, [2.0, 3.0])
    np.testing.assert_array_equal(found.covariance, [[1.0, 1.5], [1.5, 3.0]])
    np.testing.assert_array_equal(found.used, [True, True])


def test_empty_and_constant_bands_hold_nothing():
    tile = random_cube()
    tile.cube.values[1] = np.nan
    tile.cube.values[3] = 0.25
    found = Background()(tile)
    np.testing.assert_array_equal(found.used, [True, False, True, False, True])
    assert found.n == 600 and found.covariance.shape == (3, 3)
    held = found.array()
    assert held.shape == (5, 7) and np.isnan(held[1, 1:]).all() and np.isnan(held[:, 3]).all()


def test_pixels_without_data_in_a_band_do_not_count():
    tile = random_cube()
    tile.cube.values[2, 3, 4] = np.nan
    tile.cube.values[0, 5, :2] = np.inf
    x = tile.cube.values.astype(np.float64).reshape(5, -1)
    x = x[:, np.isfinite(x).all(axis=0)]
    found = Background()(tile)
    assert found.n == 597
    np.testing.assert_allclose(found.mean, x.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(x), rtol=1e-5, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    bands=st.integers(1, 9),
    rows=st.integers(1, 8),
    columns=st.integers(2, 40),
    dtype=st.sampled_from(["f4", "f8", "i2", "u2"]),
    seed=st.integers(0, 99),
)
def test_background_against_brute_force(bands, rows, columns, dtype, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 30000, (bands, rows, columns)).astype(dtype)
    tile = cube(values)
    found = Background()(tile)
    used = [b for b in range(bands) if values[b].min() < values[b].max()]
    used = used or list(range(bands))
    x = values[used].reshape(len(used), -1).astype(np.float64)
    assert found.n == rows * columns
    np.testing.assert_allclose(found.mean, x.mean(axis=1), rtol=1e-12, atol=1e-3)
    np.testing.assert_allclose(found.covariance, np.atleast_2d(np.cov(x)), rtol=1e-7, atol=1.0)


def test_a_cube_is_not_copied_window_by_window():
    import tracemalloc

    values = np.random.default_rng(0).random((40, 1024, 512), np.float32)  # 84 MB, in two windows
    tile = xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": np.linspace(450, 900, 40)})
    Background()(tile.isel(y=slice(0, 8)))
    tracemalloc.start()
    run(Background(), tile, threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # a window has 42 MB


def test_any_cut_gives_the_same_background():
    tile, bits = random_cube((7, 33, 41)), set()
    for threads, size in itertools.product((1, 3), (None, (5, 41), (7, 11), (33, 1))):
        op = freeze(MatchedFilter(np.ones(7)), tile, threads=threads, window=size)
        bits.add(op.background.sha256)
    assert len(bits) == 1


def test_tiles_of_a_catalog_in_any_order():
    tiles = [random_cube(seed=n) for n in range(4)]
    there, back = (freeze(ACE(TARGET), order) for order in (tiles, tiles[::-1]))
    assert there == back
    both = np.concatenate([t.cube.values.reshape(5, -1) for t in tiles], axis=1)
    np.testing.assert_allclose(there.background.values[:, 1], both.mean(axis=1), rtol=1e-6)


def test_tiles_of_two_sensors_are_refused():
    with pytest.raises(TileError, match="5 values"):
        freeze(MatchedFilter(TARGET), [random_cube(), random_cube((6, 20, 30))])
    one, two = random_cube(), random_cube().assign_coords(wavelength=np.arange(5) * 10 + 700.0)
    with pytest.raises(TileError, match=r"one tile has 5 bands, 700.0–740.0 nm.*SpectralResample"):
        freeze(MatchedFilter(TARGET), [one, two])


def test_a_sample_is_near_and_does_not_depend_on_the_cut():
    tile = random_cube((4, 128, 128))
    whole, some = Background()(tile), Background(sample_cell=4)(tile)
    assert some.n == 1024
    np.testing.assert_allclose(some.mean, whole.mean, atol=0.02)
    a = freeze(MatchedFilter(np.ones(4), sample_cell=4), tile, window=(13, 50))
    assert a == freeze(MatchedFilter(np.ones(4), sample_cell=4), tile)


# ---- matched filter and ACE --------------------------------------------------------------------------------


def test_detectors_by_hand():
    tile = random_cube()
    match, cohere = by_hand(tile, TARGET)
    np.testing.assert_allclose(MatchedFilter(TARGET)(tile).matched_filter, match, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ACE(TARGET)(tile).ace, cohere, rtol=1e-4, atol=1e-6)


def test_target_and_mean():
    tile = random_cube()
    held = Background()(tile)
    tile.cube.values[:, 0, 0] = TARGET
    tile.cube.values[:, 0, 1] = held.mean
    found = MatchedFilter(TARGET, background=held)(tile).matched_filter.values
    assert found[0, 0] == pytest.approx(1, abs=1e-5) and found[0, 1] == pytest.approx(0, abs=1e-5)
    assert float(ACE(TARGET, background=held)(tile).ace[0, 0]) == pytest.approx(1, abs=1e-6)


def test_nan_and_nodata_become_nan():
    tile = random_cube(dtype=np.float64)
    tile.cube.values[1, 2, 3] = np.nan
    for op in (MatchedFilter(TARGET), ACE(TARGET)):
        out = op(tile)[op.name].values
        assert np.isnan(out[2, 3]) and np.isfinite(np.delete(out.ravel(), 2 * 30 + 3)).all()
    whole = cube((tile.cube.values * 1e4).round(), quantity="dn")
    whole["cube"] = whole.cube.fillna(-32768).astype(np.int16).assign_attrs(_FillValue=-32768)
    out = MatchedFilter(np.array(TARGET) * 1e4)(whole).matched_filter.values
    match, _ = by_hand(cube(np.where(whole.cube == -32768, np.nan, whole.cube)), np.array(TARGET) * 1e4)
    np.testing.assert_allclose(out, match, rtol=1e-5, atol=1e-6)


def test_bands_may_be_chosen():
    tile = random_cube()
    found = MatchedFilter(TARGET, ranges=((450.0, 650.0), (890.0, 900.0)))(tile)
    match, _ = by_hand(cube(tile.cube.values[[0, 1, 4]]), np.array(TARGET)[[0, 1, 4]])
    np.testing.assert_allclose(found.matched_filter, match, rtol=1e-5, atol=1e-6)


def test_a_singular_covariance_says_its_rank_and_what_to_do():
    tile = random_cube()
    tile.cube.values[4] = tile.cube.values[0]
    with pytest.raises(TileError, match=r"5 bands is singular: rank 4, from 600 pixels.*shrinkage=") as error:
        MatchedFilter(TARGET)(tile)
    assert "ranges=" in str(error.value)
    assert np.isfinite(MatchedFilter(TARGET, shrinkage=0.01)(tile).matched_filter).all()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_fewer_pixels_than_bands(size):
    with pytest.raises(TileError, match="singular: rank"):
        ACE(TARGET)(random_cube((5, 1, size)))


def test_no_pixel_no_result():
    tile = random_cube()
    tile.cube.values[...] = np.nan
    assert MatchedFilter(TARGET)(tile).matched_filter.isnull().all()
    with pytest.raises(TileError, match="too few valid pixels"):
        freeze(MatchedFilter(TARGET), tile)


def test_targets_of_another_length_or_grid_are_refused():
    tile = random_cube()
    with pytest.raises(TileError, match=r"3 values.*5 bands, 500.0–900.0 nm"):
        MatchedFilter([1.0, 2.0, 3.0])(tile)
    other = np.column_stack([np.linspace(450, 950, 51), np.linspace(0, 1, 51)])
    with pytest.raises(TileError, match=r"51 bands, 450.0–950.0 nm.*resample='linear'"):
        ACE(other)(tile)
    shifted = np.column_stack([tile.wavelength + 2.0, TARGET])
    with pytest.raises(TileError, match="502"):
        MatchedFilter(shifted)(tile)
    near = np.column_stack([tile.wavelength + 0.2, TARGET])
    assert MatchedFilter(near)(tile).equals(MatchedFilter(TARGET)(tile))


def test_a_target_in_another_order_of_wavelengths() -> None:
    tile = random_cube()
    wavelengths = tile.wavelength.values
    column = np.column_stack([wavelengths, TARGET])
    wanted = MatchedFilter(TARGET)(tile).matched_filter
    np.testing.assert_array_equal(MatchedFilter(column[::-1])(tile).matched_filter, wanted)
    backwards = tile.isel(wavelength=slice(None, None, -1))
    np.testing.assert_allclose(MatchedFilter(column)(backwards).matched_filter, wanted, rtol=1e-4, atol=1e-6)
    with pytest.raises(TileError, match=r"lies on 5 bands, .*expected the wavelengths of"):
        MatchedFilter(np.column_stack([wavelengths + 30.0, TARGET]))(tile)


def test_targets_are_resampled_on_request():
    tile = random_cube()
    line = np.column_stack([np.linspace(250, 1150, 901), np.linspace(-0.4, 1.4, 901)])
    want = MatchedFilter((tile.wavelength.values - 450) / 500)(tile).matched_filter
    for how in ("linear", "gaussian"):  # a straight line is its own average
        got = MatchedFilter(line, resample=how)(tile).matched_filter
        np.testing.assert_allclose(got, want, rtol=2e-3, atol=2e-3)
    with pytest.raises(TileError, match=r"no value at 900.0 nm.*ranges="):
        MatchedFilter(line[:600], resample="linear")(tile)


def test_other_wrong_input():
    tile = random_cube()
    with pytest.raises(ParameterError, match="shrinkage=1"):
        MatchedFilter(TARGET, shrinkage=1.0)
    with pytest.raises(ParameterError, match="shape"):
        MatchedFilter(np.ones((3, 3)))
    with pytest.raises(ParameterError, match="no target"):
        MatchedFilter(None)
    with pytest.raises(ParameterError, match="longer"):
        MatchedFilter(TARGET, ranges=((900.0, 500.0),))
    with pytest.raises(ParameterError, match="no band lies in 2000"):
        MatchedFilter(TARGET, ranges=((2000.0, 2100.0),))(tile)
    with pytest.raises(ParameterError, match="bands × "):
        MatchedFilter(TARGET, background=np.ones((5, 5)))
    with pytest.raises(TileError, match="no value at 600"):
        MatchedFilter((0.9, np.nan, 0.4, 0.2, 0.8))(tile)
    with pytest.raises(MissingVariableError, match="reads a cube"):
        MatchedFilter(TARGET)(tile.rename_dims(wavelength="band"))
    with pytest.raises(ParameterError, match="name it with cube="):
        MatchedFilter(TARGET)(tile.assign(other=tile.cube))
    with pytest.raises(TileError, match="transpose"):
        MatchedFilter(TARGET)(tile.assign(cube=tile.cube.transpose("y", "x", "wavelength")))
    with pytest.raises(QuantityError, match="stretched"):
        MatchedFilter(TARGET)(cube(tile.cube.values, quantity="stretched"))
    with pytest.raises(NotFrozenError):
        MatchedFilter(TARGET, scope="catalog")(tile)
    with pytest.raises(ParameterError, match=r"read_spectrum"):
        MatchedFilter(Ref("library.sli", "0" * 64))


def test_wavelengths_need_sense():
    tile = random_cube()
    micro = tile.assign_coords(wavelength=("wavelength", tile.wavelength.values / 1000, {"units": "um"}))
    a, b = MatchedFilter(TARGET)(tile), MatchedFilter(TARGET)(micro)
    assert a.matched_filter.identical(b.matched_filter)
    with pytest.raises(TileError, match="without units"):
        MatchedFilter(TARGET)(tile.assign_coords(wavelength=tile.wavelength.values / 1000))
    with pytest.raises(TileError, match="units 'cm-1'"):
        bad = tile.copy()
        bad.wavelength.attrs["units"] = "cm-1"
        MatchedFilter(TARGET)(bad)
    with pytest.raises(TileError, match="a coordinate"):
        MatchedFilter(TARGET)(tile.drop_vars("wavelength"))


def test_a_background_of_other_bands_is_refused():
    held = Background()(random_cube())
    with pytest.raises(TileError, match="the background is of 5 bands"):
        MatchedFilter(np.ones(6), background=held)(random_cube((6, 9, 9)))


def test_a_target_in_other_units_is_refused():
    tile = random_cube()
    with pytest.raises(QuantityError, match=r"the target reaches 9e\+03.*same units"):
        MatchedFilter(np.array(TARGET) * 1e4)(tile)
    with pytest.raises(QuantityError, match="bring the cube to reflectance"):
        ACE(TARGET)(cube(tile.cube.values * 1e4))


def test_the_mean_is_no_target():
    tile = random_cube(dtype=np.float64)
    held = Background()(tile)
    with pytest.raises(TileError, match="the mean of the background"):
        MatchedFilter(held.mean, background=held)(tile)


def test_targets_from_files_and_pixels(tmp_path):
    tile = random_cube()
    want = MatchedFilter(TARGET)(tile).matched_filter
    np.save(tmp_path / "target.npy", TARGET)
    lines = "\n".join(f"{w},{v}" for w, v in zip(tile.wavelength.values, TARGET, strict=True))
    (tmp_path / "target.csv").write_text(f"wavelength,reflectance\n{lines}\n")
    for name in ("target.npy", "target.csv"):
        assert MatchedFilter(Ref.of(tmp_path / name))(tile).matched_filter.identical(want)
    pixel = xr.DataArray(np.array(TARGET), dims="wavelength", coords={"wavelength": tile.wavelength})
    assert MatchedFilter(pixel)(tile).matched_filter.identical(want)
    with pytest.raises(ParameterError, match="one pixel"):
        MatchedFilter(tile.cube)


def test_frozen_pipelines_survive_saving(tmp_path):
    tile = random_cube()
    op = freeze(Sequential([MatchedFilter(TARGET), SAM(TARGET)]), tile)
    again = load(save(op, tmp_path))
    assert again.config_hash() == load(save(again, tmp_path / "b")).config_hash()
    assert again(tile).identical(op(tile))
    assert run(again, tile, window=(7, 9), threads=2).identical(op(tile))


# ---- spectral angle ----------------------------------------------------------------------------------------


def test_angles_by_hand():
    values = np.array([[[1.0, 2.0, 0.0, 0.0, -1.0]], [[0.0, 2.0, 3.0, 0.0, 0.0]]])
    found = SAM([5.0, 0.0], units="degree")(cube(values)).spectral_angle.values[0]
    np.testing.assert_allclose(found, [0, 45, 90, np.nan, 180], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(bands=st.integers(1, 12), seed=st.integers(0, 99), dtype=st.sampled_from(["f4", "f8", "i2"]))
def test_angles_against_brute_force(bands, seed, dtype):
    rng = np.random.default_rng(seed)
    values, target = rng.integers(-9000, 9000, (bands, 3, 5)).astype(dtype), rng.normal(size=bands)
    x = values.astype(np.float64)
    cosine = np.einsum("byx,b->yx", x, target) / np.linalg.norm(x, axis=0) / np.linalg.norm(target)
    found = SAM(target)(cube(values)).spectral_angle
    np.testing.assert_allclose(found, np.arccos(np.clip(cosine, -1, 1)), atol=1e-6)


def test_wrong_input_of_angles():
    tile = random_cube()
    with pytest.raises(ParameterError, match="0 in all bands"):
        SAM(np.zeros(5))(tile)
    with pytest.raises(TileError, match="4 values"):
        SAM(np.ones(4))(tile)


# ---- real cubes --------------------------------------------------------------------------------------------


def enmap() -> xr.Dataset:
    import rasterio

    folder = data_path("hsi_enmap_potsdam_open")
    with rasterio.open(folder / "enmap_l2a_20220724_224bands_int16.tif") as file:
        values = file.read()
    centres = np.loadtxt(folder / "wavelengths_nm.txt")
    return cube(values, centres, _FillValue=-32768, quantity="surface_reflectance")


@pytest.mark.realdata
def test_empty_bands_of_enmap_are_left_out():
    tile = enmap()
    found = Background()(tile)
    assert np.flatnonzero(~found.used).tolist() == [129, 130, 131, 132, 133, 134]
    assert found.n > 10000
    invalid = (tile.cube == -32768).sum("wavelength").values > 6
    row, col = (int(place[5000]) for place in np.nonzero(~invalid))
    target = tile.cube.isel(y=row, x=col).astype("f8").values
    target[129:135] = np.nan
    out = MatchedFilter(target, shrinkage=1e-6)(tile)
    assert float(out.matched_filter[row, col]) == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(np.isnan(out.matched_filter.values), invalid)
    assert abs(float(out.matched_filter.mean())) < 0.01


@pytest.mark.realdata
def test_emit_pixel_is_its_own_target():
    path = data_path("emit_small") / "emit20250324t221005_jpl_unmix_ex"
    raw = np.fromfile(path, "<f4").reshape(10, 285, 10).transpose(1, 0, 2)
    tile = cube(raw, np.linspace(381, 2493, 285), _FillValue=-9999.0)
    tile["cube"] = tile.cube.where(tile.cube > -9999)
    good = ((450.0, 1300.0), (1450.0, 1750.0), (2000.0, 2400.0))
    target = tile.cube.isel(y=4, x=5)
    angles = SAM(target, ranges=good)(tile).spectral_angle
    assert float(angles[4, 5]) == pytest.approx(0, abs=1e-3) and float(angles.max()) > 0.01
    found = ACE(target, ranges=good, shrinkage=0.01)(tile).ace
    assert float(found[4, 5]) == pytest.approx(1, abs=1e-5)


def test_statistics_are_values():
    found = Background()(random_cube())
    assert isinstance(found, BackgroundStatistics)
    assert found == Background()(random_cube()) != Background()(random_cube(seed=1))
    assert FrozenArray(found.array()).shape == (5, 7)
    assert Mag1c(TARGET).is_frozen is False


# ---- cubes from bands --------------------------------------------------------------------------------------


def test_bands_become_a_cube():
    tile = contract_tile()[["red", "nir", "foreign"]]
    out = as_cube(tile, [665.0, 842.0], fwhm=[30.0, 100.0], bands=("nir", "red"))
    assert set(out.data_vars) == {"cube", "foreign"} and out.cube.attrs["quantity"] == "surface_reflectance"
    np.testing.assert_array_equal(out.cube.sel(wavelength=665.0), tile.nir)
    assert out.fwhm.values.tolist() == [30.0, 100.0]
    assert as_cube(contract_tile(times=2)[["red", "nir"]], [1.0, 2.0]).cube.dims == (
        "time",
        "wavelength",
        "y",
        "x",
    )


def test_bands_that_are_no_cube():
    tile = contract_tile()[["red", "nir"]]
    with pytest.raises(ParameterError, match="3 wavelengths"):
        as_cube(tile, [1.0, 2.0, 3.0])
    with pytest.raises(ParameterError, match="1 widths"):
        as_cube(tile, [1.0, 2.0], fwhm=[3.0])
    with pytest.raises(ParameterError, match="wavelength of red, nir"):
        as_cube(tile)
    with pytest.raises(TileError, match="float64"):
        as_cube(tile.assign(nir=tile.nir.astype("f8")), [665.0, 842.0])
    tile.nir.attrs["quantity"] = "stretched"
    with pytest.raises(TileError, match="quantity 'stretched'"):
        as_cube(tile, [665.0, 842.0])


@pytest.mark.realdata
def test_enmap_opens_as_a_cube():
    import geotoolz as gz

    folder = data_path("hsi_enmap_potsdam_open")
    tile = gz.open_tile(folder / "enmap_l2a_20220724_224bands_int16.tif")
    centres = np.loadtxt(folder / "wavelengths_nm.txt")
    found = as_cube(tile, centres)
    row, col = (int(place[5000]) for place in np.nonzero(tile["band_1_418_24_Nanometers"].values != -32768))
    pixel = found.cube.isel(y=row, x=col).astype("f8")
    target = pixel.where(pixel > -9999)
    op = Sequential([ToCube(centres), MatchedFilter(target, shrinkage=1e-6)])
    frozen = freeze(op, tile)
    assert run(frozen, tile, window=(50, 40)).identical(frozen(tile))
    assert found.cube.shape == (224, 160, 96)
    assert np.flatnonzero(~Background()(found).used).tolist() == [129, 130, 131, 132, 133, 134]


@pytest.mark.parametrize("numbers", ["[0.1, 0.2]", "[null]"])
@pytest.mark.parametrize("load_text", [load, load_sandboxed])
def test_no_text_holds_a_spectrum(load_text, numbers):
    """What is loaded can be written again; numbers of an array stand in a file."""
    text = f"_target_: geotoolz.hyperspectral.ACE\nspectrum: {numbers}\n"
    with pytest.raises(GeotoolzError, match=r"line 2.*spectrum"):
        load_text(text)
