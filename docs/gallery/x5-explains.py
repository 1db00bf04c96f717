# %% [markdown]
# # X5 · It explains itself
#
# "Nothing to do" is an answer only if one can ask why. This page lets seven things happen to the products of one run (a
# parameter, a model, an input, an output that is gone, one that is cut off, a scene that is gone, a new one) and asks
# `plan` about every tile; flips one bit on the disk and asks `verify`; throws the journal away; runs one tile again; and
# asks beforehand what it will all cost.
#
# **Who needs this:** whoever is asked in the morning why the machine computed all night, or why it did not.
#
# Install `geotoolz-core[catalog]`, `geotoolz-indices`. The scenes are simulated: this page damages them.

# %%
import os
import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import rasterio
from rasterio.errors import RasterioError

import geotoolz as gz
from geotoolz.batch import Job, rebuild_journal, verify
from geotoolz.core import GeotoolzError, Ref
from geotoolz.core.testing import write_scene
from geotoolz.vector import MaskArea

work = Path(tempfile.mkdtemp())
for day in range(10, 16):
    scene = {"shape": (192, 192), "bands": ("red", "nir", "scl"), "seed": day, "raw": True}
    write_scene({**scene, "datetime": f"2023-08-{day}T10:00:31Z"}, work / "scenes")
