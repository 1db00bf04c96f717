"""Stored numbers of Sentinel-2 whose offset nobody has told: ratios of them are wrong, and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from odc.geo.geobox import GeoBox

from geotoolz.core import QuantityError, check, tile_from_arrays
from geotoolz.indices import EVI, NDVI
from geotoolz.radiometry import DNToReflectance


def scene(baseline: Any = "05.09", **attrs: Any) -> xr.Dataset:
    box = GeoBox.from_bbox((500000, 5000000, 500040, 5000030), "EPSG:32633", shape=(3, 4))
    bands = {
        name: np.full((3, 4), value, "u2") for name, value in (("red", 1400), ("nir", 4000), ("blue", 1300))
    }
    known = {"platform": "sentinel-2b", "processing_level": "L2A", "datetime": "2023-08-10T10:00:00Z"}
    if baseline is not None:
        known["processing_baseline"] = baseline
    return tile_from_arrays(bands, box, attrs=known, var_attrs=dict.fromkeys(bands, attrs))


@pytest.mark.parametrize("attrs", [{}, {"quantity": "dn"}])
def test_a_ratio_of_shifted_numbers_is_refused_and_right_once_they_are_scaled(attrs: dict[str, str]) -> None:
    with pytest.raises(QuantityError, match=r"Sentinel-2 baseline 05.09.*offset of -1000"):
        NDVI()(scene(**attrs))
    assert float(NDVI()(DNToReflectance()(scene(**attrs))).ndvi[0, 0]) == pytest.approx(0.7647, abs=1e-4)


@pytest.mark.parametrize("baseline", ["N0509", "05.00.0", 5.1])
def test_other_spellings(baseline: Any) -> None:
    with pytest.raises(QuantityError, match="offset of -1000"):
        NDVI()(scene(baseline))
    named = scene(None).assign_attrs(tile_id="S2B_MSIL2A_20230810T100031_N0509_R122_T33TWL_20230810T1")
    with pytest.raises(QuantityError, match="offset of -1000"):
        NDVI()(named)


def test_before_baseline_4_and_where_the_offset_is_applied_ratios_are_right() -> None:
    assert float(NDVI()(scene("03.01")).ndvi[0, 0]) == pytest.approx(2600 / 5400)
    assert float(NDVI()(scene(quantity="dn", add_offset=0)).ndvi[0, 0]) == pytest.approx(2600 / 5400)


def test_integers_that_say_nothing_are_no_reflectance_for_formulas_that_need_it() -> None:
    with pytest.raises(QuantityError, match="integers that do not say what they are"):
        EVI()(scene(None).assign_attrs(platform="unknown"))


def test_numbers_with_a_point_that_say_nothing_are_doubted_by_formulas_that_need_reflectance() -> None:
    silent = scene(None).astype("f4").assign_attrs(platform="unknown")
    (found,) = check(EVI(), silent)
    assert found.level == "warning"
    assert found.message.startswith("EVI takes reflectance between 0 and 1, and ")
    assert all(name in found.message for name in ("blue", "nir", "red")) and "do not say" in found.message
    assert check(NDVI(), silent) == (), "a ratio does not care"
    for attrs in ({"quantity": "surface_reflectance"}, {"units": "1"}):
        told = silent.copy()
        for name in told:
            told[name].attrs.update(attrs)
        assert check(EVI(), told) == ()
