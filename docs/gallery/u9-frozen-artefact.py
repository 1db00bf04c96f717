# %% [markdown]
# # U9 · A frozen artefact
#
# A paper says "NDVI of 20 August 2023, clouds masked". Years later somebody asks: which pipeline exactly, from which
# files, with which libraries, and does it still come out? This page freezes the computation into one file, verifies it,
# runs it again, and then changes one thing after the other: each change is named.
#
# **Who needs this:** whoever publishes, reports to a regulator, or has to say what last year's product was made of.
#
# Install `geotoolz-repro`, `geotoolz-cloud`, `geotoolz-indices` and matplotlib. The scene is T33TWL of 20 August 2023
# at 120 m; `GEOTOOLZ_DATA` says where it lies.

# %%
import shutil
import tempfile
import warnings
from pathlib import Path
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
import rasterio

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core.testing import data_path
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning, stream
from geotoolz.repro import Kind, Tier, Tolerance, environment, freeze, load, trace, verify

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
work = Path(tempfile.mkdtemp())
scene = shutil.copytree(
    data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A"), work / "S2B_33TWL_20230820_0_L2A"
)
pipeline = gz.Sequential([MaskClouds(), NDVI()])

# %% [markdown]
# ## Freeze
#
# One call takes the pipeline, hashes every file of the input and the pixels that were read of them, runs the pipeline
# and hashes what comes out, notes every package and native library, and keeps the lock file verbatim. Inputs below
# `embed_below` are put into the file, because addresses decay; larger ones are kept by address, size and hash.

# %%
(work / "uv.lock").write_text("version = 1  # stands for the lock file of the environment\n")
told = {"author": "A. Nother", "date": "2024-09-15", "doi": "10.1234/ndvi", "license": "CC-BY-4.0"}
artifact = freeze(pipeline, {"scene": scene}, work / "uv.lock", told, embed_below="20MB")
path = artifact.save(work / "ndvi_2023.gtar")
again = freeze(pipeline, {"scene": scene}, work / "uv.lock", told, embed_below="20MB").save(
    work / "again.gtar"
)

assert path.read_bytes() == again.read_bytes()
assert artifact.pipeline_hash == pipeline.config_hash()
print(
    f"{len(artifact.manifest.members)} members, the input's {len(artifact.inputs['scene'].files)} files among them"
)
print("two freezes of the same thing are equal, byte by byte")
# >>> 17 members, the input's 9 files among them
# >>> two freezes of the same thing are equal, byte by byte

# %% [markdown]
# The paper prints two numbers: the hash of the pipeline and the id of the artefact, on which everything else hangs. The
# pipeline stays readable:

# %%
years_later = load(path)
assert verify(path, id=artifact.id).tier is Tier.INTACT
print(years_later.config_yaml)
# >>> _target_: geotoolz.core.Sequential
# >>> operators:
# >>> - _target_: geotoolz.cloud.MaskClouds
# >>> - _target_: geotoolz.indices.NDVI

# %% [markdown]
# ## Run it again
#
# Nothing in the archive is executed: the configuration is data, from which registered operators are made. Loading is for
# files of strangers; only what names operators of one's own modules, or reads further files, has to be trusted on purpose
# (`load(path, trusted=True)`). The original scene may be gone. The number of threads does not matter.

# %%
scene.rename(work / "in the attic")
for threads in (1, 2):
    report = years_later.rerun(work / f"rerun-{threads}", threads=threads)
    assert report.tier is Tier.BIT_EXACT
print(report.tier, "·", ", ".join(report.checked))
(work / "in the attic").rename(scene)
ndvi = gz.open_tile(report.paths[0]).ndvi
# >>> bit-exact · 17 members, pipeline, input scene, output ndvi

# %% [markdown]
# ## Each change has a name
#
# **Another input.** A field is flooded in the near infrared band. The files that differ are named, the band whose pixels
# differ, and where the result does, and by how much.

# %%
changed = shutil.copytree(scene, work / "changed" / scene.name)
with rasterio.open(next(changed.glob("*B08*.tif"))) as raster:
    profile, pixels = raster.profile | {"driver": "GTiff"}, raster.read(1)
pixels[400:420, 300:340] = 300
with rasterio.open(next(changed.glob("*B08*.tif")), "w", **profile) as raster:
    raster.write(pixels, 1)

report = years_later.rerun(work / "other-input", inputs=changed)
assert report.tier is Tier.DIFFERS
for finding in report.differences:
    print(
        finding.kind,
        "·",
        finding.subject,
        "·",
        finding.facts.get("extent", finding.facts.get("files", "pixels of nir")),
    )
(found,) = report.of(Kind.OUTPUT_PIXELS)
assert found.facts["extent"] == [400, 420, 300, 340]
# >>> input-changed · scene · ['B08.tif has other content']
# >>> input-changed · scene · pixels of nir
# >>> output-pixels · ndvi · [400, 420, 300, 340]

