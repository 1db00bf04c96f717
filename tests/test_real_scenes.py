"""What issue 1 promises on real scenes: Sentinel-2 over Croatia, Landsat-8 over Colombia."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import geotoolz as gz
from geotoolz.cloud import MaskClouds, MaskFromQABits, MaskFromSCL
from geotoolz.core import Operator, Sequential, check, run
from geotoolz.core.testing import assert_law, assert_same, data_path
from geotoolz.indices import NDVI, NDWI
from geotoolz.io import MetadataWarning, describe, forget_notices
from geotoolz.qc import AssertValidFraction, AssertValueRange
from geotoolz.radiometry import BoxMean, DNToReflectance, PercentileClip

DATES = ("S2B_33TWL_20230810", "S2A_33TWL_20230815", "S2A_33TWL_20230818", "S2B_33TWL_20230820")
PIPELINES: dict[str, Operator] = {
    "ndvi": Sequential([MaskClouds(), NDVI()]),
    "smooth": Sequential([MaskClouds(("cloud", "cirrus")), NDVI(), BoxMean(3, ("ndvi",))]),
    "display": Sequential([MaskClouds(), NDVI(), NDWI(), PercentileClip(2, 98, ("red", "green", "blue"))]),
    "checked": Sequential(
        [AssertValidFraction(0.1), NDVI(), AssertValueRange(-2, 2, ("ndvi",), max_outside=0.05)]
    ),
}


def item_of(date: str) -> Path:
    return next(data_path("s2_l2a_33TWL_croatia").glob(f"{date}*/*_stac_item.json"))


def open_quietly(path: Path, **options: object) -> xr.Dataset:
    """Open a Croatian scene; that its metadata contradict its files is told, and expected."""
    forget_notices()
    with pytest.warns(MetadataWarning, match="the file is used"):
        return gz.open_tile(path, **options)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def scene() -> xr.Dataset:
    return open_quietly(item_of(DATES[3]))


@pytest.mark.parametrize("date", DATES)
def test_masked_share_agrees_with_the_items_cloud_cover(date: str) -> None:
    path = item_of(date)
    declared = json.loads(path.read_text())["properties"]["eo:cloud_cover"]
    tile = open_quietly(path, bands=("red", "nir", "scl"))
    masked = Sequential([MaskClouds(("cloud", "cirrus")), NDVI()])(tile)
    valid = tile.scl.values != 0
    share = 100 * float(MaskFromSCL(("cloud", "cirrus"))(tile).mask.values[valid].mean())
    assert share == pytest.approx(declared, abs=3)
    assert bool(np.isnan(masked.ndvi.values[np.isin(tile.scl.values, (8, 9, 10))]).all())


def test_offset_that_was_applied_is_not_applied_again() -> None:
    path = item_of(DATES[3])
    raw, tile = open_quietly(path, bands=("red",), raw=True), open_quietly(path, bands=("red",))
    assert raw.red.dtype == np.uint16
    numbers = raw.red.values
    valid = numbers != 0
    np.testing.assert_allclose(tile.red.values[valid], numbers[valid] * 1e-4, rtol=1e-6)
    assert np.isnan(tile.red.values[~valid]).all()
    assert_same(DNToReflectance()(raw)[["red"]], tile[["red"]], "raw → DNToReflectance and open_tile")


def test_the_file_wins_over_the_declared_size() -> None:
    tile = open_quietly(item_of(DATES[3]), bands=("red", "scl"))
    assert dict(tile.sizes) == {"y": 915, "x": 915}
    assert gz.core.geobox_of(tile).resolution.x == 120
    assert tile.scl.dtype == np.uint8


def test_code_that_is_no_class_is_not_masked() -> None:
    odd = 0
    for date in DATES:
        scl = open_quietly(item_of(date), bands=("scl",))
        every = MaskFromSCL(("cloud", "cirrus", "shadow", "snow", "water", "dark", "unclassified"))(scl).mask
        odd += int((scl.scl.values > 11).sum())
        assert not bool(every.values[scl.scl.values > 11].any())
    assert odd > 0, "the data README says that a few pixels hold 12"


@pytest.mark.parametrize("name", PIPELINES)
def test_every_cut_gives_the_same_bits(name: str, scene: xr.Dataset) -> None:
    assert_law(
        PIPELINES[name], scene, windows=((100, 915), (256, 256), (915, 7)), threads=(1, 2), adversarial=False
    )


def test_a_lazy_scene_gives_the_same_bits(scene: xr.Dataset) -> None:
    pipeline = PIPELINES["smooth"]
    lazy = run(pipeline, scene.chunk({"y": 300, "x": 256}))
    assert isinstance(lazy, xr.Dataset)
    whole = run(pipeline, scene)
    assert isinstance(whole, xr.Dataset)
    assert_same(whole, lazy.compute(), "lazy and eager")


def test_check_needs_no_pixels() -> None:
    forget_notices()
    with pytest.warns(MetadataWarning):
        spec = describe(item_of(DATES[0]))
    assert check(PIPELINES["ndvi"], spec) == ()
    wrong = check(Sequential([PercentileClip(), NDVI()]), spec)
    assert [f.level for f in wrong if f.path == "operators[1]"] == ["error"]


@pytest.fixture(scope="module")
def landsat() -> xr.Dataset:
    return gz.open_tile(data_path("ls8_c2l2_colombia_008059_cloudy"))  # type: ignore[no-any-return]


def test_landsat_cloud_share(landsat: xr.Dataset) -> None:
    clouds = MaskFromQABits("qa_pixel", (3,))(landsat).mask.values
    valid = (landsat.qa_pixel.values & 1) == 0
    assert float(clouds[valid].mean()) == pytest.approx(0.811, abs=0.001)


def test_landsat_is_scaled_and_ndvi_finds_its_nir(landsat: xr.Dataset) -> None:
    raw = gz.open_tile(data_path("ls8_c2l2_colombia_008059_cloudy"), bands=("red", "nir08"), raw=True)
    numbers = raw.red.values
    valid = numbers != 0
    np.testing.assert_allclose(landsat.red.values[valid], numbers[valid] * 2.75e-5 - 0.2, atol=1e-7)
    assert landsat.red.attrs["quantity"] == "surface_reflectance"
    ndvi = NDVI()(landsat).ndvi
    assert ndvi.attrs["long_name"] == "(nir08 − red) / (nir08 + red)"
    red, nir = landsat.red.values.astype("f8"), landsat.nir08.values.astype("f8")
    both = np.isfinite(red) & np.isfinite(nir) & (red + nir != 0)
    np.testing.assert_allclose(ndvi.values[both], ((nir - red) / (nir + red))[both], rtol=2e-5, atol=2e-6)


def test_landsat_surface_temperature(landsat: xr.Dataset) -> None:
    values = landsat.lwir11.values[np.isfinite(landsat.lwir11.values)]
    assert landsat.lwir11.attrs["units"] == "K"
    assert 200 < np.median(values) < 320
