# %% [markdown]
# # U2 · A nightly run: catalog in, COGs out
#
# A pipeline that worked on one scene has to run over all of them, every night, and a broken file must not cost the
# others. This page writes the pipeline as YAML, runs it over a catalog in one process, in two, and on Ray, lets one
# scene be corrupt on purpose, runs everything again to see that nothing is left to do, and does the same into an
# object store.
#
# **Who needs this:** whoever turns scenes into products on a schedule, and has to explain in the morning what
# happened.
#
# Install `geotoolz-core[catalog,cloud-io]`, `geotoolz-cloud`, `geotoolz-indices`, `geotoolz-qc`, for the last engine
# `geotoolz-nextgen`, and `moto[server]` for the S3 server. Four scenes are real (T33TWL, August 2023, at 120 m;
# `GEOTOOLZ_DATA` says where they lie), two are simulated, because one of those will be damaged.

# %%
import hashlib
import os
import socket
import subprocess
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path
from urllib.request import Request, urlopen

import matplotlib.pyplot as plt

import geotoolz as gz
from geotoolz.batch import verify
from geotoolz.core import draw
from geotoolz.core.testing import data_path, write_scene
from geotoolz.io import MetadataWarning, StoreError, describe, open_tile, place

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
work = Path(tempfile.mkdtemp())
archive = data_path("s2_l2a_33TWL_croatia")

# %% [markdown]
# ## The scenes
#
# `write_scene` simulates a scene and writes it as a provider would: a folder of GeoTIFFs with a STAC item. Of the
# second one the near-infrared file is cut off, as by a download that broke.