(work / "ndvi.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.indices.NDVI
- _target_: geotoolz.radiometry.BoxMean
  radius: ${radius:1}
  bands: [ndvi]
- _target_: geotoolz.io.WriteCOG
  path: "{date}.tif"
"""
)
(work / "job.yaml").write_text(
    """\
source: scenes
pipeline: ndvi.yaml
out: products
engine: inline
budget: {price_cpu_hour: 0.05, price_gb: 0.02}
"""
)


def job(**options):
    """Return the job as its file says it; `set` fills places of the pipeline."""
    variables = {"radius": options.pop("radius")} if "radius" in options else None
    return Job.load(work / "job.yaml", variables=variables).pipeline(progress="none", **options)


def tell(plan):
    """Print a plan, tile by tile."""
    for tile in plan.tiles:
        print(tile.tile_id.split("_")[2], f"{tile.state.value:<8}", tile.reason)


# %% [markdown]
# ## Before: what will it take?
#
# Three of the six scenes are made in a temporary folder. What all will take is reckoned from them, with an interval
# that nine of ten such reckonings hold. (`geotoolz plan job.yaml --preview 3` on the command line.)

# %%
found = job().preview(3, workers=2)
print("measured", len(found.seconds), "of", found.todo)
low, high = found.output_bytes.low, found.output_bytes.high
print("time, memory, cost known:", found.hours.high > 0, found.peak_bytes > 10**7, found.cost.value > 0)
# >>> measured 3 of 6
# >>> time, memory, cost known: True True True

# %%
report = job().run()
size = sum(path.stat().st_size for path in (work / "products").glob("2023*"))
print(report.counts, "· the size lies in the interval:", low <= size <= high)
print(str(job().run()).partition(" in ")[0])
# >>> {'done': 6} · the size lies in the interval: True
# >>> 6 fresh

# %% [markdown]
# ## Seven things happen
#
# An input is delivered again, a product is deleted, another cut off, a scene disappears and a new one comes. The plan
# names each.

# %%
scenes = sorted((work / "scenes").iterdir())
os.utime(scenes[0] / "B04.tif", ns=(1, 1))
(work / "products" / "2023-08-11.tif").unlink()
cut = work / "products" / "2023-08-12.tif"
cut.write_bytes(cut.read_bytes()[:1000])
shutil.move(scenes[5], work / "away")
write_scene({**scene, "datetime": "2023-08-20T10:00:31Z"}, work / "scenes")
plan = job().plan()
tell(plan)
# >>> 20230810 stale    the input B04.tif changed (as many bytes, another time or checksum)
# >>> 20230811 partial  2023-08-11.tif is missing
# >>> 20230812 partial  2023-08-12.tif has 1000 bytes, ... were written
# >>> 20230813 fresh    done with this pipeline and these inputs
# >>> 20230814 fresh    done with this pipeline and these inputs
# >>> 20230820 new      not made yet
# >>> 20230815 orphan   not in the catalog

# %% [markdown]
# What lies on the disk beside it: every date with its product as far as it can be read, framed in the colour of its
# state.

# %%
colours = {
    "fresh": "tab:green",
    "stale": "tab:orange",
    "new": "tab:blue",
    "orphan": "tab:gray",
    "partial": "tab:red",
}
figure, axes = plt.subplots(1, 7, figsize=(11, 2.3), layout="constrained")
for axis, tile in zip(axes, sorted(plan.tiles, key=lambda tile: tile.tile_id.split("_")[2]), strict=True):
    date = tile.tile_id.split("_")[2]
    try:
        with rasterio.open(work / "products" / f"{date[:4]}-{date[4:6]}-{date[6:]}.tif") as file:
            axis.imshow(file.read(1, masked=True), vmin=-0.1, vmax=0.8, cmap="RdYlGn")
    except RasterioError:
        axis.text(0.5, 0.5, "nothing\nto read", ha="center", va="center", transform=axis.transAxes)
    axis.set_title(f"{date}\n{tile.state.value}", fontsize=9, color=colours[tile.state.value])
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set(color=colours[tile.state.value], linewidth=3)
plt.show()

# %% [markdown]
# A parameter of the pipeline makes all of them stale, and the plan says which, where it stands, and both values. In sum
# it is one line, however many tiles there are.

# %%
for reason in job(radius=3).plan().summary:
    print(reason)
# >>> 1 new: not made yet
# >>> 5 stale: the pipeline changed at operators[1].radius 1 → 3
# >>> 1 orphan: not in the catalog

# %% [markdown]
# ## A model behind the pipeline
#
# Files that a pipeline needs are pinned by their content. A new model is told from a new pipeline, by its name; here it
# is the outline that `MaskArea` keeps.

# %%
outline = work / "fields.geojson"
ring = "[[15.0, 46.0], [15.03, 46.0], [15.03, 46.03], [15.0, 46.03], [15.0, 46.0]]"
outline.write_text('{"type": "Polygon", "coordinates": [' + ring + "]}")
catalog = gz.GeoCatalog.from_folder(work / "scenes")


def clipped():
    pipeline = gz.Sequential([MaskArea(Ref.of(outline)), gz.load(work / "ndvi.yaml")])
    return gz.CatalogPipeline(catalog, pipeline, work / "clipped", progress="none", limit=2)


print(clipped().run().counts)
outline.write_text(outline.read_text().replace("15.03", "15.02"))
(reason,) = clipped().plan().summary
print(reason.cause, "·", reason)
# >>> {'done': 2}
# >>> model · 2 stale: the model or table changed: operators[0].area fields.geojson (450de5b2 → 14d64ba7)

# %% [markdown]
# ## Put in order
#
# Orphans are listed, never touched (`geotoolz gc` deletes them). A run makes what is not fresh.

# %%
print(job().run().counts)
print(str(job().plan()).partition(": ")[2])
# >>> {'done': 4, 'fresh': 2}
# >>> 6 fresh, 1 orphan; 0 to do

# %% [markdown]
# ## A bit flips
#
# A plan compares sizes, which takes milliseconds; it does not see this. `verify` reads every byte and compares the
# SHA-256 that stands in the item. Healing takes the damaged file away, so that the next run makes it again.

# %%
victim = work / "products" / "2023-08-13.tif"
before = victim.read_bytes()
victim.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
print(job().plan().counts)
print(verify(work / "products", heal=True))
print(job().run().counts, "· the same bytes again:", victim.read_bytes() == before)
# >>> {'fresh': 6, 'orphan': 1}
# >>> {'2023-08-13.tif': 'other content than was written'}
# >>> {'done': 1, 'fresh': 5} · the same bytes again: True

# %% [markdown]
# ## The journal is lost
#
# It saves opening items, and that is all. Without it the items are asked; `geotoolz verify OUT --rebuild` writes it
# again from them.

# %%
(work / "products" / ".geotoolz" / "journal.jsonl").unlink()
print(job().plan().counts)
print(len(rebuild_journal(work / "products")), "tiles written into the journal")
print(job().run().counts)
# >>> {'fresh': 6, 'orphan': 1}
# >>> 7 tiles written into the journal
# >>> {'fresh': 6}

# %% [markdown]
# ## One tile again
#
# `replay` makes one tile in this process and compares it with what was written, byte for byte; nothing is changed. Its
# error comes as it was raised, so a debugger stops at the step (`geotoolz replay job.yaml TILE --pdb`).

# %%
again = job().replay(scenes[3].name)
print(again.same, again.files, "·", sorted(again.seconds))
(scenes[4] / "B08.tif").write_bytes(b"not an image")
try:
    job().replay(scenes[4].name)
except GeotoolzError as error:
    print(type(error).__name__, "·", str(error).rpartition("; ")[2])
# >>> True {'2023-08-13.qml': 'same', '2023-08-13.tif': 'same'} · ['describe', 'read', 'run', 'write']
# >>> ReadError · the file may be truncated or corrupt: download or make it again

# %% [markdown]
# ## Within bounds
#
# A budget (hours, CPU hours, bytes, money) ends a run in good order: no further tile is started, exit code 4, and the
# next run goes on.

# %%
one = len(before)
for _ in range(2):
    report = job(radius=2, budget={"bytes": int(3.5 * one)}, max_failures=1).run()
    print(str(report).partition(" in ")[0], "· exit code", int(report.exit_code), "·", report.why)
# >>> 3 done, 3 not-run · exit code 4 · bytes=...
# >>> 2 done, 3 fresh, 1 failed · exit code 3 ·

# %% [markdown]
# ## When not to use it
#
# - **As a proof of right pixels.** It says why a product is there and that its bytes are those that were written; whether
#   NDVI is the right answer, assertions and eyes decide ([U8](u8-qc-as-operators.md)).
# - **To compare two pipelines pixel by pixel.** That is [U13](u13-diff-and-ab.md).
# - **Preview of very different scenes.** A night of empty tiles and three giants is not known from five; measure more, and
#   set a budget.
