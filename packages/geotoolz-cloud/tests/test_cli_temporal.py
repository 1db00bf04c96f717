"""Two scenes, from the command line and as a stack."""

from __future__ import annotations

import subprocess
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geotoolz.cloud import MaskClouds, MaskFromFlags, RemoveSmallPatches
from geotoolz.core import MissingVariableError, TileError, save
from geotoolz.core.testing import simulate_scene, write_landsat, write_safe
from geotoolz.io import open_tile, write_tile
from geotoolz.temporal import BurnSeverity, monthly_composite, open_pair

SCENE: dict[str, Any] = {"shape": (120, 120), "seed": 3, "cloud_cover": 0.2}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: Any) -> list[Path]:
    folder = tmp_path_factory.mktemp("pair")
    dates = ("2023-07-01T10:00:00Z", "2023-08-20T10:00:00Z")
    return [write_safe({**SCENE, "datetime": date}, folder) for date in dates]


@pytest.fixture(scope="module")
def landsat(tmp_path_factory: Any) -> list[Path]:
    folder = tmp_path_factory.mktemp("landsat")
    return [write_landsat({**SCENE, "datetime": f"2023-0{month}-20T10:00:00Z"}, folder) for month in (7, 9)]


def call(capfd: Any, *args: Any, command: str = "burn-severity") -> tuple[int, str, str]:
    from geotoolz._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in ("temporal", command, *args)])
    return code, *capfd.readouterr()


