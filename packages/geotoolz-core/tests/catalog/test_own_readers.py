"""Readers of other packages: catalogs and jobs know their products as `open_tile` does."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core import Sequential, TileSpec
from geotoolz.io import Asset, BandDef, Declared, Product, Reader, SceneInfo, WriteCOG, open_tile
from geotoolz.io._readers import _registry
from geotoolz.radiometry import SelectBands

_NAME = re.compile(r"([A-Z0-9]+)_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(_ortho\.tif)?")
_FLAGS = {"flag_masks": [1, 2], "flag_meanings": "cloud haze"}
_MEANS = Declared(1e-4, 0.0, nodata=0, units="1", quantity="surface_reflectance")


def _scene(path: Path, files: list[tuple[str, Path, int]]) -> SceneInfo:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    year, month, day, hour, minute = found.groups()[1:6]
    product = Product(
        tile_id=path.stem,
        platform="field-drone",
        level="SR",
        when=f"{year}-{month}-{day}T{hour}:{minute}:00Z",
    )
    assets = [
        Asset(name, str(file), index, BandDef(name, f"B{n}", name, 650.0), _MEANS)
        if name != "qa"
        else Asset(name, str(file), index, BandDef(name, "QA", name, kind="flags"), attrs=_FLAGS)
        for n, (name, file, index) in enumerate(files, start=1)
    ]
    return SceneInfo(str(path), product, tuple(assets))


class Drone(Reader):
    """One file of several bands."""

    name, title = "field-drone", "orthomosaics"

    def recognises(self, path: Path) -> bool:
        return path.name.endswith("_ortho.tif") and _NAME.fullmatch(path.name) is not None

    def scene(self, path: Path) -> SceneInfo:
        return _scene(path, [("red", path, 1), ("nir", path, 2)])


class Flight(Reader):
    """A folder with a file per band, and one of flags."""

    name, title = "flight", "folders of a flight"

    def recognises(self, path: Path) -> bool:
        return path.name.startswith("FLIGHT") and path.is_dir()

    def scene(self, path: Path) -> SceneInfo:
        return _scene(path, [("red", path / "b1.tif", 1), ("nir", path / "b2.tif", 1)])


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    points = [SimpleNamespace(name=kind.name, load=lambda kind=kind: kind) for kind in (Drone, Flight)]
    monkeypatch.setattr(_registry, "entry_points", lambda group: points)
    _registry.readers.cache_clear()
    yield
    _registry.readers.cache_clear()


def write(path: Path, *values: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "width": 40, "height": 30, "dtype": "uint16", "crs": "EPSG:32633"}
    with rasterio.open(
        path, "w", count=len(values), transform=from_origin(500_000, 5_000_000, 10, 10), **profile
    ) as file:
        file.write(np.stack([np.full((30, 40), value, np.uint16) for value in values]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "scenes"
    write(root / "FIELD7_20230618T1012_ortho.tif", 2500, 4000)
    write(root / "FIELD7_20230619T1013_ortho.tif", 2600, 4100)
    for day in ("20", "21"):
        flight = root / f"FLIGHT_202306{day}T1100"
        for name, value in (("b1", 1000), ("b2", 3000), ("qa", 1)):
            write(flight / f"{name}.tif", value)
    write(root / "other.tif", 7)
    return root


def test_a_catalog_has_a_row_per_product(folder: Path) -> None:
    rows = {row.id: row for row in GeoCatalog.from_folder(folder).iter_rows()}
    assert sorted(rows) == [
        "FIELD7_20230618T1012_ortho", "FIELD7_20230619T1013_ortho",
        "FLIGHT_20230620T1100", "FLIGHT_20230621T1100", "other",
    ]  # fmt: skip
    first = rows["FIELD7_20230618T1012_ortho"]
    assert first.platform == "field-drone" and str(first.datetime)[:16] in (
        "2023-06-18 10:12",
        "2023-06-18T10:12",
    )
    catalog = GeoCatalog.from_folder(folder)
    for row in catalog.iter_rows():
        if row.id != "other":
            tile = open_tile(catalog.source_of(row))
            assert list(tile) == ["red", "nir"] and tile.attrs["platform"] == "field-drone"
            assert tile.nir.attrs["quantity"] == "surface_reflectance"
    flight = GeoCatalog.from_folder(folder / "FLIGHT_20230620T1100")
    assert [row.id for row in flight.iter_rows()] == ["FLIGHT_20230620T1100"]
    assert len(catalog.query(time="2023-06-18T10:00/2023-06-18T10:30")) == 1


def test_a_job_reads_what_open_tile_reads(folder: Path, tmp_path: Path) -> None:
    catalog = GeoCatalog.from_folder(folder).query(time="2023-06-18/2023-06-20")
    op = Sequential([SelectBands(("nir",)), WriteCOG("nir_of_{item_id}.tif")])
    report = CatalogPipeline(catalog, op, tmp_path / "out", progress="none").run()
    assert report.counts == {"done": 3}, [row.message for row in report.failed]
    made = {
        path.stem.removeprefix("nir_of_"): float(open_tile(path).nir[0, 0])
        for path in (tmp_path / "out").glob("*.tif")
    }
    assert made == pytest.approx(
        {"FIELD7_20230618T1012_ortho": 0.4, "FIELD7_20230619T1013_ortho": 0.41, "FLIGHT_20230620T1100": 0.3}
    )


def test_bands_go_by_the_sensors_own_names_too(tmp_path: Path) -> None:
    path = tmp_path / "FIELD7_20230618T1012_ortho.tif"
    write(path, 1000, 4000)
    tile = open_tile(path, bands=["B2", "red"])
    assert list(tile) == ["nir", "red"]
    spec = TileSpec.of(tile)
    assert (spec.find("B1"), spec.find("B2"), spec.lookup("B3")) == ("red", "nir", None)
    twice = TileSpec.of(tile.assign(copy=tile.nir))
    assert twice.lookup("B2") is None  # two could be meant
    assert twice.find("nir") == "nir"


def test_a_reader_says_what_the_bits_of_its_flags_mean(tmp_path: Path) -> None:
    path = tmp_path / "FLIGHT_20230618T1012"
    for name, value in (("b1", 1000), ("b2", 4000), ("qa", 2)):
        write(path / f"{name}.tif", value)
    scene = _scene(path, [("red", path / "b1.tif", 1), ("qa", path / "qa.tif", 1)])
    for tile in (open_tile(scene), open_tile(scene, bands=["qa"], raw=True)):
        assert tile.qa.dtype == np.uint16 and tile.qa.attrs["quantity"] == "flags"
        assert {key: tile.qa.attrs[key] for key in _FLAGS} == _FLAGS
