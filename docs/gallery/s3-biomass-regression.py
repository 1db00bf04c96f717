# %% [markdown]
# # S3 · Biomass with an interval, from optical and radar
#
# A map of biomass without an interval is half a map. Optical bands and radar come together in a graph, quantile regression
# gives a lower bound, a median and an upper bound per pixel, and blocks that the model has not seen tell whether the
# interval holds what it promises.
#
# **Who needs this:** whoever maps a quantity from plots (biomass, height, yield, soil carbon) and is asked how sure it is.
#
# Install `geotoolz-core`, `geotoolz-indices`, `geotoolz-learn` and matplotlib. The images are real: Landsat 8 and
# Sentinel-1 over Peru (`GEOTOOLZ_DATA` says where they lie). **The biomass is not**: nobody has measured it there. It is
# made below, from the images and a scatter that the images do not show. What this page tells of the interval can
# therefore be held against the truth; of the forest it tells nothing.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.model_selection import GroupKFold

import geotoolz as gz
from geotoolz.core import Graph, Input, geobox_of
from geotoolz.core.testing import data_path
from geotoolz.fusion import AlignAndStack
from geotoolz.grid import Reproject
from geotoolz.indices import NDVI
from geotoolz.learn import (
    BlockID,
    PixelwiseRegressor,
    QuantileRegressors,
    fit_rows,
    regression_report,
    training_rows,
)
from geotoolz.patch import GridSampler
from geotoolz.radiometry import SelectBands
from geotoolz.sar import DBToLinear, LeeSpeckle, LinearToDB

folder = data_path("s1_l8_colocated_scikiteo_peru")
work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Two sensors
#
# The data set brings both on one grid. Radar seldom comes so: here it is put into degrees first, as many services deliver
# it, by nearest pixel so that its speckle stays what it is.

# %%
bands = ["blue", "green", "red", "nir", "swir16", "swir22"]
optical = gz.open_tile(folder / "LC08_003069_20180906_clip.tif")
optical = optical.rename({f"band_{i + 1}": name for i, name in enumerate(bands)})
for name in bands:
    reflectance = (optical[name] * 1e-4).astype("float32")
    optical[name] = reflectance.assign_attrs(optical[name].attrs, quantity="surface_reflectance")
sar = gz.open_tile(folder / "S1_2018_VV_VH_clip.tif")[["band_1", "band_2"]]
sar = sar.rename(band_1="vv", band_2="vh")
for name in sar.data_vars:
    sar[name].attrs |= {"quantity": "backscatter", "units": "dB"}
sar = Reproject("EPSG:4326", resolution=0.00027, method="nearest")(sar)
for name, tile in (("optical", optical), ("sar", sar)):
    print(f"{name:8} EPSG:{geobox_of(tile).crs.epsg}", dict(tile.sizes), *tile.data_vars)
# >>> optical  EPSG:32619 {'y': 104, 'x': 110} blue green red nir swir16 swir22
# >>> sar      EPSG:4326 {'y': 107, 'x': 116} vv vh

# %% [markdown]
# ## One graph of features
#
# Speckle is filtered on the radar's own pixels and as power, then everything goes onto the grid of the optical image. The
# same graph serves training and prediction.

# %%
inputs = {"optical": Input("optical"), "sar": Input("sar")}
fused = AlignAndStack("optical", method="nearest")(
    inputs["optical"], LeeSpeckle(window=5, looks=4.4)(DBToLinear()(inputs["sar"]))
)
used = SelectBands(("red", "nir", "swir16", "swir22", "ndvi", "vv", "vh"))
features = used(NDVI()(LinearToDB()(fused)))
tile = Graph(inputs, outputs={"features": features})(optical=optical, sar=sar)["features"]
print(*(f"{name} {tile[name].attrs.get('units', '')}".strip() for name in tile.data_vars), sep=", ")
# >>> red, nir, swir16, swir22, ndvi 1, vv dB, vh dB

# %% [markdown]
# ## A biomass to learn
#
# Its median grows with greenness and with VH, and saturates as both do. Around it stands of 90 m scatter by a quarter,
# which no band shows: the same signal, more or less wood. So the true interval is known: 90 of 100 stands lie between
# the median times 0.66 and the median times 1.51.

# %%
scatter = 0.25
closed = ((tile.ndvi - 0.2) / 0.6).clip(0, 1) * ((tile.vh + 24) / 12).clip(0, 1)
median = 10 + 290 * closed**1.3
stands = np.random.default_rng(0).normal(size=(35, 37))
unseen = np.kron(stands, np.ones((3, 3)))[: tile.sizes["y"], : tile.sizes["x"]]
truth = {"low": median * np.exp(-1.645 * scatter), "high": median * np.exp(1.645 * scatter)}
tile["agb"] = (median * np.exp(scatter * unseen)).astype("float32")
tile.agb.attrs = {"units": "Mg/ha", "long_name": "above-ground biomass, simulated"}
tile.agb.encoding["_FillValue"] = np.nan
print("biomass, Mg/ha:", np.percentile(tile.agb, [5, 50, 95]).round().tolist())
# >>> biomass, Mg/ha: [8.0, 141.0, 337.0]

# %% [markdown]
# ## What the interval holds in blocks that were held out
#
# `QuantileRegressors` fits one regressor per quantile. Every pixel is predicted by a model that has seen nothing of its
# block of 450 m. Beside it stands what is often taken for an interval: how the trees of a random forest disagree
# (`PixelwiseRegressor(…, quantiles=…)`). That is a statement on the model, not on the biomass.

# %% rtol=0.05
labels = gz.Sequential([BlockID(450.0), SelectBands(("agb", "block_id"))])
rows = training_rows(used, labels, [tile], GridSampler(26), group_band="block_id")
print(len(rows), "rows in", len(np.unique(rows.groups)), "blocks;", rows.targets[0], rows.target_units["agb"])

