# %% [markdown]
# # D3 · An ensemble of several checkpoints
#
# Several networks, trained on different inputs, are asked about one tile. Where one of them lacks an input, the others
# answer; what each says can be kept, and how far they disagree is a map of its own.
#
# **Who needs this:** whoever has more than one model for a task and tiles on which not every input is complete.
#
# Install `geotoolz-learn[torch]` and matplotlib. Tile and networks are simulated.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from geotoolz.core import SEGMENTED, TileSpec
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import CheckpointConfig, Ensemble, Normalisation, SegmentationModel, UNet, save_checkpoint

folder = Path(tempfile.mkdtemp())
tile = simulate_scene((160, 190), bands=("blue", "green", "red", "nir", "swir16"))

# %% [markdown]
# ## Two checkpoints
#
# A checkpoint is data: `config`, which names the architecture and its inputs, and `statedict`. It is loaded with
# `weights_only=True`, and the weights have to fit the description.

# %%
for number, (name, inputs) in enumerate(
    {"optical": ("green", "red", "nir"), "swir": ("nir", "swir16")}.items()
):
    torch.manual_seed(number)
    model = {"architecture": "unet", "in_channels": len(inputs), "classes": 1, "width": 8, "depth": 2}
    scaling = Normalisation([0.2] * len(inputs), [0.1] * len(inputs))
    config = CheckpointConfig("geotoolz", model, inputs, 64, classes=["slump"], normalisation=scaling)
    save_checkpoint(UNet(len(inputs), 1, 8, 2), config, folder / f"{name}.pt")

held = torch.load(folder / "swir.pt", weights_only=True)
print(list(held), held["config"]["input_combination"], held["config"]["patch_size"])
# >>> ['config', 'statedict'] ['nir', 'swir16'] 64

# %% [markdown]
# ## Together
#
# In the upper left corner SWIR is missing: there the mean is that of the other member.

# %%
tile["swir16"] = tile.swir16.where((tile.x > tile.x[40]) | (tile.y < tile.y[60]))
ensemble = Ensemble.load(folder, keep_members=True, uncertainty=True)
out = ensemble.segment(tile)
print([name for name in out.data_vars if name not in tile.data_vars])

gap = tile.swir16.isnull().values
one, other = (out[f"probabilities-model-{name}"].values for name in ("optical", "swir"))
assert np.array_equal(out.probabilities.values[gap], one[gap]) and np.isnan(other[gap]).all()
mean = ((one[~gap].astype(float) + other[~gap]) / 2).astype("float32")
assert np.array_equal(out.probabilities.values[~gap], mean)
print("mean of two:", int((~gap).sum()), "pixels · of one:", int(gap.sum()), "· no-data:",
      int(out.probabilities.isnull().sum()))  # fmt: skip
# >>> ['probabilities-model-optical', 'probabilities-model-swir', 'probabilities', 'entropy', 'mutual_information']
# >>> mean of two: 27899 pixels · of one: 2501 · no-data: 0

# %% [markdown]
# A plain `entropy` is the ensemble's. What a member asks itself (`uncertainty="tta"`) would be `entropy-model-swir`.
# The variables are those of the stage's table, and a member alone says what it says in the ensemble:

# %%
spec = TileSpec.of(out)
for pattern in ("probabilities", "probabilities-model-*"):
    name = pattern.replace("*", "swir")
    print(name, SEGMENTED.variables[pattern].problems(name, spec.variables[name]) or "as promised")
alone = SegmentationModel.load(folder / "swir.pt").segment(tile).probabilities
assert alone.equals(out["probabilities-model-swir"])
# >>> probabilities as promised
# >>> probabilities-model-swir as promised

# %%
figure, axes = plt.subplots(1, 4, figsize=(12, 3))
shown = ("probabilities-model-optical", "probabilities-model-swir", "probabilities", "mutual_information")
for ax, name in zip(axes, shown, strict=True):
    ax.imshow(out[name])
    ax.set_title(name, fontsize=9)
    ax.axis("off")
figure.tight_layout()

# %% [markdown]
# ## When not to use it
#
# The mean of badly calibrated members is badly calibrated. Two networks of one training run hardly
# disagree, and their `mutual_information` says little.
