# %% [markdown]
# # D4 · Postprocessing: percent and objects out of probabilities
#
# A network says 0.4996 here and 0.7312 there. Whoever takes the map over wants whole percent in one byte, and objects:
# where is it, and is it large enough to matter? This page makes the two variables of the postprocessing table, and shows
# the three places where such code goes wrong: rounding, specks, and the edge of no-data.
#
# **Who needs this:** whoever hands a model's output on to people who did not train it.
#
# Install `geotoolz-learn[torch]` and matplotlib. Set `GEOTOOLZ_DATA` to the folder with the scene of CSMask.

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.core import POSTPROCESSED, TileSpec, run, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.learn import ModelOp, Postprocess, train

held = np.load(data_path("cloudmask_reference_csmask") / "sentinel2_toa6band_and_mask.npz")
bands = ["blue", "red", "nir", "swir16"]
places = [("blue", "green", "red", "nir", "swir16", "swir22").index(name) for name in bands]
grid = GeoBox.from_bbox((500_000, 5_000_000, 515_360, 5_015_360), "EPSG:32633", shape=(512, 512))
tile = tile_from_arrays(
    {
        **{name: np.ascontiguousarray(held["img"][..., k]) for name, k in zip(bands, places, strict=True)},
        "label": (held["msk"][..., 0] == 4).astype(np.uint8),
    },
    grid,
    attrs={"tile_id": "csmask"},
)

# %% [markdown]
# ## A network for one class
#
# Two classes make a network with one output: the table's `probabilities`. (D2 trains with more care.)

# %%
config = {
    "data": {"bands": bands, "classes": {"clear": 0, "cloud": 1}, "chip": 32},
    "model": {"parameters": {"width": 6, "depth": 2}},
    "fit": {"epochs": 3, "learning_rate": 0.01, "threads": 1, "device": "cpu"},
}
done = train(config, tempfile.mkdtemp(), [tile])
assert done.test.score > done.baseline.score + 0.2
for name in bands:  # a gap in the scene: the sensor's edge
    tile[name][:, :60] = np.nan
probable = ModelOp(done.checkpoint)(tile)
print(probable.probabilities.dtype, float(probable.probabilities.isnull().mean()))
# >>> float32 0.1171875

# %% [markdown]
# ## Percent and objects
#
# `erosion` takes the pixels away whose surroundings were half missing; `min_pixels` drops the specks.

# %%
op = Postprocess(threshold=0.5, min_pixels=20, erosion=3)
ready = op(probable)
own = {n: POSTPROCESSED.variables[n] for n in ("probabilities_percent", "binarized_segmentation")}
for name, schema in own.items():
    spec = TileSpec.of(ready).variables[name]
    print(name, spec.dtype, spec.nodata, spec.attrs["long_name"], spec.attrs.get("units", ""))
    assert schema.problems(name, spec) == []
# >>> probabilities_percent uint8 255 probability %
# >>> binarized_segmentation uint8 None objects: probability of 0.5 or more

# %% [markdown]
# ## Rounded, not truncated
#
# Truncated percent are half a percent too low on average, and 0.999 becomes 99. Values are rounded to the nearest. The
# threshold looks at the probability itself: 0.496 rounds to 50 %, and is below one half.

# %%
p, percent = probable.probabilities.values, ready.probabilities_percent.values
known = percent != 255
off = percent[known] - 100 * p[known].astype(float)
truncated = np.floor(100 * p[known].astype(float)) - 100 * p[known].astype(float)
print(f"largest difference {np.abs(off).max():.2f} of a percent; truncated {np.abs(truncated).max():.2f}")
assert np.abs(off).max() <= 0.5
below = (percent == 50) & (p < 0.5)
assert below.any() and not ready.binarized_segmentation.values[below].any()
# >>> largest difference 0.50 of a percent; truncated 1.00

# %% [markdown]
# ## Specks, edges, and the law
#
# An object is counted as a whole even where a window cuts it: the operator says how far it has to look, and windows give the
# same bits as the whole tile.

# %%
raw = Postprocess(0.5)(probable).binarized_segmentation.values
kept = ready.binarized_segmentation.values
print("dropped:", f"{(raw > kept).sum() / raw.sum():.1%} of the cloudy pixels")
assert (kept <= raw).all() and not kept[:, :63].any()
windows = run(gz.Sequential([op]), probable, window=(100, 77))
assert windows.binarized_segmentation.equals(ready.binarized_segmentation)
# >>> dropped: 1.5% of the cloudy pixels

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2))
axes[0].imshow(p, cmap="magma", vmin=0, vmax=1)
axes[1].imshow(np.where(known, percent, np.nan), cmap="magma", vmin=0, vmax=100)
axes[2].imshow(kept.astype(int) + raw, cmap="viridis")
for axis, title in zip(axes, ("probabilities", "percent", "objects; dropped in green"), strict=True):
    axis.set_title(title)
    axis.set_axis_off()

# %% [markdown]
# ## When not to use it
#
# Where the probability itself is the product: a threshold throws away what the next model could weigh. And where small things
# are what you look for, `min_pixels` removes them: choose it by the smallest object that matters, not by taste.
