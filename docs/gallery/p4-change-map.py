# %% [markdown]
# # P4 · A burn map from two dates
#
# A scene before a fire and one after it become a map of burn severity, without the specks that no fire makes, and
# polygons with their area for the people who go there. This page opens the pair as a stack, masks clouds on both dates,
# computes dNBR and its classes, drops patches below half a hectare, and writes a GeoPackage.
#
# **Who needs this:** whoever is asked on Monday what burnt on Saturday, and how badly.
#
# Install `geotoolz-core[vector]`, `geotoolz-cloud` and matplotlib. The two scenes are simulated, with a fire painted
# in, so that the page can say how much of it the map found.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import geotoolz as gz
from geotoolz.cloud import MaskClouds, RemoveSmallPatches
from geotoolz.core import QuantityError, TileError
from geotoolz.core.testing import simulate_series, write_scene
from geotoolz.io import WriteCOG
from geotoolz.radiometry import MinMax
from geotoolz.temporal import BurnSeverity, open_pair
from geotoolz.vector import vectorize
from geotoolz.viz import CategoricalColormap, FalseColor, plot_legend, plot_rgb

work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Two scenes and a fire
#
# The same ground on 9 and 19 August 2023. The fire is an ellipse: worst in the middle, with an island that it spared.
# Fire takes the near infrared away and adds to the short wave infrared; so do twenty plots of 30 m that somebody
# cleared in between.

# %%
bands = ("green", "red", "nir", "swir22", "scl")
dates = ("2023-08-09T10:00:31Z", "2023-08-19T10:00:31Z")
before, after = simulate_series(dates=dates, shape=(300, 300), bands=bands, cloud_cover=[0.04, 0.06], seed=8)

rows, cols = np.mgrid[0:300, 0:300]
away = ((rows - 150) / 80) ** 2 + ((cols - 140) / 100) ** 2
share = np.clip(1.3 * (1 - away), 0, 1)
share[(rows - 160) ** 2 + (cols - 190) ** 2 < 18**2] = 0
cleared = np.zeros_like(share)
for row, col in np.random.default_rng(1).integers(5, 60, (20, 2)) * [1, 4]:
    cleared[row : row + 3, col : col + 3] = 0.8
bare = np.maximum(share, cleared).astype("f4")
after["nir"] = after.nir * (1 - 0.75 * bare)
after["swir22"] = after.swir22 + (0.32 - after.swir22) * (0.8 * bare)
scenes = [write_scene(scene, work / "scenes") for scene in (before, after)]
print([scene.name for scene in scenes])
# >>> ['S2A_T33E500N5100_20230809_8_L2A', 'S2B_T33E500N5100_20230819_8_L2A']

# %% [markdown]
# ## One stack
#
# `open_pair` reads the second scene on the grid of the first and puts both dates along `time`. From here on it is a
# stack like any other, and `MaskClouds` treats every date by its own quality layer.

# %%
stack = open_pair(*scenes, bands)
clear = MaskClouds()(stack)
print(dict(stack.sizes), [str(day)[:10] for day in stack.time.values])
print("seen on both dates:", f"{clear.nir.notnull().all('time').mean().item():.0%}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4.4))
for i, ax in enumerate(axes):
    plot_rgb(FalseColor("swir22", "nir", "red", vmax=0.45)(stack.isel(time=i)), ax=ax)
    ax.set_title(str(stack.time.values[i])[:10])
# >>> {'time': 2, 'y': 300, 'x': 300} ['2023-08-09', '2023-08-19']
# >>> seen on both dates: 73%

# %% [markdown]
# ## Severity
#
# `BurnSeverity` writes dNBR, *before minus after*, and a map of the seven classes of FIREMON (Key and Benson 2006) with
# their names and colours. A limit belongs to the class above it; 0 is no data.

# %%
severity = BurnSeverity("2023-08-09", "2023-08-19")(clear)
names = severity.severity.attrs["flag_meanings"].split()
counts = np.bincount(severity.severity.values.ravel(), minlength=8)
for name, count in zip(["no_data", *names], counts, strict=True):
    print(f"{name:24} {count:6}")
# >>> no_data                   24518
# >>> enhanced_regrowth_high        3
# >>> enhanced_regrowth_low        48
# >>> unburned                  47645
# >>> low_severity               4157
# >>> moderate_low_severity      3341
# >>> moderate_high_severity     4307
# >>> high_severity              5981

# %% [markdown]
# ## A minimum area
#
# Cleared plots, a new building site, the rim of a cloud: small patches are something else. Burnt pixels of
# *any* class that touch make one patch (a fire has a hot middle and a cool rim), and patches below 5000 m² become
# *unburned*. The operator looks as far as a patch of that size can reach and no farther, so it works in windows too.

# %%
burnt_classes = (4, 5, 6, 7)
sieve = RemoveSmallPatches("severity", burnt_classes, to=3, min_area=5000.0)
mapped = sieve(severity)
burnt = {
    name: np.isin(tile.severity.values, burnt_classes)
    for name, tile in (("all", severity), ("large", mapped))
}
seen = severity.severity.values > 0
truth = (share > 0.3) & seen
for name, mask in burnt.items():
    found, wrong = (mask & truth).sum() / truth.sum(), (mask & (share == 0)).sum()
    print(
        f"{name:6} {mask.sum() / 100:5.1f} ha: found {found:.1%} of the fire, {wrong / 100:.2f} ha elsewhere"
    )

figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), width_ratios=(1, 1))
paint = CategoricalColormap("severity")
for ax, tile, title in zip(axes, (severity, mapped), ("as classified", "without small patches"), strict=True):
    plot_rgb(paint(tile), ax=ax)
    ax.set_title(title)
