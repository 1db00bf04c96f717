# %% [markdown]
# # U8 · Quality control as operators
#
# Data goes wrong in ways that are known beforehand: another CRS, another pixel size, a band that is missing, a scene
# that is all cloud, values ten thousand times too large. A check is an operator that lets the pixels pass and raises,
# warns or tags where a tile is not what was expected. This page puts five checks into a pipeline whose strictness is set
# by whoever loads it, runs it on real scenes, lets it fail in each of these ways, samples where time is short, and
# collects a report over all scenes.
#
# **Who needs this:** whoever has trained a model on garbage for a week, or has to prove that nobody did.
#
# Install `geotoolz-core[catalog]`, `geotoolz-cloud`, `geotoolz-indices`, `geotoolz-qc` and matplotlib. The scenes are
# T33TWL of August 2023 at 120 m, and a cloudy Landsat 8 of Colombia; `GEOTOOLZ_DATA` says where they lie.

# %%
import json
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import geotoolz as gz
from geotoolz.cloud import MaskClouds
from geotoolz.core import ConfigError, ParameterError, QCError, QCWarning, run, run_detailed
from geotoolz.core.testing import data_path
from geotoolz.io import MetadataWarning, WriteCOG, describe, open_scene
from geotoolz.qc import (
    AssertCRSEquals,
    AssertGridAligned,
    AssertSchema,
    AssertValidFraction,
    AssertValueRange,
    QCReport,
    run_checks,
)

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
work = Path(tempfile.mkdtemp())
archive = data_path("s2_l2a_33TWL_croatia")
clear, cloudy = (archive / f"S2B_33TWL_202308{day}_0_L2A" for day in (20, 10))

# %% [markdown]
# ## Five checks and a policy
#
# The checks are written once. Whether a failure halts or is only told belongs to the deployment, not to the pipeline:
# `${qc_policy}` has no default here, so whoever loads the file has to say.

