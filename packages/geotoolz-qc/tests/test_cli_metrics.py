from __future__ import annotations

import json

import numpy as np
import pytest

from geotoolz.core.testing import contract_tile


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


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("compare", "a", "nowhere"), ["nowhere"]),
        (("compare", "a", "small"), ["40 × 50", "40 × 30", "MatchGrid"]),
        (("compare", "a", "b", "--metrics", "rsme"), ["did you mean 'rmse'"]),
        (("compare", "a", "b", "--bands", "rad"), ["did you mean 'red'"]),
        (("compare", "a", "map.tif"), ["band in both"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(files, capfd, args, said):
    paths = [str(files / arg) if arg in ("a", "b", "small", "map.tif") else arg for arg in args]
    code, out, err = call(capfd, *paths)
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err
