"""`Colormap` against matplotlib, its limits, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import geotoolz as gz
from geotoolz.core import NotFrozenError, ParameterError, QuantityError, TileSpec, check
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.viz import CategoricalColormap, Colormap, TrueColor, colormap_names, colormap_table, paint_band

ROOT = Path(__file__).resolve().parents[4]


def tile_of(values, **attrs):
    tile = contract_tile(values.shape)[["red"]]
    return tile.assign(v=(("y", "x"), values, {"long_name": "values", "quantity": "index", **attrs}))


def planes(tile):
    return np.stack([tile[name].values for name in ("red", "green", "blue", "alpha")], axis=-1)


def by_matplotlib(values, cmap, vmin, vmax, **extremes):
    matplotlib = pytest.importorskip("matplotlib")
    colors = pytest.importorskip("matplotlib.colors")
    chosen = matplotlib.colormaps[cmap] if isinstance(cmap, str) else cmap
    if extremes:
        chosen = chosen.with_extremes(**extremes)
    return chosen(colors.Normalize(vmin, vmax)(np.ma.masked_where(values != values, values)), bytes=True)


# ---- tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "_r"])
@pytest.mark.parametrize("name", colormap_names())
def test_tables_are_matplotlibs(name, suffix):
    matplotlib = pytest.importorskip("matplotlib")
    expected = matplotlib.colormaps[name + suffix](np.arange(256), bytes=True)
    np.testing.assert_array_equal(colormap_table(name + suffix), expected)


def test_the_file_is_what_the_script_writes():
    pytest.importorskip("matplotlib")
    if not (ROOT / "scripts/update_luts.py").is_file():
        pytest.skip("the scripts are not part of the distribution")
    done = subprocess.run([sys.executable, ROOT / "scripts/update_luts.py", "--check"], check=False)
    assert done.returncode == 0


def test_colours_of_classes_are_matplotlibs():
    matplotlib = pytest.importorskip("matplotlib")
    from geotoolz.viz._colors import QUALITATIVE, rgba

    twenty = [tuple(row) for row in matplotlib.colormaps["tab20"](range(20), bytes=True).tolist()]
    assert [rgba(colour) for colour in QUALITATIVE] == twenty[::2] + twenty[1::2]


@pytest.mark.parametrize(
    "colours",
    [("#543005", "#f5f5f5", "#003c30"), ("#000000", "#ffffff"), ("#ff000000", "#ff0000ff"),
     tuple(f"#{i * 40:02x}{255 - i * 31:02x}{i * 7:02x}" for i in range(7))],
)  # fmt: skip
def test_own_colours_are_interpolated_as_matplotlib_does(colours):
    colors = pytest.importorskip("matplotlib.colors")
    expected = colors.LinearSegmentedColormap.from_list("own", colours)(np.arange(256), bytes=True)
    np.testing.assert_array_equal(colormap_table(colours), expected)


def test_unknown_maps_are_refused_with_the_nearest():
    with pytest.raises(ParameterError, match=r"did you mean 'viridis'"):
        Colormap("nir", "viridiss", vmin=0, vmax=1)
    with pytest.raises(ParameterError, match="one of viridis, magma"):
        Colormap("nir", "no such map", vmin=0, vmax=1)
    with pytest.raises(ParameterError, match="two colours and more"):
        Colormap("nir", ("#000000",), vmin=0, vmax=1)
    with pytest.raises(ParameterError, match="the colour '#00000'"):
        Colormap("nir", ("#00000", "#ffffff"), vmin=0, vmax=1)


def test_names_in_any_case():
    assert Colormap("nir", "rdylgn_R", vmin=0, vmax=1) == Colormap("nir", "RdYlGn_r", vmin=0, vmax=1)


# ---- pixels ------------------------------------------------------------------------------------------------


def test_by_hand():
    values = np.array([[0.0, 0.5, 1.0], [-0.1, 1.1, np.nan], [np.inf, -np.inf, 0.2499]], np.float32)
    rows = Colormap("v", "gray", vmin=0, vmax=1, rgba=False)(tile_of(values)).v_color
    np.testing.assert_array_equal(rows, [[0, 128, 255], [256, 257, 258], [257, 256, 63]])
    assert rows.dtype == np.uint16
    assert rows.attrs["_FillValue"] == 258
    picture = Colormap("v", "gray", vmin=0, vmax=1, under="#010203", over="#ff000080")(tile_of(values))
    assert planes(picture)[1].tolist() == [[1, 2, 3, 255], [255, 0, 0, 128], [0, 0, 0, 0]]
    assert planes(picture)[0].tolist() == [[0, 0, 0, 255], [128, 128, 128, 255], [255, 255, 255, 255]]


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(["f4", "f8", "u1", "i1", "u2", "i2", "u4", "i4", "i8"]),
    cmap=st.sampled_from(["viridis", "RdBu_r", "terrain", "gray_r"]),
    low=st.floats(-300, 300, allow_nan=False),
    width=st.floats(1e-3, 1e4),
    seed=st.integers(0, 2**32 - 1),
)
def test_pixels_are_matplotlibs(dtype, cmap, low, width, seed):
    rng = np.random.default_rng(seed)
    high = low + width
    kind = np.dtype(dtype)
    values = rng.uniform(low - width / 4, high + width / 4, (9, 40))
    # values at the borders of colours, where a wrong rounding shows
    values[0] = low + width * rng.integers(0, 257, 40) / 256
    if kind.kind == "f":
        values = values.astype(kind)
        values[1, :3] = [np.nan, np.inf, -np.inf]
    else:
        limits = np.iinfo(kind)
        values = np.clip(values, limits.min, limits.max).astype(kind)
    found = planes(Colormap("v", cmap, vmin=low, vmax=high)(tile_of(values)))
    np.testing.assert_array_equal(found, by_matplotlib(values, cmap, low, high))


def test_integers_with_no_data_and_extremes_as_matplotlib():
    values = np.arange(-20, 300, dtype=np.int16).reshape(16, 20)
    found = Colormap("v", "magma", vmin=0, vmax=255, under="#00ff00", over="#ff0000")(
        tile_of(values, _FillValue=7)
    )
    masked = np.ma.masked_equal(values, 7)  # kept by masked_where
    expected = by_matplotlib(masked, "magma", 0, 255, under="#00ff00", over="#ff0000")
    np.testing.assert_array_equal(planes(found), expected)


def test_no_data_is_transparent_and_attributes_tell():
    tile = contract_tile()
    picture = paint_band(tile, "nir", vmin=0, vmax=1)
    nothing = np.isnan(tile.nir.values)
    assert nothing.any()
    np.testing.assert_array_equal(picture.alpha == 0, nothing)
    assert (planes(picture)[nothing] == 0).all()
    assert picture.green.attrs["color_interp"] == "green"
    assert picture.green.attrs["stretch"] == "Colormap(viridis, 0, 1)"
    assert picture.nir.identical(tile.nir)


def test_rows_and_table_give_the_picture():
    tile = contract_tile()
    op = Colormap("nir", "Spectral", vmin=0.2, vmax=0.7, under="navy")
    rows = op.replace(rgba=False)(tile).nir_color.values
    np.testing.assert_array_equal(op.table()[rows], planes(op(tile)))


# ---- limits ------------------------------------------------------------------------------------------------


def test_without_limits_it_is_refused_until_frozen():
    tile = simulate_scene((40, 50), bands=("red", "nir"), cloud_cover=0.0)
    op = Colormap("nir")
    with pytest.raises(NotFrozenError, match="freeze"):
        op(tile)
    assert [f.level for f in check(op, tile)] == ["error"]
    frozen = gz.freeze(op, tile)
    low, high = np.nanpercentile(tile.nir.values.astype("f8"), (2, 98))
    assert frozen.limits == pytest.approx((low, high), rel=1e-6)
    whole = frozen(tile)
    assert whole.isel(x=slice(0, 20)).equals(frozen(tile.isel(x=slice(0, 20)))), "tiles would not match"
    assert gz.load(gz.dump(frozen)) == frozen


def test_a_given_limit_stays_when_frozen():
    tile = simulate_scene((40, 50), bands=("nir",), cloud_cover=0.0)
    frozen = gz.freeze(Colormap("nir", vmin=0.0), tile)
    assert frozen.limits[0] == 0.0
    assert frozen.limits[1] > 0.1
    with pytest.raises(ParameterError, match="lies outside"):
        gz.freeze(Colormap("nir", vmin=5.0), tile)


def test_a_plain_tile_frozen_on_itself_gets_the_first_colour():
    values = np.full((3, 4), 0.25, np.float32)
    picture = Colormap("v", scope="tile")(tile_of(values))
    np.testing.assert_array_equal(planes(picture), by_matplotlib(values, "viridis", 0.25, 0.25))


@pytest.mark.parametrize("limits", [(1.0, 0.0), (0.5, 0.5), (0.0, float("inf")), (float("nan"), 1.0)])
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ParameterError, match=r"vmin|vmax"):
        Colormap("nir", vmin=limits[0], vmax=limits[1])


def test_other_parameters_that_are_refused():
    with pytest.raises(ParameterError, match="percentiles"):
        Colormap("nir", percentiles=(98, 2))
    with pytest.raises(ParameterError, match="4 different names"):
        Colormap("nir", vmin=0, vmax=1, names=("r", "g", "b"))
    with pytest.raises(ParameterError, match="1 different names"):
        Colormap("nir", vmin=0, vmax=1, rgba=False, names=("r", "g"))
    with pytest.raises(ParameterError, match="limits="):
        Colormap("nir", limits=(2.0, 1.0))


# ---- what it paints ----------------------------------------------------------------------------------------


def test_pictures_and_classes_are_refused():
    tile = contract_tile()
    op = Colormap("red", vmin=0, vmax=1)
    with pytest.raises(QuantityError, match=r"channel of a picture already \(TrueColor"):
        gz.Sequential([TrueColor(), op])(tile)
    with pytest.raises(QuantityError, match="CategoricalColormap"):
        Colormap("scl", vmin=0, vmax=11)(tile)
    with pytest.raises(QuantityError, match="picture"):
        gz.Sequential([TrueColor(), CategoricalColormap("green")])(tile)


def test_stored_numbers_get_a_note():
    tile = contract_tile(raw=True)
    findings = check(Colormap("nir", vmin=1000, vmax=4000), tile)
    assert [f.level for f in findings] == ["warning"]
    assert "stored numbers" in findings[0].message


def test_no_index_of_a_picture():
    from geotoolz.core import Map, Plan, require_physical

    class Reads(Map):
        def plan(self, tile: TileSpec) -> Plan:
            require_physical(tile, ("red",), "Reads")
            return Plan()

    with pytest.raises(QuantityError, match="stretched for display"):
        gz.Sequential([Colormap("nir", vmin=0, vmax=1), Reads()])(contract_tile())


# ---- legend ------------------------------------------------------------------------------------------------


def test_legend_has_the_colours_of_the_pixels():
    tile = contract_tile()
    tile.nir.attrs.update(long_name="near <infrared>", units="K")
    bar = Colormap("nir", "magma", vmin=0, vmax=0.5).legend(tile)
    assert (bar.title, bar.units, bar.vmin, bar.vmax) == ("near <infrared>", "K", 0.0, 0.5)
    np.testing.assert_array_equal(bar.pixels()[0], colormap_table("magma"))
    assert bar.to_png()[:4] == b"\x89PNG"
    for text in (bar.to_html(), bar.to_svg(), bar._repr_html_()):
        assert "near &lt;infrared&gt; [K]" in text
        assert "0.5" in text
    assert len(bar.to_dict()["colors"]) == 256
    with pytest.raises(ParameterError, match="not known yet"):
        Colormap("nir").legend()


def test_stacks_and_lazy_tiles():
    stack = contract_tile((11, 13), times=2)
    picture = Colormap("nir", vmin=0, vmax=1)(stack)
    assert picture.alpha.dims == ("time", "y", "x")
    lazy = Colormap("nir", vmin=0, vmax=1)(stack.chunk({"y": 4}))
    assert lazy.alpha.chunks is not None
    xr.testing.assert_identical(lazy.compute(), picture)
