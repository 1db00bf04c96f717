# %% [markdown]
# # D1 · Preprocessing: one tile with everything a model reads
#
# A segmentation model wants bands, indices, terrain and masks on one grid, as small integers with known no-data
# values, the same for every tile, year after year. This page makes such a tile from a Sentinel-2 scene and an
# elevation model, as one pipeline that is checked against the stage's schema before it runs, and stored as YAML.
#
# **Who needs this:** whoever hands tiles from one stage (or one team) to the next, and wants names, types, units and
# no-data agreed on once.
#
# Install `geotoolz-core`, `geotoolz-cloud`, `geotoolz-indices`, `geotoolz-qc` and matplotlib. The scene is a square
# kilometre in Slovenia, 13 bands at 10 m with an elevation model and a cloud mask (the test patch of eo-learn); set
# `GEOTOOLZ_DATA` to the folder that holds it.

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import rioxarray
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.cloud import CombineMasks
from geotoolz.core import PREPROCESSED, TileSpec, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.indices import NDVI, TasseledCap
from geotoolz.io import WriteCOG
from geotoolz.qc import AssertSchema
from geotoolz.radiometry import AssignAttrs, Decode, Encode, RenameBands, SelectBands
from geotoolz.terrain import RelativeElevation, Slope

folder = data_path("s2_timeseries_eolearn_slovenia")

# %% [markdown]
# ## The tile
#
# A scene on disk is opened with `geotoolz.open_tile`. These are plain arrays, so the tile is made by hand: variables
# under the sensor's names, a grid, and what the operators need to know. `quantity` says what the numbers are: at the top
# of the atmosphere, in reflectance. A corner is set to no-data, to see what becomes of it.

# %%
index = json.loads((folder / "REFERENCE_SCENES_index.json").read_text())
number = 4
date = index["scene_to_date_index_in_68"][number]
when = json.loads((folder / "timestamps.json").read_text())[date]
planes = np.moveaxis(np.load(folder / "REFERENCE_SCENES_5dates_13bands_L1C.npy")[number], -1, 0)
bands = dict(zip(index["bands"], planes, strict=True))
for values in bands.values():
    values[:12, :20] = np.nan

ring = json.loads((folder / "bbox.geojson").read_text())["coordinates"][0]
(left, bottom), (right, top) = np.min(ring, axis=0), np.max(ring, axis=0)
grid = GeoBox.from_bbox((left, bottom, right, top), "EPSG:32633", shape=(101, 100))

optical = {"quantity": "toa_reflectance", "units": "1", "data_source": "Sentinel-2 L1C"}
tile = tile_from_arrays(
    {
        **bands,
        "dem": np.load(folder / "DEM.npy")[..., 0],
        "clm": np.load(folder / "CLM.npy")[date, ..., 0].astype(bool),
        "is_valid": np.load(folder / "IS_VALID.npy")[date, ..., 0] & ~np.isnan(bands["B02"]),
    },
    grid,
    attrs={
        "tile_id": "slovenia",
        "platform": "sentinel-2a",
        "processing_level": "L1C",
        "datetime": f"{when}Z",
    },
    var_attrs={
        **{name: {**optical, "long_name": f"Sentinel-2 {name}"} for name in bands},
        "dem": {"quantity": "elevation", "units": "m", "long_name": "elevation", "data_source": "DEM"},
        "clm": {"quantity": "mask", "long_name": "cloud", "data_source": "s2cloudless"},
        "is_valid": {"quantity": "mask", "long_name": "valid", "data_source": "Sentinel-2 L1C"},
    },
)
print(when, dict(tile.sizes), len(tile.data_vars), "variables")
print("red: median", round(float(tile.B04.median()), 4), tile.B04.attrs["quantity"])
# >>> 2015-07-11T10:00:08 {'y': 101, 'x': 100} 16 variables
# >>> red: median 0.0364 toa_reflectance

# %% [markdown]
# ## What the next stage expects
#
# The stage is described by a `TileSchema`. This one is the preprocessing table of the architecture document; a schema of
# your own is a `TileSchema` with other rows.

# %%
print(PREPROCESSED.to_markdown())
# >>> | variable | dtype | no-data | attrs | note |
# >>> | --- | --- | --- | --- | --- |
# >>> | `blue` | uint16 | 0 | data_source, long_name, units |  |
# >>> | `green` | uint16 | 0 | data_source, long_name, units |  |
# >>> | `red` | uint16 | 0 | data_source, long_name, units |  |
# >>> | `nir` | uint16 | 0 | data_source, long_name, units |  |
# >>> | `ndvi` | uint16 | 0 | data_source, long_name | (value + 1) · 10⁴; −1 is kept as 1 |
# >>> | `relative_elevation` | int16 | 0 | data_source, long_name, units |  |
# >>> | `slope` | float32 | nan | data_source, long_name |  |
# >>> | `tc_brightness` | uint8 | – | data_source, long_name |  |
# >>> | `tc_greenness` | uint8 | – | data_source, long_name |  |
# >>> | `tc_wetness` | uint8 | – | data_source, long_name |  |
# >>> | `valid_data_mask` | bool | – | data_source, long_name |  |
# >>> | `quality_data_mask` | bool | – | data_source, long_name |  |

