"""A checkpoint as a STAC item, read by pystac's own extension."""

from __future__ import annotations

import hashlib

import pystac
import pytest
from pystac.extensions.mlm import MLMExtension

torch = pytest.importorskip("torch", reason="checkpoints need torch: pip install 'geotoolz-learn[torch]'")

from geotoolz.learn import (  # noqa: E402
    CheckpointConfig,
    Normalisation,
    UNet,
    model_item,
    save_checkpoint,
)


def test_a_model_item_says_what_goes_in_and_what_comes_out(tmp_path):
    model = {"architecture": "unet", "in_channels": 2, "classes": 3, "width": 4, "depth": 1}
    network = UNet(in_channels=2, classes=3, width=4, depth=1)
    config = CheckpointConfig(
        "geotoolz",
        model,
        ("red", "nir"),
        patch_size=32,
        task="multiclass",
        classes=("land", "water", "cloud"),
        normalisation=Normalisation((0.1, 0.3), (0.05, 0.2)),
    )
    ref = save_checkpoint(network, config, tmp_path / "model.pt")
    held = model_item(ref, "lakes", href="https://example.org/model.pt")
    item = pystac.Item.from_dict(held)
    told = MLMExtension.ext(item)
    assert (told.mlm_name, told.architecture) == ("lakes", "unet")
    assert [str(task) for task in told.tasks] == ["semantic-segmentation"]
    (given,) = told.input
    assert given.bands == ["red", "nir"] and given.input.shape == [-1, 2, 32, 32]
    scaled = held["properties"]["mlm:input"][0]["value_scaling"]
    assert [(one["type"], one["mean"], one["stddev"]) for one in scaled] == [
        ("z-score", 0.1, 0.05),
        ("z-score", 0.3, 0.2),
    ]
    (made,) = told.output
    assert made.result.shape == [-1, 3, 32, 32]
    classes = held["properties"]["mlm:output"][0]["classification:classes"]
    assert [(c["name"], c["value"]) for c in classes] == [("land", 0), ("water", 1), ("cloud", 2)]
    assert told.total_parameters == sum(v.numel() for v in network.state_dict().values())
    asset = item.assets["model"]
    digest = hashlib.sha256((tmp_path / "model.pt").read_bytes()).hexdigest()
    assert asset.href == "https://example.org/model.pt"
    assert asset.extra_fields["file:checksum"] == f"1220{digest}"