# %%
common = {"shape": (512, 512), "bands": ("red", "green", "nir", "scl"), "cloud_cover": 0.2, "raw": True}
good = write_scene({**common, "datetime": "2023-08-10T10:00:31Z"}, work / "scenes")
broken = write_scene({**common, "datetime": "2023-08-20T10:00:31Z"}, work / "scenes")
nir = broken / "B08.tif"
whole = nir.read_bytes()
nir.write_bytes(whole[: len(whole) // 3])
print(f"{nir.parent.name}/{nir.name}: {nir.stat().st_size / len(whole):.0%} of its bytes")
# >>> S2A_T33E500N5100_20230820_0_L2A/B08.tif: 33% of its bytes

# %% [markdown]
# ## The catalog
#
# One row per scene, kept as GeoParquet. It is built from what lies in the folders; the truncated file is seen while
# doing so, and kept: the run has to cope with it.

# %%
real = gz.GeoCatalog.from_folder(archive)
simulated = gz.GeoCatalog.from_folder(work / "scenes")
print(simulated.problems[0].reason.partition(":")[0], "· kept:", simulated.problems[0].kept)

catalog = gz.GeoCatalog.from_items([*real.to_items(), *simulated.to_items()])
catalog.save(work / "scenes.parquet")
catalog = gz.GeoCatalog.open(work / "scenes.parquet")
for row in catalog.iter_rows():
    print(row.id, row.platform, f"EPSG:{row.epsg}", f"{row.height} × {row.width}")
# >>> is truncated · kept: True
# >>> S2A_T33E500N5100_20230810_0_L2A sentinel-2a EPSG:32633 512 × 512
# >>> S2A_T33E500N5100_20230820_0_L2A sentinel-2a EPSG:32633 512 × 512
# >>> S2A_33TWL_20230818_0_L2A sentinel-2a EPSG:32633 915 × 915
# >>> S2A_33TWL_20230815_0_L2A sentinel-2a EPSG:32633 915 × 915
# >>> S2B_33TWL_20230820_0_L2A sentinel-2b EPSG:32633 915 × 915
# >>> S2B_33TWL_20230810_0_L2A sentinel-2b EPSG:32633 915 × 915

# %% [markdown]
# ## The pipeline
#
# Five steps in a file. `AppendIndex` adds an index and leaves the rest of the tile alone; the assertion decides
# before anything is published; `WriteCOG` writes what the pipeline has made, under a name from the tile's own
# attributes. `${min_valid:0.1}` is a variable with a default.

# %%
(work / "etl.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.cloud.MaskClouds
  flags: [cloud, cirrus]
- _target_: geotoolz.indices.AppendIndex
  index: {_target_: geotoolz.indices.NDVI}
- _target_: geotoolz.indices.AppendIndex
  index: {_target_: geotoolz.indices.NDWI}
  name: water
- _target_: geotoolz.qc.AssertValidFraction
  min_valid: ${min_valid:0.1}
  bands: [ndvi]
- _target_: geotoolz.io.WriteCOG
  path: "{tile_id}_{date}.tif"
"""
)
pipeline = gz.load(work / "etl.yaml")
print(draw(pipeline))
# >>> Sequential
# >>> ├─ operators[0]  MaskClouds(flags=('cloud', 'cirrus'))
# >>> ├─ operators[1]  AppendIndex
# >>> │  └─ index  NDVI
# >>> ├─ operators[2]  AppendIndex(name='water')
# >>> │  └─ index  NDWI
# >>> ├─ operators[3]  AssertValidFraction(min_valid=0.1, bands=('ndvi',))
# >>> └─ operators[4]  WriteCOG(path='{tile_id}_{date}.tif')

# %% [markdown]
# ## Before the first pixel
#
# `check` takes descriptions of the scenes, which cost no pixel. Nothing found means that bands, quantities and
# output paths fit, for every scene of the catalog.

# %%
print(gz.check(pipeline, (describe(catalog.source_of(row)) for row in catalog.iter_rows())))
# >>> ()

# %% [markdown]
# ## One worker
#
# `plan()` says what would be done and why; `run()` does it. By default a run stops when more than two in a hundred
# scenes fail; of six, one is more than that, so this run says that it can live with one.


# %%
def job(engine, n_workers, op=pipeline):
    """Return the run over the catalog with one engine."""
    return gz.CatalogPipeline(
        catalog, op, out=work / engine, engine=engine, n_workers=n_workers, max_failures=1, progress="none"
    )


print(str(job("inline", 1).plan()).rpartition("/")[2])
report = job("inline", 1).run()
print(report)
# >>> inline: 6 new; 6 to do
# >>> 5 done, 1 failed in ... s (inline)

# %% [markdown]
# The broken scene was logged and counted, and the other five are there. Its traceback stands in a log of its own
# nothing of it was published.

# %%
for row in report.failed:
    print(row.tile_id, row.status, row.kind, row.error)
    what, advice = row.message.partition(" cannot be read")[0], row.message.rpartition("; ")[2]
    print(what.rpartition("/")[2], "·", advice)

log = work / "inline" / ".geotoolz" / "logs" / f"{broken.name}.log"
print("Traceback" in log.read_text(), "· exit code of the command line:", int(report.exit_code))
# >>> S2A_T33E500N5100_20230820_0_L2A failed bad-data ReadError
# >>> B08.tif · the file may be truncated or corrupt: download or make it again
# >>> True · exit code of the command line: 3

# %%
for path in sorted((work / "inline").glob("*.tif")):
    print(path.name)
# >>> S2A_33TWL_20230815_0_L2A_2023-08-15.tif
# >>> S2A_33TWL_20230818_0_L2A_2023-08-18.tif
# >>> S2A_T33E500N5100_20230810_0_L2A_2023-08-10.tif
# >>> S2B_33TWL_20230810_0_L2A_2023-08-10.tif
# >>> S2B_33TWL_20230820_0_L2A_2023-08-20.tif

# %% [markdown]
# ## What came out
#
# A COG reads back as a tile with the same names, no-data and attributes.

# %%
out = open_tile(work / "inline" / "S2B_33TWL_20230820_0_L2A_2023-08-20.tif")
print({name: (str(band.dtype), band.attrs["quantity"]) for name, band in out.data_vars.items()})
print(out.attrs["tile_id"], out.attrs["datetime"][:10])
# >>> {'ndvi': ('float32', 'index'), 'water': ('float32', 'index')}
# >>> S2B_33TWL_20230820_0_L2A 2023-08-20

# %% alt=NDVI_of_the_four_real_scenes,_clouds_masked
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
greens = plt.get_cmap("RdYlGn").with_extremes(bad="0.85")
dates = sorted((work / "inline").glob("S2?_33TWL_*.tif"), key=lambda path: path.stem[-10:])
for axis, path in zip(axes, dates, strict=True):
    image = axis.imshow(open_tile(path).ndvi, cmap=greens, vmin=0, vmax=0.9, interpolation_stage="rgba")
    axis.set_title(path.stem[-10:], fontsize=10, loc="left")
    axis.set_axis_off()
figure.colorbar(image, ax=axes, shrink=0.8, label="NDVI")

# %% [markdown]
# How much was masked, by our mask and by the item's own figure? The mask counts cloud (classes 8 and 9) and cirrus
# (10) of the scene classification among the pixels that have data, here at 120 m; the item counted at 20 m.

# %% rtol=0.01
for row in sorted(report.rows, key=lambda row: row.tile_id[-13:]):
    if "33TWL" in row.tile_id:
        stated = next(r for r in catalog.iter_rows() if r.id == row.tile_id).cloud_cover
        print(f"{row.tile_id[10:18]}  masked {100 * row.masked_share:5.1f} %   item {stated:5.1f} %")
# >>> 20230810  masked  67.7 %   item  69.3 %
# >>> 20230815  masked   0.2 %   item   0.2 %
# >>> 20230818  masked  43.8 %   item  45.7 %
# >>> 20230820  masked   7.6 %   item   8.1 %

# %% [markdown]
# ## N workers, and Ray
#
# The engine is a word. Paths travel to the workers, pixels do not: each reads, computes and writes by itself. Six
# small scenes do not pay for starting workers; a thousand do. The files are equal to the last byte.


# %%
def fingerprints(folder):
    """Return the SHA-256 of every product."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tif")}


def remote_fingerprints(address):
    """Return the same of an object store."""
    names = [name for name in place(address).sizes() if name.endswith(".tif")]
    return {name: hashlib.sha256((place(address) / name).read_bytes()).hexdigest() for name in names}


print(job("process", 2).run())
print("equal to one worker:", fingerprints(work / "process") == fingerprints(work / "inline"))
# >>> 5 done, 1 failed in ... s (process)
# >>> equal to one worker: True

# %% needs=geotoolz.nextgen
print(job("ray", 2).run())
print("equal to one worker:", fingerprints(work / "ray") == fingerprints(work / "inline"))
# >>> 5 done, 1 failed in ... s (ray)
# >>> equal to one worker: True

# %% [markdown]
# ## The second night
#
# Run again: nothing to do, so no engine is started. The broken scene is in quarantine; it is not tried again as long
# as its file is the same.

# %%
print(job("process", 2).run())
# >>> 5 fresh, 1 quarantined in ... s (none)

# %% [markdown]
# The file is delivered again, whole. Only this scene is done:

# %%
nir.write_bytes(whole)
for tile in job("process", 2).plan().todo:
    print(tile.tile_id, "·", tile.reason.partition(":")[0])
print(job("process", 2).run())
# >>> S2A_T33E500N5100_20230820_0_L2A · failed before, and its inputs or the pipeline changed since
# >>> 1 done, 5 fresh in ... s (process)

# %% [markdown]
# And a changed pipeline makes old outputs stale, by its hash:

# %%
stricter = gz.load(work / "etl.yaml", variables={"min_valid": 0.2})
plan = job("inline", 1, stricter).plan()
print(plan.counts, "·", plan.tiles[0].reason)
# >>> {'stale': 5, 'partial': 1} · the pipeline changed at ...

# %% [markdown]
# ## The same night, into an object store
#
# An address is an output folder too: `s3://`, `gs://`, `az://`. The workers encode on their own disk, send each file
# with one request, ask what size and ETag arrived, and write the STAC item last; the journal becomes a few numbered
# objects. Here the store is a real S3 server on this machine (`moto_server`, from `moto[server]`); with the same
# variables MinIO or Ceph stand there, and without `AWS_ENDPOINT_URL` Amazon.

# %%
port = socket.create_server(("127.0.0.1", 0)).getsockname()[1]
program = Path(sysconfig.get_path("scripts"), "moto_server")
server = subprocess.Popen(
    [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
)
os.environ |= {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    "AWS_ACCESS_KEY_ID": "page",
    "AWS_SECRET_ACCESS_KEY": "only-for-this-page",
    "AWS_REGION": "us-east-1",
}
signed = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=page/20260101/us-east-1/s3/aws4_request, SignedHeaders=host"
}
for _ in range(200):  # until the server answers
    try:
        urlopen(Request(f"http://127.0.0.1:{port}/products", method="PUT", headers=signed)).close()
        break
    except OSError:
        time.sleep(0.1)

# %%
out = "s3://products/etl"
remote = gz.CatalogPipeline(catalog, pipeline, out=out, max_failures=1, progress="none")
print(remote.run())
print("equal to the local run:", remote_fingerprints(out) == fingerprints(work / "process"))
print(remote.run())
print("damaged or missing:", verify(out))
# >>> 6 done in ... s (inline)
# >>> equal to the local run: True
# >>> 6 fresh in ... s (none)
# >>> damaged or missing: {}

# %% [markdown]
# What stands there opens like a file, and as a catalog: GDAL reads with the variables that the run wrote with.

# %%
there = open_tile(f"{out}/S2B_33TWL_20230820_0_L2A_2023-08-20.tif")
here = open_tile(work / "inline" / "S2B_33TWL_20230820_0_L2A_2023-08-20.tif")
print("same pixels:", there.ndvi.equals(here.ndvi))
print("scenes of the product:", len(gz.GeoCatalog.from_stac(f"{out}/collection.json")))
# >>> same pixels: True
# >>> scenes of the product: 6

# %% [markdown]
# An endpoint that is not there is said at once, before a scene is read.

# %%
server.terminate()
server.wait()
try:
    remote.run()
except StoreError as error:
    print(type(error).__name__, "·", error.expected)
# >>> StoreUnreachableError · an object store that answers

# %% [markdown]
# ## When not to use it
#
# - **One scene, many questions.** Call the pipeline on the tile ([U1](u1-notebook-exploration.md)).
# - **Outputs that mix scenes** (composites, mosaics). A batch run treats every tile alone.
# - **Ray on one machine, for its own sake.** Starting it takes seconds; the process engine does the same work with
#   less around it. Ray pays when there is more than one machine.
# - **Steps that need the statistics of all scenes.** Freeze them on a sample of the catalog first
#   (`geotoolz.freeze`); a run refuses them unfrozen where every tile would get limits of its own.
