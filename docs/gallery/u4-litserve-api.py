# %% [markdown]
# # U4 · A methane pipeline behind LitServe
#
# A detector is ready: radiances in, methane out. Others shall ask it over HTTP, many at a time. LitServe keeps workers,
# gathers requests into batches and hands them over; `PipelineAPI` makes a pipeline one of its APIs. The pipeline is loaded
# once per worker, answers are COGs or statistics with the pipeline's hash, and one bad request of a batch fails alone.
#
# **Who needs this:** teams whose models run behind LitServe already, and who want a pipeline beside them.
#
# Install `geotoolz-serve[litserve]`, `geotoolz-core[catalog]`, `geotoolz-indices`, scipy and matplotlib. The ground is an
# AVIRIS scene of 90 × 90 pixels, the gas a published table; set `GEOTOOLZ_DATA` to the folder that holds them.

# %%
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import matplotlib.pyplot as plt
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.io import loadmat

import geotoolz as gz
from geotoolz.core import pixel_hash, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.hyperspectral import MatchedFilter, ToCube, unit_absorption
from geotoolz.io import open_tile, write_tile
from geotoolz.radiometry import SelectBands

work = Path(tempfile.mkdtemp())
mat = loadmat(data_path("hsi_aviris_full_224band_wavelengths") / "a_hsi_img_for_VI_demo.mat")
everything = next(v for v in mat.values() if isinstance(v, np.ndarray) and v.ndim == 3)
centres = next(v for k, v in mat.items() if isinstance(v, np.ndarray) and v.size == 224).ravel().astype(float)
centres = centres * (1000 if centres.max() < 10 else 1)
window = (centres >= 2122) & (centres <= 2488)
ground = everything[..., window].transpose(2, 0, 1).astype("f4") / 1e4
print(ground.shape, f"{centres[window][0]:.0f} to {centres[window][-1]:.0f} nm")
# >>> (37, 90, 90) 2128 to 2486 nm

# %% [markdown]
# ## Scenes with plumes
#
# Plumes of known amounts are put into the ground by Beer–Lambert, one per scene, and the scenes written as GeoTIFFs of 37
# bands with a catalog.

# %%
gas = unit_absorption(centres[window], 10.0, table=data_path("ch4_target_spectra") / "ch4.lut")[:, 1]
rows, cols = np.mgrid[:90, :90]
grid = GeoBox((90, 90), Affine(5, 0, 500_000, 0, -5, 4_000_000), "EPSG:32611")
names = [f"b{number:03d}" for number in np.flatnonzero(window)]
truth = {}
for name, (row, col) in {"east": (30, 20), "west": (60, 35), "clean": (0, 0)}.items():
    along, across = cols - col, rows - row
    spread = 2 + 0.12 * np.maximum(along, 0)
    plume = 8000 * np.exp(-((across / spread) ** 2) / 2 - along / 40) * (along >= 0)
    truth[name] = plume * (name != "clean")
    bands = ground * np.exp(gas[:, None, None] * truth[name] / 1e5)
    about = {"units": "1", "quantity": "surface_reflectance"}
    tile = tile_from_arrays(
        dict(zip(names, bands.astype("f4"), strict=True)), grid, var_attrs=dict.fromkeys(names, about)
    )
    write_tile(tile, work / "scenes" / f"{name}.tif")
gz.GeoCatalog.from_folder(work / "scenes").save(work / "scenes.parquet")
print(sorted(path.name for path in (work / "scenes").glob("*.tif")))
# >>> ['clean.tif', 'east.tif', 'west.tif']

# %% [markdown]
# ## The pipeline, frozen
#
# The target is the mean ground behind 1000 ppm·m of methane, so a score of 1 means that amount. Freezing takes the background
# from the clean scene; saved, the pipeline is a folder with a YAML file and the arrays that it refers to.

