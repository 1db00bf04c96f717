"""Writing: round trips, atomicity, names, class maps."""

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from _rasters import UTM33, dn
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import ParameterError, Sequential, TileError, TileSpec, WriteError
from geotoolz.core._grid import tile_from_arrays
from geotoolz.core.testing import simulate_scene
from geotoolz.io import WriteCOG, open_tile, open_zarr, stac_classes, write_tile, write_zarr
from geotoolz.io._flags import flag_attrs
from geotoolz.radiometry import BandMath
from geotoolz.viz import Colormap

BOX = GeoBox((150, 170), Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM33)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def tile():
    rng = np.random.default_rng(1)
    ndvi = rng.normal(0, 0.4, (150, 170)).astype("f4")
    ndvi[:9, :5] = np.nan
    return tile_from_arrays(
        {
            "red": dn(150, 170),
            "ndvi": ndvi,
            "scl": rng.integers(0, 12, (150, 170)).astype("u1"),
            "cloud": rng.random((150, 170)) > 0.5,
            "height": rng.normal(500, 100, (150, 170)),
            "signed": rng.integers(-500, 500, (150, 170)).astype("i2"),
        },
        BOX,
        attrs={
            "tile_id": "S2A_33TWL_20230101_0_L2A",
            "datetime": "2023-01-01T10:00:00.072000Z",
            "platform": "sentinel-2a",
            "sun_elevation": 40.25,
            "geotoolz:config_hash": "sha256:00",
            "notes": ["a", "b & <c>"],
        },
        var_attrs={
            "red": {
                "quantity": "dn",
                "units": "1",
                "scale_factor": 1e-4,
                "add_offset": -0.1,
                "long_name": "Rot ü",
            },
            "ndvi": {"quantity": "index", "units": "1", "valid_range": np.array([-1, 1], "f4")},
            "scl": {"quantity": "flags", **flag_attrs("scl")},
            "cloud": {"quantity": "mask"},
        },
        nodata={"red": 0, "ndvi": np.nan, "scl": 0, "signed": -9999},
    )


def test_mixed_round_trip(tile, tmp_path):
    before = tile.copy(deep=True)
    paths = write_tile(tile, tmp_path / "{item_id}_{band}.tif")
    assert len(paths) == 6
    assert tile.identical(before)
    back = open_tile(tmp_path)
    assert set(back) == set(tile)
    assert back[list(tile)].identical(tile)
    assert {name: v.dtype for name, v in back.items()} == {name: tile[name].dtype for name in back}
    for path in paths:
        name = path.rsplit("_", 1)[1].removesuffix(".tif")
        assert open_tile(path)[name].identical(tile[name])


def test_one_file_round_trip(tile, tmp_path):
    two = tile[["ndvi"]].assign(ndwi=-tile.ndvi)
    two["ndwi"].attrs.update(tile.ndvi.attrs)
    (path,) = write_tile(two, tmp_path / "both.tif")
    assert open_tile(path).identical(two)
    assert list(open_tile(path, "ndwi")) == ["ndwi"]


def test_the_file_is_a_cog_with_names_and_units(tile, tmp_path):
    big = tile_from_arrays(
        {"red": dn(1100, 1300)}, GeoBox((1100, 1300), BOX.affine, UTM33), nodata={"red": 0}
    )
    big["red"].attrs.update(units="1", scale_factor=1e-4, add_offset=-0.1)
    (path,) = write_tile(big, tmp_path / "a.tif")
    with rasterio.open(path) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.block_shapes == [(512, 512)]
        assert raster.overviews(1) == [2, 4]
        assert raster.descriptions == ("red",)
        assert raster.units == ("1",)
        assert (raster.scales, raster.offsets) == ((1e-4,), (-0.1,))
        assert raster.compression.name == "zstd"
        assert raster.nodata == 0
        assert raster.crs.to_epsg() == 32633
    (path,) = write_tile(big, tmp_path / "b.tif", overviews="none")
    with rasterio.open(path) as raster:
        assert raster.overviews(1) == [] and raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_equal_tiles_give_equal_bytes(tile, tmp_path, monkeypatch):
    (one,) = write_tile(tile, tmp_path / "a" / "x.tif", bands="ndvi")
    monkeypatch.setenv("GDAL_NUM_THREADS", "1")
    (two,) = write_tile(tile, tmp_path / "b" / "x.tif", bands="ndvi")
    assert Path(one).read_bytes() == Path(two).read_bytes()


