"""Mosaics: every pixel is that of a file, names and colours are kept, what does not fit is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import rasterio
from _rasters import UTM33
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.merge import merge

from geotoolz.catalog import build_mosaic
from geotoolz.core import (
    GeotoolzError,
    GridMismatchError,
    MissingCRSError,
    ParameterError,
    ReadError,
    TileError,
)
from geotoolz.core._grid import tile_from_arrays
from geotoolz.io import open_tile, write_tile
from geotoolz.io._flags import flag_attrs

RNG = np.random.default_rng(4)
STEP = Affine(10, 0, 500_000, 0, -10, 5_000_000)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def moved(step, row, col):
    return Affine(step.a, 0, step.c + col * step.a, 0, step.e, step.f + row * step.e)


def write(path, pixels, row=0, col=0, nodata=None, name="v", crs=UTM33, step=STEP, **attrs):
    box = GeoBox(pixels.shape, moved(step, row, col), crs)
    tile = tile_from_arrays(
        {name: pixels},
        box,
        attrs={"tile_id": path.stem, "datetime": "2023-06-10T10:00:00Z", "platform": "sentinel-2a"},
        var_attrs={name: attrs},
        nodata={} if nodata is None else {name: nodata},
    )
    return write_tile(tile, path, style=None)[0]


def pixels_of(dtype, shape, nodata):
    kind = np.dtype(dtype).kind
    if kind == "f":
        values = RNG.normal(0, 1e6, shape).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        values = RNG.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if nodata is not None:
        values[RNG.random(shape) < 0.2] = nodata
    return values


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(
        [("u1", 0), ("u1", None), ("i2", -9999), ("u2", 65535), ("i4", 0), ("f4", np.nan), ("f8", -1.5)]
    ),
    places=st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), min_size=1, max_size=4),
    side=st.integers(1, 60),
)
def test_a_mosaic_is_what_rasterio_makes_of_the_files(tmp_path_factory, kind, places, side):
    dtype, nodata = kind
    folder = tmp_path_factory.mktemp("mosaic")
    paths = [
        write(folder / f"{i}.tif", pixels_of(dtype, (side, 30), nodata), *place, nodata)
        for i, place in enumerate(places)
    ]
    made = build_mosaic(paths, folder / "all.vrt", style=None)
    wanted, transform = merge(paths, method="last")
    with rasterio.open(made.path) as raster:
        found = raster.read()
        np.testing.assert_array_equal(found, wanted)
        assert raster.transform == transform and raster.shape == made.shape
    assert made.files == len(paths)


def test_names_units_colours_and_classes_are_kept(tmp_path):
    paths = []
    for col in (0, 30):
        scl = RNG.integers(0, 12, (20, 30)).astype("u1")
        paths.append(write(tmp_path / f"scl{col}.tif", scl, 0, col, 0, "scl", **flag_attrs("scl")))
        ndvi = RNG.normal(0, 1, (20, 30)).astype("f4")
        paths.append(
            write(tmp_path / f"i{col}.tif", ndvi, 0, col, np.nan, "ndvi", quantity="index", units="1")
        )
    both = build_mosaic(paths, tmp_path / "both.vrt")
    assert both.bands == ("scl", "ndvi") and both.shape == (20, 60) and both.files == 4
    tile = open_tile(both.path)
    assert tile.attrs["platform"] == "sentinel-2a" and tile.attrs["tile_id"] == "both"
    assert tile.scl.attrs["flag_meanings"] == flag_attrs("scl")["flag_meanings"]
    np.testing.assert_array_equal(tile.ndvi[:, 30:], open_tile(paths[3]).ndvi)
    alone = build_mosaic(paths, tmp_path / "scl.vrt", bands="scl")
    with rasterio.open(alone.path) as raster:
        assert raster.descriptions == ("scl",) and raster.colormap(1)[6][:3] == (0, 0, 255)
    text = alone.path.read_text()
    assert "<Category>cloud_shadow</Category>" in text and "<F>thin_cirrus</F>" in text
    assert not (tmp_path / "scl.qml").exists()
    build_mosaic(paths, tmp_path / "ndvi.vrt", bands=["ndvi"])
    assert 'classificationMin="-1"' in (tmp_path / "ndvi.qml").read_text()


def test_time_is_the_span_of_the_files(tmp_path):
    one = open_tile(write(tmp_path / "a.tif", np.zeros((5, 5), "u1")))
    two = one.assign_attrs(datetime="2023-06-20T10:00:00Z", tile_id="b")
    write_tile(two, tmp_path / "b.tif")
    made = build_mosaic([tmp_path / "a.tif", tmp_path / "b.tif"], tmp_path / "m.vrt")
    attrs = open_tile(made.path).attrs
    assert attrs["start_datetime"] == "2023-06-10T10:00:00Z"
    assert attrs["end_datetime"] == "2023-06-20T10:00:00Z"


def test_files_of_others_keep_their_colour_table(tmp_path):
    profile = {"driver": "GTiff", "height": 4, "width": 4, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    for i in range(2):
        with rasterio.open(tmp_path / f"{i}.tif", "w", transform=moved(STEP, 0, 4 * i), **profile) as raster:
            raster.write(np.full((1, 4, 4), i, "u1"))
            raster.write_colormap(1, {0: (1, 2, 3, 255), 1: (4, 5, 6, 255)})
    made = build_mosaic([tmp_path / "0.tif", tmp_path / "1.tif"], tmp_path / "m.vrt")
    with rasterio.open(made.path) as raster:
        assert raster.colormap(1)[1] == (4, 5, 6, 255)
        assert raster.read(1)[0].tolist() == [0] * 4 + [1] * 4
    assert made.bands == ("band_1",)


def test_folder_and_mosaic_move_together(tmp_path):
    (tmp_path / "a").mkdir()
    path = write(tmp_path / "a" / "data & more.tif", np.arange(100, dtype="u1").reshape(10, 10))
    made = build_mosaic([path], tmp_path / "a" / "maps" / "m.vrt")
    before = open_tile(made.path).v.values
    shutil.move(tmp_path / "a", tmp_path / "b")
    np.testing.assert_array_equal(open_tile(tmp_path / "b" / "maps" / "m.vrt").v.values, before)


def test_one_cog_of_all(tmp_path):
    paths = [
        write(
            tmp_path / f"{i}.tif", pixels_of("f4", (600, 400), np.nan), 0, 350 * i, np.nan, quantity="index"
        )
        for i in range(2)
    ]
    made = build_mosaic(iter(paths), tmp_path / "one.tif")
    wanted, _ = merge(paths, method="last")
    with rasterio.open(made.path) as raster:
        np.testing.assert_array_equal(raster.read(), wanted)
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG" and raster.overviews(1) == [2]
    assert open_tile(made.path).v.attrs["quantity"] == "index"
    assert _names(tmp_path) == ["0.tif", "1.tif", "one.qml", "one.tif"]
    mask = write(tmp_path / "m.tif", np.ones((5, 5), bool), name="m")
    with pytest.raises(ParameterError, match=r"several kinds .* make a \.vrt"):
        build_mosaic([*paths, mask], tmp_path / "no.tif")
    assert not (tmp_path / "no.tif").exists()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"crs": "EPSG:32634"}, GridMismatchError, r"EPSG:32634.*EPSG:32633.*stack_grid"),
        ({"step": Affine(20, 0, 500_000, 0, -20, 5_000_000)}, GridMismatchError, "20 × 20.*10 × 10"),
        ({"step": Affine(10, 0, 500_003, 0, -10, 5_000_000)}, GridMismatchError, r"\+0\.300 of a pixel"),
        ({"nodata": 7}, TileError, r"no-data 7.*one dtype, no-data value"),
        ({"scale_factor": 0.5}, TileError, "scale 0.5"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, options, error, match):
    zeros = np.zeros((8, 8), "u1")
    one = write(tmp_path / "one.tif", zeros)
    other = write(tmp_path / "other.tif", zeros, **options)
    with pytest.raises(error, match=f"(?s){match}") as caught:
        build_mosaic([one, other], tmp_path / "m.vrt")
    assert isinstance(caught.value, GeotoolzError) and "other.tif" in str(caught.value)
    assert _names(tmp_path) == ["one.tif", "other.tif"]


def test_numbers_that_gdal_would_round_are_refused(tmp_path):
    exact = np.full((4, 4), 2**60 + 1)
    path = write(tmp_path / "plain.tif", exact)
    build_mosaic([path], tmp_path / "plain.vrt")
    np.testing.assert_array_equal(open_tile(tmp_path / "plain.vrt").v, exact)
    path = write(tmp_path / "holes.tif", exact, nodata=0)
    with pytest.raises(TileError, match=r"int64.*double precision"):
        build_mosaic([path], tmp_path / "holes.vrt")


def test_what_is_no_mosaic_is_refused(tmp_path):
    one = write(tmp_path / "one.tif", np.zeros((8, 8), "u1"))
    with pytest.raises(ParameterError, match="no raster"):
        build_mosaic([], tmp_path / "m.vrt")
    with pytest.raises(ParameterError, match=r"no file has a band 'y'.*one of v"):
        build_mosaic([one], tmp_path / "m.vrt", bands="y")
    with pytest.raises(ParameterError, match=r"ends in \.vrt or \.tif"):
        build_mosaic([one], tmp_path / "m.png")
    with pytest.raises(ParameterError, match="one of the sources"):
        build_mosaic([one], one)
    with pytest.raises(ReadError, match="does not exist"):
        build_mosaic([tmp_path / "no.tif"], tmp_path / "m.vrt")
    with rasterio.open(
        tmp_path / "bare.tif", "w", driver="GTiff", height=4, width=4, count=1, dtype="uint8", transform=STEP
    ) as raster:
        raster.write(np.zeros((1, 4, 4), "u1"))
    with pytest.raises(MissingCRSError, match="has no CRS"):
        build_mosaic([tmp_path / "bare.tif"], tmp_path / "m.vrt")
