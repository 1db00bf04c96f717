"""What the operators of clouds are compared with."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

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
from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile, data_path

SHAPE = (120, 140)


def _differ(ours: Any, theirs: Any) -> float:
    """Return how many pixels are not the same."""
    a, b = np.asarray(ours), np.asarray(theirs)
    same = (a == b) | ((a != a) & (b != b))
    return float((~same).sum())


def _mask(share: float = 0.01, smooth: int = 0) -> tuple[xr.Dataset, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(11)
    values = rng.random(SHAPE) < share
    if smooth:
        values = ndimage.uniform_filter(rng.random(SHAPE), smooth) > 0.5
    tile = contract_tile(SHAPE)
    return tile.assign(mask=(("y", "x"), values, {"quantity": "mask"})), values


def _flags() -> float:
    """Return the deviation from plain integers: every number of 16 bits, every flag of QA_PIXEL."""
    every = np.arange(65536, dtype="u2").reshape(256, 256)
    tile = contract_tile((256, 256)).assign(qa_pixel=(("y", "x"), every.view("i2"), {"quantity": "flags"}))
    numbers, wrong = every.astype(int), 0.0
    for flag, bit in {"cloud": 3, "shadow": 4, "snow": 5, "cirrus": 2, "dilated": 1, "water": 7}.items():
        ours = MaskFromFlags((flag,), layer="qa_pixel")(tile).mask.values
        wrong += _differ(ours, numbers // 2**bit % 2 == 1)
    for flag, shift in {"cloud": 8, "shadow": 10, "snow": 12, "cirrus": 14}.items():
        for level, least in {"low": 1, "medium": 2, "high": 3}.items():
            ours = MaskFromFlags((flag,), layer="qa_pixel", min_confidence=level)(tile).mask.values
            wrong += _differ(ours, numbers // 2**shift % 4 >= least)
    return wrong


def _bits() -> float:
    """Return the deviation from NumPy on every number of 16 bits, stored with a sign."""
    every = np.arange(65536, dtype="u2").reshape(256, 256)
    tile = contract_tile((256, 256)).assign(qa60=(("y", "x"), every.view("i2"), {"quantity": "flags"}))
    ours = MaskFromQABits("qa60", (10, 11, 15))(tile).mask.values
    return _differ(ours, every.astype(int) & (1 << 10 | 1 << 11 | 1 << 15) != 0)


def _scl() -> float:
    """Return the deviation from numpy.isin on a real scene classification, coded lossily."""
    tile = _croatia()
    return _differ(
        MaskFromSCL(("cloud", "cirrus", "shadow"))(tile).mask, np.isin(tile.scl.values, [3, 8, 9, 10])
    )


def _croatia() -> xr.Dataset:
    import rasterio

    folder = data_path("s2_l2a_33TWL_croatia")
    path = next(iter(sorted(folder.rglob("*SCL*.tif"))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # JPEG2000 without a grid
        with rasterio.open(path) as file:
            scl = file.read(1)
    tile = contract_tile(scl.shape)
    return tile.assign(scl=(("y", "x"), scl, {"quantity": "flags"}))[["red", "nir", "scl"]]


def _clouds() -> float:
    """Return the deviation from numpy.where on a real scene classification."""
    tile = _croatia()
    expected = np.where(np.isin(tile.scl.values, [3, 8, 9, 10]), np.nan, tile.red.values)
    return _differ(MaskClouds()(tile).red, expected)


def _landsat_share() -> float:
    """Return the deviation from the scene's own metadata, in shares of the scene."""
    import rasterio

    folder = data_path("ls8_c2l2_colombia_008059_cloudy")
    path = next(iter(sorted(folder.rglob("*QA_PIXEL*.[tT][iI][fF]"))))
    with rasterio.open(path) as file:
        qa = file.read(1)
    tile = contract_tile(qa.shape).assign(qa_pixel=(("y", "x"), qa, {"quantity": "flags"}))
    return abs(CloudFraction(("cloud",), layer="qa_pixel")(tile) - 0.8102)  # CLOUD_COVER of its MTL


def _apply() -> float:
    """Return the deviation from Dataset.where."""
    tile = contract_tile(SHAPE)
    return _differ(ApplyMask("mask")(tile).red, tile.red.where(~tile["mask"]))


def _buffer() -> float:
    """Return the deviation from a distance transform: pixels of 10 × 10 m, several distances."""
    tile, mask = _mask()
    distance = ndimage.distance_transform_edt(~mask, sampling=(10, 10))
    return sum(_differ(BufferMask(d)(tile)["mask"], distance <= d) for d in (0.0, 10.0, 25.0, 50.0, 333.0))


def _combine() -> float:
    """Return the deviation from numpy on bool masks."""
    tile, mask = _mask(0.3)
    other = contract_tile(SHAPE)["mask"].values
    tile = tile.assign(other=(("y", "x"), other, {"quantity": "mask"}))
    results = {
        how: CombineMasks(("mask", "other"), how=how, name="m")(tile).m for how in ("any", "all", "not")
    }
    expected = {"any": mask | other, "all": mask & other, "not": ~(mask | other)}
    return sum(_differ(results[how], expected[how]) for how in expected)


def _shadow() -> float:
    """Return the deviation from copies of the mask moved by the formula, in a wide frame of zeros."""
    tile, mask = _mask(0.02)
    frame = 60
    wide = np.pad(mask, frame)
    expected = np.zeros_like(wide)
    heights = (100.0, 220.0, 500.0)
    for height in heights:
        d = height * math.tan(math.radians(90 - tile.attrs["sun_elevation"])) / 10
        row = round(d * math.cos(math.radians(tile.attrs["sun_azimuth"])))
        col = round(-d * math.sin(math.radians(tile.attrs["sun_azimuth"])))
        expected |= np.roll(wide, (row, col), (0, 1))  # the frame is wider than any shift
    inner = expected[frame:-frame, frame:-frame] & ~mask
    return _differ(ProjectShadows(heights=heights)(tile).shadow, inner)