@pytest.mark.parametrize("compress", ["zstd", "deflate", "lzw", "none"])
def test_compressions_are_lossless(tile, tmp_path, compress):
    (path,) = write_tile(tile, tmp_path / "x.tif", bands="height", compress=compress, overviews="none")
    assert open_tile(path).height.equals(tile.height)


def test_class_maps_are_labelled(tile, tmp_path):
    (path,) = write_tile(tile, tmp_path / "scl.tif", bands="scl")
    with rasterio.open(path) as raster:
        assert raster.colormap(1)[6][:3] == (0, 0, 255)
    sidecar = (tmp_path / "scl.tif.aux.xml").read_text()
    assert "<Category>cloud_shadow</Category>" in sidecar
    assert stac_classes("scl", tile.scl.attrs)[6] == {"value": 6, "name": "water", "color_hint": "0000FF"}
    # a file without classes over one with: the old sidecar goes
    write_tile(tile, tmp_path / "scl.tif", bands="ndvi")
    assert _names(tmp_path) == ["scl.qml", "scl.tif"]


def test_classes_are_never_averaged(tmp_path):
    pixels = np.where(np.arange(1100) % 2, 4, 8).astype("u1") * np.ones((1100, 1), "u1")
    ds = tile_from_arrays({"scl": pixels}, GeoBox((1100, 1100), BOX.affine, UTM33))
    ds["scl"].attrs.update(flag_attrs("scl"))
    (path,) = write_tile(ds, tmp_path / "x.tif")
    with rasterio.open(path, overview_level=0) as raster:
        assert set(np.unique(raster.read(1))) <= {4, 8}


def test_several_kinds_in_one_file_are_refused(tile, tmp_path):
    with pytest.raises(TileError, match=r"several kinds .* put \{band\} into the path"):
        write_tile(tile, tmp_path / "{item_id}.tif")
    sink = WriteCOG(tmp_path / "{item_id}.tif")
    with pytest.raises(TileError, match="several kinds"):
        sink.check_tile(TileSpec.of(tile), ("red", "ndvi"))
    assert not any(tmp_path.iterdir())


def test_several_kinds_are_told_with_all_variables(tmp_path):
    tile = simulate_scene((16, 16), bands=("red", "nir"))
    pipeline = Sequential(
        [BandMath("nir - red", "ndvi"), Colormap("ndvi", limits=(0, 1)), WriteCOG(tmp_path / "x.tif")]
    )
    text = (
        r"hold 5 variables of several kinds \(.*ndvi: float32, no-data nan.*\).*"
        r"bands=\('red', 'green', 'blue', 'alpha'\)"
    )
    with pytest.raises(TileError, match=text) as caught:
        pipeline(tile)
    assert "red, green, blue, alpha: uint8, no-data None" in caught.value.found


def test_what_the_pipeline_created_is_written(tile, tmp_path):
    sink = WriteCOG(tmp_path / "{date}" / "{platform}_{band}.tif")
    paths = sink.write(tile, created=("ndvi",))
    assert paths == (str(tmp_path / "2023-01-01" / "sentinel-2a_ndvi.tif"),)
    assert sink.output_paths(tile, ("ndvi", "scl")) == {
        "ndvi": paths[0],
        "scl": paths[0].replace("ndvi", "scl"),
    }
    assert WriteCOG(str(tmp_path / "x.tif"), bands=("B04",)).write(tile, created=("ndvi",))
    assert list(open_tile(tmp_path / "x.tif", raw=True)) == ["red"]


