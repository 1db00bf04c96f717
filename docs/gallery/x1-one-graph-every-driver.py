# %% [markdown]
# # X1 · One graph, every driver, the same bits
#
# One pipeline, kept as a YAML file, is run on four dates of a real scene: in memory, in windows with threads, from file
# to file into a COG and into a Zarr, lazily by dask, over a catalog in one process, in a pool of processes, on Ray, on a
# Ray cluster of three nodes, on dask.distributed, as tasks of an orchestrator, and over HTTP. Of each result the SHA-256 of
# the pixels is taken. There is one hash per date.
#
# **Who needs this:** whoever tries things in a notebook, runs them at night on another machine, and wants to know that
# it is the same product.
#
# Install `geotoolz-core[catalog,dask,zarr]`, `geotoolz-cloud`, `geotoolz-indices`, `geotoolz-qc`, matplotlib; for Ray,
# dask.distributed and Dagster `geotoolz-nextgen[dask,dagster]`, for HTTP `geotoolz-serve`. The scenes are the tile T33TWL,
# August 2023, at 120 m; set `GEOTOOLZ_DATA` to the folder that holds them.

# %%
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import geotoolz as gz
from geotoolz.core import compile, pixel_hash, run
from geotoolz.core.testing import data_path
from geotoolz.io import MetadataWarning, WriteCOG, describe, open_tile, open_zarr

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
work = Path(tempfile.mkdtemp())
archive = data_path("s2_l2a_33TWL_croatia")
scenes = {path.name[10:18]: path for path in sorted(archive.glob("S2*"), key=lambda path: path.name[10:])}
print(list(scenes))
# >>> ['20230810', '20230815', '20230818', '20230820']

# %% [markdown]
# ## The graph
#
# Clouds are masked, two indices computed and smoothed over 7 × 7 pixels, the result brought to web mercator, and a check
# lets the tile pass only if enough of it is valid. So there is a step per pixel, one with a neighbourhood, one that
# changes the grid, and one that has to see all pixels before anything is published.

