# %% [markdown]
# # X3 · Checked before it runs
#
# A run over a thousand scenes that ends at three in the morning, because the last step wanted a band that the first
# scene did not have, could have been refused at six in the evening. This page makes them on purpose: a band that
# is not there, an index of stretched values, axes the wrong way round, a resolution with a slip of the comma, a bucket
# that says no. Each is found without reading a pixel.
#
# **Who needs this:** whoever starts a run in the evening and wants to find products in the morning.
#
# Install `geotoolz-core[catalog,cloud-io]`, `geotoolz-indices`. Four scenes are real (T33TWL, August 2023, at 120 m;
# `GEOTOOLZ_DATA` says where they lie), one is simulated and has no blue band.

# %%
import os
import shutil
import tempfile
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib.pyplot as plt
import rasterio

import geotoolz as gz
from geotoolz.batch import Job
from geotoolz.core import GeotoolzError
from geotoolz.core.testing import data_path, write_scene
from geotoolz.grid import Reproject
from geotoolz.indices import EVI, NBR, NDVI
from geotoolz.io import MetadataWarning, WriteCOG
from geotoolz.radiometry import MinMax

warnings.simplefilter(
    "ignore", MetadataWarning
)  # the files were reduced to 120 m; U1 shows what is said of that
work = Path(tempfile.mkdtemp())
(work / "scenes").mkdir()
for scene in data_path("s2_l2a_33TWL_croatia").glob("S2*"):
    shutil.copytree(scene, work / "scenes" / scene.name)
own = {"shape": (256, 256), "bands": ("red", "green", "nir", "scl"), "datetime": "2023-08-12T10:00:31Z"}
write_scene(own, work / "scenes")
catalog = gz.GeoCatalog.from_folder(work / "scenes")
print(len(catalog), "scenes")
# >>> 5 scenes


# %%
def check(pipeline, out=work / "out", **options):
    """Print what `check` finds over the whole catalog, and on how many scenes."""
    found = gz.CatalogPipeline(catalog, pipeline, out, **options).check()
    texts = [str(one).partition(" [tile")[0].replace(str(work), "") for one in found]
    for text in dict.fromkeys(texts):
        print(f"{texts.count(text)} × {text}" if texts.count(text) > 1 else text)
    if not found:
        print("nothing found")


# %% [markdown]
# ## Nothing to say
#
# `check` describes every scene (metadata and headers, some milliseconds each) and asks every step what it would read
# and write. Nothing found means that bands, quantities, grids and paths fit, for each of them.

# %%
right = gz.Sequential([NDVI(), WriteCOG("{item_id}.tif")])
check(right)
# >>> nothing found

# %% [markdown]
# ## Bands
#
# NBR needs short-wave infrared, which none of these scenes was delivered with. EVI needs blue: that fits four scenes of
# five, and the fifth is named.

# %%
check(gz.Sequential([NBR(), WriteCOG("{item_id}.tif")]))
# >>> 4 × error: operators[0] (NBR): NBR reads 'swir22', and the tile has blue, green, nir, red, scl; read that band too, or name the variable that plays the role 'swir22'
# >>> error: operators[0] (NBR): NBR reads 'swir22', and the tile has red, green, nir, scl; read that band too, or name the variable that plays the role 'swir22'

# %%
evi = gz.Sequential([EVI(), WriteCOG("{item_id}.tif")])
check(evi)
print([finding.tile for finding in gz.CatalogPipeline(catalog, evi, work / "out").check()])
# >>> error: operators[0] (EVI): EVI reads 'blue', and the tile has red, green, nir, scl; read that band too, or name the variable that plays the role 'blue'
# >>> ['S2A_T33E500N5100_20230812_0_L2A']

# %% [markdown]
# ## What the values mean
#
# Scaled for display, red and near infrared make an NDVI of nonsense, and no error anywhere. The stretch is known to
# the plan.

# %%
check(gz.Sequential([MinMax(), NDVI(), WriteCOG("{item_id}.tif")]))
# >>> 5 × error: operators[1] (NDVI): NDVI reads 'nir', which was stretched for display (MinMax); expected physical values; put NDVI before the stretch

# %% [markdown]
# ## Where
#
# Latitude first is the usual slip. So is a scene whose CRS somebody lost: here the simulated one, whose files and item
# say nothing any more.

# %%
swapped = gz.CatalogPipeline(catalog, right, work / "out", read={"aoi": (45.9, 15.0, 46.0, 15.1)})
for finding in swapped.check(tiles=2):
    print(finding.tile, "·", finding.message.rpartition("; ")[2])
# >>> S2A_33TWL_20230818_0_L2A · its axes are swapped: longitude comes first
# >>> S2B_33TWL_20230810_0_L2A · its axes are swapped: longitude comes first

# %%
bare = work / "bare" / "scene.tif"
bare.parent.mkdir()
with rasterio.open(next((work / "scenes").glob("S2A_T33E*/B04.tif"))) as file:
    pixels, profile = file.read(), file.profile
with rasterio.open(bare, "w", **{**profile, "crs": None}) as file:
    file.write(pixels)
