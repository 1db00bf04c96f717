# %% [markdown]
# # P6 · Porting a notebook
#
# A notebook that many teams have: load a month of Sentinel-2 with odc-stac and dask, mask the clouds by SCL, take the
# median, compute NDVI. This page puts it beside the same job in geotoolz: lines, pixels, CPU time, memory.
#
# **Who needs this:** whoever has such a notebook, and wonders what moving it would cost and bring.
#
# Install `geotoolz-core[catalog,stac,dask]`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The scenes are four
# dates of T33TWL, August 2023, at 120 m (`GEOTOOLZ_DATA` says where they lie), with the items of Earth Search.

# %%
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rasterio

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import geobox_of
from geotoolz.core.testing import data_path
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning

warnings.simplefilter("ignore", MetadataWarning)  # the scenes were reduced to 120 m; U1 shows what is said
work = Path(tempfile.mkdtemp())
scenes = work / "scenes"

# %% [markdown]
# The reduced files have lost their georeference. geotoolz takes it from the item; odc-stac needs it in the file. So
# that both read the same files, they are written anew as a provider has them.

# %%
for item in sorted(data_path("s2_l2a_33TWL_croatia").glob("*/*_stac_item.json")):
    folder = scenes / item.parent.name
    folder.mkdir(parents=True)
    (folder / item.name).write_text(item.read_text())
    grid = geobox_of(gz.open_tile(item.parent, ["red"]))
    for name in ("B02", "B03", "B04", "B08", "SCL"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = rasterio.open(item.parent / f"{name}.tif").read(1)
        shape = {"height": pixels.shape[0], "width": pixels.shape[1], "count": 1, "dtype": pixels.dtype}
        with rasterio.open(
            folder / f"{name}.tif", "w", crs=str(grid.crs), transform=grid.affine, tiled=True, **shape
        ) as file:
            file.write(pixels, 1)

catalog = gz.GeoCatalog.from_folder(scenes)
(work / "items.json").write_text(json.dumps(catalog.to_items()))
print(len(catalog), "scenes ·", tuple(grid.shape), "pixels of", grid.resolution.x, "m")
# >>> 4 scenes · (915, 915) pixels of 120.0 m

# %% [markdown]
# ## The notebook
#
# It is written with care. The item's offset is *not* applied, because its `earthsearch:boa_offset_applied` says that
# the pixels have lost it already; integers become floats before they are subtracted; 0 is no-data; flags are taken by
# the nearest pixel. Each of these is a line that notebooks forget (P7 shows what follows).

# %%
NOTEBOOK = """
import odc.stac, pystac

items = [pystac.Item.from_dict(item) for item in items]
ds = odc.stac.load(items, bands=["red", "nir", "scl"], geobox=grid, groupby="solar_day",
                   resampling={"scl": "nearest", "*": "bilinear"}, chunks={"y": 512, "x": 512})
clear = ~ds.scl.isin([3, 8, 9, 10])
valid = {name: (ds[name] * 1e-4).where(clear & (ds[name] != 0)).astype("float32") for name in ("red", "nir")}
red, nir = (valid[name].median("time", skipna=True) for name in ("red", "nir"))
ndvi = ((nir - red) / (nir + red)).compute()
"""

# %% [markdown]
# ## The same in geotoolz
#
# Masks go by the product, scale and offset by the item, no-data by the file. What the month's image is worth comes
# with it: `observations` and `clear_share` beside the bands.

# %%
PORTED = """
from geotoolz.cloud import MaskClouds
from geotoolz.indices import NDVI
from geotoolz.temporal import monthly_composite

mask = MaskClouds(["cloud", "cirrus", "shadow"])
month = monthly_composite(catalog, grid, bands=["red", "nir"], mask=mask)
ndvi = NDVI()(month).ndvi[0]
"""

# %% [markdown]
# ## Side by side
#
# Each runs in a process of its own, twice: the first time imports, compiles and fills caches, the second is measured.

# %%
RUNNER = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import geotoolz as gz
from geotoolz.core import geobox_of
archive, work, code = sys.argv[1:]
catalog = gz.GeoCatalog.from_folder(archive)
grid = geobox_of(gz.open_tile(archive + "/S2B_33TWL_20230820_0_L2A", ["red"]))
for turn in range(2):
    items = json.load(open(work + "/items.json"))
    begin = time.process_time()
    exec(code)
    seconds = time.process_time() - begin
import numpy as np
np.save(work + "/ndvi.npy", ndvi.values)
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def measured(code):
    command = [sys.executable, "-c", RUNNER, str(scenes), str(work), code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, memory = json.loads(done.stdout)
    return np.load(work / "ndvi.npy"), seconds, memory, len(code.strip().splitlines())


theirs, seconds, memory, lines = measured(NOTEBOOK)
ours, our_seconds, our_memory, our_lines = measured(PORTED)
print(f"lines: {lines} → {our_lines}")
print(
    f"CPU seconds: {seconds:.2f} → {our_seconds:.2f}; peak of the process: {memory:.0f} → {our_memory:.0f} MB"
)
# >>> lines: 9 → 7
# >>> CPU seconds: ... → ...; peak of the process: ... → ... MB

# %% [markdown]
# ## The pixels

# %%
both = ~np.isnan(theirs) & ~np.isnan(ours)
off = np.abs(theirs - ours)[both]
print(
    f"largest difference: {off.max():.1e}; no-data in one of them only: {(np.isnan(theirs) ^ np.isnan(ours)).sum()}"
)

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axis, (title, values) in zip(axes, {"odc-stac + dask": theirs, "geotoolz": ours}.items(), strict=True):
    shown = axis.imshow(values, vmin=0, vmax=0.9, cmap="RdYlGn")
    axis.set(title=title, xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, shrink=0.8, label="NDVI of the month's median")
plt.show()
# >>> largest difference: 0.0e+00; no-data in one of them only: 0

# %% [markdown]
# ## What the port brings besides
#
# The notebook's numbers stand in its cells. The ported job is a value: it can be written down, hashed, checked against
# a catalog before a pixel is read, and driven by the command line, a nightly run or a cluster.

# %%
step = gz.Sequential([MaskClouds(["cloud", "cirrus", "shadow"]), NDVI()])
print(gz.dump(step))
print(step.config_hash()[:18])
print([finding.message for finding in gz.check(step, gz.io.describe(scenes / "S2B_33TWL_20230820_0_L2A"))])
# >>> _target_: geotoolz.core.Sequential
# >>> operators:
# >>> - _target_: geotoolz.cloud.MaskClouds
# >>>   flags: [cloud, cirrus, shadow]
# >>> - _target_: geotoolz.indices.NDVI
# >>>
# >>> 81c6c39dab0525ed03
# >>> []

# %% [markdown]
# ## When not to use it
#
# odc-stac loads what geotoolz has no table for (any collection, any band), and dask runs what no operator here
# computes. `catalog.stack(…)` gives a lazy stack of dask arrays with offsets and no-data settled, for a notebook that
# wants to go on in xarray.
