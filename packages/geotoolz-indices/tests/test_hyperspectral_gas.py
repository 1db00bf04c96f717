"""Gas retrieval, unit absorption, resampling, spectral libraries: formulas, real data, wrong input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    ReadError,
    Ref,
    Sequential,
    TileError,
    TileSpec,
    freeze,
    run,
)
from geotoolz.core.testing import data_path
from geotoolz.hyperspectral import (
    SAM,
    Mag1c,
    MatchedFilter,
    SpectralLibrary,
    SpectralResample,
    read_library,
    read_spectrum,
    unit_absorption,
)
from geotoolz.hyperspectral._cube import cube_of

CENTRES = np.linspace(2130.0, 2480.0, 8)


def cube(values, wavelengths=CENTRES, **coords) -> xr.Dataset:
    """Return a tile with one cube."""
    made = xr.Dataset({"cube": (("wavelength", "y", "x"), np.asarray(values))})
    return made.assign_coords(wavelength=("wavelength", wavelengths, {"units": "nm"}), **coords)


def scene(seed=0, shape=(8, 24, 31)):
    """Return a cube with a plume, the absorption of its gas, and how much of it there is."""
    rng = np.random.default_rng(seed)
    gas = -rng.uniform(0.1, 1.0, shape[0])
    brightness = rng.uniform(0.6, 1.4, shape[1:])
    mix = rng.normal(size=(shape[0], shape[0])) * 0.002
    values = brightness * rng.uniform(0.5, 1, (shape[0], 1, 1)) + np.einsum(
        "ab,byx->ayx", mix, rng.normal(size=shape)
    )
    amount = np.zeros(shape[1:])
    amount[4:8, 5:12] = 0.05
    return cube(values * np.exp(gas[:, None, None] * amount)), gas, amount


def mag1c_by_hand(x, gas, iterations, albedo=True, sparse=True):
    """Return the amounts of Foote et al. (2020) in float64, for pixels × bands."""

    def statistics(values):
        mu = values.mean(axis=0)
        target = gas * mu
        return mu, target, np.linalg.solve(np.cov(values.T), target)

    mu, target, weights = statistics(x)
    r = x @ mu / (mu @ mu) if albedo else np.ones(len(x))
    alpha = np.maximum((x - mu) @ weights / (r * (target @ weights)), 0)
    for _ in range(iterations):
        mu, target, weights = statistics(x - (r * alpha)[:, None] * target)
        with np.errstate(divide="ignore"):
            w = 1 / (r * alpha) if sparse else 0.0
        alpha = np.maximum(((x - mu) @ weights - w) / (r * (target @ weights)), 0)
    return alpha


# ---- mag1c -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("albedo", "sparse"), [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.parametrize("iterations", [0, 1, 6])
def test_mag1c_by_hand(albedo, sparse, iterations):
    tile, gas, _ = scene()
    x = tile.cube.values.reshape(8, -1).T
    expected = mag1c_by_hand(x, gas, iterations, albedo, sparse).reshape(tile.cube.shape[1:])
    op = Mag1c(gas, iterations=iterations, albedo=albedo, sparse=sparse, scale=1.0)
    np.testing.assert_allclose(op(tile).methane, expected, rtol=1e-3, atol=1e-5)


def test_mag1c_finds_the_plume():
    tile, gas, amount = scene()
    found = Mag1c(gas, scale=1.0)(tile).methane.values
    plume = amount > 0
    assert found[plume].mean() == pytest.approx(0.05, rel=0.1)
    assert (found[~plume] == 0).mean() > 0.9
    plain = Mag1c(gas, iterations=0, albedo=False, sparse=False, scale=1.0)(tile).methane.values
    assert np.abs(found - amount).mean() < np.abs(plain - amount).mean()


def test_mag1c_frozen_in_windows_is_the_same():
    tile, gas, _ = scene()
    op = Mag1c(gas, iterations=4)
    ops = [freeze(op, tile, threads=n, window=w) for n, w in ((1, None), (3, (5, 7)), (2, (24, 3)))]
    assert ops[0] == ops[1] == ops[2] and ops[0].is_frozen
    assert run(ops[0], tile, window=(6, 10), threads=2).identical(op(tile))


def test_mag1c_leaves_out_what_says_nothing():
    tile, gas, _ = scene()
    tile.cube.values[3, 0, 0] = np.nan
    tile.cube.values[:, 1, 1] *= -1
    out = Mag1c(gas, iterations=2)(tile).methane
    assert np.isnan(out.values[0, 0]) and np.isnan(out.values[1, 1]) and int(out.isnull().sum()) == 2
    tile.cube.values[...] = np.nan
    assert Mag1c(gas, iterations=2)(tile).methane.isnull().all()


def test_wrong_input_of_mag1c():
    tile, gas, _ = scene()
    with pytest.raises(ParameterError, match="iterations=-1"):
        Mag1c(gas, iterations=-1)
    with pytest.raises(ParameterError, match="0 in all bands"):
        Mag1c(np.zeros(8))(tile)
    with pytest.raises(ParameterError, match="no band lies in 2122"):
        Mag1c(gas)(cube(tile.cube.values, np.linspace(400, 800, 8)))
    with pytest.raises(ParameterError, match="freeze again"):
        freeze(Mag1c(gas, iterations=2), tile).replace(iterations=3)
    with pytest.raises(TileError, match="7 values"):
        Mag1c(gas[:7])(tile)
    with pytest.raises(TileError, match="the filters are of 8 bands"):
        freeze(Mag1c(gas, iterations=1), tile).replace(spectrum=np.ones(4))(
            cube(np.ones((4, 3, 3)), CENTRES[:4])
        )
    tile.cube.values[7] = tile.cube.values[6]
    with pytest.raises(TileError, match="Mag1c: the covariance of 8 bands is singular: rank 7"):
        Mag1c(gas)(tile)
    assert np.isfinite(Mag1c(gas, shrinkage=0.01, iterations=2)(tile).methane).all()


@pytest.mark.realdata
def test_a_plume_put_into_a_real_scene_is_found():
    """The experiment of docs/guide/hyperspectral.md."""
    from scipy.io import loadmat

    held = loadmat(data_path("hsi_aviris_full_224band_wavelengths") / "a_hsi_img_for_VI_demo.mat")
    centres = held["wavelengths"][:, 0]
    gas = unit_absorption(centres, 10.0, table=data_path("ch4_target_spectra") / "ch4.lut")
    y, x = np.mgrid[:90, :90]
    truth = 10_000.0 * np.exp(-(((y - 45) / 6) ** 2) - ((x - 40) / 14) ** 2) * (x > 25)
    truth[truth < 100] = 0
    values = held["hsi_img"].transpose(2, 0, 1) * 1e-4 * np.exp(gas[:, 1, None, None] * truth / 1e5)
    tile, plume, clear = cube(values.astype(np.float32), centres), truth > 2000, truth == 0
    plain = Mag1c(gas, iterations=0, albedo=False, sparse=False)(tile).methane.values
    found = Mag1c(gas)(tile).methane.values
    assert found[plume].sum() / truth[plume].sum() == pytest.approx(0.71, abs=0.02)
    assert np.corrcoef(truth[plume], found[plume])[0, 1] > np.corrcoef(truth[plume], plain[plume])[0, 1]
    assert found[clear].std() < plain[clear].std() and (found[clear] == 0).mean() > 0.9


# ---- unit absorption ---------------------------------------------------------------------------------------


def test_unit_absorption_of_a_made_up_gas():
    at = np.arange(2000.0, 2500.0, 0.5)
    amounts = (0.0, 1000.0, 3000.0)
    radiances = np.exp(-np.outer(amounts, np.full(at.size, 2e-6)))
    found = unit_absorption([2100.0, 2300.0, 3000.0], 8.0, table=(at, radiances), amounts=amounts)
    np.testing.assert_allclose(found, [[2100, -0.2], [2300, -0.2], [3000, 0]], atol=1e-9)


@pytest.mark.realdata
def test_unit_absorption_of_methane_is_the_published_one():
    folder = data_path("ch4_target_spectra")
    centres, published = (np.load(folder / f"aviris_mag1c_{n}.npy") for n in ("centers", "spectrum"))
    found = unit_absorption(centres, 6.0, table=folder / "ch4.lut")
    assert np.abs(found[:, 1] - published).max() < 0.006
    assert published.min() < -1.5
    text = read_spectrum(folder / "ang_ch4_unit_3col_425chan.txt")
    assert text.shape == (425, 2) and text[0, 0] == 376.35


def test_wrong_input_of_unit_absorption():
    at = np.arange(2000.0, 2010.0)
    with pytest.raises(ParameterError, match=r"shape \(2, 10\)"):
        unit_absorption([2005.0], 2.0, table=(at, np.ones((2, 10))))
    with pytest.raises(ParameterError, match="no positive number"):
        unit_absorption([-5.0], 2.0, table=(at, np.ones((2, 10))), amounts=(0, 1))
    with pytest.raises(ReadError, match="cannot be read"):
        unit_absorption([2005.0], 2.0, table="nowhere.lut")


# ---- resampling --------------------------------------------------------------------------------------------


def weights_by_hand(centres, centre, fwhm):
    steps = np.gradient(centres)
    steps[0], steps[-1] = centres[1] - centres[0], centres[-1] - centres[-2]
    raw = np.exp(-4 * np.log(2) * ((centres - centre) / fwhm) ** 2) * steps
    raw[np.abs(centres - centre) > 2 * fwhm] = 0
    return raw / raw.sum()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), bands=st.integers(3, 30), fwhm=st.floats(30, 400))
def test_gaussian_averages_against_brute_force(seed, bands, fwhm):
    rng = np.random.default_rng(seed)
    centres = np.cumsum(rng.uniform(5, 20, bands)) + 400
    values = rng.random((bands, 3, 4))
    new = np.sort(rng.uniform(centres[0], centres[-1], 4))
    # least: at the ends a response may hang over, and its part inside is averaged
    out = SpectralResample(new, fwhm, least=0.01)(cube(values, centres))
    expected = [np.tensordot(weights_by_hand(centres, c, fwhm), values, 1) for c in new]
    np.testing.assert_allclose(out.cube, expected, atol=1e-6)
    np.testing.assert_array_equal(out.wavelength, new)
    np.testing.assert_allclose(out.fwhm, fwhm)


def test_the_order_of_the_bands_does_not_matter():
    tile, _, _ = scene()
    mixed = tile.isel(wavelength=[3, 1, 0, 2, 7, 6, 5, 4])
    op = SpectralResample((2200.0, 2300.0), 90.0)
    np.testing.assert_allclose(op(mixed).cube, op(tile).cube, rtol=1e-6)


def test_response_functions_make_bands():
    tile = cube(np.arange(8.0)[:, None, None] * np.ones((8, 2, 3)), np.arange(400.0, 480.0, 10))
    table = np.array([[410.0, 1, 0], [420, 1, 0], [430, 0, 0], [440, 0, 0], [450, 0, 1], [460, 0, 1]])
    out = SpectralResample(responses=table, names=("blue", "green"))(tile)
    assert "wavelength" not in out.sizes and set(out.data_vars) == {"blue", "green"}
    assert out.blue.dtype == np.float32 and out.blue.attrs["wavelength_nm"] == 415.0
    np.testing.assert_allclose(out.blue, 1.5)
    np.testing.assert_allclose(out.green, 5.5)


def test_no_data_stays_or_is_made_up_for():
    values = np.arange(10.0)[:, None, None] * np.ones((10, 1, 2))
    values[3, 0, 0] = np.nan
    tile = cube(values, np.arange(400.0, 500.0, 10))
    op = SpectralResample((430.0, 470.0), 18.0)
    strict, lenient = op(tile).cube.values, op.replace(least=0.4)(tile).cube.values
    assert np.isnan(strict[0, 0, 0]) and np.isfinite(strict[1]).all()
    assert lenient[0, 0, 0] == pytest.approx(3.0) and strict[0, 0, 1] == lenient[0, 0, 1]


def test_a_response_that_hangs_over_the_end_is_refused():
    centres = np.arange(400.0, 1001.0, 5.0)
    tile = cube(centres[:, None, None] * np.ones((1, 2, 2)), centres)  # every band holds its wavelength
    with pytest.raises(TileError, match=r"400\.0 nm, or not for enough of their response.*least=0\.5"):
        SpectralResample((400.0,), 40.0)(tile)
    half = SpectralResample((400.0,), 40.0, least=0.5)(tile)  # 56 % from 397.5 on
    assert float(half.cube[0, 0, 0]) == pytest.approx(412, abs=1)
    # σ = 17 nm: of 437 nm 1.0 % lies below 397.5, of 436 nm 1.2 %
    near = SpectralResample((437.5, 500.0), 40.0)(tile).cube[:, 0, 0]
    assert float(near[0]) == pytest.approx(437.5 + 0.011 * 40, abs=0.15)
    assert float(near[1]) == pytest.approx(500, abs=1e-3)
    with pytest.raises(TileError, match=r"436\.0 nm"):
        SpectralResample((436.0,), 40.0)(tile)


def test_a_gap_covers_nothing():
    centres = np.concatenate([np.arange(400.0, 701.0, 5.0), np.arange(800.0, 1001.0, 5.0)])
    tile = cube(centres[:, None, None] * np.ones((1, 2, 2)), centres)
    with pytest.raises(TileError, match=r"at 700\.0, 750\.0 nm"):
        SpectralResample((650.0, 700.0, 750.0, 850.0), 40.0)(tile)
    beside = SpectralResample((700.0,), 40.0, least=0.5)(tile)
    # 702.5 nm and below: the mirror image of the beginning of a cube, not the 50 nm to the middle of the gap
    assert float(beside.cube[0, 0, 0]) == pytest.approx(700 - 12, abs=1)


def test_widths_have_units_of_their_own():
    centres = np.array([500.0, 510.0, 520.0])
    tile = cube(np.ones((3, 1, 1)), centres)
    for values, units in (([8.0, 9, 10], None), ([0.008, 0.009, 0.010], "um"), ([8.0, 9, 10], "nm")):
        coord = ("wavelength", values, {} if units is None else {"units": units})
        found = cube_of(TileSpec.of(tile.assign_coords(fwhm=coord)), None, "x").fwhm
        np.testing.assert_allclose(found, [8, 9, 10])
    micro = tile.assign_coords(wavelength=("wavelength", centres / 1000, {"units": "um"}))
    mixed = micro.assign_coords(fwhm=("wavelength", [8.0, 9, 10], {"units": "nm"}))
    np.testing.assert_allclose(cube_of(TileSpec.of(mixed), None, "x").fwhm, [8, 9, 10])
    plain = micro.assign_coords(fwhm=("wavelength", [0.008, 0.009, 0.010]))
    np.testing.assert_allclose(cube_of(TileSpec.of(plain), None, "x").fwhm, [8, 9, 10])
    with pytest.raises(TileError, match="fwhm has units 'cm-1'"):
        cube_of(
            TileSpec.of(tile.assign_coords(fwhm=("wavelength", [1.0, 1, 1], {"units": "cm-1"}))), None, "x"
        )


def test_a_pipeline_goes_on_with_the_new_bands():
    tile, _, _ = scene()
    target = np.array([0.5, 0.6, 0.7])
    pipeline = Sequential([SpectralResample((2180.0, 2300.0, 2420.0), 60.0), SAM(target)])
    out = pipeline(tile)
    alone = SAM(target)(SpectralResample((2180.0, 2300.0, 2420.0), 60.0)(tile))
    assert out.identical(alone) and out.sizes["wavelength"] == 3


@pytest.mark.realdata
def test_aviris_to_the_bands_of_another_sensor():
    from scipy.io import loadmat

    held = loadmat(data_path("hsi_aviris_full_224band_wavelengths") / "a_hsi_img_for_VI_demo.mat")
    values, centres = held["hsi_img"].transpose(2, 0, 1), held["wavelengths"][:, 0]
    tile = cube(values, centres * (1000.0 if centres.max() < 100 else 1.0))
    out = SpectralResample((560.0, 665.0, 842.0), (36.0, 31.0, 106.0), names=("green", "red", "nir"))(tile)
    at = np.argmin(np.abs(tile.wavelength.values - 665))
    assert float(out.red.mean()) == pytest.approx(float(tile.cube[at].mean()), rel=0.03)


def test_wrong_input_of_resampling():
    tile, _, _ = scene()
    with pytest.raises(TileError, match=r"no bands for new ones at 900.0 nm"):
        SpectralResample((900.0, 2200.0), 20.0)(tile)
    with pytest.raises(TileError, match="2600"):
        SpectralResample((2600.0,), method="linear")(tile)
    with pytest.raises(ParameterError, match="wavelengths="):
        SpectralResample()
    with pytest.raises(ParameterError, match="names has 1 values"):
        SpectralResample((500.0, 600.0), names=("a",))
    with pytest.raises(ParameterError, match="every name once"):
        SpectralResample((500.0, 600.0), names=("a", "a"))
    with pytest.raises(ParameterError, match="least=0"):
        SpectralResample((500.0,), least=0.0)
    with pytest.raises(ParameterError, match="below 0"):
        SpectralResample((-500.0,))
    with pytest.raises(ParameterError, match="responses has shape"):
        SpectralResample((2200.0,), responses=np.ones((5, 3)))(tile)


# ---- libraries ---------------------------------------------------------------------------------------------


def write_sli(folder, *, missing="") -> str:
    names = "Kaolinite  CM9, Calcite WS272, Kaolinite CM3"
    lines = ["ENVI", "samples = 4", "lines = 3", "bands = 1", "header offset = 0", "data type = 4",
             "file type = ENVI Spectral Library", "interleave = bsq", "byte order = 0",
             "wavelength units = Micrometers", "data ignore value = -1.23e+34",
             f"spectra names = {{\n {names}}}", "wavelength = {\n 0.5, 0.6,\n 0.7, 0.8}"]  # fmt: skip
    (folder / "lib.hdr").write_text(
        "\n".join(line for line in lines if not missing or not line.startswith(missing))
    )
    table = np.arange(12, dtype="<f4").reshape(3, 4)
    table[1, 2] = -1.23e34
    table.tofile(folder / "lib.sli")
    return str(folder / "lib.sli")


def test_envi_libraries(tmp_path):
    library = read_library(write_sli(tmp_path))
    assert list(library) == ["Kaolinite CM9", "Calcite WS272", "Kaolinite CM3"] and len(library) == 3
    np.testing.assert_allclose(library["calcite"], [[500, 4], [600, 5], [700, np.nan], [800, 7]])
    np.testing.assert_allclose(read_spectrum(tmp_path / "lib.sli", "kaolinite cm3")[:, 1], [8, 9, 10, 11])
    with pytest.raises(MissingVariableError, match="may mean 2 spectra"):
        library["kaolinite"]
    with pytest.raises(MissingVariableError, match="no spectrum 'Dolomite'"):
        library["Dolomite"]
    with pytest.raises(ReadError, match="3 spectra"):
        read_spectrum(tmp_path / "lib.sli")


def test_broken_libraries(tmp_path):
    for field in ("bands", "data type", "wavelength ="):
        with pytest.raises(ReadError):
            read_library(write_sli(tmp_path, missing=field))
    path = write_sli(tmp_path)
    (tmp_path / "lib.sli").write_bytes(b"short")
    with pytest.raises(ReadError, match="5 bytes"):
        read_library(path)
    (tmp_path / "words.csv").write_text("name,a,b\nx,1,2\n")
    with pytest.raises(ReadError, match="no spectral library"):
        read_library(tmp_path / "words.csv")
    (tmp_path / "odd.csv").write_text("500,0.1\n600\n")
    with pytest.raises(ReadError, match="line 2"):
        read_spectrum(tmp_path / "odd.csv")
    with pytest.raises(ReadError, match="cannot be read"):
        read_spectrum(tmp_path / "nowhere.csv")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00nonsense")
    with pytest.raises(ReadError):
        MatchedFilter(Ref.of(tmp_path / "bad.npy"))(scene()[0])


def test_micrometres_become_nanometres(tmp_path):
    (tmp_path / "a.txt").write_text("# title\n0.5 0.1\n0.6 0.2\n")
    np.testing.assert_allclose(read_spectrum(tmp_path / "a.txt"), [[500, 0.1], [600, 0.2]])
    (tmp_path / "values.csv").write_text("0.1\n0.2\n")
    assert read_spectrum(tmp_path / "values.csv").tolist() == [0.1, 0.2]


def test_libraries_are_read_only_mappings():
    library = SpectralLibrary([500.0], {"a": [1.0]})
    assert dict(library)["a"].tolist() == [[500.0, 1.0]] and "1 spectra" in repr(library)
    with pytest.raises(ValueError, match="read-only"):
        library.wavelengths[0] = 1


@pytest.mark.realdata
def test_the_usgs_and_emit_libraries():
    usgs = read_library(data_path("speclib_usgs_splib07_aviris95") / "s07_AV95_envi.sli")
    assert len(usgs) == 3139 and usgs.wavelengths.size == 224
    kaolinite = usgs["Kaolinite CM9 NIC4b RREF"]
    deep = kaolinite[np.nanargmin(np.where(kaolinite[:, 0] > 2100, kaolinite[:, 1], np.nan)), 0]
    assert deep == pytest.approx(2208, abs=15) or deep > 2400
    emit = read_library(data_path("emit_small") / "basic_endmember_library.csv")
    assert len(emit) > 2 and math.isclose(emit.wavelengths[0], 365.92981)
