# %% [markdown]
# # U7 · Pipelines as map tiles
#
# The pipeline that ran over the catalog at night should be on a map in the morning, without writing a picture of
# every scene first. This page serves one scene as NDVI, true colour, false colour and classes, and four dates as one
# layer, all from a settings file; fetches tiles over HTTP; and shows that a tile has the very pixels that the
# pipeline gives for the whole scene.
#
# **Who needs this:** whoever shows results in QGIS, Leaflet or MapLibre, or wants to look at a pipeline before it
# runs over everything.
#
# Install `geotoolz-serve`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The scenes are T33TWL in August 2023
# at 120 m; set `GEOTOOLZ_DATA` to the folder that holds them.

# %%
import io
import json
import math
import socket
import tempfile
import threading
import time
import warnings
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import matplotlib.pyplot as plt
import numpy as np
import uvicorn
from PIL import Image

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import data_path
from geotoolz.grid import Reproject
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning, open_tile
from geotoolz.serve import create_app

warnings.simplefilter(
    "ignore", MetadataWarning
)  # the files were reduced to 120 m; U1 shows what is said of that
archive = data_path("s2_l2a_33TWL_croatia")
scene = archive / "S2B_33TWL_20230820_0_L2A"
work = Path(tempfile.mkdtemp())
catalog = gz.GeoCatalog.from_folder(archive).save(work / "august.parquet")

# %% [markdown]
# ## Pipelines and layers in one file
#
# A layer is a source, seen through a pipeline. A colouring step at the pipeline's end settles the colours; without
# one the layer chooses them by what it shows. Limits are fixed: a step that would need statistics of the scene and is
# not frozen is refused by name when the server starts, because neighbouring tiles would not match.

# %%
settings = work / "serve.yaml"
settings.write_text(f"""
title: Zagreb in August
pipelines:
  - name: ndvi
    description: NDVI of the clear pixels
    config:
      _target_: geotoolz.core.Sequential
      operators:
        - _target_: geotoolz.cloud.MaskClouds
        - _target_: geotoolz.indices.NDVI
        - {{_target_: geotoolz.viz.Colormap, band: ndvi, cmap: RdYlGn, vmin: 0.0, vmax: 1.0}}
  - name: true-colour
    config: {{_target_: geotoolz.viz.TrueColor, vmax: 0.25, gamma: 1.3}}
  - name: false-colour
    config: {{_target_: geotoolz.viz.FalseColor, red: nir, green: red, blue: green, vmax: 0.5}}
layers:
  - {{name: ndvi, title: NDVI, source: {scene}, pipeline: ndvi}}
  - {{name: natural, title: True colour, source: {scene}, pipeline: true-colour}}
  - {{name: infrared, title: False colour, source: {scene}, pipeline: false-colour}}
  - {{name: classes, title: Scene classification, source: {scene}, bands: [scl]}}
  - {{name: august, title: NDVI in August, source: {catalog.name}, pipeline: ndvi, mosaic: newest}}
""")
app = create_app(settings)

# %% [markdown]
# `geotoolz serve run serve.yaml` starts it from a shell. Here it runs beside the page, on a free port:

# %%
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
while not server.started:
    time.sleep(0.01)
address = f"http://127.0.0.1:{listening.getsockname()[1]}"


def get(path, **headers):
    """Return status, headers and body of an answer."""
    try:
        with urlopen(Request(address + path, headers=headers)) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


for layer in json.loads(get("/layers")[2])["layers"]:
    print(
        f"{layer['name']:8} zoom {layer['minzoom']} to {layer['maxzoom']}  {layer['kind']:10} {' → '.join(layer['steps'])}"
    )
# >>> ndvi     zoom 0 to 12  ramp       MaskClouds → NDVI → Colormap
# >>> natural  zoom 0 to 12  composite  TrueColor
# >>> infrared zoom 0 to 12  composite  FalseColor
# >>> classes  zoom 0 to 12  classes
# >>> august   zoom 0 to 12  ramp       MaskClouds → NDVI → Colormap

# %% [markdown]
# ## Tiles
#
# `/tiles/{layer}/{z}/{x}/{y}.png`, or `.webp` and `.jpg`; `@2x` for sharp screens; `.npy` and `.tif` give the values.
# Twelve tiles of each layer, laid side by side:


# %% alt=Twelve_tiles_of_NDVI,_true_colour,_false_colour_and_classes
def tile_of(lon, lat, z):
    """Return column and row of the tile at a place."""
    x = (lon + 180) / 360 * 2**z
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z
    return int(x), int(y)


def mosaic(layer, query=""):
    """Return three rows of four tiles around Zagreb as one picture."""
    x0, y0 = tile_of(15.25, 45.95, 10)
    rows = []
    for y in range(y0, y0 + 3):
        answers = [get(f"/tiles/{layer}/10/{x}/{y}.png{query}") for x in range(x0, x0 + 4)]
        assert all(status == 200 for status, _, _ in answers)
        rows.append(
            np.hstack([np.asarray(Image.open(io.BytesIO(body)).convert("RGBA")) for _, _, body in answers])
        )
    return np.vstack(rows)


figure, axes = plt.subplots(2, 2, figsize=(10, 7.8), layout="constrained")
for axis, name in zip(axes.flat, ("ndvi", "natural", "infrared", "classes"), strict=True):
    axis.set_axis_off()
    axis.set_title(name, loc="left", fontsize=10)
    axis.imshow(mosaic(name))

# %% [markdown]
# ## The law, on a map
#
# Tiles are cut from the scene with the halo that the pipeline needs, run, and warped from positions that depend on
# the pixel of the world alone. So there are no seams, and at the source's own zoom level the tiles *are* the scene,
# processed and reprojected as a whole, bit for bit. At coarser zoom levels they are the pipeline on the overview.

