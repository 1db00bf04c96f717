# %% [markdown]
# # B3 · Labels: out to the annotators, and back onto the map
#
# Annotation tools know pictures and pixels; a map knows coordinates. This page sends chips out as PNG with COCO
# annotations (CVAT, Label Studio, Roboflow and FiftyOne read that) and as STAC items with the label extension, changes a label the
# way a tool would, and puts what comes back where it belongs, to the pixel.
#
# **Who needs this:** whoever pays people for labels and wants every polygon back in its place.
#
# Install `geotoolz-learn` and matplotlib. Set `GEOTOOLZ_DATA` to the folder with the scene of CSMask.

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pystac
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from geotoolz.core import geobox_of, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.learn import ActiveSampler, export_chips, read_annotations
from geotoolz.metrics import MeanScalar
from geotoolz.patch import GridSampler

held = np.load(data_path("cloudmask_reference_csmask") / "sentinel2_toa6band_and_mask.npz")
bands = ("blue", "green", "red", "nir", "swir16", "swir22")
mask = held["msk"][..., 0]
grid = GeoBox.from_bbox((500_000, 5_000_000, 515_360, 5_015_360), "EPSG:32633", shape=(512, 512))
tile = tile_from_arrays(
    {
        **{name: np.ascontiguousarray(held["img"][..., k]) for k, name in enumerate(bands)},
        "label": np.select([mask == 4, mask == 0], [1, 2], 0).astype(np.uint8),
    },
    grid,
    attrs={"tile_id": "csmask", "datetime": "2018-07-06T10:00:00Z"},
)

# %% [markdown]
# ## Chips out
#
# Any chips will do; here the six brightest. What is known already goes along as a suggestion: polygons along the pixels'
# edges, cut where they have holes, since COCO's polygons have none. Pictures are enlarged fourfold.

# %%
chosen = ActiveSampler(GridSampler(64), MeanScalar("blue"), k=6)(tile)
classes = {"cloud": 1, "shadow": 2}
task = export_chips(
    chosen, Path(tempfile.mkdtemp()) / "task", classes, label="label", bands=("red", "green", "blue"), scale=4
)
print(task.images, "pictures;", ", ".join(sorted(path.name for path in task.folder.iterdir())))
coco = json.loads((task.folder / "annotations.json").read_text())
print(coco["images"][0], [one["name"] for one in coco["categories"]])
# >>> 6 pictures; annotations.json, catalog.json, chips.json, classes.json, images, items, labels
# >>> {'id': 64, 'file_name': 'chip-000063.png', 'width': 256, 'height': 256} ['cloud', 'shadow']

# %% [markdown]
# ## As STAC
#
# Each chip is an item with its place, its classes, and how many areas of each it has.

# %%
catalog = pystac.Catalog.from_file(str(task.folder / "catalog.json"))
item = next(catalog.get_items())
print(item.id, item.properties["proj:code"], item.properties["label:classes"][0]["classes"])
print(", ".join(item.assets))
# >>> chip-000063 EPSG:32633 ['cloud', 'shadow']
# >>> image, annotations, labels

# %% [markdown]
# ## A tool's work
#
# An annotator deletes all shadows of the first chip and draws a box in its corner. Tools drop what they do not know, so only the
# plain COCO fields are kept, and the file names, by which chips are found again. This one numbers classes its own way.

# %%
first = coco["images"][0]["id"]
kept = [a for a in coco["annotations"] if not (a["image_id"] == first and a["category_id"] == 2)]
drawn = {"id": 9999, "image_id": first, "category_id": 2, "segmentation": [[0, 0, 40, 0, 40, 24, 0, 24]]}
tool = {
    "images": [{"id": i["id"], "file_name": f"upload/{i['file_name']}"} for i in coco["images"]],
    "categories": [{"id": c["id"] + 10, "name": c["name"]} for c in coco["categories"]],
    "annotations": [{**one, "category_id": one["category_id"] + 10} for one in (*kept, drawn)],
}
with (task.folder.parent / "tool.json").open("w") as file:
    json.dump(tool, file)
print(len(coco["annotations"]), "annotations went out,", len(tool["annotations"]), "come back")
# >>> 47 annotations went out, 46 come back

# %% [markdown]
# ## Back, to the pixel

# %%
back = read_annotations(task.folder.parent / "tool.json", task)
print(", ".join(back.columns), f"EPSG:{back.crs.to_epsg()}")
for number, one in enumerate(chosen):
    chip = one.patch.tile
    own = back[back["chip"] == f"chip-{one.patch.index:06d}"]
    burnt = rasterize(
        list(zip(own.geometry, own["code"], strict=True)),
        chip.label.shape,
        transform=geobox_of(chip).affine,
        fill=0,
    )
    expected = chip.label.values.copy()
    if number == 0:
        expected[expected == 2] = 0
        expected[:6, :10] = 2  # 40 × 24 on the screen, four screen pixels to one
    assert (burnt == expected).all()
print("every pixel of", len(chosen), "chips is where it was drawn")
# >>> class, code, chip, tile_id, datetime, geometry EPSG:32633
# >>> every pixel of 6 chips is where it was drawn

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 4))
chip = chosen[0].patch.tile
own = back[back["chip"] == f"chip-{chosen[0].patch.index:06d}"]
axes[0].imshow(np.clip(np.stack([chip[n] for n in ("red", "green", "blue")], -1) / 0.6, 0, 1))
axes[0].set_title("the chip")
own.plot("class", ax=axes[1], legend=True)
axes[1].set_title("its annotations, on the map")

# %% [markdown]
# ## When not to use it
#
# For single pixels or points: a table with coordinates is simpler (`sample_training`). And polygons along pixel edges are
# hard to drag about: where annotators should redraw outlines rather than correct them, send the chips without suggestions.