# %%
clean = open_tile(work / "scenes" / "clean.tif")
target = ground.mean(axis=(1, 2), dtype="f8") * np.exp(gas * 1000 / 1e5)
wavelengths = tuple(float(one) for one in centres[window])
steps = [ToCube(wavelengths), MatchedFilter(target, name="methane"), SelectBands("methane")]
detector = gz.Sequential(steps)
detector = gz.freeze(detector, clean)
gz.save(detector, work / "methane")
detector = gz.load(work / "methane")
print(sorted(path.name for path in (work / "methane").iterdir() if path.suffix == ".yaml"))
# >>> ['pipeline.yaml']

# %% [markdown]
# ## The server
#
# Settings are those of `geotoolz serve`; the limits in them hold here, too. The API is one line, the rest is LitServe's.

# %%
settings = {
    "pipelines": [{"name": "methane", "config": str(work / "methane")}],
    "catalogs": {"scenes": str(work / "scenes.parquet")},
}
(work / "serve.yaml").write_text(json.dumps(settings))
_ = (work / "server.py").write_text(
    """\
import sys

import litserve
from geotoolz.serve import PipelineAPI

if __name__ == "__main__":
    api = PipelineAPI(sys.argv[1], "methane", max_batch_size=4, batch_timeout=0.2)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False)
"""
)

# %% needs=litserve
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = subprocess.Popen(
    [sys.executable, work / "server.py", work / "serve.yaml", str(port)],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)
atexit.register(os.killpg, server.pid, signal.SIGKILL)  # its workers end with it only as a group
client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
for _ in range(300):
    with contextlib.suppress(httpx.TransportError):
        if client.get("/health").status_code == 200:
            break
    time.sleep(0.1)
print(client.get("/health").text)
# >>> ok

# %% [markdown]
# ## A batch of requests
#
# Four clients at once: a COG, statistics, a scene that does not exist, an address that nobody allowed. Two get their answer,
# two are told what is wrong.

# %% needs=litserve
requests = [
    {"source": {"catalog": "scenes", "item": "east"}},
    {"source": {"catalog": "scenes", "item": "west"}, "format": "json"},
    {"source": {"catalog": "scenes", "item": "north"}},
    {"source": {"url": "file:///etc/passwd"}},
]
with ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(lambda body: client.post("/process/methane", json=body), requests))
for answer in answers:
    error = answer.json()["error"]["message"] if answer.status_code >= 400 else ""
    print(answer.status_code, answer.headers["content-type"].partition(";")[0], error)
# >>> 200 image/tiff
# >>> 200 application/json
# >>> 404 application/json the catalog has no such scene
# >>> 403 application/json this source may not be read

# %% needs=litserve
(work / "east.tif").write_bytes(answers[0].content)
served = open_tile(work / "east.tif")
local = detector(open_tile(work / "scenes" / "east.tif"))
print("same pixels:", pixel_hash(served, ["methane"]) == pixel_hash(local, ["methane"]))
print("same hash:", answers[0].headers["x-config-hash"] == detector.config_hash())
found = answers[1].json()["variables"]["methane"]
print({name: round(found[name], 1) for name in ("mean", "std", "max")}, found["valid"], "pixels")
# >>> same pixels: True
# >>> same hash: True
# >>> {'mean': 0.3, 'std': 1.8, 'max': 13.2} 8100 pixels

# %% alt=The_plume_that_was_put_in_and_what_the_served_pipeline_found needs=litserve
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axis, values, title in zip(
    axes, (truth["east"] / 1000, served.methane), ("put in", "answered"), strict=True
):
    image = axis.imshow(values, vmin=0, vmax=6, cmap="inferno")
    axis.set_title(title, loc="left", fontsize=10)
    axis.set_axis_off()
figure.colorbar(image, ax=axes, shrink=0.8, label="methane, 1000 ppm·m")

# %% [markdown]
# ## When not to use it
#
# - **Without LitServe in the house.** `geotoolz serve run` ([U5](u5-multi-pipeline-api.md)) has the same requests and answers,
#   and jobs with progress, uploads, maps, metrics, drain as well.
# - **For uploads.** LitServe reads whole bodies into memory; give it catalogs.
# - **For speed alone.** A pipeline on a CPU gains nothing from batches: they are run one by one. Batches pay where a network
#   on a GPU sees all images of a batch at once.
