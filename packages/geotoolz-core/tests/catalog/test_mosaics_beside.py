"""A folder of products opens as what it is: mosaics are no further scenes, files know their dates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog, build_mosaic
from geotoolz.core import Sequential
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.io import WriteCOG, open_tile, write_tile
from geotoolz.radiometry import BandMath

PIPELINE = Sequential([BandMath("(nir - red) / (nir + red)", "ndvi"), WriteCOG("{item_id}_{band}.tif")])


@pytest.fixture
def parts(tmp_path: Path) -> list[str]:
    """Two halves of a tile, without any item."""
    tile = simulate_scene((32, 64), bands=("red",), cloud_cover=0)
    halves = {"west": slice(0, 32), "east": slice(32, 64)}
    return [write_tile(tile.isel(x=part), tmp_path / f"{name}.tif")[0] for name, part in halves.items()]


@pytest.mark.parametrize("name", ["both.vrt", "both.tif", "red.tif"])
def test_a_mosaic_beside_its_parts_is_no_scene(parts: list[str], tmp_path: Path, name: str) -> None:
    build_mosaic(parts, tmp_path / name)
    assert GeoCatalog.from_folder(tmp_path).frame["id"].tolist() == ["east", "west"]


@pytest.mark.parametrize("name", ["both.vrt", "both.tif"])
def test_a_mosaic_alone_is_a_scene(parts: list[str], tmp_path: Path, name: str) -> None:
    made = build_mosaic(parts, tmp_path / "mosaic" / name)
    catalog = GeoCatalog.from_folder(tmp_path / "mosaic")
    assert catalog.frame["id"].tolist() == ["both"]
    (row,) = catalog.iter_rows()
    assert (row.height, row.width) == made.shape
    # beside its parts' folder it is a view of them again
    assert len(GeoCatalog.from_folder(tmp_path)) == 2


def test_a_mosaic_of_something_else_stays(parts: list[str], tmp_path: Path) -> None:
    """Only what is made of nothing but the folder's own files is left out."""
    away = tmp_path / "away"
    away.mkdir()
    kept = tmp_path / "kept"
    build_mosaic(parts, kept / "both.tif")
    Path(parts[0]).rename(away / "west.tif")
    Path(parts[1]).rename(kept / "east.tif")
    assert GeoCatalog.from_folder(kept).frame["id"].tolist() == ["both", "east"]


def test_broken_virtual_rasters_are_told(parts: list[str], tmp_path: Path) -> None:
    (tmp_path / "torn.vrt").write_text("<VRTDataset", encoding="utf-8")
    catalog = GeoCatalog.from_folder(tmp_path)
    assert len(catalog) == 2
    assert any("torn.vrt" in problem.path for problem in catalog.problems)


@pytest.mark.parametrize("name", ["ndvi.vrt", "june.tif"])
def test_the_outputs_of_a_run_are_its_items(tmp_path: Path, name: str) -> None:
    scene = {"shape": (48, 48), "bands": ("red", "nir"), "cloud_cover": 0}
    scenes = [write_scene({**scene, "datetime": f"2023-06-{day}"}, tmp_path / "in") for day in (10, 20)]
    out = tmp_path / "out"
    CatalogPipeline(scenes, PIPELINE, out, progress="none", quicklook=False).run()
    ids = sorted(json.loads(path.read_text())["id"] for path in (out / "items").glob("*.json"))
    build_mosaic(GeoCatalog.from_folder(out), out / name, bands="ndvi")
    (out / "preview.tif").write_bytes((out / f"{ids[0]}_ndvi.tif").read_bytes())  # what no item names
    catalog = GeoCatalog.from_folder(out)
    assert catalog.frame["id"].tolist() == ids
    assert catalog.summary()["days"] == 2 and catalog.summary()["undated"] == 0
    row = next(catalog.iter_rows())
    assert list(open_tile(catalog.source_of(row))) == ["ndvi"]


def test_bands_without_an_item_know_their_date(tmp_path: Path) -> None:
    """Files of one scene whose names have no date: their own tags have one."""
    tile: Any = simulate_scene((16, 16), bands=("red", "nir"), datetime="2023-08-05T10:00:00Z")
    write_tile(tile, tmp_path / "field_{band}.tif")
    (row,) = GeoCatalog.from_folder(tmp_path).iter_rows()
    assert row.id == "field" and row.datetime.isoformat() == "2023-08-05T10:00:00+00:00"
    np.testing.assert_array_equal(open_tile(tmp_path / "field_red.tif").red, tile.red)


def test_rasters_of_others_beside_a_collection_stay(
    parts: list[str], tmp_path: Path, write_raster: Any
) -> None:
    """Only what geotoolz wrote there was made of the items' files."""
    scene = write_scene({"shape": (48, 48), "bands": ("red", "nir"), "cloud_cover": 0}, tmp_path / "in")
    out = tmp_path / "out"
    CatalogPipeline([scene], PIPELINE, out, progress="none", quicklook=False).run()
    write_raster(out / "theirs_20230711.tif")
    assert GeoCatalog.from_folder(out).frame["id"].tolist() == [scene.name, "theirs_20230711"]
