# %% [markdown]
# # U6 · Pipelines that users send
#
# A colleague wants to try a threshold, another index, another colour map. Giving them the machine is too much; asking
# you each time is too slow. Here they type a pipeline into a page, see while typing what is wrong with it and where,
# run it on what the map shows, and send the link on. What they type runs in a process of its own: only registered
# operators that touch no files, with limits of time, memory, size and steps.
#
# **Who needs this:** whoever runs a server for people who write pipelines and should not have a shell on it.
#
# Install `geotoolz-serve`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The scene is Sentinel-2 T33TWL of
# 20 August 2023 at 120 m; `GEOTOOLZ_DATA` says where it lies.

# %%
import asyncio
import base64
import io
import logging
import os
import shutil
import socket
import threading
import time
import warnings

import httpx
import matplotlib.pyplot as plt
import numpy as np
import uvicorn

from geotoolz.core import load
from geotoolz.core.testing import data_path
from geotoolz.io import MetadataWarning, open_tile
from geotoolz.serve import create_app

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
logging.disable(logging.WARNING)
scene = data_path("s2_l2a_33TWL_croatia") / "S2B_33TWL_20230820_0_L2A"

# %% [markdown]
# ## A server with one scene
#
# Two layers of one scene, and a sandbox that gives every run six seconds. On a machine of yours this is a YAML file
# and `geotoolz serve run maps.yaml`; the page is at `/workbench/`.

# %%
settings = {
    "title": "Croatia, 20 August 2023",
    "pipelines": [{"name": "ndvi", "config": {"_target_": "geotoolz.indices.NDVI"}}],
    "layers": [
        {"name": "ndvi", "title": "Vegetation", "source": scene, "pipeline": "ndvi",
         "colormap": "rdylgn", "rescale": [-0.2, 0.9]},
        {"name": "infrared", "title": "False colour", "source": scene, "bands": ["nir", "red", "green"]},
    ],
    "sandbox": {"wall_s": 6, "max_steps": 20},
}  # fmt: skip
app = create_app(settings)
bound = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, ws="none", log_config=None, access_log=False))
thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])), daemon=True)
thread.start()
client = httpx.Client(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=60, trust_env=False)
while not server.started:
    time.sleep(0.05)
layers = client.get("/layers").json()["layers"]
print([(one["title"], one["kind"], one["steps"]) for one in layers])
# >>> [('Vegetation', 'ramp', ['NDVI']), ('False colour', 'composite', [])]

# %% [markdown]
# ## A stranger's pipeline
#
# `/sandbox/run` takes the text, a layer and the area that is looked at. A picture comes back on the map's own grid,
# numbers as JSON, values as COG or NPZ, each with the hash of the pipeline.

# %%
text = """\
_target_: geotoolz.core.Sequential
operators:
  - _target_: geotoolz.cloud.MaskClouds
  - _target_: geotoolz.indices.NDWI
  - _target_: geotoolz.viz.Colormap
    band: ndwi
    cmap: ylgnbu
    vmin: -0.8
    vmax: 0.2
"""
west, south, east, north = layers[0]["bounds"]
view = {"layer": "ndvi", "bbox": [west, south, east, north], "size": [500, 500]}
answer = client.post("/sandbox/run", json={**view, "yaml": text, "format": "json", "bands": ["ndwi"]})
found = answer.json()
print("hash as everywhere else:", found["config_hash"] == load(text).config_hash())
print("bands that were read:", sorted(found["inputs"]))
# >>> hash as everywhere else: True
# >>> bands that were read: ['green', 'nir', 'scl']

# %% alt=Water_index_of_the_scene_from_yellow_to_blue_with_clouds_left_out
picture = plt.imread(io.BytesIO(client.post("/sandbox/run", json={**view, "yaml": text}).content))
figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
axis.imshow(picture)
axis.set(xticks=[], yticks=[], title="NDWI without clouds, run for a stranger")
# the values of a run are those of the pipeline anywhere else
whole = client.post("/sandbox/run", json={"layer": "ndvi", "yaml": text, "bands": ["ndwi"], "format": "npz"})
values = np.load(io.BytesIO(whole.content))["ndwi"]
assert np.array_equal(values, load(text)(open_tile(scene)).ndwi, equal_nan=True)

# %% [markdown]
# ## While somebody types
#
# The editor asks `/workbench/validate` after every pause. It tells every problem with its line and column, by the rules
# of the sandbox and against the bands of the layer; nothing is run.

