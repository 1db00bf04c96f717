"""Scenes that contradict themselves, each other, or are not there: in catalogs, stacks and runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog, stack_grid
from geotoolz.core import QuantityError, ReadError, geobox_of
from geotoolz.core.testing import write_scene
from geotoolz.io import MetadataWarning, describe, forget_notices, open_tile
from geotoolz.radiometry import BoxMean

SCENE: dict[str, Any] = {"shape": (40, 40), "bands": ("red", "nir"), "cloud_cover": 0, "seed": 2}


@pytest.fixture(autouse=True)
def _fresh_notices() -> None:
    forget_notices()


def written(folder: Path, **more: Any) -> dict[str, Any]:
    """Write a scene and return its item, with absolute paths."""
    out = write_scene({**SCENE, **more}, folder)
    (path,) = out.glob("*.json")
    item: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for asset in item["assets"].values():
        asset["href"] = str(out / Path(asset["href"]).name)
    return item


def changed(item: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Return an item that says something else of all its assets."""
    assets = {key: {k: v for k, v in asset.items() if k != field} for key, asset in item["assets"].items()}
    return {**item, "properties": {**item["properties"], field: value}, "assets": assets}


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("proj:shape", [400, 400], "declares 400 × 400 pixels, the file has 40 × 40: the file is used"),
        ("proj:code", "EPSG:32634", "declares EPSG:32634, the file is in EPSG:32633: the file is used"),
    ],
)  # fmt: skip
def test_item_and_file_disagree(tmp_path: Path, field: str, value: Any, said: str) -> None:
    item = written(tmp_path)
    right = open_tile(item)
    wrong = changed(item, field, value)
    with pytest.warns(MetadataWarning, match="the file is used"):
        tile = open_tile(wrong)
    assert said in tile.attrs["metadata_notes"]
    assert geobox_of(tile) == geobox_of(right)
    np.testing.assert_array_equal(tile.red, right.red)
    # and a catalog places the scene where the file lies
    (row,) = GeoCatalog.from_items([wrong]).iter_rows()
    assert (row.height, row.epsg) == (40, 32633)


def test_item_and_product_disagree_about_the_offset(tmp_path: Path) -> None:
    """The baseline decides; that the item says otherwise is told."""
    item = written(tmp_path, baseline="05.09")
    right = open_tile(item, "red")
    for asset in item["assets"].values():
        for band in asset.get("raster:bands", ()):
            band["offset"] = -0.2
        if "raster:offset" in asset:
            asset["raster:offset"] = -0.2
        for band in asset.get("bands", ()):
            if "raster:offset" in band:
                band["raster:offset"] = -0.2
    with pytest.warns(MetadataWarning, match=r"declares an offset of -2000 DN.*one of -1000"):
        tile = open_tile(item, "red")
    np.testing.assert_array_equal(tile.red, right.red)


def test_two_products_of_one_day_and_tile_are_one_date(tmp_path: Path) -> None:
    """An archive that was reprocessed holds a day twice: it counts once, and one of them is taken."""
    when = "2023-06-18T10:00:31Z"
    items = [
        written(tmp_path / baseline, datetime=when, baseline=baseline, tile_id=f"S2A_{baseline}")
        for baseline in ("05.09", "05.10")
    ]
    catalog = GeoCatalog.from_items(items)
    grid = stack_grid(catalog, catalog.bounds, 10.0)
    stack = catalog.stack(grid, ["red"], lazy=False)
    assert stack.tile_ids.values.tolist() == ["S2A_05.09 S2A_05.10"]
    assert stack.processing_baseline.values.tolist() == ["05.09/05.10"]
    first = catalog.filter(id="S2A_05.09").stack(grid, ["red"], lazy=False)
    np.testing.assert_array_equal(stack.red, first.red)
    latest = catalog.filter(processing_baseline="05.10")
    assert len(latest) == 1
    report = CatalogPipeline(
        catalog, BoxMean(0, ("red",)), tmp_path / "out", progress="none", quicklook=False
    ).run()
    assert report.counts == {"done": 2}
    assert {path.name for path in (tmp_path / "out").glob("*.tif")} == {
        "S2A_05.09_red.tif", "S2A_05.10_red.tif",
    }  # fmt: skip


def test_mixed_baselines_are_mixed_as_values_only(tmp_path: Path) -> None:
    items = [
        written(tmp_path / str(n), datetime=f"2023-06-1{n}", baseline=baseline, tile_id=f"t{n}")
        for n, baseline in enumerate(("02.14", "05.09"))
    ]
    catalog = GeoCatalog.from_items(items)
    grid = stack_grid(catalog, catalog.bounds, 10.0)
    stack = catalog.stack(grid, ["red"], lazy=False)
    assert stack.processing_baseline.values.tolist() == ["02.14", "05.09"]
    np.testing.assert_allclose(stack.red[0], stack.red[1], atol=0.05)
    with pytest.raises(QuantityError, match="add_offset"):
        catalog.stack(grid, ["red"], raw=True)


def test_a_scene_that_is_offline_is_named(tmp_path: Path) -> None:
    good = written(tmp_path / "good", datetime="2023-06-18")
    gone = written(tmp_path / "gone", datetime="2023-06-28", tile_id="gone")
    for key, asset in gone["assets"].items():
        asset["href"] = f"http://127.0.0.1:9/{key}.tif"
    catalog = GeoCatalog.from_items([good, gone])
    grid = stack_grid(catalog, catalog.bounds, 10.0)
    with pytest.raises(ReadError, match=r"scene 'gone'.*cannot be read.*check the network"):
        catalog.stack(grid, ["red"])
    report = CatalogPipeline(
        catalog, BoxMean(0, ("red",)), tmp_path / "out", progress="none", quicklook=False, max_failures=1,
        retries=_once(),
    ).run()  # fmt: skip
    assert report.counts == {"done": 1, "failed": 1}
    assert "cannot be read" in report.failed[0].message and report.failed[0].tile_id == "gone"


def _once() -> Any:
    from geotoolz.batch import RetryPolicy

    return RetryPolicy(transient=1)


def test_a_file_without_crs_takes_the_items(tmp_path: Path) -> None:
    import rasterio

    item = written(tmp_path)
    right = open_tile(item, "red")
    path = next(asset["href"] for asset in item["assets"].values() if asset["href"].endswith("B04.tif"))
    with rasterio.open(path) as file:
        profile, pixels = file.profile, file.read()
    with rasterio.open(path, "w", **{**profile, "crs": None}) as file:
        file.write(pixels)
    with pytest.warns(MetadataWarning, match=r"the file has no CRS: the metadata's EPSG:32633 is used"):
        tile = open_tile(item, "red")
    assert geobox_of(tile) == geobox_of(right)
    (row,) = GeoCatalog.from_items([item]).iter_rows()
    assert row.epsg == 32633 and describe(item, "red").geobox == geobox_of(right)
