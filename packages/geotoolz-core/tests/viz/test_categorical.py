"""`CategoricalColormap`: where classes come from, unknown values, legends."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import geotoolz as gz
from geotoolz.core import ParameterError, QuantityError
from geotoolz.core.testing import contract_tile, data_path, simulate_scene
from geotoolz.viz import CategoricalColormap, LegendEntry, paint_classes
from geotoolz.viz._colors import rgba

LAND = {1: ("water", "#0000ff"), 2: "forest", 40: ("town", "#80808080")}


def planes(tile):
    return np.stack([tile[name].values for name in ("red", "green", "blue", "alpha")], axis=-1)


def tile_of(values, **attrs):
    tile = contract_tile(values.shape)[["red"]]
    return tile.assign(lc=(("y", "x"), values, {"long_name": "land cover", "quantity": "flags", **attrs}))


def by_mapping(values, classes, unknown, nodata=None):
    """Brute force: one dictionary, one look-up per pixel."""
    known = {value: rgba(colour) for value, _, colour in classes}
    out = np.zeros((*values.shape, 4), np.uint8)
    for index, value in np.ndenumerate(values):
        if value == nodata or value != value:
            continue
        out[index] = known.get(value.item(), rgba(unknown))
    return out


def test_by_hand():
    values = np.array([[1, 2, 40], [0, 3, 255]], np.uint8)
    picture = CategoricalColormap("lc", LAND)(tile_of(values, _FillValue=255))
    assert planes(picture).tolist() == [
        [[0, 0, 255, 255], [255, 127, 14, 255], [128, 128, 128, 128]],
        [[255, 0, 255, 255], [255, 0, 255, 255], [0, 0, 0, 0]],
    ]
    hidden = CategoricalColormap("lc", LAND, unknown="transparent")(tile_of(values))
    assert planes(hidden)[1].tolist() == [[0, 0, 0, 0]] * 3


@settings(max_examples=50, deadline=None)
@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "i4", "i8", "f4", "f8"]),
    values=st.sets(st.integers(-100, 120), min_size=1, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_pixels_are_those_of_a_dictionary(dtype, values, seed):
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    classes = tuple((v, f"c{v}", "#" + rng.bytes(3).hex()) for v in values)
    raster = rng.integers(0 if kind.kind == "u" else -110, 127, (6, 30)).astype(kind)
    raster.flat[:12] = np.resize([v for v in values if kind.kind != "u" or v >= 0] or [0], 12)
    if kind.kind == "f":
        raster[2, :4] = [np.nan, np.inf, -np.inf, 1.5]
    picture = CategoricalColormap("lc", classes)(tile_of(raster, _FillValue=kind.type(7)))
    np.testing.assert_array_equal(planes(picture), by_mapping(raster, classes, "#ff00ff", 7))


def test_scl_has_its_own_legend():
    tile = simulate_scene((96, 96), cloud_cover=0.1)
    picture = paint_classes(tile, "scl")
    water = tile.scl.values == 6
    vegetation = tile.scl.values == 4
    assert vegetation.any()
    assert (planes(picture)[vegetation] == [0, 160, 0, 255]).all()
    assert (planes(picture)[water] == [0, 0, 255, 255]).all()
    plain = contract_tile()  # its scl has no flag_values
    assert "flag_values" not in plain.scl.attrs
    assert CategoricalColormap("scl")(plain).alpha.values.all(), "12 is no class, and is seen"


def test_attributes_tell_classes_and_colours():
    values = np.array([[1, 3, 9]], np.uint8)
    attrs = {"flag_values": np.array([1, 3], np.uint8), "flag_meanings": "water dry_land"}
    told = CategoricalColormap("lc")(tile_of(values, **attrs))
    assert planes(told)[0].tolist() == [[31, 119, 180, 255], [255, 127, 14, 255], [255, 0, 255, 255]]
    coloured = CategoricalColormap("lc")(tile_of(values, **attrs, flag_colors="#010203, #040506"))
    assert planes(coloured)[0, :2, :3].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_masks_have_two_classes():
    tile = contract_tile()
    picture = CategoricalColormap("mask")(tile)
    np.testing.assert_array_equal(picture.alpha, np.where(tile.mask, 255, 0))


def test_forms_in_which_people_have_classes():
    stac = [{"value": 1, "name": "water", "color_hint": "0000ff"}, {"value": 2, "name": "forest"}]
    triples = [(1, "water", "#0000ff"), [2, "forest", "#ff7f0e"]]
    pairs = [(1, ("water", "#0000ff")), (2, "forest")]
    mapping = {1: ("water", "#0000ff"), 2: "forest"}
    ops = [CategoricalColormap("lc", form) for form in (stac, triples, dict(pairs), mapping)]
    assert all(op == ops[0] for op in ops)
    assert gz.load(gz.dump(ops[0])) == ops[0]


def test_classes_nobody_told_are_refused():
    values = np.zeros((2, 2), np.uint8)
    with pytest.raises(QuantityError, match=r"not known \(it has no attribute flag_values\)"):
        CategoricalColormap("lc")(tile_of(values))
    with pytest.raises(QuantityError, match="2 flag_values and 1 flag_meanings"):
        CategoricalColormap("lc")(tile_of(values, flag_values=[1, 2], flag_meanings="water"))
    with pytest.raises(QuantityError, match="bit flags"):
        CategoricalColormap("qa60")(contract_tile())
    with pytest.raises(QuantityError, match="bit flags"):
        CategoricalColormap("lc")(tile_of(values, flag_masks=[1, 2], flag_meanings="a b"))


@pytest.mark.parametrize(
    "classes",
    [{}, [(1, "a", "#000000"), (1, "b", "#ffffff")], {1: ("a", "no colour")}, {0: "a", 70_000: "b"},
     {"one": "a"}, [{"name": "a"}], {1.5: "a"}, {1: ("a", "#000000", "more")}],
)  # fmt: skip
def test_classes_that_are_none_are_refused(classes):
    with pytest.raises(ParameterError):
        CategoricalColormap("lc", classes)


def test_unknown_colour_is_refused():
    with pytest.raises(ParameterError, match="did you mean 'purple'"):
        CategoricalColormap("lc", LAND, unknown="purpl")


def test_legend_has_the_colours_of_the_pixels():
    values = np.array([[1, 40, 255, 9]], np.uint8)
    tile = tile_of(values, _FillValue=255)
    op = CategoricalColormap("lc", {**LAND, 255: "nothing"})
    legend = op.legend(tile)
    assert legend.title == "land cover"
    assert [(e.value, e.name, e.color) for e in legend.entries] == [
        (1, "water", "#0000ff"), (2, "forest", "#ff7f0e"), (40, "town", "#80808080"),
        (None, "other values", "#ff00ff"),
    ]  # fmt: skip
    painted = planes(op(tile))
    for entry in legend.entries:
        for pixel in painted[values == entry.value] if entry.value is not None else painted[values == 9]:
            assert tuple(pixel) == rgba(entry.color)
    assert [e.value for e in op.legend(tile, present=True).entries] == [1, 40, None]
    assert [e.value for e in op.legend(tile.isel(x=[0, 1]), present=True).entries] == [1, 40]
    assert json.loads(json.dumps(legend.to_dict()))["classes"][0]["name"] == "water"


def test_legend_is_drawn_and_escaped():
    legend = CategoricalColormap("lc", {1: ("<b>water</b>", "#0000ff80"), 2: "dry_land"}).legend()
    for text in (legend.to_html(), legend.to_svg(), legend._repr_html_()):
        assert "<b>water" not in text
        assert "&lt;b&gt;water" in text
        assert "2 dry land" in text
    assert "fill='#0000ff' fill-opacity='0.502'" in legend.to_svg()
    assert CategoricalColormap("scl").legend().entries[4].name == "vegetation"
    with pytest.raises(QuantityError, match="not known"):
        CategoricalColormap("lc").legend()
    assert LegendEntry(1, "water", "Blue").color == "#0000ff"
    with pytest.raises(ParameterError, match="the colour"):
        LegendEntry(1, "water", "red'/><script>")


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_real_scl_shows_the_codes_that_are_no_class():
    """The scene's SCL was coded lossily: a few pixels are 12."""
    tile = gz.open_tile(next(data_path("s2_l2a_33TWL_croatia").rglob("*.json")), bands=("scl",))
    magenta = (planes(CategoricalColormap("scl")(tile)) == [255, 0, 255, 255]).all(axis=-1)
    np.testing.assert_array_equal(magenta, tile.scl.values > 11)
