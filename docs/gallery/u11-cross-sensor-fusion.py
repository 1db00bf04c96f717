# %% [markdown]
# # U11 · Cross-sensor fusion: optical, radar and elevation on one grid
#
# Three sensors, three grids, three reference systems. Each input needs steps of its own before they meet, and after
# they met one result is wanted for the map and another one for whoever checks it. That is no chain of steps but a
# graph.
#
# **Who needs this:** whoever builds features from several sensors, and does not want a notebook full of intermediate
# variables whose grids nobody remembers.
#
# Install `geotoolz-core`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The elevation model is real (the
# Vinschgau in the Alps at 250 m), and so is the pair of Sentinel-1 and Landsat-8 at the end; set `GEOTOOLZ_DATA` to the
# folder that holds them. The optical scene and the radar image over the Alps are simulated.

# %%
import matplotlib.pyplot as plt
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import (
    GeotoolzError,
    Graph,
    Input,
    dump,
    geobox_of,
    load,
    pixel_hash,
    run,
    tile_from_arrays,
)
from geotoolz.core.testing import data_path, simulate_scene
from geotoolz.fusion import AlignAndStack
from geotoolz.grid import MatchGrid, Reproject
from geotoolz.indices import NDVI
from geotoolz.sar import DBToLinear, EquivalentNumberOfLooks, LeeSpeckle, LinearToDB
from geotoolz.terrain import Hillshade, Slope

# %% [markdown]
# ## Three tiles that do not fit
#
# The optical scene comes in the neighbouring UTM zone at 20 m, the radar image in a European grid at 50 m, the
# elevation model at 250 m. The radar looks down from the west: slopes that face it are bright. Speckle of 4.4 looks is
# laid over it.

# %%
dem = gz.open_tile(data_path("dem_alps/elev_vinschgau_250m.tif")).rename(band_1="dem")
dem.dem.attrs |= {"quantity": "elevation", "units": "m"}

optical = simulate_scene(
    (500, 500),
    resolution=20,
    crs="EPSG:32633",
    origin=(166000.0, 5182000.0),
    bands=("red", "nir", "scl"),
    seed=4,
)

radar_grid = GeoBox((280, 280), Affine(50, 0, 4367500, 0, -50, 2623500), "EPSG:3035")
light = Hillshade(azimuth=270, altitude=50)(MatchGrid.like(radar_grid, "cubic")(dem)).hillshade.values
speckle = np.random.default_rng(1).gamma(4.4, 1 / 4.4, light.shape)
sar = tile_from_arrays(
    {"vv": (0.2 * light**2 * speckle).astype("float32")},
    radar_grid,
    var_attrs={"vv": {"quantity": "backscatter", "units": "1", "long_name": "simulated gamma nought"}},
    nodata={"vv": np.nan},
)
for name, tile in (("optical", optical), ("sar", sar), ("dem", dem)):
    grid = geobox_of(tile)
    print(
        f"{name:8s} EPSG:{grid.crs.epsg} {grid.resolution.x:5.0f} m  {grid.shape.y} × {grid.shape.x}",
        *tile.data_vars,
    )
# >>> optical  EPSG:32633    20 m  500 × 500 red nir scl
# >>> sar      EPSG:3035    50 m  280 × 280 vv
# >>> dem      EPSG:32632   250 m  194 × 252 dem

# %% [markdown]
# ## The graph
#
# Every step stands where its data are at home. Clouds are masked and speckle is filtered on the sensors' own pixels. The
# slope is computed at 250 m: computed after the resampling, it would show the facets that interpolation makes between
# heights. The radar is put on the new grid as power, and turned into decibels afterwards, because a mean of decibels is
# no mean power; `AlignAndStack` could do it the other way round, but nobody should.
#
# `target_grid="optical"` says whose pixels are kept as they are. The optical variables pass through untouched; the
# others are resampled. Cubic convolution would be sharper and would overshoot, to powers and slopes below zero;
# `method={"sar": "nearest", "dem": "average"}` chooses by input.

