# %% [markdown]
# # P3 · From field outlines to an NDVI series
#
# A growing season over a few dozen fields: outlines in, one table out, one row per field and date. Pixels on an edge
# count by the share that lies inside, clouds do not count at all, and how much of a field was seen stands in the table.
#
# **Who needs this:** whoever has outlines in a GeoPackage and wants to know what grows in them.
#
# Install `geotoolz-core[catalog,vector]`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The season is simulated;
# the points at the end are real (MODIS over Sinop, Brazil; `GEOTOOLZ_DATA` says where they lie).

# %%
import tempfile
import warnings
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import pandas as pd

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import data_path, simulate_scene, write_scene
from geotoolz.indices import NDVI
from geotoolz.vector import point_series, vectorize, zonal_statistics

work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The scenes and the outlines
#
# Fourteen dates of one ground, March to October, each under its own sky. The outlines are polygons of the simulation's
# land cover, shrunk by 5 m, as somebody would draw them: they do not follow pixels.

# %%
dates = pd.date_range("2023-03-05", "2023-10-20", periods=14).strftime("%Y-%m-%dT10:00:00Z")
ground = {"shape": (240, 240), "bands": ("red", "nir", "scl"), "raw": True}
for date in dates:
    write_scene({**ground, "datetime": date, "cloud_cover": 0.25}, work / "scenes")
catalog = gz.GeoCatalog.from_folder(work / "scenes")

truth = simulate_scene((240, 240), bands=("red",), truth=True, cloud_cover=0, datetime=dates[0])
fields = vectorize(truth, "truth_class", min_area=20_000, classes=[5, 6, 7, 8])
fields["geometry"] = fields.buffer(-5)
fields = fields.rename(columns={"name": "crop"})[["crop", "area_m2", "geometry"]]
fields.to_file(work / "fields.gpkg")
print(len(catalog), "scenes ·", len(fields), "fields ·", fields.crop.value_counts().to_dict())
# >>> 14 scenes · 67 fields · {'winter_cereal': 19, 'maize': 18, 'rapeseed': 18, 'sugar_beet': 12}

# %% [markdown]
# ## One call
#
# The pipeline is the one that makes the map; the statistics see each scene through it. Only the bands that it reads
# are opened, and only the pixels around the fields. `ndvi_count` is the clear area in pixels, edges by their share.

# %%
op = gz.Sequential([MaskClouds(), NDVI()])
table = zonal_statistics(
    catalog, work / "fields.gpkg", ("mean", "stdev", "count"), op=op, include_cols=["crop", "area_m2"]
)
table["seen"] = table.ndvi_count * 100 / table.geometry.area
table.to_parquet(work / "series.parquet")
print(len(table), "rows =", len(fields), "fields ×", len(catalog), "dates")
print(table[["zone", "crop", "datetime", "ndvi_mean", "seen"]].iloc[:5].round(2).to_string(index=False))
# >>> 938 rows = 67 fields × 14 dates
# >>>  zone          crop                  datetime  ndvi_mean  seen
# >>>     0 winter_cereal 2023-03-05 10:00:00+00:00       0.41  0.91
# >>>     0 winter_cereal 2023-03-22 10:00:00+00:00       0.53  0.71
# >>>     0 winter_cereal 2023-04-09 10:00:00+00:00       0.64  1.00
# >>>     0 winter_cereal 2023-04-26 10:00:00+00:00       0.65  0.77
# >>>     0 winter_cereal 2023-05-14 10:00:00+00:00       0.64  0.16

# %% [markdown]
# ## The season
#
# A date counts where at least 60 % of the field was seen. The median of all fields of a crop shows when it grows.

# %%
good = gpd.read_parquet(work / "series.parquet").query("seen >= 0.6")
good["date"] = pd.to_datetime(good.datetime).dt.date
season = good.groupby(["crop", "date"]).ndvi_mean.median().unstack("crop")
print(season.idxmax().to_string())

figure, axis = plt.subplots(figsize=(8, 3.5), layout="constrained")
for crop, series in season.items():
    axis.plot(series.dropna(), marker="o", label=crop.replace("_", " "))
axis.set(ylabel="NDVI, median of the fields", ylim=(0, 1))
axis.legend()
plt.show()
# >>> crop
# >>> maize            2023-08-10
# >>> rapeseed         2023-04-09
# >>> sugar_beet       2023-08-10
# >>> winter_cereal    2023-05-14

# %% [markdown]
# ## Points
#
# Where the ground truth is points, `point_series` reads the pixel under each: here twelve real MODIS composites of a
# year, and points that were labelled in the field. The files are bare rasters without an item: what they hold, and
# of which day, is said here. (February is cloudy: a composite is no better than its best day. Soy is harvested, maize
# is sown after it.)

# %%
folder = data_path("modis_ndvi_sinop_sits")
points = gpd.GeoDataFrame(
    table := pd.read_csv(folder / "samples_sinop_crop.csv"),
    geometry=gpd.points_from_xy(table.longitude, table.latitude),
    crs="EPSG:4326",
)
rows = []
for path in sorted(folder.glob("*.jp2")):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = point_series(path, points, bands=["band_1"], include_cols=["label"])
    rows.append(found.assign(date=pd.Timestamp(path.stem[-10:]), ndvi=found.band_1 * 1e-4))
year = pd.concat(rows)
print(
    year.pivot_table(index="label", columns=year.date.dt.strftime("%m"), values="ndvi", sort=False)
    .round(2)
    .to_string()
)
# >>> date        09    10    11    12    01    02    03    04    05    06    07    08
# >>> label
# >>> Pasture   0.36  0.58  0.53  0.71  0.69  0.15  0.38  0.65  0.61  0.55  0.38  0.34
# >>> Forest    0.85  0.78  0.71  0.88  0.89  0.15  0.88  0.87  0.85  0.85  0.87  0.82
# >>> Soy_Corn  0.41  0.42  0.68  0.89  0.65  0.21  0.65  0.81  0.63  0.48  0.39  0.36
# >>> Cerrado   0.73  0.88  0.62  0.71  0.68  0.16  0.62  0.77  0.80  0.79  0.69  0.73

# %% [markdown]
# ## When not to use it
#
# A mean over a field hides what varies within it; `quantile(q=0.1)` and `stdev` are there to ask. For statistics of
# classes in zones (`frac`, `unique`) keep the class map in the catalog and leave the pipeline out.
