# %% [markdown]
# # X2 · Exact chunking: windows of any size give the same bits
#
# A scene is cut into windows because it does not fit in memory, because there are several threads, or because a
# map asks for one corner of it. The cut should not be seen in the result. This page runs a neighbourhood filter, a
# reprojection and a percentile stretch on a real scene, whole and in windows, and compares the SHA-256 of the pixels.
# Then it does the same with the usual tools and counts the pixels that come out different.
#
# **Who needs this:** whoever has found seams in a mosaic, compares results of two machines, resumes half a run, or has
# to say why a pixel changed.
#
# Install `geotoolz-core[dask]`, `geotoolz-cloud`, `geotoolz-indices`, `geotoolz-patch`, scipy and matplotlib. The scene
# is the tile T33TWL of 20 August 2023 at 120 m; set `GEOTOOLZ_DATA` to the folder that holds it.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from rasterio.enums import Resampling
from rasterio.warp import reproject
from scipy.ndimage import uniform_filter

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import Extent, NotFrozenError, TileSpec, geobox_of, pixel_hash, run
from geotoolz.core.testing import assert_law, data_path
from geotoolz.grid import Reproject
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning
from geotoolz.patch import ApplyToChips, GridSampler, Hann, Stitcher, run_chips
from geotoolz.radiometry import BoxMean, MinMax, PercentileClip

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
scene = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
tile = gz.open_tile(scene, bands=["red", "green", "blue", "nir", "scl"])
print(dict(tile.sizes), f"EPSG:{tile.odc.crs.epsg}")
# >>> {'y': 915, 'x': 915} EPSG:32633

# %% [markdown]
# ## Every operator says how far it looks
#
# An operator has a *plan*: which variables it reads, which it writes, and how far around a pixel it looks. The plan is
# made of the tile's description; no pixel is read for it. A filter says its radius. A reprojection says which input
# pixels a rectangle of its output depends on. A stretch says that it needs statistics of the scene first.

# %%
spec = TileSpec.of(tile)
box, web = BoxMean(7, bands=("red",)), Reproject("EPSG:3857", resolution=170)
print("NDVI          ", NDVI().plan(spec).whole_footprint())
print("BoxMean       ", box.plan(spec).whole_footprint())
print(
    "Reproject     ",
    "output",
    web.plan(spec).grid.shape,
    "· rows and columns 256 … 511 need",
    web.plan(spec).grid.needed(Extent(256, 512, 256, 512)),
)
print("PercentileClip", "frozen:", PercentileClip(2, 98).is_frozen)
# >>> NDVI           Footprint(y=0, x=0, time=0, align=1)
# >>> BoxMean        Footprint(y=7, x=7, time=0, align=1)
# >>> Reproject      output (935, 932) · rows and columns 256 … 511 need Extent(y0=244, y1=506, x0=249, x1=511)
# >>> PercentileClip frozen: False

# %% [markdown]
# ## One pipeline, seven cuts
#
# Clouds are masked, an index computed, smoothed over 15 × 15 pixels and brought to web mercator. The runner goes
# through the pipeline backwards: for each window of the output it asks the reprojection for the pixels it needs, adds
# the filter's radius, and reads just that.

# %%
pipeline = gz.Sequential([MaskClouds(("cloud", "cirrus")), NDVI(), BoxMean(7, bands=("ndvi",)), web])
cuts = {
    "whole": {},
    "two threads": {"threads": 2},
    "single rows": {"window": (1, 2000)},
    "single columns": {"window": (2000, 1)},
    "256 × 256, two threads": {"window": (256, 256), "threads": 2},
    "37 × 411, three threads": {"window": (37, 411), "threads": 3},
    "larger than the tile": {"window": (5000, 5000), "threads": 2},
}
hashes = {}
for label, cut in cuts.items():
    hashes[label] = pixel_hash(run(pipeline, tile, outputs=["ndvi"], **cut))
    print(f"{hashes[label][:16]}  {label}")
print(len(set(hashes.values())), "hash of", len(hashes), "runs")
# >>> ...  whole
# >>> ...  two threads
# >>> ...  single rows
# >>> ...  single columns
# >>> ...  256 × 256, two threads
# >>> ...  37 × 411, three threads
# >>> ...  larger than the tile
# >>> 1 hash of 7 runs

# %% [markdown]
# The hash above may be another one on another kind of processor. It may not be another one for another cut.
#
# A lazy (dask) tile runs the same plan on its chunks:

# %%
lazy = pipeline(tile.chunk({"y": 300, "x": 211}))
print(type(lazy.ndvi.data).__module__.partition(".")[0], pixel_hash(lazy, "ndvi") == hashes["whole"])
# >>> dask True

# %% [markdown]
# Where do the windows come from? Left: the output with three of its windows. Right: the pixels of the input that each
# of them reads, the filter's radius included. Outside of them nothing is touched.

# %% alt=Windows_of_the_output_and_the_pixels_of_the_input_that_they_need
result = pipeline(tile)
before = gz.Sequential([MaskClouds(("cloud", "cirrus")), NDVI()])(tile)
greens = plt.get_cmap("RdYlGn").with_extremes(bad="0.85")
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.8), layout="constrained")
axes[0].imshow(result.ndvi, cmap=greens, vmin=0, vmax=0.9, interpolation_stage="rgba")
axes[1].imshow(before.ndvi, cmap=greens, vmin=0, vmax=0.9, interpolation_stage="rgba")
change = web.plan(spec).grid
for window in (Extent(100, 228, 120, 248), Extent(420, 676, 300, 428), Extent(600, 728, 640, 896)):
    needed = change.needed(window).grow(box.plan(spec).whole_footprint(), spec.shape, (0, 0))
    for axis, extent in zip(axes, (window, needed), strict=True):
        height, width = extent.shape
        axis.add_patch(Rectangle((extent.x0, extent.y0), width, height, fill=False, lw=1.8, ec="black"))
axes[0].set_title("output, web mercator: windows", fontsize=10, loc="left")
axes[1].set_title("input, UTM: what they read", fontsize=10, loc="left")
for axis in axes:
    axis.set_axis_off()

# %% [markdown]
# `assert_law` tries what no driver would do: rectangles of random sizes in random order on several workers, irregular
# chunks, one bright pixel, a cross of no-data, plateaus, no data at all. It raises at the first bit that differs, so
# silence is good. Use it on a small tile, in the tests of your own operators.

# %%
assert_law(pipeline, tile.isel(y=slice(300, 370), x=slice(300, 380)))

# %% [markdown]
# ## What happens elsewhere
#
# The same three kinds of work, with the usual tools, whole and in pieces of 256 × 256.


# %%
def in_pieces(function, shape, size=256):
    """Return the pieces that a function makes of rows and columns, put together."""
    rows = [slice(y, min(y + size, shape[0])) for y in range(0, shape[0], size)]
    cols = [slice(x, min(x + size, shape[1])) for x in range(0, shape[1], size)]
    return np.block([[function(y, x) for x in cols] for y in rows])


def compare(label, whole, pieces):
    """Print how many pixels differ, and by how much; return the difference."""
    valid = np.isfinite(whole) & np.isfinite(pieces)
    off = np.abs(np.where(valid, whole - pieces, np.nan))
    share, most = 100 * np.mean(off[valid] > 0), np.nanmax(off)
    print(f"{label:34s} {share:6.2f} % of the pixels differ, by {most:.3f} at most")
    return off


# %% [markdown]
# **A filter per chunk.** Without the neighbours of the next chunk, pixels near its border are made of fewer or mirrored
# values. With a halo of the right width the damage is gone. One pixel less, and some of it is back, in places that
# nobody looks at. The radius therefore stands in the operator, and the tests try to refute it.

# %% rtol=0.02
ndvi = np.nan_to_num(NDVI()(tile).ndvi.values)


def filtered(halo):
    """Return a function that filters one chunk with a halo of some pixels."""

    def piece(rows, cols):
        top, left = max(rows.start - halo, 0), max(cols.start - halo, 0)
        part = uniform_filter(ndvi[top : rows.stop + halo, left : cols.stop + halo], 15)
        return part[rows.start - top :, cols.start - left :][
            : rows.stop - rows.start, : cols.stop - cols.start
        ]

    return piece


whole = uniform_filter(ndvi, 15)
filter_off = compare("filter, chunk by chunk", whole, in_pieces(filtered(0), ndvi.shape))
_ = compare("filter, halo of 6", whole, in_pieces(filtered(6), ndvi.shape))
_ = compare("filter, halo of 7", whole, in_pieces(filtered(7), ndvi.shape))
# >>> filter, chunk by chunk               8.97 % of the pixels differ, by 0.221 at most
# >>> filter, halo of 6                    1.31 % of the pixels differ, by 0.016 at most
# >>> filter, halo of 7                    0.00 % of the pixels differ, by 0.000 at most