def test_the_sink_is_an_operator(tmp_path):
    sink = WriteCOG(tmp_path / "{band}.tif", bands="ndvi", level=1)
    assert sink.bands == ("ndvi",)
    assert sink.config()["_target_"] == "geotoolz.io.WriteCOG"
    assert pickle.loads(pickle.dumps(sink)) == sink
    assert "writes_files" in sink.tags


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"path": "x_{bnad}.tif"}, r"\{bnad\} \(did you mean 'band'\?\)"),
        ({"path": "x_{band!r}.tif"}, "band"),
        ({"path": "x_{band.tif"}, "path"),
        ({"path": "x.png"}, "ends in .tif"),
        ({"path": "x.zarr"}, "write_zarr"),
        ({"path": "/vsis3/bucket/x.tif"}, "cannot be written to"),
        ({"path": "x.tif", "level": 30}, "level=30"),
        ({"path": "x.tif", "compress": "none", "level": 3}, "level=3"),
        ({"path": "x.tif", "blocksize": 100}, "blocksize=100"),
        ({"path": "x.tif", "bands": ()}, "empty"),
        ({"path": "x.tif", "compress": "jpeg"}, "jpeg"),
    ],
)
def test_bad_parameters(options, match):
    with pytest.raises(ParameterError, match=match):
        WriteCOG(**options)


