"""Networks of segmentation-models-pytorch, and what MONAI and torchgeo make of the same scene.

None of the three has a build for processors alone: `scripts/networks_alone.sh` runs this file in an
environment of its own; elsewhere its tests are skipped.
"""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")

from gtz_train import CONFIG, scene  # noqa: E402

from geotoolz.core import run  # noqa: E402
from geotoolz.core.testing import simulate_scene  # noqa: E402
from geotoolz.learn import (  # noqa: E402
    Checkpoint,
    CheckpointConfig,
    GeoChips,
    ModelOp,
    SegmentationModel,
    UNet,
    load_checkpoint,
    save_checkpoint,
    train,
)
from geotoolz.patch import GridSampler  # noqa: E402

WHERE = "has no build for processors: bash scripts/networks_alone.sh"


@pytest.fixture(autouse=True)
def one_thread():
    """Compute whole scenes with one thread: with two, torch rounds some pixels otherwise (ours: never)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def smp_config(architecture="Unet", encoder="resnet18"):
    about = {"architecture": architecture, "encoder_name": encoder, "in_channels": 2, "classes": 1}
    return CheckpointConfig("smp", about, ("red", "nir"), 64, "binary", ("water",))


@pytest.fixture
def smp():
    return pytest.importorskip("segmentation_models_pytorch", reason=f"smp {WHERE}")


@pytest.mark.parametrize("architecture", ["Unet", "FPN", "DeepLabV3Plus"])
def test_a_network_of_smp_is_loaded_from_data(smp, tmp_path, architecture):
    about = smp_config(architecture)
    torch.manual_seed(1)
    bare = smp.create_model(architecture, "resnet18", encoder_weights=None, in_channels=2, classes=1).eval()
    save_checkpoint(bare, about, tmp_path / "model.pt")
    held = load_checkpoint(tmp_path / "model.pt").network().eval()
    x = torch.rand(1, 2, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(held(x), bare(x))


def test_tiles_of_a_network_of_smp_are_the_whole_scene(smp):
    """A U-Net on a residual encoder looks further than most patches; the halo is measured, not guessed."""
    torch.manual_seed(3)
    net = smp.create_model("Unet", "resnet18", encoder_weights=None, in_channels=2, classes=1).eval()
    tile = simulate_scene((640, 704), bands=("red", "nir"))
    op = ModelOp(Checkpoint(smp_config().replace(task="regression", classes=()), net.state_dict()))
    found = run(op, tile)
    name = next(n for n in found if n not in tile)
    x = torch.from_numpy(np.stack([tile.red.values, tile.nir.values]))[None]
    with torch.inference_mode():
        whole = net(torch.cat([x, x]))[0, 0].numpy()
    assert float(np.abs(found[name].values - whole).max()) == 0.0


def test_training_with_smp_from_a_config_to_a_map(smp, tmp_path):
    config = {
        **CONFIG,
        "data": {**CONFIG["data"], "chip": 32},
        "model": {
            "framework": "smp",
            "architecture": "Unet",
            "parameters": {"encoder_name": "resnet18", "encoder_depth": 3, "decoder_channels": [64, 32, 16]},
        },
        "fit": {**CONFIG["fit"], "epochs": 4, "learning_rate": 0.003},
    }
    done = train(config, tmp_path, [scene((192, 224))])
    assert done.test.score > done.baseline.score + 0.2
    found = SegmentationModel.load(tmp_path / "model.pt").segment(scene((100, 90), seed=7))
    assert found.probabilities.shape == (100, 90)


def test_monai_blends_what_is_exact_here():
    inferers = pytest.importorskip("monai.inferers", reason=f"MONAI {WHERE}")
    torch.manual_seed(4)
    net = UNet(2, 1, 8, 2).eval()
    about = {"architecture": "unet", "in_channels": 2, "classes": 1, "width": 8, "depth": 2}
    held = Checkpoint(CheckpointConfig("geotoolz", about, ("red", "nir"), 64, "regression"), net.state_dict())
    tile = simulate_scene((256, 256), bands=("red", "nir"))
    x = torch.from_numpy(np.stack([tile.red.values, tile.nir.values]))[None]
    with torch.inference_mode():
        whole = net(torch.cat([x, x]))[0, 0].numpy()
        blended = inferers.sliding_window_inference(x, (64, 64), 4, net, overlap=0.25)[0, 0].numpy()
    ours = run(ModelOp(held), tile).class_0.values
    assert np.abs(ours - whole).max() == 0.0
    assert np.abs(blended - whole).max() > 1e-4


def test_chips_hold_what_torchgeo_reads(tmp_path):
    datasets = pytest.importorskip("torchgeo.datasets", reason=f"torchgeo {WHERE}")
    import geotoolz as gz

    bands = ("red", "nir")
    tile = simulate_scene((128, 160), bands=bands)
    gz.io.write_tile(tile, tmp_path / "scene.tif")

    class Scene(datasets.RasterDataset):
        filename_glob = "scene.tif"
        is_image = True

    theirs = Scene(str(tmp_path))
    chips = GeoChips([tmp_path / "scene.tif"], GridSampler(32), bands)
    for number in (0, 7, len(chips) - 1):
        extent = chips.patches[number].chip.extent
        left, top = tile.x.values[extent.x0] - 5, tile.y.values[extent.y0] + 5
        right, bottom = tile.x.values[extent.x1 - 1] + 5, tile.y.values[extent.y1 - 1] - 5
        sample = theirs[left:right, bottom:top]
        np.testing.assert_array_equal(chips[number]["image"].numpy(), sample["image"].numpy())