# %% [markdown]
# **A reprojection in windows.** GDAL's warper does not transform every pixel. It transforms a few points of each line
# of the destination and interpolates between them as long as the error is below an eighth of a pixel. A line of a
# window has other ends than the line of the whole. Ours interpolates as well, but between nodes that are tied to the
# target grid, not to the window, and to 1/256 of a pixel ([how](../guide/law.md#operators-that-change-the-grid)).

# %% rtol=0.02
source, target = geobox_of(tile), geobox_of(result)
red = tile.red.values


def warped(rows, cols):
    """Return one window of the band, warped by GDAL with its default settings."""
    part = target[rows, cols]
    out = np.full(tuple(map(int, part.shape)), np.nan, np.float32)
    reproject(
        red, out, src_transform=source.affine, src_crs=source.crs.to_wkt(), src_nodata=np.nan,
        dst_transform=part.affine, dst_crs=target.crs.to_wkt(), dst_nodata=np.nan,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    return out


shape = tuple(map(int, target.shape))
warp_off = compare(
    "rasterio.warp.reproject, windows",
    warped(slice(0, shape[0]), slice(0, shape[1])),
    in_pieces(warped, shape),
)
ours = web(tile[["red"]]).red.values
_ = compare(
    "geotoolz.grid.Reproject, windows", ours, run(web, tile[["red"]], window=(256, 256), threads=2).red.values
)
# >>> rasterio.warp.reproject, windows    99.94 % of the pixels differ, by 0.029 at most
# >>> geotoolz.grid.Reproject, windows     0.00 % of the pixels differ, by 0.000 at most

# %% [markdown]
# Most of these differences are tiny. The largest, 0.03 in reflectance, moves a pixel across a threshold, and one tiny
# one is enough to change every checksum. GDAL can be told to transform every pixel (`WarpedVRT(…, tolerance=1e-6)`),
# and then its windows agreed on this scene. `rasterio.warp.reproject` ignores that argument.
#
# **A stretch per chunk.** Each chunk gets percentiles of its own, and neighbouring chunks do not match. This is the
# chessboard that map servers show which stretch each map tile for itself.

# %% rtol=0.02


def stretched(rows, cols):
    """Return a chunk between its own 2nd and 98th percentile as 0 … 1."""
    low, high = np.nanpercentile(red[rows, cols], (2, 98))
    return np.clip((red[rows, cols] - low) / (high - low), 0, 1)


every = slice(0, red.shape[0]), slice(0, red.shape[1])
stretch_off = compare(
    "percentile stretch, chunk by chunk", stretched(*every), in_pieces(stretched, red.shape)
)
# >>> percentile stretch, chunk by chunk  97.97 % of the pixels differ, by 0.815 at most

# %% alt=Differences_between_whole_and_pieces_of_filter,_reprojection_and_stretch
figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
titles = ("filter, chunk by chunk", "rasterio.warp.reproject, windows", "stretch, chunk by chunk")
for axis, off, title, top in zip(
    axes, (filter_off, warp_off, stretch_off), titles, (0.05, 0.002, 0.2), strict=True
):
    image = axis.imshow(off, cmap="magma", vmin=0, vmax=top, interpolation_stage="rgba")
    axis.set_title(title, fontsize=10, loc="left")
    axis.set_axis_off()
    figure.colorbar(image, ax=axis, shrink=0.8, extend="max", label="|whole − pieces|")

# %% [markdown]
# **Chips for a model.** Networks get overlapping chips, and a window blends what they say. Blending hides the seams; it
# does not remove them. Below, a filter of 15 × 15 pixels stands for a network: its outermost pixels are made of
# fewer values in every chip, and the blend averages them in. Where the operator's plan says how far it looks,
# `ApplyToChips` reads each chip with that halo and crops it, and the result is that of the whole scene
# ([chips](../guide/patches.md)).

# %% rtol=0.02
smooth = BoxMean(7, bands=("ndvi",))
index = NDVI()(tile)[["ndvi"]]
reference = smooth(index)
blended = ApplyToChips(GridSampler(128, 96), smooth, Stitcher(Hann(), halo=0))
cropped = ApplyToChips(GridSampler(128, 96), smooth)
_ = compare("chips of 128 blended by Hann", reference.ndvi.values, blended(index).ndvi.values)
_ = compare("chips of 128 with the plan's halo", reference.ndvi.values, cropped(index).ndvi.values)
# >>> chips of 128 blended by Hann        26.95 % of the pixels differ, by 0.059 at most
# >>> chips of 128 with the plan's halo    0.00 % of the pixels differ, by 0.000 at most

# %% [markdown]
# Chips are a cut like any other, so the law holds for them too: chips of any size, inside windows of any size, from
# several workers, on a lazy tile.

# %%
by_chips = {
    "whole": reference,
    "chips of 128": cropped(index),
    "chips of 61 every 40": ApplyToChips(GridSampler(61, 40), smooth)(index),
    "chips of 128 in windows": run(cropped, index, window=(37, 411), threads=2),
    "three workers": run_chips(cropped, index, workers=3).tile,
    "lazy": cropped(index.chunk({"y": 300, "x": 211})),
}
print(len({pixel_hash(one, "ndvi") for one in by_chips.values()}), "hash of", len(by_chips), "runs")
# >>> 1 hash of 6 runs

# %% [markdown]
# ## Statistics of the scene: frozen first, or refused
#
# A stretch cannot be made exact by a halo; it depends on all pixels. On a tile in memory the operator takes its limits
# from that tile, whole, whatever the windows in which the pixels are then treated. Whoever sees only a part at a time
# refuses the step by name: a lazy tile does, a stream does, and so does every run of a step that says
# `scope="catalog"`.

# %%
stretch = gz.Sequential([MaskClouds(("cloud", "cirrus")), PercentileClip(2, 98), MinMax(clip=True)])


def refused(attempt):
    """Print why an attempt is refused."""
    try:
        attempt()
    except NotFrozenError as error:
        print(error.found)


refused(lambda: stretch(tile.chunk({"y": 256})))
refused(lambda: gz.stream(stretch, scene, "stretched_{band}.tif"))
refused(lambda: run(PercentileClip(2, 98, scope="catalog"), tile, window=(256, 256)))
# >>> operators[1] (PercentileClip) needs statistics of the whole scene, and a lazy (dask) tile is treated chunk by chunk
# >>> operators[1] (PercentileClip) needs statistics of the whole scene, and a stream sees a window at a time
# >>> PercentileClip needs statistics of the whole scene, and its scope is not 'tile'

# %% [markdown]
# `freeze` runs the statistics, here on all four dates, and binds the results. The frozen pipeline is plain
# configuration with limits in it. Any driver can run it, and pictures of different dates are comparable.

# %% rtol=0.02
dates = sorted(data_path("s2_l2a_33TWL_croatia").glob("S2*"))
frozen = gz.freeze(
    stretch, [gz.open_tile(date, bands=["red", "green", "blue", "nir", "scl"]) for date in dates]
)
print({band: tuple(round(limit, 3) for limit in pair) for band, pair in frozen[1].limits.items()})
# >>> {'red': (0.019, 0.167), 'green': (0.032, 0.175), 'blue': (0.025, 0.165), 'nir': (0.102, 0.517)}

# %%
bands = ["red", "green", "blue"]
hashes = {
    "whole": pixel_hash(run(frozen, tile), bands),
    "256 × 256, two threads": pixel_hash(run(frozen, tile, window=(256, 256), threads=2), bands),
    "lazy": pixel_hash(frozen(tile.chunk({"y": 256, "x": 100})), bands),
}
print(len(set(hashes.values())), "hash of", len(hashes), "runs")
# >>> 1 hash of 3 runs

# %% alt=The_scene_stretched_chunk_by_chunk,_and_with_frozen_limits
pieces = np.dstack(
    [in_pieces(lambda y, x, b=band: stretch(tile.isel(y=y, x=x))[b].values, spec.shape) for band in bands]
)
once = run(frozen, tile)[bands].to_array("band").transpose("y", "x", "band").values
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.9), layout="constrained")
for axis, image, title in zip(
    axes, (pieces, once), ("every chunk for itself", "frozen on four dates"), strict=True
):
    axis.imshow(np.where(np.isfinite(image), image, 0.85) ** 0.7, interpolation_stage="rgba")
    axis.set_title(title, fontsize=10, loc="left")
    axis.set_axis_off()

# %% [markdown]
# ## When not to use it
#
# - **The product is a picture.** A map that blends overlapping chunks looks smooth, and nobody compares its bits. It is
#   still another picture for every cut.
# - **Steps that really need everything at once** (segmentation over the whole scene, a global flow network). They are
#   run on whole tiles, and the runner says so; no halo helps.
# - **Comparing machines of different kinds.** The law holds on one platform and one level of CPU features. Between them
#   compare with a tolerance.
# - **Filters with a very large radius.** Exact sums around every pixel cost time in proportion to the radius; running
#   sums and FFTs are faster and depend on where they start. Smooth at a coarser resolution instead.
