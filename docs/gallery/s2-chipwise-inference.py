# %% [markdown]
# # S2 · A large scene in chips
#
# The scene is larger than memory, the forest is not. Chips are read from the file, predicted, put together by vote and
# written, row by row: the memory is known beforehand, and the map is the one that the whole scene would have given.
#
# **Who needs this:** whoever predicts full Sentinel-2 tiles on a small machine.
#
# Install `geotoolz-learn`, `geotoolz-indices`, `geotoolz-patch` and matplotlib. The model is that of P5, of a real scene
# (Landsat 5 over Pará; `GEOTOOLZ_DATA` says where it lies); the large scene is that one, laid side by side.

# %%
import tempfile
import tracemalloc
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import geotoolz as gz
from geotoolz.core import geobox_of, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.learn import PixelwiseClassifier, TrainingRows, fit_rows
from geotoolz.patch import ApplyToChips, GridSampler, HardVote, Stitcher, memory_bytes, run_chips
from geotoolz.vector import sample_training

work = Path(tempfile.mkdtemp())
folder = data_path("ls5_tm_dem_training_para")

# %% [markdown]
# ## A model, and a scene that is large

# %%
scene = gz.open_tile(folder / "lsat.tif")
bands = tuple(name for name in scene.data_vars if name != "B6_dn")
polygons = gpd.read_file(folder / "training_polygons_lsat.gpkg")
rows = TrainingRows.from_table(sample_training(scene, polygons, "class", bands=bands))
model = fit_rows(RandomForestClassifier(n_estimators=30), rows, random_state=0)
classify = PixelwiseClassifier(model.save(work / "cover.gtz"), name="cover")


def large(height, width=930):
    """Write the scene side by side and above itself, as a file."""
    here = geobox_of(scene)
    y, x = np.arange(height) % scene.sizes["y"], np.arange(width) % scene.sizes["x"]
    box = here.expand((height, width)) if height > here.shape[0] else here[:height, :width]
    arrays = {name: scene[name].values[np.ix_(y, x)] for name in bands}
    tile = tile_from_arrays(arrays, box, var_attrs={name: dict(scene[name].attrs) for name in bands})
    gz.io.write_tile(tile, work / f"scene_{height}.tif")
    return work / f"scene_{height}.tif"


path = large(800)
print(model, "·", dict(gz.open_tile(path).sizes))
# >>> FittedPixelModel(RandomForestClassifier, 6 features, 4410 rows) · {'y': 800, 'x': 930}

# %% [markdown]
# ## Chips with a vote
#
# Chips of 256 with a stride of 224 overlap by 32 pixels; where they overlap the majority decides, and no edge stays
# uncovered. `memory_bytes` says what it takes before anything is read.

# %%
op = ApplyToChips(GridSampler(256, stride=224), classify, Stitcher(aggregation=HardVote(5)))
run = run_chips(op, path, work / "cover_800.tif")
voted = gz.open_tile(run.paths[0], raw=True).cover
whole = classify(gz.open_tile(path)).cover
print(f"{(voted.values == whole.values).mean():.2%} of {whole.size} pixels as on the whole scene")
print(
    dict(
        zip(model.class_names or model.classes, np.bincount(voted.values.ravel())[1:5].tolist(), strict=True)
    )
)
# >>> 100.00% of 744000 pixels as on the whole scene
# >>> {'cleared': 120113, 'fallen_dry': 40177, 'forest': 466195, 'water': 117515}

# %% [markdown]
# ## The memory stays where it is
#
# A scene of three times the height: the same announcement, and the same peak of what Python allocates.


# %%
def measured(path):
    """Return announced and measured memory in MB."""
    announced = memory_bytes(op, path) / 1e6
    tracemalloc.start()
    run_chips(op, path, work / f"again_{path.stem}.tif")
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return announced, peak


low, tall = measured(path), measured(large(2400))
print(
    "announced:",
    "the same" if low[0] == tall[0] else "more",
    "· peak:",
    "flat" if tall[1] < 1.2 * low[1] else "grows",
)
print("below 60 MB:", tall[0] < 60 and tall[1] < 60)
# >>> announced: the same · peak: flat
# >>> below 60 MB: True

# %% alt=The_voted_map_and_the_rows_and_columns_where_chips_overlap
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6))
axes[0].imshow(voted, cmap="tab10", vmin=0, vmax=9, interpolation="nearest")
axes[0].set_title("voted map")
covered = np.zeros(whole.shape, int)
for y in range(0, whole.shape[0], 224):
    for x in range(0, whole.shape[1], 224):
        covered[y : y + 256, x : x + 256] += 1
axes[1].imshow(covered, cmap="viridis")
axes[1].set_title("chips per pixel")
for ax in axes:
    ax.set_axis_off()

# %% [markdown]
# ## When not to use it
#
# Here: a forest looks at one pixel at a time, and needs no chips. `gz.stream` takes the same operator from file to file in
# bounded memory without overlaps, and a catalog of scenes belongs into `CatalogPipeline`. Chips with votes are for models
# that see a neighbourhood and do not say how far; where they do say it, `ApplyToChips` reads that halo and blends nothing.