# %%
inputs = {name: Input(name) for name in ("optical", "sar", "dem")}
fused = AlignAndStack("optical", method="bilinear")(
    MaskClouds(("cloud", "cirrus", "shadow"))(inputs["optical"]),
    LeeSpeckle(window=7, looks=4.4)(inputs["sar"]),
    Slope()(inputs["dem"]),
)
graph = Graph(inputs, outputs={"features": LinearToDB()(NDVI()(fused)), "fused": fused})
print(*graph.nodes, "→", *graph.outputs)
# >>> maskclouds leespeckle slope fused ndvi features → features fused

# %%
out = graph(optical=optical, sar=sar, dem=dem)
for name, tile in out.items():
    print(f"{name:9s}", *tile.data_vars)
features = out["features"]
print(
    geobox_of(features) == geobox_of(optical),
    out["fused"].red.identical(MaskClouds(("cloud", "cirrus", "shadow"))(optical).red),
)
print(features.vv.attrs["units"], features.slope.attrs["units"], features.dem.attrs["units"])
# >>> features  red nir scl vv dem slope ndvi
# >>> fused     red nir scl vv dem slope
# >>> True True
# >>> dB degree m

# %% alt=Vegetation_index,_radar,_elevation_and_slope_on_one_grid
figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
shown = (
    ("ndvi", "RdYlGn", (0, 0.9)),
    ("vv", "gray", (-18, -4)),
    ("dem", "terrain", None),
    ("slope", "magma", None),
)
for axis, (name, cmap, limits) in zip(axes, shown, strict=True):
    low, high = limits or (None, None)
    colors = plt.get_cmap(cmap).with_extremes(bad="0.85")
    image = axis.imshow(features[name], cmap=colors, vmin=low, vmax=high, interpolation_stage="rgba")
    axis.set_title(f"{name} ({features[name].attrs['units']})", fontsize=10, loc="left")
    axis.set_axis_off()
    figure.colorbar(image, ax=axis, shrink=0.8)

# %% [markdown]
# ## The same graph from YAML
#
# The graph is plain configuration. Loaded again it is the same object with the same hash, and gives the same pixels, in
# a notebook, behind an API or in a nightly job. Neither windows nor threads nor lazy chunks change a bit: each window of
# the output is traced back through the resampling and the filters to the pixels of each input.

# %%
text = dump(graph)
print(text[: text.index("nodes:")].strip())
again = load(text)
print(again == graph, again.config_hash() == graph.config_hash())
tiles = {"optical": optical, "sar": sar, "dem": dem}
hashes = {
    "once more": again(**tiles),
    "128 × 128, two threads": run(graph, tiles, window=(128, 128), threads=2),
    "lazy": graph(**{name: tile.chunk({"y": 200, "x": 170}) for name, tile in tiles.items()}),
}
print(all(pixel_hash(each["features"]) == pixel_hash(features) for each in hashes.values()))
# >>> _target_: geotoolz.core.Graph
# >>> inputs: [optical, sar, dem]
# >>> True True
# >>> True

# %% [markdown]
# ## What goes wrong is said by name
#
# A missing input, one that is used and not declared, a target that is none of the inputs, two variables of one name, an
# input without a reference system: each is an error before a pixel is read.


# %%
def refused(attempt):
    """Print why an attempt is refused."""
    try:
        attempt()
    except GeotoolzError as error:
        print(type(error).__name__, "·", error.found.rpartition("(AlignAndStack): ")[2])


