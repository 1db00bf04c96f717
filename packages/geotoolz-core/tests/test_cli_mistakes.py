"""Areas, pixel sizes and names that cannot be are refused before a tile is opened, in the command's words."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

geopandas = pytest.importorskip("geopandas")

from geotoolz._cli import main  # noqa: E402
from geotoolz._cli._wording import in_options, options_of  # noqa: E402
from geotoolz.core import ConfigError, geobox_of, tile_from_arrays  # noqa: E402
from geotoolz.core.testing import simulate_scene, write_scene  # noqa: E402
from geotoolz.io import open_tile, write_tile  # noqa: E402

needs_cloud = pytest.mark.skipif(find_spec("geotoolz.cloud") is None, reason="geotoolz-cloud is not there")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two scenes, a pipeline, and west, south, east, north of a part of them."""
    folder = tmp_path_factory.mktemp("mistakes")
    for day in ("2023-08-01", "2023-08-11"):
        write_scene(
            {"shape": (40, 50), "bands": ("red", "nir", "scl"), "datetime": day, "cloud_cover": 0},
            folder / "scenes",
        )
    text = "_target_: geotoolz.radiometry.BoxMean\nradius: 0\nbands: [red]\n"
    (folder / "p.yaml").write_text(text, "utf-8")
    catalog = next((folder / "scenes").glob("*/*.json"))
    box = geobox_of(open_tile(catalog))[10:20, 10:20].geographic_extent.boundingbox
    return folder, box.bbox


