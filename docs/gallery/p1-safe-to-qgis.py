# %% [markdown]
# # P1 · From my SAFE archive to a map in QGIS
#
# A Sentinel-2 product as it comes from the Copernicus Data Space is a zip of JPEG 2000 files in three pixel sizes, with
# the meaning of its numbers in two XML files. This page goes from the zip to a cloud-masked NDVI that opens in QGIS
# with its colours, in three lines, and then looks at what those three lines did.
#
# **Who needs this:** whoever has downloaded a product today and wants to see a map this evening.
#
# Install `geotoolz-core[viz]`, `geotoolz-cloud`, `geotoolz-indices`. The archive is simulated, in the format's real
# layout; put the path of your own in its place.

# %%
import tempfile
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rasterio

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import write_safe
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG, describe

work = Path(tempfile.mkdtemp())
scene = {"shape": (600, 600), "datetime": "2023-06-18T10:00:31Z", "cloud_cover": 0.2}
archive = write_safe(scene, work, level="L2A", baseline="05.09", zipped=True)
print(archive.name)
print(len(zipfile.ZipFile(archive).namelist()), "files inside")
# >>> S2A_MSIL2A_20230618T100031_N0509_R079_T33TWL_20230618T140031.SAFE.zip
# >>> 39 files inside

# %% [markdown]
# ## Three lines

# %%
tile = gz.open_tile(archive, ["red", "nir", "scl"], resolution=10)
ndvi = gz.Sequential([MaskClouds(), NDVI()])(tile)
paths = WriteCOG(str(work / "out" / "{tile_id}_{band}.tif"), bands=("ndvi",)).write(ndvi, created=("ndvi",))
print(*sorted(path.name.removeprefix(tile.attrs["tile_id"]) for path in (work / "out").iterdir()))
# >>> _ndvi.qml _ndvi.tif

# %% [markdown]
# The same from the command line, without Python: `geotoolz run ndvi PRODUCT.SAFE.zip out/ --res 10`.
#
# ## What was read
#
# Nothing is unpacked. The product's metadata say what a number means: divided by 10 000, after 1000 has been subtracted,
# because the baseline is 05.09. `scl` has pixels of 20 m and was laid on the 10 m grid by its nearest pixel: classes
# are never averaged. Angles and times come along.

# %%
print({name: str(band.dtype) for name, band in tile.data_vars.items()}, dict(tile.sizes))
print(
    "offset by",
    tile.red.attrs["offset_source"],
    "· median reflectance",
    tile.red.median().item().__round__(3),
)
for name in ("platform", "processing_level", "processing_baseline", "datetime"):
    print(f"{name}: {tile.attrs[name]}")
print(f"sun elevation: {tile.attrs['sun_elevation']:.1f}°")
# >>> {'red': 'float32', 'nir': 'float32', 'scl': 'uint8'} {'y': 600, 'x': 600}
# >>> offset by product metadata · median reflectance 0.1
# >>> platform: sentinel-2a
# >>> processing_level: L2A
# >>> processing_baseline: 05.09
# >>> datetime: 2023-06-18T10:00:31.024000Z
# >>> sun elevation: 64.3°

# %% [markdown]
# What else the archive holds can be asked without reading a pixel. Bands of other pixel sizes can be had on any grid:

# %%
print(", ".join(describe(archive).variables))
print(dict(gz.open_tile(archive, ["red", "swir16"], resolution=20).sizes))
# >>> coastal, blue, green, red, rededge071, rededge075, rededge078, nir, nir08, nir09, swir16, swir22, scl
# >>> {'y': 300, 'x': 300}

# %% [markdown]
# ## What was written
#
# A cloud-optimised GeoTIFF with its no-data value, description and units, and beside it a style that QGIS picks up when
# the file is opened: NDVI from brown to green, clouds transparent.

# %%
with rasterio.open(paths[0]) as file:
    print(
        file.descriptions, file.nodata, file.overviews(1), file.profile["blockxsize"], file.compression.value
    )
again = gz.open_tile(paths[0])
print("read back equal:", np.array_equal(again.ndvi, ndvi.ndvi, equal_nan=True))
style = next((work / "out").glob("*.qml"))
print(style.read_text().count("<item "), "colours in", style.suffix)
# >>> ('ndvi',) nan [2] 512 ZSTD
# >>> read back equal: True
# >>> 52 colours in .qml

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
axes[0].imshow(np.clip(np.dstack([tile.red, tile.red, tile.red]) * 4, 0, 1))
axes[0].set(title="red band", xticks=[], yticks=[])
shown = axes[1].imshow(ndvi.ndvi, vmin=-0.2, vmax=0.9, cmap="RdYlGn")
axes[1].set(title="NDVI, clouds masked", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes[1], shrink=0.8)
plt.show()

# %% [markdown]
# ## When something is wrong with it
#
# Downloads break off. What is missing is said when it is known, and what to do:

# %%
broken = work / archive.name.replace("T33", "T34")
broken.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
try:
    gz.open_tile(broken)
except gz.core.GeotoolzError as error:
    print(type(error).__name__, "·", str(error).replace(str(work), "…"))
# >>> ReadError · …/S2A_MSIL2A_20230618T100031_N0509_R079_T34TWL_20230618T140031.SAFE.zip cannot be read: File is not a zip file; expected a complete archive; the download may have been cut off: download it again

# %% [markdown]
# ## When not to use it
#
# For one look at one band, drag the zip into QGIS: GDAL opens it too. For more than one product, build a catalog of the
# folder (`geotoolz catalog build`) and run the pipeline over it; U2 shows how.
