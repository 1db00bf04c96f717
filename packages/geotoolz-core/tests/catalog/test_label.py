from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely.geometry import Point, Polygon, box

from geotoolz.catalog import ReadLabel, rasterize_label, read_label
from geotoolz.core import (
    GridMismatchError,
    MissingCRSError,
    MissingVariableError,
    ParameterError,
    ReadError,
    dump,
    load,
    tile_from_arrays,
)
from geotoolz.core.testing import data_path

GRID = GeoBox((700, 1100), Affine(10, 0, 500000, 0, -10, 5100000), "EPSG:32633")


def labels() -> gpd.GeoDataFrame:
    rng = np.random.default_rng(1)
    shapes = []
    for _ in range(40):
        x, y = 500000 + rng.uniform(0, 11000), 5100000 - rng.uniform(0, 7000)
        angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
        radius = rng.uniform(50, 2500)
        shapes.append(Polygon([(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]))
    # edges through pixel centres, where rounding decides
    shapes.append(Polygon([(500005, 5099995), (505005, 5099995), (500005, 5094995)]))
    shapes.append(box(500000, 5093005, 511000, 5093505))
    return gpd.GeoDataFrame(
        {"crop": [("maize", "wheat", "rye")[i % 3] for i in range(42)]}, geometry=shapes, crs=32633
    )


TABLE = labels()


@pytest.mark.parametrize("touched", [False, True])
def test_blocks_equal_one_pass_of_gdal(touched: bool) -> None:
    found, legend = rasterize_label(GRID, TABLE, "crop", all_touched=touched)
    codes = {"maize": 1, "rye": 2, "wheat": 3}
    # in pixel coordinates: GDAL inverts the transform with rounding, and edges through pixel centres then tip
    pixels = TABLE.geometry.translate(-500000, -5100000).scale(0.1, -0.1, origin=(0, 0))
    wanted = rasterize(
        ((g, codes[c]) for g, c in zip(pixels, TABLE["crop"], strict=True)),
        out_shape=(700, 1100),
        fill=255,
        all_touched=touched,
        dtype="uint8",
    )
    assert legend.meanings == ("maize", "rye", "wheat")
    assert found.dtype == np.uint8
    assert (found != wanted).sum() <= 2


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 699), st.integers(0, 1099), st.integers(1, 700), st.integers(1, 1100), st.booleans())
def test_any_window_has_the_same_bits(row: int, col: int, rows: int, cols: int, touched: bool) -> None:
    rows, cols = min(rows, 700 - row), min(cols, 1100 - col)
    whole, _ = rasterize_label(GRID, TABLE, "crop", all_touched=touched)
    part, _ = rasterize_label(GRID, TABLE, "crop", all_touched=touched, offset=(row, col), shape=(rows, cols))
    assert np.array_equal(part, whole[row : row + rows, col : col + cols])


def tile(box_: GeoBox = GRID) -> xr.Dataset:
    return tile_from_arrays(
        {"red": np.zeros(box_.shape, "f4")}, box_, attrs={"tile_id": "a", "where": "x.gpkg"}
    )


def test_operator(tmp_path: Path) -> None:
    path = tmp_path / "fields.gpkg"
    TABLE.to_crs("EPSG:4326").to_file(path)
    op = ReadLabel(str(path), "crop", classes={"maize": 10, "wheat": 20, "rye": None})
    out = op(tile())
    assert out.label.dtype == np.uint8
    assert out.label.attrs["_FillValue"] == 255
    assert list(out.label.attrs["flag_values"]) == [10, 20]
    assert out.label.attrs["flag_meanings"] == "maize wheat"
    assert set(np.unique(out.label)) == {10, 20, 255}
    assert out.red.identical(tile().red)
    assert load(dump(op)) == op
    assert "reads_files" in op.tags
    xr.testing.assert_identical(read_label(tile(), str(path), "crop", classes=op.classes), out)
    lazy = op(tile().chunk({"y": 300, "x": 300}))
    assert np.array_equal(lazy.label.values, out.label.values)


