# %% [markdown]
# # P7 · Why is my NDVI wrong?
#
# NDVI is one subtraction, one addition, one division, and still most wrong maps that reach a forum are NDVI. Each
# section below makes one of the usual mistakes with plain NumPy on real numbers, shows how far off the map is, and then
# what geotoolz does in its place: it gives the right number, or says what is wrong before a pixel is written.
#
# **Who needs this:** whoever has an NDVI above 1, a forest at 0.4, a lake at 0.9, or two scenes of one week that do
# not agree.
#
# Install `geotoolz-core[catalog]`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. One scene is simulated as a
# provider would write it (Sentinel-2 L2A, baseline 05.09); the other is T33TWL of August 2023 at 120 m.

# %%
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import GeotoolzError, QCWarning
from geotoolz.core.testing import data_path, write_scene
from geotoolz.indices import NDVI, SAVI
from geotoolz.io import MetadataWarning, SuspiciousValuesWarning
from geotoolz.radiometry import MinMax

warnings.simplefilter("ignore", MetadataWarning)  # the real scene was reduced to 120 m; U1 shows what is said
work = Path(tempfile.mkdtemp())
spec = {"shape": (512, 512), "bands": ("red", "green", "nir", "scl"), "cloud_cover": 0.15, "raw": True}
folder = write_scene({**spec, "datetime": "2023-08-10T10:00:31Z"}, work)
tile = gz.open_tile(folder)
right = NDVI()(tile).ndvi.values


def by_hand(red, nir):
    with np.errstate(all="ignore"):
        return (nir - red) / (nir + red)


def compare(name, wrong):
    off = np.abs(wrong - right)
    print(f"{name}: median {np.nanmedian(wrong):.2f} in place of {np.nanmedian(right):.2f};", end=" ")
    print(f"{np.nanmean(off > 0.02):.0%} of the pixels are off by more than 0.02")


def said(make):
    try:
        make()
    except GeotoolzError as error:
        print(f"{type(error).__name__}: {error}")


# %% [markdown]
# ## 1 · The offset that nobody subtracted
#
# Since January 2022 (baseline 04.00) a Sentinel-2 digital number is (reflectance + 0.1) × 10 000. Whoever divides by
# 10 000 and goes on adds 0.1 to both bands, and NDVI is pulled towards 0.

# %%
raw = gz.open_tile(folder, raw=True)
red, nir = (raw[name].values.astype("f8") for name in ("red", "nir"))
no_offset = by_hand(red / 10_000, nir / 10_000)
compare("without the offset", no_offset)
print(raw.red.attrs["add_offset"], "·", raw.red.attrs["offset_source"])
# >>> without the offset: median 0.20 in place of 0.31; 89% of the pixels are off by more than 0.02
# >>> -0.1 · baseline 05.09

# %% [markdown]
# `open_tile` applies the offset that the metadata asks for. Digital numbers can be had with `raw=True`, but they carry
# what still has to be applied, and an index refuses them:

# %%
said(lambda: NDVI()(raw))
# >>> QuantityError: NDVI reads 'nir', which holds digital numbers with an offset of -0.1 to be applied; expected reflectance; open the tile without raw=True, or put DNToReflectance first

# %% [markdown]
# ## 2 · The offset that was subtracted twice
#
# Some archives apply the offset before they publish the pixels, and leave it in the item's `raster:bands`. This is
# how Earth Search lists T33TWL. Whoever believes the item alone subtracts 1000 from numbers that have lost it already.

# %%
scene = data_path("s2_l2a_33TWL_croatia") / "S2B_33TWL_20230820_0_L2A"
real = gz.open_tile(scene, ["red", "nir", "scl"])
dn = gz.open_tile(scene, ["red", "nir"], raw=True)
twice = by_hand(*(dn[name].values * 1e-4 - 0.1 for name in ("red", "nir")))
good = NDVI()(real).ndvi.values
print(f"NDVI outside −1 … 1: {np.mean(np.abs(twice) > 1):.1%} of the scene with the item's offset,", end=" ")
print(f"{np.mean(np.abs(good) > 1):.1%} with what open_tile reads")
print(real.red.attrs["offset_source"])
# >>> NDVI outside −1 … 1: 85.2% of the scene with the item's offset, 0.0% with what open_tile reads
# >>> boa_offset_applied

# %% [markdown]
# The reader knows the provider's property `earthsearch:boa_offset_applied`. Where no metadata settles it, `offset=`
# does, and a wrong one is noticed by its values:

# %%
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always", SuspiciousValuesWarning)
    gz.open_tile(scene, ["red"], offset=-4000)
print(str(heard[-1].message).partition(": ")[2])
# >>> 93.3% of red lies outside -0.2 … 2.0 (offset by offset=); say offset=… if it is wrong

# %% [markdown]
# ## 3 · Integers that wrap around
#
# Bands come as `uint16`. Where red is larger than near infrared (water, cloud, soil) their difference is below zero,
# which `uint16` does not have: it becomes some 65 000.

# %%
wrapped = by_hand(raw.red.values, raw.nir.values)
print(f"largest NDVI: {np.nanmax(wrapped):.0f}")
print(f"pixels where red is larger: {np.mean(raw.red.values > raw.nir.values):.1%}")
# >>> largest NDVI: 29
# >>> pixels where red is larger: 2.8%

# %% [markdown]
# Kernels convert before they subtract, so the type of the bands does not show in the result. Here are bands as
# integers without an offset (baseline 02.14), and the same as floats:

# %%
integers = tile[["red", "nir"]].map(
    lambda band: (band.fillna(0) * 10_000).round().astype("u2"), keep_attrs=True
)
for band in integers.data_vars.values():
    band.attrs = {"_FillValue": 0, "quantity": "reflectance", "scale_factor": 1e-4}
floats = integers.astype("f4").where(integers > 0)
for name in floats:
    floats[name].attrs = {"quantity": "reflectance"}
same = NDVI()(integers).ndvi.values, NDVI()(floats).ndvi.values
print("equal:", np.array_equal(*same, equal_nan=True), "· smallest:", np.nanmin(same[0]).round(2))
# >>> equal: True · smallest: -0.77

# %% [markdown]
# ## 4 · No-data that counts as dark ground
#
# Outside the swath a band is 0. There 0 / 0 is no number; with a small epsilon in the denominator, a common remedy, it
# becomes an NDVI of 0, and bare soil enters every mean.

# %%
edge = raw[["red", "nir"]].copy(deep=True)
for name in edge:
    edge[name].values[:, :200] = 0
shifted = [np.clip(edge[name].values * 1e-4 - 0.1, 0, None) for name in ("red", "nir")]
with_epsilon = (shifted[1] - shifted[0]) / (shifted[1] + shifted[0] + 1e-10)
cut = NDVI()(gz.radiometry.DNToReflectance()(edge)).ndvi
print(f"mean with an epsilon: {with_epsilon.mean():.2f}, of what was measured: {float(cut.mean()):.2f}")
print(f"no data: {float(cut.isnull().mean()):.0%} of the tile")
# >>> mean with an epsilon: 0.23, of what was measured: 0.38
# >>> no data: 39% of the tile

# %% [markdown]
# ## 5 · A cloud mask that masks nothing
#
# QA60 held Sentinel-2's clouds until it was left empty, from January 2022 until February 2024. A script that still
# reads it finds no cloud in 2023, not even in the cloudiest scene. `MaskClouds` prefers the scene classification, and
# where somebody insists on QA60 it warns of a layer of that time without a single flag.

# %%
qa60 = tile.assign(
    qa60=(("y", "x"), np.zeros(tile.red.shape, "u2"), {"quantity": "flags", "_FillValue": 65535})
)
print("clouds by the empty QA60:", int((qa60.qa60.values & (1 << 10) > 0).sum()))
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always", QCWarning)
    MaskClouds(qa="qa60")(qa60)
print(heard[-1].message)
print(f"clouds by SCL: {float(MaskClouds()(tile).red.isnull().mean()):.0%}")
# >>> clouds by the empty QA60: 0
# >>> all 262144 pixels of 'qa60' are zero (2023-08-10T10:00:31Z): between 2022-01-25 and 2024-02-28 some archives did not fill QA60, so zero does not mean clear; use scl, if it is there
# >>> clouds by SCL: 26%

# %% [markdown]
# ## 6 · Stretched first
#
# A stretch to 0 … 1 for display moves every band by its own minimum and range. An index of stretched bands has no
# meaning; it may even look better.

# %%
stretched = MinMax()(tile)
compare("after a stretch", by_hand(stretched.red.values, stretched.nir.values))
said(lambda: NDVI()(stretched))
# >>> after a stretch: median 0.30 in place of 0.31; 22% of the pixels are off by more than 0.02
# >>> QuantityError: NDVI reads 'nir', which was stretched for display (MinMax); expected physical values; put NDVI before the stretch

# %% [markdown]
# `check` finds it in a pipeline before a pixel is read:

# %%
for finding in gz.check(gz.Sequential([MinMax(), NDVI()]), gz.io.describe(folder)):
    print(finding.level, "·", finding.message)
# >>> error · operators[1] (NDVI): NDVI reads 'nir', which was stretched for display (MinMax); expected physical values; put NDVI before the stretch

# %% [markdown]
# ## 7 · Units that matter
#
# A ratio of differences does not mind a common factor; an index with a constant in it does. SAVI adds 0.5 to
# reflectance. On digital numbers 0.5 is nothing, and SAVI is 1.5 × NDVI.

# %%
savi = SAVI()(tile).savi.values
on_numbers = 1.5 * (nir - red) / (nir + red + 0.5)
print(f"SAVI: {np.nanmedian(savi):.2f}; on digital numbers: {np.nanmedian(on_numbers):.2f}")
said(lambda: SAVI()(raw))
# >>> SAVI: 0.20; on digital numbers: 0.30
# >>> QuantityError: SAVI reads 'nir', which holds digital numbers with an offset of -0.1 to be applied; expected reflectance; open the tile without raw=True, or put DNToReflectance first

# %% [markdown]
# ## Side by side

# %%
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
maps = {
    "right": right,
    "no offset": no_offset,
    "wrapped": wrapped,
    "stretched first": by_hand(stretched.red.values, stretched.nir.values),
}
for axis, (title, values) in zip(axes, maps.items(), strict=True):
    shown = axis.imshow(values, vmin=-0.2, vmax=0.9, cmap="RdYlGn")
    axis.set(title=title, xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, shrink=0.8, label="NDVI")
plt.show()

# %% [markdown]
# ## When not to use it
#
# The checks go by what a tile says of itself. An array without attributes (a bare GeoTIFF from a colleague) is taken as
# it is: say what it holds with `AssignAttrs`, or read the product that it came from.