# %%
z, (x, y) = 10, tile_of(15.7, 45.6, 10)
tile = np.load(io.BytesIO(get(f"/tiles/ndvi/{z}/{x}/{y}.npy")[2]))[0]

pixel = 2 * 20037508.342789244 / 256 / 2**z
pipeline = gz.Sequential([MaskClouds(), NDVI()])
whole = Reproject("EPSG:3857", resolution=pixel)(pipeline(open_tile(scene))[["ndvi"]])
left, top = -20037508.342789244 + x * 256 * pixel, 20037508.342789244 - y * 256 * pixel
column = round((left - float(whole.x[0]) + pixel / 2) / pixel)
row = round((float(whole.y[0]) + pixel / 2 - top) / pixel)
same = whole.ndvi.values[row : row + 256, column : column + 256]
print("bits equal:", tile.tobytes() == same.tobytes(), "· clear pixels:", f"{np.isfinite(tile).mean():.0%}")
assert tile.tobytes() == same.tobytes()
# >>> bits equal: True · clear pixels: ...%

# %% [markdown]
# ## What maps ask besides
#
# TileJSON for web maps, WMTS capabilities for QGIS (*Add WMTS layer*, `…/wmts`), a legend of the very table that
# colours the tiles, the pixel under the mouse at every step, numbers of an area.

# %%
told = json.loads(get("/layers/ndvi/tilejson.json")[2])
print(told["tiles"][0].removeprefix(address), "zoom", told["minzoom"], "to", told["maxzoom"])
legend = json.loads(get("/layers/ndvi/legend.json")[2])
print(
    "legend:",
    legend["title"],
    legend["vmin"],
    "to",
    legend["vmax"],
    "·",
    legend["colors"][0],
    "to",
    legend["colors"][-1],
)

point = json.loads(get("/layers/ndvi/point?lon=15.7&lat=45.55")[2])
for step in point["steps"]:
    values = {name: step["values"].get(name, {}).get("value") for name in ("red", "nir", "ndvi")}
    print(
        f"{step['step']:10}", {name: round(value, 3) for name, value in values.items() if value is not None}
    )

numbers = json.loads(get("/layers/ndvi/statistics?bbox=15.85,45.75,16.1,45.85")[2])["variables"]["ndvi"]
print("Zagreb:", numbers["valid"], "clear pixels, median NDVI", round(numbers["percentiles"]["50"], 2))
# >>> /tiles/ndvi/{z}/{x}/{y}.png zoom 0 to 12
# >>> legend: (nir − red) / (nir + red) 0.0 to 1.0 · #a50026 to #006837
# >>> source     {'red': 0.036, 'nir': 0.251}
# >>> MaskClouds {'red': 0.036, 'nir': 0.251}
# >>> NDVI       {'red': 0.036, 'nir': 0.251, 'ndvi': 0.753}
# >>> Zagreb: 15509 clear pixels, median NDVI 0.6

# %% [markdown]
# A picture has a name, its `ETag`, made of settings, pipeline, source and place. Who has it gets 304, and nothing is
# drawn. Inside of a layer without data the picture is transparent; outside there is none.

# %%
status, headers, body = get(f"/tiles/ndvi/{z}/{x}/{y}.png")
print(status, headers["Content-Type"], headers["Cache-Control"])
print("again:", get(f"/tiles/ndvi/{z}/{x}/{y}.png", **{"If-None-Match": headers["ETag"]})[0])
print("elsewhere:", get(f"/tiles/ndvi/{z}/0/0.png")[0])
refused = json.loads(get("/layers/ndvi/preview.png?size=100000")[2])["error"]
print("too large:", refused["code"], "·", refused["message"])
# >>> 200 image/png public, max-age=3600
# >>> again: 304
# >>> elsewhere: 404
# >>> too large: too_large · the picture would be too large; expected at most 2048 pixels a side

# %% [markdown]
# ## A catalog as one layer
#
# Behind `august` stand four dates. A pixel is that of the newest scene that is clear there; `?time=` asks for a day or
# a month.

# %% alt=NDVI_of_one_cloudy_day_and_of_the_newest_clear_pixels
days = json.loads(get("/layers")[2])["layers"][-1]["times"]
print(days)
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for axis, (title, query) in zip(
    axes, (("18 August", "?time=2023-08-18"), ("newest clear pixel", "")), strict=True
):
    axis.set_axis_off()
    axis.set_title(title, loc="left", fontsize=10)
    axis.imshow(mosaic("august", query))
# >>> ['2023-08-10', '2023-08-15', '2023-08-18', '2023-08-20']

# %%
server.should_exit = True

# %% [markdown]
# ## On a map
#
# The server has a page of its own, `/workbench/`, with layer picker, comparison, legend and pixel inspector. In a page
# of yours three lines of Leaflet are enough:
#
# ```js
# const told = await (await fetch("https://maps.example/layers/ndvi/tilejson.json")).json();
# const options = { maxNativeZoom: told.maxzoom, attribution: told.attribution };
# L.tileLayer(told.tiles[0], options).addTo(map);
# ```
#
# `benchmarks/serve_tiles.py` asks this server and titiler for the same tiles of one 10980 × 10980 COG and prints CPU
# time per tile, latency, throughput and memory of both; [the guide](../guide/serve-tiles.md) says what makes the
# difference.

# %% [markdown]
# ## When not to use it
#
# For a picture that never changes and thousands of viewers, write tiles once to a store; for
# steps that look at whole scenes (segmentation, whole-row filters), run the batch first and serve its result.
