"""Catalogs, batch runs and the command line over products that stay packed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core._errors import CatalogError
from geotoolz.core.testing import write_landsat, write_safe
from geotoolz.io import open_tile
from geotoolz.radiometry import SelectBands

SCENE = {"shape": (60, 60), "seed": 2, "cloud_cover": 0.3}


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Two SAFE zips, a SAFE folder, a Landsat tar and a Landsat folder."""
    folder = tmp_path_factory.mktemp("archive")
    write_safe(SCENE, folder, zipped=True)
    write_safe(SCENE, folder / "old", level="L1C", baseline="02.14", zipped=True)
    write_safe({**SCENE, "datetime": "2023-07-18T10:00:31Z"}, folder)
    write_landsat(SCENE, folder, tarred=True)
    write_landsat({**SCENE, "datetime": "2023-07-20T10:00:31Z"}, folder)
    return folder


def test_every_product_is_a_row_and_every_row_opens(archive):
    before = sorted(path for path in archive.rglob("*"))
    catalog = GeoCatalog.from_folder(archive)
    rows = {row.id: row for row in catalog.iter_rows()}
    assert [row.processing_level for row in rows.values()] == ["L2SP", "L2SP", "L1C", "L2A", "L2A"]
    assert not catalog.problems
    for row in rows.values():
        assert row.kind == "folder"
        tile = open_tile(catalog.source_of(row), ["red"])
        assert tile.attrs["tile_id"] == row.id
        box = tile.odc.geobox
        assert (row.left, row.top, row.width, row.height) == (box.affine.c, box.affine.f, *box.shape[::-1])
        assert row.sun_elevation == pytest.approx(tile.attrs["sun_elevation"])
        assert 0 < row.cloud_cover < 60
    sentinel = rows["S2A_MSIL1C_20230618T100031_N0214_R079_T33TWL_20230618T140031"]
    assert (sentinel.tile, sentinel.processing_baseline, sentinel.platform) == (
        "33TWL",
        "02.14",
        "sentinel-2a",
    )
    assert sentinel.datetime.isoformat() == "2023-06-18T10:00:31.024000+00:00"
    landsat = rows["LC08_L2SP_190028_20230618_20230702_02_T1"]
    assert (landsat.tile, landsat.platform, landsat.res_x) == ("190028", "landsat-8", 30)
    assert sorted(path for path in archive.rglob("*")) == before  # nothing was unpacked


def test_one_archive_is_a_catalog_of_one(archive):
    for path in (*archive.glob("*.zip"), *archive.glob("*.tar"), *archive.glob("*.SAFE")):
        catalog = GeoCatalog.build(path)
        (row,) = catalog.iter_rows()
        assert Path(row.source) == path


def test_a_saved_catalog_finds_its_archives(archive, tmp_path):
    copied = Path(shutil.copytree(archive, tmp_path / "archive"))
    GeoCatalog.from_folder(copied).save(copied / "all.parquet")
    moved = copied.rename(tmp_path / "moved")
    catalog = GeoCatalog.open(moved / "all.parquet")
    for row in catalog.iter_rows():
        assert str(moved) in catalog.source_of(row)
        assert list(open_tile(catalog.source_of(row), ["red"])) == ["red"]


def test_a_batch_run_works_on_archives(archive, tmp_path):
    catalog = GeoCatalog.from_folder(archive)
    chosen = SelectBands(("red", "green"))
    report = CatalogPipeline(catalog, chosen, tmp_path, progress="none").run()
    assert report.counts == {"done": 5}, [row.message for row in report.failed]
    for row in catalog.iter_rows():
        made = open_tile(tmp_path / "items" / f"{row.id}.json", ["red"])
        np.testing.assert_array_equal(made.red, open_tile(catalog.source_of(row), ["red"]).red)
    again = CatalogPipeline(catalog, chosen, tmp_path, progress="none").run()
    assert again.counts == {"fresh": 5}


def test_an_archive_that_changes_is_stale(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    write_safe(SCENE, folder, zipped=True)
    chosen = SelectBands(("red",))
    CatalogPipeline(GeoCatalog.from_folder(folder), chosen, out, progress="none").run()
    write_safe({**SCENE, "cloud_cover": 0.0}, folder, zipped=True)  # under the same name
    plan = CatalogPipeline(GeoCatalog.from_folder(folder), chosen, out, progress="none").plan()
    assert plan.counts == {"stale": 1}


def test_each_granule_of_a_safe_of_two_is_a_row(tmp_path):
    safe = write_safe(SCENE, tmp_path, level="L1C", baseline="02.01", names="long")
    (first,) = safe.glob("GRANULE/*")
    second = first.with_name(first.name.replace("T33TWL", "T33TWM"))
    shutil.copytree(first, second)
    catalog = GeoCatalog.from_folder(tmp_path)
    assert [row.id for row in catalog.iter_rows()] == [first.name, second.name]
    assert [row.tile for row in catalog.iter_rows()] == ["33TWL", "33TWM"]
    for row in catalog.iter_rows():
        assert open_tile(catalog.source_of(row), ["red"]).attrs["tile_id"] == row.id


def test_what_is_wrong_with_an_archive_is_a_problem(archive, tmp_path):
    (whole,) = archive.glob("*.zip")
    (tmp_path / whole.name).write_bytes(whole.read_bytes()[:5000])
    safe = write_safe({**SCENE, "seed": 9}, tmp_path)
    (gone,) = safe.glob("GRANULE/*/IMG_DATA/R10m/*B02*.jp2")
    gone.unlink()
    catalog = GeoCatalog.from_folder(tmp_path)
    assert [row.id for row in catalog.iter_rows()] == [safe.stem]
    assert catalog.problems[0].path == str(tmp_path / whole.name)
    assert "cannot be read" in catalog.problems[0].reason
    assert (catalog.problems[1].reason, catalog.problems[1].kept) == ("is missing", True)


def test_an_archive_of_something_else_is_no_row(tmp_path):
    shutil.make_archive(str(tmp_path / "notes"), "zip", Path(__file__).parent, "conftest.py")
    with pytest.raises(CatalogError, match=r"it holds 1 \.zip"):
        GeoCatalog.from_folder(tmp_path)


@pytest.mark.parametrize("kind", ["*.zip", "*.tar", "*.SAFE", "LC08*_T1"])
def test_the_command_line_takes_an_archive(archive, tmp_path, capsys, kind):
    from geotoolz._cli import main

    path = next(one for one in archive.glob(kind) if one.is_dir() or kind in ("*.zip", "*.tar"))
    assert main(["info", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert path.name.startswith(facts["tile_id"])
    assert {"red", "green"} <= set(facts["variables"])
    pipeline = tmp_path / "pipeline.yaml"
    pipeline.write_text("_target_: geotoolz.radiometry.SelectBands\nnames: [red, green]\n")
    assert main(["run", str(pipeline), str(path), str(tmp_path / "out")]) == 0
    (made,) = (tmp_path / "out" / "items").glob("*.json")
    assert set(open_tile(made)) == {"red", "green"}
