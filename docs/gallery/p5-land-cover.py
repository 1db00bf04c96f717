# %% [markdown]
# # P5 · Land cover from training polygons
#
# A few dozen polygons drawn on a scene become a land-cover map that opens with names and colours, an accuracy that was
# not earned by pixels of the same polygon, and areas with confidence intervals.
#
# **Who needs this:** whoever has drawn training polygons and is asked for a map, and then for how many hectares.
#
# Install `geotoolz-core[catalog,vector]`, `geotoolz-learn` and matplotlib. The scene is real: Landsat 5 over Pará, Brazil,
# with 36 polygons (`GEOTOOLZ_DATA` says where it lies). The areas at the end are of a simulated scene, because there the
# truth is known.

# %%
import tempfile
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

import geotoolz as gz
from geotoolz.core.testing import data_path, simulate_scene
from geotoolz.learn import PixelwiseClassifier, TrainingRows, accuracy_report, fit_rows
from geotoolz.vector import sample_training, vectorize
from geotoolz.viz import CategoricalColormap, plot_legend, plot_rgb

work = Path(tempfile.mkdtemp())
folder = data_path("ls5_tm_dem_training_para")

# %% [markdown]
# ## Polygons become rows
#
# One row per pixel whose centre a polygon covers: the bands, the class, and which polygon it came from. The file says
# that northings are negative in a zone of the northern hemisphere; that is Landsat's way, and nothing has to be done.
# The thermal band stays out: it tells the time of day.

# %%
scene = gz.open_tile(folder / "lsat.tif")
polygons = gpd.read_file(folder / "training_polygons_lsat.gpkg")
bands = [name for name in scene.data_vars if name != "B6_dn"]
table = sample_training(scene, polygons, "class", bands=bands)
print(polygons["class"].value_counts().sort_index().to_dict(), "polygons")
print(table.label.value_counts().sort_index().to_dict(), "pixels")
# >>> {'cleared': 10, 'fallen_dry': 8, 'forest': 9, 'water': 9} polygons
# >>> {'cleared': 1124, 'fallen_dry': 220, 'forest': 2271, 'water': 795} pixels

# %% [markdown]
# ## A model, and what it is worth
#
# `fit_rows` clones the estimator, fits it, and keeps what must be known to use it rightly: the features in order, the
# classes, the versions. The cross-validation holds out whole polygons (`groups`, which the table brought): pixels of one
# polygon are alike, and a model that has seen half of them knows the other half.

# %%
rows = TrainingRows.from_table(table)
forest = RandomForestClassifier(n_estimators=200, min_samples_leaf=2)
model = fit_rows(forest, rows, cv=GroupKFold(6), random_state=0)
print(model, [round(score, 3) for score in model.metrics["cv"]["folds"]])

held_out = np.empty(len(rows), dtype=object)
for train, test in LeaveOneGroupOut().split(rows.X, rows.y, rows.groups):
    held_out[test] = fit_rows(forest, rows.take(train), random_state=0).predict_rows(rows.X[test])
report = accuracy_report(rows.y, held_out, groups=rows.groups, bootstrap=1000)
print(f"overall accuracy {report.confusion.overall_accuracy:.3f}")
low, high = report.intervals["overall_accuracy"]
print(f"95 % interval, polygons drawn anew: {low:.3f} to {high:.3f}")
# >>> FittedPixelModel(RandomForestClassifier, 6 features, 4410 rows) [0.997, 0.995, 0.999, 0.995, 1.0, 0.997]
# >>> overall accuracy 0.998
# >>> 95 % interval, polygons drawn anew: 0.996 to 0.999

# %% [markdown]
# ## The map
#
# `PixelwiseClassifier` finds the bands by name and writes one variable of codes, with the names of the classes as CF flags.
# `WriteCOG` puts names and colours beside it, where QGIS and GDAL read them. The model goes into the pipeline as a file
# with a hash, so that the pipeline can be kept as YAML and run by any driver.

# %%
reference = model.save(work / "land-cover.gtz")
pipeline = gz.Sequential(
    [PixelwiseClassifier(reference, name="cover"), gz.io.WriteCOG(str(work / "cover.tif"), bands=("cover",))]
)
mapped = pipeline(scene)
gz.save(pipeline, work / "land-cover.yaml")
again = gz.load(work / "land-cover.yaml")
print(again.config_hash() == pipeline.config_hash())

with rasterio.open(work / "cover.tif") as file:
    codes, crs = file.read(1), file.crs
print(
    crs,
    dict(
        zip(mapped.cover.attrs["flag_meanings"].split(), np.bincount(codes.ravel())[1:].tolist(), strict=True)
    ),
)

