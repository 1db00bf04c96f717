"""What QGIS opens: colour tables, names and attribute tables as GDAL reads them; the form of styles."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from _rasters import UTM33
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.shutil import copy

from geotoolz.core import ParameterError
from geotoolz.core._grid import tile_from_arrays
from geotoolz.io import WriteCOG, open_tile, stream, write_tile
from geotoolz.io._classes import classification
from geotoolz.io._flags import flag_attrs
from geotoolz.radiometry import SelectBands
from geotoolz.viz import CategoricalColormap, colormap_table

BOX = GeoBox((40, 50), Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM33)
RNG = np.random.default_rng(3)


def tile_of(name, pixels, nodata=None, **attrs):
    box = GeoBox(pixels.shape, BOX.affine, UTM33)
    return tile_from_arrays(
        {name: pixels},
        box,
        attrs={"tile_id": "a"},
        var_attrs={name: attrs},
        nodata={} if nodata is None else {name: nodata},
    )


def style_beside(path):
    """Parse a style: the document type that QGIS wants, one renderer in one pipe."""
    text = path.with_suffix(".qml").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n")
    root = ET.fromstring(text)
    assert root.tag == "qgis" and root.get("version").startswith("3.")
    parts = [child.tag for child in root.find("pipe")]
    assert parts == [
        "provider",
        "rasterrenderer",
        "brightnesscontrast",
        "huesaturation",
        "rasterresampler",
        "resamplingStage",
    ]
    return root.find("pipe/rasterrenderer")


def gdal_says(path, folder):
    """Return the band as GDAL writes it down again: what it has read from file and sidecar."""
    copy(path, folder / "read.vrt", driver="VRT")
    return ET.parse(folder / "read.vrt").getroot().find("VRTRasterBand")


def test_an_index_opens_in_its_colours(tmp_path):
    ndvi = RNG.normal(0.3, 0.3, (40, 50)).astype("f4")
    ds = tile_of("ndvi", ndvi, np.nan, quantity="index", units="1")
    (path,) = write_tile(ds, tmp_path / "ndvi.tif")
    renderer = style_beside(tmp_path / "ndvi.tif")
    assert renderer.get("type") == "singlebandpseudocolor" and renderer.get("band") == "1"
    assert (renderer.get("classificationMin"), renderer.get("classificationMax")) == ("-1", "1")
    shader = renderer.find("rastershader/colorrampshader")
    assert shader.get("colorRampType") == "INTERPOLATED" and shader.get("clip") == "0"
    items = shader.findall("item")
    values = [float(item.get("value")) for item in items]
    np.testing.assert_allclose(values, -1 + 2 * np.arange(0, 256, 5) / 255, atol=1e-6)
    table = colormap_table("RdYlGn")[::5]
    assert [item.get("color") for item in items] == [f"#{bytes(row[:3].tolist()).hex()}" for row in table]
    ramp = {o.get("name"): o.get("value") for o in shader.findall("colorramp/Option/Option")}
    assert ramp["color1"] == "165,0,38,255" and ramp["stops"].count(":") == len(items) - 3
    assert open_tile(path).ndvi.identical(ds.ndvi)


@pytest.mark.parametrize("name", ["viridis", "RdYlGn", "terrain", "magma", "gray"])
def test_between_the_stops_the_colours_are_those_of_the_map(name):
    table = colormap_table(name)[:, :3].astype(float)
    rows = np.arange(256)
    for channel in range(3):
        drawn = np.interp(rows, rows[::5], table[::5, channel])
        assert np.abs(drawn - table[:, channel]).max() < 10  # of 255, at the kinks of "terrain"; else < 5


def test_limits_are_percentiles_where_nothing_tells_them(tmp_path):
    height = RNG.normal(500, 100, (40, 50))
    height[:3] = -9999
    write_tile(tile_of("h", height, -9999.0, units="m", quantity="elevation"), tmp_path / "h.tif")
    renderer = style_beside(tmp_path / "h.tif")
    low, high = np.percentile(height[3:], (2, 98))
    assert float(renderer.get("classificationMin")) == pytest.approx(low, rel=1e-6)
    assert float(renderer.get("classificationMax")) == pytest.approx(high, rel=1e-6)
    assert renderer.find("rastershader/colorrampshader/item").get("label").endswith(" m")
    assert renderer.find(".//rampLegendSettings").get("suffix") == " m"
    empty = tile_of("h", np.full((40, 50), np.nan))
    write_tile(empty, tmp_path / "empty.tif")
    assert style_beside(tmp_path / "empty.tif").get("classificationMax") == "1"


def test_limits_of_packed_numbers_are_those_that_qgis_shows(tmp_path):
    packed = RNG.integers(0, 10_000, (40, 50)).astype("i2")
    attrs = {"scale_factor": 1e-3, "add_offset": 2.0, "units": "K"}
    write_tile(tile_of("t", packed, **attrs, valid_range=[0, 5000]), tmp_path / "told.tif")
    told = style_beside(tmp_path / "told.tif")
    assert (told.get("classificationMin"), told.get("classificationMax")) == ("2", "7")
    write_tile(tile_of("t", packed, **attrs), tmp_path / "seen.tif")
    seen = style_beside(tmp_path / "seen.tif")
    low, _ = 2 + 1e-3 * np.percentile(packed, (2, 98))
    assert float(seen.get("classificationMin")) == pytest.approx(low, rel=1e-6)
    index = tile_of("i", packed, scale_factor=1e-4, quantity="dn", scaled_quantity="index")
    write_tile(index, tmp_path / "index.tif")
    known = style_beside(tmp_path / "index.tif")
    assert (known.get("classificationMin"), known.get("classificationMax")) == ("-1", "1")
    turned = tile_of("t", packed, scale_factor=-1.0, valid_min=0, valid_max=5000)
    write_tile(turned, tmp_path / "turned.tif")
    assert style_beside(tmp_path / "turned.tif").get("classificationMin") == "-5000"


def test_red_green_and_blue_of_one_file_are_a_picture(tmp_path):
    attrs = {"quantity": "surface_reflectance", "units": "1"}
    names = ("blue", "green", "red", "nir")
    ds = tile_from_arrays(
        {name: RNG.random((40, 50)).astype("f4") for name in names},
        BOX,
        attrs={"tile_id": "a"},
        var_attrs=dict.fromkeys(names, attrs),
    )
    write_tile(ds, tmp_path / "rgb.tif")
    renderer = style_beside(tmp_path / "rgb.tif")
    assert renderer.get("type") == "multibandcolor"
    assert [renderer.get(f"{c}Band") for c in ("red", "green", "blue")] == ["3", "2", "1"]
    for colour in ("red", "green", "blue"):
        stretch = renderer.find(f"{colour}ContrastEnhancement")
        assert (stretch.find("minValue").text, stretch.find("maxValue").text) == ("0", "0.3")
        assert stretch.find("algorithm").text == "StretchToMinimumMaximum"
    write_tile(ds, tmp_path / "one.tif", style="magma")  # who names a map gets it
    assert style_beside(tmp_path / "one.tif").get("type") == "singlebandpseudocolor"


def test_classes_are_coloured_even_where_nobody_has_told_colours(tmp_path):
    pixels = RNG.integers(1, 4, (40, 50)).astype("u1")
    ds = tile_of("lc", pixels, 0, flag_values=[1, 2, 3], flag_meanings="water <wood> bare&dry")
    (path,) = write_tile(ds, tmp_path / "lc.tif")
    assert not (tmp_path / "lc.qml").exists()  # the file has it all
    painted = {e.value: e.color for e in CategoricalColormap("lc").legend(ds).entries}
    with rasterio.open(path) as raster:
        table = raster.colormap(1)
    assert {v: f"#{bytes(table[v][:3]).hex()}" for v in (1, 2, 3)} == {v: painted[v] for v in (1, 2, 3)}
    band = gdal_says(path, tmp_path)
    assert [c.text for c in band.findall("CategoryNames/Category")] == [None, "water", "<wood>", "bare&dry"]
    assert rows_of(band)[1][:2] == ("2", "<wood>")
    assert classification("lc", ds.lc.attrs, pixels.dtype)[1] == {
        "value": 2,
        "name": "_wood_",
        "color_hint": painted[2][1:].upper(),
        "title": "<wood>",
    }


def rows_of(band):
    """Return the attribute table: (value, name, red, green, blue, alpha) as text."""
    table = band.find("GDALRasterAttributeTable")
    usages = [field.find("Usage").text for field in table.findall("FieldDefn")]
    assert usages == ["5", "2", "6", "7", "8", "9"]
    return [tuple(cell.text for cell in row.findall("F")) for row in table.findall("Row")]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    classes=st.dictionaries(
        st.integers(-300, 3000),
        st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1),
        min_size=1,
    ),
    dtype=st.sampled_from(["i2", "u2", "i4"]),
)
def test_gdal_reads_every_name_and_colour_back(tmp_path_factory, classes, dtype):
    folder = tmp_path_factory.mktemp("rat")
    classes = {v: n for v, n in classes.items() if v >= 0 or np.dtype(dtype).kind == "i"} or {0: "a"}
    ds = tile_of(
        "lc",
        np.zeros((16, 16), dtype),
        flag_values=list(classes),
        flag_meanings=" ".join(classes.values()),
        flag_colors=" ".join(f"#{v % 256:02x}0a0b" for v in classes),
    )
    (path,) = write_tile(ds, folder / "lc.tif", overviews="none")
    rows = rows_of(gdal_says(path, folder))
    wanted = [(str(v), n, str(v % 256), "10", "11", "255") for v, n in sorted(classes.items())]
    assert rows == wanted
    renderer = style_beside(folder / "lc.tif")  # such files have no colour table: the style has the colours
    assert renderer.get("type") == "paletted"
    entries = {int(e.get("value")): e.get("color") for e in renderer.findall("colorPalette/paletteEntry")}
    assert entries == {v: f"#{v % 256:02x}0a0b" for v in classes}


def test_a_mask_shows_what_is_true(tmp_path):
    write_tile(tile_of("cloud", RNG.random((40, 50)) > 0.5, quantity="mask"), tmp_path / "cloud.tif")
    entries = style_beside(tmp_path / "cloud.tif").findall("colorPalette/paletteEntry")
    assert [(e.get("value"), e.get("alpha"), e.get("label")) for e in entries] == [
        ("0", "0", "false"),
        ("1", "255", "true"),
    ]
    assert [row[1] for row in rows_of(gdal_says(tmp_path / "cloud.tif", tmp_path))] == ["false", "true"]


def test_bit_flags_have_no_style(tmp_path):
    qa = RNG.integers(0, 4096, (40, 50)).astype("u2")
    write_tile(tile_of("qa_pixel", qa, **flag_attrs("qa_pixel")), tmp_path / "qa.tif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["qa.tif"]


def test_the_style_is_an_option(tmp_path):
    ds = tile_of("v", RNG.random((40, 50)).astype("f4"))
    write_tile(ds, tmp_path / "x.tif", style=None)
    assert [p.name for p in tmp_path.iterdir()] == ["x.tif"]
    write_tile(ds, tmp_path / "x.tif", style="MAGMA")
    first = style_beside(tmp_path / "x.tif").find("rastershader/colorrampshader/item")
    assert first.get("color") == "#000003"
    write_tile(ds, tmp_path / "x.tif", style=None)  # a style of an older file goes
    assert not (tmp_path / "x.qml").exists()
    assert WriteCOG("x.tif", style="rdylgn").style == "RdYlGn"
    assert WriteCOG("x.tif").config() == WriteCOG("x.tif", style="auto").config()
    with pytest.raises(ParameterError, match="did you mean 'viridis'"):
        WriteCOG("x.tif", style="virids")


def test_a_style_that_was_saved_in_qgis_stays(tmp_path):
    own = "<!DOCTYPE qgis><qgis version='3.40.0'/>"
    (tmp_path / "x.qml").write_text(own)
    ds = tile_of("v", RNG.random((40, 50)).astype("f4"))
    for style in ("auto", None):
        write_tile(ds, tmp_path / "x.tif", style=style)
        assert (tmp_path / "x.qml").read_text() == own
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.qml", "x.tif"]


def test_a_stream_writes_the_same_style(tmp_path):
    ds = tile_of("v", RNG.random((300, 200)).astype("f4"))
    write_tile(ds, tmp_path / "in" / "x.tif", blocksize=64)
    write_tile(ds, tmp_path / "whole.tif")
    stream(SelectBands("v"), tmp_path / "in", tmp_path / "streamed.tif", outputs="v", window=(64, 64))
    whole, streamed = ((tmp_path / f"{name}.qml").read_bytes() for name in ("whole", "streamed"))
    assert whole == streamed
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
