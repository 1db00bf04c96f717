from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def scene(tmp_path):
    from geotoolz.core.testing import write_scene

    return write_scene({"shape": (96, 80), "bands": ("green", "red", "nir", "scl")}, tmp_path / "scenes")


def call(capfd, *args):
    from geotoolz.indices._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


def test_the_script_and_the_group_are_one_app(scene, tmp_path):
    for prefix in (["geotoolz", "indices"], ["geotoolz-indices"]):
        script = str(Path(sysconfig.get_path("scripts"), prefix[0]))
        command = [script, *prefix[1:], "compute", "ndvi", str(scene), str(tmp_path / prefix[0])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{tmp_path / prefix[0] / scene.name}_ndvi.tif\n"


def test_several_indices_in_one_go(scene, tmp_path, capfd):
    from geotoolz.indices import Indices
    from geotoolz.io import open_tile

    code, out, err = call(capfd, "compute", "ndvi,savi, gndvi", scene, tmp_path / "out")
    assert code == 0, err
    files = out.split()
    assert [Path(f).name.removeprefix(f"{scene.name}_") for f in files] == [
        "ndvi.tif",
        "savi.tif",
        "gndvi.tif",
    ]
    expected = Indices(["NDVI", "SAVI", "GNDVI"])(open_tile(scene))
    for file, name in zip(files, ("ndvi", "savi", "gndvi"), strict=True):
        np.testing.assert_array_equal(open_tile(file)[name].values, expected[name].values)


def test_any_index_of_the_catalogue(scene, tmp_path, capfd):
    code, out, err = call(capfd, "compute", "msavi", scene, tmp_path, "--name", "soil")
    assert code == 0 and out == f"{tmp_path}/{scene.name}_soil.tif\n", err


@pytest.fixture
def plain(tmp_path):
    """A raster whose bands have no names: blue, green, red, nir."""
    from affine import Affine

    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "plain.tif"
    transform = Affine(10, 0, 5e5, 0, -10, 5e6)
    shape = {"width": 32, "height": 32, "count": 4, "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=transform, **shape) as file:
        for index, value in enumerate((0.04, 0.07, 0.05, 0.45), start=1):
            file.write(np.full((32, 32), value, "f4"), index)
    return path


@pytest.mark.parametrize(
    ("index", "bands", "expected"),
    [
        # 2.5 · 0.4 / (0.45 + 0.3 − 0.3 + 1)
        ("evi", ("nir=band_4", "red=band_3", "blue=band_1"), {"evi": 1.0 / 1.45}),
        ("ndvi", ("nir=band_4", "red=band_3"), {"ndvi": 0.8}),
        ("nir/red", ("nir=band_4", "red = band_3"), {"nd": 0.8}),
        ("ndvi,gndvi", ("nir=band_4", "red=band_3", "green=band_2"), {"ndvi": 0.8, "gndvi": 0.38 / 0.52}),
    ],
)
def test_bands_without_names_are_told(plain, tmp_path, capfd, index, bands, expected):
    from geotoolz.io import open_tile

    options = [part for band in bands for part in ("--band", band)]
    code, out, err = call(capfd, "compute", index, plain, tmp_path / "out", *options)
    assert code == 0, err
    for file, (name, value) in zip(out.split(), expected.items(), strict=True):
        np.testing.assert_allclose(open_tile(file)[name].values, value, rtol=1e-6)


@pytest.mark.parametrize(
    ("index", "options", "said"),
    [
        ("evi", (), ["reads 'nir'", "band_1, band_2", "--band nir=…"]),
        ("evi", ("--band", "nir"), ["--band nir", "ROLE=VARIABLE"]),
        ("evi", ("--band", "swir16=band_4"), ["does not read 'swir16'", "nir, red, blue"]),
        ("ndvi", ("--band", "nri=band_4"), ["does not read 'nri'", "did you mean 'nir'"]),
        ("nir/red", ("--band", "blue=band_1"), ["--band blue=band_1", "nir or red"]),
        ("evi", ("--band", "nir=band_4", "--band", "nir=band_3"), ["'nir' is 'band_4' already"]),
    ],
)
def test_mistakes_about_bands(plain, tmp_path, capfd, index, options, said):
    code, out, err = call(capfd, "compute", index, plain, tmp_path / "out", *options)
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err


def test_the_catalogue_is_listed_and_shown(capfd):
    code, out, _ = call(capfd, "list")
    assert code == 0 and len(out.splitlines()) == 281
    code, out, _ = call(
        capfd, "list", "soil-adjusted", "--domain", "vegetation", "--platform", "sentinel-2", "--json"
    )
    found = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0 and "SAVI" in found and "NDVI" not in found
    assert found["SAVI"]["constants"] == {"L": 0.5} and found["SAVI"]["bands"] == {"N": "nir", "R": "red"}
    code, out, _ = call(capfd, "list", "--domain", "radar")
    assert code == 0 and "vhvvr" in out and "ndvi" not in out
    code, out, _ = call(capfd, "show", "evi")
    assert code == 0 and "2.5" in out and "blue" in out and "https://doi.org/" in out
    code, out, _ = call(capfd, "show", "nirvp", "--json")
    assert code == 0 and json.loads(out)["constants"] == {"PAR": None}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("list", "--domain", "sea"), ["sea", "water"]),
        (("list", "--platform", "sputnik"), ["sputnik", "Sentinel-2"]),
        (("list", "nothing like it"), ["nothing like it"]),
        (("show", "ndvj"), ["ndvj", "did you mean 'ndvi'"]),
        (("compute", "ndvi,ndvj", "scene", "out"), ["ndvj"]),
        (("compute", "ndvi,evi", "scene", "out", "--name", "x"), ["--name x for 2 indices"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes_about_the_catalogue(capfd, args, said):
    code, out, err = call(capfd, *args)
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err


@pytest.mark.parametrize("index", ["NDVI", "ndwi", "nir/green"])
def test_what_is_written_is_what_the_operator_gives(scene, tmp_path, capfd, index):
    from geotoolz.indices import NDVI, NDWI, NormalizedDifference
    from geotoolz.io import open_tile

    op = {"NDVI": NDVI(), "ndwi": NDWI(), "nir/green": NormalizedDifference("nir", "green")}[index]
    code, out, err = call(capfd, "compute", index, scene, tmp_path / "out")
    assert code == 0, err
    np.testing.assert_array_equal(
        open_tile(out.strip())[op.name].values, op(open_tile(scene))[op.name].values
    )


def test_a_name_and_the_list(scene, tmp_path, capfd):
    code, out, _ = call(capfd, "compute", "ndvi", scene, tmp_path / "x_{band}.tif", "--name", "green_ness")
    assert code == 0 and out == f"{tmp_path}/x_green_ness.tif\n"
    code, out, _ = call(capfd, "list")
    assert code == 0 and "ndvi" in out and "ndwi" in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("compute", "ndvj", "SCENE", "out"), ["ndvj", "did you mean 'ndvi'"]),
        (("compute", "nir/swir16", "SCENE", "out"), ["swir16", "green, red, nir"]),
        (("compute", "nir/", "SCENE", "out"), ["nir/"]),
        (("compute", "ndvi", "nowhere", "out"), ["nowhere"]),
        (("compute", "ndvi", "SCENE", "out", "--res", "-1"), ["--res -1"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(scene, tmp_path, monkeypatch, capfd, args, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capfd, *(arg.replace("SCENE", str(scene)) for arg in args))
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err
    assert not (tmp_path / "out").exists()


def test_bands_that_do_not_say_what_they_hold_are_doubted(tmp_path, capfd):
    import rasterio
    from rasterio.transform import from_origin

    path = tmp_path / "plain.tif"
    shape = {"height": 8, "width": 9, "count": 3, "dtype": "float32"}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=from_origin(5e5, 5e6, 10, 10), **shape) as file:
        file.write(np.full((3, 8, 9), 0.3, np.float32))
    bands = ("--band", "blue=band_1", "--band", "red=band_2", "--band", "nir=band_3")
    code, _, err = call(capfd, "compute", "evi", path, tmp_path / "out", *bands)
    assert code == 0 and "warning: EVI takes reflectance" in err.replace("Index: ", "")
    code, _, err = call(capfd, "compute", "ndvi", path, tmp_path / "out")
    assert code == 2 and "--band nir=…" in err and "band_4" not in err
