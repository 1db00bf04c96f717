"""Training runs: what is learned, what is kept, what happens when the plug is pulled."""

from __future__ import annotations

import copy
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'geotoolz-learn[torch]'")

import gtz_train  # noqa: E402
from gtz_train import CONFIG, scene  # noqa: E402

from geotoolz.core import MissingVariableError, ParameterError  # noqa: E402
from geotoolz.learn import TrainConfig, TrainingError, load_checkpoint, train  # noqa: E402


def changed(**parts):
    config = copy.deepcopy(CONFIG)
    for key, values in parts.items():
        config[key] = {**config.get(key, {}), **values} if isinstance(values, dict) else values
    return config


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return a finished run."""
    return train(CONFIG, tmp_path_factory.mktemp("run"), [scene()])


def test_it_learns_and_says_what_knowing_nothing_would_score(done):
    assert done.test.score > done.baseline.score + 0.3
    counted = np.asarray(done.test.confusion.matrix).sum()
    assert counted == done.chips["test"] * 16 * 16
    # who always says the most frequent class has its share as accuracy, and no hit in the other
    nothing = done.baseline.confusion
    assert nothing.overall_accuracy == np.asarray(nothing.matrix).sum(axis=1)[0] / counted
    assert nothing.iou[1] == 0
    assert str(done).startswith("3 epochs; mean IoU on ")


def test_the_checkpoint_is_data_and_knows_its_inputs(done):
    held = load_checkpoint(done.checkpoint)
    assert held.config.input_combination == ("red", "nir")
    assert (held.config.task, held.config.classes, held.config.patch_size) == ("binary", ("water",), 16)
    assert held.config.training["test"]["score"] == done.test.score
    network = held.network()
    assert network(torch.zeros(1, 2, 16, 16)).shape == (1, 1, 16, 16)


def test_the_best_epoch_is_kept_not_the_last(done):
    scores = [row["validation_score"] for row in done.history]
    state = torch.load(done.folder / "state.pt", weights_only=True)
    assert state["best_score"] == max(scores)
    held = load_checkpoint(done.checkpoint).weights
    assert all(torch.equal(held[name], value) for name, value in state["best"].items())


def test_called_again_it_is_the_same_run(done):
    again = train(CONFIG, done.folder, [scene()], on_epoch=lambda row: pytest.fail("it trained again"))
    assert again.checkpoint.sha256 == done.checkpoint.sha256
    assert again.test == done.test
    told = []
    train(CONFIG, done.folder, [scene()], on_resume=told.append)
    assert told == [3]


def test_what_a_run_leaves(done):
    assert sorted(p.name for p in done.folder.iterdir()) == [
        "model.pt",
        "report.html",
        "scores.json",
        "state.pt",
    ]
    scores = json.loads((done.folder / "scores.json").read_text())
    assert scores["chips"] == done.chips
    assert len(scores["history"]) == 3


def test_the_report_loads_nothing_and_shows_what_was_found(done):
    page = (done.folder / "report.html").read_text()
    assert "<script" not in page and "http" not in page
    assert page.count("<polyline") == 3
    assert page.count("data:image/png") == 3 * min(done.chips["test"], 8)
    for count in np.asarray(done.test.confusion.matrix).ravel():
        assert re.search(rf"<td[^>]*>{count}</td>", page)
    assert "knowing nothing" in page


@pytest.mark.parametrize("step", [2, 6])
def test_killed_in_an_epoch_it_goes_on_to_the_same_weights(done, tmp_path, step):
    script = Path(gtz_train.__file__)
    died = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(step)], capture_output=True, text=True, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (tmp_path / "model.pt").exists()
    begun = (tmp_path / "state.pt").exists()
    rows = []
    resumed = train(CONFIG, tmp_path, [scene()], on_epoch=rows.append)
    steps = -(-done.chips["train"] // 8)
    assert len(rows) == 3 - (step - 1) // steps
    assert begun == (step > steps)
    assert resumed.checkpoint.sha256 == done.checkpoint.sha256
    assert resumed.history == done.history
    last, other = (torch.load(f / "state.pt", weights_only=True) for f in (tmp_path, done.folder))
    assert all(torch.equal(last["network"][k], v) for k, v in other["network"].items())


def test_torch_is_left_as_it_was(tmp_path):
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(changed(fit={"epochs": 1}), tmp_path, [scene()])
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_a_loss_that_is_not_finite_stops_and_keeps_the_batch(tmp_path):
    tile = scene()
    tile["nir"][3, 4] = np.inf  # no-data to the network, and no reason to stop
    with pytest.raises(
        TrainingError, match=r"the loss is (nan|inf) in epoch \d+, step \d+.*bad-batch"
    ) as caught:
        train(changed(fit={"learning_rate": 1e30, "epochs": 9, "patience": None}), tmp_path, [tile])
    assert "learning_rate" in caught.value.fix
    with np.load(tmp_path / "bad-batch.npz") as kept:
        assert kept["inputs"].shape[1:] == (2, 16, 16)
        assert kept["target"].shape[0] == len(kept["chips"]) == len(kept["inputs"])
        assert np.isfinite(kept["inputs"]).all()


def test_it_stops_when_the_score_no_longer_rises(tmp_path):
    # a rate of (almost) nothing: no epoch is better than the first by more than chance, and none by a step
    run = train(changed(fit={"learning_rate": 1e-12, "epochs": 30, "patience": 2}), tmp_path, [scene()])
    assert run.stopped == "no better validation score in 2 epochs"
    best = int(np.argmax([row["validation_score"] for row in run.history]))
    assert len(run.history) == best + 3 < 30


def test_a_folder_holds_one_run(done, tmp_path):
    with pytest.raises(TrainingError, match="another configuration"):
        train(changed(fit={"seed": 1}), done.folder, [scene()])
    with pytest.raises(TrainingError, match="not those that the run"):
        train(CONFIG, done.folder, [scene(seed=4)])
    (tmp_path / "state.pt").write_bytes(b"half a file")
    with pytest.raises(TrainingError, match="cannot be read"):
        train(CONFIG, tmp_path, [scene()])
    assert train(changed(fit={"epochs": 1}), tmp_path, [scene()], fresh=True).history[0]["epoch"] == 0


def test_chips_that_do_not_fit_the_network(tmp_path):
    with pytest.raises(ParameterError, match=r"data\.chip=18.*multiple of 4.*16 or 20"):
        train(changed(data={"chip": 18}), tmp_path, [scene()])


def test_scenes_that_teach_nothing(tmp_path):
    tile = scene()
    with pytest.raises(TrainingError, match="the largest chip that fits is 96"):
        train(changed(data={"chip": 128}), tmp_path, [tile])
    with pytest.raises(TrainingError, match="42 have no label or no data"):
        train(CONFIG, tmp_path, [tile.assign(red=tile.red * np.nan, nir=tile.nir * np.nan)])
    with pytest.raises(TrainingError, match="band 0 has one value"):
        train(CONFIG, tmp_path, [tile.assign(red=tile.red * 0)])
    with pytest.raises(MissingVariableError, match="swir16"):
        train(changed(data={"bands": ["red", "swir16"]}), tmp_path, [tile])
    with pytest.raises(TrainingError, match="holds float32"):
        train(changed(data={"label": "red"}), tmp_path, [tile])
    with pytest.raises(TrainingError, match="there is no scene"):
        train(CONFIG, tmp_path, [])


def test_a_class_that_no_training_chip_has_is_named(tmp_path):
    tile = scene()
    only = tile.assign(label=tile.label.where(tile.label == 1, 255).astype(np.uint8))
    with pytest.raises(TrainingError, match=r"pixel of land.*background='land'"):
        train(CONFIG, tmp_path, [only])


def test_networks_are_compared_over_the_classes_that_are_there():
    from geotoolz.learn._train_scores import ChipScores, _mean_of_true
    from geotoolz.metrics import ConfusionCounts

    # the third class is not there in truth; the network names it once, the baseline never
    network = ConfusionCounts((0, 1, 2), ((7, 0, 1), (0, 2, 0), (0, 0, 0)))
    nothing = ConfusionCounts((0, 1, 2), ((8, 0, 0), (2, 0, 0), (0, 0, 0)))
    assert _mean_of_true(network, network.iou) == (7 / 8 + 1) / 2
    assert _mean_of_true(nothing, nothing.iou) == (8 / 10 + 0) / 2
    assert network.mean_iou == (7 / 8 + 1 + 0) / 3  # what was compared with it over two classes
    assert ChipScores(0.0, 0.0, network).mean_f1 == (14 / 15 + 1) / 2


def test_a_class_named_by_mistake_is_in_no_mean():
    from types import SimpleNamespace

    from geotoolz.learn._train_scores import _Tally

    tally = _Tally(SimpleNamespace(normalisation=SimpleNamespace(scale=(1.0, 1.0))), TrainConfig.load(CONFIG))
    said = torch.zeros(1, 2, 2, 2)
    said[0, 1, 0, 0] = 1.0  # water, where all is land
    tally.take(said, np.zeros((1, 2, 2), np.uint8))
    found = tally.scores(0.0)
    assert found.score == 3 / 4 and found.confusion.mean_iou == 3 / 8


FINER = {
    "task": "super_resolution",
    "zoom": 2,
    "data": {"bands": ["red", "nir"], "chip": 32},
    "model": {"parameters": {"width": 12, "depth": 1}},
    "loss": {"parts": {"mean_squared": 1.0}},
    "fit": {
        "epochs": 40,
        "batch_size": 4,
        "learning_rate": 0.01,
        "patience": None,
        "threads": 1,
        "device": "cpu",
    },
}


def test_super_resolution_beats_interpolation_where_edges_are_sharp(tmp_path):
    from geotoolz.core import geobox_of
    from geotoolz.learn import SuperResolutionModel

    tile = scene((192, 192), noise=0.02)
    run = train(FINER, tmp_path, [tile])
    assert run.test.score > run.baseline.score + 0.1  # dB
    assert all(mine < theirs for mine, theirs in zip(run.test.rmse, run.baseline.rmse, strict=True))
    finer = SuperResolutionModel.load(run.checkpoint).enhance(tile)
    old, new = geobox_of(tile), geobox_of(finer)
    assert new.shape == (384, 384) and new.boundingbox == old.boundingbox
    # in units of the band: the means of 2 x 2 finer pixels are close to the pixel
    means = finer.red.values.reshape(192, 2, 192, 2).mean(axis=(1, 3))
    assert np.abs(means - tile.red.values).mean() < 0.1 * tile.red.values.std()
    page = (tmp_path / "report.html").read_text()
    assert "bicubic interpolation" in page and "PSNR" in page


def test_an_untrained_finer_network_is_the_baseline():
    from geotoolz.learn import FinerNet

    x = torch.randn(1, 2, 8, 8)
    plain = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="bicubic", align_corners=False)
    torch.testing.assert_close(FinerNet(2, 2, 2)(x), plain)
    with pytest.raises(ParameterError, match="zoom=1"):
        FinerNet(2, 2, 1)
    with pytest.raises(ParameterError, match="3 channels of 2"):
        FinerNet(2, 3, 2)


def test_the_command(tmp_path, capfd):
    from geotoolz.io import write_zarr
    from geotoolz.learn._cli import main

    write_zarr(scene(), tmp_path / "lakes.zarr")
    from geotoolz.core._yaml import dump_yaml

    held = changed(data={"scenes": ["lakes.zarr"]}, fit={"epochs": 1})
    (tmp_path / "train.yaml").write_text(dump_yaml(held))
    script = "from geotoolz.learn._cli import main; import sys; sys.exit(main())"
    call = [sys.executable, "-c", script, "train", str(tmp_path / "train.yaml"), str(tmp_path / "out")]
    ran = subprocess.run(call, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "epoch 1 of 1: loss" in ran.stderr and "goes on" not in ran.stderr
    again = subprocess.run(call, capture_output=True, text=True, check=False)
    assert again.returncode == 0 and "goes on after epoch 1 of 1" in again.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("1 epochs; mean IoU")
    assert lines[1] == str(tmp_path / "out" / "model.pt") and Path(lines[1]).exists()
    # the same as from Python
    assert (
        lines[-1]
        == f"sha256 {train(TrainConfig.load(tmp_path / 'train.yaml'), tmp_path / 'b').checkpoint.sha256}"
    )
    (tmp_path / "train.yaml").write_text("data: {bands: [red]}\nfitt: {epochs: 1}\n")
    assert main(["train", str(tmp_path / "train.yaml"), str(tmp_path / "c")]) == 2
    said = capfd.readouterr().err
    assert "fitt: there is no such key" in said and "fit" in said and "Traceback" not in said
