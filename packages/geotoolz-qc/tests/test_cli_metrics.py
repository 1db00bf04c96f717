from __future__ import annotations

import json

import numpy as np
import pytest

from geotoolz.core.testing import contract_tile, simulate_scene


def call(capfd, *args):
    from geotoolz.metrics._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


@pytest.fixture
def files(tmp_path):
    from geotoolz.io import write_tile

    a = contract_tile((40, 50))[["red", "nir"]]
    b = a + np.float32(0.125)
    for name in b.data_vars:
        b[name].attrs = a[name].attrs
    maps = contract_tile((40, 50))[["scl"]]
    write_tile(a, tmp_path / "a" / "{band}.tif")
    write_tile(b.assign_attrs(a.attrs), tmp_path / "b" / "{band}.tif")
    write_tile(maps, tmp_path / "map.tif")
    write_tile(maps.rename(scl="other"), tmp_path / "other.tif")
    write_tile(simulate_scene((40, 50), bands=("red", "scl"))[["scl"]], tmp_path / "known.tif")
    write_tile((maps.scl > 4).astype("u1").to_dataset(name="mask"), tmp_path / "mask.tif")
    write_tile(a.isel(x=slice(0, 30)), tmp_path / "small" / "{band}.tif")
    return tmp_path


def test_two_scenes(files, capfd):
    code, out, err = call(capfd, "compare", files / "a", files / "b", "--json")
    told = json.loads(out)
    assert code == 0 and not err and set(told["bands"]) == {"red", "nir"}
    assert told["bands"]["red"]["bias"]["value"] == pytest.approx(-0.125, abs=1e-7)
    code, out, _ = call(capfd, "compare", files / "a", files / "b", "--metrics", "mae", "--bands", "B04")
    assert code == 0 and "red" in out and "nir" not in out and "0.125" in out


def test_two_maps(files, capfd):
    args = ("compare", files / "map.tif", files / "other.tif", "--metrics", "confusion,iou")
    code, out, err = call(capfd, *args)
    assert code == 0 and "overall accuracy" in out and "kappa 1" in out, err


def test_maps_are_compared_by_class_unless_told_otherwise(files, capfd):
    code, out, err = call(capfd, "compare", files / "map.tif", files / "other.tif")
    assert code == 0 and "overall accuracy" in out and "mean iou" in out and "rmse" not in out, err


def test_overlaps_by_class(files, capfd):
    args = ("compare", files / "known.tif", files / "known.tif", "--metrics", "iou")
    code, out, err = call(capfd, *args)
    assert code == 0 and "iou of class 4 vegetation" in out and "mean iou" in out, err
    assert "kappa" not in out
    _, out, _ = call(capfd, *args, "--json")
    told = json.loads(out)["bands"]["scl"]["iou"]
    assert told["mean_iou"] == 1 and len(told["iou"]) == len(told["classes"]) and told["labels"]
    _, out, _ = call(capfd, "compare", files / "mask.tif", files / "mask.tif", "--metrics", "iou", "--json")
    assert json.loads(out)["bands"]["mask"]["iou"]["iou"] == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("compare", "a", "nowhere"), ["nowhere"]),
        (("compare", "a", "small"), ["40 × 50", "40 × 30", "MatchGrid"]),
        (("compare", "a", "b", "--metrics", "rsme"), ["did you mean 'rmse'"]),
        (("compare", "a", "b", "--bands", "rad"), ["did you mean 'red'"]),
        (("compare", "a", "map.tif"), ["band in both"]),
        (("compare", "map.tif", "map.tif", "--metrics", "rmse"), ["holds classes", "--metrics confusion"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(files, capfd, args, said):
    paths = [str(files / arg) if arg in ("a", "b", "small", "map.tif") else arg for arg in args]
    code, out, err = call(capfd, *paths)
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err
