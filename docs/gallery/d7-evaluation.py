# %% [markdown]
# # D7 · Evaluation: how good is it where it has never been?
#
# A map of open land between forests in Slovenia, by a network that has seen five dates of a part of a square kilometre. Pixels are counted on
# blocks that were kept away; objects are matched one by one; outlines are compared by their rims. Beside each number
# stands what knowing nothing would score.
#
# **Who needs this:** whoever has to put a number on a map, and stand by it.
#
# Install `geotoolz-learn[torch]` and matplotlib. The scene is the test patch of eo-learn; set `GEOTOOLZ_DATA` to the folder that
# holds it.

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from odc.geo.geobox import GeoBox

from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.learn import ModelOp, Postprocess, boundary_iou, match_polygons, train
from geotoolz.metrics import IoU
from geotoolz.vector import vectorize

folder = data_path("s2_timeseries_eolearn_slovenia")
index = json.loads((folder / "REFERENCE_SCENES_index.json").read_text())
scenes = np.load(folder / "REFERENCE_SCENES_5dates_13bands_L1C.npy")
cover = np.load(folder / "LULC.npy").squeeze()
times = json.loads((folder / "timestamps.json").read_text())
ring = json.loads((folder / "bbox.geojson").read_text())["coordinates"][0]
(left, bottom), (right, top) = np.min(ring, axis=0), np.max(ring, axis=0)
grid = GeoBox.from_bbox((left, bottom, right, top), "EPSG:32633", shape=(101, 100))
names = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16", "B12": "swir22"}
bands = list(names.values())
FOREST = 2
label = np.where(cover == 0, 255, cover != FOREST).astype(np.uint8)  # 0 is no label
tiles = [
    tile_from_arrays(
        {
            **{
                new: scenes[k, ..., index["bands"].index(old)].astype(np.float32)
                for old, new in names.items()
            },
            "label": label,
        },
        grid,
        attrs={"tile_id": times[date][:10]},
        nodata={"label": 255},
    )
    for k, date in enumerate(index["scene_to_date_index_in_68"])
]
codes, counts = np.unique(cover, return_counts=True)
print(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
# >>> {0: 155, 1: 11, 2: 7601, 3: 1777, 4: 358, 8: 198}

# %% [markdown]
# ## Blocks that are kept away
#
# The five dates show the same ground. A block is on one side on all of them: the test has seen neither the place nor the
# date's light on it.

# %%
config = {
    "data": {"bands": bands, "classes": {"forest": 0, "open": 1}, "chip": 16},
    "model": {"parameters": {"width": 8, "depth": 2}},
    "loss": {"class_weights": "balanced"},
    "split": {"folds": 4, "block_size_m": 250.0, "seed": 1},
    "fit": {"epochs": 12, "learning_rate": 0.01, "batch_size": 8, "threads": 1, "device": "cpu"},
}
out = Path(tempfile.mkdtemp())
done = train(config, out, tiles)
print(done.chips)
# >>> {'train': 85, 'validation': 50, 'test': 45, 'dropped': 0, 'skipped': 0}

# %% [markdown]
# ## Pixels

# %% rtol=0.05
for name, scores in (("network", done.test), ("most frequent class", done.baseline)):
    found = scores.confusion
    print(f"{name:20} accuracy {found.overall_accuracy:.2f}, mean IoU {found.mean_iou:.2f}")
assert done.test.score > done.baseline.score + 0.2
# >>> network              accuracy 0.84, mean IoU 0.70
# >>> most frequent class  accuracy 0.64, mean IoU 0.32

# %% [markdown]
# ## Objects and outlines
#
# The map of one date, as objects of at least twenty pixels, against the reference. A clearing is found if a mapped one overlaps
# it by half (intersection over union); panoptic quality weighs how well. The rim's overlap tells good outlines from
# bad ones: for large objects the plain one is high for both.

# %% rtol=0.05
tile = tiles[2]
mapped = Postprocess(0.5, min_pixels=20)(ModelOp(done.checkpoint)(tile))
truth = Postprocess(0.5, min_pixels=20)(
    tile_from_arrays({"probabilities": (label == 1).astype(np.float32)}, grid)
)
polygons = [vectorize(one, "binarized_segmentation", classes=("object",)) for one in (mapped, truth)]
objects, pairs = match_polygons(*polygons)
print(f"{objects.matched} found, {objects.only_true} missed, {objects.only_predicted} made up")
plain = float(IoU("binarized_segmentation", "binarized_segmentation")(mapped, truth))
rim = boundary_iou(mapped.binarized_segmentation, truth.binarized_segmentation, 2)
print(f"overlap {plain:.2f}, of the rims {rim:.2f}; panoptic quality {objects.panoptic_quality:.2f}")
assert rim < plain
# >>> 1 found, 10 missed, 6 made up
# >>> overlap 0.60, of the rims 0.24; panoptic quality 0.08

# %% [markdown]
# Four pixels of five are right, and few clearings are: they melt together or fall apart. Who counts fields needs the second
# number, who needs hectares the first. These counts are of the whole map, training ground included: they describe the map,
# the score is the one above.
#
# ## The report
#
# Curves, confusion and pictures of test chips on a page that loads nothing: `report.html` in the run's folder.

# %%
page = (out / "report.html").read_text()
print("http" in page, page.count("<polyline"), page.count("data:image/png"))
# >>> False 3 24

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2))
axes[0].imshow(np.clip(np.stack([tile[n] for n in ("red", "green", "blue")], -1) / 0.25, 0, 1))
axes[1].imshow(truth.binarized_segmentation, cmap="Greens")
axes[2].imshow(mapped.binarized_segmentation, cmap="Greens")
for axis, title in zip(axes, (tile.attrs["tile_id"], "reference", "network"), strict=True):
    axis.set_title(title)
    axis.set_axis_off()

# %% [markdown]
# ## When not to use it
#
# Blocks of 250 m on one square kilometre are neighbours all the same: the numbers say how the network does next door. For
# another valley, keep another valley away. And for areas of a country, a design-based sample (`area_estimates`)
# answers what no pixel count can.