boosting = GradientBoostingRegressor(
    learning_rate=0.2, n_estimators=40, max_depth=3, subsample=0.5, min_samples_leaf=40
)
quantile = QuantileRegressors(boosting, (0.05, 0.5, 0.95))
forest = RandomForestRegressor(30, min_samples_leaf=20, max_samples=0.5)
ways = {
    "quantile regression": (quantile, {}),
    "trees that disagree": (forest, {"quantiles": (0.05, 0.95)}),
}
found = {how: np.empty((len(rows), 3)) for how in ways}
for train, test in GroupKFold(4).split(rows.X, rows.y, rows.groups):
    x, y = (xr.DataArray(values, dims="row") for values in rows.xy[test].T)
    for how, (estimator, extra) in ways.items():
        model = fit_rows(estimator, rows.take(train), random_state=0)
        said = PixelwiseRegressor(model, **extra)(tile.drop_vars("agb")).sel(x=x, y=y, method="nearest")
        middle = "agb_q50" if "agb_q50" in said else "agb"
        found[how][test] = np.column_stack([said[name] for name in ("agb_q05", middle, "agb_q95")])

actual = np.asarray(rows.y).ravel()
inside, width = {}, {}
for how, (low, _, high) in ((how, values.T) for how, values in found.items()):
    inside[how] = (low <= actual) & (actual <= high)
    width[how] = high - low
    print(f"{how}: {inside[how].mean():.2f} of the pixels inside, {np.median(width[how]):.0f} Mg/ha wide")
scores = regression_report(actual, found["quantile regression"][:, 1]).scores
print(f"of the median: RMSE {scores.rmse:.0f} Mg/ha, R² {scores.r2:.2f}")
# >>> 11440 rows in 64 blocks; agb Mg/ha
# >>> quantile regression: 0.89 of the pixels inside, 137 Mg/ha wide
# >>> trees that disagree: 0.48 of the pixels inside, 49 Mg/ha wide
# >>> of the median: RMSE 44 Mg/ha, R² 0.86

# %% [markdown]
# Nine of ten were promised. A coverage over all pixels can be right by accident, too wide here and too narrow there; so look
# at it by size as well. The width grows with the biomass, as the scatter does.

# %% rtol=0.2
edges = np.quantile(found["quantile regression"][:, 1], [0, 0.25, 0.5, 0.75, 1])
part = np.digitize(found["quantile regression"][:, 1], edges[1:-1])
print("predicted, Mg/ha   inside   width")
for k in range(4):
    mine = part == k
    share, wide = inside["quantile regression"][mine].mean(), width["quantile regression"][mine].mean()
    print(f"{edges[k]:5.0f} to {edges[k + 1]:5.0f}       {share:.2f}    {wide:5.0f}")
# >>> predicted, Mg/ha   inside   width
# >>>     5 to    10       0.90       10
# >>>    10 to   158       0.88       50
# >>>   158 to   244       0.89      173
# >>>   244 to   326       0.90      208

# %% [markdown]
# ## The map, in the same graph
#
# The model of all rows goes into the graph as its last step. Two images in, three variables out, with units; the graph
# is a YAML file, in which the model stands as a path and a hash.

# %% rtol=0.3
reference = fit_rows(quantile, rows, random_state=0, pipeline=used).save(work / "agb.gtz")
biomass = Graph(inputs, outputs={"biomass": PixelwiseRegressor(reference)(features)})
gz.save(biomass, work / "biomass.yaml")
mapped = gz.load(work / "biomass.yaml")(optical=optical, sar=sar)["biomass"]
print(
    *(f"{name} {plane.attrs['units']}" for name, plane in mapped.items() if name.startswith("agb")), sep=", "
)
print(
    "in order everywhere:",
    bool(((mapped.agb_q05 <= mapped.agb_q50) & (mapped.agb_q50 <= mapped.agb_q95)).all()),
)
for name, edge in zip(("agb_q05", "agb_q50", "agb_q95"), (truth["low"], median, truth["high"]), strict=True):
    off = float(np.median(np.abs(mapped[name] / edge - 1)))
    print(f"{name} differs from the true quantile by {100 * off:.1f} % in the middle")
# >>> agb_q05 Mg/ha, agb_q50 Mg/ha, agb_q95 Mg/ha
# >>> in order everywhere: True
# >>> agb_q05 differs from the true quantile by 4.5 % in the middle
# >>> agb_q50 differs from the true quantile by 2.5 % in the middle
# >>> agb_q95 differs from the true quantile by 5.0 % in the middle

# %%
figure, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")
shown = {
    "biomass (simulated)": tile.agb,
    "median": mapped.agb_q50,
    "width of the interval": mapped.agb_q95 - mapped.agb_q05,
    "true width": truth["high"] - truth["low"],
}
for ax, (title, plane) in zip(axes, shown.items(), strict=True):
    wide = "width" in title
    picture = ax.imshow(plane, cmap="magma" if wide else "YlGn", vmin=0, vmax=300)
    ax.set_title(title)
    ax.set_axis_off()
    figure.colorbar(picture, ax=ax, shrink=0.8, label="Mg/ha")

# %% [markdown]
# ## When not to use it
#
# Where the number wanted is a total: the biomass of a district is no sum of medians, its interval no sum of bounds, and
# neighbouring errors are alike; that is a task for a sample and an estimator of its own. Where plots are few: a 5 % quantile
# needs some hundred rows to be more than the smallest one. Where the signal saturates: the interval grows wide there, and
# no model makes it narrow. And the interval holds for pixels like those that it was fitted on; for others look at the area
# of applicability first (`training_dissimilarity`).
