"""Files that cannot be read are named, with what GDAL said."""

import shutil

import pytest
from _rasters import dn, s2_item, write

from geotoolz.core import GeotoolzError, ParameterError, ReadError
from geotoolz.core.testing import data_path
from geotoolz.io import open_tile


def test_missing(tmp_path):
    with pytest.raises(ReadError, match=r"nowhere\.tif does not exist"):
        open_tile(tmp_path / "nowhere.tif")
    with pytest.raises(OSError, match="does not exist"):
        open_tile(tmp_path / "nowhere.json")
    with pytest.raises(ReadError, match="no raster"):
        open_tile(tmp_path)


def test_unreachable():
    with pytest.raises(ReadError, match=r"127\.0\.0\.1.* cannot be read"):
        open_tile("http://127.0.0.1:9/x.tif")


def test_empty_file(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(ReadError, match="0 bytes"):
        open_tile(tmp_path / "a.tif")


def test_no_raster(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"hello, I am no raster" * 100)
    with pytest.raises(ReadError, match=r"a\.tif cannot be read"):
        open_tile(tmp_path / "a.tif")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_truncated_tiff(tmp_path, share):
    path = write(
        tmp_path / "a.tif", dn(600, 600), compress="deflate", tiled=True, blockxsize=256, blockysize=256
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ReadError, match=r"a\.tif cannot be read") as caught:
        open_tile(path)
    assert "truncated" in caught.value.fix


@pytest.mark.realdata
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_jpeg2000(tmp_path, share):
    source = data_path("s2_l2a_33TWL_croatia") / "S2B_33TWL_20230820_0_L2A" / "MSK_CLDPRB_20m.jp2"
    whole = source.read_bytes()
    (tmp_path / "a.jp2").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ReadError, match=r"a\.jp2 cannot be read"):
        open_tile(tmp_path / "a.jp2")


def test_one_broken_band_does_not_hide_the_others(tmp_path):
    red = write(tmp_path / "B04.tif", dn(60, 60))
    nir = write(tmp_path / "B08.tif", dn(60, 60))
    item = s2_item(tmp_path, {"red": red, "nir": nir}, **{"s2:processing_baseline": "05.09"})
    nir.write_bytes(b"")
    assert list(open_tile(item, "red")) == ["red"]
    assert list(open_tile(tmp_path, "red")) == ["red"]
    with pytest.raises(ReadError, match=r"B08\.tif is empty"):
        open_tile(item)


def test_a_changed_file_is_read_anew(tmp_path):
    path = write(tmp_path / "a.tif", dn(60, 60))
    first = open_tile(path)
    shutil.copy(write(tmp_path / "b.tif", dn(60, 60, 5)), path)
    assert not open_tile(path).equals(first)


@pytest.mark.parametrize("text", ["{", "[]", '{"type": "FeatureCollection", "features": []}'])
def test_json_that_is_no_item(tmp_path, text):
    (tmp_path / "item.json").write_text(text)
    with pytest.raises(ReadError, match=r"item\.json"):
        open_tile(tmp_path / "item.json")


def test_a_source_that_is_none():
    with pytest.raises(ParameterError, match="source is int"):
        open_tile(3)
    with pytest.raises(GeotoolzError):
        open_tile({"id": "x"})