def _small() -> float:
    """Return the deviation from scikit-image."""
    from skimage import morphology

    tile, mask = _mask(smooth=5)
    wrong = 0.0
    for connectivity, rank in ((8, 2), (4, 1)):
        large = morphology.remove_small_objects(mask, max_size=11, connectivity=rank)
        full = morphology.remove_small_holes(large, max_size=11, connectivity=3 - rank)
        op = RemoveSmall(12, connectivity=connectivity)
        wrong += _differ(op(tile)["mask"], large)
        wrong += _differ(op.replace(fill_holes=True)(tile)["mask"], full)
    return wrong


def _patches() -> float:
    """Return the deviation from scikit-image, the classes taken together and each by itself."""
    from skimage import morphology

    tile, mask = _mask(smooth=5)
    classes = np.where(mask, 1 + (np.arange(mask.shape[1]) // 9 % 2), 0).astype("u1")
    tile = tile.assign(classes=(("y", "x"), classes))
    wrong = 0.0
    for together, groups in ((True, [(1, 2)]), (False, [(1,), (2,)])):
        expected = classes.copy()
        for group in groups:
            held = np.isin(classes, group)
            expected[held & ~morphology.remove_small_objects(held, max_size=11, connectivity=2)] = 7
        op = RemoveSmallPatches("classes", (1, 2), 7, min_pixels=12, together=together)
        wrong += _differ(op(tile)["classes"], expected)
    return wrong


def _spectral() -> float:
    """Return the deviation from the paper's ratios, in float64, on a real Sentinel-2 image."""
    image = np.load(data_path("cloudmask_reference_csmask") / "sentinel2_toa6band_and_mask.npz")["img"]
    names = ("blue", "green", "red", "nir", "swir16", "swir22")
    tile = contract_tile(image.shape[:2], level="L1C", gaps=False)
    tile = tile.assign({n: (("y", "x"), image[..., i], tile[n].attrs) for i, n in enumerate(names)})
    blue, green, red, nir, swir16, swir22 = (image[..., i].astype("f8") for i in range(6))
    mean = (blue + green + red) / 3
    white = (abs(blue - mean) + abs(green - mean) + abs(red - mean)) / mean < 0.7
    basic = (swir22 > 0.03) & ((green - swir16) / (green + swir16) < 0.8) & ((nir - red) / (nir + red) < 0.8)
    expected = basic & white & (blue - 0.5 * red - 0.08 > 0) & (nir / swir16 > 0.75)
    return _differ(SpectralClouds()(tile).cloud, expected)


PIXELS = "pixels that differ"


class TestCloud(ReferenceSuite):
    module = "geotoolz.cloud"
    references = (
        Reference(
            MaskFromFlags,
            "integer arithmetic on all 65 536 values of QA_PIXEL, LSDS-1619",
            _flags,
            0.0,
            PIXELS,
            "test_products.py::test_unknown_flags_name_what_the_product_has",
        ),
        Reference(
            MaskFromQABits,
            "numpy.bitwise_and on all 65 536 values of int16",
            _bits,
            0.0,
            PIXELS,
            "test_masks.py::test_bits_beyond_the_layer",
        ),
        Reference(
            MaskFromSCL,
            "numpy.isin on the scene classification of T33TWL",
            _scl,
            0.0,
            PIXELS,
            "test_masks.py::test_layers_of_another_kind_are_refused",
        ),
        Reference(
            MaskClouds,
            "numpy.where with numpy.isin on the scene classification of T33TWL",
            _clouds,
            0.0,
            PIXELS,
            "test_masks.py::test_what_mask_clouds_refuses",
        ),
        Reference(
            ApplyMask,
            "xarray.Dataset.where",
            _apply,
            0.0,
            PIXELS,
            "test_masks.py::test_what_apply_mask_refuses",
        ),
        Reference(
            BufferMask,
            "scipy.ndimage.distance_transform_edt, 5 distances",
            _buffer,
            0.0,
            PIXELS,
            "test_buffer.py::test_degrees_are_refused",
        ),
        Reference(
            ProjectShadows,
            "copies moved by h·tan(zenith), in NumPy",
            _shadow,
            0.0,
            PIXELS,
            "test_shadows.py::test_missing_sun_angles_are_named",
        ),
        Reference(
            CombineMasks,
            "NumPy's logical operators",
            _combine,
            0.0,
            PIXELS,
            "test_combine.py::test_bad_input",
        ),
        Reference(
            RemoveSmall,
            "skimage.morphology.remove_small_objects and remove_small_holes",
            _small,
            0.0,
            PIXELS,
            "test_small.py::test_bad_sizes",
        ),
        Reference(
            RemoveSmallPatches,
            "skimage.morphology.remove_small_objects on masks of the classes",
            _patches,
            0.0,
            PIXELS,
            "test_patches.py::test_bad_input",
        ),
        Reference(
            CloudFraction,
            "CLOUD_COVER 81.02 % of the MTL, on every n-th pixel of the scene",
            _landsat_share,
            0.002,
            "1",
            "test_products.py::test_unknown_flags_name_what_the_product_has",
        ),
        Reference(
            SpectralClouds,
            "Zhu & Woodcock 2012, equations 1 to 4, in NumPy",
            _spectral,
            0.0,
            PIXELS,
            "test_spectral.py::test_bad_input",
        ),
    )
