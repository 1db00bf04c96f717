# %% [markdown]
# # P2 · A month over two zones
#
# An area between two UTM zones, a month of scenes from a STAC search: one cloud-free image on one grid, with the number
# of observations of every pixel beside it, and no seam where the zones meet.
#
# **Who needs this:** whoever maps a country, and not a tile.
#
# Install `geotoolz-core[catalog]`, `geotoolz-cloud`, `geotoolz-indices`, matplotlib, and `geotoolz-nextgen` for the last
# step. The scenes are simulated: two tiles on either side of 18° E show the same ground where they overlap, each date
# under its own sky. With a real search the items come from `pystac_client`; everything after that is the same.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pystac

import geotoolz as gz
from geotoolz.catalog import stack_grid
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.indices import NDVI
from geotoolz.temporal import monthly_composite

work = Path(tempfile.mkdtemp())
common = {
    "shape": (420, 420),
    "resolution": 20,
    "bands": ("red", "nir", "scl"),
    "world": "EPSG:32633",
    "raw": True,
}
for day in (2, 7, 12, 17, 22, 27):
    when = {"datetime": f"2023-06-{day:02d}T10:00:31Z", "cloud_cover": 0.35}
    write_scene({**common, **when, "crs": "EPSG:32633", "origin": (726_000, 5_102_000)}, work / "scenes")
    write_scene({**common, **when, "crs": "EPSG:32634", "origin": (265_600, 5_102_000)}, work / "scenes")

# %% [markdown]
# ## From items to one grid
#
# A catalog takes the items of a search. `stack_grid` puts the area on a grid of a pixel size, in the zone that most of
# the scenes have (or in any CRS that is named).

# %%
items = [pystac.Item.from_file(path) for path in sorted((work / "scenes").glob("*/*.json"))]
catalog = gz.GeoCatalog.from_items(items)
area = (17.95, 45.985, 18.05, 46.02)
grid = stack_grid(catalog, area, 20.0, crs="EPSG:32633")
print(len(catalog), "scenes in", sorted({row.epsg for row in catalog.iter_rows()}))
print("grid:", grid.crs, tuple(grid.shape))
# >>> 12 scenes in [32633, 32634]
# >>> grid: EPSG:32633 (210, 396)

# %% [markdown]
# ## The month
#
# Scenes of one day become one date: the first valid pixel wins, and no pixel is made of two scenes. Clouds and their
# shadows are masked on each date by the product's own classes, then the dates become a median. All of it goes window by
# window from the files to the result.

# %%
month = monthly_composite(catalog, grid, bands=["red", "nir"], min_obs=1)
print(month.attrs["tile_id"], dict(month.sizes), list(month.data_vars))
count = month.observations[0]
print(f"observations: {int(count.min())} … {int(count.max())}, mean {float(count.mean()):.1f};", end=" ")
print(f"pixels without one: {float((count == 0).mean()):.2%}")
# >>> 2023-06_median {'time': 1, 'y': 210, 'x': 396} ['red', 'nir', 'observations', 'clear_share']
# >>> observations: 0 … 6, mean 3.1; pixels without one: 1.77%

# %% [markdown]
# ## Files and items
#
# With `out=` the images become files: one COG per month and variable, a STAC item per month and their collection. The
# folder is a catalog again, which odc-stac and QGIS open as well.

# %%
paths = monthly_composite(catalog, grid, bands=["red", "nir"], out=work / "months")
months = gz.GeoCatalog.from_folder(work / "months")
print(len(paths), "files ·", [(row.id, str(row.start_datetime)[:10]) for row in months.iter_rows()])
# >>> 4 files · [('2023-06_median', '2023-06-02')]

# %% [markdown]
# ## Is there a seam?
#
# The simulation knows the ground without sky and noise. If the zones did not fit, the image would be off along the line
# where one tile ends: it is off there as much as anywhere else.

# %%
truth = simulate_scene(
    tuple(grid.shape),
    resolution=20,
    crs="EPSG:32633",
    origin=(grid.extent.boundingbox.left, grid.extent.boundingbox.top),
    datetime="2023-06-17T10:00:31Z",
    bands=("red", "nir"),
    truth="full",
    cloud_cover=0,
)
ndvi = NDVI()(month).ndvi[0]
ground = NDVI(red="truth_red", nir="truth_nir")(truth).ndvi.values
off = np.abs(ndvi.values - ground)
edge = np.abs(ndvi.x.values - 734_400) < 100  # where the western tile ends
print(
    f"median difference to the ground: {np.nanmedian(off):.3f}, along the tile's end {np.nanmedian(off[:, edge]):.3f}"
)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
first = axes[0].imshow(ndvi, vmin=0, vmax=0.9, cmap="RdYlGn")
second = axes[1].imshow(count, cmap="viridis")
for axis, shown, title in ((axes[0], first, "NDVI of the month"), (axes[1], second, "observations")):
    axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axis, shrink=0.8)
plt.show()
# >>> median difference to the ground: 0.018, along the tile's end 0.007

# %% [markdown]
# ## The same on Ray
#
# `engine=` hands the windows to processes or to a Ray cluster: what a worker gets is the recipe, the paths and a window.
# It reads that window of all dates from the files, masks and composes it. A window has the bits of the whole, so the
# image is the one from above, to the last bit. On the command line it is `--engine ray --workers 2`.

# %% needs=ray
clustered = monthly_composite(catalog, grid, bands=["red", "nir"], min_obs=1, engine="ray", n_workers=2)
print("equal:", all(clustered[name].equals(month[name]) for name in month))
# >>> equal: True

# %% [markdown]
# ## When not to use it
#
# One zone, one date, one scene: `open_tile` with an `aoi`. For composites that need more than the dates of a month (gap
# filling, trends) take `catalog.stack(…)` and the operators of `geotoolz.temporal`.
