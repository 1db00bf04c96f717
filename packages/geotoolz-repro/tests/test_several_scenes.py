"""Slices of several sources, stacks and composites: traced, frozen, run again, and their scenes checked."""

from __future__ import annotations

import numpy as np
import pytest

import geotoolz as gz
from geotoolz.catalog import GeoCatalog, GeoSlice, open_stack
from geotoolz.cloud import MaskClouds
from geotoolz.core import ParameterError, ReadError, geobox_of
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG, WriteZarr, write_tile
from geotoolz.repro import Kind, Tier, freeze, load, trace
from geotoolz.temporal import Composite, monthly_composite

STEPS = gz.Sequential([MaskClouds(), NDVI(), Composite(bands=("ndvi",))])


@pytest.fixture
def catalog(tmp_path):
    for day in ("06-05", "06-15", "07-05"):
        options = {"shape": (60, 50), "bands": ("red", "nir", "scl"), "cloud_cover": 0.3}
        write_scene({**options, "datetime": f"2023-{day}T10:00:00Z"}, tmp_path / "scenes")
    return GeoCatalog.from_folder(tmp_path / "scenes")


@pytest.fixture
def grid(catalog):
    return geobox_of(gz.open_tile(catalog.source_of(next(catalog.iter_rows()))))


def _bits_again(artifact, folder, threads=(1, 2)):
    for n in threads:
        report = artifact.rerun(folder / f"w{n}", threads=n)
        assert report.tier is Tier.BIT_EXACT, str(report)
    return artifact


def test_a_stack_is_an_input(catalog, grid, tmp_path):
    stack = open_stack(catalog, grid, ("red", "nir", "scl"))
    by_reader = freeze(STEPS, stack)
    assert freeze(STEPS, stack.load()).id == by_reader.id
    artifact = load(by_reader.save(tmp_path / "a.gtar"))
    held = artifact.inputs["scene"]
    assert held.uri == "stack of 3 scenes on 3 dates" and len(held.files) >= 9 and not held.embedded
    assert artifact.verify().ok
    _bits_again(artifact, tmp_path)
    place = next((tmp_path / "scenes").glob("*0615*/B08.tif"))
    place.write_bytes(place.with_name("B04.tif").read_bytes())
    (found,) = artifact.verify().differences
    assert found.kind is Kind.INPUT_CHANGED
    assert "0615" in found.found and "B08.tif has other content" in found.found
    place.unlink()
    (found,) = artifact.verify().differences
    assert found.kind is Kind.INPUT_MISSING and "B08.tif does not exist" in found.found


@pytest.mark.parametrize("sink", [WriteCOG, WriteZarr])
def test_what_was_made_of_a_stack_in_memory_is_traced(catalog, grid, tmp_path, sink):
    path = tmp_path / ("ndvi.tif" if sink is WriteCOG else "ndvi.zarr")
    gz.Sequential([*STEPS.operators, sink(str(path), ("ndvi",))])(open_stack(catalog, grid).load())
    found = trace(path)
    assert found.source == "stack of 3 scenes on 3 dates" and len(found.several["dates"]) == 3
    assert [date[:10] for date, _ in found.scenes] == ["2023-06-05", "2023-06-15", "2023-07-05"]
    assert all("S2A" in name for _, name in found.scenes)
    assert {name for name, *_ in found.inputs} >= {"B04.tif", "B08.tif", "SCL.tif"}
    _bits_again(load(found.freeze().save(tmp_path / "a.gtar")), tmp_path)


def test_a_part_of_a_stack_claims_nothing(catalog, grid, tmp_path):
    part = open_stack(catalog, grid).load().isel(time=slice(0, 2))
    gz.Sequential([*STEPS.operators, WriteCOG(f"{tmp_path}/ndvi.tif", ("ndvi",))])(part)
    assert trace(tmp_path / "ndvi.tif").several is None and not trace(tmp_path / "ndvi.tif").source
    with pytest.raises(ParameterError, match="a tile in memory"):
        freeze(STEPS, part)