def call(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    assert "Traceback" not in err, err
    return code, out, err


def aoi(*numbers: float) -> str:
    return ",".join(f"{number:.6f}" for number in numbers)


SWAPPED = "its axes are swapped: longitude comes first"
LATITUDE = "other hemisphere: mind the sign of the latitude"
LONGITUDE = "other hemisphere: mind the sign of the longitude"
COMMANDS = [
    ("run", "{p}", "{s}", "{o}", "--engine", "inline", "-q"),
    ("plan", "{p}", "{s}", "{o}"),
    ("check", "{p}", "{s}"),
    ("info", "{s}"),
    pytest.param(("temporal", "monthly-composite", "{s}", "{o}"), marks=needs_cloud),
    ("vector", "zonal", "{s}", "AOI", "{o}.parquet"),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("turn, said", [("swap", SWAPPED), ("south", LATITUDE), ("west", LONGITUDE)])
def test_an_area_elsewhere_is_guessed_everywhere(
    work: Any, capsys: Any, tmp_path: Path, command: tuple[str, ...], turn: str, said: str
) -> None:
    folder, (west, south, east, north) = work
    box = {
        "swap": (south, west, north, east),
        "south": (west, -north, east, -south),
        "west": (-east, south, -west, north),
    }[turn]
    places = {"p": folder / "p.yaml", "s": folder / "scenes", "o": tmp_path / "out"}
    args = [arg.format(**places) for arg in command]
    if "AOI" in args:
        field = tmp_path / "field.geojson"
        field.write_text(json.dumps(geopandas.GeoSeries.from_wkt([_wkt(box)]).__geo_interface__), "utf-8")
        args[args.index("AOI")] = str(field)
    else:
        args += ["--aoi", aoi(*box)]
    code, _, err = call(capsys, *args)
    assert (code, said in err) == (2, True), err
    assert not any(tmp_path.glob("out*"))


def _wkt(box: tuple[float, float, float, float]) -> str:
    west, south, east, north = box
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return "POLYGON ((" + ", ".join(f"{x} {y}" for x, y in corners) + "))"


@pytest.mark.parametrize("command", COMMANDS[:3])
@pytest.mark.parametrize(
    "options, said",
    [
        (("--aoi", "{e},{s},{w},{n}"), "swap west and east"),
        (("--aoi", "{w},{n},{e},{s}"), "is empty"),
        (("--aoi", "15.5,46.0,15.25,46.5"), "error: --aoi 15.5,46.0,15.25,46.5: its west"),
        (("--aoi", "15.0,46.0,15.1,x"), "WEST,SOUTH,EAST,NORTH"),
        (("--aoi", "a,b,c,d"), "WEST,SOUTH,EAST,NORTH"),
        (("--aoi", "500000,5000000,500100,5000100"), "--aoi LEFT,BOTTOM,RIGHT,TOP@EPSG:"),
        (("--res", "0"), "--res 0"),
        (("--res=-10",), "--res -10"),
        (("--res", "nan"), "--res nan"),
        (("--res", "ten"), "'--res'"),
    ],
)
def test_options_that_cannot_be_are_usage_errors(
    work: Any, capsys: Any, tmp_path: Path, command: tuple[str, ...], options: tuple[str, ...], said: str
) -> None:
    folder, (west, south, east, north) = work
    places = {"p": folder / "p.yaml", "s": folder / "scenes", "o": tmp_path / "out"}
    box = {"w": west, "s": south, "e": east, "n": north}
    more = [option.format(**box) for option in options]
    code, _, err = call(capsys, *(arg.format(**places) for arg in command), *more)
    assert (code, said in err) == (2, True), err
    assert not (tmp_path / "out").exists()


def test_west_beyond_east_across_the_antimeridian_is_an_area(work: Any, capsys: Any) -> None:
    folder, _ = work
    code, _, err = call(capsys, "info", folder / "scenes", "--aoi", "179,-17,-179,-16")
    assert code == 2 and "touches the area of --aoi" in err and "swap" not in err


def test_info_tells_degrees_beside_metres(work: Any, capsys: Any, tmp_path: Path) -> None:
    folder, _ = work
    item = next((folder / "scenes").glob("*/*.json"))
    code, out, _ = call(capsys, "info", item)
    line = next(line for line in out.splitlines() if line.startswith("lon, lat"))
    box = line.split()[-1]
    wanted = geobox_of(open_tile(item)).geographic_extent.boundingbox.bbox
    assert code == 0 and [float(part) for part in box.split(",")] == pytest.approx(wanted, abs=1e-5)
    told = json.loads(call(capsys, "info", item, "--aoi", box, "--json")[1])["grid"]
    assert (told["rows"], told["columns"]) == (40, 50)  # what is printed can be pasted
    box = GeoBox((8, 8), Affine(1e-3, 0, 15, 0, -1e-3, 46), "EPSG:4326")
    degrees = tile_from_arrays({"red": np.zeros((8, 8), "f4")}, box)
    (path,) = write_tile(degrees, tmp_path / "degrees.tif")
    assert "lon, lat" not in call(capsys, "info", path)[1]


def test_advice_is_said_in_options() -> None:
    options = {"bands": ("--bands", "A,B,…"), "res": ("--res", "SIZE"), "min_obs": ("--min-obs", "N")}
    assert in_options("name some with bands=…, or not", options) == "name some with --bands A,B,…, or not"
    assert in_options("or choose some with bands=['red', 'nir']", options).endswith("--bands red,nir")
    assert in_options("resolution=-5.0; min_obs=0; crs=…", options) == "--res -5.0; --min-obs 0; crs=…"
    assert in_options("a.bands=3 and $bands=2 stay", options) == "a.bands=3 and $bands=2 stay"


def test_options_are_those_of_the_command_that_was_called() -> None:
    import typer

    from geotoolz._cli import app

    root = typer.main.get_command(app)
    assert "classes" in options_of(root, ["vector", "vectorize", "x.tif"])
    assert "bands" not in options_of(root, ["run", "p.yaml", "x"])
    assert options_of(root, ["nonsense"]) == {}


def test_a_missing_band_names_the_option(work: Any, capsys: Any, tmp_path: Path) -> None:
    folder, _ = work
    tile = simulate_scene((8, 8), bands=("red", "nir", "scl"))
    classes = tile[["scl"]].assign(other=tile.scl)
    write_tile(classes, tmp_path / "two" / "{band}.tif")
    code, _, err = call(capsys, "vector", "vectorize", tmp_path / "two", tmp_path / "x.gpkg")
    assert code == 2 and "say --band NAME" in err and "band=" not in err
    code, _, err = call(capsys, "catalog", "mosaic", folder / "scenes", tmp_path / "m.tif")
    assert code == 2 and "--bands A,B" in err and "bands=" not in err


def test_classes_by_number_and_by_name(capsys: Any, tmp_path: Path) -> None:
    tile = simulate_scene((40, 40), bands=("scl",), cloud_cover=0.4)
    (path,) = write_tile(tile, tmp_path / "scl.tif")
    every = set(tile.scl.values.ravel().tolist())
    assert {8, 9} & every and len(every) > 2
    assert call(capsys, "vector", "vectorize", path, tmp_path / "n.gpkg", "--classes", "8,9")[0] == 0
    names = "cloud_medium_probability,cloud_high_probability"
    assert call(capsys, "vector", "vectorize", path, tmp_path / "c.gpkg", "--classes", names)[0] == 0
    numbered, named = (geopandas.read_file(tmp_path / f"{name}.gpkg") for name in "nc")
    assert set(numbered.value) == {8, 9} & every
    assert numbered.value.tolist() == named.value.tolist() and numbered.area_m2.equals(named.area_m2)
    code, _, err = call(capsys, "vector", "vectorize", path, tmp_path / "w.gpkg", "--classes", "watter")
    assert code == 2 and "did you mean 'water'" in err


# ---- presets from Python -----------------------------------------------------------------------------------


def test_presets_by_name_from_python() -> None:
    import geotoolz as gz

    tile = simulate_scene((16, 16), cloud_cover=0)
    picture = gz.preset("true-color", vmax=0.4)
    whole = gz.preset("true-color", sink=True, vmax=0.4)
    assert picture.config_hash() == whole.config_hash() and len(whole.operators) == len(picture.operators) + 1
    assert picture(tile).red.dtype == "uint8"
    with pytest.raises(ConfigError, match="did you mean 'ndvi'"):
        gz.preset("ndvy")
    with pytest.raises(ConfigError, match=r"no \$\{vmin\}"):
        gz.preset("true-color", vmin=0.1)


@needs_cloud
@pytest.mark.skipif(find_spec("geotoolz.indices") is None, reason="geotoolz-indices is not there")
def test_presets_are_those_of_the_command_line() -> None:
    import geotoolz as gz
    from geotoolz._cli._options import load_pipeline
    from geotoolz.core._presets import preset_names

    for name in preset_names():
        assert gz.preset(name, sink=True).config_hash() == load_pipeline(name).config_hash()
    tile = simulate_scene((16, 16), cloud_cover=0)
    assert gz.preset("ndvi", name="green")(tile).green.dtype == "float32"
