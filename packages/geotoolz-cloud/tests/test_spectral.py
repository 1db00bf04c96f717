"""Clouds by reflectance, test by test, and on expert masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.cloud import SpectralClouds
from geotoolz.core import MissingVariableError, ParameterError, QuantityError, check, tile_from_arrays
from geotoolz.core.testing import data_path

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
CLOUD = (0.40, 0.41, 0.42, 0.45, 0.35, 0.25)


def tile(*pixels: tuple[float, ...], quantity: str = "toa_reflectance", **attrs: Any) -> xr.Dataset:
    values = np.array(pixels, "f4").T[:, None]
    box = GeoBox(values.shape[1:], Affine(30, 0, 5e5, 0, -30, 5e6), "EPSG:32633")
    return tile_from_arrays(
        dict(zip(BANDS, values, strict=True)),
        box,
        attrs={"processing_level": "L1C"},
        var_attrs={band: {"quantity": quantity, "units": "1", **attrs} for band in BANDS},
    )


def test_every_test_alone_clears_a_pixel() -> None:
    b, g, r, n, s, t = CLOUD
    pixels = {
        "cloud": CLOUD,
        "dark at 2.2 µm": (b, g, r, n, s, 0.02),
        "snow": (b, 0.9, r, n, 0.09, t),
        "vegetation": (0.12, 0.12, 0.05, 0.5, s, t),
        "coloured": (0.5, 0.2, 0.1, n, s, t),
        "no haze": (0.20, 0.22, 0.26, n, s, t),
        "rock": (b, g, r, 0.25, 0.4, t),
        "black": (0, 0, 0, 0, 0, 0.1),
        "negative": (-0.1, -0.1, -0.1, -0.1, -0.1, 0.1),
        "no data": (b, g, float("nan"), n, s, t),
    }
    out = SpectralClouds()(tile(*pixels.values())).cloud.values[0]
    assert dict(zip(pixels, out.tolist(), strict=True)) == {name: name == "cloud" for name in pixels}
    assert SpectralClouds(hot=0.05)(tile(pixels["no haze"])).cloud.values.all()
    assert SpectralClouds(whiteness=2.0)(tile(pixels["coloured"])).cloud.values.all()


def expert(sensor: str) -> tuple[xr.Dataset, np.ndarray[Any, Any]]:
    """Return reflectance and the expert's classes (0 shadow, 1 water, 3 land, 4 cloud)."""
    held = np.load(data_path("cloudmask_reference_csmask") / f"{sensor}_toa6band_and_mask.npz")
    image, truth = np.moveaxis(held["img"], -1, 0), held["msk"][..., 0]
    box = GeoBox(truth.shape, Affine(30, 0, 5e5, 0, -30, 5e6), "EPSG:32633")
    attrs = {band: {"quantity": "toa_reflectance", "units": "1"} for band in BANDS}
    return tile_from_arrays(dict(zip(BANDS, image, strict=True)), box, var_attrs=attrs), truth


@pytest.mark.parametrize(
    ("sensor", "precision", "recall"), [("landsat7", 0.98, 0.69), ("sentinel2", 0.76, 0.92)]
)
def test_expert_masks(sensor: str, precision: float, recall: float) -> None:
    ds, truth = expert(sensor)
    found, cloud = SpectralClouds()(ds).cloud.values, truth == 4
    hits = int((found & cloud).sum())
    assert hits / found.sum() >= precision
    assert hits / cloud.sum() >= recall


def test_bad_input() -> None:
    with pytest.raises(QuantityError, match=r"'blue', which holds digital numbers.*DNToReflectance"):
        SpectralClouds()(tile(CLOUD, quantity="dn"))
    with pytest.raises(QuantityError, match="stretched"):
        SpectralClouds()(tile(CLOUD, quantity="stretched"))
    with pytest.raises(MissingVariableError, match="reads 'swir22'"):
        SpectralClouds()(tile(CLOUD).drop_vars("swir22"))
    with pytest.raises(ParameterError, match="whiteness"):
        SpectralClouds(whiteness=0.0)
    (finding,) = check(SpectralClouds(), tile(CLOUD, quantity="surface_reflectance"))
    assert "top-of-atmosphere" in finding.message
