"""The command line: split, stitch, preview."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from geotoolz.core import GridMismatchError, ParameterError, ReadError, TileError
from geotoolz.core.testing import simulate_scene
from geotoolz.io import open_tile, write_tile
from geotoolz.patch import (
    GridSampler,
    Hann,
    PatchGrid,
    RandomSampler,
    Stitcher,
    draw_chips,
    stitch_chips,
    write_chips,
)


@pytest.fixture
def scene(tmp_path):
    (path,) = write_tile(simulate_scene((90, 70), bands=("red", "green", "blue")), tmp_path / "scene.tif")
    return path


def call(capfd, *args):
    from geotoolz.patch._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


def test_the_script_and_the_group_are_one_app(scene, tmp_path):
    for prefix in (["geotoolz", "patch"], ["geotoolz-patch"]):
        script = str(Path(sysconfig.get_path("scripts"), prefix[0]))
        picture = tmp_path / f"{prefix[0]}.png"
        command = [script, *prefix[1:], "preview", scene, str(picture), "--size", "32"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"9 chips: {picture}\n"
    assert picture.read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("options", [(), ("--window", "hann"), ("--aggregation", "median"), ("--halo", "4")])
def test_split_and_stitch_give_the_scene_again(scene, tmp_path, capfd, options):
    code, out, _ = call(capfd, "split", scene, tmp_path / "chips", "--size", 32, "--stride", 24)
    assert (code, out) == (0, f"12 chips in {tmp_path / 'chips'}\n")
    code, out, err = call(capfd, "stitch", tmp_path / "chips", tmp_path / "again.tif", *options)
    assert (code, out) == (0, f"{tmp_path / 'again.tif'}\n"), err
    assert open_tile(tmp_path / "again.tif").equals(open_tile(scene))


def test_what_is_left_out_is_told(scene, tmp_path, capfd):
    code, out, err = call(capfd, "split", scene, tmp_path / "c", "--size", 32, "--boundary", "drop")
    assert code == 0 and out.startswith("4 chips") and "5 chips left out at the edge, 35.0%" in err
    code, _, err = call(capfd, "stitch", tmp_path / "c", tmp_path / "a.tif")
    assert code == 2 and 'boundary="drop"' in err
    code, out, _ = call(capfd, "preview", scene, tmp_path / "p.png", "--size", 32, "--boundary", "drop")
    assert "4 chips, 35.0% of the pixels in none" in out


@pytest.mark.parametrize("sampler", [("random", "--count", 3), ("jittered",), ("poisson", "--stride", 20)])
def test_other_samplers(scene, tmp_path, capfd, sampler):
    code, out, err = call(
        capfd, "split", scene, tmp_path / "c", "--size", 16, "--sampler", *sampler, "--seed", 4
    )
    assert code == 0, err
    files = sorted((tmp_path / "c").glob("*.tif"))
    assert out == f"{len(files)} chips in {tmp_path / 'c'}\n" and open_tile(files[0]).red.shape == (16, 16)


def test_mistakes_have_no_traceback(scene, tmp_path, capfd):
    for args, text in (
        (("split", scene, tmp_path / "c", "--sampler", "random", "--stride", 9), "--stride has no effect"),
        (("stitch", tmp_path, tmp_path / "a.tif"), "chips.json is missing"),
        (("stitch", tmp_path, tmp_path / "a.tif", "--aggregation", "vote"), "without --classes"),
        (("preview", scene, tmp_path / "no" / "p.png"), "cannot be written"),
        (("split", scene, tmp_path / "c", "--size", 200, "--boundary", "shift"), "chips of 200 pixels"),
    ):
        code, _, err = call(capfd, *args)
        assert code == 2 and text in err and "Traceback" not in err


def test_outlines_lie_where_the_chips_do(scene):
    from PIL import Image

    grid = PatchGrid(scene, GridSampler(30))
    plain = np.asarray(
        Image.open(_file(draw_chips(PatchGrid(scene, RandomSampler(90 - 20, 1)), size=90))).convert("RGB")
    )
    drawn = np.asarray(Image.open(_file(draw_chips(grid, size=90))).convert("RGB"))
    assert drawn.shape == (90, 70, 3) == plain.shape
    red = (drawn == (230, 25, 75)).all(-1)
    assert red[0, :30].all() and red[29, :30].all() and red[:30, 0].all() and not red[1:29, 1:29].any()
    half = np.asarray(Image.open(_file(draw_chips(grid, size=45))))
    assert half.shape[:2] == (45, 35)
    with pytest.raises(ParameterError, match="size=4"):
        draw_chips(grid, size=4)


def _file(data):
    import io

    return io.BytesIO(data)


def test_a_folder_that_does_not_fit_is_refused(scene, tmp_path):
    folder = tmp_path / "c"
    paths = write_chips(PatchGrid(scene, GridSampler(32)), folder)
    Path(paths[4]).rename(folder / "kept.tif")
    with pytest.raises(ReadError, match=r"0000004\.tif is missing"):
        stitch_chips(folder)
    Path(paths[4]).write_bytes(Path(paths[5]).read_bytes())
    with pytest.raises(GridMismatchError, match="does not lie where the index says"):
        stitch_chips(folder, stitcher=Stitcher(Hann()))
    index = json.loads((folder / "chips.json").read_text())
    index["chips"].pop()
    (folder / "chips.json").write_text(json.dumps(index))
    with pytest.raises(ReadError, match="lists 8 chips; expected 9"):
        stitch_chips(folder)
    (folder / "chips.json").write_text("[]")
    with pytest.raises(TileError, match="no index of chips"):
        stitch_chips(folder)
    write_chips(PatchGrid(scene, RandomSampler(32, 2)), tmp_path / "r")
    with pytest.raises(ParameterError, match="chips of a RandomSampler"):
        stitch_chips(tmp_path / "r")


def test_labels_of_another_program_need_a_vote(scene, tmp_path, capfd):
    """Chips whose files say nothing of their whole numbers are not averaged in silence."""
    import rasterio

    folder = tmp_path / "c"
    paths = write_chips(PatchGrid(scene, GridSampler(32, 24), bands="red"), folder)
    for number, path in enumerate(paths):
        with rasterio.open(path) as file:
            profile = {**file.profile, "dtype": "uint8", "nodata": None, "count": 1}
        Path(path).unlink()
        for key in ("blockxsize", "blockysize", "tiled", "predictor"):
            profile.pop(key, None)
        with rasterio.open(path, "w", **{**profile, "driver": "GTiff"}) as file:
            file.write(np.full((1, 32, 32), number % 3, "u1"))
    code, _, err = call(capfd, "stitch", folder, tmp_path / "a.tif")
    assert code == 2 and "it may be labels" in err and "--aggregation vote --classes K" in err
    code, _, err = call(capfd, "stitch", folder, tmp_path / "a.tif", "--aggregation", "vote", "--classes", 3)
    assert code == 0, err
    with rasterio.open(tmp_path / "a.tif") as file:
        assert set(np.unique(file.read())) == {0, 1, 2}
    code, _, err = call(capfd, "stitch", folder, tmp_path / "b.tif", "--aggregation", "mean")
    assert code == 0, err  # asked for by name
