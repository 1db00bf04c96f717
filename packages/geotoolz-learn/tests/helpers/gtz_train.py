"""A scene that a small network learns in seconds, and a run of which somebody pulls the plug."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
from odc.geo.geobox import GeoBox

from geotoolz.core import tile_from_arrays

CONFIG = {
    "data": {"bands": ["red", "nir"], "classes": {"land": 0, "water": 1}, "chip": 16},
    "model": {"parameters": {"width": 4, "depth": 2, "dropout": 0.2}},
    "loss": {"parts": {"cross_entropy": 1.0, "dice": 0.5}, "class_weights": "balanced"},
    "fit": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "threads": 1, "device": "cpu"},
}


def scene(shape=(96, 112), seed=0, west=500_000, noise=1.0):
    """Return a tile with lakes, which are dark, most in the near infrared, and their mask."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    water = np.zeros(shape, bool)
    for cy, cx, r in zip(*rng.uniform((0, 0, 5), (*shape, 14), (12, 3)).T, strict=True):
        water |= (y - cy) ** 2 + (x - cx) ** 2 < r**2
    red = np.where(water, 0.08, 0.1) + noise * rng.normal(0, 0.03, shape)
    nir = np.where(water, 0.06, 0.3) + noise * rng.normal(0, 0.08, shape)
    grid = GeoBox.from_bbox(
        (west, 5_000_000, west + 10 * shape[1], 5_000_000 + 10 * shape[0]), "EPSG:32633", resolution=10
    )
    arrays = {"red": red.astype(np.float32), "nir": nir.astype(np.float32), "label": water.astype(np.uint8)}
    return tile_from_arrays(arrays, grid, attrs={"tile_id": f"lakes-{seed}"})


def killed(out, step):
    """Train until the optimiser's n-th step, and die of SIGKILL in it."""
    import torch

    from geotoolz.learn import train

    done = []
    original = torch.optim.AdamW.step

    def deadly(self, *args, **kwargs):
        done.append(1)
        if len(done) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *args, **kwargs)

    torch.optim.AdamW.step = deadly
    train(CONFIG, out, [scene()])


if __name__ == "__main__":
    killed(sys.argv[1], int(sys.argv[2]))
