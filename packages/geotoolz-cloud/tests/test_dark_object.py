"""Dark-object subtraction, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    NotFrozenError,
    ParameterError,
    QuantityError,
    Sequential,
    check,
    dump,
    freeze,
    load,
    run,
    tile_from_arrays,
)
from geotoolz.correction import DarkObjectSubtraction, subtract_dark_object
from geotoolz.radiometry import BoxMean, MinMax

VALUES = np.array([[np.nan, 0.02, 0.05, 0.10, 0.30]], "f4")


def toa(values: Any = VALUES, nodata: Any = np.nan, attrs: Any = None, level: str = "L1C") -> xr.Dataset:
    box = GeoBox(np.shape(values), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    return tile_from_arrays(
        {"blue": np.asarray(values)},
        box,
        attrs={"platform": "sentinel-2a", "processing_level": level},
        var_attrs={"blue": attrs or {"quantity": "toa_reflectance", "units": "1"}},
        nodata={"blue": nodata},
    )


def test_subtracts_and_floors_at_zero() -> None:
    op = DarkObjectSubtraction(dark_values={"blue": 0.06})
    np.testing.assert_allclose(op(toa()).blue.values, [[np.nan, 0, 0, 0.04, 0.24]], atol=1e-7)
    assert op(toa()).blue.dtype == np.float32
    # DOS1: dark objects keep one per cent
    dos1 = DarkObjectSubtraction(residual=0.01, dark_values={"blue": 0.06})
    np.testing.assert_allclose(dos1(toa()).blue.values, [[np.nan, 0, 0, 0.05, 0.25]], atol=1e-7)


def test_the_dark_value_is_a_percentile_of_the_valid_pixels() -> None:
    ds = toa()
    frozen = freeze(DarkObjectSubtraction(percentile=25), ds)
    low = float(np.percentile(VALUES[0, 1:].astype("f8"), 25))
    assert frozen.dark_values == {"blue": low}
    xr.testing.assert_identical(frozen(ds), subtract_dark_object(ds, percentile=25))
    assert load(dump(frozen)) == frozen
    xr.testing.assert_identical(run(frozen, ds, window=(1, 2)), frozen(ds))


def test_no_data_is_neither_dark_nor_subtracted_from() -> None:
    ds = toa(np.array([[0, 0, 0, 500, 900]], "u2"), 0, {"quantity": "toa_reflectance"})
    out = DarkObjectSubtraction(percentile=0)(ds).blue.values
    np.testing.assert_array_equal(out, np.array([[np.nan, np.nan, np.nan, 0, 400]], "f4"))
    assert DarkObjectSubtraction()(toa(np.full((2, 2), np.nan, "f4"))).blue.isnull().all()


@pytest.mark.parametrize(
    ("ds", "text"),
    [
        (toa(attrs={"quantity": "surface_reflectance"}), "surface reflectance"),
        (toa(attrs={"long_name": "Blue"}, level="L2A"), "surface reflectance"),
        (toa(attrs={"quantity": "dn", "add_offset": 0.0}, level="L2SP"), "surface reflectance"),
        (toa(attrs={"quantity": "dn", "add_offset": -0.1}), "offset of -0.1"),
        (MinMax()(toa()), "stretched"),
    ],
    ids=["said", "by level", "dn of L2", "offset", "stretched"],
)
def test_nonsense_is_refused_by_check(ds: xr.Dataset, text: str) -> None:
    op = Sequential([BoxMean(0), DarkObjectSubtraction()])
    for one in (op, freeze_by_hand(op)):
        errors = [f for f in check(one, ds) if f.level == "error"]
        assert [f.path for f in errors] == ["operators[1]"]
        assert text in errors[0].message
        with pytest.raises(QuantityError, match=text):
            one(ds)


def freeze_by_hand(op: Sequential) -> Sequential:
    return Sequential([op[0], DarkObjectSubtraction(dark_values={"blue": 0.1})])


def test_unfrozen_warns_of_seams_and_catalog_scope_refuses() -> None:
    (finding,) = check(DarkObjectSubtraction(), toa())
    assert finding.level == "warning"
    assert "neighbouring tiles" in finding.message
    with pytest.raises(NotFrozenError, match="DarkObjectSubtraction"):
        DarkObjectSubtraction(scope="catalog")(toa())


@pytest.mark.parametrize(
    "values", [{"percentile": -1.0}, {"percentile": 101.0}, {"residual": 1.0}, {"residual": -0.1}]
)
def test_ranges(values: Any) -> None:
    with pytest.raises(ParameterError):
        DarkObjectSubtraction(**values)


def test_two_dark_values_for_one_band() -> None:
    with pytest.raises(ParameterError, match="for one band"):
        DarkObjectSubtraction(dark_values={"blue": 0.1, "B02": 0.2})(toa())


def test_haze_is_taken_away_once() -> None:
    once = DarkObjectSubtraction(dark_values={"blue": 0.06})(toa())
    assert once.blue.attrs["haze"]
    with pytest.raises(QuantityError, match="without its dark object: its atmosphere is corrected already"):
        DarkObjectSubtraction(dark_values={"blue": 0.01})(once)


def test_the_residual_of_digital_numbers_is_scaled() -> None:
    stored = {"quantity": "dn", "scale_factor": 1e-4, "add_offset": 0.0}
    numbers = np.where(np.isnan(VALUES), 0, VALUES * 1e4).astype("u2")
    op = DarkObjectSubtraction(dark_values={"blue": 600.0}, residual=0.01)
    scaled = op(toa(numbers, 0, stored)).blue.values * 1e-4
    right = op.replace(dark_values={"blue": 0.06})(toa()).blue.values
    np.testing.assert_allclose(scaled, right, atol=1e-6)
    del stored["scale_factor"]
    with pytest.raises(QuantityError, match=r"residual=0.01 is a reflectance.*DNToReflectance"):
        op(toa(numbers, 0, stored))