# %%
(work / "pipeline.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.cloud.MaskClouds
  flags: [cloud, cirrus]
- _target_: geotoolz.indices.NDVI
- _target_: geotoolz.indices.NDWI
- _target_: geotoolz.radiometry.BoxMean
  radius: 3
  bands: [ndvi, ndwi]
- _target_: geotoolz.grid.Reproject
  crs: EPSG:3857
  resolution: 170.0
- _target_: geotoolz.qc.AssertValidFraction
  min_valid: 0.05
  bands: [ndvi]
"""
)
pipeline = gz.load(work / "pipeline.yaml")
names = ["ndvi", "ndwi"]
program = compile(pipeline, describe(scenes["20230820"]), outputs=names)
print("reads", program.inputs, "· writes", program.created, "·", program.output.shape)
# >>> reads ('green', 'red', 'nir', 'scl') · writes ('ndvi', 'ndwi') · (935, 932)

# %% [markdown]
# Where the result goes is not part of the graph: a sink at its end does not change its hash. The drivers below that
# write files take the second one.

# %%
to_files = gz.Sequential([*pipeline, WriteCOG("{tile_id}.tif", bands=names)])
print(to_files.config_hash() == pipeline.config_hash())
# >>> True

# %% [markdown]
# ## In memory
#
# The whole tile; that is what every other result has to equal. Then the same in windows, by three threads.

# %%
found = {"whole tile": {}, "windows, threads": {}}
tiles, products = {}, {}
for date, scene in scenes.items():
    tiles[date] = open_tile(scene, bands=program.inputs)
    products[date] = run(pipeline, tiles[date])
    found["whole tile"][date] = pixel_hash(products[date], names)
    in_windows = run(pipeline, tiles[date], outputs=names, window=(100, 333), threads=3)
    found["windows, threads"][date] = pixel_hash(in_windows, names)
for date, one in found["whole tile"].items():
    print(date, one)
# >>> 20230810 ...
# >>> 20230815 ...
# >>> 20230818 ...
# >>> 20230820 ...

# %% [markdown]
# (These hashes may be others on another kind of processor: the law holds on one platform and CPU feature level.)
#
# ## From file to file
#
# `stream` reads windows, computes and writes at the same time, in memory that it tells beforehand
# ([Streaming](../guide/streaming.md)). A path that ends in `.tif` gives a COG, one that ends in `.zarr` a Zarr. The files are
# read back to be hashed.

# %%
found |= {"stream → COG": {}, "stream → Zarr": {}}
for date, scene in scenes.items():
    cog = gz.stream(to_files, scene, work / f"{date}.tif", window=(256, 256), threads=2)
    found["stream → COG"][date] = pixel_hash(open_tile(cog.paths[0]), names)
    zarr = gz.stream(pipeline, scene, work / f"{date}.zarr", outputs=names, window=(300, 500), threads=1)
    found["stream → Zarr"][date] = pixel_hash(open_zarr(zarr.paths[0]), names)
print(cog.windows, "windows of 256 × 256 read", cog.plan.reads)
print(zarr.windows, "windows of 300 × 500 read", zarr.plan.reads)
print(f"held {zarr.peak_memory / 1e6:.0f} MB, announced {zarr.plan.memory / 1e6:.0f} MB")
# >>> 16 windows of 256 × 256 read ('scl', 'green', 'red', 'nir')
# >>> 8 windows of 300 × 500 read ('scl', 'green', 'red', 'nir')
# >>> held ... MB, announced ... MB

# %% [markdown]
# ## Lazily
#
# A tile of dask arrays gives a lazy result; chunks of the output are computed from just the input that they need. The
# check is part of the graph too: every chunk waits for its verdict.

# %%
found["dask"] = {}
for date, tile in tiles.items():
    lazy = pipeline(tile.chunk({"y": 300, "x": 211}))
    found["dask"][date] = pixel_hash(lazy, names)
print(lazy.ndvi.data.numblocks, "chunks")
# >>> (4, 5) chunks

# %% [markdown]
# ## Over a catalog
#
# The engine is a word. Workers get paths and the YAML, not pixels.

# %%
catalog = gz.GeoCatalog.from_folder(archive)


def over_the_catalog(engine, name=None):
    """Run the catalog with an engine and return the hashes of its files by date."""
    out = work / (name or engine)
    report = gz.CatalogPipeline(catalog, to_files, out=out, engine=engine, n_workers=2, progress="none").run()
    print(report)
    return {path.stem[10:18]: pixel_hash(open_tile(path), names) for path in out.glob("*.tif")}


found["catalog, one process"] = over_the_catalog("inline")
found["catalog, process pool"] = over_the_catalog("process")
# >>> 4 done in ... s (inline)
# >>> 4 done in ... s (process)

# %% [markdown]
# Ray, on this machine, with two workers:

# %% needs=geotoolz.nextgen
found["catalog, Ray"] = over_the_catalog("ray")
# >>> 4 done in ... s (ray)

# %% [markdown]
# Ray on a cluster of three nodes, the tiles spread over them. The nodes are simulated, all on this machine, but each is a
# Ray of its own, and the run is told nothing but an address. `geotoolz cluster up --nodes 3` starts the same from a shell
# ([Clusters](../guide/cluster.md)).

# %% needs=geotoolz.nextgen
from geotoolz.nextgen import LocalCluster, RayEngine  # noqa: E402

with LocalCluster(nodes=3, folder=tempfile.mkdtemp(prefix="x1", dir="/tmp")) as cluster:
    spread = RayEngine(address=cluster.address, placement="spread")
    found["catalog, Ray, 3 nodes"] = over_the_catalog(spread, "cluster")
print(spread.n_workers, "tiles at a time")
# >>> 4 done in ... s (ray)
# >>> 3 tiles at a time

# %% [markdown]
# And dask.distributed, a scheduler with two workers:

# %% needs=distributed
found["catalog, dask.distributed"] = over_the_catalog("dask")
# >>> 4 done in ... s (dask)

# %% [markdown]
# A task of an orchestrator: units of work are plain JSON, and `run_unit` does one, whoever hands it over. Below by hand, then
# as an asset of Dagster with a partition per tile ([Orchestrators](../guide/orchestrators.md)).

# %% needs=geotoolz.nextgen
import json  # noqa: E402

from geotoolz.nextgen import run_unit, units  # noqa: E402

planned = units(gz.CatalogPipeline(catalog, to_files, out=work / "units", progress="none"))
done = [run_unit(json.loads(json.dumps(unit))) for unit in planned]
found["units of work"] = {
    path.stem[10:18]: pixel_hash(open_tile(path), names) for path in (work / "units").glob("*.tif")
}
print({result["status"] for result in done}, len(done), "units")
# >>> {'done'} 4 units

# %% needs=dagster
import logging  # noqa: E402

import dagster as dg  # noqa: E402

from geotoolz.nextgen.dagster import tiles_asset  # noqa: E402

logging.disable(logging.WARNING)
asset = tiles_asset(gz.CatalogPipeline(catalog, to_files, out=work / "dagster", progress="none"))
for one in catalog:
    dg.materialize([asset], partition_key=one.tile_id, instance=dg.DagsterInstance.ephemeral())
logging.disable(logging.NOTSET)
found["Dagster"] = {
    path.stem[10:18]: pixel_hash(open_tile(path), names) for path in (work / "dagster").glob("*.tif")
}
print(len(found["Dagster"]), "partitions")
# >>> 4 partitions

# %% [markdown]
# ## Over HTTP
#
# A server loads the same YAML and answers `POST /process/x1` with a COG of the scene. The client opens what it got.

# %% needs=geotoolz.serve
import asyncio  # noqa: E402
import io  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import httpx  # noqa: E402
import uvicorn  # noqa: E402

from geotoolz.serve import create_app  # noqa: E402

catalog.save(work / "scenes.parquet")
app = create_app(
    {
        "pipelines": [{"name": "x1", "config": work / "pipeline.yaml"}],
        "catalogs": {"s2": work / "scenes.parquet"},
        "sandbox": {"enabled": False},
    }
)
bound = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, ws="none", log_config=None, access_log=False))
threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])), daemon=True).start()
while not server.started:
    time.sleep(0.05)
found["HTTP /process"] = {}
with httpx.Client(
    base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=60, trust_env=False
) as client:
    for one in catalog:
        answer = client.post("/process/x1", json={"source": {"catalog": "s2", "item": one.tile_id}})
        path = work / f"http_{one.tile_id}.tif"
        path.write_bytes(answer.content)
        found["HTTP /process"][one.tile_id[10:18]] = pixel_hash(open_tile(path), names)
server.should_exit = True
print(f"{len(found['HTTP /process'])} products over HTTP")
# >>> 4 products over HTTP

# %% [markdown]
# Map tiles lie on another grid, so they have another hash. At the source's own zoom a tile equals the same window of the
# whole product, reprojected: bit for bit. (At an overview it is the pipeline on that overview.)

# %% needs=geotoolz.serve
from geotoolz.grid import reproject  # noqa: E402

EDGE = 20037508.342789244  # metres from the middle of the web map to its edge
layers = [
    {"name": date, "source": str(scene), "pipeline": "x1", "bands": ["ndvi"]}
    for date, scene in scenes.items()
]
maps = create_app(
    {
        "pipelines": [{"name": "x1", "config": work / "pipeline.yaml"}],
        "layers": layers,
        "sandbox": {"enabled": False},
    }
)


async def tile_in_the_middle(client, date):
    """Return the tile in the middle of a layer at the source's own zoom, and where it lies."""
    told = (await client.get(f"/layers/{date}/tilejson.json")).json()
    zoom, (lon, lat, _) = told["maxzoom"] - 2, told["center"]
    x = int((lon + 180) / 360 * 2**zoom)
    y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**zoom)
    answer = await client.get(f"/tiles/{date}/{zoom}/{x}/{y}.npy")
    return np.load(io.BytesIO(answer.content))[0], zoom, x, y


