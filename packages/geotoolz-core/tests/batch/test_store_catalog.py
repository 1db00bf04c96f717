"""Catalogs of scenes on an object store, and catalogs that lie there: a real S3 server on this machine."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("obstore", reason="obstore (extra cloud-io) is not installed")
pytest.importorskip("geopandas", reason="geopandas is not installed")

import s3_server

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core import CatalogError
from geotoolz.core._errors import ReadError
from geotoolz.core.testing import write_scene
from geotoolz.io import open_tile
from geotoolz.io._object_errors import StoreMissingError
from geotoolz.io._object_path import place
from geotoolz.radiometry import SelectBands


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    for number in range(2):
        scene = {"shape": (40, 36), "bands": ("red", "nir"), "datetime": f"2023-06-{number + 10}"}
        write_scene(scene, root / "items")
    bare = write_scene({"shape": (30, 20), "bands": ("red", "nir"), "datetime": "2023-07-01"}, root / "other")
    (root / "bare").mkdir()
    for path in bare.glob("B*.tif"):
        shutil.copyfile(path, root / "bare" / f"S2A_33TWL_20230701_0_L2A_{path.name}")
    shutil.rmtree(root / "other")
    return root


@pytest.fixture(scope="module")
def bucket(server):
    s3_server.make_bucket(server, "scenes")


@pytest.fixture
def scenes(server, bucket, folder, monkeypatch):
    for variable, value in s3_server.environment(server).items():
        monkeypatch.setenv(variable, value)
    out = place("s3://scenes/archive")
    for path in folder.rglob("*"):
        if path.is_file():
            (out / path.relative_to(folder).as_posix()).write_bytes(path.read_bytes())
    return str(out)


def test_the_rows_are_those_of_the_same_folder(scenes, folder):
    here, there = GeoCatalog.from_folder(folder), GeoCatalog.build(scenes)
    assert [row.id for row in there.iter_rows()] == [row.id for row in here.iter_rows()]
    assert there.problems == ()
    for mine, theirs in zip(here.iter_rows(), there.iter_rows(), strict=True):
        assert (mine.epsg, mine.width, mine.height, mine.datetime) == (
            theirs.epsg,
            theirs.width,
            theirs.height,
            theirs.datetime,
        )
        a, b = open_tile(here.source_of(mine)), open_tile(there.source_of(theirs))
        assert set(a.data_vars) == set(b.data_vars)
        np.testing.assert_array_equal(a.red.values, b.red.values)


def test_a_pattern_and_a_single_raster(scenes):
    assert len(GeoCatalog.from_folder(scenes, "bare/*_B04.tif")) == 1
    one = next(name for name in place(scenes).sizes() if name.startswith("bare/") and "B08" in name)
    assert [row.kind for row in GeoCatalog.build(f"{scenes}/{one}").iter_rows()] == ["raster"]


def test_a_catalog_file_lies_on_the_store(scenes, tmp_path):
    built = GeoCatalog.build(scenes)
    built.save(f"{scenes}/../archive.parquet".replace("/archive/..", ""))
    again = GeoCatalog.open("s3://scenes/archive.parquet")
    assert [row.id for row in again.iter_rows()] == sorted(row.id for row in built.iter_rows()) or len(
        again
    ) == 3
    assert {str(again.source_of(row))[:40] for row in again.iter_rows()}
    done = CatalogPipeline(again, SelectBands(("red",)), tmp_path / "out", progress="none").run()
    assert done.counts == {"done": 3}
    with pytest.raises(ReadError, match="does not exist"):
        GeoCatalog.open("s3://scenes/nothing.parquet")


def test_what_a_run_wrote_is_a_static_catalog_there(scenes):
    CatalogPipeline(
        GeoCatalog.build(scenes), SelectBands(("red",)), "s3://scenes/made", progress="none"
    ).run()
    found = GeoCatalog.from_stac("s3://scenes/made/collection.json")
    assert len(found) == 3
    for row in found.iter_rows():
        assert open_tile(found.source_of(row)).red.size


def test_what_is_not_there_is_said(scenes):
    with pytest.raises(CatalogError, match="no scene in s3://scenes/empty"):
        GeoCatalog.build("s3://scenes/empty")
    with pytest.raises(StoreMissingError, match="no such bucket"):
        GeoCatalog.build("s3://no-such-bucket-here/x")
    (place("s3://scenes/safe") / "S2A_MSIL2A.SAFE" / "GRANULE" / "a.jp2").write_bytes(b"1")
    with pytest.raises(CatalogError, match="reader needs files"):
        GeoCatalog.build("s3://scenes/safe")


def test_a_scene_that_changes_on_the_store_is_made_again(scenes, tmp_path):
    catalog = GeoCatalog.build(scenes)

    def job():
        return CatalogPipeline(catalog, SelectBands(("red",)), tmp_path / "out", progress="none")

    assert job().run().counts == {"done": 3}
    assert job().plan().counts == {"fresh": 3}
    name = min(name for name in place(f"{scenes}/items").sizes() if name.endswith("B04.tif"))
    target = place(f"{scenes}/items/{name}")
    data = bytearray(target.read_bytes())
    data[-1] ^= 1
    target.write_bytes(bytes(data))  # the same size, another ETag
    plan = job().plan()
    assert plan.counts == {"stale": 1, "fresh": 2}
    (reason,) = [tile.reason for tile in plan.todo]
    assert reason == "the input B04.tif changed (as many bytes, another time or checksum)"