def test_path_from_the_tiles_attributes(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "a.parquet")
    out = ReadLabel(str(tmp_path / "{tile_id}.parquet"), name="mask")(tile())
    assert set(np.unique(out["mask"])) == {1, 255}
    with pytest.raises(MissingVariableError, match="did you mean 'tile_id'"):
        ReadLabel("{tile_idd}.gpkg")(tile())


def test_points_numbers_and_wide_codes() -> None:
    frame = gpd.GeoDataFrame(
        {"code": [7, 300, None]}, geometry=[Point(500015, 5099985)] * 2 + [None], crs=32633
    )
    found, legend = rasterize_label(GRID, frame, "code")
    assert (found.dtype, legend.fill, legend.codes) == (np.uint16, 65535, (7, 300))
    assert found[1, 1] == 300  # the later one lies on top


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"gone\.gpkg"):
        ReadLabel(str(tmp_path / "gone.gpkg"))(tile())
    (tmp_path / "bad.gpkg").write_text("no")
    with pytest.raises(ReadError, match="cannot be read"):
        ReadLabel(str(tmp_path / "bad.gpkg"))(tile())
    with pytest.raises(MissingVariableError, match="did you mean 'crop'"):
        rasterize_label(GRID, TABLE, "crops")
    with pytest.raises(ParameterError, match="'rye'"):
        rasterize_label(GRID, TABLE, "crop", classes={"maize": 1, "wheat": 2})
    with pytest.raises(ParameterError, match="code of 'maize'"):
        rasterize_label(GRID, TABLE, "crop", fill=1)
    with pytest.raises(ParameterError, match="without column"):
        rasterize_label(GRID, TABLE, classes={"maize": 1})
    with pytest.raises(MissingCRSError, match="no CRS"):
        rasterize_label(GRID, TABLE.set_crs(None, allow_override=True), "crop")
    with pytest.raises(MissingCRSError, match="ReadLabel"):
        ReadLabel("x.gpkg")(tile(GeoBox((4, 4), GRID.affine, None)))
    with pytest.raises(ParameterError, match="0 to 65535"):
        rasterize_label(GRID, TABLE, "crop", classes={"maize": -1, "wheat": 2, "rye": 3})


def test_raster_labels(tmp_path: Path, write_raster: Callable[..., Path]) -> None:
    path = write_raster(tmp_path / "l.tif", left=500000 + 100, top=5100000 - 200)
    found, legend = rasterize_label(GRID, path)
    assert (found.dtype, legend.fill) == (np.uint16, 65535)
    assert (found[20:84, 10:58] != 65535).all()
    assert (found == 65535).sum() == found.size - 64 * 48
    part, _ = rasterize_label(GRID, path, offset=(30, 5), shape=(100, 20))
    assert np.array_equal(part, found[30:130, 5:25])
    named, legend = rasterize_label(GRID, path, classes={"a": 1, "b": 2, "c": 3, "d": 4})
    assert (named.dtype, legend.meanings) == (np.uint8, ("a", "b", "c", "d"))
    with pytest.raises(ParameterError, match="holds 4"):
        rasterize_label(GRID, path, classes={"a": 1, "b": 2, "c": 3})
    with pytest.raises(GridMismatchError, match="EPSG:32634"):
        rasterize_label(GRID, write_raster(tmp_path / "z.tif", crs="EPSG:32634"))
    with pytest.raises(GridMismatchError, match="transform"):
        rasterize_label(GRID, write_raster(tmp_path / "s.tif", left=500003))
    with pytest.raises(GridMismatchError, match="transform"):
        rasterize_label(GRID, write_raster(tmp_path / "r.tif", res=20))


@pytest.mark.realdata
def test_training_polygons() -> None:
    folder = data_path("ls5_tm_dem_training_para")
    from geotoolz.catalog import GeoCatalog

    part = GeoCatalog.build(folder / "lsat.tif")["lsat"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, legend = rasterize_label(part.geobox, folder / "training_polygons_lsat.gpkg", "class")
    assert legend.meanings == ("cleared", "fallen_dry", "forest", "water")
    assert (found == 3).sum() == 2271