async def tiles_in_the_middle():
    """Ask for one tile of every date."""
    transport = httpx.ASGITransport(maps)
    async with httpx.AsyncClient(transport=transport, base_url="http://maps") as client:
        return {date: await tile_in_the_middle(client, date) for date in scenes}


same = []
for date, (values, zoom, x, y) in asyncio.run(tiles_in_the_middle()).items():
    size = 2 * EDGE / 256 / 2**zoom
    whole = reproject(products[date], "EPSG:3857", size).ndvi
    left = round((x * 256 * size - EDGE - whole.x[0].item()) / size + 0.5)
    top = round((whole.y[0].item() + y * 256 * size - EDGE) / size + 0.5)
    same.append(np.array_equal(values, whole[top : top + 256, left : left + 256], equal_nan=True))
print("tiles equal to their window of the whole:", same)
# >>> tiles equal to their window of the whole: [True, True, True, True]

# %% [markdown]
# ## The result

# %%
for absent in (
    "catalog, Ray",
    "catalog, Ray, 3 nodes",
    "catalog, dask.distributed",
    "units of work",
    "Dagster",
):
    found.setdefault(absent, {})  # where it is not installed
found.setdefault("HTTP /process", {})  # where geotoolz-serve is not
for driver, hashes in found.items():
    print(f"{driver:25s}", *(hashes.get(date, "not run")[:12] for date in scenes))
