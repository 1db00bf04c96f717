"""Other names, and gamma."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    QuantityError,
    Sequential,
    TileError,
    TileSpec,
    compile,
    require_physical,
)
from geotoolz.core.testing import simulate_scene
from geotoolz.radiometry import (
    AssignAttrs,
    BoxMean,
    Gamma,
    MinMax,
    RenameBands,
    apply_gamma,
    assign_attrs,
    rename_bands,
)

One = Callable[..., xr.Dataset]
TILE = simulate_scene((8, 8), bands=("red", "nir", "scl"))


def test_names_change_and_nothing_else() -> None:
    out = rename_bands(TILE, {"red": "rot", "B08": "nah"})
    assert list(out.data_vars) == ["rot", "nah", "scl"]
    xr.testing.assert_identical(out.rot.variable, TILE.red.variable)
    xr.testing.assert_identical(out.scl, TILE.scl)
    assert out.attrs == TILE.attrs
    assert np.shares_memory(out.rot.values, TILE.red.values)
    assert compile(RenameBands({"red": "rot"}), TileSpec.of(TILE), ("rot",)).inputs == ("red",)


def test_names_are_exchanged() -> None:
    out = RenameBands({"red": "nir", "nir": "red"})(TILE)
    np.testing.assert_array_equal(out.red, TILE.nir)
    np.testing.assert_array_equal(out.nir, TILE.red)
    assert list(out.data_vars) == ["nir", "red", "scl"]
    xr.testing.assert_identical(RenameBands({"red": "red"})(TILE), TILE)


@given(st.permutations(["red", "nir", "scl", "a", "b"]))
def test_any_exchange_against_xarray(new: list[str]) -> None:
    names = dict(zip(("red", "nir", "scl"), new, strict=False))
    xr.testing.assert_identical(RenameBands(names)(TILE), TILE.rename(names))


def test_a_renamed_band_is_found_by_its_new_name() -> None:
    out = Sequential([RenameBands({"red": "rot"}), BoxMean(1, ("rot",))])(TILE)
    np.testing.assert_array_equal(out.rot, BoxMean(1, ("red",))(TILE).red)


@pytest.mark.parametrize(
    ("names", "error", "text"),
    [
        ({"red": "nir"}, TileError, "the tile has a 'nir' already"),
        ({"red": "scl", "nir": "red"}, TileError, "the tile has a 'scl' already"),
        ({"red": "a", "nir": "a"}, ParameterError, "two variables would be called 'a'"),
        ({"red": "a", "B04": "b"}, ParameterError, "renamed to 'a' already"),
        ({"red": "x"}, ParameterError, "no name for a variable"),
        ({"red": " "}, ParameterError, "no name for a variable"),
        ({"redd": "a"}, MissingVariableError, "did you mean 'red'"),
        ({}, ParameterError, "renames nothing"),
    ],
)
def test_clashes_are_refused(names: dict[str, str], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        RenameBands(names)(TILE)


def test_a_coordinate_is_no_name() -> None:
    stack = xr.concat([TILE, TILE], "time").assign_coords(orbit=("time", [1, 2]))
    with pytest.raises(TileError, match="the tile has a 'orbit' already"):
        RenameBands({"red": "orbit"})(stack)


# ---- attributes --------------------------------------------------------------------------------------


def test_attributes_are_added_and_pixels_stay() -> None:
    out = assign_attrs(TILE, {"B04": {"data_source": "hand", "n": 3}, "scl": {"long_name": "classes"}})
    assert set(out.red.attrs) == {*TILE.red.attrs, "data_source", "n"}
    assert (out.red.attrs["data_source"], out.red.attrs["n"]) == ("hand", 3)
    assert out.red.attrs["quantity"] == TILE.red.attrs["quantity"]
    assert out.scl.attrs["flag_values"] == TILE.scl.attrs["flag_values"]
    for name in TILE.data_vars:
        np.testing.assert_array_equal(out[name], TILE[name])
    assert TILE.red.attrs.get("data_source") != "hand"
    both = AssignAttrs({"red": {"a": 1}, "B04": {"b": 2}})(TILE).red.attrs
    assert (both["a"], both["b"]) == (1, 2)


def test_attributes_that_are_more_than_a_description() -> None:
    with pytest.raises(ParameterError, match=r"_FillValue.*write_nodata"):
        AssignAttrs({"red": {"_FillValue": 0}})
    with pytest.raises(ParameterError, match="assigns nothing"):
        AssignAttrs({"red": {}})
    with pytest.raises(MissingVariableError, match="did you mean 'red'"):
        AssignAttrs({"redd": {"a": 1}})(TILE)


# ---- gamma -------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1, 2, width=32), min_size=1, max_size=9), st.floats(0.1, 5))
def test_gamma_against_numpy(values: list[float], gamma: float) -> None:
    array = np.array([values], "f4")
    ds = TILE[["red"]].isel(y=slice(1), x=slice(0, 1))
    ds = xr.Dataset(
        {"red": (("y", "x"), array, {"units": "1"})}, coords={"y": [0.0], "x": np.arange(array.size) * 1.0}
    )
    expected = np.clip(array.astype("f8"), 0, 1) ** (1 / gamma)
    np.testing.assert_allclose(Gamma(gamma)(ds).red.values, expected, rtol=1e-7, atol=1e-45)


def test_gamma_by_hand(one: One) -> None:
    ds = one(np.array([[0.0, 0.25, 1.0, 4.0, -1.0, np.nan]], "f4"), None, {"units": "1"})
    out = apply_gamma(ds, 2.0).red
    np.testing.assert_array_equal(out.values[0], np.float32([0, 0.5, 1, 1, 0, np.nan]))
    assert out.attrs["quantity"] == "stretched"
    assert out.attrs["stretch"] == "Gamma(2)"


def test_gamma_after_a_stretch_is_marked_and_refused_by_an_index() -> None:
    shown = Sequential([MinMax(), Gamma(1.8)])(TILE)
    assert shown.red.attrs["stretch"] == "MinMax, Gamma(1.8)"
    with pytest.raises(QuantityError, match=r"stretched for display \(MinMax, Gamma"):
        require_physical(TileSpec.of(shown), ("red",), "NDVI")


def test_digital_numbers_of_which_nobody_tells_the_offset(one: One) -> None:
    numbers = np.full((1, 1), 9000, "u2")
    bare = {"quantity": "dn", "units": "1"}

    def doubts(attrs: dict[str, Any], **tile: Any) -> tuple[str, ...]:
        return require_physical(TileSpec.of(one(numbers, 0, attrs, **tile)), ("red",), "NDVI")

    assert doubts({**bare, "add_offset": 0}) == (
        "'red' holds digital numbers; ratios are right, thresholds and sums are not",
    )
    assert doubts({**bare, "add_offset": 0}, platform="landsat-8")  # somebody says that there is none
    (note,) = doubts(bare, platform="worldview-3")
    assert note.endswith("nothing says their offset; ratios are right where there is none")
    for platform in ("landsat-8", "Landsat-5"):
        with pytest.raises(
            QuantityError, match=r"nothing says their scale.*MTL file.*attrs\['add_offset'\] = 0"
        ):
            doubts(bare, platform=platform)


@pytest.mark.parametrize(
    ("said", "notes"),
    [
        (
            "reflectanse",
            ("'red' says quantity='reflectanse' (did you mean 'reflectance'?): it is not known",),
        ),
        ("soil_moisture", ()),
        ("surface_temperature", ()),
    ],
)
def test_a_misspelt_quantity_gets_a_note(one: One, said: str, notes: tuple[str, ...]) -> None:
    ds = one(np.ones((1, 1), "f4"), None, {"quantity": said})
    assert require_physical(TileSpec.of(ds), ("red",), "NDVI") == notes


@pytest.mark.parametrize(
    ("attrs", "text"),
    [
        ({"quantity": "dn", "units": "1"}, "holds dn"),
        ({"quantity": "brightness_temperature", "units": "K"}, "units 'K'"),
        ({"units": "m"}, "units 'm'"),
    ],
)
def test_gamma_of_what_is_no_share(one: One, attrs: dict[str, Any], text: str) -> None:
    with pytest.raises(QuantityError, match=text):
        Gamma(2.0)(one(np.ones((1, 1), "f4"), None, attrs))


@pytest.mark.parametrize("gamma", [0.0, -1.0, float("nan"), float("inf")])
def test_gammas_that_are_none(gamma: float) -> None:
    with pytest.raises(ParameterError, match="a positive number"):
        Gamma(gamma)