refused(lambda: graph(optical=optical, sar=sar))
refused(lambda: Graph({"optical": inputs["optical"]}, outputs={"fused": fused}))
refused(lambda: AlignAndStack("optcal")(tiles))
refused(lambda: AlignAndStack("a")({"a": sar, "b": sar}))
refused(lambda: AlignAndStack("optical")({"optical": optical, "sar": sar.drop_vars("spatial_ref")}))
# >>> ParameterError · the graph's input 'dem' is missing
# >>> ParameterError · Input('sar') is used and not among the graph's inputs
# >>> ParameterError · target_grid names 'optcal', which is not among the inputs (did you mean 'optical'?)
# >>> TileError · the inputs 'a' and 'b' both have a variable 'vv'
# >>> MissingCRSError · input 'sar': AlignAndStack needs the tile's grid in a known CRS, and the tile has none

# %% [markdown]
# ## What the target grid costs
#
# Whichever grid is chosen, the other inputs are resampled, and that is no free choice. Here is a real pair over Peru:
# Sentinel-1 and Landsat-8, which the data set brings on one grid at 30 m. Let the radar come as many services deliver
# it, in degrees, and bring it back onto the Landsat grid. The filter of speckle belongs before that: resampling mixes
# neighbours, so that what comes after sees more looks than the sensor had.

# %% rtol=0.02
folder = data_path("s1_l8_colocated_scikiteo_peru")
names = ["blue", "green", "red", "nir08", "swir16", "swir22"]
landsat = gz.open_tile(folder / "LC08_003069_20180906_clip.tif")
landsat = landsat.rename({f"band_{i + 1}": name for i, name in enumerate(names)})
decibels = gz.open_tile(folder / "S1_2018_VV_VH_clip.tif")[["band_1"]].rename(band_1="vv")
decibels.vv.attrs |= {"quantity": "backscatter", "units": "dB"}
radar = DBToLinear()(decibels)
inner = {"y": slice(4, -4), "x": slice(4, -4)}
for method in ("nearest", "bilinear", "cubic"):
    there = Reproject("EPSG:4326", resolution=0.00027, method=method)(radar)
    back = AlignAndStack("landsat", method=method)({"landsat": landsat[["nir08"]], "radar": there})
    off = (LinearToDB()(back).vv - decibels.vv).isel(inner)
    looks = (
        EquivalentNumberOfLooks()(back.isel(inner))["vv"] / EquivalentNumberOfLooks()(radar.isel(inner))["vv"]
    )
    print(
        f"{method:8s}  off by {float(np.sqrt((off**2).mean())):.2f} dB (RMS),  mean² / variance × {looks:.2f}"
    )
# >>> nearest   off by 0.00 dB (RMS),  mean² / variance × 1.00
# >>> bilinear  off by 1.23 dB (RMS),  mean² / variance × 1.49
# >>> cubic     off by 0.87 dB (RMS),  mean² / variance × 1.22

# %% [markdown]
# The nearest pixel keeps the statistics of speckle. It came back to its place here because both grids have about the
# same pixel size; on the way there it was moved by up to half a pixel. Bilinear interpolation smooths: speckle of four
# looks seems to have six. Cubic convolution smooths less. If the radar's resolution is what matters, make it the target
# and let the optical bands be resampled: `AlignAndStack("sar")`, one word.

# %% rtol=0.02
onto_radar = AlignAndStack("sar", method={"optical": "average", "dem": "cubic"}, fill={"scl": 0})(tiles)
print(geobox_of(onto_radar) == geobox_of(sar), onto_radar.vv.identical(sar.vv), *onto_radar.data_vars)
# >>> True True red nir scl vv dem

# %% [markdown]
# ## When not to use it
#
# - **One sensor.** A `Sequential` does, and reads better.
# - **Inputs that share a grid already.** `Merge` puts their variables into one tile and refuses others.
# - **Misregistration.** The inputs are brought onto one grid by their georeferencing. Where that is wrong by a pixel,
#   register them first; no resampling repairs it.
# - **Super-resolution and pan-sharpening.** Bringing coarse pixels onto a fine grid adds pixels, not detail.
# - **Dates that have to be matched.** Stacks need equal times here; choose or compose the dates before.
