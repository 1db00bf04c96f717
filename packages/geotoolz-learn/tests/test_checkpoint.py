"""Checkpoints hold data and no code, and what they hold is checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")

from gtz_torch import config, network, saved  # noqa: E402

from geotoolz.core import MissingDependencyError, ReadError  # noqa: E402
from geotoolz.learn import (  # noqa: E402
    Checkpoint,
    CheckpointConfig,
    CheckpointError,
    Normalisation,
    build_network,
    load_checkpoint,
    register_framework,
    save_checkpoint,
)


def test_round_trip_gives_the_same_bytes(tmp_path):
    first = saved(tmp_path, 3, depth=2)
    loaded = load_checkpoint(first)
    again = save_checkpoint(loaded.network(), loaded.config, tmp_path / "again.pt")
    assert again.sha256 == first.sha256
    assert (tmp_path / "again.pt").read_bytes() == (tmp_path / "model.pt").read_bytes()
    assert loaded.config == config(3, depth=2)
    x = torch.rand(1, 2, 8, 8)
    assert torch.equal(loaded.network()(x), network(3, depth=2)(x))


def test_the_documented_structure(tmp_path):
    saved(tmp_path)
    held = torch.load(tmp_path / "model.pt", weights_only=True)
    assert set(held) == {"config", "statedict"}
    about = held["config"]
    assert about["model_framework"] == "geotoolz" and about["model"]["architecture"] == "unet"
    assert about["input_combination"] == ["red", "nir"] and about["patch_size"] == 32
    assert about["normalisation"] == {"offset": [0.1, 0.1], "scale": [0.2, 0.2]}


def test_checkpoints_of_others_are_read(tmp_path):
    """The key state_dict, weights of data-parallel training, norm_factors, no task."""
    about = config().to_mapping()
    for key in ("task", "classes", "codes", "normalisation"):
        about.pop(key, None)
    about["norm_factors"] = {"nir": 0.5, "red": 0.25}
    weights = {f"module.{name}": value for name, value in network().state_dict().items()}
    torch.save({"config": about, "state_dict": weights}, tmp_path / "other.pt")
    loaded = load_checkpoint(tmp_path / "other.pt")
    assert loaded.config.task == "binary"
    assert loaded.config.normalisation == Normalisation([0, 0], [4, 2])
    assert loaded.network().total_stride == 2


class _Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_code_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"config": _Evil(), "statedict": {}}, "evil.pt")
    with pytest.raises(ReadError, match="more than tensors and plain values"):
        load_checkpoint("evil.pt")
    assert not (tmp_path / "executed").exists()


def test_a_whole_module_is_refused(tmp_path):
    torch.save(network(), tmp_path / "module.pt")
    with pytest.raises(ReadError, match="save_checkpoint"):
        load_checkpoint(tmp_path / "module.pt")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 truncated"])
def test_what_is_no_checkpoint(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ReadError, match=r"x\.pt"):
        load_checkpoint(tmp_path / "x.pt")
    with pytest.raises(ReadError, match="cannot be read"):
        load_checkpoint(tmp_path / "missing.pt")


@pytest.mark.parametrize("gone", ["model_framework", "model", "input_combination", "patch_size"])
def test_missing_keys_are_named(tmp_path, gone):
    about = config().to_mapping()
    del about[gone]
    torch.save({"config": about, "statedict": network().state_dict()}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=f"lacks {gone}"):
        load_checkpoint(tmp_path / "x.pt")


def test_missing_parts_are_named(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="expected the keys config and statedict"):
        load_checkpoint(tmp_path / "x.pt")
    torch.save({"config": config().to_mapping()}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="statedict"):
        load_checkpoint(tmp_path / "x.pt")


def test_other_weights_are_named():
    weights = network(3).state_dict()
    with pytest.raises(CheckpointError, match=r"head\.weight \(3, 4, 1, 1\), expected \(1, 4, 1, 1\)"):
        Checkpoint(config(1), weights).network()
    short = {k: v for k, v in network().state_dict().items() if k != "head.bias"}
    with pytest.raises(CheckpointError, match=r"lacks head\.bias"):
        Checkpoint(config(), short).network()
    with pytest.raises(CheckpointError, match="has besides extra"):
        Checkpoint(config(), {**network().state_dict(), "extra": torch.zeros(1)}).network()


def test_a_network_is_not_saved_with_another_description(tmp_path):
    with pytest.raises(CheckpointError, match="expected the weights"):
        save_checkpoint(network(3), config(1), tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()


def test_frameworks():
    with pytest.raises(CheckpointError, match=r"did you mean 'geotoolz'"):
        build_network(config().replace(model_framework="geotolz"))
    with pytest.raises(CheckpointError, match="expected an architecture"):
        build_network(config().replace(model={"classes": 1}))
    with pytest.raises(CheckpointError, match="cannot build"):
        build_network(config().replace(model={"architecture": "unet", "layers": 3}))
    register_framework("one_convolution", lambda model: torch.nn.Conv2d(model["in"], 1, 3))
    about = CheckpointConfig("one_convolution", {"in": 2}, ["red", "nir"], 8)
    assert build_network(about).weight.shape == (1, 2, 3, 3)


OWN = """
import torch