to_mercator = gz.Sequential([Reproject(crs="EPSG:3857", resolution=20.0), WriteCOG("{item_id}_{band}.tif")])
for finding in gz.CatalogPipeline([bare], to_mercator, work / "out").check():
    print(finding.level, finding.path, finding.message.replace(str(work), ""))
# >>> error  /bare/scene.tif has no CRS and no metadata beside it gives one; expected a coordinate reference system in the file, or proj:code in a STAC item; write it into the file (gdal_edit.py -a_srs EPSG:…)

# %% [markdown]
# A resolution of 0.01 m in place of 10: every scene would have 10¹⁴ pixels. The room is reckoned from what the pipeline
# would write, before compression; an error is what would not fit at a tenth of that.

# %%
(finding,) = gz.CatalogPipeline(catalog, right, work / "out", read={"resolution": 0.01}).check()
print(finding.level, "·", finding.message.partition(", and ")[2])
# >>> error · the outputs of 5 tiles have 1.93e+06 GB before compression; free space, choose another folder, or say --limit N

# %% [markdown]
# ## Where to
#
# Two scenes under one name, and an output folder that cannot be one.

# %%
check(gz.Sequential([NDVI(), WriteCOG("ndvi.tif")]))
(work / "a-file").write_text("")
check(right, out=work / "a-file" / "products")
# >>> error: the tiles 'S2A_33TWL_20230815_0_L2A' and 'S2A_33TWL_20230818_0_L2A' would both be written to 'ndvi.tif'; expected one path per tile; put {item_id} into the sink's path, and give tiles ids that differ in more than signs
# >>> error: output folder '/a-file/products' cannot be looked at: Not a directory; expected a folder that can be read and written; choose another with out=…

# %% [markdown]
# A bucket that answers *403 Forbidden*: a small server plays it. The same check sees a wrong endpoint and a bucket that
# does not exist.


# %%
class Forbidden(BaseHTTPRequestHandler):
    """Says no."""

    def do_GET(self):
        self.send_response(403)
        self.end_headers()

    do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - the library calls them so

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Forbidden)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "else",
}
check(right, out="s3://products/ndvi")
server.shutdown()
# >>> error: s3://products: access is denied (403); expected the rights to list, read, write and delete below the address; ask for them, or choose another address

# %% [markdown]
# ## In a file
#
# What belongs together stands in a `job.yaml`; a misspelt key is told with its line and the nearest one. `geotoolz check
# job.yaml` does the rest of this page on the command line, with exit code 2 where there is an error.

# %%
text = """\
source: scenes
pipeline: ndvi
out: products
read:
  resolutoin: 60
"""
(work / "job.yaml").write_text(text)
try:
    Job.load(work / "job.yaml")
except GeotoolzError as error:
    print(str(error).replace(str(work), ""))
# >>> /job.yaml: line 5: unknown key 'read.resolutoin' (did you mean 'resolution'?); expected some of aoi, resolution, bands, raw, offset, sign

# %% [markdown]
# ## Only the bands that are needed
#
# The same plan decides what is read. Of one scene the green and blue files lose their second half: the headers are
# there, the pixels are not. NDVI does not mind, because it never looks; the item of its product lists the files whose
# pixels were read.

# %%
victim = next((work / "scenes").glob("S2B_33TWL_20230820*"))
for name in ("B02.tif", "B03.tif"):
    data = (victim / name).read_bytes()
    (victim / name).write_bytes(data[: len(data) // 2])
only = {"tiles": [victim.name], "progress": "none"}
print(gz.CatalogPipeline(catalog, right, work / "ndvi", **only).run().counts)
item = gz.GeoCatalog.from_folder(work / "ndvi" / "items").to_items()[0]
read = item["properties"]["geotoolz:input_hashes"]
print([Path(entry[0]).name for entry in read])
# >>> {'done': 1}
# >>> ['B04.tif', 'B08.tif']

# %%
with rasterio.open(next((work / "ndvi").glob("*.tif"))) as file:
    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    shown = axis.imshow(file.read(1, masked=True), vmin=-0.1, vmax=0.9, cmap="RdYlGn")
figure.colorbar(shown, label="NDVI of a scene whose green and blue are cut off")
axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# EVI looks, and is told so by the reader:

# %%
report = gz.CatalogPipeline(catalog, EVI(), work / "evi", max_failures=1, **only).run()
print(report.failed[0].kind, report.failed[0].message.rpartition("; ")[2])
# >>> bad-data the file may be truncated or corrupt: download or make it again

# %% [markdown]
# ## When not to use it
#
# - **Pixels that are wrong.** A check sees what metadata says. A scene full of haze, a band that was swapped, a mask that
#   masks nothing: that is for assertions on pixels ([U8](u8-qc-as-operators.md)).
# - **Steps that cannot be planned.** What a foreign function does inside is known when it has run.
# - **A hundred thousand remote scenes.** Describing one takes a request or two; `check(tiles=100)` takes a sample, spread
#   over the catalog. `run` looks at the first three in any case.