# %%
(work / "qc.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.qc.AssertCRSEquals
  crs: EPSG:32633
  on_fail: ${qc_policy}
- _target_: geotoolz.qc.AssertResolutionWithin
  limits: [119.5, 120.5]
  on_fail: ${qc_policy}
- _target_: geotoolz.qc.AssertSchema
  bands: [B02, B03, B04, B08, scl]
  on_fail: ${qc_policy}
- _target_: geotoolz.qc.AssertValidFraction
  min_valid: 0.5
  on_fail: ${qc_policy}
- _target_: geotoolz.qc.AssertValueRange
  min_val: 0.0
  max_val: 1.0
  on_fail: warn
"""
)
strict = gz.load(work / "qc.yaml", variables={"qc_policy": "raise"})
relaxed = gz.load(work / "qc.yaml", variables={"qc_policy": "warn"})
for policy in (None, "ignore"):
    try:
        gz.load(work / "qc.yaml", variables={} if policy is None else {"qc_policy": policy})
    except (ConfigError, ParameterError) as error:
        print(type(error).__name__)
# >>> ConfigError
# >>> ParameterError

# %% [markdown]
# ## In a pipeline, twice
#
# Dropped into a pipeline the same checks guard its entrance, and a share of valid pixels its exit. A good scene passes
# and is what it would be without them, apart from one remark: the range only warns, and some bright pixels lie outside.

# %%
pipeline = gz.Sequential([strict, MaskClouds(("cloud", "cirrus")), AssertValidFraction(0.5, ("red", "nir"))])
tile = gz.open_tile(clear, bands=["blue", "green", "red", "nir", "scl"])
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always", QCWarning)
    checked = pipeline(tile)
for one in said:
    print(str(one.message).partition(" (tile")[0].replace("outside, ", "outside\n  "))
print(checked.equals(MaskClouds(("cloud", "cirrus"))(tile)))
# >>> AssertValueRange: blue lies in 0.0001 … 1.857, 3082 of 837015 pixels outside
# >>>   green lies in 0.0001 … 1.732, 2321 of 837035 pixels outside
# >>>   red lies in 0.0001 … 1.652, 2010 of 837051 pixels outside
# >>>   nir lies in 0.0001 … 1.588, 2050 of 837061 pixels outside
# >>> True

# %% [markdown]
# On a cloudy day the first checks pass and the last one stops the run, before anything is published.

# %%
warnings.simplefilter("ignore", QCWarning)
sink = gz.Sequential([pipeline, WriteCOG(str(work / "{tile_id}_{band}.tif"))])
bands = ["blue", "green", "red", "nir", "scl"]
try:
    gz.io.stream(sink, cloudy, bands=bands)
except QCError as error:
    print(error)
print("published:", len(list(work.glob("*.tif"))))
# >>> AssertValidFraction: red has 32.3% valid pixels, nir has 32.3% valid pixels (tile S2B_33TWL_20230810_0_L2A); expected at least 50.0%; look at the tile; loosen the assertion, or on_fail='warn', if it is good enough
# >>> published: 0

# %% [markdown]
# ## Before the first pixel
#
# CRS, pixel size, lattice and variables are known from a scene's description. `check` therefore finds them without
# reading a pixel, and a run on such a scene stops when it is planned, at the first check that raises. Here is a Landsat
# scene from another zone:

# %%
landsat = data_path("ls8_c2l2_colombia_008059_cloudy")
for finding in gz.check(strict, describe(landsat)):
    print(finding.level, "·", finding.path, "·", finding.operator)
for finding in gz.check(relaxed, describe(landsat)):
    print(finding.level, "·", finding.operator, "·", finding.message)
# >>> error · operators[0] · AssertCRSEquals
# >>> warning · AssertCRSEquals · EPSG:32618; expected EPSG:32633
# >>> warning · AssertResolutionWithin · pixels of 444.785 × 453.574 m; expected pixels of 119.5 … 120.5 m
# >>> warning · AssertSchema · B08 is missing; scl is missing; expected the variables of the schema

# %% [markdown]
# Checks can also *tag*: the tile goes on, and its attribute `qc_failed` says what was found. What a check of the
# description finds is part of the plan; what a check of pixels finds is known when all have passed, and written before
# a file is published. Lazy tiles refuse the latter: their attributes exist before their pixels.

# %%
tagging = gz.Sequential(
    [
        AssertCRSEquals("EPSG:32633", on_fail="tag"),
        AssertGridAligned(on_fail="tag"),
        AssertSchema(["B05"], on_fail="tag"),
        AssertValueRange(0.0, 0.1, ("nir",), on_fail="tag"),
    ]
)
for entry in tagging(tile).attrs["qc_failed"]:
    print(entry)
# >>> AssertGridAligned: edges lie 60 of 120 beside the lattice along x; expected edges at (0, 0) + k · 120
# >>> AssertSchema: B05 is missing; expected the variables of the schema
# >>> AssertValueRange: nir lies in 0.0001 … 1.588, 831310 of 837061 pixels outside; expected 0 … 0.1

# %% [markdown]
# The grid is not aligned because 120 m are an invention of whoever reduced these files: the tile's corner is a multiple of
# 10, 20 and 60 m, not of 120. Tiles of this size from neighbouring zones would not fit together.
#
# ## Samples for hot paths
#
# A tile server cannot afford to count everything. `sample_cell=16` looks at one pixel of every 16 × 16, drawn from the
# cell's place on the absolute lattice: the same pixels however the tile is cut, hence the same verdict. The result knows
# how far it may be off (Hoeffding's inequality, here with 99 %).

# %%
masked = MaskClouds(("cloud", "cirrus"))(gz.open_tile(cloudy, bands=["red", "scl"]))
for cell in (1, 4, 16):
    share = run_detailed(AssertValidFraction(0.0, ("red",), sample_cell=cell), masked).statistics[""]["red"]
    print(f"1 of {cell * cell:3}: {share.n:6} pixels, {share:.4f} ± {share.error():.4f}")
sampled = AssertValidFraction(0.5, ("red",), sample_cell=16)
verdicts = set()
for cut in ({}, {"window": (64, 64), "threads": 2}, {"window": (1, 2000)}, {"window": (333, 17)}):
    try:
        run(sampled, masked, **cut)
    except QCError as error:
        verdicts.add(error.found)
print(verdicts)
# >>> 1 of   1: 837225 pixels, 0.3230 ± 0.0000
# >>> 1 of  16:  52312 pixels, 0.3251 ± 0.0071
# >>> 1 of 256:   3274 pixels, 0.3082 ± 0.0288
# >>> {'AssertValidFraction: red has 30.8% (± 2.9%, sampled) valid pixels (tile S2B_33TWL_20230810_0_L2A)'}

# %% [markdown]
# Counting all pixels runs about as fast as memory delivers them, so that coarse samples are needed to gain anything:
# measured on 4096² float32 ([guide](../guide/qc.md#sampling)), a valid share of cells of 16 took half the time of
# counting everything, of cells of 4 more than that.
# A sample may miss what is rare: a share *s* of bad pixels goes unseen with a probability of at most exp(−*n·s*).
#
# ## A report over all scenes
#
# A run stops at its first failure. A report makes every check on every scene and keeps what each found. It takes
# tiles, opened scenes or a catalog; files are read in windows, and only the bands that a check looks at.

# %%
catalog = gz.GeoCatalog.from_folder(archive)
after = [
    AssertCRSEquals("EPSG:32633"),
    AssertValidFraction(0.5, ("red",)),
    AssertValueRange(0, 1, ("red",), 0.05),
]
masking = gz.Sequential([after[0], MaskClouds(("cloud", "cirrus")), *after[1:]])
report = QCReport.collect(masking, catalog)
print(report.counts, "· a run would have stopped:", report.stops)
for entry in report.problems:
    print(entry.tile[4:18], entry.path, entry.check, "·", entry.found)
# >>> {'passed': 10, 'failed': 2, 'error': 0} · a run would have stopped: True
# >>> 33TWL_20230818 operators[2] AssertValidFraction · red has 49.2% valid pixels
# >>> 33TWL_20230810 operators[2] AssertValidFraction · red has 32.3% valid pixels

# %% [markdown]
# `run_checks` does the same with a list of checks that need no pipeline. Reports add up, and are saved as JSON or
# as a page.

# %%
report = report + run_checks([AssertSchema(["red", "swir22"])], open_scene(landsat))
report.save(work / "report.html")
told = json.loads(report.save(work / "report.json").read_text("utf-8"))
print(told["tiles"], "tiles,", told["counts"], "·", QCReport.from_json(report.to_json()) == report)
# >>> 5 tiles, {'passed': 11, 'failed': 2, 'error': 0} · True

# %% alt=Share_of_valid_pixels_of_the_four_scenes_beside_the_limit_of_the_check
days, shares = [], []
for row in sorted(catalog.iter_rows(), key=lambda row: row.id[-15:]):
    scene = gz.open_tile(catalog.source_of(row), bands=["red", "scl"])
    days.append(row.id[10:18])
    shares.append(float(np.isfinite(MaskClouds(("cloud", "cirrus"))(scene).red).mean()))
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
colours = ["tab:red" if share < 0.5 else "tab:green" for share in shares]
axis.barh(days, shares, color=colours)
axis.axvline(0.5, color="0.3", linestyle=":")
axis.invert_yaxis()
_ = axis.set(xlim=(0, 1), xlabel="share of valid pixels after masking clouds; the check wants 0.5")

# %% [markdown]
# The same on the command line; exit code 4 says that a check failed, 2 that the command is wrong:
#
# ```console
# $ geotoolz qc check s2_l2a_33TWL_croatia --crs EPSG:32633 --schema B02,B03,B04,B08 --range red:0:1 \
#     --valid-fraction 0.5 --report report.html
# ```

# %% [markdown]
# ## When not to use it
#
# - **To clean data.** A check changes no pixel. Masking, clipping and gap filling are steps of their own.
# - **For what varies from place to place.** One range for all the world is either too wide or wrong; a check of
#   *this* scene against *that* one is a comparison ([metrics](../guide/qc.md#metrics)).
# - **Sampled, where one bad pixel matters.** A sample estimates shares. It does not find needles.
# - **As the only test of a model's inputs.** Right CRS, right bands and plausible values can still be the wrong place.