def build(model):
    return torch.nn.Conv2d(2, 1, 3, padding=1)
"""


def _own(tmp_path):
    """Return a pipeline with a network that a module elsewhere builds, and a scene for it."""
    from geotoolz.core import dump
    from geotoolz.core.testing import simulate_scene
    from geotoolz.io import write_tile
    from geotoolz.learn import ModelOp

    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "gtz_own_net.py").write_text(OWN)
    torch.manual_seed(0)
    weights = torch.nn.Conv2d(2, 1, 3, padding=1).state_dict()
    about = CheckpointConfig("own_net", {"classes": 1}, ["red", "nir"], 16)
    torch.save({"config": about.to_mapping(), "statedict": weights}, tmp_path / "own.pt")
    scene = simulate_scene((40, 40), bands=("red", "nir"))
    write_tile(scene, tmp_path / "in" / "s.tif")
    dump(ModelOp(tmp_path / "own.pt"), tmp_path / "own.yaml")


def _command(tmp_path, *arguments, **more):
    return subprocess.run(
        [str(Path(sys.executable).with_name("geotoolz")), *arguments], cwd=tmp_path, check=False,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path / "lib"), **more},
    )  # fmt: skip


def test_commands_and_their_workers_find_frameworks_of_ones_own(tmp_path):
    _own(tmp_path)
    run_it = ("run", "own.yaml", "in", "out", "--engine", "process", "--workers", "1")
    lost = _command(tmp_path, "check", "own.yaml", "in")
    assert lost.returncode == 2
    assert "GEOTOOLZ_FRAMEWORKS='own_net=module:build'" in lost.stdout + lost.stderr
    told = {"GEOTOOLZ_FRAMEWORKS": "other=no.such:one, own_net=gtz_own_net:build"}
    checked = _command(tmp_path, "check", "own.yaml", "in", **told)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    ran = _command(tmp_path, *run_it, **told)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # a package announces it: an installed one is a folder with its metadata on the path
    info = tmp_path / "lib" / "gtz_own_net-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gtz-own-net\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[geotoolz.frameworks]\nown_net = gtz_own_net:build\n")
    assert _command(tmp_path, "check", "own.yaml", "in").returncode == 0


@pytest.mark.parametrize(
    ("said", "match"),
    [("a", "says 'a'"), ("a=b", "says 'a=b'"), ("own_net=no.such:build", "PYTHONPATH"),
     ("own_net=os:no_such", "a function of a module")],
)  # fmt: skip
def test_what_the_environment_says_of_frameworks_is_checked(monkeypatch, said, match):
    monkeypatch.setenv("GEOTOOLZ_FRAMEWORKS", said)
    with pytest.raises(CheckpointError, match=match):
        build_network(config().replace(model_framework="own_net"))


def test_a_checkpoint_shows_itself_in_one_line(tmp_path):
    ref = save_checkpoint(network(), config(), tmp_path / "x.pt")
    shown = repr(load_checkpoint(ref))
    assert len(shown) < 200 and "tensor" not in shown
    assert "unet, binary: red, nir → positive" in shown and ref.sha256[:12] in shown


def test_smp_says_what_to_install():
    if "segmentation_models_pytorch" in sys.modules:
        pytest.skip("segmentation-models-pytorch is installed")
    about = config().replace(model_framework="smp", model={"arch": "Unet", "encoder_name": "resnet18"})
    with pytest.raises(MissingDependencyError, match=r"geotoolz-learn\[smp\]"):
        build_network(about)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"input_combination": ["red", "red"]}, "each once"),
        ({"task": "segmentatoin"}, "task="),
        ({"patch_size": 0}, "patch_size=0"),
        ({"normalisation": Normalisation([0], [1])}, "1 numbers"),
        ({"classes": ["a", "b"], "codes": [0, 1]}, "one class"),
        ({"codes": [3, 4]}, "number of its own"),
    ],
)
def test_descriptions_are_checked(change, match):
    with pytest.raises(CheckpointError, match=match):
        config().replace(**change)


def test_normalisation_is_checked():
    with pytest.raises(CheckpointError, match="no scale of 0"):
        Normalisation([0], [0])
    with pytest.raises(CheckpointError, match="2 offsets and 1 scales"):
        Normalisation([0, 1], [1])


def test_import_and_help_do_not_import_torch():
    code = (
        "import sys, geotoolz.learn, geotoolz.learn._cli as c; from typer.testing import CliRunner; "
        "assert CliRunner().invoke(c.app, ['--help']).exit_code == 0; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import geotoolz.learn as learn\n"
        "for act in (lambda: learn.UNet, lambda: learn.load_checkpoint(__file__)):\n"
        "    try: act()\n"
        "    except learn._torch_import.MissingDependencyError as e:\n"
        "        assert 'geotoolz-learn[torch]' in str(e)\n"
        "    else: sys.exit(1)\n"
    )
    path = "/dev/null"
    found = subprocess.run(
        [sys.executable, "-c", code.replace("__file__", repr(path))],
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
