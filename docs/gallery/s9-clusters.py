# %% [markdown]
# # S9 · Clusters, where there are no labels
#
# No training data yet: let the pixels say how many kinds there are, look at the spectra, give the clusters names.
#
# **Who needs this:** whoever sees a scene for the first time, or wants to know where to draw training polygons.
#
# Install `geotoolz-learn`, `geotoolz-qc` and matplotlib. The scene is real: twelve bands of Sentinel-2 over the Amazon
# (`GEOTOOLZ_DATA` says where it lies).

# %%
import tempfile
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import geotoolz as gz
from geotoolz.core.testing import data_path
from geotoolz.learn import PixelwiseClusterer, fit_pixelwise
from geotoolz.metrics import Histogram
from geotoolz.patch import RandomSampler
from geotoolz.vector import sample_training

folder = data_path("s2_l2a_12band_dem_training_amazon")
work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Fitted on a sample
#
# 40 chips of 32² give 20 000 pixels. Scaling is part of the estimator: near infrared would drown blue otherwise. The
# estimator is cloned and its seed set from `random_state`: the same call gives the same clusters.

# %%
scene = gz.open_tile(folder / "sen2.tif")
estimator = make_pipeline(StandardScaler(), MiniBatchKMeans(6, batch_size=10_000, n_init=5))
model = fit_pixelwise(estimator, None, None, [scene], RandomSampler(32, count=40), 20_000, random_state=0)
again = fit_pixelwise(estimator, None, None, [scene], RandomSampler(32, count=40), 20_000, random_state=0)
cluster = PixelwiseClusterer(model.save(work / "clusters.gtz"))
mapped = cluster(scene)
print(model, "· the same twice:", bool((mapped.cluster == PixelwiseClusterer(again)(scene).cluster).all()))
# >>> FittedPixelModel(Pipeline, 12 features, 20000 rows) · the same twice: True

# %% [markdown]
# ## How large they are
#
# `Histogram` is a statistic like any other: on a tile, on a stream, on a catalog.

# %%
found = Histogram("cluster", 6, (0, 6))(mapped)
total = sum(found.counts)
print({k: f"{count / total:.1%}" for k, count in enumerate(found.counts)})
# >>> {0: '6.4%', 1: '33.2%', 2: '3.9%', 3: '15.0%', 4: '8.2%', 5: '33.3%'}

# %% [markdown]
# ## What they look like
#
# The spectrum of a cluster's middle, back in the units of the bands, tells what it is: water is dark in the infrared,
# leaves are bright there and dark in red, bare soil rises all the way.

# %%
scaler, kmeans = model.estimator[0], model.estimator[-1]
spectra = scaler.inverse_transform(kmeans.cluster_centers_)
wavelengths = [443, 490, 560, 665, 705, 740, 783, 842, 865, 945, 1610, 2190]
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
colours = plt.get_cmap("tab10")
axes[0].imshow(mapped.cluster, cmap="tab10", vmin=0, vmax=9, interpolation="nearest")
axes[0].set_axis_off()
for k, spectrum in enumerate(spectra):
    axes[1].plot(wavelengths, spectrum, "o-", color=colours(k), label=str(k))
axes[1].set(xlabel="nm", ylabel="reflectance (with the offset of the file)")
axes[1].legend(title="cluster")

# %% [markdown]
# ## Names, from a few polygons
#
# Cluster numbers mean nothing. Where a few labelled pixels lie in a cluster, they name it.

# %%
polygons = gpd.read_file(folder / "training_polygons_sen2.gpkg")
table = sample_training(mapped, polygons, "class", bands=["cluster"])
named = table.groupby("cluster").label.agg(lambda labels: labels.value_counts().index[0])
print({int(k): name for k, name in named.items()})
right = (table.cluster.map(named) == table.label).mean()
print(f"{right:.0%} of {len(table)} labelled pixels lie in a cluster of their name")
print(f"adjusted Rand index {adjusted_rand_score(table.label, table.cluster):.2f}")
# >>> {0: 'dryout', 1: 'forest', 2: 'village', 3: 'water', 4: 'village', 5: 'forest'}
# >>> 95% of 2370 labelled pixels lie in a cluster of their name
# >>> adjusted Rand index 0.62

# %% [markdown]
# ## When not to use it
#
# As a map of classes that somebody has defined: clusters follow the brightest differences of a scene, not a legend. A
# cluster in June is another one in September. Where labels exist, even few, a classifier with grouped folds says more
# and says how sure it is.
