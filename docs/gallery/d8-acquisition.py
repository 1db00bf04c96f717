# %% [markdown]
# # D8 · Acquisition: scenes of a STAC API into tiles, once
#
# Somebody else's archive is asked for scenes, the part of their files that matters is brought here, and from then on
# everything works without a network: the same question has the same answer, a second run asks for nothing, and the
# pipeline reads the pixels that it would have read over there.
#
# **Who needs this:** whoever trains or computes more than once on the same scenes, works where the network is slow,
# or has to show next year what was used.
#
# Install `geotoolz-core[catalog,stac]`, `geotoolz-cloud`, `geotoolz-indices`, and `rustac` for the server. The four
# scenes are real (T33TWL, August 2023, at 120 m). The STAC API is real too: rustac's, on this machine.

# %%
import json
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import threading
import time
import warnings
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import matplotlib.pyplot as plt

import geotoolz as gz
from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import acquire, search
from geotoolz.cloud import MaskClouds
from geotoolz.core import CatalogError
from geotoolz.core.testing import data_path
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning, close_handles, open_tile

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
work = Path(tempfile.mkdtemp())
archive = data_path("s2_l2a_33TWL_croatia")

# %% [markdown]
# ## The provider
#
# Two servers stand for one: files behind HTTP that can be read in parts and are counted, and a STAC API that knows
# the items.


# %%
class Storage(SimpleHTTPRequestHandler):
    """Files, whole or in parts; every request is counted."""

    requests = 0

    def __init__(self, *args):
        super().__init__(*args, directory=archive)

    def do_GET(self):
        type(self).requests += 1
        path = archive / self.path.lstrip("/")
        data = path.read_bytes() if path.is_file() else b""
        part = self.headers.get("Range")
        first, _, last = (part or "bytes=0-").removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(data) - 1), len(data) - 1)
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {start}-{stop}/{len(data)}")
        self.send_header("Content-Length", str(stop + 1 - start))
        self.end_headers()
        self.wfile.write(data[start : stop + 1])

    def log_message(self, *args):
        """Say nothing."""


storage = ThreadingHTTPServer(("127.0.0.1", 0), Storage)
threading.Thread(target=storage.serve_forever, daemon=True).start()

items = []
for path in sorted(archive.glob("*/*_stac_item.json")):
    item = json.loads(path.read_text())
    address = f"http://127.0.0.1:{storage.server_port}/{path.parent.name}"
    wanted = {key: item["assets"][key] for key in ("red", "nir", "scl")}
    item["assets"] = {key: {**asset, "href": f"{address}/{asset['href']}"} for key, asset in wanted.items()}
    items.append(item)
(work / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
rustac = shutil.which("rustac", path=sysconfig.get_path("scripts")) or "rustac"
command = [rustac, "serve", work / "items.json", "--create-collections", "--addr", f"127.0.0.1:{port}"]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
api = f"http://127.0.0.1:{port}"
for _ in range(200):
    try:
        urlopen(api).close()
        break
    except OSError:
        time.sleep(0.05)

# %% [markdown]
# ## Ask
#
# `search` sends the question and turns all pages into a catalog. What a server does not understand is refused: this
# one has no filter extension, and would have answered too much.

# %%
area = (15.2, 45.3, 15.6, 45.6)
try:
    search(api, "sentinel-2-l2a", area, "2023-08", filter="eo:cloud_cover < 50")
except CatalogError as error:
    print(error.found.partition(" has ")[2])

found = search(api, "sentinel-2-l2a", area, "2023-08", cache=work / "here").filter("cloud_cover < 50")
for row in found.iter_rows():
    print(row.id, f"{row.cloud_cover:.0f} % clouds")
# >>> no FILTER extension: it would ignore filter= and answer too much
# >>> S2A_33TWL_20230815_0_L2A 0 % clouds
# >>> S2A_33TWL_20230818_0_L2A 46 % clouds
# >>> S2B_33TWL_20230820_0_L2A 8 % clouds

# %% [markdown]
# ## Bring
#
# `acquire` brings what the area needs of the files, as it is stored: no pixel is resampled, the numbers stay digital
# numbers. Files lie in folders named by their SHA-256. What broke off is gone on with, what is there is not asked for
# again.

# %%
before = {row.id: open_tile(found.source_of(row), ["red", "nir", "scl"], area) for row in found.iter_rows()}
close_handles()

first = acquire(found, work / "here", aoi=area, bands=["red", "nir", "scl"])
archived = sum(path.stat().st_size for path in archive.glob("*/*.tif"))
print(
    f"{first.fetched} of {first.files} files, less than a quarter of the archive: {first.bytes < archived / 4}"
)

asked = Storage.requests
second = acquire(found, work / "here", aoi=area, bands=["red", "nir", "scl"])
print(f"again: {second.fetched} files, {Storage.requests - asked} requests")
# >>> 9 of 9 files, less than a quarter of the archive: True
# >>> again: 0 files, 0 requests

# %% [markdown]
# On the command line:
#
# ```
# geotoolz catalog search https://earth-search.aws.element84.com/v1 -c sentinel-2-l2a \
#     --aoi farm.gpkg --time 2023-08 --where "cloud_cover < 50" -o scenes.parquet
# geotoolz catalog acquire scenes.parquet here/ --aoi farm.gpkg --bands red,nir,scl
# ```
#
# ## The network is gone
#
# Both servers end. The question still has its answer, and the scenes have the pixels that they had.

# %%
server.terminate()
server.wait()
storage.shutdown()
storage.server_close()

again = search(api, "sentinel-2-l2a", area, "2023-08", cache=work / "here")
here = gz.GeoCatalog.open(work / "here" / "catalog.parquet")
equal = [open_tile(here.source_of(row), aoi=area).equals(before[row.id]) for row in here.iter_rows()]
print(f"{len(again)} scenes answered, {len(here)} here, equal pixels: {equal}")
# >>> 4 scenes answered, 3 here, equal pixels: [True, True, True]

# %% [markdown]
# ## Work as if it were there
#
# A run over the catalog of local scenes is a run like any other.

# %%
pipeline = gz.Sequential([MaskClouds(), NDVI()])
report = CatalogPipeline(here, pipeline, work / "ndvi", read={"aoi": area}, progress="none").run()
print(report.counts)

products = gz.GeoCatalog.from_folder(work / "ndvi")
figure, axes = plt.subplots(1, len(products), figsize=(10, 3.6), layout="constrained")
for axis, row in zip(axes, sorted(products.iter_rows(), key=lambda row: row.datetime), strict=True):
    shown = axis.imshow(open_tile(products.source_of(row)).ndvi, vmin=0, vmax=0.9, cmap="RdYlGn")
    axis.set(title=f"{row.datetime:%Y-%m-%d}", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, shrink=0.8, label="NDVI, clouds masked")
plt.show()
# >>> {'done': 3}

# %% [markdown]
# ## When not to use it
#
# Scenes that are read once: `open_tile` and runs read what they need over the network as well. Whole archives: a copy
# of a bucket is the business of the bucket's own tools. For an archive that changes under its names say
# `revalidate=True`: every file is then asked for once, and fetched again where it is another.
