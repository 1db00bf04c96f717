"""Quicklooks, HTML, steps of a pipeline, plots: read back and compared with the pixels."""

from __future__ import annotations

import io
import subprocess
import sys
from html.parser import HTMLParser

import dask
import numpy as np
import pytest

import geotoolz as gz
from geotoolz.core import (
    MissingDependencyError,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileError,
)
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.io import WriteCOG
from geotoolz.radiometry import BoxMean, SelectBands
from geotoolz.viz import (
    CategoricalColormap,
    Colormap,
    FalseColor,
    TrueColor,
    encode_png,
    plot_band,
    plot_legend,
    plot_rgb,
    quicklook,
    show_steps,
    tile_html,
    to_image,
    to_png,
)


def decoded(png):
    image = pytest.importorskip("PIL.Image")
    return np.asarray(image.open(io.BytesIO(png)))


def planes(tile):
    return np.stack([tile[name].values for name in ("red", "green", "blue", "alpha")], axis=-1)


@pytest.fixture
def tile():
    return simulate_scene((48, 64), cloud_cover=0.3, nodata_edge=True)


# ---- PNG ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (1, 9, 3), (6, 4, 3), (17, 31, 4)])
def test_png_reads_back(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    for level in (1, 9):
        np.testing.assert_array_equal(decoded(encode_png(pixels, level=level)), pixels)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2, 2), np.uint8),
        np.zeros((2, 2, 3)),
        np.zeros((0, 2, 3), np.uint8),
        np.zeros(3, np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(pixels):
    with pytest.raises(TileError, match="picture"):
        encode_png(pixels)


def test_to_png_has_all_pixels(tile, tmp_path):
    picture = TrueColor()(tile)
    data = to_png(picture, tmp_path / "a.png")
    np.testing.assert_array_equal(decoded(data), planes(picture))
    assert (tmp_path / "a.png").read_bytes() == data
    with pytest.raises(QuantityError, match="no finished picture"):
        to_png(tile)
    with pytest.raises(QuantityError, match="no finished picture"):
        to_png(tile[["nir"]])


# ---- quicklook ---------------------------------------------------------------------------------------------


def test_quicklook_has_the_pixels_of_the_picture(tile):
    full = planes(TrueColor()(tile))
    np.testing.assert_array_equal(decoded(quicklook(tile)), full)
    np.testing.assert_array_equal(decoded(quicklook(tile, size=20)), full[::4, ::4])
    np.testing.assert_array_equal(decoded(quicklook(tile, gamma=2.0)), planes(TrueColor(gamma=2.0)(tile)))
    false = planes(FalseColor(vmax=0.3)(tile))
    np.testing.assert_array_equal(decoded(quicklook(tile, ("nir", "red", "green"))), false)
    scl = planes(CategoricalColormap("scl")(tile))
    np.testing.assert_array_equal(decoded(quicklook(tile, "scl")), scl)
    one = planes(Colormap("nir", "magma", vmin=0, vmax=0.4)(tile))
    np.testing.assert_array_equal(decoded(quicklook(tile, "B08", cmap="magma", vmin=0, vmax=0.4)), one)
    finished = Colormap("nir", "magma", vmin=0, vmax=0.4)(tile)
    np.testing.assert_array_equal(decoded(quicklook(finished)), one)
    np.testing.assert_array_equal(np.asarray(to_image(finished)), one)


def test_quicklook_on_a_background(tile):
    opaque = decoded(quicklook(tile, background="#eeddcc"))
    full = planes(TrueColor()(tile))
    nothing = full[..., 3] == 0
    assert nothing.any()
    assert (opaque[nothing] == [0xEE, 0xDD, 0xCC]).all()
    np.testing.assert_array_equal(opaque[~nothing], full[~nothing][:, :3])


def test_what_is_drawn_without_being_told(tile):
    ndvi = tile[["nir"]].assign(ndvi=(("y", "x"), tile.nir.values * 2 - 1, {"quantity": "index"}))
    expected = planes(Colormap("ndvi", "RdYlGn", vmin=-1, vmax=1)(ndvi))
    np.testing.assert_array_equal(decoded(quicklook(ndvi)), expected)
    np.testing.assert_array_equal(
        decoded(quicklook(tile[["nir"]])), planes(Colormap("nir", "gray", vmin=0, vmax=0.3)(tile))
    )
    assert decoded(quicklook(tile[["scl"]])).shape == (48, 64, 4)
    plain = contract_tile((20, 30))[["qa60"]]  # bit flags: shades of grey and no error
    assert decoded(quicklook(plain)).shape == (20, 30, 4)
    raw = contract_tile((20, 30), raw=True)  # stored numbers: between their own percentiles
    assert 0 < decoded(quicklook(raw))[..., :3].mean() < 255
    photo = contract_tile((4, 4))[[]].assign(
        {
            n: (("y", "x"), np.full((4, 4), v, np.uint8))
            for n, v in (("red", 10), ("green", 20), ("blue", 255))
        }
    )
    assert (decoded(quicklook(photo)) == [10, 20, 255, 255]).all()


def test_quicklook_of_a_stack_and_of_a_lazy_tile():
    stack = contract_tile((12, 10), times=3)
    last, first = stack.isel(time=2, drop=True), stack.isel(time=0, drop=True)
    assert quicklook(stack) == quicklook(last) != quicklook(first)
    assert quicklook(stack, time=0) == quicklook(first)
    assert quicklook(stack.chunk({"y": 5})) == quicklook(last)
    with pytest.raises(ParameterError, match="time has 3 positions"):
        quicklook(stack, time=3)


def test_what_a_quicklook_refuses(tile):
    for wrong in ({"size": 0}, {"vmin": 1.0, "vmax": 0.0}, {"gamma": 0.0}, {"background": "no colour"}):
        with pytest.raises(ParameterError):
            quicklook(tile, **wrong)
    with pytest.raises(ParameterError, match="did you mean 'magma'"):
        quicklook(tile, "nir", cmap="magmma")
    with pytest.raises(ParameterError, match="one variable, or three"):
        quicklook(tile, ("red", "nir"))
    with pytest.raises(MissingVariableError, match="did you mean 'nir'"):
        quicklook(tile, "nirr")
    with pytest.raises(TileError, match="no variables"):
        quicklook(tile[["nir"]].drop_vars("nir").assign_coords(y=tile.y, x=tile.x))
    with pytest.raises(TileError, match="one pixel at least"):
        quicklook(contract_tile((0, 5)))


# ---- HTML --------------------------------------------------------------------------------------------------


class Balanced(HTMLParser):
    """Whether every element is closed in its place."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(text):
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert "script" not in parser.seen
    return parser.seen


def test_tile_html_tells_everything(tile):
    tile.attrs["tile_id"] = "<script>alert(1)</script>"
    tile.nir.attrs["units"] = "<b>"
    text = tile_html(tile, values=True)
    seen = parsed(text)
    assert seen.count("img") == 1 + len(tile.data_vars)
    extremes = [f"{find(tile.nir.values):g}" for find in (np.nanmin, np.nanmax)]
    grid = ["EPSG:32633", "48 × 64 pixels of 10 × 10 m"]
    for told in (*grid, *extremes, "float32", "uint8", "surface_reflectance", "nan", "&lt;script&gt;"):
        assert told in text, told
    assert text._repr_html_() == text


def test_tile_html_of_lazy_and_odd_tiles():
    stack = contract_tile((6, 5), times=3)
    with dask.config.set(scheduler=_forbidden):
        assert "img" not in parsed(tile_html(stack.chunk({"y": 3})))
    assert "time 3 × y 6 × x 5" in tile_html(stack)
    assert "time: 3" in tile_html(stack)
    assert "–" in tile_html(contract_tile((0, 5)), values=True)
    no_crs = contract_tile((6, 5)).drop_vars("spatial_ref")
    assert "no CRS" in tile_html(no_crs)


def _forbidden(*args, **kwargs):
    raise RuntimeError("a lazy tile was computed")


def test_steps_are_shown_with_a_picture_each(tile, tmp_path):
    pipeline = gz.Sequential(
        [BoxMean(1, bands=("nir",)), SelectBands(("nir", "scl")), Colormap("nir", vmin=0, vmax=1),
         WriteCOG(str(tmp_path / "{band}.tif"))]
    )  # fmt: skip
    text = show_steps(pipeline, tile)
    assert parsed(text).count("img") == 4
    for told in ("operators[0]", "BoxMean(radius=1", "operators[2]", "alpha", "swir22"):
        assert told in text, told
    assert list(tmp_path.iterdir()) == [], "a sink wrote"
    assert parsed(show_steps(pipeline, tile, "scl")).count("img") == 4
    assert parsed(show_steps(TrueColor(), tile)).count("img") == 2
    with pytest.raises(gz.core.GeotoolzError, match=r"operators\[0\]"):
        show_steps(gz.Sequential([Colormap("nope", vmin=0, vmax=1)]), tile)


# ---- matplotlib --------------------------------------------------------------------------------------------


@pytest.fixture
def axes():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_plots_lie_where_the_map_is(tile, axes):
    plot_rgb(tile, ax=axes)
    image = axes.images[-1]
    assert image.get_extent() == [499980.0, 500620.0, 5099520.0, 5100000.0]
    np.testing.assert_array_equal(image.get_array(), planes(TrueColor()(tile)))
    assert axes.get_xlabel() == "x [m, EPSG:32633]"
    small = plot_rgb(tile.isel(x=slice(0, 63)), ax=axes, size=32).images[-1]
    assert small.get_array().shape[:2] == (24, 32)
    assert small.get_extent() == [499980.0, 500620.0, 5099520.0, 5100000.0]  # blocks of 2: 64 pixels


def test_a_band_is_plotted_in_the_colours_of_the_operator(tile, axes):
    tile.nir.attrs.update(long_name="near infrared", units="K")
    plot_band(tile, "B08", ax=axes, cmap="rdylgn_r", vmin=0.1, vmax=0.4)
    image = axes.images[-1]
    found = image.to_rgba(image.get_array(), bytes=True, norm=True)
    np.testing.assert_array_equal(found, planes(Colormap("nir", "RdYlGn_r", vmin=0.1, vmax=0.4)(tile)))
    assert image.colorbar.ax.get_ylabel() == "near infrared [K]"
    own = plot_band(tile, "nir", ax=axes, cmap=("#000000", "#00ff00"), vmin=0, vmax=1, colorbar=False).images[
        -1
    ]
    expected = planes(Colormap("nir", ("#000000", "#00ff00"), vmin=0, vmax=1)(tile))
    np.testing.assert_array_equal(own.to_rgba(own.get_array(), bytes=True, norm=True), expected)
    with pytest.raises(ParameterError, match="there is no colour map"):
        plot_band(tile, "nir", ax=axes, cmap="nonsense")
    plot_band(contract_tile((5, 5)), "mask", ax=axes)


def test_degrees_and_rotated_grids(axes):
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.core import tile_from_arrays

    values = {"v": np.arange(12, dtype=np.float32).reshape(3, 4)}
    degrees = tile_from_arrays(values, GeoBox((3, 4), Affine(0.5, 0, 10, 0, -0.5, 50), "EPSG:4326"))
    plot_band(degrees, "v", ax=axes)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("longitude [°]", "latitude [°]")
    assert axes.images[-1].get_extent() == [10, 12, 48.5, 50]
    south_up = tile_from_arrays(values, GeoBox((3, 4), Affine(0.5, 0, 10, 0, 0.5, 48.5), "EPSG:4326"))
    assert plot_band(south_up, "v", ax=axes).images[-1].get_extent() == [10, 12, 50, 48.5]


def test_legend_of_a_plot(tile, axes):
    op = CategoricalColormap("scl")
    plot_rgb(op(tile), ax=axes)
    plot_legend(op.legend(tile), ax=axes, ncols=2)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[3] == "4 vegetation"
    assert texts[-1] == "other values"
    bar = Colormap("nir", vmin=0, vmax=1).legend(tile)
    for other in (bar, Colormap("nir", vmin=0, vmax=1)):
        with pytest.raises(ParameterError, match=r"got a ColorBar.*plot_band"):
            plot_legend(other, ax=axes)
    with pytest.raises(ParameterError, match="plot_band draws one"):
        plot_rgb(tile, "nir", ax=axes)


@pytest.mark.parametrize("name", ["plot_rgb", "plot_band", "plot_legend", "to_image"])
def test_absent_libraries_are_named_with_what_to_install(tile, monkeypatch, name):
    for module in ("matplotlib", "matplotlib.pyplot", "PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, module, None)
    arguments = {"plot_band": (tile, "nir"), "plot_legend": (CategoricalColormap("scl"),)}.get(name, (tile,))
    with pytest.raises(MissingDependencyError, match=r"pip install 'geotoolz-core\[viz\]'"):
        getattr(gz.viz, name)(*arguments)


def test_importing_viz_loads_no_plotting_library():
    code = (
        "import sys, geotoolz.viz as v; v.colormap_table('viridis');"
        "print([m for m in ('matplotlib', 'PIL', 'numba', 'rasterio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