def test_a_process_writes_what_the_operators_give(pair: list[Path], tmp_path: Path) -> None:
    script = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
    command = [script, "temporal", "burn-severity", *pair, "burn", "--res", "20", "--min-area", "2000"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    files = [tmp_path / line for line in done.stdout.splitlines()]
    assert [file.stem.rpartition("_")[2] for file in files] == ["dnbr", "severity"]
    one, two = (open_tile(path, ["nir", "swir22", "scl"], resolution=20.0) for path in pair)
    nbr = [(t.nir - t.swir22) / (t.nir + t.swir22) for t in (MaskClouds()(one), MaskClouds()(two))]
    dnbr = open_tile(files[0]).dnbr.values
    np.testing.assert_allclose(dnbr, (nbr[0] - nbr[1]).values, atol=1e-6)
    assert 0.05 < np.isnan(dnbr).mean() < 0.9
    stack = open_pair(*pair, ("nir", "swir22", "scl"), resolution=20.0)
    classes = BurnSeverity()(MaskClouds()(stack))
    sieved = RemoveSmallPatches("severity", (4, 5, 6, 7), 3, min_pixels=5)(classes)
    np.testing.assert_array_equal(open_tile(files[1]).severity.values, sieved.severity.values)


def test_landsat(landsat: list[Path], tmp_path: Path, capfd: Any) -> None:
    code, out, err = call(capfd, *landsat, tmp_path / "{band}.tif", "--min-area", "1800")
    assert code == 0, err
    assert out.split() == [str(tmp_path / "dnbr.tif"), str(tmp_path / "severity.tif")]
    assert set(np.unique(open_tile(tmp_path / "severity.tif").severity.values)) <= set(range(8))


def test_mistakes_of_the_user(pair: list[Path], landsat: list[Path], tmp_path: Path, capfd: Any) -> None:
    code, _, err = call(capfd, pair[1], pair[0], tmp_path / "out")
    assert code == 2 and "the earlier one first" in err and "swap them" in err
    code, _, err = call(capfd, landsat[0], pair[1], tmp_path / "out")
    assert code == 2 and "has no band 'qa_pixel'" in err
    code, _, err = call(capfd, *pair, tmp_path / "out", "--min-area", "0")
    assert code == 2 and "--min-area 0.0" in err
    assert "Traceback" not in err and not (tmp_path / "out").exists()


def test_a_pair_is_a_stack_on_the_first_grid(pair: list[Path]) -> None:
    stack = open_pair(*pair, ("nir", "scl"), resolution=30.0)
    assert dict(stack.sizes) == {"time": 2, "y": 40, "x": 40}
    assert stack.time.dt.strftime("%Y-%m-%d").values.tolist() == ["2023-07-01", "2023-08-20"]
    assert stack.attrs["tile_id"].count("_to_") == 1
    assert stack.attrs["processing_baseline"] == "05.09"
    assert "sun_elevation" in stack.coords and stack.sun_elevation.dims == ("time",)
    assert "datetime" not in stack.attrs
    for i, path in enumerate(pair):
        one = open_tile(path, ["nir", "scl"], resolution=30.0)
        for name in ("nir", "scl"):
            np.testing.assert_array_equal(stack[name].values[i], one[name].values)
            assert stack[name].dtype == one[name].dtype


def test_pairs_that_are_none(pair: list[Path], landsat: list[Path], tmp_path: Path) -> None:
    with pytest.raises(TileError, match="one after of 2023-07-01"):
        open_pair(pair[0], pair[0], ("nir",))
    with pytest.raises(MissingVariableError, match="has no band 'rededge071'"):
        open_pair(pair[0], landsat[1], ("nir", "rededge071"))
    with pytest.raises(MissingVariableError, match=r"has no 'nir' \(it has nir08\)"):
        open_pair(pair[0], landsat[1], ("nir",))


def test_months_of_a_folder(landsat: list[Path], tmp_path: Path, capfd: Any) -> None:
    pytest.importorskip("geopandas")
    folder, out = landsat[0].parent, tmp_path / "out"
    options = ("--bands", "red", "--res", 60, "--reducer", "mean")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, text, err = call(capfd, folder, out, *options, command="monthly-composite")
    assert code == 0, err
    assert "2023-08: no clear observation" in err
    names = sorted(Path(line).name for line in text.splitlines())
    assert names == sorted(path.name for path in out.glob("*.tif"))
    # July, August without a scene, and September
    assert [name for name in names if name.endswith("_red.tif")] == [
        f"2023-0{month}_mean_red.tif" for month in (7, 8, 9)
    ]
    assert "2023-07_mean_observations.tif" in names
    assert np.isfinite(open_tile(out / "2023-07_mean_red.tif").red.values).any()
    code, _, err = call(capfd, folder, out, "--reducer", "mode", command="monthly-composite")
    assert code == 2 and "mode" in err and "median" in err


@pytest.mark.filterwarnings("ignore::geotoolz.temporal.EmptyPeriodWarning")
def test_months_masked_by_something_else(landsat: list[Path], tmp_path: Path, capfd: Any) -> None:
    pytest.importorskip("geopandas")
    folder, clear = landsat[0].parent, tmp_path / "clear"
    save(MaskClouds(flags=("water",)), clear)
    seen = {}
    for name, more in {"clouds": (), "none": ("--mask", "none"), "water": ("--mask", clear)}.items():
        out = tmp_path / name
        options = ("--bands", "red", "--res", 60, *more)
        code, _, err = call(capfd, folder, out, *options, command="monthly-composite")
        assert code == 0, err
        seen[name] = open_tile(out / "2023-07_median_observations.tif").observations.values
    with_data = monthly_composite(folder, resolution=60.0, bands="red", mask=None).observations.values[0]
    np.testing.assert_array_equal(seen["none"], with_data)
    assert (seen["clouds"] <= seen["none"]).all() and seen["clouds"].sum() < seen["none"].sum()
    assert not np.array_equal(seen["water"], seen["clouds"])
    code, _, err = call(capfd, folder, tmp_path / "x", "--mask", "cluods", command="monthly-composite")
    assert code == 2 and "cluods" in err
    save(MaskFromFlags(flags=("water",)), clear)  # makes a layer, and masks nothing
    options = ("--bands", "red", "--mask", clear)
    code, _, err = call(capfd, folder, tmp_path / "x", *options, command="monthly-composite")
    assert code == 2 and "leaves red as they are" in err and "ApplyMask" in err


def test_months_of_scenes_without_flags(tmp_path: Path) -> None:
    for day in ("01", "11"):
        tile = simulate_scene((16, 16), seed=int(day))[["red"]]
        tile.attrs["datetime"] = f"2023-07-{day}T10:00:00Z"
        write_tile(tile, tmp_path / f"image_202307{day}.tif")
    with pytest.raises(MissingVariableError, match=r"no quality layer.*mask=None \(--mask none"):
        monthly_composite(tmp_path, bands="red")
    assert monthly_composite(tmp_path, bands="red", mask=None).sizes["time"] == 1
