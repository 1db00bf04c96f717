"""The default output, through the readers and writers of geotoolz.io and a GeoCatalog."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gtz_batch_ops import Ratio

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core import Sequential, run
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG, open_tile


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(3):
        write_scene(
            {"shape": (128, 128), "bands": ("red", "nir", "scl"), "datetime": f"2023-06-{number + 10}"},
            folder,
        )
    return folder


def test_a_catalog_becomes_cogs_with_items(scenes, tmp_path):
    catalog = GeoCatalog.from_folder(scenes)
    report = CatalogPipeline(catalog, Ratio(), tmp_path, n_workers=2, progress="none").run()
    assert report.counts == {"done": 3}, [row.message for row in report.failed]
    for row in report.rows:
        made = open_tile(tmp_path / "items" / f"{row.tile_id}.json")
        whole = run(Ratio(), open_tile(scenes / row.tile_id / f"{row.tile_id}.json"))
        name = next(iter(made.data_vars))
        np.testing.assert_array_equal(made[name].values, whole["ratio"].values)
        assert row.valid_share["ratio"] == pytest.approx(float(np.isfinite(whole["ratio"]).mean()))
        assert row.masked_share == 0.0
    assert CatalogPipeline(catalog, Ratio(), tmp_path, progress="none").run().counts == {"fresh": 3}
    outputs = GeoCatalog.from_folder(tmp_path / "items")
    assert len(outputs) == 3


def test_slices_are_tiles(scenes, tmp_path):
    pieces = list(GeoCatalog.from_folder(scenes).tiles())
    report = CatalogPipeline(
        pieces, Sequential([Ratio(), WriteCOG("{date}/{band}.tif")]), tmp_path, progress="none"
    ).run()
    assert report.counts == {"done": 3}, [row.message for row in report.failed]
    assert (tmp_path / "2023-06-10" / "ratio.tif").exists()


def test_reading_options_are_part_of_the_key(scenes, tmp_path):
    catalog = GeoCatalog.from_folder(scenes)
    CatalogPipeline(catalog, Ratio(), tmp_path, progress="none", limit=1).run()
    plan = CatalogPipeline(
        catalog, Ratio(), tmp_path, progress="none", limit=1, read={"resolution": 40}
    ).plan()
    assert plan.counts.get("stale") == 1 and "resolution" in plan.tiles[0].reason
    CatalogPipeline(catalog, Ratio(), tmp_path, progress="none", limit=1, read={"resolution": 40}).run()
    item = json.loads(next((tmp_path / "items").iterdir()).read_text())
    assert item["properties"]["proj:shape"] == [32, 32]
    assert item["assets"]["ratio"]["file:checksum"].startswith("1220")