# %%
typed = text.replace("MaskClouds", "MaskCluods").replace("vmin: -0.8", "vmin: low").replace("vmax", "vmaks")
verdict = client.post("/workbench/validate", json={"yaml": typed, "layer": "ndvi"}).json()
for one in verdict["problems"]:
    print(f"line {one['line']}, column {one['column']}: {one['message'][:74]}")
# >>> line 3, column 15: operator 'geotoolz.cloud.MaskCluods' is not in the public registry (did yo
# >>> line 8, column 11: Colormap cannot be made: vmin='low': input should be a valid number
# >>> line 9, column 5: Colormap has no parameter 'vmaks' (did you mean 'vmax'?); expected band, c

# %% [markdown]
# ## What is refused
#
# An operator that is not registered is named and never imported. Operators that touch files are not allowed. A text
# that is built to explode is stopped by its size, its depth or its aliases, before anything is made of it. A pipeline
# that is allowed and takes forever is ended at its deadline, with its process, and the next run finds a fresh one.

# %%
endless = """\
_target_: geotoolz.core.Sequential
operators:
  - {_target_: geotoolz.radiometry.RenameBands, names: {red: vv}}
  - {_target_: geotoolz.radiometry.AssignAttrs, variables: {vv: {quantity: backscatter}}}
  - {_target_: geotoolz.sar.Frost, window: 701, bands: [vv]}
"""
attempts = {
    "not an operator": "_target_: os.system\ncommand: id",
    "writes files": "_target_: geotoolz.io.WriteCOG\npath: /etc/motd",
    "aliases": "_target_: &a geotoolz.core.Sequential\noperators: [*a, *a]",
    "nesting": "_target_: geotoolz.core.Sequential\noperators: " + "[" * 60 + "]" * 60,
    "the environment": "_target_: geotoolz.indices.NDVI\nname: ${env:HOME}",
    "too many steps": "_target_: geotoolz.core.Sequential\noperators:\n"
    + "  - _target_: geotoolz.indices.NDVI\n" * 30,
    "no such band": "_target_: geotoolz.indices.NDVI\nnir: swir99",
    "endless": endless,
}
for name, attempt in attempts.items():
    answer = client.post("/sandbox/run", json={**view, "yaml": attempt})
    print(f"{name:<16} {answer.status_code} {answer.json()['error']['message'][:84]}")
print("afterwards      ", client.post("/sandbox/run", json={**view, "yaml": text}).status_code)
# >>> not an operator  422 line 1: operator 'os.system' is not in the public registry
# >>> writes files     422 line 1: operator 'geotoolz.io.WriteCOG' is not allowed here (writes_files)
# >>> aliases          422 line 1: anchors and aliases are not allowed here
# >>> nesting          422 line 2: nested more than 32 levels deep
# >>> the environment  422 line 2: ${env:HOME} is not allowed here
# >>> too many steps   422 the pipeline has 31 operators; expected at most 20
# >>> no such band     422 NDVI reads 'swir99', and the tile has blue, green, red, nir, scl
# >>> endless          422 the run took longer than 6 s
# >>> afterwards       200

# %% [markdown]
# ## The page
#
# The workbench puts this on a map: layers with opacity and a swipe between two of them, the legend from the table that
# colours the tiles, the pixel under the pointer at every step, statistics of the view, and the editor with completion.
# The state is in the address behind the `#`, so a link shows the same to somebody else, the text included; it runs only
# when they say so.

# %% needs=playwright alt=The_workbench_with_the_editor_at_its_left_and_the_result_of_a_run_on_the_map
from playwright.sync_api import sync_playwright  # noqa: E402

chromium = shutil.which("chromium")
if chromium is not None:
    shared = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1180, "height": 720}, reduced_motion="reduce")
        page.goto(f"{client.base_url}/workbench/#layer=infrared&tab=pipeline&yaml={shared}")
        page.get_by_text("Valid", exact=True).wait_for()
        page.get_by_role("button", name="Run on this view").click()
        page.locator("#run-result .histogram").wait_for()
        picture = plt.imread(io.BytesIO(page.screenshot()))
        browser.close()
    figure = plt.figure(figsize=(11.8, 7.2))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.imshow(picture)
    axis.set_axis_off()

# %%
client.close()
server.should_exit = True
thread.join()

# %% [markdown]
# ## When not to use it
#
# - **For your own pipelines.** They stand in the server's settings, may use models and files, and answer at
#   `/process/NAME` and as map layers without a second process.
# - **For whole archives.** A run sees what the map shows, at the map's resolution. `geotoolz run` sees everything.
# - **As the only wall.** Limits per run and per client keep a server answering; they do not replace a proxy in front
#   that knows who is asking. See [deployment](../guide/serve-deploy.md).
# - **For Python.** Whoever needs a function that is no operator needs an environment of their own.
