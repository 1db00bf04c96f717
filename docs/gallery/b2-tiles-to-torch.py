# %% [markdown]
# # B2 · From tiles to torch
#
# A catalog of scenes becomes batches of named tensors: streamed by workers, shuffled, read block by block, balanced by
# class, and put back on the map afterwards.
#
# **Who needs this:** whoever feeds a training loop of torch or Lightning from scenes.
#
# Install `geotoolz-learn[torch]` and `geotoolz-patch`. The scenes are simulated.

# %%
import matplotlib.pyplot as plt
import numpy as np
from torch.utils.data import DataLoader

import geotoolz as gz
from geotoolz.augment import Compose, RandomFlip
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import GeoChips
from geotoolz.patch import JitteredSampler, RandomSampler

scenes = []
for seed in range(4):
    tile = simulate_scene((256, 200), bands=("green", "red", "nir"), seed=seed)
    cover = np.digitize(tile.nir.values, [0.15, 0.35]).astype(np.uint8)
    scenes.append(tile.assign(cover=(("y", "x"), cover, {"_FillValue": 255})))

# %% [markdown]
# ## The way, drawn

# %%
chips = GeoChips(
    scenes, RandomSampler(32, 30), ["green", "red", "ndvi"], "cover", codes=[0, 1, 2],
    preprocess=gz.indices.NDVI(), augment=Compose([RandomFlip()], seed=3), seed=1, cache_bytes=64 << 20,
)  # fmt: skip
chips
# >>> GeoChips
# >>>   → scenes: 4 in the catalog
# >>>   → RandomSampler: 120 chips in epoch 0, seed 1
# >>>   → preprocess: NDVI, hash c3d543a0fe9b
# >>>   → read: block by block, cache of 64 MiB
# >>>   → augment: RandomFlip, by epoch and chip
# >>>   → tensors: image: green, red, ndvi, mask: cover

# %% [markdown]
# ## Map-style, and as a stream
#
# Both work with torch's `DataLoader` as it is. The union over the workers is the plan: each chip once, whatever their
# number. The order changes with the epoch, and an epoch can be repeated.

# %%
orders = {}
for workers in (0, 2):
    stream = DataLoader(chips.stream(16, buffer=64), batch_size=None, num_workers=workers)
    orders["stream", workers] = [int(n) for batch in stream for n in batch["chip"]]
    orders["map", workers] = [int(n) for batch in chips.loader(16, workers=workers) for n in batch["chip"]]
for (kind, workers), numbers in orders.items():
    print(
        kind,
        workers,
        "workers:",
        len(numbers),
        "chips, each once:",
        sorted(numbers) == list(range(len(chips))),
    )
assert orders["map", 0] == orders["map", 2] == orders["stream", 0]
chips.set_epoch(1)
again = [int(n) for batch in chips.loader(16) for n in batch["chip"]]
assert again != orders["map", 0]
# >>> stream 0 workers: 120 chips, each once: True
# >>> map 0 workers: 120 chips, each once: True
# >>> stream 2 workers: 120 chips, each once: True
# >>> map 2 workers: 120 chips, each once: True

# %% [markdown]
# A batch, as a training loop gets it: images above, what is to be learnt below.

# %% alt=Eight_chips_of_a_batch_in_false_colour_and_their_classes
batch = next(iter(chips.loader(8)))
figure, axes = plt.subplots(2, 8, figsize=(10, 2.8), layout="constrained")
for k, (above, below) in enumerate(axes.T):
    above.imshow(np.moveaxis(batch["image"][k].numpy(), 0, -1).clip(0, 0.5) * 2)
    below.imshow(np.where(batch["mask"][k] < 0, np.nan, batch["mask"][k]), cmap="YlGn", vmin=0, vmax=2)
    above.axis("off")
    below.axis("off")

# %% [markdown]
# ## Classes that are rare
#
# With `balance=True` chips are drawn so that every class is seen alike.

# %%
counts = chips.class_counts()
plain = counts.sum(axis=0) / counts.sum()
drawn = np.zeros(3)
for epoch in range(5):
    chips.set_epoch(epoch)
    for batch in chips.loader(16, balance=True):
        mask = batch["mask"].numpy()
        drawn += np.bincount(mask[mask >= 0], minlength=3)
rarest = int(plain.argmin())
print("the rarest class is seen more often:", bool(drawn[rarest] / drawn.sum() > plain[rarest]))
assert drawn[rarest] / drawn.sum() > plain[rarest]
# >>> the rarest class is seen more often: True

# %% [markdown]
# ## Back on the map
#
# Whatever a network makes of a batch becomes tiles again, in their places.

# %%
still = GeoChips(scenes, JitteredSampler(64), ["red", "nir"])
batch = still[[0, 7]]
tiles = still.to_datasets(batch, brightness=batch["image"].mean(dim=1))
for number, tile in zip((0, 7), tiles, strict=True):
    own = still.patches[number].tile
    assert tile.x.equals(own.x) and tile.y.equals(own.y)
    np.testing.assert_allclose(tile.nir, own.nir, rtol=1e-6)
print(sorted(map(str, tiles[0].data_vars)), dict(tiles[0].sizes))
# >>> ['brightness', 'nir', 'red'] {'y': 64, 'x': 64}

# %% [markdown]
# ## When not to use it
#
# For per-pixel models `fit_pixelwise` samples rows, which is less to read. With persistent workers
# torch keeps old copies of the data set: they do not hear of `set_epoch`.
