# %% [markdown]
# # U3 · Train and infer with the same preprocessing
#
# The quiet bug of machine learning on scenes: preprocessing at training and at inference drift apart, and nobody sees it.
# Here one object is used in both places, and its hash stands in the checkpoint.
#
# **Who needs this:** whoever trains a network on one day and runs it on another.
#
# Install `geotoolz-learn[torch]`, `geotoolz-indices`, `geotoolz-patch` and matplotlib. The scenes are simulated.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader

import geotoolz as gz
from geotoolz.augment import Compose, GaussianNoise, RandomFlip
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import CheckpointConfig, GeoChips, ModelOp, UNet, load_checkpoint, save_checkpoint
from geotoolz.patch import ApplyToChips, GridSampler, RandomSampler
from geotoolz.radiometry import BoxMean

work = Path(tempfile.mkdtemp())
torch.manual_seed(0)
torch.set_num_threads(1)  # the network is small


def labelled(seed):
    """Return a scene whose dense vegetation is labelled."""
    tile = simulate_scene((160, 160), bands=("red", "nir"), seed=seed)
    dense = gz.indices.compute_ndvi(tile).ndvi > 0.45
    return tile.assign(forest=(("y", "x"), dense.values.astype(np.uint8), {"_FillValue": 255}))


train, scene = [labelled(seed) for seed in range(4)], labelled(9)

# %% [markdown]
# ## Training: preprocess, then augment
#
# `preprocess` looks around (a box of 5 × 5), and a chip's pixels are all the same those of the whole scene: the halo is
# read from the scene. What `augment` draws depends on seed, epoch and chip, so two workers neither repeat each other nor
# change the result.

# %%
preprocess = gz.Sequential([BoxMean(2, bands=("nir",)), gz.indices.NDVI()])
augment = Compose([RandomFlip(), GaussianNoise(0.01)], seed=7)
inputs = ["red", "nir", "ndvi"]
given = {"inputs": inputs, "target": "forest", "preprocess": preprocess}
plain = GeoChips(train, RandomSampler(32, 16), **given)
chips = GeoChips(train, RandomSampler(32, 16), **given, augment=augment,
                 normalisation=plain.estimate_normalisation())  # fmt: skip
print(len(chips), "chips;", {name: tuple(t.shape) for name, t in chips[[0, 1]].items()})


def passed(workers):
    """Return what a pass through the stream gives, by chip."""
    loader = DataLoader(chips.stream(8), batch_size=None, num_workers=workers)
    return {int(n): x for batch in loader for n, x in zip(batch["chip"], batch["image"], strict=True)}


alone, shared = passed(0), passed(2)
same = all(torch.equal(alone[n], shared[n]) for n in alone)
print("each chip once:", sorted(shared) == list(range(len(chips))), "· two workers, the same pixels:", same)
assert same and len(shared) == len(chips)
# >>> 64 chips; {'image': (2, 3, 32, 32), 'valid': (2, 32, 32), 'mask': (2, 32, 32), 'chip': (2,), 'scene': (2,)}
# >>> each chip once: True · two workers, the same pixels: True

# %%
model = {"architecture": "unet", "in_channels": 3, "classes": 1, "width": 8, "depth": 2}
network = UNet(3, 1, width=8, depth=2)
optimizer = torch.optim.Adam(network.parameters(), 0.01)
for epoch in range(4):
    chips.set_epoch(epoch)
    for batch in chips.stream(8):
        optimizer.zero_grad()
        logits = network(batch["image"])[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch["mask"])
        loss.backward()
        optimizer.step()

config = CheckpointConfig("geotoolz", model, inputs, patch_size=32, classes=["forest"],
                          normalisation=chips.normalisation, preprocess=preprocess.config())  # fmt: skip
ref = save_checkpoint(network, config, work / "forest.pt")

# %% [markdown]
# ## Inference: the same preprocess, then the network
#
# The pipeline is one object and stands in YAML. Its first step has the hash that the checkpoint knows.

# %%
infer = gz.Sequential([preprocess, ModelOp(ref)])
stored = gz.core.from_config(load_checkpoint(ref).config.preprocess)
print("train/serve hash equal:", stored.config_hash() == infer.operators[0].config_hash())
assert stored.config_hash() == preprocess.config_hash()

found = infer(scene)
hit = (found.probabilities > 0.5) == (scene.forest == 1)
trivial = max(float((scene.forest == k).mean()) for k in (0, 1))
print("better than always the same answer:", float(hit.mean()) > trivial + 0.02)
assert float(hit.mean()) > trivial + 0.02
# >>> train/serve hash equal: True
# >>> better than always the same answer: True

# %% [markdown]
# ## Chip by chip, and as a whole
#
# The operator knows how far the network looks (measured, not guessed). Chips overlap by that, it is thrown away, and the
# seams are not faint but absent.

# %%
field = infer.operators[1].receptive_field
by_chips = ApplyToChips(GridSampler(96, stride=64), infer)(scene).probabilities
print(f"looks {field.radius} pixels far, in blocks of {field.stride}")
print("largest difference between chips and scene:", float(np.abs(by_chips - found.probabilities).max()))
assert by_chips.equals(found.probabilities)
# >>> looks 23 pixels far, in blocks of 4
# >>> largest difference between chips and scene: 0.0

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4))
for ax, values, title in zip(axes, (found.ndvi, scene.forest, found.probabilities),
                             ("NDVI", "label", "probability"), strict=True):  # fmt: skip
    ax.imshow(values, cmap="viridis")
    ax.set_title(title)
    ax.axis("off")
figure.tight_layout()

# %% [markdown]
# ## When not to use it
#
# If the preprocessing contains statistics of the scene (a percentile stretch), freeze them first;
# `GeoChips` refuses what would differ from chip to chip. For per-pixel models [S1](s1-crop-map.md) needs no chips at all.
