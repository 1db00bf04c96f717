# %% [markdown]
# # D10 · Many tiles at once
#
# Tiles of different size and place share no coordinates, so they are never concatenated as Datasets. Their arrays meet in
# the batch of a network, and every tile gets its own result back.
#
# **Who needs this:** whoever runs a network on many small tiles and wants full batches.
#
# Install `geotoolz-learn[torch]`. Tiles and network are simulated.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from geotoolz.core.testing import simulate_scene
from geotoolz.learn import CheckpointConfig, ModelOp, SegmentationModel, UNet, save_checkpoint

torch.manual_seed(0)
model = {"architecture": "unet", "in_channels": 2, "classes": 1, "width": 8, "depth": 2}
config = CheckpointConfig("geotoolz", model, ["red", "nir"], patch_size=96)
ref = save_checkpoint(UNet(2, 1, 8, 2), config, Path(tempfile.mkdtemp()) / "model.pt")

shapes = [(96, 96), (96, 96), (60, 200), (96, 96), (33, 20)]
tiles = [simulate_scene(shape, bands=("red", "nir"), seed=n) for n, shape in enumerate(shapes)]
tiles[1] = tiles[1].assign_coords(x=tiles[1].x + 50_000)

# %% [markdown]
# ## One call

# %%
slumps = SegmentationModel.load(ref, batch_size=4)
results = slumps.segment_batched(tiles)
for tile, result in zip(tiles, results, strict=True):
    assert result.identical(slumps.segment(tile))  # the bits of the tile alone
    assert result.x.equals(tile.x) and result.probabilities.shape == tile.red.shape
print([result.probabilities.shape for result in results])
# >>> [(96, 96), (96, 96), (60, 200), (96, 96), (33, 20)]

# %% alt=The_five_tiles_above_and_what_the_untrained_network_says_of_each_below
figure, axes = plt.subplots(2, 5, figsize=(10, 4), layout="constrained")
for (above, below), tile, result in zip(axes.T, tiles, results, strict=True):
    above.imshow(tile.nir, cmap="gray")
    below.imshow(result.probabilities, cmap="viridis")
    above.set_title(" × ".join(map(str, tile.nir.shape)), fontsize=9)
    above.axis("off")
    below.axis("off")

# %% [markdown]
# ## What the network sees
#
# Patches of one shape share batches, across tiles. A function in place of the network shows it.

# %%
seen = []


def watched(patches):
    """Stand in for a network, and note how many patches of a batch hold something."""
    seen.append((patches.shape[2:], int(np.abs(patches).max(axis=(1, 2, 3)).astype(bool).sum())))
    return patches[:, :1]


about = {"inputs": ["nir"], "classes": ["slump"], "task": "binary", "halo": 0, "stride": 1, "mode": "crop"}
watching = SegmentationModel(ModelOp(watched, patch_size=96, batch_size=3, **about))
watching.segment_batched([tiles[n] for n in (0, 1, 3)])
print(seen)
assert seen == [((96, 96), 3)]
# >>> [((96, 96), 3)]

# %% [markdown]
# All tiles are checked before one is computed: a band that the last one lacks stops at once.

# %%
from geotoolz.core import MissingVariableError  # noqa: E402

try:
    slumps.segment_batched([*tiles, tiles[0].drop_vars("nir")])
except MissingVariableError as error:
    print(error)
# >>> ModelOp reads 'nir', and the tile has red; read that band too, or name the variable that plays the role 'nir'

# %% [markdown]
# ## When not to use it
#
# All tiles and results are in memory together. For a catalog hand the operator to
# [the batch runner](u2-etl.md), which keeps one tile per worker.
