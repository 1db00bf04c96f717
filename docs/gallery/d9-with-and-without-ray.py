# %% [markdown]
# # D9 · Your own pipeline without Ray, and with Ray
#
# The stages are plain functions of tiles: preprocess, an ensemble that is loaded once, postprocess. Whoever wants a loop
# writes a loop. Whoever has a cluster hands the same functions to Ray, by hand or through the batch runner, or writes
# down the whole chain as a file. This page does all four and compares what comes out, to the last bit of every pixel and, for
# the chain, to the last byte of every file.
#
# **Who needs this:** whoever develops on a laptop what runs at night on a cluster, and wants to be sure that it is the
# same.
#
# Install `geotoolz-learn[torch]`, `geotoolz-nextgen` and matplotlib. Scenes and networks are simulated.

# %%
import hashlib
import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import geotoolz as gz
from geotoolz.core import pixel_hash
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG
from geotoolz.learn import CheckpointConfig, Ensemble, Normalisation, Postprocess, UNet, save_checkpoint
from geotoolz.presets import EndToEnd

work = Path(tempfile.mkdtemp())
for day in (10, 11, 12):
    scene = {"shape": (128, 110), "bands": ("red", "nir", "scl"), "raw": True, "cloud_cover": 0.15}
    write_scene({**scene, "datetime": f"2023-06-{day}T10:00:00Z", "tile_id": f"S2_{day}"}, work / "scenes")

# %% [markdown]
# ## Two models
#
# Checkpoints of networks that were never trained: here only the bits matter. One reads two bands, one reads the index, as
# the preprocessing packs them.

# %%
for seed, (name, inputs) in enumerate({"bands": ["red", "nir"], "index": ["ndvi"]}.items()):
    torch.manual_seed(seed)
    model = {"architecture": "unet", "in_channels": len(inputs), "classes": 1, "width": 4, "depth": 1}
    scaling = Normalisation([8000.0] * len(inputs), [4000.0] * len(inputs))
    about = CheckpointConfig("geotoolz", model, inputs, 64, classes=["field"], normalisation=scaling)
    save_checkpoint(UNet(len(inputs), 1, 4, 1), about, work / "models" / f"{name}.pt")

# %% [markdown]
# ## Three functions
#
# `preprocess` and `postprocess` have no state. The ensemble has: it is an object that is made once.