figure, axes = plt.subplots(1, 2, figsize=(10, 4.4))
band = scene.B4_dn
axes[0].imshow(band, cmap="gray")
axes[0].set_title("near infrared, digital numbers")
axes[0].set_axis_off()
colours = {
    1: ("cleared", "#d8b365"),
    2: ("fallen dry", "#8c510a"),
    3: ("forest", "#1b7837"),
    4: ("water", "#2166ac"),
}
paint = CategoricalColormap("cover", colours)
plot_rgb(paint(mapped), ax=axes[1])
axes[1].set_title("land cover")
plot_legend(paint.legend(mapped, present=True), ax=axes[1])
# >>> True
# >>> EPSG:32622 {'cleared': 13680, 'fallen_dry': 4722, 'forest': 56123, 'water': 14445}

# %% [markdown]
# ## How many hectares?
#
# Counting pixels of a map is biased by the map's errors: what is often mistaken for something rare makes the rare thing
# large. The remedy is a *probability sample of the map*: points drawn at random within each mapped class, labelled by
# somebody who does not look at the map. Training polygons are none, and cross-validation is none either.
#
# Here the truth is known, so that the interval can be held against it: a simulated scene, a model trained on a few
# of its fields, 150 points in each mapped class.

# %%
bands = ("blue", "green", "red", "nir", "swir16")
ground = simulate_scene((400, 400), bands=bands, truth=True, cloud_cover=0, seed=4)
fields = vectorize(ground, "truth_class", min_area=5_000)
fields["geometry"] = fields.buffer(-10)
fields = fields[~fields.is_empty].groupby("name").head(2)
small = RandomForestClassifier(n_estimators=100, max_depth=6)
rows = TrainingRows.from_table(sample_training(ground, fields, "name", bands=bands))
cover = PixelwiseClassifier(fit_rows(small, rows, random_state=0), name="cover")(ground).cover

rng = np.random.default_rng(0)
names = dict(zip(cover.attrs["flag_values"].tolist(), cover.attrs["flag_meanings"].split(), strict=True))
codes = dict(
    zip(
        ground.truth_class.attrs["flag_meanings"].split(),
        ground.truth_class.attrs["flag_values"],
        strict=True,
    )
)
strata = [np.flatnonzero(cover.values == code) for code in names]
points = np.concatenate([rng.choice(pixels, 150, replace=False) for pixels in strata if len(pixels)])
seen = np.array([names[code] for code in cover.values.ravel()[points]])
labelled = np.array(list(codes))[ground.truth_class.values.ravel()[points]]  # the interpreter's answer

hectares = dict.fromkeys(codes, 0.0)  # a class that no field showed is not on the map
hectares.update({name: len(pixels) / 100 for name, pixels in zip(names.values(), strata, strict=True)})
del hectares["outside"]
areas = accuracy_report(labelled, seen, mapped_area=hectares).areas
print(f"overall accuracy {areas.overall_accuracy:.3f} ± {1.96 * areas.overall_accuracy_se:.3f}")
print(f"{'hectares':18}  counted  estimated          truth")
inside = 0
for label, counted, area, se in zip(areas.labels, areas.mapped_area, areas.area, areas.area_se, strict=True):
    actual = float((ground.truth_class.values == codes[label]).sum()) / 100
    inside += abs(actual - area) <= 1.96 * se
    print(f"{label:18}  {counted:7.1f}  {area:7.1f} ± {1.96 * se:5.1f}  {actual:7.1f}")
print(inside, "of", len(areas.labels), "truths lie in their interval")
# >>> overall accuracy 0.721 ± 0.022
# >>> hectares            counted  estimated          truth
# >>> broadleaf_forest      289.9    279.1 ±   9.2    283.1
# >>> built_up               67.3     39.1 ±   5.3     41.7
# >>> grassland             115.4    147.3 ±  19.6    138.1
# >>> maize                 365.5    138.5 ±  28.1    169.6
# >>> needleleaf_forest     504.3    516.4 ±   8.7    513.3
# >>> rapeseed                0.0    103.9 ±  26.0     87.4
# >>> road                    0.0     12.1 ±   4.2     11.5
# >>> sugar_beet             27.3     78.7 ±  21.3     74.2
# >>> water                  11.3     11.3 ±   0.0     11.4
# >>> winter_cereal         218.9    273.6 ±  34.1    269.7
# >>> 8 of 10 truths lie in their interval

# %% [markdown]
# Counted, maize has twice its area, because rapeseed was too small to be trained on and went into maize. The estimates
# find it again, from the points alone. An interval of ± 0 says that no error was *seen*, not that there is none; few points
# in a class mean wide intervals, and about one truth in twenty lies outside.

# %% [markdown]
# ## When not to use it
#
# Where one polygon per class is all there is: nothing can be held out. Where the map covers what the polygons do not
# show (another region, another season): look at the area of applicability first (`training_dissimilarity`,
# `AreaOfApplicability`). Where shape and neighbourhood tell more than the spectrum (buildings, roads): a segmentation
# network. And no interval helps where the labels themselves are guesses.
