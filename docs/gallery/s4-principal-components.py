# %% [markdown]
# # S4 · Principal components of a hyperspectral scene
#
# Two hundred bands tell much the same. A few components keep nearly all of it: as pictures to look at, as features for
# a classifier, as something that fits on a disk.
#
# **Who needs this:** whoever has more bands than ideas what to do with them.
#
# Install `geotoolz-learn` and matplotlib. The scene is real: EnMAP over Potsdam, 224
# bands (`GEOTOOLZ_DATA` says where it lies).

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

import geotoolz as gz
from geotoolz.core.testing import data_path
from geotoolz.learn import BlockID, PixelwiseTransformer, fit_pixelwise, fit_rows, training_rows
from geotoolz.patch import GridSampler, RandomSampler
from geotoolz.radiometry import SelectBands

folder = data_path("hsi_enmap_potsdam_open")
work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Bands with something in them
#
# Six bands in the water vapour are empty. A pixel that lacks a feature is left out of a fit, so six empty bands would
# leave none: they are dropped by what they hold, not by their number.

# %%
scene = gz.open_tile(folder / "enmap_l2a_20220724_224bands_int16.tif")
full = [name for name, band in scene.data_vars.items() if int((band != band.attrs["_FillValue"]).sum()) > 0]
print(len(scene.data_vars), "bands,", len(full), "of them hold data")
# >>> 224 bands, 218 of them hold data

# %% [markdown]
# ## Fitted on a sample, applied to the scene
#
# `y_pipeline=None` fits without labels. Each of the 40 chips gives its share of 6000 pixels.

# %%
select = SelectBands(tuple(full))
model = fit_pixelwise(PCA(8), select, None, [scene], RandomSampler(24, count=40), 6000, random_state=0)
kept = model.estimator.explained_variance_ratio_
print(model, "share of the variance:", np.round(kept.astype(float), 3).tolist())
# >>> FittedPixelModel(PCA, 218 features, 6000 rows) share of the variance: [0.703, 0.231, 0.044, 0.011, 0.005, 0.002, 0.001, 0.001]

# %% [markdown]
# The operator writes one variable per component. It is one step of a pipeline; with the model in a file it has a hash
# and a YAML. Components are sums that BLAS adds up in another order for another number of rows: the model says so, and
# by how much.

# %%
reduce = gz.Sequential([select, PixelwiseTransformer(model.save(work / "pca.gtz"))])
components = reduce(scene)
windows = gz.run(reduce, scene, window=(48, 48))
largest = max(float(abs(components[n] - windows[n]).max()) for n in model.targets)
span = float(components.pca0.max() - components.pca0.min())
print([n for n in components.data_vars if n.startswith("pca")])
told = max(model.deviation.values()) / span
print("exact:", model.exact, "· measured at fitting: less than 1e-5 of the range:", told < 1e-5)
print("windows and whole differ by less than that:", largest < span * 1e-5)
# >>> ['pca0', 'pca1', 'pca2', 'pca3', 'pca4', 'pca5', 'pca6', 'pca7']
# >>> exact: False · measured at fitting: less than 1e-5 of the range: True
# >>> windows and whole differ by less than that: True


# %%
def stretched(plane):
    low, high = np.nanpercentile(plane, (2, 98))
    return np.clip((plane - low) / (high - low), 0, 1)


figure, axes = plt.subplots(1, 3, figsize=(10, 5.6))
near = {
    name: stretched(scene[full[i]].where(scene[full[i]] > 0))
    for name, i in {"red": 44, "green": 26, "blue": 12}.items()
}
axes[0].imshow(np.dstack([near["red"], near["green"], near["blue"]]))
axes[1].imshow(np.dstack([stretched(components[f"pca{i}"].values) for i in range(3)]))
axes[2].plot(np.cumsum(kept), "o-")
for ax, title in zip(axes, ("red, green, blue", "components 1, 2, 3", "share kept"), strict=True):
    ax.set_title(title)
for ax in axes[:2]:
    ax.set_axis_off()

# %% [markdown]
# ## As features
#
# Whoever wants components for a classifier puts both into one scikit-learn `Pipeline`: then a cross-validation fits the
# components without the fold that it tests. Labels of the same scene, whole blocks of 600 m held out:

# %%
labels = gz.open_tile(folder / "landcover_labels_uint8.tif").rename(band_1="cover")
tile = scene.assign(cover=labels.cover)
target = gz.Sequential([SelectBands(("cover",)), BlockID(600.0)])
rows = training_rows(select, target, [tile], GridSampler(32), group_band="block_id")
forest = RandomForestClassifier(n_estimators=100, random_state=0, max_features=3)
for name, estimator in {"218 bands": forest, "8 components": make_pipeline(PCA(8), forest)}.items():
    found = fit_rows(estimator, rows, cv=GroupKFold(5), random_state=0)
    print(f"{name:13} {found.metrics['cv']['mean']:.2f} of {len(rows)} pixels right, whole blocks held out")
# >>> 218 bands     0.72 of 3607 pixels right, whole blocks held out
# >>> 8 components  0.71 of 3607 pixels right, whole blocks held out

# %% [markdown]
# ## When not to use it
#
# Components are those of the sample: fitted on woods they do not show a town. They mix what the bands measured, so no
# threshold and no formula holds for them from one model to the next. Where a known material is sought, a matched filter
# (`geotoolz.hyperspectral`) finds what a component averages away.
