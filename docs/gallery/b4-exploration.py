# %% [markdown]
# # B4 · Looking through chips, labels and predictions
#
# A score of 0.9 says nothing about the tenth. This page makes a page: chips with their labels and what a model says, sorted by how
# wrong it is, filtered by class, by name, or by a click into the confusion matrix. It is one HTML file that loads nothing
# from anywhere. Beside it stands the precision-recall curve, to choose a threshold by.
#
# **Who needs this:** whoever debugs a data set, or shows a colleague where a model fails.
#
# Install `geotoolz-learn[torch]` and matplotlib. Set `GEOTOOLZ_DATA` to the folder with the scene of CSMask.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from odc.geo.geobox import GeoBox
from sklearn.metrics import average_precision_score, precision_recall_curve

from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.learn import ModelOp, Postprocess, explore_chips, export_chips, train
from geotoolz.metrics import ConfusionMatrix
from geotoolz.patch import GridSampler, PatchGrid

held = np.load(data_path("cloudmask_reference_csmask") / "sentinel2_toa6band_and_mask.npz")
bands = ["blue", "green", "red", "nir"]
grid = GeoBox.from_bbox((500_000, 5_000_000, 515_360, 5_015_360), "EPSG:32633", shape=(512, 512))
tile = tile_from_arrays(
    {
        **{name: np.ascontiguousarray(held["img"][..., k]) for k, name in enumerate(bands)},
        "label": (held["msk"][..., 0] == 4).astype(np.uint8),
    },
    grid,
    attrs={"tile_id": "csmask"},
)
config = {
    "data": {"bands": bands, "classes": {"clear": 0, "cloud": 1}, "chip": 32},
    "model": {"parameters": {"width": 6, "depth": 2}},
    "fit": {"epochs": 3, "learning_rate": 0.01, "threads": 1, "device": "cpu"},
}
done = train(config, tempfile.mkdtemp(), [tile])
found = Postprocess(0.5)(ModelOp(done.checkpoint)(tile))

# %% [markdown]
# ## The page

# %%
chips = PatchGrid(found, GridSampler(64))
classes = {"clear": 0, "cloud": 1}
path = explore_chips(
    chips, Path(tempfile.mkdtemp()) / "chips.html", classes, label="label", predicted="binarized_segmentation",
    bands=("red", "green", "blue"), title="Clouds, and what a small network takes for clouds",
)  # fmt: skip
page = path.read_text()
print(
    page.count("<article"),
    "chips,",
    page.count("data:image/png"),
    "pictures; loads from elsewhere:",
    "http" in page,
)
assert page.count("<article") == len(chips)
# >>> 64 chips, 256 pictures; loads from elsewhere: False

# %% [markdown]
# Its matrix is that of the pixels, counted exactly: the same as `ConfusionMatrix` on the whole tile.

# %%
whole = ConfusionMatrix("binarized_segmentation", "label")(found)
for count in np.asarray(whole).ravel():
    assert f">{count}<" in page
print("accuracy of the whole tile above 0.85:", whole.overall_accuracy > 0.85)
# >>> accuracy of the whole tile above 0.85: True

# %% [markdown]
# ## Where to cut
#
# One threshold is one point of a curve. Average precision of somebody who guesses is the share of clouds.

# %% rtol=0.05
truth, said = found.label.values.ravel(), found.probabilities.values.ravel()
precision, recall, _ = precision_recall_curve(truth, said)
print(f"average precision {average_precision_score(truth, said):.2f}; guessing {truth.mean():.2f}")
# >>> average precision 0.96; guessing 0.19

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
axes[0].plot(recall, precision)
axes[0].axhline(truth.mean(), color="grey", linestyle=":")
axes[0].set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
axes[1].imshow(np.asarray(whole), cmap="Blues")
axes[1].set(xticks=[0, 1], yticks=[0, 1], xticklabels=list(classes), yticklabels=list(classes))
axes[1].set(xlabel="predicted", ylabel="true")
for (row, column), count in np.ndenumerate(np.asarray(whole)):
    axes[1].text(column, row, f"{count / truth.size:.0%}", ha="center", va="center")

# %% [markdown]
# ## In another tool
#
# FiftyOne, CVAT and others import COCO: `fiftyone.Dataset.from_dir(…, dataset_type=fiftyone.types.COCODetectionDataset)`
# takes the folder of `export_chips` (`data_path="images"`, `labels_path="annotations.json"`).

# %%
task = export_chips(
    chips[:4], Path(tempfile.mkdtemp()) / "coco", {"cloud": 1}, label="binarized_segmentation"
)
print(task.images, "pictures,", (task.folder / "annotations.json").exists())
# >>> 4 pictures, True

# %% [markdown]
# ## When not to use it
#
# With ten thousand chips: all pictures stand in the file, and a browser holds them. Show a choice (`ActiveSampler`), or the
# worst of each scene. The chips here were trained on, too: to judge a model, look at those that were kept away.