plot_legend(paint.legend(mapped, present=True), ax=axes[1])
# >>> all    177.9 ha: found 100.0% of the fire, 1.55 ha elsewhere
# >>> large  176.3 ha: found 100.0% of the fire, 0.00 ha elsewhere

# %% [markdown]
# ## Polygons
#
# `vectorize` follows the edges of the pixels. Each polygon has the class, its area and the mean dNBR of its pixels.

# %%
polygons = vectorize(mapped, "severity", classes=burnt_classes, statistics={"dnbr": "mean"})
polygons.to_file(work / "burnt.gpkg", layer="severity")
table = polygons.groupby("name").agg(
    patches=("area_m2", "size"), hectares=("area_m2", lambda m2: round(m2.sum() / 1e4, 2))
)
print(table.loc[[name for name in names if name in table.index]].to_string())
print(round(polygons.area_m2.sum() / 1e4, 2) == burnt["large"].sum() / 100)
# >>>                         patches  hectares
# >>> name
# >>> low_severity                 13     41.13
# >>> moderate_low_severity        19     33.41
# >>> moderate_high_severity       67     42.36
# >>> high_severity                23     59.41
# >>> True

# %% [markdown]
# ## Files for the map, and the same as a command
#
# The class map opens in QGIS with names and colours: they stand in the file and beside it.

# %%
pipeline = gz.Sequential([MaskClouds(), BurnSeverity(), sieve, WriteCOG(str(work / "{band}.tif"))])
pipeline(stack)
again = gz.open_tile(work / "severity.tif")
print(sorted(path.name for path in work.glob("severity*")))
print(
    (again.severity.values == mapped.severity.values).all(), again.severity.attrs["flag_meanings"].split()[-1]
)
# >>> ['severity.tif', 'severity.tif.aux.xml']
# >>> True high_severity

# %% [markdown]
# On the command line that pipeline is the preset `burn-severity`:
#
# ```
# geotoolz pipeline show burn-severity
# geotoolz temporal burn-severity BEFORE AFTER out/ --min-area 5000
# ```
#
# ## What is caught
#
# A ratio of stretched values is no NBR; a date has to be there; and the earlier scene is the one before.

# %%
mistakes = (
    lambda: BurnSeverity()(MinMax(limits={"nir": (0.0, 0.5)}, bands=("nir",))(clear)),
    lambda: BurnSeverity("2023-08-09", "2023-08-22")(clear),
    lambda: open_pair(scenes[1], scenes[0], bands),
)
for mistake in mistakes:
    try:
        mistake()
    except (QuantityError, TileError) as error:
        print(type(error).__name__, "·", str(error).partition(";")[0])
# >>> QuantityError · BurnSeverity reads 'nir', which was stretched for display (MinMax)
# >>> TileError · BurnSeverity: no scene of 2023-08-22
# >>> TileError · the scene before is of 2023-08-19T10:00:31Z, the one after of 2023-08-09T10:00:31Z

# %% [markdown]
# ## When not to use it
#
# - Where severity has to mean something on the ground: the limits are those of forests in the western United States.
#   Calibrate with field plots and give `breaks=`; in thin vegetation take `metric="rdnbr"` or `"rbr"`.
# - Where the two scenes are of different seasons: drying and harvest look like a light burn. Take the same month of the
#   year before, as MTBS does, or a composite of several dates on each side.
# - For smouldering fires under smoke, for fires of this hour, or for perimeters that decide about insurance.
