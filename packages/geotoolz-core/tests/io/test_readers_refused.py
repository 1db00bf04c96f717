"""Products that are refused, with the name of the tool that reads them."""

from __future__ import annotations

import zipfile

import pytest

from geotoolz.catalog import GeoCatalog
from geotoolz.core._errors import CatalogError, ReadError
from geotoolz.io import describe, open_tile
from geotoolz.io._readers import reader_for

GRD = "S1A_IW_GRDH_1SDV_20230618T051728_20230618T051753_049037_05E59B_2B2B.SAFE"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (GRD, "is Sentinel-1 GRD in radar geometry"),
        ("S1A_IW_SLC__1SDV_20230618T051727_20230618T051754_049037_05E59B_F8B4.SAFE", "is Sentinel-1 SLC"),
        ("S1B_WV_OCN__2SSV_20200618T051727_20200618T051754_021037_027E9B_F8B4.SAFE", "is Sentinel-1 OCN"),
    ],
)
def test_radar_geometry_is_refused_with_a_tool(tmp_path, name, said):
    (tmp_path / name).mkdir()
    with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
        archive.writestr(f"{name}/manifest.safe", "<xfdu/>")
    for path in (tmp_path / name, tmp_path / f"{name}.zip"):
        for ask in (open_tile, describe):
            with pytest.raises(ReadError, match=said) as caught:
                ask(path)
            assert "SNAP" in caught.value.fix
            assert "RTC" in caught.value.expected


def test_terrain_corrected_backscatter_is_not_refused(tmp_path):
    folder = tmp_path / "S1A_IW_20230618T051728_DVP_RTC30_G_gpuned_2B2B"
    folder.mkdir()
    reader = reader_for(folder)
    assert reader is None or reader.name != "sentinel-1-safe"


def test_hdf4_is_refused_with_a_tool(tmp_path):
    path = tmp_path / "MOD13Q1.A2023161.h18v04.061.2023177231500.hdf"
    path.write_bytes(b"\x0e\x03\x13\x01" + bytes(100))
    with pytest.raises(ReadError, match="is HDF4") as caught:
        open_tile(path)
    assert "gdal_translate" in caught.value.fix
    assert "AppEEARS" in caught.value.fix


def test_hdf5_is_not_hdf4_whatever_it_is_called(tmp_path):
    path = tmp_path / "VNP09GA.A2023161.h18v04.001.hdf"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    reader = reader_for(path)
    assert reader is None or reader.name != "hdf4"


def test_a_catalog_says_why_a_product_has_no_row(tmp_path):
    (tmp_path / GRD / "measurement").mkdir(parents=True)
    (tmp_path / GRD / "manifest.safe").write_text("<xfdu/>")
    (tmp_path / "MOD13Q1.hdf").write_bytes(b"\x0e\x03\x13\x01" + bytes(100))
    with pytest.raises(CatalogError, match=r"unreadable: .*") as caught:
        GeoCatalog.build(tmp_path)
    assert "Sentinel-1 GRD" in str(caught.value)
    assert "HDF4" in str(caught.value)