# %%
_ = (work / "preprocess.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- {_target_: geotoolz.indices.NDVI}
- {_target_: geotoolz.cloud.MaskFromFlags, flags: [cloud], name: cloudy}
- {_target_: geotoolz.cloud.CombineMasks, masks: [cloudy], how: "not", name: valid_data_mask}
- {_target_: geotoolz.radiometry.Encode, packing: reflectance_uint16, bands: [red, nir]}
- {_target_: geotoolz.radiometry.Encode, packing: ndvi_uint16, bands: [ndvi]}
"""
)
preprocess = gz.load(work / "preprocess.yaml")
postprocess = Postprocess(0.5, min_pixels=9, valid="valid_data_mask")
ensemble = Ensemble.load(work / "models", device="cpu")
names = ["probabilities_percent", "binarized_segmentation"]
catalog = gz.GeoCatalog.from_folder(work / "scenes")

# %% [markdown]
# ## Without Ray: a loop

# %%
found = {"loop": {}}
for row in catalog.iter_rows():
    tile = gz.open_tile(catalog.source_of(row))
    tile = preprocess(tile)
    tile = ensemble.segment(tile)
    tile = postprocess(tile)
    found["loop"][row.id] = pixel_hash(tile, names)
print(list(found["loop"]), {name: str(tile[name].dtype) for name in names})
# >>> ['S2_10', 'S2_11', 'S2_12'] {'probabilities_percent': 'uint8', 'binarized_segmentation': 'uint8'}

# %% [markdown]
# ## With Ray, by hand
#
# The same functions. A stateless one becomes a task, the ensemble an actor that loads its models once. A tile is a plain
# `xr.Dataset`, which Ray passes on as it is: no wrapper class is needed. (`RayEngine` starts Ray here with the switches that a
# private one should have; `ray.init` does, too.)

# %% needs=ray
import ray  # noqa: E402

from geotoolz.nextgen import RayEngine  # noqa: E402

engine = RayEngine(2)
engine.start(len)
engine.submit(0, "start")
while not engine.wait(1.0):
    pass


@ray.remote
class Segmenter:
    """Keeps the ensemble."""

    def __init__(self, models):
        self.ensemble = Ensemble.load(models, device="cpu")

    def segment(self, tile):
        """Ask the models."""
        return self.ensemble.segment(tile)


@ray.remote
def before(source):
    """Open and preprocess."""
    return preprocess(gz.open_tile(source))


@ray.remote
def after(tile):
    """Return the hash of the objects."""
    return pixel_hash(postprocess(tile), names)


actor = Segmenter.remote(work / "models")
waiting = {
    row.id: after.remote(actor.segment.remote(before.remote(catalog.source_of(row))))
    for row in catalog.iter_rows()
}
found["Ray, by hand"] = {name: ray.get(reference) for name, reference in waiting.items()}
print(found["Ray, by hand"] == found["loop"])
# >>> True

# %% [markdown]
# ## The batch runner, without and with Ray
#
# What the loop above lacks (retries, a broken scene, resuming, a report, not holding all tiles at once) is the batch runner's
# work. The three functions are one pipeline; the engine is a word.

# %%
chain = gz.Sequential([*preprocess, ensemble, postprocess, WriteCOG("{item_id}_{band}.tif", names)])


def batch(engine):
    """Run the catalog and return the hashes of what was written."""
    out = work / f"batch_{engine}"
    report = gz.CatalogPipeline(catalog, chain, out, engine=engine, n_workers=2, progress="none").run()
    print(report)
    hashes = {}
    for row in report.rows:
        parts = [gz.open_tile(out / f"{row.tile_id}_{name}.tif", raw=True) for name in names]
        hashes[row.tile_id] = pixel_hash(parts[0].merge(parts[1]), names)
    return hashes


found["batch"] = batch("inline")
# >>> 3 done in ... s (inline)

# %% needs=ray
found["batch, Ray"] = batch("ray")
# >>> 3 done in ... s (ray)

# %% [markdown]
# ## The whole chain as a file
#
# `EndToEnd` runs each stage as a batch of its own: what a stage has written stands there, the next reads it, and a change of
# the threshold computes no network again. Stored is what the tile held, type by type, so the bits do not change on the way.

# %%
_ = (work / "chain.yaml").write_text(
    """\
catalog: scenes
out: out
preprocess:
  pipeline: preprocess.yaml
  variables: [red, nir, ndvi, valid_data_mask]
segment:
  models: {bands: models/bands.pt, index: models/index.pt}
  options: {device: cpu}
postprocess: {threshold: 0.5, min_pixels: 9, valid: valid_data_mask}
export:
  polygons: {statistics: {probabilities: [mean]}}
"""
)
stages = EndToEnd(work / "chain.yaml")
print(stages.check() or "nothing to complain of")
print(stages.run(progress="none").counts)


def digests():
    """Return the SHA-256 of every file that the chain has delivered."""
    files = (path for path in (work / "out").rglob("*") if path.suffix in (".tif", ".parquet"))
    return {str(path.relative_to(work)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


first = digests()
found["chain"] = {}
for row in catalog.iter_rows():
    paths = [work / "out/postprocess" / f"{row.id}_{name}.tif" for name in names]
    one, two = (gz.open_tile(path, raw=True) for path in paths)
    found["chain"][row.id] = pixel_hash(one.merge(two), names)
# >>> nothing to complain of
# >>> {'preprocess': {'done': 3}, 'segment': {'done': 3}, 'postprocess': {'done': 3}, 'polygons': {'done': 3}}

# %% [markdown]
# Everything is thrown away and made again on Ray, in the same folder (a file says which files it was made of, so its bytes know
# their names): the same bytes.

# %% needs=ray
shutil.rmtree(work / "out")
print(stages.run(engine="ray", n_workers=2, progress="none").counts)
print(len(first), "files, the same bytes:", digests() == first)
# >>> {'preprocess': {'done': 3}, 'segment': {'done': 3}, 'postprocess': {'done': 3}, 'polygons': {'done': 3}}
# >>> 25 files, the same bytes: True

# %% [markdown]
# ## One hash per tile

# %%
for name, hashes in found.items():
    print(f"{name:14}", *(hashes[tile][:12] for tile in sorted(hashes)))
assert len({tuple(sorted(hashes.items())) for hashes in found.values()}) == 1
# >>> loop           ... ... ...
# >>> Ray, by hand   ... ... ...
# >>> batch          ... ... ...
# >>> batch, Ray     ... ... ...
# >>> chain          ... ... ...

# %% alt=NDVI_of_a_tile,_what_the_untrained_networks_say,_and_the_objects_that_follow
row = next(catalog.iter_rows())
tile = postprocess(ensemble.segment(preprocess(gz.open_tile(catalog.source_of(row)))))
figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
axes[0].imshow(np.where(tile.ndvi > 0, tile.ndvi / 1e4 - 1, np.nan), cmap="RdYlGn", vmin=0, vmax=0.9)
axes[1].imshow(tile.probabilities, cmap="magma")
axes[2].imshow(tile.binarized_segmentation, cmap="Greens")
for axis, title in zip(axes, ("NDVI", "probabilities", "objects"), strict=True):
    axis.set_title(title, fontsize=10, loc="left")
    axis.set_axis_off()

# %% needs=ray
engine.stop()
ray.shutdown()

# %% [markdown]
# ## When not to use it
#
# - **Ray on one machine, for its own sake.** It starts in seconds and takes most of a gigabyte; `engine="process"` does the same
#   with less around it.
# - **Pixels through Ray, by hand.** That is right for a few stages that must run on different machines. Where one worker can
#   do it all, ship paths, as the batch runner does.
# - **A chain of stages for what fits into one pipeline.** Every stage writes and reads its tiles. Stages pay where one is dear and
#   another is often changed.
