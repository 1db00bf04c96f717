"""BandMath: roles, several outputs, attributes, stacks, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    TileError,
    TileSpec,
    compile,
    dump,
    load,
    load_sandboxed,
)
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.radiometry import BandMath, compute_band_math


def test_by_hand() -> None:
    tile = contract_tile(gaps=False)
    red, nir = tile.red.values.astype("f8"), tile.nir.values.astype("f8")
    got = compute_band_math(tile, "(nir - red) / (nir + red)", name="nd").nd
    np.testing.assert_array_equal(got, ((nir - red) / (nir + red)).astype("f4"))
    two = BandMath({"a": "sqrt(nir * red)", "b": "where(scl == 4 and red < k, 1, 0)"}, constants={"k": 0.5})(
        tile
    )
    np.testing.assert_array_equal(two.a, np.sqrt(nir * red).astype("f4"))
    np.testing.assert_array_equal(two.b, ((tile.scl == 4) & (red < 0.5)).astype("f4"))


def test_names_are_roles_and_sensor_names() -> None:
    tile = simulate_scene((8, 8), sensor="landsat-8") if _has_sensor() else contract_tile()
    if "nir" not in tile:
        np.testing.assert_array_equal(BandMath("nir * 2")(tile).band_math, tile.nir08.values * 2)
    tile = contract_tile()
    both = BandMath({"a": "B04 + n", "b": "red + nir"}, variables={"n": "B08"})(tile)
    np.testing.assert_array_equal(both.a, both.b)
    assert compile(BandMath("B04 * 2"), TileSpec.of(tile), outputs=("band_math",)).inputs == ("red",)


def _has_sensor() -> bool:
    import inspect

    return "sensor" in inspect.signature(simulate_scene).parameters


def test_attributes() -> None:
    tile = contract_tile()
    plain = BandMath("nir - red", name="dvi")(tile).dvi
    assert plain.attrs["units"] == "1" and plain.attrs["long_name"] == "nir - red"
    assert np.isnan(plain.attrs["_FillValue"]) and "quantity" not in plain.attrs
    out = BandMath(
        {"a": "nir", "b": "red"}, units={"a": "m"}, long_name={"b": "the red one"}, quantity="index"
    )(tile)
    assert out.a.attrs["units"] == "m" and "units" not in out.b.attrs
    assert (out.a.attrs["long_name"], out.b.attrs["long_name"]) == ("nir", "the red one")
    assert out.a.attrs["quantity"] == out.b.attrs["quantity"] == "index"


def test_a_variable_that_exists_is_replaced() -> None:
    tile = contract_tile()
    out = BandMath("red * 2", name="red")(tile)
    np.testing.assert_array_equal(out.red, tile.red.values * np.float32(2))
    assert list(out.data_vars) == list(tile.data_vars)


def test_stacks_and_integers() -> None:
    stack = contract_tile((5, 6), times=3, raw=True)
    out = BandMath("red - nir", name="dvi")(stack).dvi
    assert out.dims == ("time", "y", "x")
    want = stack.red.values.astype("f8") - stack.nir.values.astype("f8")
    want[(stack.red.values == 0) | (stack.nir.values == 0)] = np.nan
    np.testing.assert_array_equal(out, want.astype("f4"))


def test_configuration_is_text_and_safe_in_the_sandbox() -> None:
    op = BandMath({"a": "nir / red", "b": "k * nir"}, constants={"k": 2.0}, variables={"nir": "B08"})
    assert load(dump(op)) == op and load_sandboxed(dump(op)) == op
    assert load(dump(op)).config_hash() == op.config_hash()
    assert op.config_hash() != op.replace(constants={"k": 3.0}).config_hash()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: BandMath("red.values"), "column 1: an attribute of 'red'"),
        (lambda: BandMath("__import__('os').system('true')"), "a call of"),
        (lambda: BandMath("red ** 1000"), "column 8: the exponent 1000; expected at most 16"),
        (lambda: BandMath("red ** nir"), "the exponent depends on 'nir'"),
        (lambda: BandMath("red ** k", constants={"k": 99.0}), "the exponent 99"),
        (lambda: BandMath("(" * 90 + "red" + ")" * 90), "nested too deep"),
        (lambda: BandMath({"a": "red", "b": "nir["}), "formula 'nir\\['"),
        (lambda: BandMath(""), "no formula"),
        (lambda: BandMath({}), "no formula"),
        (lambda: BandMath(), r"no formula; expected one at least; BandMath\("),
        (lambda: BandMath(name="x"), "no formula.*name='x'"),
        (lambda: BandMath(None, name="x"), "no formula"),  # type: ignore[arg-type]
        (lambda: BandMath("nir ^ 2"), r"column 5: the operator '\^'.*use \*\*"),
        (lambda: BandMath({"a": "red"}, name="b"), "name='b' beside a mapping"),
        (lambda: BandMath("red", variables={"nir": "red"}), "variables has 'nir'; expected red"),
        (lambda: BandMath("red", constants={"k": 1.0}), "constants has 'k'"),
        (lambda: BandMath("red * k", variables={"k": "nir"}, constants={"k": 1.0}),
            "a variable and a constant"),
        (lambda: BandMath("red * k", constants={"k": "1"}), "constants"),  # type: ignore[dict-item]
        (lambda: BandMath(7), "formula"),  # type: ignore[arg-type]
        (lambda: BandMath("1 + 2")(contract_tile()), "reads no band"),
    ],
)  # fmt: skip
def test_mistakes(make: Any, text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        make()


def test_unknown_names_and_odd_tiles() -> None:
    tile = contract_tile()
    with pytest.raises(MissingVariableError, match=r"BandMath reads 'nri'.*did you mean 'nir'"):
        BandMath("red / nri")(tile)
    with pytest.raises(TileError, match="equal dims"):
        BandMath("red / nir")(tile.assign(nir=tile.nir.expand_dims(time=2)))
    text = xr.Variable(("y", "x"), np.full(tile.red.shape, "a"))
    with pytest.raises(TileError, match="reads 'words', which is <U1"):
        BandMath("words + red")(tile.assign(words=text))