for date in scenes:
    print(date, len({hashes[date] for hashes in found.values() if hashes}), "hash")
# >>> whole tile                ... ... ... ...
# >>> windows, threads          ... ... ... ...
# >>> stream → COG              ... ... ... ...
# >>> stream → Zarr             ... ... ... ...
# >>> dask                      ... ... ... ...
# >>> catalog, one process      ... ... ... ...
# >>> catalog, process pool     ... ... ... ...
# >>> catalog, Ray              ... ... ... ...
# >>> catalog, Ray, 3 nodes     ... ... ... ...
# >>> catalog, dask.distributed ... ... ... ...
# >>> units of work             ... ... ... ...
# >>> Dagster                   ... ... ... ...
# >>> HTTP /process             ... ... ... ...
# >>> 20230810 1 hash
# >>> 20230815 1 hash
# >>> 20230818 1 hash
# >>> 20230820 1 hash

# %% [markdown]
# The same as a picture: each field has the colour that the first digits of its hash give. A driver that differed in one
# bit of one pixel would show another colour.

# %% alt=One_colour_per_date_over_all_drivers,_and_the_product_of_the_four_dates
figure = plt.figure(figsize=(11, 6.2), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
axis = above.subplots()
colours = [
    [[int(one.get(date, "888888")[i : i + 2], 16) for i in (0, 2, 4)] for date in scenes]
    for one in found.values()
]
axis.imshow(np.array(colours, np.uint8), aspect="auto")
axis.set_xticks(range(len(scenes)), list(scenes))
axis.set_yticks(range(len(found)), list(found))
axis.tick_params(length=0)
axis.set_xticks(np.arange(len(scenes) - 1) + 0.5, minor=True)
axis.set_yticks(np.arange(len(found) - 1) + 0.5, minor=True)
axis.grid(which="minor", color="white", lw=2)
axis.tick_params(which="minor", length=0)
axis.spines[:].set_visible(False)
greens = plt.get_cmap("RdYlGn").with_extremes(bad="0.85")
axes = below.subplots(1, len(scenes))
for axis, (date, product) in zip(axes, products.items(), strict=True):
    image = axis.imshow(product.ndvi, cmap=greens, vmin=0, vmax=0.9, interpolation_stage="rgba")
    axis.set_title(date, fontsize=10, loc="left")
    axis.set_axis_off()
below.colorbar(image, ax=axes, shrink=0.8, label="NDVI")

# %% [markdown]
# ## More of it
#
# `tests/test_one_hash.py` runs three pipelines over all drivers of this page in every test run, on these scenes and on a
# simulated one; `benchmarks/one_hash.py` does so on 10980 × 10980 pixels.

# %% [markdown]
# ## When not to use it
#
# - **To prove that a product is right.** Equal bits say that the drivers agree. They agree on a wrong formula, too.
# - **Across kinds of machines.** Compare with a tolerance there; a hash has none.
# - **For files.** Two COGs with equal pixels may differ in their bytes: compression, tags, the version of GDAL. Hash the
#   pixels, or compare files that one version wrote.
# - **With a network or another step that is tagged `approximate`.** It is outside of the law, and its documentation says by
#   how much it deviates.
