# %% [markdown]
# # U5 · Several pipelines behind one API
#
# Indices for the agronomists, a water mask for the hydrologists, tomorrow something else. Each is a YAML file that ran in
# the batch already. One settings file puts them all behind HTTP: who is asked lists them, tells what each reads and writes,
# runs them on a scene of a catalog, an uploaded file or an allowed address, and answers with a COG, arrays, a picture or
# statistics, and with the hash of what it ran.
#
# **Who needs this:** teams who offer their pipelines to colleagues and programs, and want to be sure that all get the same
# pixels.
#
# Install `geotoolz-serve`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The scenes are simulated.

# %%
import atexit
import io
import json
import socket
import subprocess
import sysconfig
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx
import matplotlib.pyplot as plt
import numpy as np

import geotoolz as gz
from geotoolz.core import pixel_hash
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG, open_tile

work = Path(tempfile.mkdtemp())
for seed in (1, 2):
    about = {"shape": (400, 400), "bands": ("green", "red", "nir", "scl"), "seed": seed}
    write_scene({**about, "datetime": f"2023-0{5 + seed}-18"}, work / "archive")
gz.GeoCatalog.from_folder(work / "archive").save(work / "scenes.parquet")
scenes = gz.GeoCatalog.open(work / "scenes.parquet")
print([one.tile_id for one in scenes])
# >>> ['S2A_T33E500N5100_20230618_1_L2A', 'S2A_T33E500N5100_20230718_2_L2A']

# %% [markdown]
# ## The settings
#
# Names, files, titles. Paths start at the file; keys and other secrets come from the environment (`${env:NAME}`). `--check`
# loads everything, says what is offered, and leaves.

