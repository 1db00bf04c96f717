# %% [markdown]
# # B1 · STAC API → tiles → weekly composite → picture
#
# The way of most projects in five steps: ask an archive, cut the ground into tiles that fit into memory, make a
# composite of a week in every tile, lay the tiles side by side, look at it. Nothing in it depends on how large the
# area is.
#
# **Who needs this:** whoever has had a notebook that loads one area as one array, and now has a country.
#
# Install `geotoolz-core[catalog,stac]`, `geotoolz-cloud`, `geotoolz-indices`, and `rustac` for the server. The scenes
# are real (T33TWL, August 2023, at 120 m); so is the STAC API, rustac's, on this machine. With Earth Search or
# the Planetary Computer it is the same but for the address.

# %%
import json
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path
from urllib.request import urlopen

import matplotlib.pyplot as plt
import numpy as np

import geotoolz as gz
from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import build_mosaic, search
from geotoolz.catalog.tiling import UTMGrid
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import data_path
from geotoolz.indices import NDVI, AppendIndex
from geotoolz.io import MetadataWarning, WriteCOG, open_tile
from geotoolz.temporal import Composite

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## A STAC API
#
# rustac serves the items; their files lie on this disk (D8 has them behind a server of their own).

# %%
items = []
for path in sorted(data_path("s2_l2a_33TWL_croatia").glob("*/*_stac_item.json")):
    item = json.loads(path.read_text())
    wanted = {key: item["assets"][key] for key in ("red", "nir", "scl")}
    item["assets"] = {
        key: {**asset, "href": f"file://{path.parent / asset['href']}"} for key, asset in wanted.items()
    }
    items.append(item)
(work / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
rustac = shutil.which("rustac", path=sysconfig.get_path("scripts")) or "rustac"
command = [rustac, "serve", work / "items.json", "--create-collections", "--addr", f"127.0.0.1:{port}"]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(200):
    try:
        urlopen(f"http://127.0.0.1:{port}").close()
        break
    except OSError:
        time.sleep(0.05)

# %% [markdown]
# ## A week of scenes
#
# The week of 14 August, over the whole tile. The catalog goes into a file: workers open it there.

# %%
found = search(f"http://127.0.0.1:{port}", "sentinel-2-l2a", aoi="33TWL", time="2023-08-14/2023-08-20")
server.terminate()
server.wait()
scenes = gz.GeoCatalog.open(found.save(work / "week.parquet"))
for row in sorted(scenes.iter_rows(), key=lambda row: row.datetime):
    print(f"{row.datetime:%a %d %b}  {row.platform}  {row.cloud_cover:4.1f} % clouds")
# >>> Tue 15 Aug  sentinel-2a   0.2 % clouds
# >>> Fri 18 Aug  sentinel-2a  45.7 % clouds
# >>> Sun 20 Aug  sentinel-2b   8.1 % clouds

# %% [markdown]
# ## Tiles
#
# Cells of 27 km in the UTM zone, with pixels of 120 m. Each knows its grid and the scenes over it; none has been read.
# At continental size there are 10⁵ of them, and they are small.

# %%
cells = scenes.by_cell(UTMGrid(27_000, 120), aoi=(15.25, 45.2, 16.1, 45.75), bands=("red", "nir", "scl"))
print(len(cells), "cells ·", cells[0].tile_id, cells[0].cell.shape, len(cells[0].scenes), "scenes")
# >>> 9 cells · 33N_0019_0185 (225, 225) 3 scenes

# %% [markdown]
# ## The composite, cell by cell
#
# A cell opens as a stack `(time, y, x)`; the pipeline masks clouds date by date, takes the median of the week and adds
# NDVI. It runs on any engine, and a second run has nothing to do.

# %%
week = gz.Sequential(
    [
        MaskClouds(),
        Composite("median", count="count"),
        AppendIndex(NDVI()),
        WriteCOG("{tile_id}_{band}.tif", bands=("ndvi", "count")),
    ]
)


def job() -> CatalogPipeline:
    return CatalogPipeline(cells, week, work / "week", progress="none", quicklook=False)


print(job().run().counts, "then", job().plan().counts)
# >>> {'done': 9} then {'fresh': 9}

# %% [markdown]
# ## Side by side
#
# The outputs are a STAC collection: a catalog again. Cells share their edges, so nothing is resampled.

# %%
products = gz.GeoCatalog.from_folder(work / "week")
mosaic = open_tile(build_mosaic(products, work / "week.vrt").path)
count = mosaic["count"].values
print(f"{mosaic.sizes['y']} × {mosaic.sizes['x']} pixels; observations {count.min()} … {count.max()}")

# every pixel is what one stack over the whole area gives
whole = gz.Sequential(week.operators[:-1])(scenes.stack(mosaic.odc.geobox, ("red", "nir", "scl"), lazy=False))
print("as one stack:", bool(np.array_equal(mosaic.ndvi.values, whole.ndvi.values, equal_nan=True)))

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
first = axes[0].imshow(mosaic.ndvi, vmin=0, vmax=0.9, cmap="RdYlGn")
second = axes[1].imshow(count, cmap="viridis")
for axis, shown, title in (
    (axes[0], first, "NDVI, median of the week"),
    (axes[1], second, "clear observations"),
):
    axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axis, shrink=0.8)
plt.show()
# >>> 675 × 675 pixels; observations 0 … 3
# >>> as one stack: True

# %% [markdown]
# ## When not to use it
#
# One field, one date: `open_tile` with an `aoi`. One month of one area: `monthly_composite` does tiles and mosaic by
# itself (P2). Weeks one after the other as a series: `ResampleTime("weekly")` on a stack.
