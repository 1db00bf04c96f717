"""Values to classes, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import MissingVariableError, ParameterError, QuantityError, Sequential, tile_from_arrays
from geotoolz.core.testing import contract_tile
from geotoolz.radiometry import ClassifyByThresholds, MinMax


def tile(values: Any, dtype: Any = "f4", quantity: str = "index", nodata: Any = None) -> xr.Dataset:
    array = np.atleast_2d(np.asarray(values, dtype))
    box = GeoBox(array.shape[-2:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    made = tile_from_arrays({"v": array}, box, var_attrs={"v": {"quantity": quantity}})
    if nodata is not None:
        made.v.attrs["_FillValue"] = nodata
    return made


def test_by_hand() -> None:
    values = [-np.inf, 0.0999, 0.1, 0.2, 0.44, 0.5, np.inf, np.nan]
    out = ClassifyByThresholds("v", (0.1, 0.44))(tile(values)).v_class
    assert out.values[0].tolist() == [1, 1, 2, 2, 3, 3, 3, 0]  # float32(0.44) lies below 0.44, and counts
    assert out.attrs["flag_values"] == [1, 2, 3]
    assert out.attrs["flag_meanings"] == "below_0.1 0.1_to_0.44 0.44_and_above"
    assert (out.dtype, out.attrs["_FillValue"], out.attrs["quantity"]) == (np.uint8, 0, "flags")
    assert "flag_colors" not in out.attrs


def test_integers_and_their_no_data() -> None:
    op = ClassifyByThresholds("v", (0, 2.5), ("low", "mid", "high"), ("#000000", "#00ff00", "#ff0000"), "c")
    out = op(tile([[-5, -1, 0], [2, 3, 9]], "i2", nodata=-5)).c
    assert out.values.tolist() == [[0, 1, 2], [2, 3, 3]]
    assert out.attrs["flag_colors"] == "#000000 #00ff00 #ff0000"


@given(
    st.lists(st.floats(width=32), min_size=1, max_size=20),
    st.sets(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=9),
)
def test_as_digitize(values: list[float], breaks: set[float]) -> None:
    limits = tuple(sorted(breaks))
    found = ClassifyByThresholds("v", limits)(tile(values)).v_class.values[0]
    array = np.array(values, "f4")
    expected = np.where(np.isnan(array), 0, np.digitize(array, np.array(limits, "f4")) + 1)
    np.testing.assert_array_equal(found, expected)


def test_mistakes() -> None:
    for about, text in (
        ({"breaks": ()}, r"breaks=\[\]"),
        ({"breaks": (0.2, 0.1)}, "each larger than the one before"),
        ({"breaks": (float("nan"),)}, "finite numbers"),
        ({"names": ("a",)}, "1 names for 1 breaks"),
        ({"names": ("a", "a")}, "different names"),
        ({"names": ("open water", "land")}, "'open water'"),
        ({"colors": ("red", "#000000")}, "the colour 'red'"),
    ):
        with pytest.raises(ParameterError, match=text):
            ClassifyByThresholds(**{"band": "v", "breaks": (0.5,), **about})
    with pytest.raises(MissingVariableError, match="ndvi"):
        ClassifyByThresholds("ndvi", (0.5,))(tile([1.0]))
    with pytest.raises(QuantityError, match="holds flags"):
        ClassifyByThresholds("v", (0.5,))(tile([1], "u1", "flags"))
    with pytest.raises(QuantityError, match="put ClassifyByThresholds before the stretch"):
        Sequential([MinMax(), ClassifyByThresholds("nir", (0.5,))])(contract_tile((8, 8)))
    raw = tile([500], "u2", "dn")
    raw.v.attrs.update(scale_factor=1e-4, add_offset=-0.1)
    with pytest.raises(QuantityError, match="digital numbers with an offset"):
        ClassifyByThresholds("v", (0.5,))(raw)
