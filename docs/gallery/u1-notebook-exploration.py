# %% [markdown]
# # U1 · Exploring a scene in a notebook
#
# You have a satellite scene and a question, and want to see what every step does before anything runs in bulk.
# This page masks the clouds of a real Sentinel-2 scene, computes NDVI, looks at the tile between the steps, and
# stretches values only where they are shown.
#
# **Who needs this:** anybody who tries things on one scene first, and later wants to run the same object over many.
#
# Install `geotoolz-core`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The scene is the tile T33TWL
# (Zagreb and the country around it) of 20 August 2023 at 120 m; set `GEOTOOLZ_DATA` to the folder that holds it.

# %%
import warnings

import matplotlib.pyplot as plt

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import Profile, ShapeTrace, Snapshot, Tap, draw, run
from geotoolz.core.testing import data_path
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning
from geotoolz.radiometry import MinMax, PercentileClip

scene = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")

# %% [markdown]
# ## The scene
#
# A folder of files with a STAC item becomes one `xr.Dataset`: a variable per band, under its common name, as
# reflectance. The reader says where the files and the item disagree. Here the files were reduced to 120 m, and the
# item still tells the size of the original; the file wins.

# %%
with warnings.catch_warnings(record=True) as doubts:
    warnings.simplefilter("always", MetadataWarning)
    tile = gz.open_tile(scene, bands=["blue", "green", "red", "nir", "scl"])

print(str(doubts[0].message).partition("; ")[0].rpartition("L2A: ")[2])
print(dict(tile.sizes), {name: str(band.dtype) for name, band in tile.data_vars.items()})
print(tile.attrs["platform"], tile.attrs["datetime"][:10], f"EPSG:{tile.odc.crs.epsg}")
# >>> blue, green, red, nir: the metadata declares 10980 × 10980 pixels, the file has 915 × 915: the file is used
# >>> {'y': 915, 'x': 915} {'blue': 'float32', 'green': 'float32', 'red': 'float32', 'nir': 'float32', 'scl': 'uint8'}
# >>> sentinel-2b 2023-08-20 EPSG:32633

# %% [markdown]
# The values are reflectance already. This product says in one place that −0.1 has to be added and in another that
# it was; the provider's own flag decides, and the variable keeps a note of it.

# %%
print({key: tile.red.attrs[key] for key in ("quantity", "units", "offset_source", "sensor_band")})
print("median of red:", round(float(tile.red.median()), 3))
# >>> {'quantity': 'surface_reflectance', 'units': '1', 'offset_source': 'boa_offset_applied', 'sensor_band': 'B04'}
# >>> median of red: 0.044

# %% [markdown]
# ## Looking at it
#
# For the eye, values are stretched. `PercentileClip` and `MinMax` are operators like any other; they need limits from
# the pixels, and `freeze` binds them. Taken from the clear pixels, the limits are not spent on the clouds, and every
# picture on this page has the same ones.

# %%
stretch = gz.freeze(gz.Sequential([PercentileClip(1, 99), MinMax(clip=True)]), MaskClouds()(tile))


def picture(ds, bands=("red", "green", "blue")):
    """Return an RGB array for the screen; no-data becomes grey."""
    rgb = stretch(ds)[list(bands)].to_array("band").transpose("y", "x", "band") ** 0.7
    return rgb.where(rgb.notnull().all("band"), 0.85).values


def show(axis, image, title, **options):
    """Draw an image without axes."""
    axis.set_axis_off()
    axis.set_title(title, fontsize=10, loc="left")
    return axis.imshow(image, interpolation_stage="rgba", **options)


# %%
print({band: tuple(round(limit, 3) for limit in pair) for band, pair in stretch[0].limits.items()})
# >>> {'blue': (0.033, 0.199), 'green': (0.042, 0.208), 'red': (0.025, 0.204), 'nir': (0.15, 0.515)}

# %% alt=The_scene_in_true_colour_and_false_colour
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.9), layout="constrained")
show(axes[0], picture(tile), "red, green, blue")
show(axes[1], picture(tile, ("nir", "red", "green")), "nir, red, green: vegetation is red")

# %% [markdown]
# ## The pipeline, with a look inside
#
# `MaskClouds()` finds the scene classification by itself and sets cloud, cirrus and shadow to no-data. `Tap` calls a
# function with the tile between two steps and lets the tile pass. `NDVI()` finds its bands by their roles.

# %%
kept = {}


def look(ds):
    """Say how much is left of the red band, and keep the tile for a picture."""
    before, after = int(tile.red.notnull().sum()), int(ds.red.notnull().sum())
    print(f"{after / before:.1%} of the valid pixels are clear")
    kept["masked"] = ds


pipeline = gz.Sequential([MaskClouds(), Tap(look), NDVI()])
result = pipeline(tile)
print(result.ndvi.attrs["long_name"], result.ndvi.dtype, "median", round(float(result.ndvi.median()), 3))
# >>> 87.6% of the valid pixels are clear
# >>> (nir − red) / (nir + red) float32 median 0.778

# %% [markdown]
# The input is untouched: `tile` still has its clouds. A plot per step:

# %% alt=The_scene_as_read,_with_clouds_masked,_and_its_NDVI
figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
show(axes[0], picture(tile), "as read")
show(axes[1], picture(kept["masked"]), "after MaskClouds()")
greens = plt.get_cmap("RdYlGn").with_extremes(bad="0.85")
ndvi = show(axes[2], result.ndvi, "after NDVI()", cmap=greens, vmin=0, vmax=0.9)
figure.colorbar(ndvi, ax=axes[2], shrink=0.8, label="NDVI")

