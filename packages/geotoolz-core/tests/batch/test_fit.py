"""Two stages over a catalog: fit, then apply; and cells of a tiling as tiles of a run."""

from __future__ import annotations

import hashlib
import json
import os
import random

import numpy as np
import pytest

from geotoolz.batch import CatalogPipeline, InlineEngine, fit
from geotoolz.catalog import GeoCatalog
from geotoolz.catalog.tiling import UTMGrid
from geotoolz.core import BatchError, ParameterError, ReadError, Sequential, Switch, TileError, freeze
from geotoolz.core.testing import write_scene
from geotoolz.io import open_tile
from geotoolz.radiometry import MinMax, PercentileClip, SelectBands, Standardize

TWO = Sequential([SelectBands(("red", "nir")), PercentileClip(), Standardize()])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> GeoCatalog:
    folder = tmp_path_factory.mktemp("fit")
    for number, day in enumerate(("2023-06-10", "2023-06-15", "2023-06-20")):
        spec = {"shape": (90, 110), "bands": ("red", "nir", "scl"), "datetime": day, "seed": number}
        write_scene({**spec, "cloud_cover": 0.2}, folder)
    return GeoCatalog.open(GeoCatalog.from_folder(folder).save(folder / "scenes.parquet"))


class Shuffled(InlineEngine):
    """Runs what it was given in an order of its own."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.window, self.random = 3, random.Random(seed)

    def wait(self, timeout: float | None):
        self._queue = type(self._queue)(self.random.sample(list(self._queue), len(self._queue)))
        return super().wait(timeout)


class Counting(InlineEngine):
    """Counts attempts."""

    done = 0

    def wait(self, timeout: float | None):
        type(self).done += 1
        return super().wait(timeout)


def test_fitted_is_frozen_bit_for_bit_on_every_engine(catalog: GeoCatalog) -> None:
    expected = freeze(TWO, catalog)
    assert fit(TWO, catalog).config_hash() == expected.config_hash()
    for seed in range(3):
        assert fit(TWO, catalog, engine=Shuffled(seed)) == expected
    one = MinMax(bands=("red",))  # a pool is started for every pass
    assert fit(one, catalog, engine="process", n_workers=2) == freeze(one, catalog)
    assert fit(expected, catalog) == expected  # nothing is missing: nothing is read


def test_tiles_are_visited_once_per_pass(catalog: GeoCatalog) -> None:
    Counting.done = 0
    fit(MinMax(bands=("red",)), catalog, engine=Counting())
    assert Counting.done == 3


def test_samples_do_not_depend_on_the_order(catalog: GeoCatalog) -> None:
    ids = list(catalog.frame["id"])
    back = [catalog[name] for name in reversed(ids)]
    drawn = fit(MinMax(bands=("red",)), catalog, sample=2, seed=5)
    assert drawn == fit(MinMax(bands=("red",)), back, sample=2, seed=5)
    assert drawn == freeze(MinMax(bands=("red",)), catalog, sample=2, seed=5)
    with pytest.raises(ParameterError, match="sample=9"):
        fit(MinMax(), catalog, sample=9)


def test_a_switch_may_lead_tiles_past_a_step(catalog: GeoCatalog) -> None:
    cases = {"2023-06-10T10:00:00Z": PercentileClip(bands=("red",))}
    op = Sequential(
        [
            SelectBands(("red", "nir")),
            Switch("datetime", cases, default=SelectBands(("red", "nir"))),
            MinMax(),
        ]
    )
    expected = freeze(op, catalog)
    for seed in range(3):
        assert fit(op, catalog, engine=Shuffled(seed)) == expected


def test_a_tile_that_fails_fails_the_fit(catalog: GeoCatalog, tmp_path) -> None:
    with pytest.raises(BatchError, match="empty"):
        fit(MinMax(), [])
    with pytest.raises(ReadError, match="does not exist"):
        fit(MinMax(), [tmp_path / "none.tif"])
    other = write_scene({"shape": (30, 30), "bands": ("red",)}, tmp_path)
    path = next(other.glob("*.tif"))
    os.truncate(path, 0)
    with pytest.raises(ReadError, match="0 bytes"):
        fit(MinMax(bands=("red",)), [*catalog, other])


def test_tiles_of_another_kind_are_told(catalog: GeoCatalog, tmp_path) -> None:
    other = write_scene({"shape": (30, 30), "bands": ("red", "green")}, tmp_path)
    with pytest.raises(TileError, match="fit on tiles of one kind"):
        fit(MinMax(), [*catalog, other])


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tif")}


def test_cells_run_like_tiles_and_are_resumable(catalog: GeoCatalog, tmp_path) -> None:
    temporal = pytest.importorskip("geotoolz.temporal", reason="geotoolz-cloud is not installed")
    from geotoolz.io import WriteCOG

    cells = catalog.by_cell(UTMGrid(500, 10), bands=("red", "nir"))
    steps = Sequential(
        [temporal.Composite("median"), WriteCOG("{item_id}_{band}.tif", bands=("red", "count"))]
    )

    def job(out, **more):
        return CatalogPipeline(cells, steps, tmp_path / out, progress="none", quicklook=False, **more)

    assert job("one", limit=2).run().counts["done"] == 2
    counts = job("one").run().counts
    assert counts == {"done": len(cells) - 2, "fresh": 2}
    assert job("one").plan().counts == {"fresh": len(cells)}
    assert job("two", engine="process", n_workers=2).run().counts == {"done": len(cells)}
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two") and len(hashes(tmp_path / "one")) == 2 * len(
        cells
    )
    for cell in cells[:3]:
        whole = temporal.Composite("median")(cell.load())
        np.testing.assert_array_equal(
            open_tile(tmp_path / "one" / f"{cell.tile_id}_median_red.tif").red, whole.red
        )
    item = json.loads((tmp_path / "one" / "items" / f"{cells[0].tile_id}.json").read_text())
    assert item["properties"]["start_datetime"][:10] == "2023-06-10"
    assert item["properties"]["proj:shape"] == [50, 50]
    finer = catalog.by_cell(UTMGrid(500, 5), bands=("red", "nir"))  # the same names on another grid: stale
    plan = CatalogPipeline(finer, steps, tmp_path / "one", progress="none").plan()
    assert set(plan.counts) == {"stale"}
    with pytest.raises(ParameterError, match="grid and bands are the cell's"):
        CatalogPipeline(
            cells[:1], steps, tmp_path / "bad", progress="none", read={"resolution": 20.0}, on_error="raise"
        ).run()


def test_statistics_over_cells(catalog: GeoCatalog) -> None:
    cells = catalog.by_cell(UTMGrid(500, 10), bands=("red", "nir"))
    assert fit(Standardize(), cells, engine=Shuffled(1)) == freeze(Standardize(), list(cells))
