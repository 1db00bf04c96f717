"""Flags of every product, by name; what is missing, empty, or no code."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.cloud import CloudFraction, MaskClouds, MaskFromFlags
from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    QCWarning,
    Sequential,
    check,
    run,
    tile_from_arrays,
)


def tile(platform: str = "landsat-8", attrs: Any = None, **bands: Any) -> xr.Dataset:
    arrays = {n: np.atleast_2d(v) for n, v in bands.items()}
    box = GeoBox(next(iter(arrays.values())).shape[-2:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    return tile_from_arrays(arrays, box, attrs={"platform": platform, **(attrs or {})})


def flagged(ds: xr.Dataset, *flags: str, **options: Any) -> list[int]:
    return np.flatnonzero(MaskFromFlags(flags or None, **options)(ds).mask.values).tolist()


# --- Landsat --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("flag", "bit"),
    [
        ("fill", 0),
        ("dilated", 1),
        ("cirrus", 2),
        ("cloud", 3),
        ("shadow", 4),
        ("snow", 5),
        ("clear", 6),
        ("water", 7),
    ],
)
def test_qa_pixel_bits(flag: str, bit: int) -> None:
    values = (1 << np.arange(16)).astype("u2")
    assert flagged(tile(qa_pixel=values), flag) == [bit]


@pytest.mark.parametrize(("flag", "shift"), [("cloud", 8), ("shadow", 10), ("snow", 12), ("cirrus", 14)])
@pytest.mark.parametrize("dtype", ["u2", "i2", "i4", "f4", "f8"])
def test_qa_pixel_confidences(flag: str, shift: int, dtype: str) -> None:
    values = (np.arange(4) << shift).astype("u2")
    values = values.view("i2") if dtype == "i2" else values.astype(dtype)
    ds = tile(qa_pixel=values)
    assert flagged(ds, flag, min_confidence="low") == [1, 2, 3]
    assert flagged(ds, flag, min_confidence="medium") == [2, 3]
    assert flagged(ds, flag, min_confidence="high") == [3]
    assert flagged(ds, flag) == []  # the flag's own bit is another


def test_confidences_of_real_values() -> None:
    # clear, cloud, shadow, cirrus: as Collection 2 writes them
    ds = tile(qa_pixel=np.array([21824, 22280, 23888, 54596], "u2"))
    assert flagged(ds, "cloud", min_confidence="medium") == [1]
    assert flagged(ds, "cloud", "shadow", "cirrus", min_confidence="high") == [1, 2, 3]
    low = Sequential([MaskFromFlags(("cloud",), min_confidence="low")])
    assert any("clear pixels a low confidence" in finding.message for finding in check(low, ds))
    # a flag without a confidence keeps its bit
    dilated = tile(qa_pixel=np.array([21762, 22280], "u2"))
    assert flagged(dilated, "cloud", "dilated", min_confidence="high") == [0, 1]


# --- HLS, MODIS, Planet ---------------------------------------------------------------------------
def test_fmask_bits_and_fill() -> None:
    values = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 192, 255], "u1")
    ds = tile(Fmask=values)
    assert flagged(ds, "cloud") == [2, 10]
    assert flagged(ds, "adjacent") == [3, 10]
    assert flagged(ds, "shadow") == [4, 10]
    assert flagged(ds, "snow") == [5]
    assert flagged(ds, "water") == [6]  # 255 has all bits set, and is no water
    assert flagged(ds, "high_aerosol") == [9, 10]
    assert flagged(ds, "nodata") == [10]
    assert flagged(ds, "cloud", "water") == [2, 6, 10]
    floats = values.astype("f4")
    floats[-1] = np.nan
    for column in (floats, values.astype("f4")):
        assert flagged(tile(fmask=column), "cloud") == [2, 10]
        assert flagged(tile(fmask=column), "water") == [6]


def test_state_1km() -> None:
    values = np.array(
        [0, 1, 2, 3, 4, 1 << 8, 2 << 8, 3 << 8, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 15], "u2"
    )
    for column in (values, values.view("i2")):
        ds = tile("terra", state_1km=column)
        assert flagged(ds, "cloud") == [1, 2]
        assert flagged(ds, "mixed") == [2]
        assert flagged(ds, "shadow") == [4]
        assert flagged(ds, "cirrus") == [5, 6, 7]
        assert flagged(ds, "cirrus", min_confidence="medium") == [6, 7]
        assert flagged(ds, "internal_cloud") == [8]
        assert flagged(ds, "fire") == [9]
        assert flagged(ds, "snow") == [10, 12]
        assert flagged(ds, "adjacent") == [11]
    land = tile("terra", state_1km=(np.arange(8) << 3).astype("u2"))
    assert flagged(land, "land") == [1]
    assert flagged(land, "coast") == [2]
    assert flagged(land, "water") == [0, 3, 5, 6, 7]
    fill = tile("terra", state_1km=np.array([-1, 8], "i2"))
    assert flagged(fill, "cloud") == [0] and flagged(fill, "water") == []


def test_udm2_has_a_variable_per_flag() -> None:
    names = ("clear", "snow", "shadow", "haze_light", "haze_heavy", "cloud", "confidence", "udm1")
    bands = dict(zip(names, np.eye(8, dtype="u1"), strict=True))
    for front in ("", "udm2_"):
        ds = tile("planetscope", red=np.ones(8, "f4"), **{front + n: v for n, v in bands.items()})
        assert flagged(ds) == [2, 5]
        assert flagged(ds, "haze") == [3, 4]
        assert flagged(ds, "cloud", "shadow", "haze_heavy", "snow") == [1, 2, 4, 5]
        out = MaskClouds()(ds)
        assert np.flatnonzero(np.isnan(out.red.values)).tolist() == [2, 5]
        assert all(out[front + n].identical(ds[front + n]) for n in names)  # no band of UDM2 is masked
        with pytest.raises(ParameterError, match=r"the UDM2 bands \(udm2\) has no flag 'cirrus'.*haze_light"):
            MaskFromFlags(("cirrus",))(ds)
    own = tile("planetscope", **{f"qa_{n}": v for n, v in bands.items()})
    assert flagged(own, "haze_light", qa="qa", layer="udm2") == [3]


def test_a_cloud_band_alone_is_no_udm2() -> None:
    with pytest.raises(MissingVariableError, match="no quality layer among cloud, red"):
        MaskFromFlags()(tile(cloud=np.zeros(2, "u1"), red=np.ones(2, "f4")))


# --- against brute force --------------------------------------------------------------------------
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 65535),
    st.sampled_from([None, "low", "medium", "high"]),
    st.sampled_from(["u2", "i2", "f8"]),
)
def test_qa_pixel_by_python_integers(value: int, confidence: Any, dtype: str) -> None:
    bits = {"cloud": 3, "shadow": 4, "snow": 5, "cirrus": 2, "dilated": 1}
    shifts = {"cloud": 8, "shadow": 10, "snow": 12, "cirrus": 14}
    least = {"low": 1, "medium": 2, "high": 3}.get(confidence, 0)
    column = np.array([value], "u2")
    column = column.view("i2") if dtype == "i2" else column.astype(dtype)
    for flag, bit in bits.items():
        by_bit = bool(value >> bit & 1)
        graded = confidence is not None and flag in shifts
        expected = (value >> shifts[flag] & 3) >= least if graded else by_bit
        asked = None if not graded else confidence
        assert bool(flagged(tile(qa_pixel=column), flag, min_confidence=asked)) is expected


# --- bad input ------------------------------------------------------------------------------------
def test_unknown_flags_name_what_the_product_has() -> None:
    ds = tile(fmask=np.zeros(2, "u1"), red=np.ones(2, "f4"))
    for op in (MaskFromFlags(("cirrus",)), MaskClouds(("cloud", "cirrus")), CloudFraction(("cirrus",))):
        with pytest.raises(
            ParameterError, match=r"'fmask' \(fmask\) has no flag 'cirrus'.*cloud, adjacent, shadow"
        ):
            op(ds)
    (finding,) = check(Sequential([MaskClouds()]), ds)  # the default takes what there is, and says so
    assert finding.level == "warning" and "no flag 'cirrus': not masked" in finding.message
    with pytest.raises(ParameterError, match=r"flag 'clod' \(did you mean 'cloud'\?\)"):
        MaskFromFlags(("clod",))
    with pytest.raises(ParameterError, match="does not know the flag 'cirrus'"):
        MaskFromFlags(("cirrus",), layer="fmask")
    with pytest.raises(ParameterError, match=r"layer='pixel_qa'.*qa_pixel"):
        MaskFromFlags(layer="pixel_qa")


def test_confidences_that_a_product_does_not_have() -> None:
    with pytest.raises(
        ParameterError, match=r"min_confidence='high', and qa60 has no confidence of cloud, cirrus"
    ):
        MaskFromFlags(min_confidence="high")(tile("sentinel-2a", qa60=np.ones(2, "u2")))
    with pytest.raises(
        ParameterError, match=r"qa_pixel has no confidence of dilated.*cloud, shadow, snow, cirrus"
    ):
        MaskFromFlags(("dilated",), min_confidence="high")(tile(qa_pixel=np.ones(2, "u2")))
    with pytest.raises(ParameterError, match="min_confidence='sure'"):
        MaskFromFlags(min_confidence="sure")  # type: ignore[arg-type]


# --- QA60 that was never filled -------------------------------------------------------------------
def qa60(value: int, day: str | None, shape: tuple[int, int] = (6, 6)) -> xr.Dataset:
    values = np.zeros(shape, "u2")
    values[-1, -1] = value
    attrs = {} if day is None else {"datetime": f"{day}T10:00:00Z"}
    return tile("sentinel-2a", attrs, qa60=values, red=np.ones(shape, "f4"))


@pytest.mark.parametrize("op", [MaskClouds(), MaskFromFlags(("cloud",)), CloudFraction(("cloud",))], ids=repr)
@pytest.mark.parametrize(
    ("value", "day", "warns"),
    [
        (0, "2023-06-01", True),
        (0, "2022-01-25", True),
        (0, "2022-01-24", False),
        (0, "2024-06-01", False),
        (0, None, True),
        (1024, "2023-06-01", False),
    ],
)
def test_an_empty_qa60_warns(op: Any, value: int, day: str | None, warns: bool) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        op(qa60(value, day))
    assert [w.category for w in said] == [QCWarning] * warns
    if warns:
        assert "all 36 pixels of 'qa60' are zero" in str(said[0].message)
        assert "zero does not mean clear" in str(said[0].message)


def test_windows_of_one_run_are_judged_together() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # five of six rows are zero: nothing strange
        run(MaskClouds(), qa60(1024, "2023-06-01"), window=(1, 6))
    with pytest.warns(QCWarning, match="all 36 pixels"):
        run(MaskClouds(), qa60(0, "2023-06-01"), window=(1, 6))
    with pytest.warns(QCWarning, match="all 36 pixels"):
        MaskClouds()(qa60(0, "2023-06-01").chunk({"y": 2})).compute()


def test_check_tells_of_the_date_without_pixels() -> None:
    (first, second) = (
        check(Sequential([MaskClouds(("cloud",))]), qa60(1024, "2023-06-01")),
        check(Sequential([MaskClouds(("cloud",))]), qa60(0, "2024-06-01")),
    )
    assert [f.level for f in first] == ["warning"] and "some archives did not fill QA60" in first[0].message
    assert second == ()
    stack = xr.concat([qa60(1024, None), qa60(0, None)], "time").assign_coords(
        time=np.array(["2021-05-01", "2023-05-01"], "datetime64[ns]")
    )
    assert len(check(Sequential([MaskClouds(("cloud",))]), stack)) == 1
    MaskClouds(("cloud",))(stack)


# --- cloud fraction -------------------------------------------------------------------------------
def test_cloud_fraction_counts_valid_pixels_only() -> None:
    scl = tile("sentinel-2a", scl=np.array([0, 0, 4, 8, 9, 10, 3, 5], "u1"))
    assert CloudFraction()(scl) == 4 / 6
    assert CloudFraction(("cloud",))(scl) == 2 / 6
    assert CloudFraction(("cloud",))(tile(qa_pixel=np.array([1, 22280, 21824, 1], "u2"))) == 0.5
    fmask = tile(fmask=np.array([255, 255, 2, 0], "u1"), red=np.array([1, 1, 1, np.nan], "f4"))
    assert CloudFraction(("cloud",))(fmask) == 0.5
    assert CloudFraction(("cloud",), band="red")(fmask) == 1.0
    assert CloudFraction(mask="m")(tile(m=np.array([True, False, False, False]))) == 0.25
    masked = tile(m=np.array([True, False, False, False]), red=np.array([np.nan, 1, 1, 1], "f4"))
    assert CloudFraction(mask="m", band="red")(masked) == 0.0
    assert np.isnan(CloudFraction(("cloud",))(tile(fmask=np.full(3, 255, "u1"))))
    with pytest.raises(ParameterError, match="one of the two"):
        CloudFraction(("cloud",), mask="m")
    floats = tile("sentinel-2a", {"datetime": "2020-01-01"}, qa60=np.array([0, 1024, np.nan, np.nan], "f4"))
    assert CloudFraction()(floats) == 0.5
