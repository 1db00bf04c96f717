"""One area in many spellings, wherever an area is taken: batch runs, the catalog, the command line."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pytest

from geotoolz._cli import main
from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core import ParameterError, geobox_of
from geotoolz.core.testing import simulate_scene
from geotoolz.io import open_tile, stream, write_tile
from geotoolz.radiometry import BoxMean
from geotoolz.vector import point_series, zonal_statistics

SMOOTH = BoxMean(radius=1, bands=("red",))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("areas")
    tile = simulate_scene((60, 80), bands=("red",), cloud_cover=0)
    for name in ("north", "again"):
        write_tile(tile.assign_attrs(tile_id=name), folder / "scenes" / name / "red.tif", "red")
    part = geobox_of(tile)[10:30, 20:50]
    fields = geopandas.GeoDataFrame(geometry=[part.extent.geom], crs=32633)
    fields.to_file(folder / "farm.gpkg", layer="fields")
    (folder / "smooth.yaml").write_text(
        "_target_: geotoolz.radiometry.BoxMean\nradius: 1\nbands: [red]\n", encoding="utf-8"
    )
    return folder, tile, part, fields


def test_batch_runs_take_any_spelling(work, tmp_path):
    folder, tile, part, fields = work
    catalog = GeoCatalog.from_folder(folder / "scenes")
    wanted = SMOOTH(tile.isel(y=slice(10, 30), x=slice(20, 50))).red.values
    for number, area in enumerate((fields, part, folder / "farm.gpkg")):
        out = tmp_path / str(number)
        report = CatalogPipeline(
            catalog, SMOOTH, out, read={"aoi": area}, progress="none", quicklook=False, limit=1
        ).run()
        assert [row.tile_id for row in report.rows] and not report.failures
        (path,) = out.glob("*.tif")
        np.testing.assert_array_equal(open_tile(path).red.values, wanted)
    whole = CatalogPipeline(catalog, SMOOTH, tmp_path / "id", read={"aoi": "north"}, progress="none")
    assert whole.read["aoi"]["type"] == "Polygon"


def test_streams_too(work, tmp_path):
    folder, tile, _, fields = work
    stream(SMOOTH, folder / "scenes" / "north", tmp_path / "s.tif", aoi=fields)
    wanted = SMOOTH(tile.isel(y=slice(10, 30), x=slice(20, 50))).red.values
    np.testing.assert_array_equal(open_tile(tmp_path / "s.tif").red.values, wanted)


@pytest.mark.parametrize(
    "spelling, shape",
    [
        ("{folder}/farm.gpkg", [20, 30]),
        ("{folder}/farm.gpkg:fields", [20, 30]),
        ("{left},{bottom},{right},{top}@EPSG:32633", [20, 30]),
        ("33TWL", [60, 80]),
        ("north", [60, 80]),
    ],
)
def test_the_command_line(work, capsys, spelling, shape):
    folder, _, part, _ = work
    left, bottom, right, top = part.boundingbox.bbox
    text = spelling.format(folder=folder, left=left, bottom=bottom, right=right, top=top)
    (folder / "one").mkdir(exist_ok=True)
    assert main(["info", str(folder / "scenes" / "north"), "--aoi", text, "--json"]) == 0
    grid = json.loads(capsys.readouterr().out)["grid"]
    assert [grid["rows"], grid["columns"]] == shape


@pytest.mark.parametrize(
    "text, said",
    [
        ("nort", "did you mean 'north'"),
        ("190028", "Landsat path and row"),
        ("1,2,3,4@EPSG:0", "no reference system"),
        ("nowhere.gpkg", "vector file"),
    ],
)
def test_mistakes_name_the_option(work, capsys, text, said):
    folder, *_ = work
    assert main(["info", str(folder / "scenes" / "north"), "--aoi", text]) != 0
    told = capsys.readouterr().err
    assert "--aoi" in told and said in told and "Traceback" not in told


def test_options_that_would_do_nothing_are_refused(work):
    _, tile, part, fields = work
    with pytest.raises(ParameterError, match="says how to open files"):
        zonal_statistics(tile, part, read={"raw": True})
    with pytest.raises(ParameterError, match="layer='fields'"):
        zonal_statistics(tile, fields, layer="fields")
    with pytest.raises(ParameterError, match="says how to open files"):
        point_series(tile, fields.centroid, read={"raw": True})


@pytest.mark.parametrize(
    "read, said",
    [
        ({"aoi": (15.1, 46.0, 15.0, 46.1)}, "swap west and east"),
        ({"aoi": (15.0, 46.1, 15.1, 46.0)}, "is empty"),
        ({"aoi": (46.0, 105.0, 46.1, 105.1)}, "longitude comes first"),
        ({"aoi": {"type": "Polygon", "coordinates": []}}, "empty"),
        ({"resolution": -10.0}, "resolution=-10.0"),
        ({"resolution": float("nan")}, "resolution=nan"),
    ],
)
def test_a_batch_run_refuses_what_cannot_be_before_it_starts(work, tmp_path, read, said):
    folder, *_ = work
    with pytest.raises(ParameterError, match=said):
        CatalogPipeline(folder / "scenes", SMOOTH, tmp_path / "out", read=read, progress="none")
    assert not (tmp_path / "out").exists()
