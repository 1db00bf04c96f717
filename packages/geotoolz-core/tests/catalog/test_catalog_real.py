from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from geotoolz.catalog import GeoCatalog, GeoSlice
from geotoolz.core import CatalogError
from geotoolz.core.testing import data_path
from geotoolz.io import forget_notices

pytestmark = pytest.mark.realdata


def croatia() -> GeoCatalog:
    return GeoCatalog.build(data_path("s2_l2a_33TWL_croatia"))


def test_croatia_has_four_dates() -> None:
    catalog = croatia()
    assert len(catalog) == 4
    assert catalog.problems == ()
    rows = {row.id: row for row in catalog.iter_rows()}
    days = sorted(row.datetime.date().isoformat() for row in rows.values())
    assert days == ["2023-08-10", "2023-08-15", "2023-08-18", "2023-08-20"]
    row = rows["S2B_33TWL_20230810_0_L2A"]
    assert (row.epsg, row.platform, row.instrument, row.processing_level) == (
        32633,
        "sentinel-2b",
        "msi",
        "L2A",
    )
    assert (row.cloud_cover, row.processing_baseline, row.boa_offset_applied) == (69.286209, "05.09", True)
    assert (row.kind, row.tile) == ("item", "33TWL")
    # the item declares 10980 pixels of 10 m; the files have 915 and no georeference
    assert (row.height, row.width, row.res_x, row.left, row.top) == (915, 915, 120.0, 499980.0, 5100000.0)


def test_croatia_summary() -> None:
    known = croatia().summary()
    assert known["platforms"] == {"sentinel-2a": 2, "sentinel-2b": 2}
    assert known["epsg"] == {"32633": 4}
    assert (known["rows"], known["days"], known["problems"]) == (4, 4, 0)


def test_croatia_filters_and_queries() -> None:
    catalog = croatia()
    assert {s.tile_id for s in catalog.filter("cloud_cover < 20")} == {
        "S2A_33TWL_20230815_0_L2A",
        "S2B_33TWL_20230820_0_L2A",
    }
    assert len(catalog.filter("eo:cloud_cover < 20 and platform = sentinel-2a")) == 1
    assert len(catalog.filter("s2:water_percentage < 100")) == 4
    assert len(catalog.query(time="2023-08-15/2023-08-18")) == 2
    assert [s.tile_id for s in catalog.slices_for_date("2023-08-18")] == ["S2A_33TWL_20230818_0_L2A"]
    assert len(catalog.query(bbox=(15.5, 45.4, 15.6, 45.5), time="2023-08")) == 4
    assert len(catalog.query(bbox=(5, 45, 6, 46))) == 0


def test_croatia_loads_on_its_grid() -> None:
    part = croatia()["S2A_33TWL_20230815_0_L2A"]
    forget_notices()  # said once per process: another test may have heard it
    with pytest.warns(UserWarning):  # declared and real sizes differ
        tile = part.load(["red"])
    assert tile.sizes == {"y": 915, "x": 915}
    assert tile.attrs["tile_id"] == part.tile_id
    assert 0.0 < float(tile.red.median()) < 0.3  # the offset is applied already


def test_landsat_folder_is_one_scene() -> None:
    catalog = GeoCatalog.build(data_path("ls8_c2l2_colombia_008059_cloudy"))
    (row,) = catalog.iter_rows()
    assert row.id == "LC08_L2SP_008059_20191201_20200825_02_T1"
    assert (row.platform, row.processing_level, row.epsg, row.tile) == ("landsat-8", "L2SP", 32618, "008059")
    assert row.cloud_cover == 81.02
    assert row.datetime.isoformat() == "2019-12-01T15:13:51.861099+00:00"  # the item knows only the day
    assert row.kind == "folder"
    tile = next(catalog.tiles()).load(["qa_pixel"])
    cloud = ((tile.qa_pixel.values >> 3) & 1)[(tile.qa_pixel.values & 1) == 0].mean()
    assert math.isclose(cloud, 0.811, abs_tol=0.002)


def test_single_band_files_are_grouped() -> None:
    catalog = GeoCatalog.build(data_path("s1_rtc_california_open"))
    assert len(catalog) == 42
    assert catalog.summary()["days"] == 21
    assert catalog.summary()["platforms"] == {"sentinel-1a": 36, "sentinel-1b": 6}
    tile = next(catalog.tiles()).load()
    assert set(tile.data_vars) == {"vv", "vh"}
    only = GeoCatalog.from_folder(data_path("s1_rtc_california_open"), "*_VV.tif")
    assert len(only) == 42
    assert set(next(only.tiles()).load().data_vars) == {"vv"}


def test_everything_round_trips(tmp_path: Path) -> None:
    catalog = GeoCatalog.build(data_path())
    slices = set(catalog)
    assert len(slices) == len(catalog)
    assert {GeoSlice.from_dict(s.to_dict()) for s in slices} == slices
    assert set(GeoCatalog.open(catalog.save(tmp_path / "all.parquet"))) == slices
    with pytest.raises(CatalogError, match="have no time"):
        catalog.to_item_collection()
    dated = catalog.filter("start_datetime is not null")
    again = GeoCatalog.from_items(dated.to_item_collection())
    assert {(s.tile_id, s.shape, s.time) for s in again} == {(s.tile_id, s.shape, s.time) for s in dated}


def test_catalog_and_scenes_move_together(tmp_path: Path) -> None:
    first = tmp_path / "a"
    shutil.copytree(data_path("s2_l2a_33TWL_croatia"), first / "s2")
    shutil.copytree(data_path("s1_rtc_california_open"), first / "s1")
    GeoCatalog.build(first).save(first / "catalog.parquet")
    second = tmp_path / "b"
    first.rename(second)
    catalog = GeoCatalog.open(second / "catalog.parquet")
    assert all(not Path(s).is_absolute() for s in catalog.frame["source"])
    assert len(catalog) == 46
    for part in catalog:
        assert all(str(second) in source or "://" in source for source in part.sources)
    assert set(next(catalog.filter(platform="sentinel-1a").tiles()).load().data_vars) == {"vv", "vh"}
    elsewhere = catalog.save(tmp_path / "c" / "catalog.parquet")
    assert set(GeoCatalog.open(elsewhere)) == set(catalog)
