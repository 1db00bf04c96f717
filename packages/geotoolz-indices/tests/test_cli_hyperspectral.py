"""``geotoolz hyperspectral match`` on files."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine

from geotoolz.hyperspectral import SAM, MatchedFilter, ToCube
from geotoolz.io import open_tile

CENTRES = (450.0, 550.0, 650.0, 850.0)
TARGET = (0.4, 0.1, 0.6, 0.2)


@pytest.fixture
def files(tmp_path):
    values = np.random.default_rng(0).uniform(0.1, 0.5, (4, 40, 50)).astype(np.float32)
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": 4,
        "height": 40,
        "width": 50,
        "crs": "EPSG:32633",
        "transform": Affine(30, 0, 500000, 0, -30, 5100000),
        "nodata": np.nan,
    }
    with rasterio.open(tmp_path / "cube.tif", "w", **profile) as file:
        file.write(values)
    (tmp_path / "wavelengths.txt").write_text("\n".join(map(str, CENTRES)))
    np.save(tmp_path / "target.npy", TARGET)
    return tmp_path


def call(capfd, *args):
    from geotoolz.hyperspectral._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


def arguments(files, *more):
    there = ("--target", files / "target.npy", "--wavelengths", files / "wavelengths.txt")
    return ("match", files / "cube.tif", files / "out", *there, *more)


def test_scores_are_written(files, capfd):
    code, out, err = call(capfd, *arguments(files))
    assert code == 0, err
    assert out == f"{files / 'out' / 'cube'}_matched_filter.tif\n"
    tile = ToCube(CENTRES)(open_tile(files / "cube.tif"))
    found = open_tile(out.strip())
    (name,) = found.data_vars
    np.testing.assert_array_equal(found[name], MatchedFilter(TARGET)(tile).matched_filter)


@pytest.mark.parametrize(("method", "name"), [("ace", "ace"), ("sam", "spectral_angle")])
def test_other_methods(files, capfd, method, name):
    code, out, err = call(capfd, *arguments(files, "--method", method))
    assert code == 0, err
    assert out.endswith(f"cube_{name}.tif\n")


def test_numbers_in_other_units(files, capfd):
    code, out, _ = call(capfd, *arguments(files))
    (plain,) = open_tile(out.strip()).data_vars.values()
    plain = plain.values
    np.savetxt(files / "target.csv", np.column_stack([CENTRES, np.array(TARGET) * 1e-4]), delimiter=",")
    code, out, err = call(capfd, *arguments(files, "--target", files / "target.csv", "--scale", "1e-4"))
    assert code == 0, err
    (again,) = open_tile(out.strip()).data_vars.values()
    np.testing.assert_allclose(again, plain, atol=1e-5)
    code, _, err = call(capfd, *arguments(files, "--scale", "0"))
    assert code == 2 and "--scale 0" in err


def test_mistakes_are_told_without_a_traceback(files, capfd):
    np.save(files / "target.npy", TARGET[:3])
    code, out, err = call(capfd, *arguments(files))
    assert (
        (code, out) == (2, "")
        and "the target has 3 values" in " ".join(err.split())
        and "Traceback" not in err
    )
    (files / "wavelengths.txt").write_text("450\n550\n")
    code, _, err = call(capfd, *arguments(files))
    assert code == 2 and "2 wavelengths" in err
    code, _, err = call(capfd, *arguments(files, "--method", "sam", "--shrinkage", "0.1"))
    assert code == 2 and "--shrinkage" in err


def test_some_of_the_bands(files, capfd):
    with rasterio.open(files / "cube.tif", "r+") as file:
        file.write(np.full((40, 50), np.nan, np.float32), 3)  # an empty band
    code, out, err = call(capfd, *arguments(files, "--method", "sam", "--ranges", "400-600,800-900"))
    assert code == 0, err
    (found,) = open_tile(out.strip()).data_vars.values()
    tile = ToCube(CENTRES)(open_tile(files / "cube.tif"))
    wanted = SAM(TARGET, ranges=((400, 600), (800, 900)))(tile).spectral_angle
    assert np.isfinite(found.values).all()
    np.testing.assert_array_equal(found, wanted)
    assert np.isnan(SAM(TARGET)(tile).spectral_angle).all()
    for wrong in ("400:600", "x", "600-400"):
        code, _, err = call(capfd, *arguments(files, "--ranges", wrong))
        assert code == 2 and "nanometres" in err
