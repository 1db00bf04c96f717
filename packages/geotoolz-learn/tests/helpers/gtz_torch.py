"""Small networks and checkpoints for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from geotoolz.core import Ref
from geotoolz.learn import CheckpointConfig, Normalisation, UNet, save_checkpoint

BANDS = ("red", "nir")


def network(classes: int = 1, *, depth: int = 1, width: int = 4, channels: int = 2, **more: Any) -> UNet:
    """Return a U-Net with weights and statistics of a trained one."""
    torch.manual_seed(classes + 10 * depth)
    made = UNet(channels, classes, width, depth, **more)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    return made.eval()


def config(classes: int = 1, *, depth: int = 1, width: int = 4, bands: tuple[str, ...] = BANDS, **more: Any):
    """Return the description of such a network."""
    model = {
        "architecture": "unet",
        "in_channels": len(bands),
        "classes": classes,
        "width": width,
        "depth": depth,
    }
    extra = {k: more.pop(k) for k in ("norm", "dropout") if k in more}
    scaling = Normalisation([0.1] * len(bands), [0.2] * len(bands))
    given = {
        "patch_size": 32,
        "normalisation": scaling,
        "task": "binary" if classes == 1 else "multiclass",
        **more,
    }
    return CheckpointConfig("geotoolz", {**model, **extra}, bands, **given)


def saved(folder: Path, classes: int = 1, *, name: str = "model.pt", depth: int = 1, **more: Any) -> Ref:
    """Return a checkpoint in a file."""
    extra = {k: more[k] for k in ("norm", "dropout") if k in more}
    bands = more.get("bands", BANDS)
    return save_checkpoint(network(classes, depth=depth, channels=len(bands), **extra),
                           config(classes, depth=depth, **more), folder / name)  # fmt: skip


def as_input(tile: Any, about: CheckpointConfig, stride: int) -> np.ndarray[Any, Any]:
    """Return what a network sees of a whole tile, made with numpy alone."""
    scaling = zip(about.input_combination, about.scaling.offset, about.scaling.scale, strict=True)
    x = np.stack([(tile[n].values.astype(np.float32) - np.float32(o)) / np.float32(s) for n, o, s in scaling])
    x[np.isnan(x)] = 0
    height, width = x.shape[1:]
    return np.pad(x, ((0, 0), (0, -height % stride), (0, -width % stride)), mode="reflect")


def whole(net: torch.nn.Module, x: np.ndarray[Any, Any]) -> torch.Tensor:
    """Return a network's logits of a whole scene, by torch alone and in one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return net(torch.from_numpy(np.stack([x, x])))[0]
    finally:
        torch.set_num_threads(before)
