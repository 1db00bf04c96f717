# %% [markdown]
# # D2 · Segmentation: train a network, keep it as data, map a scene with it
#
# Which pixels are cloud, which shadow? A small U-Net learns it from one labelled Sentinel-2 scene. The scene is cut into
# chips; whole blocks of ground are kept away from the training, and the score that counts is the one there. What comes
# out is a checkpoint in the documented structure, and a map of the whole scene that does not depend on how it was cut.
#
# **Who needs this:** whoever trains networks on a handful of labelled scenes, and has to say how good they are.
#
# Install `geotoolz-learn[torch]` and matplotlib. The scene is the expert-labelled one of CSMask; set `GEOTOOLZ_DATA` to the
# folder that holds it. It runs on a CPU.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from odc.geo.geobox import GeoBox

from geotoolz.core import run, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.learn import ModelOp, SegmentationModel, load_checkpoint, train

held = np.load(data_path("cloudmask_reference_csmask") / "sentinel2_toa6band_and_mask.npz")
bands = ["blue", "green", "red", "nir", "swir16", "swir22"]
mask = held["msk"][..., 0]
# The file has no CRS. Blocks of ground need metres, and any UTM zone will do.
grid = GeoBox.from_bbox((500_000, 5_000_000, 515_360, 5_015_360), "EPSG:32633", shape=(512, 512))
tile = tile_from_arrays(
    {
        **{name: np.ascontiguousarray(held["img"][..., k]) for k, name in enumerate(bands)},
        "label": np.select([mask == 4, mask == 0], [1, 2], 0).astype(np.uint8),
    },
    grid,
    attrs={"tile_id": "csmask"},
)
shares = np.bincount(tile.label.values.ravel()) / tile.label.size
print({name: f"{share:.0%}" for name, share in zip(("clear", "cloud", "shadow"), shares, strict=True)})
# >>> {'clear': '70%', 'cloud': '19%', 'shadow': '11%'}

# %% [markdown]
# ## One configuration
#
# The same mapping stands in a YAML file for `geotoolz learn train config.yaml out/`. Shadow is rare, so the loss is cross
# entropy plus Dice, in which every class weighs the same. The split needs no line: by default whole blocks of two chips
# a side are trained on, watched, or kept for the end.

# %%
config = {
    "data": {"bands": bands, "classes": {"clear": 0, "cloud": 1, "shadow": 2}, "chip": 32},
    "model": {"parameters": {"width": 8, "depth": 2}},
    "loss": {"parts": {"cross_entropy": 1.0, "dice": 1.0}},
    "fit": {"epochs": 4, "learning_rate": 0.01, "threads": 1, "device": "cpu"},
}
out = Path(tempfile.mkdtemp())
done = train(config, out, [tile])
print(done.chips)
assert done.test.score > done.baseline.score + 0.4
# >>> {'train': 154, 'validation': 50, 'test': 52, 'dropped': 0, 'skipped': 0}

# %% [markdown]
# ## Better than what?
#
# Clear sky is common, and whoever always says "clear" is right most of the time. The mean intersection over union tells
# the two apart.

# %% rtol=0.05
for name, scores in (("network", done.test), ("always clear", done.baseline)):
    found = scores.confusion
    each = ", ".join(f"{n} {v:.2f}" for n, v in zip(found.labels, found.iou, strict=True))
    print(f"{name:13} accuracy {found.overall_accuracy:.2f}, mean IoU {found.mean_iou:.2f} ({each})")
# >>> network       accuracy 0.94, mean IoU 0.85 (clear 0.92, cloud 0.83, shadow 0.80)
# >>> always clear  accuracy 0.63, mean IoU 0.21 (clear 0.63, cloud 0.00, shadow 0.00)

# %% [markdown]
# ## Interrupted? Again
#
# The same call in the same folder goes on where it was. After a kill (the tests use `kill -9`, in the middle of an epoch)
# the weights become what they would have been, bit for bit. Here the run is finished, and the call only reads it.

# %%
again = train(config, out, [tile])
assert again.checkpoint.sha256 == done.checkpoint.sha256
print(", ".join(sorted(path.name for path in out.iterdir())))
# >>> model.pt, report.html, scores.json, state.pt

# %% [markdown]
# ## A checkpoint is data
#
# `config` says what the network is and what it takes, `statedict` holds its weights. It is read with
# `weights_only=True`: no code comes out of it.

# %%
raw = torch.load(out / "model.pt", weights_only=True)
print(list(raw), "|", ", ".join(raw["config"]))
checkpoint = load_checkpoint(done.checkpoint)
print(checkpoint.config.input_combination, checkpoint.config.classes, checkpoint.config.patch_size)
assert set(raw) == {"config", "statedict"}
# >>> ['config', 'statedict'] | model_framework, model, input_combination, patch_size, task, classes, codes, normalisation, zoom, training
# >>> ('blue', 'green', 'red', 'nir', 'swir16', 'swir22') ('clear', 'cloud', 'shadow') 32

# %% [markdown]
# ## The whole scene, however it is cut
#
# `SegmentationModel` is what an actor keeps, `ModelOp` the same as a step of a pipeline. Patches overlap by what the
# network sees around a pixel, and begin at multiples of its stride: windows of any size give the same bits. The class map
# would be called `label`, and replace the truth of this tile, which has that name: `name="predicted"` keeps both.

# %%
model = SegmentationModel.load(done.checkpoint, name="predicted")
found = model.segment(tile)
print({name: str(found[name].dtype) for name in found.data_vars if name not in tile})
windows = run(ModelOp(done.checkpoint, name="predicted"), tile, window=(200, 150))
print("pixels that depend on the cut:", int((windows.probability_cloud != found.probability_cloud).sum()))
assert windows.predicted.equals(found.predicted)
assert windows.probability_cloud.equals(found.probability_cloud)
# >>> {'probability_clear': 'float32', 'probability_cloud': 'float32', 'probability_shadow': 'float32', 'predicted': 'uint8'}
# >>> pixels that depend on the cut: 0

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2))
axes[0].imshow(np.clip(np.stack([tile[n] for n in ("red", "green", "blue")], -1) / 0.4, 0, 1))
axes[1].imshow(tile.label, cmap="viridis", vmin=0, vmax=2)
axes[2].imshow(found.predicted, cmap="viridis", vmin=0, vmax=2)
for axis, title in zip(axes, ("Sentinel-2", "expert", "network"), strict=True):
    axis.set_title(title)
    axis.set_axis_off()

# %% [markdown]
# ## When not to use it
#
# One scene teaches one season, one sensor, one kind of cloud: blocks that were kept away are still the same afternoon. For
# scenes of elsewhere keep whole scenes away. And where a spectral rule does (`SpectralClouds`), a network is a dear way
# to write it down.
