from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pystac
import pytest

from geotoolz.catalog import GeoCatalog
from geotoolz.core import CatalogError, ReadError

Write = Callable[..., Path]


def item(name: str, href: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "properties": {"datetime": "2023-08-15T10:00:00Z", **properties},
        "links": [],
        "assets": {"red": {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"]}},
    }


def test_a_folder_of_rasters(tmp_path: Path, write_raster: Write) -> None:
    write_raster(tmp_path / "a_20230815.tif")
    write_raster(tmp_path / "sub" / "b.tif", crs="EPSG:32634")
    (tmp_path / "readme.txt").write_text("hello")
    catalog = GeoCatalog.build(tmp_path)
    assert [(r.id, r.kind, r.epsg) for r in catalog.iter_rows()] == [
        ("a_20230815", "raster", 32633),
        ("b", "raster", 32634),
    ]
    assert [r.datetime.date().isoformat() if r.datetime else None for r in catalog.iter_rows()] == [
        "2023-08-15",
        None,
    ]
    part = catalog["b"]
    assert part.shape == (64, 48)
    assert part.time is None
    assert part.load().sizes == {"y": 64, "x": 48}


def test_equal_names_in_different_folders_get_ids_of_their_own(tmp_path: Path, write_raster: Write) -> None:
    for folder in ("x", "y"):
        write_raster(tmp_path / folder / "stack.tif")
    catalog = GeoCatalog.build(tmp_path)
    assert [s.tile_id for s in catalog] == ["x_stack", "y_stack"]
    assert catalog.problems == ()


def test_broken_entries_do_not_stop_the_rest(tmp_path: Path, write_raster: Write) -> None:
    write_raster(tmp_path / "good.tif")
    cut = write_raster(tmp_path / "cut.tif")
    cut.write_bytes(cut.read_bytes()[:-700])
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.tif").write_text("no raster")
    write_raster(tmp_path / "nowhere.tif", crs=None)
    (tmp_path / "broken.json").write_text('{"type": "Feature", ')
    (tmp_path / "zero.json").touch()
    (tmp_path / "other.json").write_text('{"a": 1}')
    catalog = GeoCatalog.build(tmp_path)
    assert [s.tile_id for s in catalog] == [
        "cut",
        "good",
    ]  # what can be described stays, so that a run reports it
    problems = {Path(p.path).name: p for p in catalog.problems}
    assert set(problems) == {"cut.tif", "empty.tif", "text.tif", "nowhere.tif", "broken.json", "zero.json"}
    assert problems["cut.tif"].kept
    assert "truncated" in problems["cut.tif"].reason
    assert "0 bytes" in problems["empty.tif"].reason
    assert "no CRS" in problems["nowhere.tif"].reason
    assert not problems["broken.json"].kept
    assert catalog.summary()["problems_without_row"] == 5
    assert GeoCatalog.open(catalog.save(tmp_path / "c.parquet")).problems == catalog.problems


def test_an_item_with_a_broken_asset_stays(tmp_path: Path, write_raster: Write) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "red.tif").touch()
    grid = {
        "proj:code": "EPSG:32633",
        "proj:shape": [10, 10],
        "proj:transform": [10, 0, 500000, 0, -10, 5100000],
    }
    (tmp_path / "a" / "item.json").write_text(json.dumps(item("a", "red.tif", **grid)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "item.json").write_text(json.dumps(item("b", "gone.tif", **grid)))
    catalog = GeoCatalog.build(tmp_path)
    assert [s.shape for s in catalog] == [(10, 10), (10, 10)]
    assert sorted(p.reason.split(",")[0] for p in catalog.problems) == ["has 0 bytes", "is missing"]
    assert all(p.kept for p in catalog.problems)


def test_an_empty_folder_says_what_was_seen(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.tif").touch()
    with pytest.raises(CatalogError) as caught:
        GeoCatalog.from_folder(tmp_path)
    for word in (str(tmp_path), "1 .txt", "1 .tif", "0 bytes", "expected"):
        assert word in str(caught.value)
    with pytest.raises(CatalogError, match=r"\*\.png"):
        GeoCatalog.from_folder(tmp_path, "*.png")
    with pytest.raises(ReadError, match="does not exist"):
        GeoCatalog.build(tmp_path / "nothing")


def test_items_in_memory(tmp_path: Path, write_raster: Write) -> None:
    write_raster(tmp_path / "red.tif")
    held = item("a", "red.tif", platform="Sentinel-2A", **{"eo:cloud_cover": 12.5})
    catalog = GeoCatalog.from_items([held, {"type": "Feature"}], base=tmp_path)
    (part,) = catalog
    assert part.sources == (str(tmp_path / "red.tif"),)
    assert dict(part.attrs) == {"platform": "sentinel-2a", "cloud_cover": 12.5}
    assert len(catalog.problems) == 1
    saved = GeoCatalog.open(catalog.save(tmp_path / "c.parquet"))
    assert list(saved) == [part]
    assert str(tmp_path) not in saved.frame["item"].iloc[0]  # relative, so that both can move
    (out,) = catalog.to_items()
    assert out["assets"]["red"]["href"] == (tmp_path / "red.tif").as_uri()
    with pytest.raises(CatalogError, match="no item"):
        GeoCatalog.from_items([])


def test_feature_collection_and_pystac(tmp_path: Path, write_raster: Write) -> None:
    write_raster(tmp_path / "red.tif")
    collection = {"type": "FeatureCollection", "features": [item("a", "red.tif"), item("b", "./red.tif")]}
    path = tmp_path / "items.json"
    path.write_text(json.dumps(collection))
    assert [s.tile_id for s in GeoCatalog.build(path)] == ["a", "b"]
    assert [s.tile_id for s in GeoCatalog.from_items(path)] == ["a", "b"]
    objects = GeoCatalog.from_items(path).to_item_collection()
    assert isinstance(objects, pystac.ItemCollection)
    assert set(GeoCatalog.from_items(objects)) == set(GeoCatalog.from_items(list(objects)))


def test_static_catalog(tmp_path: Path, write_raster: Write) -> None:
    root = pystac.Catalog("root", "test")
    child = pystac.Catalog("child", "test")
    root.add_child(child)
    write_raster(tmp_path / "red.tif")
    made = item("a", str(tmp_path / "red.tif"))
    made["geometry"] = {"type": "Point", "coordinates": [15, 46]}
    made["bbox"] = [15, 46, 15, 46]
    child.add_item(pystac.Item.from_dict(made))
    root.normalize_and_save(str(tmp_path / "stac"), pystac.CatalogType.SELF_CONTAINED)
    (tmp_path / "stac" / "child" / "catalog.json").write_text(
        (tmp_path / "stac" / "child" / "catalog.json")
        .read_text()
        .replace('"links": [', '"links": [{"rel": "item", "href": "./gone.json"},')
    )
    for catalog in (
        GeoCatalog.from_stac(tmp_path / "stac" / "catalog.json"),
        GeoCatalog.build(tmp_path / "stac"),
    ):
        assert [s.tile_id for s in catalog] == ["a"]
        assert "gone.json" in catalog.problems[0].path
        assert next(catalog.tiles()).load().sizes == {"y": 64, "x": 48}


def test_rows_of_ones_own(tmp_path: Path, write_raster: Write) -> None:
    write_raster(tmp_path / "a.tif")
    grid = {"left": 500000, "bottom": 5099360, "right": 500480, "top": 5100000, "height": 64, "width": 48}
    row = {
        "id": "a",
        "source": "a.tif",
        "epsg": 32633,
        "res_x": 10,
        "res_y": 10,
        **grid,
        "label_uri": "l.gpkg",
    }
    catalog = GeoCatalog.from_rows([row | {"eo:cloud_cover": 3}], base=tmp_path)
    (part,) = catalog
    assert dict(part.attrs) == {"label_uri": "l.gpkg", "cloud_cover": 3.0}
    assert part.load().attrs["label_uri"] == "l.gpkg"
    assert list(GeoCatalog.open(catalog.save(tmp_path / "c.parquet"))) == [part]
    with pytest.raises(CatalogError, match="twice"):
        GeoCatalog.from_rows([row, row], base=tmp_path)
    with pytest.raises(CatalogError, match="no source"):
        GeoCatalog.from_rows([{"id": "a", "geometry": {"type": "Point", "coordinates": [1, 2]}}])
    with pytest.raises(CatalogError, match="no geometry"):
        GeoCatalog.from_rows([{"id": "a", "source": "a.tif"}])
    with pytest.raises(CatalogError, match="no rows"):
        GeoCatalog.from_rows([])


def test_antimeridian_and_pole(tmp_path: Path, write_raster: Write) -> None:
    write_raster(
        tmp_path / "fiji.tif", left=800000, top=8100000, res=1000, shape=(100, 120), crs="EPSG:32760"
    )
    write_raster(tmp_path / "pole.tif", left=-50000, top=50000, res=1000, shape=(100, 100), crs="EPSG:3995")
    catalog = GeoCatalog.build(tmp_path)
    (row,) = catalog.iter_rows()
    assert row.geometry.geom_type == "MultiPolygon"
    assert row.geometry.area < 2
    assert len(catalog.query(bbox=(179.9, -20, -179.9, -16))) == 1
    assert len(catalog.query(bbox=(0, -20, 10, -16))) == 0
    assert "pole" in catalog.problems[0].reason


def test_safe_product(tmp_path: Path, write_raster: Write) -> None:
    name = "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T142359"
    images = tmp_path / f"{name}.SAFE" / "GRANULE" / "L2A_T33TWL" / "IMG_DATA"
    write_raster(images / "R10m" / "T33TWL_20230815T095031_B02_10m.jp2")
    write_raster(images / "R20m" / "T33TWL_20230815T095031_B05_20m.jp2", res=20)
    text = "<x><Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment></x>"
    (tmp_path / f"{name}.SAFE" / "MTD_MSIL2A.xml").write_text(text)
    (row,) = GeoCatalog.build(tmp_path).iter_rows()
    assert (row.id, row.kind, row.tile, row.platform) == (name, "folder", "33TWL", "sentinel-2a")
    assert (row.processing_level, row.processing_baseline, row.cloud_cover) == ("L2A", "05.09", 12.5)
    assert row.res_x == 10


def test_several_landsat_products_in_one_folder(tmp_path: Path, write_raster: Write) -> None:
    for day in ("20200101", "20200117"):
        product = f"LC08_L2SP_008059_{day}_20200825_02_T1"
        for band in ("SR_B4", "SR_B5", "QA_PIXEL"):
            write_raster(tmp_path / f"{product}_{band}.TIF")
        date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        text = f'  PROCESSING_LEVEL = "L2SP"\n  DATE_ACQUIRED = {date}\n  SCENE_CENTER_TIME = "15:13:51.8Z"\n'
        (tmp_path / f"{product}_MTL.txt").write_text(text + '  SPACECRAFT_ID = "LANDSAT_8"\n')
    catalog = GeoCatalog.build(tmp_path)
    assert [s.time.isoformat() for s in catalog] == [  # type: ignore[union-attr]
        "2020-01-01T15:13:51.800000+00:00",
        "2020-01-17T15:13:51.800000+00:00",
    ]
    assert set(next(catalog.tiles()).load(raw=True).data_vars) == {"red", "nir08", "qa_pixel"}


def test_a_relative_path_finds_what_an_absolute_one_finds(
    tmp_path: Path, write_raster: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raster(tmp_path / "scenes" / "s1" / "B04.tif")
    write_raster(tmp_path / "scenes" / "s1" / "AUX.tif")
    (tmp_path / "scenes" / "s1" / "s1.json").write_text(json.dumps(item("s1", "B04.tif")))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    relative = GeoCatalog.build("../scenes")
    assert (
        [s.tile_id for s in relative] == [s.tile_id for s in GeoCatalog.build(tmp_path / "scenes")] == ["s1"]
    )
