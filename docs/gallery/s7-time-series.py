# %% [markdown]
# # S7 · A map from time series
#
# Soy, pasture and forest are green at different times of the year. A pixel's twelve months are its features, and the
# adapter that makes them stands in the model: nobody can feed it months in another way.
#
# **Who needs this:** whoever classifies seasons and not single dates.
#
# Install `geotoolz-core[catalog]`, `geotoolz-cloud`, `geotoolz-learn` and matplotlib. The data are real: MODIS NDVI over
# Sinop, Brazil, and labelled series of the Cerrado (`GEOTOOLZ_DATA` says where they lie).

# %%
import tempfile
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, StratifiedKFold

import geotoolz as gz
from geotoolz.core import GeotoolzError, geobox_of
from geotoolz.core.testing import data_path
from geotoolz.learn import PixelwiseClassifier, ToPixelMajor, ToTemporalPixelMajor, TrainingRows, fit_rows
from geotoolz.radiometry import BandMath, SelectBands
from geotoolz.temporal import LinearGapFill
from geotoolz.vector import sample_training
from geotoolz.viz import CategoricalColormap, plot_legend, plot_rgb

folder = data_path("modis_ndvi_sinop_sits")
work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Twelve images are one stack
#
# Names of files give the dates. The scale is 1e-4, which the files do not say: it is the pipeline's first step. Then gaps
# are filled along the real time axis: ten pixels of June are taken away to show it.

# %%
catalog = gz.GeoCatalog.from_folder(folder, pattern="*.jp2")
grid = geobox_of(gz.open_tile(catalog.frame.source.iloc[0]))
stack = catalog.stack(grid, lazy=False)
name = next(iter(stack.data_vars))
print(
    len(catalog),
    "images,",
    dict(stack.sizes),
    "·",
    str(stack.time.values[0])[:10],
    "to",
    str(stack.time.values[-1])[:10],
)
# >>> 12 images, {'time': 12, 'y': 147, 'x': 255} · 2013-09-14 to 2014-08-29

# %%
season = gz.Sequential(
    [BandMath(f"{name} * 0.0001", "ndvi"), LinearGapFill(("ndvi",)), SelectBands(("ndvi",))]
)
holed = stack.copy(deep=True)
holed[name] = holed[name].assign_attrs(_FillValue=-32768)
holed[name][9, 40:50, 60] = -32768
filled = season(holed)
print("gaps:", int((holed[name] == -32768).sum()), "left:", int(filled.ndvi.isnull().sum()), end=" · ")
print(
    "off by",
    f"{abs(filled.ndvi[9, 40:50, 60].mean().item() - season(stack).ndvi[9, 40:50, 60].mean().item()):.3f} in the mean",
)
# >>> gaps: 10 left: 0 · off by 0.016 in the mean

# %% [markdown]
# ## Labelled series become rows
#
# 1218 series with four labels, from many years: what they share with the stack is the month. A feature per month,
# `ndvi_0` … `ndvi_11`, as `ToTemporalPixelMajor` names them. Series of one place and of neighbours are alike, so the
# honest score holds whole degrees out.

# %%
table = pd.read_parquet(folder / "samples_modis_ndvi_labelled.parquet")
table["step"] = table.groupby("sample_id").cumcount()
wide = table.pivot(index="sample_id", columns="step", values="NDVI").add_prefix("ndvi_")
about = table.groupby("sample_id").first()
wide["label"] = about.label
wide["degree"] = np.floor(about.latitude).astype(int) * 1000 + np.floor(about.longitude).astype(int)
rows = TrainingRows.from_table(wide.reset_index(drop=True), group="degree")
months = ToTemporalPixelMajor("features", ("ndvi",))
forest = RandomForestClassifier(n_estimators=200)
for title, folds in {
    "at random": StratifiedKFold(5, shuffle=True, random_state=0),
    "whole degrees": GroupKFold(5),
}.items():
    series = rows if title == "whole degrees" else TrainingRows(X=rows.X, features=rows.features, y=rows.y)
    model = fit_rows(forest, series, adapter=months, pipeline=season, cv=folds, random_state=0)
    print(f"{title:14} {model.metrics['cv']['mean']:.2f}")
# >>> at random      0.90
# >>> whole degrees  0.74

# %% [markdown]
# ## The map
#
# The pipeline of the features is part of what the model knows: `require_pipeline` raises for another one. Twelve maps in,
# one map out.

# %%
model.require_pipeline(season)
crops = gz.Sequential([season, PixelwiseClassifier(model.save(work / "crops.gtz"), name="crop")])
mapped = crops(stack)
meanings = mapped.crop.attrs["flag_meanings"].split()
print(
    mapped.crop.dims,
    dict(zip(meanings, np.bincount(mapped.crop.values.ravel(), minlength=5)[1:].tolist(), strict=True)),
)

points = pd.read_csv(folder / "samples_sinop_crop.csv")
places = gpd.GeoDataFrame(points, geometry=gpd.points_from_xy(points.longitude, points.latitude), crs=4326)
seen = sample_training(mapped, places, "label", bands=["crop"])
names = dict(zip(mapped.crop.attrs["flag_values"].tolist(), meanings, strict=True))
print(f"{(seen.crop.map(names) == seen.label).sum()} of {len(seen)} points on the map have their label")
# >>> ('y', 'x') {'Cerrado': 6845, 'Forest': 14909, 'Pasture': 3792, 'Soy_Corn': 11939}
# >>> 12 of 18 points on the map have their label

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=(1, 1.6))
for label, group in pd.DataFrame(rows.X).groupby(rows.y):
    axes[0].plot(range(12), group.mean(), "o-", label=label)
axes[0].set(xlabel="month after September", ylabel="NDVI")
axes[0].legend(fontsize=8)
paint = CategoricalColormap("crop")
plot_rgb(paint(mapped), ax=axes[1])
plot_legend(paint.legend(mapped, present=True), ax=axes[1])

# %% [markdown]
# ## Another adapter is refused
#
# One row per pixel *and date* is another table: every month would be taken for a whole year.

# %%
try:
    PixelwiseClassifier(model, adapter=ToPixelMajor(("ndvi",)))(filled)
except GeotoolzError as error:
    print(type(error).__name__, "·", error)
try:
    PixelwiseClassifier(model)(filled.isel(time=slice(0, 11)))
except GeotoolzError as error:
    print(type(error).__name__, "·", error)
# >>> ParameterError · PixelwiseClassifier is given the adapter ToPixelMajor(features=('ndvi',)); expected ToTemporalPixelMajor(features=('ndvi',)), that the model was fitted with; leave the adapter out: the model carries its own
# >>> TileError · PixelwiseClassifier needs the feature 'ndvi_11', and 'ndvi' has 11 planes; expected at least 12

# %% [markdown]
# ## When not to use it
#
# Where seasons shift from year to year by more than the classes differ: months as features take a late rain for another
# crop. `time_handling="panel"` hands `(rows, bands, dates)` to estimators that look at shape instead of place. And labels
# of other years, as here, are only as good as the belief that a crop looks the same every year.