# %%
(work / "greenness.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.cloud.MaskClouds
- _target_: geotoolz.indices.NDVI
- _target_: geotoolz.radiometry.BoxMean
  radius: 2
  bands: [ndvi]
"""
)
(work / "serve.yaml").write_text(
    """\
title: Field indices
pipelines:
- name: greenness
  title: NDVI, clouds masked, smoothed
  config: greenness.yaml
- name: water
  title: NDWI
  config: {_target_: geotoolz.indices.NDWI}
catalogs:
  scenes: scenes.parquet
sandbox: {enabled: false}
"""
)
geotoolz = Path(sysconfig.get_path("scripts"), "geotoolz")
told = subprocess.run(
    [geotoolz, "serve", "run", work / "serve.yaml", "--check"], capture_output=True, text=True, check=True
)
print(told.stdout)
# >>> pipeline   config hash
# >>> greenness  ...
# >>> water      ...
# >>>
# >>> catalogs   scenes
# >>> addresses  none
# >>> uploads    up to 256 MB
# >>> keys       not needed: anybody may ask
# >>> sandbox    off

# %% [markdown]
# ## Running
#
# One command; `--workers` for more processes, nginx or Kubernetes in front ([Deployment](../guide/serve-deploy.md)).

# %%
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = subprocess.Popen(
    [geotoolz, "serve", "run", work / "serve.yaml", "--port", str(port)], stderr=subprocess.DEVNULL
)
atexit.register(server.kill)
client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
for _ in range(300):
    with suppress(httpx.TransportError):
        if client.get("/readyz").status_code == 200:
            break
    time.sleep(0.1)
print(client.get("/readyz").json())
# >>> {'status': 'ready', 'pipelines': 2, 'layers': 0}

# %% [markdown]
# ## What is there
#
# The list, one pipeline in full, and a name that does not exist.

# %%
for one in client.get("/pipelines").json()["pipelines"]:
    print(one["name"], "·", one["title"], "·", " → ".join(one["steps"]))
detail = client.get("/pipelines/greenness").json()
print(detail["needs"])
print(detail["config_hash"] == gz.load(work / "greenness.yaml").config_hash())
missing = client.get("/pipelines/grenness")
print(missing.status_code, missing.json()["error"]["message"])
# >>> greenness · NDVI, clouds masked, smoothed · MaskClouds → NDVI → BoxMean
# >>> water · NDWI · NDWI
# >>> [{'source': 'catalog scenes', 'reads': ['red', 'nir', 'scl'], 'writes': ['ndvi'], 'reach': '2 rows, 2 columns'}]
# >>> True
# >>> 404 there is no pipeline 'grenness' (did you mean 'greenness'?); expected one of: greenness, water

# %% [markdown]
# ## A scene, as a COG
#
# `op(tile)` here and over HTTP: the same pixels, and the same hash. The answer names it, so that a file can be traced
# to its pipeline.

# %%
scene = next(iter(scenes))
body = {"source": {"catalog": "scenes", "item": scene.tile_id}}
answer = client.post("/process/greenness", json=body)
(work / "greenness.tif").write_bytes(answer.content)
here = gz.load(work / "greenness.yaml")(open_tile(scene.sources[0]))
print(answer.status_code, answer.headers["content-type"])
print("same pixels:", pixel_hash(open_tile(work / "greenness.tif"), ["ndvi"]) == pixel_hash(here, ["ndvi"]))
print("same hash:", answer.headers["x-config-hash"] == detail["config_hash"])
# >>> 200 image/tiff; application=geotiff; profile=cloud-optimized
# >>> same pixels: True
# >>> same hash: True

# %% [markdown]
# ## Arrays, statistics, a picture
#
# The form is a word of the request; so is a part of the scene (`aoi`, `resolution`, or a whole grid as `slice`).

# %%
arrays = np.load(io.BytesIO(client.post("/process/greenness", json={**body, "format": "npz"}).content))
print(arrays["ndvi"].dtype, arrays["ndvi"].shape, str(arrays["crs"]))
found = client.post("/process/water", json={**body, "format": "json"}).json()["variables"]["ndwi"]
print(f"{found['valid']} of {found['count']} pixels valid, median {found['percentiles']['50']:.2f}")
left, _, _, top = scene.bounds
part = {"bounds": [left + 500, top - 1500, left + 1500, top - 500], "crs": scene.crs, "resolution": 10}
small = client.post("/process/water", json={"source": {**body["source"], "slice": part}, "format": "npz"})
print(np.load(io.BytesIO(small.content))["ndwi"].shape)
# >>> float32 (400, 400) EPSG:32633
# >>> 160000 of 160000 pixels valid, median -0.59
# >>> (100, 100)

# %% alt=NDVI_as_the_server_draws_it
picture = client.post("/process/greenness", json={**body, "format": "png", "size": 400})
plt.figure(figsize=(4.2, 4.2), layout="constrained")
plt.imshow(plt.imread(io.BytesIO(picture.content)))
plt.axis("off")
plt.show()

# %% [markdown]
# ## An upload
#
# A GeoTIFF as `file`, the rest as JSON in `options`. Its header is read before anything else: what declares more pixels,
# bands or bytes than the settings allow is answered with 413, and what is no TIFF with 415.

# %%
path = WriteCOG(str(work / "mine.tif")).write(open_tile(scene.sources[0], bands=["green", "nir"]))[0]
options = {"options": json.dumps({"format": "json"})}
with Path(path).open("rb") as file:
    uploaded = client.post("/process/water", files={"file": file}, data=options)
print(uploaded.status_code, list(uploaded.json()["variables"]))
refused = client.post("/process/water", files={"file": b"<VRTDataset/>"}, data=options)
print(refused.status_code, refused.json()["error"]["message"])
# >>> 200 ['ndwi']
# >>> 415 the file is no GeoTIFF; expected a GeoTIFF or COG

# %% [markdown]
# ## Long work
#
# With `"wait": false` the answer is a job: ask how far it is, take its result, or delete it, which stops it at its next
# window.

# %%
accepted = client.post("/process/greenness", json={**body, "wait": False})
job = accepted.json()
while job["state"] in ("queued", "running"):
    time.sleep(0.05)
    job = client.get(job["links"]["self"]).json()
result = client.get(job["links"]["result"])
print(accepted.status_code, job["state"], job["progress"], result.content == answer.content)
print(client.delete(job["links"]["self"]).status_code, client.get(job["links"]["self"]).status_code)
# >>> 202 done 1.0 True
# >>> 204 404

# %% [markdown]
# ## What it counts

# %%
lines = client.get("/metrics").text.splitlines()
print(*[line for line in lines if line.startswith("geotoolz_jobs_total")], sep="\n")
# >>> geotoolz_jobs_total{pipeline="greenness",state="done"} 4
# >>> geotoolz_jobs_total{pipeline="water",state="done"} 3
# >>> geotoolz_jobs_total{pipeline="water",state="failed"} 1

# %% [markdown]
# ## When not to use it
#
# - **For thousands of scenes.** A server answers; a batch ([U2](u2-etl.md)) resumes, retries and keeps a journal.
# - **For maps.** Tiles read overviews and keep blocks ([U7](u7-tile-server.md)); `/process` reads what it is asked for.
# - **For pipelines that users write.** They belong into the sandbox ([U6](u6-uploaded-pipelines.md)): the ones here are
#   trusted, because whoever writes the settings runs the server.
