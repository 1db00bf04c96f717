"""The command line of the room, as users call it."""

from __future__ import annotations

import geopandas
import pandas as pd
import pytest

from geotoolz._cli._vector import main
from geotoolz.core import geobox_of
from geotoolz.core.testing import simulate_scene
from geotoolz.io import open_tile, write_tile
from geotoolz.vector import point_series, sample_training, zonal_statistics


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vector-cli")
    for name, day in (("a", "2023-08-01"), ("b", "2023-08-11")):
        tile = simulate_scene((60, 80), bands=("red", "nir"), cloud_cover=0)
        write_tile(
            tile.assign_attrs(tile_id=name, datetime=f"{day}T10:00:00Z"),
            folder / "scenes" / name / "{band}.tif",
        )
    grid = geobox_of(tile)
    shapes = [grid[:4, :5].extent.geom, grid[20:30, 30:40].extent.geom]
    fields = geopandas.GeoDataFrame({"crop": ["maize", "wheat"]}, geometry=shapes, crs=32633)
    fields.to_file(folder / "fields.gpkg", layer="fields")
    fields.set_geometry(fields.centroid).to_file(folder / "points.gpkg")
    return folder


def ran(capsys, *args):
    code = main([str(part) for part in args])
    return code, capsys.readouterr()


def test_zonal(work, capsys):
    out = work / "zonal.parquet"
    stats = "mean,quantile(q=0.9)"
    zones = f"{work / 'fields.gpkg'}:fields"
    options = ("--stats", stats, "--columns", "crop")
    code, said = ran(capsys, "zonal", work / "scenes", zones, out, *options)
    assert code == 0 and "4 rows" in said.out
    found = geopandas.read_parquet(out)
    assert found.crop.tolist() == ["maize", "maize", "wheat", "wheat"]
    assert found.tile_id.tolist() == ["a", "b"] * 2
    wanted = zonal_statistics(
        open_tile(work / "scenes" / "a"), work / "fields.gpkg", ("mean", "quantile(q=0.9)")
    )
    pd.testing.assert_series_equal(found.nir_quantile_90[::2].reset_index(drop=True), wanted.nir_quantile_90)


def test_points_and_csv(work, capsys):
    out = work / "points.csv"
    code, _ = ran(capsys, "points", work / "scenes" / "a", work / "points.gpkg", out, "--bands", "red")
    found = pd.read_csv(out)
    wanted = point_series(work / "scenes" / "a", work / "points.gpkg", bands="red")
    assert code == 0 and found.red.tolist() == pytest.approx(wanted.red.tolist())
    assert found.geometry[0].startswith("POINT")


def test_there_and_back(work, capsys):
    code, _ = ran(
        capsys, "rasterize", work / "fields.gpkg", work / "scenes" / "a", work / "r.tif", "--column", "crop"
    )
    assert code == 0
    code, said = ran(capsys, "vectorize", work / "r.tif", work / "back.gpkg", "--min-area", "2500")
    assert code == 0 and "1 row" in said.out
    back = geopandas.read_file(work / "back.gpkg")
    assert back.area_m2.tolist() == [10_000] and back.value.tolist() == [2]


def test_samples(work, capsys):
    out = work / "samples.parquet"
    code, _ = ran(capsys, "sample", work / "scenes" / "a", work / "fields.gpkg", "crop", out)
    wanted = sample_training(work / "scenes" / "a", work / "fields.gpkg", "crop")
    assert code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(out), wanted)


@pytest.mark.parametrize(
    "args, said",
    [
        (("zonal", "scenes", "nowhere.gpkg", "x.parquet"), "no such file"),
        (("zonal", "scenes", "fields.gpkg", "x.xls"), "a .parquet, .csv, .gpkg"),
        (("zonal", "scenes", "fields.gpkg", "x.parquet", "--stats", "meen"), "did you mean 'mean'"),
        (("zonal", "scenes", "fields.gpkg", "no/x.parquet"), "cannot be written"),
        (("points", "scenes", "fields.gpkg", "x.parquet"), "are no points"),
        (("points", "scenes", "points.gpkg", "x.parquet", "--set", "a=b"), "without --pipeline"),
        (("sample", "scenes", "fields.gpkg", "corp", "x.csv"), "did you mean 'crop'"),
        (("vectorize", "scenes/a/red.tif", "x.gpkg"), "0 variables of classes"),
        (("vectorize", "scenes/a/red.tif", "x.gpkg", "--statistic", "red"), "NAME=STAT"),
        (("rasterize", "fields.gpkg", "scenes/a", "x.gpkg"), "a .tif file"),
    ],
)
def test_mistakes_are_told(work, capsys, monkeypatch, args, said):
    monkeypatch.chdir(work)
    code, told = ran(capsys, *args)
    assert code == 2 or code == 1, told
    assert said in told.err and "Traceback" not in told.err