# %% [markdown]
# ## Stretching first is refused
#
# It is tempting to stretch once, at the top, and go on with the nice numbers. An index of stretched bands is no
# index: each band was shifted by limits of its own. The stretch marks its bands, so the pipeline is refused when it
# is planned, before a pixel is touched.

# %%
wrong = gz.Sequential([MaskClouds(), PercentileClip(2, 98), NDVI()])
for finding in gz.check(wrong, tile):
    print(finding)
# >>> error: operators[2] (NDVI): NDVI reads 'nir', which was stretched for display (PercentileClip(2, 98)); expected physical values; put NDVI before the stretch [tile S2B_33TWL_20230820_0_L2A]

# %% [markdown]
# How wrong would it have been? Computed by hand, against the right way round:

# %% rtol=0.01
stretched = gz.Sequential([MaskClouds(), PercentileClip(2, 98), MinMax()])(tile)
by_hand = (stretched.nir - stretched.red) / (stretched.nir + stretched.red)
difference = abs(by_hand - result.ndvi)
print(f"median NDVI {float(result.ndvi.median()):.3f}, from stretched bands {float(by_hand.median()):.3f}")
share = float((difference > 0.1).sum() / difference.notnull().sum())
print(f"{share:.0%} of the pixels are off by more than 0.1")
# >>> median NDVI 0.778, from stretched bands 0.629
# >>> 64% of the pixels are off by more than 0.1

# %% [markdown]
# ## What was a notebook step stays in the notebook
#
# A pipeline that holds a `Tap` holds a Python function, and a YAML file cannot. It says so when it is saved, and
# where:

# %%
try:
    gz.dump(pipeline)
except gz.core.ConfigError as error:
    print(error)
# >>> operators[1] (Tap) cannot be saved as configuration: it holds a Python function; take it out before saving

# %% [markdown]
# Without the `Tap` it is a file and a hash, and this is what a nightly run takes ([U2](u2-etl.md)):

# %%
production = gz.Sequential([MaskClouds(), NDVI()])
print(gz.dump(production))
print(gz.load(gz.dump(production)).config_hash() == production.config_hash())
# >>> _target_: geotoolz.core.Sequential
# >>> operators:
# >>> - _target_: geotoolz.cloud.MaskClouds
# >>> - _target_: geotoolz.indices.NDVI
# >>>
# >>> True

# %% [markdown]
# ## Watching from outside
#
# Observers see every step of a run without being part of the pipeline. `Snapshot` keeps the tile after each step,
# `ShapeTrace` names, dims, dtypes and no-data, `Profile` the seconds.

# %%
snapshot, trace, profile = Snapshot(), ShapeTrace(), Profile()
run(production, tile, observers=[snapshot, trace, profile])
print(draw(production))
print(list(snapshot.tiles))
# >>> Sequential
# >>> ├─ operators[0]  MaskClouds
# >>> └─ operators[1]  NDVI
# >>> ['input', 'operators[0]', 'operators[1]']

# %%
print(trace)
# >>> input                                    blue             y 915 × x 915            float32  nan
# >>>                                          green            y 915 × x 915            float32  nan
# >>>                                          red              y 915 × x 915            float32  nan
# >>>                                          nir              y 915 × x 915            float32  nan
# >>>                                          scl              y 915 × x 915            uint8    0
# >>> operators[0] MaskClouds                  blue             y 915 × x 915            float32  nan
# >>>                                          green            y 915 × x 915            float32  nan
# >>>                                          red              y 915 × x 915            float32  nan
# >>>                                          nir              y 915 × x 915            float32  nan
# >>>                                          scl              y 915 × x 915            uint8    0
# >>> operators[1] NDVI                        blue             y 915 × x 915            float32  nan
# >>>                                          green            y 915 × x 915            float32  nan
# >>>                                          red              y 915 × x 915            float32  nan
# >>>                                          nir              y 915 × x 915            float32  nan
# >>>                                          scl              y 915 × x 915            uint8    0
# >>>                                          ndvi             y 915 × x 915            float32  nan

# %%
print(profile)
# >>> ... ms  operators[0] MaskClouds
# >>> ... ms  operators[1] NDVI

# %% [markdown]
# A snapshot is a tile like any other. Which pixels did the mask take, and what were they?

# %% alt=Histogram_of_NDVI_with_and_without_clouds
before = NDVI()(snapshot["input"]).ndvi.values.ravel()
after = snapshot["operators[1]"].ndvi.values.ravel()
figure, axis = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
axis.hist(before, 100, (-0.2, 1), color="0.75", label="with clouds")
axis.hist(after, 100, (-0.2, 1), color="tab:green", alpha=0.8, label="masked")
axis.set(xlabel="NDVI", ylabel="pixels", xlim=(-0.2, 1))
axis.spines[["top", "right"]].set_visible(False)
axis.legend(frameon=False)

# %% [markdown]
# ## When not to use it
#
# - **Many scenes.** An observed run, and one with a `Tap`, treats the whole tile step by step and keeps every
#   intermediate. Without them the same pipeline works in blocks that fit the cache, and `CatalogPipeline` drives it
#   ([U2](u2-etl.md)).
# - **Numbers that depend on the scene.** `PercentileClip` takes its limits from the tile at hand: two neighbouring
#   tiles will not match. For a map of many tiles, freeze the limits on a sample (`geotoolz.freeze`).
# - **Plots of a whole 10980² scene.** Read it coarser: `open_tile(…, resolution=120)`.
