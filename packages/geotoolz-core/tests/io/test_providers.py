"""Providers' tables, and every sensor, level and provider that the docs call tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from _support import CASES, Case, dn, item

from geotoolz.core import ReadError
from geotoolz.io import TABLES, MetadataWarning, open_tile
from geotoolz.io._bands import bands_of_platform
from geotoolz.io._providers import COLLECTIONS, access_hint, collection_of, keys_of, provider_of

pytest.importorskip("h5netcdf")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_supported(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)


def test_every_collection_is_tested() -> None:
    tested = {case.source for case in CASES}
    assert {f"{one.provider}/{one.name}" for one in COLLECTIONS} <= tested


def test_collections_name_bands_that_exist() -> None:
    names = {f"{one.provider}/{one.name}" for one in COLLECTIONS}
    assert len(names) == len(COLLECTIONS)
    # bqa of Landsat Collection 1 and lwir of TM are names of their own
    known = {name for table in TABLES.values() for name in table} | {"bqa"}
    for one in COLLECTIONS:
        assert set(one.keys.values()) <= known, one.name


@pytest.mark.parametrize(
    ("href", "provider"),
    [
        ("https://sentinel-cogs.s3.us-west-2.amazonaws.com/a/B04.tif", "earth-search"),
        ("https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com/a/B04.tif", "earth-search"),
        ("https://sentinel2l2a01.blob.core.windows.net/a/B04.tif?sig=1", "planetary-computer"),
        ("s3://eodata/Sentinel-2/a/B04_10m.jp2", "cdse"),
        ("https://example.com/a.tif", ""),
    ],
)
def test_the_provider_is_told_by_an_address(href: str, provider: str) -> None:
    held = {"collection": "sentinel-2-l2a", "properties": {}, "assets": {"a": {"href": href}}}
    assert provider_of(held) == provider
    found = collection_of(held)
    assert (found.provider if found else "") == provider


def test_one_key_is_another_band_elsewhere() -> None:
    assert bands_of_platform("landsat-8")[keys_of("landsat")["nir"]].sensor_name == "B5"
    assert "nir" not in keys_of("sentinel-2")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s3://eodata/Sentinel-2/B04.jp2", "AWS_S3_ENDPOINT=eodata"),
        ("s3://usgs-landsat/a.TIF", "REQUEST_PAYER"),
        ("https://x.blob.core.windows.net/a.tif", "sign='planetary-computer'"),
        ("https://example.com/a.tif", ""),
    ],
)
def test_how_an_address_is_reached(path: str, told: str) -> None:
    assert told in access_hint(path)
    assert bool(access_hint(path)) == bool(told)


def test_a_remote_asset_that_cannot_be_reached_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    monkeypatch.setenv("AWS_S3_ENDPOINT", "127.0.0.1:9")
    monkeypatch.setenv("AWS_HTTPS", "NO")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    path = item(tmp_path, "cdse/sentinel-2-l2a", "S2B_MSIL2A_x", {"B04_10m": dn(1)}, hosts="s3://eodata/x")
    (tmp_path / "B04_10m.tif").unlink()
    with pytest.raises(ReadError, match=r"s3://eodata/x/B04_10m.tif cannot be read.*AWS_S3_ENDPOINT=eodata"):
        open_tile(path)


def test_an_item_that_declares_another_offset_is_told(tmp_path: Path) -> None:
    fields = {"raster:bands": [{"scale": 1e-4, "offset": 0.0}]}
    more = {"platform": "sentinel-2b", "s2:processing_baseline": "05.09"}
    path = item(tmp_path, "planetary-computer/sentinel-2-l2a", "S2B_x", {"B04": (dn(3000), fields)}, **more)
    told = (
        r"red: raster:bands declares an offset of 0 DN, baseline 05.09 one of -1000: baseline 05.09 is used"
    )
    with pytest.warns(MetadataWarning, match=told):
        tile = open_tile(path)
    assert abs(float(tile.red[3, 3]) - 0.2) < 1e-6
    assert "declares an offset" in tile.attrs["metadata_notes"]


def test_an_item_and_a_file_that_declare_other_scales_are_told(tmp_path: Path) -> None:
    import rasterio

    fields = {"raster:bands": [{"scale": 0.01, "offset": 0.0}]}
    path = item(
        tmp_path, "cdse/other", "x", {"height": (dn(500, "i2"), fields)}, **{"proj:code": "EPSG:32634"}
    )
    with rasterio.open(tmp_path / "height.tif", "r+") as raster:
        raster.scales, raster.offsets = (0.1,), (5.0,)
    with pytest.warns(MetadataWarning) as told:
        tile = open_tile(path)
    text = str(told[0].message)
    assert (
        "the metadata declares scale 0.01 and offset 0, the file 0.1 and 5: the file's are not used" in text
    )
    assert "declares EPSG:32634, the file is in EPSG:32633: the file is used" in text
    assert float(tile.height[3, 3]) == 5.0
