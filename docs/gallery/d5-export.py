# %% [markdown]
# # D5 · Export: rasters, polygons and a STAC item
#
# All stages before this one hand tiles on in memory. This one writes: the maps as cloud-optimised GeoTIFF, the objects as
# polygons with statistics for GIS, and beside them a STAC item that says what they are made of. Written is whole files or
# none, and a second run finds that nothing is left to do.
#
# **Who needs this:** whoever delivers results to people with QGIS, a database, or a catalog.
#
# Install `geotoolz-learn[torch]`. Set `GEOTOOLZ_DATA` to the folder with the scene of CSMask.

# %%
import json
import tempfile
from pathlib import Path

import geopandas
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.io import WriteCOG, write_tile
from geotoolz.learn import ModelOp, Postprocess, WritePolygons, train

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
    attrs={"tile_id": "csmask", "datetime": "2018-07-06T10:00:00Z"},
)
config = {
    "data": {"bands": bands, "classes": {"clear": 0, "cloud": 1}, "chip": 32},
    "model": {"parameters": {"width": 6, "depth": 2}},
    "fit": {"epochs": 3, "learning_rate": 0.01, "threads": 1, "device": "cpu"},
}
work = Path(tempfile.mkdtemp())
model = train(config, work / "run", [tile]).checkpoint

# %% [markdown]
# ## A catalog of two scenes
#
# The halves of the scene, as files.

# %%
for name, columns in (("west", slice(0, 256)), ("east", slice(256, 512))):
    half = tile[bands].isel(x=columns).assign_attrs(tile_id=name)
    write_tile(half, work / "scenes" / f"{name}.tif")
catalog = GeoCatalog.build(str(work / "scenes"))
print(len(catalog), "scenes")
# >>> 2 scenes

# %% [markdown]
# ## Polygons
#
# The pipeline ends in a sink. Statistics are of the pixels inside each polygon, areas are exact. `.gpkg` and `.geojson`
# are written the same way.

# %%
maps = gz.Sequential([ModelOp(model), Postprocess(0.5, min_pixels=25)])
polygons = WritePolygons("{item_id}.parquet", statistics={"probabilities": ("mean", "min"), "blue": "mean"})
job = CatalogPipeline(catalog, gz.Sequential([maps, polygons]), work / "polygons", progress="none")
print(job.run().counts, job.run().counts)
east = geopandas.read_parquet(work / "polygons" / "east.parquet")
print(", ".join(east.columns))
assert (east["probabilities_min"] >= 0.5).all()
assert (east["area_m2"] == east["pixels"] * 900).all()
# >>> {'done': 2} {'fresh': 2}
# >>> tile_id, datetime, value, name, pixels, area_m2, probabilities_mean, probabilities_min, blue_mean, geometry

# %% [markdown]
# ## Rasters
#
# Without statistics to compute, the same pipeline with another sink. Classes carry their names, percent their unit.

# %%
rasters = gz.Sequential(
    [maps, WriteCOG("{item_id}_{band}.tif", ("probabilities_percent", "binarized_segmentation"))]
)
report = CatalogPipeline(catalog, rasters, work / "rasters", progress="none").run()
print(report.counts)
with rasterio.open(work / "rasters" / "east_probabilities_percent.tif") as file:
    print(file.dtypes[0], file.nodata, file.units[0], file.crs)
with rasterio.open(work / "rasters" / "east_binarized_segmentation.tif") as file:
    objects = file.read(1)
assert int(objects.sum()) == int(east["pixels"].sum())
# >>> {'done': 2}
# >>> uint8 255.0 % EPSG:32633

# %% alt=Percent_of_cloud_in_the_eastern_half_with_the_outlines_of_the_polygons
percent = gz.open_tile(work / "rasters" / "east_probabilities_percent.tif", raw=True).probabilities_percent
figure, axis = plt.subplots(figsize=(4.5, 7.5), layout="constrained")
percent.plot.imshow(ax=axis, cmap="Blues_r", cbar_kwargs={"label": "cloud, %", "shrink": 0.6})
east.boundary.plot(ax=axis, color="crimson", linewidth=0.8)
axis.set(title="", xlabel="", ylabel="", aspect="equal")
axis.set_title(f"{len(east)} polygons\n", loc="left", fontsize=10)
# %% [markdown]
# ## The item
#
# It is written last, with checksums of the files and the hash of the pipeline: the mark that a tile is complete.

# %%
item = json.loads((work / "rasters" / "items" / "east.json").read_text())
print(", ".join(sorted(item["assets"])))
print(sorted(key for key in item["properties"] if key.startswith("geotoolz:"))[:3])
# >>> binarized_segmentation, binarized_segmentation-names, probabilities_percent, probabilities_percent-style, thumbnail
# >>> ['geotoolz:config_hash', 'geotoolz:input_hashes', 'geotoolz:inputs']

# %% [markdown]
# Every COG says the same of itself, wherever it travels: `geotoolz repro trace FILE` reads it.

# %% needs=geotoolz.repro
from geotoolz.repro import trace  # noqa: E402

origin = trace(next((work / "rasters").rglob("*percent*.tif")))
print(origin.config_hash == item["properties"]["geotoolz:config_hash"])
# >>> True

# %% [markdown]
# ## When not to use it
#
# Polygons end at the tile's border: a cloud on both halves is two polygons. Where objects must be whole, map a mosaic, or
# dissolve what touches afterwards. And a class that covers half of the country is no set of objects; keep the raster.