def test_what_cannot_be_written_is_refused(tile, tmp_path):
    half = tile[["ndvi"]].astype("f2")
    with pytest.raises(TileError, match="float16"):
        write_tile(half, tmp_path / "x.tif")
    wrong = tile[["scl"]].copy()
    wrong["scl"] = wrong.scl.assign_attrs(_FillValue=-1)
    with pytest.raises(TileError, match="no-data value is -1"):
        write_tile(wrong, tmp_path / "x.tif")
    with pytest.raises(TileError, match="dims"):
        write_tile(tile[["ndvi"]].expand_dims(time=2), tmp_path / "x.tif")
    with pytest.raises(TileError, match="0 × 170"):
        write_tile(tile[["ndvi"]].isel(y=slice(0, 0)), tmp_path / "x.tif")
    nameless = tile[["ndvi"]].drop_attrs(deep=False)
    with pytest.raises(TileError, match="tile_id"):
        write_tile(nameless, tmp_path / "{item_id}.tif")
    odd = tile[["ndvi"]].assign_attrs(thing=object())
    with pytest.raises(ParameterError, match="'thing'"):
        write_tile(odd, tmp_path / "x.tif")
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tile, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="could not be written"):
        write_tile(tile, tmp_path / "file" / "x.tif", bands="ndvi")
    assert _names(tmp_path) == ["file"]
    with pytest.raises(OSError, match="could not be written"):
        write_tile(tile, "/proc/geotoolz/x.tif", bands="ndvi")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(tile, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WriteError, match="could not be written"):
            write_tile(tile, tmp_path / "x.tif", bands="ndvi")
        assert not any(tmp_path.iterdir())
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("limit", [20_000, 900_000, 2_000_000])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, limit):
    code = f"""
        import os, resource, signal, sys
        import numpy as np
        from affine import Affine
        from odc.geo.geobox import GeoBox
        from geotoolz.core import WriteError
        from geotoolz.core._grid import tile_from_arrays
        from geotoolz.io import write_tile
        noise = np.random.default_rng(0).random((900, 900)).astype("f4")
        ds = tile_from_arrays({{"a": noise}}, GeoBox((900, 900), Affine(10, 0, 0, 0, -10, 0), "EPSG:32633"))
        path = os.path.join(sys.argv[1], "x.tif")
        write_tile(ds[["a"]] * 0 + 1, path)
        old = open(path, "rb").read()
        there = sorted(os.listdir(sys.argv[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            write_tile(ds, path)
        except WriteError as error:
            print("refused", error)
        assert sorted(os.listdir(sys.argv[1])) == there == ["x.qml", "x.tif"], os.listdir(sys.argv[1])
        assert open(path, "rb").read() == old
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout


def test_files_appear_together_or_not_at_all(tile, tmp_path):
    (tmp_path / "cloud.tif").mkdir()
    with pytest.raises(WriteError, match="is a folder"):
        WriteCOG(tmp_path / "{band}.tif", bands=("ndvi", "cloud")).write(tile)
    assert _names(tmp_path) == ["cloud.tif"]


def test_dask_arrays_are_computed(tile, tmp_path):
    (path,) = write_tile(tile.chunk({"y": 50}), tmp_path / "x.tif", bands="ndvi")
    assert open_tile(path).ndvi.identical(tile.ndvi)


def test_zarr_round_trip(tile, tmp_path):
    pytest.importorskip("zarr")
    before = tile.copy(deep=True)
    write_zarr(tile, tmp_path / "t.zarr")
    write_zarr(tile, tmp_path / "t.zarr")
    assert _names(tmp_path) == ["t.zarr"]
    assert tile.identical(before)
    back = open_zarr(tmp_path / "t.zarr")
    assert {name: v.dtype for name, v in back.items()} == {name: v.dtype for name, v in tile.items()}
    plain = tile.copy()
    plain["ndvi"] = plain.ndvi.assign_attrs(valid_range=[-1.0, 1.0])  # JSON has lists, no arrays
    assert back.identical(plain)
    write_zarr(back, tmp_path / "u.zarr")
    assert open_zarr(tmp_path / "u.zarr", chunks={}).compute().identical(back)


def test_a_zarr_folder_keeps_the_order_of_its_variables(tmp_path):
    """Zarr lists a folder in another order each time; steps that take bands by place must not see that."""
    pytest.importorskip("zarr")
    names = [f"b{number * 7 % 30:02d}" for number in range(30)]
    scene = simulate_scene((4, 5), bands=("red",))
    tile = xr.Dataset(dict.fromkeys(names, scene["red"].variable), scene.coords, scene.attrs)
    path = write_zarr(tile, tmp_path / "t.zarr")
    for read in (open_zarr, open_tile, lambda p: open_zarr(p, chunks={})):
        for _ in range(3):
            back = read(path)
            assert list(back.data_vars) == names
            assert not [name for name in back.attrs if name.startswith("GEOTOOLZ")]
    tile.to_zarr(tmp_path / "foreign.zarr", zarr_format=3, consolidated=False)
    assert list(open_zarr(tmp_path / "foreign.zarr").data_vars) == sorted(names)


def test_the_planes_of_a_picture_are_written_together_and_known_as_such(tmp_path):
    from rasterio.enums import ColorInterp

    from geotoolz.viz import TrueColor

    scene = simulate_scene((64, 80), bands=("red", "green", "blue"))
    Sequential([TrueColor(), WriteCOG(tmp_path / "rgb.tif")])(scene)
    with rasterio.open(tmp_path / "rgb.tif") as raster:
        wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        assert raster.colorinterp == wanted and raster.dtypes == ("uint8",) * 4


@pytest.mark.parametrize("overviews", ["average", "nearest"])
def test_overviews_are_made_as_said_and_of_classes_by_the_nearest(tmp_path, overviews):
    rng = np.random.default_rng(0)
    values = rng.random((1024, 1024)).astype("f4")
    codes = rng.integers(1, 9, (1024, 1024)).astype("u1")
    tile = tile_from_arrays(
        {"height": values, "classes": codes}, GeoBox((1024, 1024), BOX.affine, UTM33), nodata={"classes": 0}
    )
    tile["classes"].attrs.update(flag_values=list(range(1, 9)), flag_meanings="a b c d e f g h")
    (one,) = write_tile(tile, tmp_path / "h.tif", bands="height", overviews=overviews)
    with rasterio.open(one, overview_level=0) as raster:
        found = raster.read(1)
    mean = values.reshape(512, 2, 512, 2).astype("f8").mean((1, 3))
    if overviews == "average":
        np.testing.assert_allclose(found, mean, atol=1e-6)
    else:
        assert np.isin(found, values).all() and np.abs(found - mean).max() > 0.1
    (two,) = write_tile(tile, tmp_path / "c.tif", bands="classes", overviews=overviews)
    with rasterio.open(two, overview_level=0) as raster:
        assert set(np.unique(raster.read(1))) <= set(range(1, 9))
        blocks = codes.reshape(512, 2, 512, 2).transpose(0, 2, 1, 3).reshape(512, 512, 4)
        assert (raster.read(1)[..., None] == blocks).any(-1).all(), "an average of classes is no class"