# %% [markdown]
# ## The pipeline
#
# Values first, in physical units; types last. `Encode` packs values into integers by a named packing: scale, offset,
# no-data, and the numbers that stand for values. A scaled NDVI of −1 would be stored as 0, which means no-data, and
# becomes 1. What an operator cannot know, where the data come from, is said with `AssignAttrs`. The names are the
# schema's: `nir` is what Sentinel-2 calls `B08`.

# %%
features = gz.Sequential(
    [
        RenameBands(
            {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16", "B12": "swir22"}
        ),
        NDVI(),
        TasseledCap(),
        Slope(edges=True),
        RelativeElevation(200.0),
        CombineMasks(("is_valid",), "all", name="valid_data_mask"),
        CombineMasks(("clm",), "not", name="quality_data_mask"),
    ]
)
types = gz.Sequential(
    [
        Encode("reflectance_uint16", ("blue", "green", "red", "nir")),
        Encode("ndvi_uint16", ("ndvi",)),
        Encode("relative_elevation_int16", ("relative_elevation",)),
        Encode("tasselled_cap_uint8", ("tc_brightness", "tc_greenness", "tc_wetness")),
    ]
)
sources = {
    "ndvi": "Sentinel-2 L1C",
    "tc_brightness": "Sentinel-2 L1C",
    "tc_greenness": "Sentinel-2 L1C",
    "tc_wetness": "Sentinel-2 L1C",
    "relative_elevation": "DEM",
    "slope": "DEM",
    "valid_data_mask": "Sentinel-2 L1C",
    "quality_data_mask": "s2cloudless",
}
pipeline = gz.Sequential(
    [
        features,
        types,
        AssignAttrs({name: {"data_source": source} for name, source in sources.items()}),
        SelectBands(tuple(PREPROCESSED.variables)),
        AssertSchema(schema="preprocessed"),
    ]
)
print(gz.check(pipeline, tile) or "nothing to complain of")
# >>> nothing to complain of

# %% [markdown]
# Nothing has been computed yet: the check works on descriptions, and so does `AssertSchema`. Now the pixels:

# %%
ready = pipeline(tile)
for name, band in ready.data_vars.items():
    told = band.attrs
    print(
        f"{name:19s} {band.dtype!s:8s} {told.get('_FillValue', '–')!s:4s} {told['data_source']:15s}", end=" "
    )
    print(f"{told.get('units', '–'):7s} {told['long_name']}")
print(PREPROCESSED.problems(TileSpec.of(ready)))
# >>> blue                uint16   0    Sentinel-2 L1C  1       Sentinel-2 B02
# >>> green               uint16   0    Sentinel-2 L1C  1       Sentinel-2 B03
# >>> red                 uint16   0    Sentinel-2 L1C  1       Sentinel-2 B04
# >>> nir                 uint16   0    Sentinel-2 L1C  1       Sentinel-2 B08
# >>> ndvi                uint16   0    Sentinel-2 L1C  1       (nir − red) / (nir + red)
# >>> relative_elevation  int16    0    DEM             m       relative elevation
# >>> slope               float32  nan  DEM             degree  slope
# >>> tc_brightness       uint8    –    Sentinel-2 L1C  1       tasselled cap brightness
# >>> tc_greenness        uint8    –    Sentinel-2 L1C  1       tasselled cap greenness
# >>> tc_wetness          uint8    –    Sentinel-2 L1C  1       tasselled cap wetness
# >>> valid_data_mask     bool     –    Sentinel-2 L1C  –       all of is_valid
# >>> quality_data_mask   bool     –    s2cloudless     –       none of clm
# >>> []

# %% [markdown]
# ## The numbers
#
# Stored numbers, and what they stand for. `Decode` undoes `Encode` within half a step; where there was no data, there is
# none again. The bytes of the tasselled cap have no no-data in this table: their 0 stands for no value, and it is the
# mask that says so.

# %%
values = Decode()(ready).where(ready.valid_data_mask)
for name in ("red", "ndvi", "relative_elevation", "tc_wetness"):
    stored, decoded = ready[name], values[name]
    valid = stored.values[ready.valid_data_mask.values]
    print(f"{name:18s} stored {valid.min():6d} … {valid.max():6d}", end="   ")
    print(f"values {float(decoded.min()):7.3f} … {float(decoded.max()):7.3f}")
print(
    f"valid {float(ready.valid_data_mask.mean()):.1%}, free of clouds {float(ready.quality_data_mask.mean()):.1%}"
)
# >>> red                stored    282 …   1519   values   0.028 …   0.152
# >>> ndvi               stored  12784 …  18506   values   0.278 …   0.851
# >>> relative_elevation stored  16384 …  17184   values   0.000 …  80.000
# >>> tc_wetness         stored     76 …     99   values  -0.240 …  -0.010
# >>> valid 97.6%, free of clouds 100.0%

# %%
exact = features(tile)
for name, step in (("red", 1e-4), ("ndvi", 1e-4), ("relative_elevation", 0.1), ("tc_wetness", 0.01)):
    error = np.abs(values[name].values.astype("f8") - exact[name].values)
    print(f"{name:18s} off by at most {np.nanmax(error) / step:.3f} steps of {step:g}")
print(
    "no data in the corner:", ready.red.values[0, 0], ready.ndvi.values[0, 0], ready.tc_wetness.values[0, 0]
)
# >>> red                off by at most 0.000 steps of 0.0001
# >>> ndvi               off by at most 0.500 steps of 0.0001
# >>> relative_elevation off by at most 0.000 steps of 0.1
# >>> tc_wetness         off by at most 0.500 steps of 0.01
# >>> no data in the corner: 0 0 0

# %% alt=Eight_variables_of_the_tile
shown = ["red", "nir", "ndvi", "tc_brightness", "tc_greenness", "tc_wetness", "relative_elevation", "slope"]
figure, axes = plt.subplots(2, 4, figsize=(9.6, 5.2), layout="constrained")
for axis, name in zip(axes.flat, shown, strict=True):
    axis.set_axis_off()
    axis.set_title(f"{name} · {ready[name].dtype}", fontsize=9, loc="left")
    axis.imshow(values[name], cmap=plt.get_cmap("viridis").with_extremes(bad="0.85"))

# %% [markdown]
# ## Any CF reader understands it
#
# Scale, offset and no-data stand in the files. rioxarray unpacks them without knowing anything of this library.

# %%
paths = WriteCOG("preprocessed/{band}.tif").write(ready, created=tuple(ready.data_vars))
with rioxarray.open_rasterio("preprocessed/ndvi.tif", mask_and_scale=True) as foreign:
    print(len(paths), "files; rioxarray reads NDVI", foreign.dtype, round(float(foreign.median()), 4))
again = gz.open_tile("preprocessed")
print("read back, all alike:", all(again[name].identical(ready[name]) for name in ready.data_vars))
# >>> 12 files; rioxarray reads NDVI float32 0.7427
# >>> read back, all alike: True

# %% [markdown]
# ## The same, next year
#
# The pipeline is a YAML file with a hash. Loaded again it gives the same bits.

# %%
text = gz.dump(pipeline)
print(text[: text.index("- _target_: geotoolz.terrain.Slope")])
print(gz.load(text)(tile).identical(ready), gz.load(text).config_hash() == pipeline.config_hash())
# >>> _target_: geotoolz.core.Sequential
# >>> operators:
# >>> - _target_: geotoolz.core.Sequential
# >>>   operators:
# >>>   - _target_: geotoolz.radiometry.RenameBands
# >>>     names:
# >>>       B02: blue
# >>>       B03: green
# >>>       B04: red
# >>>       B08: nir
# >>>       B11: swir16
# >>>       B12: swir22
# >>>   - _target_: geotoolz.indices.NDVI
# >>>   - _target_: geotoolz.indices.TasseledCap
# >>>
# >>> True True

# %% [markdown]
# What goes wrong is told before a pixel is read. Without the elevation model:

# %%
for finding in gz.check(pipeline, tile.drop_vars("dem")):
    print(finding)
# >>> error: operators[0].operators[3] (Slope): Slope reads 'dem', and the tile has B01, blue, green, red, B05, B06, B07, nir, B8A, B09, B10, swir16, swir22, clm, is_valid, ndvi, tc_brightness, tc_greenness, tc_wetness; read that band too, or name the variable that plays the role 'dem' [tile slovenia]

# %% [markdown]
# ## When not to use it
#
# - **Within one process.** Packing costs precision and time. Hand float32 from step to step, and pack what is stored or
#   sent to another stage.
# - **Where the range is not known.** A packing limits values to its range (`outside="clip"`); with `outside="raise"` it
#   refuses them. Relative elevation is kept in decimetres up to ± 1638 m; for absolute heights use floats.
# - **As an atmospheric correction.** The bands of this page are reflectance at the top of the atmosphere, and stay that.
#   For comparisons between dates start from a Level-2 product.
# - **Another table.** The types here are those of one architecture. `Encode` takes any dtype, scale, offset and no-data
#   (`Encode({"dtype": "int16", "scale": 0.001, "nodata": -9999})`), and `TileSchema` any rows.
