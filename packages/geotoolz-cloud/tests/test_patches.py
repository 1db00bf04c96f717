"""Specks in maps of classes, by hand and against labelled components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy import ndimage

from geotoolz.cloud import RemoveSmallPatches
from geotoolz.core import ParameterError, QuantityError, tile_from_arrays
from geotoolz.core.testing import assert_law


def tile(classes: Any, nodata: int | None = 0) -> xr.Dataset:
    values = np.asarray(classes, np.uint8)
    box = GeoBox(values.shape[-2:], Affine(10, 0, 5e5, 0, -20, 5e6), "EPSG:32633")
    about = {"quantity": "flags", "flag_values": [1, 2, 3], "flag_meanings": "unburnt low high"}
    made = tile_from_arrays({"severity": values}, box, var_attrs={"severity": about})
    if nodata is not None:
        made.severity.attrs["_FillValue"] = nodata
    return made


def drawn(text: str) -> np.ndarray[Any, Any]:
    return np.array([[int(c) for c in line] for line in text.split()], np.uint8)


MAP = drawn("""
2 2 1 1 3
3 2 1 1 1
1 1 1 0 1
1 2 1 0 0
1 1 3 3 3
""".replace(" ", ""))  # fmt: skip


def test_by_hand() -> None:
    out = RemoveSmallPatches("severity", (2, 3), to=1, min_pixels=4)(tile(MAP)).severity
    assert out.values.tolist() == drawn("""
    22111
    32111
    11101
    12100
    11333
    """).tolist()  # fmt: skip
    # the 2 in the corner of the 3s makes four with them; without corners both are too small
    four = RemoveSmallPatches("severity", (2, 3), to=1, min_pixels=4, connectivity=4)(tile(MAP)).severity
    assert (four.values > 1).sum() == 4
    assert out.dtype == np.uint8
    assert out.attrs["flag_meanings"] == "unburnt low high"


def test_each_class_by_itself_and_by_area() -> None:
    apart = RemoveSmallPatches("severity", (2, 3), to=1, min_pixels=3, together=False)(tile(MAP)).severity
    assert apart.values.tolist() == drawn("22111 12111 11101 11100 11333").tolist()
    by_area = RemoveSmallPatches("severity", (2, 3), 1, min_area=601.0, name="large")(tile(MAP))
    assert (by_area.large.values > 1).sum() == 8  # pixels of 200 m²: four at least
    assert by_area.severity.values.tolist() == MAP.tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([4, 8]), st.booleans())
@settings(max_examples=40)
def test_against_labels(seed: int, least: int, connectivity: Any, together: bool) -> None:
    classes = np.random.default_rng(seed).integers(0, 4, (12, 17)).astype(np.uint8)
    expected = classes.copy()
    for group in [(2, 3)] if together else [(2,), (3,)]:
        held = np.isin(classes, group)
        labels, _ = ndimage.label(held, np.ones((3, 3)) if connectivity == 8 else None)
        expected[held & (np.bincount(labels.ravel()) < least)[labels]] = 1
    op = RemoveSmallPatches(
        "severity", (2, 3), 1, min_pixels=least, connectivity=connectivity, together=together
    )
    np.testing.assert_array_equal(op(tile(classes)).severity.values, expected)


def test_windows_change_nothing() -> None:
    classes = np.random.default_rng(1).integers(1, 4, (40, 30))
    assert_law(RemoveSmallPatches("severity", (2, 3), 1, min_pixels=6), tile(classes))


def test_bad_input() -> None:
    for about, text in (
        ({}, "min_pixels=None, min_area=None"),
        ({"min_pixels": 0}, "min_pixels=0"),
        ({"min_pixels": 3, "to": 2}, "to=2 is among classes"),
        ({"min_pixels": 3, "classes": ()}, r"classes=\[\]"),
    ):
        with pytest.raises(ParameterError, match=text):
            RemoveSmallPatches(**{"band": "severity", "classes": (2, 3), "to": 1, **about})
    with pytest.raises(ParameterError, match="300 is no value of 'severity'"):
        RemoveSmallPatches("severity", (2,), to=300, min_pixels=2)(tile(MAP))
    with pytest.raises(ParameterError, match="hold the no-data value of 'severity', 0"):
        RemoveSmallPatches("severity", (0,), to=1, min_pixels=2)(tile(MAP))
    floats = tile(MAP).assign(severity=tile(MAP).severity.astype("f4"))
    with pytest.raises(QuantityError, match="which is float32"):
        RemoveSmallPatches("severity", (2,), to=1, min_pixels=2)(floats)
