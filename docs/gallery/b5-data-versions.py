# %% [markdown]
# # B5 · Data versions
#
# Which scenes, in which state, made this map? Names and dates do not answer that; content does. This page keeps the
# inputs, the outputs of a run and the frozen artefact by their content, in pointers that git can hold and that DVC
# understands, and shows that every link of the chain notices when one byte changes.
#
# **Who needs this:** a team whose data are too large for git and change all the same.
#
# Install `geotoolz-repro`, `geotoolz-cloud`, `geotoolz-indices`. The scenes are simulated. DVC is not needed to write
# pointers, only to move data.

# %%
import json
import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import yaml

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.repro import Kind, trace, write_dvc

work = Path(tempfile.mkdtemp())
for day in ("05", "15", "25"):
    options = {"shape": (200, 200), "bands": ("red", "nir", "scl"), "raw": True, "seed": 7}
    write_scene({**options, "datetime": f"2023-06-{day}T10:00:00Z"}, work / "scenes")
pipeline = gz.Sequential([MaskClouds(), NDVI()])

# %% [markdown]
# ## The inputs
#
# `write_dvc` writes what `dvc add` would: one small file per scene, or one for the whole folder; and in a repository the
# line of `.gitignore` that keeps the data themselves out of git. A reviewer sees in the diff that a scene has been
# replaced.

# %%
for scene in sorted((work / "scenes").iterdir()):
    pointer = yaml.safe_load(write_dvc(scene).read_text())["outs"][0]
    print(
        pointer["path"], "·", pointer["nfiles"], "files ·", len(pointer["md5"].removesuffix(".dir")), "digits"
    )
# >>> S2A_T33E500N5100_20230605_7_L2A · 4 files · 32 digits
# >>> S2A_T33E500N5100_20230615_7_L2A · 4 files · 32 digits
# >>> S2A_T33E500N5100_20230625_7_L2A · 4 files · 32 digits

# %% [markdown]
# ## A run tells what it read
#
# The STAC item of every tile carries the hash of the pipeline, the versions and the SHA-256 of the files that were read;
# the COG carries the same in its tags, so that it survives being copied without its item.

# %%
report = gz.CatalogPipeline(
    gz.GeoCatalog.from_folder(work / "scenes"), pipeline, work / "ndvi", progress="none"
).run()
assert report.counts == {"done": 3}
items = sorted((work / "ndvi" / "items").glob("*.json"))
told = json.loads(items[0].read_text())["properties"]
origin = trace(next((work / "ndvi").glob("*0605*.tif")))
assert told["geotoolz:config_hash"] == pipeline.config_hash() == origin.config_hash
assert [list(one) for one in origin.inputs] == told["geotoolz:input_hashes"]
for name, _, sha256 in origin.inputs:
    print(name, "·", len(sha256), "digits")
# >>> B04.tif · 64 digits
# >>> B08.tif · 64 digits
# >>> SCL.tif · 64 digits

# %% [markdown]
# ## The artefact of one tile
#
# The tile that the decision hangs on is frozen from the file itself. Its pointer is made in the same way: three levels,
# scenes, outputs and artefact, each with a content hash.

# %%
path = origin.freeze(metadata={"author": "A. Nother", "date": "2023-07-01"}).save(work / "decision.gtar")
outputs = yaml.safe_load(write_dvc(work / "ndvi").read_text())["outs"][0]
artefact = yaml.safe_load(write_dvc(path).read_text())["outs"][0]
assert artefact["size"] == path.stat().st_size and outputs["md5"].endswith(".dir")
print(origin.path.name, "· outputs:", outputs["nfiles"] > 3, "· artefact:", artefact["path"])
# >>> S2A_T33E500N5100_20230605_7_L2A_ndvi.tif · outputs: True · artefact: decision.gtar

