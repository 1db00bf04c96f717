# %% [markdown]
# # S1 · A crop map from a catalog
#
# Fit one model on fields of many scenes, predict every scene of another catalog, on all processors, to COGs that open
# with names and colours. The pipeline of the features is one object, used by both.
#
# **Who needs this:** whoever makes a map of a region and not of a scene.
#
# Install `geotoolz-core[catalog,vector]`, `geotoolz-cloud`, `geotoolz-indices`, `geotoolz-learn` and matplotlib. The scenes
# are simulated, with clouds and in two UTM zones: their truth is known.

# %%
import tempfile
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold

import geotoolz as gz
from geotoolz.catalog import ReadLabel
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.indices import NDVI, NDWI
from geotoolz.io import WriteCOG
from geotoolz.learn import NanPolicy, PixelwiseClassifier, accuracy_report, fit_pixelwise
from geotoolz.patch import RandomSampler
from geotoolz.radiometry import SelectBands
from geotoolz.vector import vectorize
from geotoolz.viz import CategoricalColormap, plot_legend, plot_rgb

work = Path(tempfile.mkdtemp())
bands = ("blue", "green", "red", "nir", "swir16", "scl")
crops = {5: "winter_cereal", 6: "maize", 7: "rapeseed", 8: "sugar_beet"}

# %% [markdown]
# ## Scenes, and outlines with a crop
#
# Four scenes to learn from, two to map, one of them in the next UTM zone. Each training scene has a GeoPackage of field
# outlines beside it, named after the scene.

# %%
season = {"shape": (320, 320), "bands": bands, "cloud_cover": 0.2}
for seed in (1, 2, 3, 4):
    about = {**season, "seed": seed, "datetime": "2023-05-15T10:00:00Z"}
    write_scene({**about, "raw": True}, work / "train")
    truth = simulate_scene(**about, truth=True)
    fields = vectorize(truth, "truth_class", classes=list(crops), min_area=5_000)
    fields["geometry"] = fields.buffer(-10)
    (work / "fields").mkdir(exist_ok=True)
    fields[~fields.is_empty].to_file(work / "fields" / f"{truth.attrs['tile_id']}.gpkg")
for seed, zone in ((5, "EPSG:32633"), (6, "EPSG:32634")):
    write_scene(
        {**season, "seed": seed, "crs": zone, "datetime": "2023-05-15T10:00:00Z", "raw": True}, work / "new"
    )
train, new = (gz.GeoCatalog.from_folder(work / name) for name in ("train", "new"))
print(len(train), "scenes to learn from,", len(new), "to map")
# >>> 4 scenes to learn from, 2 to map

# %% [markdown]
# ## Features and labels
#
# Both are pipelines. A pixel under a cloud is NaN after `MaskClouds`, and `NanPolicy(on_input="drop")` leaves it out of
# the fit: nothing can be learnt from it. `{tile_id}` finds the outlines of each scene. The field's number goes along as
# group, so that the cross-validation holds out whole fields.

# %%
features = gz.Sequential([MaskClouds(), NDVI(), NDWI(), SelectBands((*bands[:-1], "ndvi", "ndwi"))])
codes = {name: code for code, name in crops.items()}
outlines = str(work / "fields" / "{tile_id}.gpkg")
labels = gz.Sequential([
    ReadLabel(outlines, column="name", name="crop", classes=codes), ReadLabel(outlines, column="field", name="field"),
])  # fmt: skip
for path in sorted((work / "fields").glob("*.gpkg")):
    fields = gpd.read_file(path)
    fields.assign(field=np.arange(len(fields)) + 1).to_file(path)

forest = RandomForestClassifier(n_estimators=100, min_samples_leaf=3)
model = fit_pixelwise(
    forest, features, labels, train, RandomSampler(64, count=15), 12_000, group_band="field", cv=GroupKFold(4),
    nodata_policy=NanPolicy(on_input="drop", on_label="drop"), balance="equal", engine="process", n_workers=2,
)  # fmt: skip
print(model, dict(model.class_names and zip(model.codes, model.class_names, strict=True)))
print(
    f"{model.metrics['cv']['mean']:.2f} of the pixels of fields held out;",
    "fitted in zone",
    33,
    "on",
    model.dates[0][:10],
)
# >>> FittedPixelModel(RandomForestClassifier, 7 features, 12000 rows) {5: 'winter_cereal', 6: 'maize', 7: 'rapeseed', 8: 'sugar_beet'}
# >>> 0.73 of the pixels of fields held out; fitted in zone 33 on 2023-05-15

# %% [markdown]
# ## The map of the catalog
#
# The same `features`, then the model as one operator, then `WriteCOG`: a pipeline as any other, kept as YAML with a hash,
# resumed when it stops. Where the model sees no pixel it writes 255; at prediction nothing is dropped.

# %%
pipeline = gz.Sequential([
    features, PixelwiseClassifier(model.save(work / "crops.gtz"), name="crop", nodata="mask"),
    WriteCOG("{tile_id}.tif", bands=("crop",)),
])  # fmt: skip
gz.save(pipeline, work / "crops.yaml")
report = gz.CatalogPipeline(
    new, work / "crops.yaml", work / "maps", engine="process", n_workers=2, progress="none"
).run()
again = gz.CatalogPipeline(new, work / "crops.yaml", work / "maps", engine="inline", progress="none").run()
print(report.counts, "· a second run:", again.counts)
# >>> {'done': 2} · a second run: {'fresh': 2}

# %% [markdown]
# ## Held against the truth
#
# Two scenes that the model has not seen, one in a zone that it has not seen.

# %%
maps = {}
for path in sorted((work / "maps").glob("*.tif")):
    mapped = gz.open_tile(path)
    seed, zone = (5, "EPSG:32633") if "T33" in path.stem else (6, "EPSG:32634")
    truth = simulate_scene(
        **{**season, "seed": seed, "crs": zone, "datetime": "2023-05-15T10:00:00Z"}, truth=True
    )
    field = np.isin(truth.truth_class.values, list(crops)) & (mapped.crop.values != 255)
    found = accuracy_report(truth.truth_class.values[field], mapped.crop.values[field], names=crops)
    print(path.stem, f"{found.confusion.overall_accuracy:.2f} of {field.sum()} field pixels,",
          f"{(mapped.crop.values == 255).mean():.0%} under clouds")  # fmt: skip
    maps[path.stem] = mapped
# >>> S2A_T33E500N5100_20230515_5_L2A 0.76 of 21745 field pixels, 38% under clouds
# >>> S2A_T34E500N5100_20230515_6_L2A 0.81 of 63077 field pixels, 23% under clouds

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
paint = CategoricalColormap("crop")
for ax, (name, mapped) in zip(axes, maps.items(), strict=True):
    plot_rgb(paint(mapped), ax=ax)
    ax.set_title(name, fontsize=8)
plot_legend(paint.legend(mapped, present=True), ax=axes[1])

# %% [markdown]
# ## When not to use it
#
# The model knows four crops: whatever else grows becomes one of them. Mask what is no field first, or give the model a
# class for it. One date tells some crops apart badly; series (S7) tell them better. And look at the area of applicability
# before a map of another region is believed.