# %%
flooded = gz.open_tile(report.paths[0]).ndvi
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
window = {"y": slice(330, 490), "x": slice(220, 420)}
left.imshow(ndvi.isel(window), vmin=-0.2, vmax=0.9, cmap="YlGn")
left.set_title("frozen")
right.imshow(flooded.isel(window) - ndvi.isel(window), vmin=-1, vmax=1, cmap="RdBu")
right.set_title("rerun − frozen, as the report said: rows 400–420, columns 300–340", fontsize=9)
for axis in (left, right):
    axis.set(xticks=[], yticks=[])

# %% [markdown]
# **Another pipeline.** A newer version of an operator computes something else and says so by its `version`; the
# configuration then has another hash than the paper prints. Here `NDVI` is made newer for the length of a cell.

# %%
NDVI.version += 1
report = years_later.verify()
NDVI.version -= 1
(found,) = report.differences
print(found.kind, "·", found.found.partition(": ")[2])
assert found.kind is Kind.PIPELINE_CHANGED and years_later.verify().ok
# >>> pipeline-changed · operators[1]._version_: 1 → 2

# %% [markdown]
# **Other dependencies.** What is installed is compared package by package, GDAL, PROJ, GEOS, BLAS and the features of the
# processor, too. These are notes: pixels decide. An artefact of another machine that computes the same is bit-exact.

# %%
now = environment()
now["packages"]["numpy"], now["libraries"]["gdal"] = "9.9.9", "9.9.9"
with patch("geotoolz.repro._verify.environment", return_value=now):
    report = years_later.rerun(work / "other-libraries")
assert report.tier is Tier.BIT_EXACT
print(report.tier, "although", " and ".join(f"{one.subject} is {one.found}" for one in report.findings))
# >>> bit-exact although numpy is 9.9.9 and gdal is 9.9.9

# %% [markdown]
# ## Two tiers
#
# Bit-exact is the first tier. On another processor a matrix product may round differently; a tolerance that was stated
# beforehand is the second, and the report says how far the pixels are apart all the same.

# %%
near = pipeline(gz.open_tile(scene))[["ndvi"]].copy(deep=True)
near.ndvi.values[::7] *= np.float32(1 + 1e-6)  # what another machine has computed
stated = freeze(pipeline, scene, outputs=near, tolerance=Tolerance(atol=1e-5), embed_below="20MB")
report = stated.rerun(work / "tolerance")
assert report.tier is Tier.WITHIN_TOLERANCE and report.differences[0].facts["largest"] < 1e-5
assert stated.rerun(work / "strict", tolerance=Tolerance(atol=1e-9)).tier is Tier.DIFFERS
print(report.tier)
# >>> within tolerance

# %% [markdown]
# ## A damaged archive
#
# Every member is hashed where it lies; each one that is not what the table of contents says is named, and then nothing is
# run. Links, paths that lead out of the archive, oversized and unlisted members are findings, too.

# %%
data = bytearray(path.read_bytes())
place = data.index(b"A. Nother")
data[place : place + 9] = b"B. Nother"
(work / "bad.gtar").write_bytes(data)
(work / "cut.gtar").write_bytes(data[: len(data) // 2])
for name in ("bad.gtar", "cut.gtar"):
    report = verify(work / name)
    print(name, "·", ", ".join(dict.fromkeys(f"{one.kind}" for one in report.differences)))
    assert not report.ok
assert load(work / "bad.gtar").rerun(work / "never").paths == ()
# >>> bad.gtar · tampered
# >>> cut.gtar · truncated, missing-member

# %% [markdown]
# ## From a file that somebody found
#
# Whatever writes a COG (a call, a stream, a catalog run) keeps in its tags which pipeline made it, with which versions,
# from which files. `trace` reads that, and freezes it with the file's own pixels as the expected output.

# %%
(found_file,) = stream(pipeline, scene, work / "found_on_a_disk.tif").paths
origin = trace(found_file)
print(
    len(origin.inputs),
    "inputs ·",
    "→".join(step["_target_"].rpartition(".")[2] for step in origin.config["operators"]),
)
assert origin.config_hash == pipeline.config_hash()
assert origin.freeze(metadata=told, embed_below="20MB").rerun(work / "traced").tier is Tier.BIT_EXACT
# >>> 3 inputs · MaskClouds→NDVI

# %% [markdown]
# The same on the command line; exit code 0 says fine, 4 that something differs, 2 that the command is wrong:
#
# ```console
# $ geotoolz repro freeze ndvi.yaml S2B_33TWL_20230820_0_L2A -o ndvi_2023.gtar --lock uv.lock --meta doi=10.1234/ndvi
# $ geotoolz repro verify ndvi_2023.gtar --id 3f1c…
# $ geotoolz repro rerun ndvi_2023.gtar work/
# $ geotoolz repro trace found_on_a_disk.tif --freeze found.gtar
# ```

# %% [markdown]
# ## When not to use it
#
# - **As a backup.** Large inputs are in it by hash only; keep them where they are kept for good.
# - **As a container.** It says which libraries there were; it does not bring them. For bits on another machine freeze
#   inside an image and give its digest (`container=`).
# - **As proof of who made it.** A hash shows that a file is the one whose id you know. It is no signature.
# - **For thousands of tiles.** A catalog run has its journal and STAC items with hashes; freeze the tile in question from
#   there with `trace`.