# %% [markdown]
# From here DVC takes over. `dvc commit` copies the data into its store under exactly these hashes, `dvc push` shares them,
# and `dvc checkout` brings back the state that a commit of git points to. The steps of a pipeline are stages; their
# command is the ordinary command line:
#
# ```yaml
# stages:
#   ndvi:
#     cmd: geotoolz run ndvi.yaml scenes/ ndvi/
#     deps: [ndvi.yaml, scenes]
#     outs:
#       - ndvi:
#           persist: true # DVC empties outputs before a stage otherwise, and every tile would be made again
#   decision:
#     cmd: geotoolz repro trace ndvi/S2A_T33E500N5100_20230605_7_L2A_ndvi.tif --freeze decision.gtar
#     deps: [ndvi]
#     outs: [decision.gtar]
# ```
#
# ```console
# $ git init && dvc init
# $ python -c "from geotoolz.repro import write_dvc; write_dvc('scenes')"
# $ dvc commit
# $ dvc repro          # runs the stages that are stale, and in them the tiles that are
# $ git add . && git commit -m "June" && dvc push
# ```
#
# With one of three scenes replaced, `dvc repro` runs the first stage again, and that makes one tile: "1 done, 2 fresh".

# %% [markdown]
# ## Someone replaces a scene
#
# A provider reprocesses a scene: same name, same size of the image, other pixels. Every level notices.

# %%
scene = next(one for one in (work / "scenes").glob("*0605*") if one.is_dir())
before = write_dvc(scene).read_text()
kept = shutil.copytree(scene, work / "kept" / scene.name)
shutil.copy(scene / "B04.tif", scene / "B08.tif")  # the wrong band under the right name

assert write_dvc(scene).read_text() != before
plan = gz.CatalogPipeline(
    gz.GeoCatalog.from_folder(work / "scenes"), pipeline, work / "ndvi", progress="none"
).plan()
verdict = gz.repro.load(path).verify()
try:
    origin.freeze()
except gz.core.ReadError as error:
    refused = error.found.partition(" of ")[0]
print("the run's plan:", plan.counts)
print("the artefact:", *(f"{one.kind} ({one.weight})" for one in verdict.of(Kind.INPUT_CHANGED)))
print("freezing again is refused because of", refused)
assert verdict.ok  # it holds the scene as it was
# >>> the run's plan: {'fresh': 2, 'stale': 1}
# >>> the artefact: input-changed (note)
# >>> freezing again is refused because of B08.tif

# %% [markdown]
# The old state is still there: the artefact embeds the scene, and computes from it what was delivered.

# %%
rerun = gz.repro.load(path).rerun(work / "again")
other = gz.repro.load(path).rerun(work / "with-the-new-scene", inputs=scene)
assert rerun.ok and gz.repro.load(path).rerun(work / "kept-elsewhere", inputs=kept).ok
print("from its own scene:", rerun.tier, "· from the new one:", other.tier)
# >>> from its own scene: bit-exact · from the new one: differs

# %% [markdown]
# What the difference is, as a picture: with the wrong band NDVI is zero wherever there is anything.

# %% alt=NDVI_of_the_scene_that_was_frozen_and_of_the_one_that_took_its_place
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for axis, (title, source) in zip(axes, (("as it was frozen", kept), ("as it is now", scene)), strict=True):
    axis.imshow(pipeline(gz.open_tile(source)).ndvi, vmin=-0.2, vmax=0.9, cmap="RdYlGn")
    axis.set_title(title, loc="left", fontsize=10)
    axis.axis("off")

# %% [markdown]
# ## When not to use it
#
# - **With an archive that never changes** and is yours alone: the journal of a run, which compares sizes and times, is
#   cheaper than reading every byte.
# - **Against forgery.** DVC knows contents by MD5. The artefact's SHA-256 stand against that; quote its id.
# - **For remote archives.** Pointers describe files that lie here. What is read over the network is told by address, and
#   by the checksum of its STAC item where the provider gives one.
