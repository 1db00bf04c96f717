"""Every hyperspectral operator beside something independent."""

from __future__ import annotations

import numpy as np
import xarray as xr

from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile
from geotoolz.hyperspectral import ACE, SAM, Background, Mag1c, MatchedFilter, SpectralResample, ToCube

BANDS = 30


def scene() -> xr.Dataset:
    """Return a reflectance cube of correlated bands, with a plume of a gas."""
    rng = np.random.default_rng(7)
    mix = rng.normal(size=(BANDS, 6)) * 0.02
    values = np.tensordot(mix, rng.normal(size=(6, 60, 70)), 1) + rng.uniform(0.2, 0.5, (BANDS, 1, 1))
    values += rng.normal(size=values.shape) * 0.004
    values[:, 20:30, 30:45] *= np.exp(-0.05 * absorption())[:, None, None]
    centres = ("wavelength", np.linspace(2130.0, 2480.0, BANDS), {"units": "nm"})
    return xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": centres})


def absorption() -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 1, BANDS)


def _image(tile: xr.Dataset) -> np.ndarray:
    return np.ascontiguousarray(tile.cube.values.transpose(1, 2, 0))


def _target(tile: xr.Dataset) -> np.ndarray:
    return tile.cube.values[:, 5, 6] * 1.2 + 0.05 * np.sin(np.arange(BANDS))


def _distance(found: xr.DataArray, expected: np.ndarray) -> float:
    return float(np.abs(found.values.astype(np.float64) - expected).max())


def _background() -> float:
    tile = scene()
    found = Background()(tile)
    return float(np.abs(found.covariance - np.cov(tile.cube.values.reshape(BANDS, -1))).max())


def _matched_filter() -> float:
    import spectral

    tile = scene()
    image, target = _image(tile), _target(tile)
    expected = spectral.matched_filter(image, target, spectral.calc_stats(image))
    return _distance(MatchedFilter(target)(tile).matched_filter, expected)


def _ace() -> float:
    import spectral

    tile = scene()
    image, target = _image(tile), _target(tile)
    return _distance(ACE(target)(tile).ace, spectral.ace(image, target, spectral.calc_stats(image)))


def _sam() -> float:
    import spectral

    tile = scene()
    target = _target(tile)
    expected = spectral.spectral_angles(_image(tile), target[None])[..., 0]
    return _distance(SAM(target)(tile).spectral_angle, expected)


def _mag1c() -> float:
    """Foote et al. (2020) in float64, straight from the paper's equations."""
    tile, gas = scene(), -absorption()
    x = tile.cube.values.reshape(BANDS, -1).T
    mu, s = x.mean(axis=0), np.cov(x.T)
    r = x @ mu / (mu @ mu)
    alpha = np.zeros(len(x))
    for turn in range(6):
        target = gas * mu
        weights = np.linalg.solve(s, target)
        with np.errstate(divide="ignore"):
            penalty = 1 / (r * alpha) if turn else 0.0
        alpha = np.maximum(((x - mu) @ weights - penalty) / (r * (target @ weights)), 0)
        left = x - (r * alpha)[:, None] * target
        mu, s = left.mean(axis=0), np.cov(left.T)
    found = Mag1c(gas, iterations=5, scale=1.0)(tile).methane
    return _distance(found, alpha.reshape(found.shape))


def _resample() -> float:
    tile = scene()
    centres, new, fwhm = tile.wavelength.values, np.array([2200.0, 2300.0, 2410.0]), 40.0
    expected = []
    for centre in new:  # bands of equal spacing: the weights are the responses
        weights = np.exp(-0.5 * ((centres - centre) / (fwhm / np.sqrt(8 * np.log(2)))) ** 2)
        weights[np.abs(centres - centre) > 2 * fwhm] = 0
        expected.append(np.tensordot(weights / weights.sum(), tile.cube.values, 1))
    return _distance(SpectralResample(new, fwhm)(tile).cube, np.array(expected))


def _stack() -> float:
    tile = contract_tile()
    found = ToCube((665.0, 842.0), bands=("red", "nir"))(tile).cube
    expected = np.stack([tile.red.values, tile.nir.values])
    return float((found.values.view("u4") != expected.view("u4")).sum())


class TestHyperspectral(ReferenceSuite):
    module = "geotoolz.hyperspectral"
    references = (
        Reference(
            Background,
            "numpy.cov in float64",
            _background,
            1e-9,
            bad_input="test_hyperspectral.py::test_tiles_of_two_sensors_are_refused",
        ),
        Reference(
            MatchedFilter,
            "spectral.matched_filter (SPy 0.25) in float64",
            _matched_filter,
            1e-6,
            bad_input="test_hyperspectral.py::test_targets_of_another_length_or_grid_are_refused",
        ),
        Reference(
            ACE,
            "spectral.ace in float64",
            _ace,
            1e-6,
            bad_input="test_hyperspectral.py::test_a_singular_covariance_says_its_rank_and_what_to_do",
        ),
        Reference(
            SAM,
            "spectral.spectral_angles in float64",
            _sam,
            1e-6,
            "rad",
            bad_input="test_hyperspectral.py::test_wrong_input_of_angles",
        ),
        Reference(
            Mag1c,
            "Foote et al. (2020), their equations in NumPy float64",
            _mag1c,
            1e-6,
            bad_input="test_hyperspectral_gas.py::test_wrong_input_of_mag1c",
        ),
        Reference(
            SpectralResample,
            "Gaussian band averages in NumPy float64",
            _resample,
            1e-6,
            bad_input="test_hyperspectral_gas.py::test_wrong_input_of_resampling",
        ),
        Reference(
            ToCube,
            "numpy.stack",
            _stack,
            0,
            "pixels that differ",
            bad_input="test_hyperspectral.py::test_bands_that_are_no_cube",
        ),
    )
