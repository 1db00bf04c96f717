"""Every operator of clouds and corrections keeps the contract."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from geotoolz.cloud import (
    ApplyMask,
    BufferMask,
    CloudFraction,
    CombineMasks,
    MaskClouds,
    MaskFromFlags,
    MaskFromQABits,
    MaskFromSCL,
    ProjectShadows,
    RemoveSmall,
    RemoveSmallPatches,
    SpectralClouds,
)
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.correction import DarkObjectSubtraction, SunZenithNormalize

TOA = partial(contract_tile, level="L1C")


def quality_tile(shape: tuple[int, int] = (37, 53), **options: Any) -> xr.Dataset:
    """Return a contract tile with the quality layers of further products, one of them as floats."""
    tile = contract_tile(shape, **options)
    rng = np.random.default_rng(7)
    dims, size = tile.scl.dims, tile.scl.shape
    flags = {"quantity": "flags", "long_name": "flags"}
    fmask = rng.choice(np.array([0, 2, 4, 8, 16, 32, 64, 130, 192, 255], np.uint8), size)
    state = rng.integers(0, 65536, size).astype(np.uint16).view(np.int16)
    floats = rng.choice(np.array([0, 1024, 2048, np.nan], np.float32), size)
    udm2 = {
        f"udm2_{name}": rng.random(size) < 0.2
        for name in ("clear", "cloud", "shadow", "haze_light", "haze_heavy")
    }
    return tile.assign(
        fmask=(dims, fmask, flags),
        state_1km=(dims, state, flags),
        qa_float=(dims, floats, flags),
        **{name: (dims, values.astype(np.uint8), flags) for name, values in udm2.items()},
    )


def reflectance_tile(shape: tuple[int, int] = (37, 53), **options: Any) -> xr.Dataset:
    """Return a contract tile whose reflectance nobody has divided by the cosine yet."""
    tile = contract_tile(shape, level="L1TP", **options)
    for name in tile.data_vars:
        if tile[name].attrs.get("quantity") == "toa_reflectance":
            tile[name].attrs["quantity"] = "reflectance"
    return tile.assign_attrs(platform="landsat-8")


class TestCloud(ContractSuite):
    module = "geotoolz.cloud"
    cases = (
        case(MaskClouds()),
        case(MaskClouds(("cloud", "shadow"), qa="qa_pixel")),
        case(MaskClouds(("cloud", "cirrus"), bands=("red", "nir"), qa="qa60")),
        case(MaskClouds(("cloud", "shadow"), qa="qa_pixel", min_confidence="medium")),
        case(MaskClouds(("cloud", "adjacent"), layer="fmask", bands=("red",)), quality_tile),
        case(MaskFromFlags()),
        case(MaskFromFlags(("water",), layer="fmask"), quality_tile),
        case(
            MaskFromFlags(("cloud", "cirrus", "snow"), layer="state_1km", min_confidence="high"), quality_tile
        ),
        case(MaskFromFlags(("cloud", "cirrus"), qa="qa_float", layer="qa60"), quality_tile),
        case(MaskFromFlags(("cloud", "shadow", "haze"), layer="udm2"), quality_tile),
        case(MaskFromQABits("qa60", (10, 11), "clouds")),
        case(MaskFromSCL(("cloud", "snow"), name="clouds")),
        case(ApplyMask("mask")),
        case(ApplyMask(MaskFromSCL(name="clouds"), bands=("red",))),
        case(BufferMask(35.0)),
        case(BufferMask(0.0, name="same")),
        case(ProjectShadows(min_height=20.0, max_height=90.0)),
        case(ProjectShadows(heights=(40.0, 75.0), max_nir=0.4, sun_azimuth=290.0, name="dark")),
        case(CombineMasks(("mask", "nir"), how="any", name="both")),
        case(CombineMasks(("mask", "nir"), how="all", name="both")),
        case(CombineMasks(("mask",), how="not", name="clear")),
        case(RemoveSmall(3)),
        case(RemoveSmall(min_area=600.0, connectivity=4, fill_holes=True, name="large")),
        case(RemoveSmallPatches("scl", (8, 9, 10), to=7, min_pixels=3)),
        case(RemoveSmallPatches("scl", (4, 5), 7, min_area=600.0, connectivity=4, together=False, name="a")),
        case(CloudFraction()),
        case(CloudFraction(("cloud", "haze"), layer="udm2", band="red"), quality_tile),
        case(CloudFraction(("cloud",), layer="fmask", band="red"), quality_tile),
        case(CloudFraction(mask="mask")),
        case(SpectralClouds(), TOA),
        case(SpectralClouds(hot=0.0, whiteness=0.9, name="bright"), TOA),
    )


class TestCorrection(ContractSuite):
    module = "geotoolz.correction"
    cases = (
        case(DarkObjectSubtraction(), TOA),
        case(DarkObjectSubtraction(percentile=0.5, residual=0.01, bands=("blue",)), TOA),
        case(SunZenithNormalize(), reflectance_tile),
        case(SunZenithNormalize(sun_elevation=30.0, bands=("red",)), reflectance_tile),
    )