def test_every_month_of_a_composite_is_traced_and_frozen(catalog, grid, tmp_path):
    paths = monthly_composite(
        catalog, grid, bands=("red",), mask=MaskClouds(), min_obs=2, out=tmp_path / "months"
    )
    june = next(path for path in paths if "2023-06" in path and path.endswith("red.tif"))
    found = trace(june)
    assert [len(rows) for rows in found.several["dates"]] == [1, 1]
    artifact = load(found.freeze().save(tmp_path / "june.gtar"))
    assert list(artifact.outputs) == ["red"]
    _bits_again(artifact, tmp_path)
    values = gz.open_tile(june, raw=True).red.values
    assert artifact.outputs["red"].valid == int(np.isfinite(values).sum())
    (item, *_) = sorted((tmp_path / "months" / "items").glob("2023-06*.json"))
    assert trace(item).several == found.several  # an item has no address for several scenes: its file tells
    moved = (tmp_path / "scenes").rename(tmp_path / "moved")
    again = trace(june).freeze(inputs=moved)
    assert again.inputs["scene"].sha256 == artifact.inputs["scene"].sha256
    assert again.rerun(tmp_path / "again").tier is Tier.BIT_EXACT


def test_a_slice_of_two_sources(catalog, grid, tmp_path):
    row = next(catalog.iter_rows())
    tile = gz.open_tile(catalog.source_of(row))
    for name in ("red", "nir"):
        write_tile(tile[[name]], tmp_path / "parts" / f"{name}.tif")
    sources = tuple(str(tmp_path / "parts" / f"{name}.tif") for name in ("red", "nir"))
    part = GeoSlice.from_geobox(grid, sources=sources, tile_id="two")
    artifact = load(freeze(NDVI(), part).save(tmp_path / "a.gtar"))
    assert artifact.inputs["scene"].uri == "slice two" and len(artifact.inputs["scene"].files) == 2
    _bits_again(artifact, tmp_path)
    report = gz.CatalogPipeline([part], NDVI(), tmp_path / "out", progress="none").run()
    assert report.counts == {"done": 1}
    (path,) = (tmp_path / "out").glob("*.tif")
    found = trace(path)
    assert {name for name, *_ in found.inputs} == {"red.tif", "nir.tif"} and found.source == "slice two"
    _bits_again(found.freeze(), tmp_path / "traced")
    write_tile(tile[["nir"]] * 2, sources[1])
    with pytest.raises(ReadError, match=r"nir\.tif .* no longer"):
        found.freeze()


def test_scenes_that_have_moved(catalog, grid, tmp_path):
    """A folder, a catalog or its file, a list of scenes, a stack: all say where the scenes lie now."""
    stack = open_stack(catalog, grid, ("red", "nir", "scl"))
    artifact = load(freeze(STEPS, stack).save(tmp_path / "a.gtar"))
    moved = (tmp_path / "scenes").rename(tmp_path / "moved")
    assert artifact.rerun(tmp_path / "w0").of(Kind.INPUT_MISSING, Kind.NOT_RUN)
    now = GeoCatalog.from_folder(moved)
    parquet = now.save(tmp_path / "moved.parquet")
    scenes = [path for path in moved.iterdir() if path.is_dir()]
    again = open_stack(now, grid, ("red", "nir", "scl"))
    for number, given in enumerate((moved, parquet, now, scenes, again, again.load(), {"scene": moved})):
        report = artifact.rerun(tmp_path / f"w{number}", inputs=given)
        assert report.tier is Tier.BIT_EXACT and not report.differences, (number, str(report))
        assert artifact.verify(inputs=given).ok
    first = scenes[0].rename(moved / "another-name")
    for item in first.glob("*.json"):  # the item names the scene
        item.write_text(item.read_text().replace(scenes[0].name, "another-name"))
    report = artifact.rerun(tmp_path / "renamed", inputs=moved)
    assert not report.of(Kind.OUTPUT_PIXELS, Kind.NOT_RUN), str(report)
    (scenes[1] / "B08.tif").write_bytes((scenes[1] / "B04.tif").read_bytes())
    (found,) = artifact.verify(inputs=moved).of(Kind.INPUT_CHANGED)
    assert found.facts["files"] == [f"{scenes[1].name}/B08.tif has other content"]


@pytest.mark.parametrize("given", [3, [3], {"scene": 3.5}, {"scene": None}])
def test_what_says_no_place(catalog, grid, tmp_path, given):
    artifact = freeze(STEPS, open_stack(catalog, grid))
    with pytest.raises(ParameterError, match="inputs holds a"):
        artifact.rerun(tmp_path / "w", inputs=given)


def test_a_scene_that_is_not_among_the_moved(catalog, grid, tmp_path):
    artifact = freeze(STEPS, open_stack(catalog, grid))
    moved = (tmp_path / "scenes").rename(tmp_path / "moved")
    scene = next(path for path in moved.iterdir() if path.is_dir())
    with pytest.raises(ReadError, match="is not there"):
        artifact.rerun(tmp_path / "w", inputs=[scene])
    with pytest.raises(ReadError, match="does not exist"):
        artifact.rerun(tmp_path / "w", inputs=tmp_path / "none")
