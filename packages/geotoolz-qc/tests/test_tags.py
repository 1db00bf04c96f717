"""Tags of checks that look at pixels: known after the run, written before a sink commits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import geotoolz as gz
from geotoolz.core import ExecutorError, Sequential, run
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.io import WriteCOG, WriteZarr
from geotoolz.qc import TAG, AssertCRSEquals, AssertValidFraction, AssertValueRange
from geotoolz.radiometry import SelectBands

CHECKS = (
    AssertCRSEquals("EPSG:4326", on_fail="tag"),
    AssertValueRange(0.0, 0.01, ("red",), on_fail="tag"),
    AssertValidFraction(0.5, on_fail="tag"),
)
NAMES = ["AssertCRSEquals", "AssertValueRange"]


def names(attrs: Any) -> list[str]:
    return [entry.partition(":")[0] for entry in attrs[TAG]]


def test_the_tag_is_the_same_whole_and_in_windows() -> None:
    scene = simulate_scene((40, 60), bands=("red", "nir"))
    whole = Sequential(CHECKS)(scene)
    assert names(whole.attrs) == NAMES and "0.01" in whole.attrs[TAG][1]
    cut = run(Sequential(CHECKS), scene, window=(7, 9), threads=2)
    assert cut.attrs == whole.attrs and whole.red.equals(scene.red)
    assert TAG not in AssertValidFraction(0.5, on_fail="tag")(scene).attrs
    assert TAG not in scene.attrs


def test_the_same_finding_twice_is_one_entry() -> None:
    scene = simulate_scene((20, 20), bands=("red",))
    again = Sequential([CHECKS[1], Sequential([CHECKS[1]])])(scene)
    assert names(again.attrs) == ["AssertValueRange"]
    assert names(CHECKS[1](again).attrs) == ["AssertValueRange"]


@pytest.mark.parametrize("sink", [WriteCOG, WriteZarr])
def test_a_stream_writes_the_tag(tmp_path: Path, sink: Any) -> None:
    source = write_scene({"shape": (40, 60), "bands": ("red", "nir")}, tmp_path)
    out = tmp_path / ("out.tif" if sink is WriteCOG else "out.zarr")
    op = Sequential([*CHECKS, SelectBands(("red",))])
    gz.stream(op, source, sink(out), window=(16, 16), threads=2)
    read = gz.open_tile(out) if sink is WriteCOG else gz.io.open_zarr(out)
    assert names(read.attrs) == NAMES


@pytest.mark.parametrize("above", [1 << 40, 0])
def test_a_batch_writes_the_tag(tmp_path: Path, monkeypatch: Any, above: int) -> None:
    pytest.importorskip("geopandas")
    monkeypatch.setattr("geotoolz.batch._compute.STREAM_ABOVE", above)  # whole tiles, and strips
    write_scene({"shape": (40, 40), "bands": ("red", "nir")}, tmp_path / "in")
    op = Sequential([*CHECKS, SelectBands(("red",)), WriteCOG("{item_id}.tif")])
    catalog = gz.GeoCatalog.from_folder(tmp_path / "in")
    report = gz.CatalogPipeline(catalog, op, out=tmp_path / "out", engine="inline", progress="none").run()
    assert not report.failed
    (path,) = (tmp_path / "out").glob("*.tif")
    assert names(gz.open_tile(path).attrs) == NAMES
    told = [text.partition(":")[0] for text in report.rows[0].warnings]
    assert told == ["tagged", "tagged"]  # the report shows them
    (item,) = (tmp_path / "out" / "items").glob("*.json")
    found = json.loads(item.read_text())["properties"]
    assert [text.partition(":")[0] for text in found["geotoolz:qc_failed"]] == NAMES


def test_a_lazy_tile_is_refused() -> None:
    pytest.importorskip("dask")
    lazy = simulate_scene((20, 20), bands=("red",)).chunk()
    with pytest.raises(ExecutorError, match="marks the tile once its pixels are seen"):
        CHECKS[1](lazy)
